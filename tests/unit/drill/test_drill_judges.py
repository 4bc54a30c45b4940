"""Every cell of two engines and one index passes what holds, and fails what does not, in exactly that cell."""

import copy

import pytest
from drilling import CANDIDATE, NEW_TANTIVY, PREVIOUS, HereEngine, case_of, refused

from lens_core.adapters.drill_cells import ENGINE_CELLS
from lens_core.drills.drill import DrillRules, RollbackSafe
from lens_core.drills.engine_judges import JUDGES
from lens_core.drills.parity import compare_answers, crosses_boundary, rank_agreement
from lens_core.model import Verdict

RULES = DrillRules()
CELLS = {cell.name: cell for cell in ENGINE_CELLS}
OTHER = {"documents": 12, "digest": "sha256:other"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the index is, and the copies of it."""
    return tmp_path_factory.mktemp("cells")


@pytest.fixture(scope="module")
def seen(folder):
    """What the cells see of an index that nothing is wrong with."""
    return {name: cell.observe(case_of(name, folder), lambda _line: None) for name, cell in CELLS.items()}


def judged(cell, facts, rules=RULES):
    """What a cell's judge says."""
    return JUDGES[cell](facts, PREVIOUS, CANDIDATE, rules)


@pytest.mark.parametrize("cell", CELLS)
def test_a_candidate_that_keeps_every_promise_passes(seen, cell):
    """Reading, writing, merging, migrating and going back pass on an index that holds what it should."""
    found = judged(cell, seen[cell])
    assert (found.verdict, bool(found.reason)) == (Verdict.PASS, True), found.reason


@pytest.mark.parametrize("cell", CELLS)
def test_the_same_is_seen_twice(seen, folder, cell):
    """Two looks at the same index give the same facts: no time, no place, no name of a segment is in them."""
    assert CELLS[cell].observe(case_of(cell, folder), lambda _line: None) == seen[cell]


def put(*path, value):
    """A change of one fact."""

    def change(facts):
        place = facts
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value

    return change


def refuse(step, **how):
    """A step that was refused."""

    def change(facts):
        facts["steps"][step] = refused(**how)(facts["steps"][step], {})

    return change


def no_digest(facts):
    """A folder whose files were never hashed."""
    facts["folder_before"] = facts["folder_after"] = ""


FAULTS = {
    "read-never-hashed": ("read", no_digest, "FAIL"),
    "read-other-contents": ("read", put("steps", "new_contents", "said", "mine", value=OTHER), "FAIL"),
    "read-fewer": ("read", put("steps", "new_contents", "said", "mine", "documents", value=3), "FAIL"),
    "read-refused": ("read", refuse("new_contents"), "FAIL"),
    "read-panics": ("read", refuse("new_answers", panic=True), "FAIL"),
    "read-writes": ("read", put("folder_after", value="sha256:other"), "FAIL"),
    "parity-another-total": (
        "query_parity", put("steps", "new_answers", "said", "answers", 0, "total", value=99), "FAIL"),
    "parity-another-set": (
        "query_parity", put("steps", "new_answers", "said", "answers", 0, "all", value="sha256:other"), "FAIL"),
    "parity-question-lost": ("query_parity", lambda f: f["steps"]["new_answers"]["said"]["answers"].pop(), "ERROR"),
    "parity-refused": ("query_parity", refuse("new_answers"), "FAIL"),
    "write-other-contents": ("write", put("steps", "new_contents", "said", "mine", value=OTHER), "FAIL"),
    "write-lost": ("write", put("steps", "new_contents", "said", "appended", "documents", value=4), "FAIL"),
    "write-not-found": ("write", put("steps", "new_contents", "said", "found", value=4), "FAIL"),
    "write-touches-the-old": ("write", put("folder_after", value="sha256:other"), "FAIL"),
    "merge-corrupts": ("merge", put("steps", "new_contents", "said", "mine", value=OTHER), "FAIL"),
    "merge-never-happens": ("merge", put("steps", "new_contents", "said", "segments", value=2), "INCONCLUSIVE"),
    "migrate-ends-badly": ("migrate", put("migrated", "exit_code", value=5), "FAIL"),
    "migrate-never-resumes": ("migrate", put("resumed", "exit_code", value=5), "FAIL"),
    "migrate-loses": ("migrate", put("steps", "new_contents", "said", "mine", "documents", value=3), "FAIL"),
    "migrate-resumed-otherwise": ("migrate", put("steps", "resumed_contents", "said", "mine", value=OTHER), "FAIL"),
    "migrate-unlike-native": ("migrate", put("steps", "native_contents", "said", "mine", value=OTHER), "FAIL"),
    "migrate-answers-otherwise": (
        "migrate", put("steps", "new_answers", "said", "answers", 0, "hits", value=["x:1-2:y"]), "FAIL"),
    "migrate-touches-the-old": ("migrate", put("folder_after", value="sha256:other"), "FAIL"),
    "migrate-never-killed": ("migrate", put("interrupted", value=False), "INCONCLUSIVE"),
    "forward-other-contents": ("roll_forward", put("steps", "new_contents", "said", "mine", value=OTHER), "FAIL"),
    "forward-misses": ("roll_forward", put("steps", "new_contents", "said", "appended", "documents", value=1), "FAIL"),
    "analyzer-other-name": ("analyzer", put("steps", "new_analyzer", "said", "fingerprint", value="sha256:x"), "FAIL"),
    "analyzer-other-tokens": ("analyzer", put("steps", "new_analyzer", "said", "tokens", "words", value=["x"]), "FAIL"),
    "analyzer-no-tokens": ("analyzer", put("steps", "old_analyzer", "said", "tokens", value={}), "FAIL"),
    "analyzer-unnamed": ("analyzer", put("steps", "old_analyzer", "said", "named", value=""), "INCONCLUSIVE"),
    "analyzer-refused": ("analyzer", refuse("new_analyzer"), "FAIL"),
}  # fmt: skip


@pytest.mark.parametrize(("cell", "change", "expected"), FAULTS.values(), ids=FAULTS)
def test_what_does_not_hold_never_passes(seen, cell, change, expected):
    """Each fact that says that a promise does not hold turns its cell, with a reason."""
    facts = copy.deepcopy(seen[cell])
    change(facts)
    found = judged(cell, facts)
    assert (found.verdict.name, bool(found.reason)) == (expected, True), found.reason


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell not in {"query_parity", "analyzer"}])
def test_nothing_to_look_at_is_inconclusive(seen, cell):
    """An index without documents proves nothing."""
    facts = copy.deepcopy(seen[cell])
    facts["steps"]["old_contents"]["said"]["mine"]["documents"] = 0
    assert judged(cell, facts).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("cell", CELLS)
