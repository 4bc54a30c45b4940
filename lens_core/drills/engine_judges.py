"""What the cells that ask two engines about one index are judged by: facts in, a verdict with its reason out.

Facts hold what the worker (``adapters/drill_worker.py``) answered in each step, by the step's name, under ``steps``.
A step that the candidate refuses fails the cell; one that the old version refuses of its *own* index is an ERROR,
for then the drill has nothing to hold the candidate against.
"""

from collections.abc import Mapping
from typing import Any

from lens_core.drills.drill import Drilled, DrillRules, Found, Judge, RollbackSafe
from lens_core.drills.parity import compare_answers
from lens_core.model import Verdict

_SHOWN = 160
_Facts = Mapping[str, Any]


class _Refused(Exception):
    """A step of the candidate was refused, or its contents differ: the cell fails with these words."""


def read(facts: _Facts, previous: Drilled, candidate: Drilled, _rules: DrillRules) -> Found:
    """The candidate opens the index, reads what the old version reads, and changes no byte."""
    before = _own(facts, previous, "old_contents")["mine"]
    if not before["documents"]:
        return Found(Verdict.INCONCLUSIVE, "the index holds no document to read")
    try:
        _theirs(facts, candidate, "new_answers")
        _same(before, _theirs(facts, candidate, "new_contents")["mine"], "reading")
        _untouched(facts["folder_before"], facts["folder_after"], "reading")
    except _Refused as found:
        return Found(Verdict.FAIL, str(found), before["documents"])
    words = f"{before['documents']:,} documents with every stored field equal, the folder byte-identical afterwards"
    return Found(Verdict.PASS, words, before["documents"])


def query_parity(facts: _Facts, previous: Drilled, candidate: Drilled, rules: DrillRules) -> Found:
    """The candidate answers the golden questions from the old index as the old version did."""
    before = _own(facts, previous, "old_answers")["answers"]
    try:
        after = _theirs(facts, candidate, "new_answers")["answers"]
    except _Refused as found:
        return Found(Verdict.FAIL, str(found), questions=len(before))
    return compare_answers(before, after, previous, candidate, rules)


def write(facts: _Facts, previous: Drilled, candidate: Drilled, _rules: DrillRules) -> Found:
    """The candidate adds documents in place, to a copy: they are found, and the old ones are as they were."""
    return _written(facts, previous, candidate, "writing")


def merge(facts: _Facts, previous: Drilled, candidate: Drilled, _rules: DrillRules) -> Found:
    """As ``write``, but until all segments were merged into one: merging copies what was stored."""
    found = _written(facts, previous, candidate, "merging")
    if found.verdict is not Verdict.PASS:
        return found
    written = _theirs(facts, candidate, "new_append")
    segments = _theirs(facts, candidate, "new_contents")["segments"]
    if segments != 1:
        words = f"nothing was merged to the end: {segments} segments after {written['commits']} commits"
        return Found(Verdict.INCONCLUSIVE, words, found.documents)
    count = written["segments_before"] + written["commits"]
    return Found(Verdict.PASS, f"{count} segments merged into one; {found.reason}", found.documents)


def migrate(facts: _Facts, previous: Drilled, candidate: Drilled, rules: DrillRules) -> Found:
    """Migrated is as built by the candidate: documents, contents, answers; also when it was broken off and resumed."""
    before = _own(facts, previous, "old_contents")["mine"]
    if not before["documents"]:
        return Found(Verdict.INCONCLUSIVE, "the index holds no document to migrate")
    try:
        _ended_well(facts)
        _same(before, _theirs(facts, candidate, "new_contents")["mine"], "migrating")
        _same(before, _theirs(facts, candidate, "resumed_contents")["mine"], "breaking off and resuming")
        if facts["native"]:
            _same(_theirs(facts, candidate, "native_contents")["mine"], before, "migrating instead of building")
        _untouched(facts["folder_before"], facts["folder_after"], "migrating")
        after = _theirs(facts, candidate, "new_answers")["answers"]
        native = _theirs(facts, candidate, "native_answers")["answers"]
    except _Refused as found:
        return Found(Verdict.FAIL, str(found), before["documents"])
    if not facts["interrupted"]:
        return Found(Verdict.INCONCLUSIVE, "the migration was over before it could be broken off", before["documents"])
    compared = compare_answers(native, after, candidate, candidate, rules)
    held_against = "a native build" if facts["native"] else "the old index, for its sources are not here"
    words = f"{before['documents']:,} documents, held against {held_against}, broken off and resumed; {compared.reason}"
    return Found(
        compared.verdict, words, before["documents"], compared.questions, compared.differing, compared.agreement
    )


