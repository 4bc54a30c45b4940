"""What the cells that ask two engines about one index are judged by: facts in, a verdict with its reason out.

Facts hold what the worker (``adapters/drill_worker.py``) answered in each step, by the step's name, under ``steps``.
A step that the candidate refuses fails the cell; one that the old version refuses of its *own* index is an ERROR,
for then the drill has nothing to hold the candidate against.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lens_core.drill import Drilled, DrillRules, Found, Judge, RollbackSafe
from lens_core.model import Verdict

_SHOWN = 160
_NUMBER = re.compile(r"\d+")
_Facts = Mapping[str, Any]


class _Refused(Exception):
    """A step of the candidate was refused, or its contents differ: the cell fails with these words."""


def rank_agreement(before: Sequence[str], after: Sequence[str]) -> float:
    """How alike two rankings are, 0 to 1: the mean overlap of their first 1, 2, … n hits (average overlap).

    Two empty rankings agree; hits at the top weigh most. Webber, Moffat and Zobel, 2010, section 3.
    """
    depth = max(len(before), len(after))
    if not depth:
        return 1.0
    shares = [len(set(before[:n]) & set(after[:n])) / n for n in range(1, depth + 1)]
    return sum(shares) / depth


def crosses_boundary(before: str, after: str, boundaries: Sequence[str]) -> bool:
    """Whether one of ``boundaries`` lies between two versions of tantivy, either way."""
    low, high = sorted((_version(before), _version(after)))
    return any(low < _version(boundary) <= high for boundary in boundaries)


def compare_answers(
    before: Sequence[_Facts], after: Sequence[_Facts], previous: Drilled, candidate: Drilled, rules: DrillRules
) -> Found:
    """Two versions' answers to the same questions: what matches must be the same, rankings within the rules."""
    count = len(before)
    if count != len(after):
        return Found(Verdict.ERROR, f"{count} questions were put to one version, {len(after)} to the other")
    if count < rules.min_questions:
        return Found(Verdict.INCONCLUSIVE, f"{count} questions, {rules.min_questions} are needed", questions=count)
    pairs = list(zip(before, after, strict=True))
    odd = sum((one["total"], one["all"]) != (other["total"], other["all"]) for one, other in pairs)
    tops = [(one["hits"][: rules.top_k], other["hits"][: rules.top_k]) for one, other in pairs]
    agreement = sum(rank_agreement(one, other) for one, other in tops) / count
    differing = sum(one != other for one, other in tops)
    if not any(one["total"] for one in before):
        return Found(Verdict.INCONCLUSIVE, f"none of {count} questions has an answer", questions=count)
    words = f"{count} questions: {odd} with other matches, {differing} with another top {rules.top_k}"
    if odd:
        return Found(Verdict.FAIL, words, questions=count, differing=max(odd, differing), agreement=agreement)
    verdict = Verdict.PASS
    if differing and crosses_boundary(previous.tantivy, candidate.tantivy, rules.ranking_boundaries):
        within = differing <= rules.max_differing_share * count and agreement >= rules.min_agreement
        words += f", rank agreement {agreement:.4f}; tantivy's ranking changed between {previous.tantivy} and "
        words += f"{candidate.tantivy}, at most {rules.max_differing_share:.0%} may differ"
        verdict = Verdict.PASS if within else Verdict.FAIL
    elif differing:
        words += f", rank agreement {agreement:.4f}; no change of ranking is declared"
        verdict = Verdict.FAIL
    return Found(verdict, words, questions=count, differing=differing, agreement=agreement)


def read(facts: _Facts, previous: Drilled, candidate: Drilled, rules: DrillRules) -> Found:
    """The candidate opens the index, reads what the old version reads, and changes no byte."""
    before = _own(facts, "old_contents")["mine"]
    if not before["documents"]:
        return Found(Verdict.INCONCLUSIVE, "the index holds no document to read")
    try:
        _theirs(facts, "new_answers", candidate)
        _same(before, _theirs(facts, "new_contents", candidate)["mine"], "reading")
        _untouched(facts["folder_before"], facts["folder_after"], "reading")
    except _Refused as found:
        return Found(Verdict.FAIL, str(found), before["documents"])
    words = f"{before['documents']:,} documents with every stored field equal, the folder byte-identical afterwards"
    return Found(Verdict.PASS, words, before["documents"])