def test_an_old_version_that_fails_itself_or_is_another_one_is_nothing_to_hold_against(seen, cell):
    """What the old version cannot do, or what another tantivy answered in its place, is an error of the drill."""
    own = next(step for step in seen[cell]["steps"] if step.startswith("old_"))
    for change in (refuse(own), put("steps", own, "tantivy", value=NEW_TANTIVY)):
        facts = copy.deepcopy(seen[cell])
        change(facts)
        with pytest.raises(ValueError, match=own):
            judged(cell, facts)


@pytest.mark.parametrize("cell", CELLS)
def test_a_version_against_itself_proves_nothing(seen, cell):
    """Answers of the candidate that came from the old version's tantivy are no answers of the candidate."""
    facts = copy.deepcopy(seen[cell])
    theirs = next(step for step in reversed(facts["steps"]) if step.startswith("new_"))
    facts["steps"][theirs]["tantivy"] = PREVIOUS.tantivy
    with pytest.raises(ValueError, match=f"expected an answer on tantivy {NEW_TANTIVY}"):
        judged(cell, facts)


def rolled_back(seen, *changes, rules=RULES):
    """What going back comes to when the facts are changed."""
    facts = copy.deepcopy(seen["rollback"])
    for change in changes:
        change(facts)
    return judged("rollback", facts, rules)


def test_rollback_is_safe_only_when_the_old_version_really_went_on(seen):
    """Opened, equal contents, every question answered: only that is a yes."""
    found = rolled_back(seen)
    assert (found.safe, found.copy_first, found.verdict) == (RollbackSafe.YES, True, Verdict.PASS)


def test_a_refusal_is_waived_where_the_copy_is_proven(seen):
    """An old version that refuses is not rollback-safe; going back by the copy is accepted, and never green."""
    found = rolled_back(seen, refuse("back_contents"))
    assert (found.safe, found.copy_first, found.verdict) == (RollbackSafe.NO, True, Verdict.WAIVED)
    assert "byte-identical" in found.reason


def test_rules_may_insist_on_going_back_in_place(seen):
    """Where the rules do not accept the copy, a refusal fails."""
    found = rolled_back(seen, refuse("back_answers"), rules=DrillRules(accept_copy_first=False))
    assert (found.safe, found.verdict) == (RollbackSafe.NO, Verdict.FAIL)


NO_COPY = {
    "changed": put("copy_after", value="sha256:other"),
    "not-opened": refuse("copy_contents"),
    "other-contents": put("steps", "copy_contents", "said", "mine", value=OTHER),
    "other-answers": put("steps", "copy_answers", "said", "answers", value=[]),
}


@pytest.mark.parametrize("change", NO_COPY.values(), ids=NO_COPY)
def test_without_a_proven_copy_there_is_no_way_back(seen, change):
    """A copy that changed, does not open or answers otherwise is no way back: the cell fails."""
    found = rolled_back(seen, refuse("back_contents"), change)
    assert (found.safe, found.copy_first, found.verdict) == (RollbackSafe.NO, False, Verdict.FAIL)