def rollback(facts: _Facts, previous: Drilled, candidate: Drilled, rules: DrillRules) -> Found:
    """The old version goes on with what the candidate wrote, or else with the copy that was taken before."""
    before = _own(facts, previous, "old_contents")["mine"]
    asked = len(_own(facts, previous, "old_answers")["answers"])
    copy_first, why_not = _copy_first(facts, previous, before)
    if not before["documents"] or not asked:
        return Found(Verdict.INCONCLUSIVE, "the index holds nothing to go back to")
    try:
        _theirs(facts, candidate, "new_append")
        segments = _theirs(facts, candidate, "new_merge")["segments"]
    except _Refused as found:
        return Found(Verdict.FAIL, f"nothing to go back from: {found}", before["documents"], copy_first=copy_first)
    refused = [step["refusal"] for step in _back(facts, previous) if step["ok"] is not True]
    if refused and not any(one["panic"] for one in refused) and segments == 1:
        words = f"not rollback-safe: {previous.version} refuses what the candidate wrote: {_words(refused[0])}"
        return _without_way_back(words, before["documents"], rules, proven=copy_first, why_not=why_not)
    if refused:
        words = f"{previous.version} is lost in what the candidate wrote ({segments} segments): {_words(refused[0])}"
        return Found(Verdict.ERROR, words, before["documents"], copy_first=copy_first)
    return _gone_back(facts, previous, before, asked, proven=copy_first)


def roll_forward(facts: _Facts, previous: Drilled, candidate: Drilled, _rules: DrillRules) -> Found:
    """After going back the old version wrote; the candidate takes over again, and misses nothing."""
    before = _own(facts, previous, "old_contents")["mine"]
    where = {"in_place": "in place", "copy_first": "by the copy"}[facts["path"]]
    if not before["documents"]:
        return Found(Verdict.INCONCLUSIVE, "the index holds nothing to go back and forth with")
    appended = _own(facts, previous, "old_append")["commits"] + facts["appended_before"]
    try:
        after = _theirs(facts, candidate, "new_contents")
        _same(before, after["mine"], "going back and forth")
        _expect(appended, after["appended"]["documents"], "documents written")
    except _Refused as found:
        return Found(Verdict.FAIL, f"{where}: {found}", before["documents"])
    words = f"{where}: {previous.version} wrote after going back, the candidate reads all {appended} new documents "
    return Found(Verdict.PASS, f"{words}and the {before['documents']:,} old ones", before["documents"])


def analyzer(facts: _Facts, previous: Drilled, candidate: Drilled, _rules: DrillRules) -> Found:
    """The index was made by the analyzer that the candidate asks with: by its name, and by what it makes of a text."""
    old = _own(facts, previous, "old_analyzer")
    try:
        new = _theirs(facts, candidate, "new_analyzer")
    except _Refused as found:
        return Found(Verdict.FAIL, str(found))
    if not old["named"]:
        return Found(Verdict.INCONCLUSIVE, "the index names no analyzer")
    odd = [name for name, tokens in old["tokens"].items() if new["tokens"].get(name) != tokens]
    if odd or not old["tokens"]:
        alike = ", under the same fingerprint" if old["named"] == new["fingerprint"] else ""
        return Found(Verdict.FAIL, f"other tokens of the same text{alike}: {', '.join(odd) or 'none compared'}")
    if old["named"] != new["fingerprint"]:
        words = f"expected the fingerprint {new['fingerprint'][:19]}… in the index, saw {old['named'][:19]}…"
        return Found(Verdict.FAIL, words)
    count = sum(len(tokens) for tokens in new["tokens"].values())
    return Found(Verdict.PASS, f"the same fingerprint, and the same {count} tokens of a fixed text")


JUDGES: dict[str, Judge] = {
    "read": read,
    "query_parity": query_parity,
    "write": write,
    "merge": merge,
    "migrate": migrate,
    "rollback": rollback,
    "roll_forward": roll_forward,
    "analyzer": analyzer,
}
"""The judges of this module by their cell."""


def _written(facts: _Facts, previous: Drilled, candidate: Drilled, doing: str) -> Found:
    before = _own(facts, previous, "old_contents")["mine"]
    if not before["documents"]:
        return Found(Verdict.INCONCLUSIVE, "the index holds no document to keep")
    try:
        commits = _theirs(facts, candidate, "new_append")["commits"]
        after = _theirs(facts, candidate, "new_contents")
        _same(before, after["mine"], doing)
        _expect(commits, after["appended"]["documents"], "documents written")
        _expect(commits, after["found"], "documents found that were written")
        _untouched(facts["folder_before"], facts["folder_after"], f"{doing} in a copy")
    except _Refused as found:
        return Found(Verdict.FAIL, str(found), before["documents"])
    if not commits:
        return Found(Verdict.INCONCLUSIVE, "nothing was written", before["documents"])
    words = f"{commits} documents written and found, the {before['documents']:,} old ones unchanged"
    return Found(Verdict.PASS, words, before["documents"])