def query_parity(facts: _Facts, previous: Drilled, candidate: Drilled, rules: DrillRules) -> Found:
    """The candidate answers the golden questions from the old index as the old version did."""
    before = _own(facts, "old_answers")["answers"]
    try:
        after = _theirs(facts, "new_answers", candidate)["answers"]
    except _Refused as found:
        return Found(Verdict.FAIL, str(found), questions=len(before))
    return compare_answers(before, after, previous, candidate, rules)


def write(facts: _Facts, previous: Drilled, candidate: Drilled, rules: DrillRules) -> Found:
    """The candidate adds documents in place, to a copy: they are found, and the old ones are as they were."""
    before = _own(facts, "old_contents")["mine"]
    if not before["documents"]:
        return Found(Verdict.INCONCLUSIVE, "the index holds no document to keep")
    try:
        commits = _theirs(facts, "new_append", candidate)["commits"]
        after = _theirs(facts, "new_contents", candidate)
        _same(before, after["mine"], "writing")
        _expect(commits, after["appended"]["documents"], "documents written")
        _expect(commits, after["found"], "documents found that were written")
        _untouched(facts["folder_before"], facts["folder_after"], "writing to a copy")
    except _Refused as found:
        return Found(Verdict.FAIL, str(found), before["documents"])
    if not commits:
        return Found(Verdict.INCONCLUSIVE, "nothing was written", before["documents"])
    words = f"{commits} documents written and found, the {before['documents']:,} old ones unchanged"
    return Found(Verdict.PASS, words, before["documents"])


def merge(facts: _Facts, previous: Drilled, candidate: Drilled, rules: DrillRules) -> Found:
    """As ``write``, but until all segments were merged into one: merging copies what was stored."""
    found = write(facts, previous, candidate, rules)
    if found.verdict is not Verdict.PASS:
        return found
    written = _theirs(facts, "new_append", candidate)
    segments = _theirs(facts, "new_contents", candidate)["segments"]
    if segments != 1:
        words = f"nothing was merged to the end: {segments} segments after {written['commits']} commits"
        return Found(Verdict.INCONCLUSIVE, words, found.documents)
    count = written["segments_before"] + written["commits"]
    return Found(Verdict.PASS, f"{count} segments merged into one; {found.reason}", found.documents)


def migrate(facts: _Facts, previous: Drilled, candidate: Drilled, rules: DrillRules) -> Found:
    """Migrated is as built by the candidate: documents, contents, answers; also when it was broken off and resumed."""
    before = _own(facts, "old_contents")["mine"]
    if not before["documents"]:
        return Found(Verdict.INCONCLUSIVE, "the index holds no document to migrate")
    try:
        for step in ("migrated", "resumed"):
            ended = facts[step]
            if ended["exit_code"] != 0:
                raise _Refused(f"{step}: the migration ended with {ended['exit_code']}: {ended['said'][:_SHOWN]}")
        _same(before, _theirs(facts, "new_contents", candidate)["mine"], "migrating")
        _same(before, _theirs(facts, "resumed_contents", candidate)["mine"], "breaking off and resuming")
        if facts["native"]:
            _same(_theirs(facts, "native_contents", candidate)["mine"], before, "migrating instead of building")
        _untouched(facts["folder_before"], facts["folder_after"], "migrating")
        after = _theirs(facts, "new_answers", candidate)["answers"]
        native = _theirs(facts, "native_answers", candidate)["answers"]
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
    before, asked = _own(facts, "old_contents")["mine"], len(_own(facts, "old_answers")["answers"])
    copy_first, why_not = _copy_first(facts, before)
    if not before["documents"] or not asked:
        return Found(Verdict.INCONCLUSIVE, "the index holds nothing to go back to")
    try:
        _theirs(facts, "new_append", candidate)
        _theirs(facts, "new_merge", candidate)
    except _Refused as found:
        return Found(Verdict.FAIL, f"nothing to go back from: {found}", before["documents"], copy_first=copy_first)
    if (segments := facts["steps"]["new_merge"]["said"]["segments"]) != 1:
        words = f"the candidate left {segments} segments, of which no version answers"
        return Found(Verdict.INCONCLUSIVE, words, before["documents"], copy_first=copy_first)
    steps = {name: facts["steps"][name] for name in ("back_contents", "back_answers")}
    refused = [step["refusal"] for step in steps.values() if not step["ok"]]
    if any(one["panic"] for one in refused):
        words = f"{previous.version} panicked on what the candidate wrote: {_words(refused[0])}"
        return Found(Verdict.ERROR, words, before["documents"], copy_first=copy_first)
    if refused:
        words = f"not rollback-safe: {previous.version} refuses what the candidate wrote: {_words(refused[0])}"
        return _without_way_back(words, before["documents"], copy_first, why_not, rules)
    if (seen := steps["back_contents"]["said"]["mine"]) != before:
        words = f"{previous.version} opens what the candidate wrote, and reads other contents: {_unlike(before, seen)}"
        return Found(Verdict.FAIL, words, before["documents"], safe=RollbackSafe.NO, copy_first=copy_first)
    answered = len(steps["back_answers"]["said"]["answers"])
    if answered != asked:
        words = f"{previous.version} answered {answered} of {asked} questions after going back"
        return Found(Verdict.FAIL, words, before["documents"], answered, safe=RollbackSafe.NO, copy_first=copy_first)
    words = f"{previous.version} opened what the candidate wrote, read equal contents and answered {asked} questions"
    return Found(Verdict.PASS, words, before["documents"], asked, safe=RollbackSafe.YES, copy_first=copy_first)