def test_going_back_to_other_contents_is_worse_than_a_refusal(seen):
    """An old version that opens what the candidate wrote and reads something else fails the cell."""
    found = rolled_back(seen, put("steps", "back_contents", "said", "mine", value=OTHER))
    assert (found.safe, found.verdict) == (RollbackSafe.NO, Verdict.FAIL)


def test_going_back_without_answers_fails(seen):
    """An old version that opens and no longer answers every question is no way back."""
    found = rolled_back(seen, lambda facts: facts["steps"]["back_answers"]["said"]["answers"].pop())
    assert (found.safe, found.verdict) == (RollbackSafe.NO, Verdict.FAIL)


def test_a_panic_or_an_index_of_many_segments_says_nothing_about_going_back(seen):
    """What is no refusal leaves rollback-safety unknown."""
    panicked = rolled_back(seen, refuse("back_contents", panic=True))
    scattered = rolled_back(seen, refuse("back_answers"), put("steps", "new_merge", "said", "segments", value=3))
    for found in (panicked, scattered):
        assert (found.safe, found.verdict) == (RollbackSafe.UNKNOWN, Verdict.ERROR)


def test_a_candidate_that_cannot_write_leaves_nothing_to_go_back_from(seen):
    """Without anything written the cell fails, and safety stays unknown."""
    found = rolled_back(seen, refuse("new_append"))
    assert (found.safe, found.verdict) == (RollbackSafe.UNKNOWN, Verdict.FAIL)


def test_an_old_version_that_refuses_goes_forward_by_the_copy(folder):
    """Where going back in place is refused, the old version writes into the copy, and the candidate takes that over."""
    old = HereEngine(PREVIOUS.version, PREVIOUS.tantivy)
    old.changed["append"] = lambda said, request: refused()(said, request) if "written" in request["index"] else said
    facts = CELLS["roll_forward"].observe(case_of("roll_forward", folder, old=old), lambda _line: None)
    found = judged("roll_forward", facts)
    assert facts["path"] == "copy_first"
    assert (found.verdict, "by the copy" in found.reason) == (Verdict.PASS, True)


def answers(*rankings):
    """Answers with these hits."""
    return [{"total": len(hits), "hits": list(hits), "all": str(sorted(hits))} for hits in rankings]


def test_a_declared_change_of_ranking_is_bounded():
    """Across a boundary a few rankings may differ; one more than the share fails, and so does any within."""
    before = answers(*(["a", "b"] for _ in range(40)))
    two, three = ([*answers(*(["b", "a"] for _ in range(n))), *before[n:]] for n in (2, 3))
    rules = DrillRules(min_agreement=0.9)
    within, beyond = (compare_answers(before, after, PREVIOUS, CANDIDATE, rules) for after in (two, three))
    strict = compare_answers(before, two, PREVIOUS, CANDIDATE, DrillRules(min_agreement=0.98))
    assert strict.verdict is Verdict.FAIL
    undeclared = compare_answers(before, two, PREVIOUS, CANDIDATE, DrillRules(ranking_boundaries=()))
    assert [found.verdict for found in (within, beyond, undeclared)] == [Verdict.PASS, Verdict.FAIL, Verdict.FAIL]
    assert (within.differing, within.agreement) == (2, pytest.approx(1 - 2 * 0.5 / 40))


def test_few_questions_and_none_with_an_answer_are_inconclusive():
    """Nineteen questions are too few, and answers of nothing to nothing agree about nothing."""
    few, empty = answers(*(["a"] for _ in range(19))), answers(*([] for _ in range(30)))
    for asked in (few, empty, []):
        assert compare_answers(asked, asked, PREVIOUS, CANDIDATE, RULES).verdict is Verdict.INCONCLUSIVE


def test_rankings_agree_as_much_as_their_beginnings_overlap():
    """Average overlap: 1 for equal rankings, 0 for disjoint ones, and a change at the top weighs most."""
    assert rank_agreement([], []) == rank_agreement(["a"], ["a"]) == 1.0
    assert rank_agreement(["a"], []) == rank_agreement(["a"], ["b"]) == 0.0
    assert rank_agreement(["a", "b", "c"], ["a", "c", "b"]) > rank_agreement(["a", "b", "c"], ["b", "a", "c"])


def test_boundaries_are_crossed_either_way_and_by_number():
    """0.9 lies below 0.26, and staying on one side crosses nothing."""
    crossing = (("0.25.1", "0.27.0"), ("0.27.0", "0.9.0"))
    staying = (("0.26.0", "0.27.0"), ("0.24.0", "0.25.1"))
    assert [crosses_boundary(*pair, ["0.26.0"]) for pair in (*crossing, *staying)] == [True, True, False, False]