def _own(facts: _Facts, previous: Drilled, step: str) -> Any:
    """What the old version said of its own index; ValueError when it could not."""
    answer = _step(facts, previous, step)
    if answer["ok"] is not True:
        raise ValueError(f"the old version cannot do {step} itself: {_words(answer['refusal'])}")
    return answer["said"]


def _theirs(facts: _Facts, candidate: Drilled, step: str) -> Any:
    answer = _step(facts, candidate, step)
    if answer["ok"] is not True:
        raise _Refused(f"{candidate.version} cannot ({step.replace('_', ' ')}): {_words(answer['refusal'])}")
    return answer["said"]


def _step(facts: _Facts, by: Drilled, step: str) -> _Facts:
    """What was answered in a step; ValueError when another engine did: a version against itself proves nothing."""
    answer: _Facts = facts["steps"][step]
    if answer["tantivy"] != by.tantivy:
        raise ValueError(f"{step}: expected an answer on tantivy {by.tantivy}, saw one on {answer['tantivy']}")
    return answer


def _ended_well(facts: _Facts) -> None:
    for step in ("migrated", "resumed"):
        ended = facts[step]
        if ended["exit_code"] != 0:
            raise _Refused(f"{step}: the migration ended with {ended['exit_code']}: {ended['said'][-_SHOWN:]}")


def _same(before: Any, after: Any, doing: str) -> None:
    if before != after:
        raise _Refused(f"{doing} gave other contents: {_unlike(before, after)}")


def _unlike(before: Any, after: Any) -> str:
    if before["documents"] != after["documents"]:
        return f"expected {before['documents']:,} documents, saw {after['documents']:,}"
    return f"of {before['documents']:,} documents some stored field is another one"


def _expect(expected: int, seen: int, what: str) -> None:
    if expected != seen:
        raise _Refused(f"{what}: expected {expected:,}, saw {seen:,}")


def _untouched(before: str, after: str, doing: str) -> None:
    if before != after or not before:
        raise _Refused(f"{doing} changed the files of the old index")


def _back(facts: _Facts, previous: Drilled) -> list[_Facts]:
    """What the old version says of the index that the candidate wrote into."""
    return [_step(facts, previous, name) for name in ("back_contents", "back_answers")]


def _gone_back(facts: _Facts, previous: Drilled, before: Any, asked: int, *, proven: bool) -> Found:
    """The old version opened it all, and should read what it read before, and answer."""
    contents, answers = (step["said"] for step in _back(facts, previous))
    answered = len(answers["answers"])
    if contents["mine"] != before:
        unlike = _unlike(before, contents["mine"])
        words = f"{previous.version} opens what the candidate wrote, and reads other contents: {unlike}"
    elif answered != asked:
        words = f"{previous.version} answered {answered} of {asked} questions after going back"
    else:
        words = f"{previous.version} opened what the candidate wrote, read equal contents, answered {asked} questions"
        return Found(Verdict.PASS, words, before["documents"], asked, safe=RollbackSafe.YES, copy_first=proven)
    return Found(Verdict.FAIL, words, before["documents"], answered, safe=RollbackSafe.NO, copy_first=proven)


def _copy_first(facts: _Facts, previous: Drilled, before: Any) -> tuple[bool, str]:
    """Whether the path by a copy is proven, and what is missing where it is not."""
    if facts["copy_before"] != facts["copy_after"] or not facts["copy_before"]:
        return False, "the copy is not what it was"
    contents, answers = (_step(facts, previous, name) for name in ("copy_contents", "copy_answers"))
    if contents["ok"] is not True or answers["ok"] is not True:
        return False, "the old version does not open the copy"
    same = contents["said"]["mine"] == before and answers["said"] == _own(facts, previous, "old_answers")
    return same, "" if same else "the copy does not answer as before"


def _without_way_back(words: str, documents: int, rules: DrillRules, *, proven: bool, why_not: str) -> Found:
    verdict = Verdict.FAIL
    if not proven:
        words += f"; nor is the path by a copy proven: {why_not}"
    elif not rules.accept_copy_first:
        words += "; the path by a copy is proven, and not accepted by the rules"
    else:
        words += "; the untouched copy is byte-identical and served as before, which the rules accept"
        verdict = Verdict.WAIVED
    return Found(verdict, words, documents, safe=RollbackSafe.NO, copy_first=proven)


def _words(refusal: _Facts) -> str:
    code = f" ({refusal['code']})" if refusal["code"] else ""
    message = refusal["message"]
    return f"{refusal['kind']}{code}: {message if len(message) <= _SHOWN else message[:_SHOWN] + '…'}"