def roll_forward(facts: _Facts, previous: Drilled, candidate: Drilled, rules: DrillRules) -> Found:
    """After going back the old version wrote; the candidate takes over again, and misses nothing."""
    before = _own(facts, "old_contents")["mine"]
    where = {"in_place": "in place", "copy_first": "by the copy"}[facts["path"]]
    if not before["documents"]:
        return Found(Verdict.INCONCLUSIVE, "the index holds nothing to go back and forth with")
    appended = _own(facts, "old_append")["commits"] + facts["appended_before"]
    try:
        after = _theirs(facts, "new_contents", candidate)
        _same(before, after["mine"], "going back and forth")
        _expect(appended, after["appended"]["documents"], "documents written")
    except _Refused as found:
        return Found(Verdict.FAIL, f"{where}: {found}", before["documents"])
    words = f"{where}: {previous.version} wrote after going back, the candidate reads all {appended} new documents "
    return Found(Verdict.PASS, f"{words}and the {before['documents']:,} old ones", before["documents"])


def analyzer(facts: _Facts, previous: Drilled, candidate: Drilled, rules: DrillRules) -> Found:
    """The index was made by the analyzer that the candidate asks with: by its name, and by what it makes of a text."""
    old = _own(facts, "old_analyzer")
    try:
        new = _theirs(facts, "new_analyzer", candidate)
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


def _own(facts: _Facts, step: str) -> Any:
    """What the old version said of its own index; ValueError when it could not."""
    answer = facts["steps"][step]
    if not answer["ok"]:
        raise ValueError(f"the old version cannot do {step} itself: {_words(answer['refusal'])}")
    return answer["said"]


def _theirs(facts: _Facts, step: str, candidate: Drilled) -> Any:
    answer = facts["steps"][step]
    if not answer["ok"]:
        raise _Refused(f"{candidate.version} cannot ({step.replace('_', ' ')}): {_words(answer['refusal'])}")
    return answer["said"]


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


def _copy_first(facts: _Facts, before: Any) -> tuple[bool, str]:
    """Whether the path by a copy is proven, and what is missing where it is not."""
    if facts["copy_before"] != facts["copy_after"] or not facts["copy_before"]:
        return False, "the copy is not what it was"
    contents, answers = facts["steps"]["copy_contents"], facts["steps"]["copy_answers"]
    if not contents["ok"] or not answers["ok"]:
        return False, "the old version does not open the copy"
    same = contents["said"]["mine"] == before and answers["said"] == facts["steps"]["old_answers"]["said"]
    return same, "" if same else "the copy does not answer as before"


def _without_way_back(words: str, documents: int, copy_first: bool, why_not: str, rules: DrillRules) -> Found:  # noqa: FBT001
    verdict, safe = Verdict.FAIL, RollbackSafe.NO
    if not copy_first:
        words += f"; nor is the path by a copy proven: {why_not}"
    elif not rules.accept_copy_first:
        words += "; the path by a copy is proven, and not accepted by the rules"
    else:
        words += "; the untouched copy is byte-identical and served as before, which the rules accept"
        verdict = Verdict.WAIVED
    return Found(verdict, words, documents, safe=safe, copy_first=copy_first)


def _words(refusal: _Facts) -> str:
    code = f" ({refusal['code']})" if refusal["code"] else ""
    return f"{refusal['kind']}{code}: {refusal['message'][:_SHOWN]}"


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in _NUMBER.findall(text)[:3])
