"""The cell ``integrity`` is green for refusals alone, and for nothing that was not tried."""

import math

import pytest

from lens_core.drills.drill import Drilled, DrillRules
from lens_core.drills.index_damage import DAMAGES
from lens_core.drills.index_integrity import FILE_KINDS, SEGMENT_KINDS
from lens_core.drills.integrity import DOORS, integrity, judge_integrity
from lens_core.model import Verdict

REASON = "size and CRC-32: expected 1, saw 2"


def one(kind="flipped", file="a.idx", door="open", **more):
    """A try that was refused, unless ``more`` says otherwise."""
    return {"door": door, "kind": kind, "file": file, "place": "middle", **(more or refused())}


def refused(**more):
    """An outcome as it should be."""
    return {"outcome": "refused", "at": "open", "code": "damaged", "reason": REASON} | more


def every():
    """Each damage to each kind of file, and one through each command."""
    named = [kind if kind in {"meta.json", ".managed.json", "manifest.json"} else f"a{kind}" for kind in FILE_KINDS]
    tries = [one(damage, name) for name in named for damage in DAMAGES]
    return [*tries, *(one(door=door) for door in DOORS[1:])]


def seen(*more, tries=None, **changes):
    """An observation that is green."""
    control = {door: one("untouched", "", door, outcome="answered", same=True) for door in DOORS}
    return {"control": control, "findings": [], "tries": [*(every() if tries is None else tries), *more]} | changes


def test_everything_refused_is_a_pass():
    """All damages of all kinds refused on opening, and an index that answers when it is whole."""
    answer = judge_integrity(seen())
    assert answer.verdict is Verdict.PASS
    assert answer.seen.startswith("47 of 47 refused, 0 harmless")


@pytest.mark.parametrize("nothing", [None, {}, seen(tries=[])], ids=["none", "empty", "no tries"])
def test_nothing_tried_is_no_pass(nothing):
    """No evidence is never a pass."""
    assert judge_integrity(nothing).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("left_out", [*FILE_KINDS, *DAMAGES, *DOORS])
def test_what_was_not_tried_is_no_pass(left_out):
    """A kind of file, a damage or a door that was left out makes the cell inconclusive, and is named."""
    kept = [try_ for try_ in every() if left_out not in {try_["kind"], try_["door"]}]
    kept = [try_ for try_ in kept if not try_["file"].endswith(left_out)]
    answer = judge_integrity(seen(tries=kept))
    assert answer.verdict is Verdict.INCONCLUSIVE
    assert left_out in answer.seen or left_out == "open"


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "control", [refused(), {"outcome": "answered", "same": False}, {"outcome": "hung"}, None], ids=str
)
def test_an_engine_that_refuses_the_whole_index_proves_nothing(door, control):
    """Who refuses everything refuses the damaged too: without answers from the untouched index there is no pass."""
    controls = seen()["control"] | {door: control and one("untouched", "", door, **control)}
    controls = {name: value for name, value in controls.items() if value}
    assert judge_integrity(seen(control=controls)).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    "outcome",
    [
        {"outcome": "answered", "same": False},
        {"outcome": "answered", "same": True},
        {"outcome": "failed", "at": "open", "reason": "PanicException: index out of bounds"},
        {"outcome": "crashed", "reason": "exit code -11"},
        {"outcome": "hung"},
        refused(at="answer"),
        refused(reason=""),
        refused(reason="  "),
        {"outcome": "refused"},
    ],
    ids=["wrong", "unseen", "panic", "crash", "hang", "late", "no reason", "blank", "bare"],
)
@pytest.mark.parametrize("kind", SEGMENT_KINDS)
def test_anything_but_a_refusal_with_a_reason_fails(kind, outcome):
    """One damage that is answered, panics, crashes, hangs, or is refused late or without a reason fails the cell."""
    answer = judge_integrity(seen(one(file=f"odd{kind}", **outcome)))
    assert answer.verdict is Verdict.FAIL
    assert len(answer.faults) == 1
    assert f"odd{kind}" in answer.seen


@pytest.mark.parametrize("name", ["meta.json", "scopes/.managed.json", "manifest.json"])
def test_words_in_json_may_be_harmless_and_are_named(name):
    """Equal contents and answers are accepted of JSON files, counted, and never of other answers."""
    answer = judge_integrity(seen(one(file=name, outcome="answered", same=True)))
    assert answer.verdict is Verdict.PASS
    assert [fault for fault in answer.harmless if name in fault]
    assert "1 harmless" in answer.seen
    assert judge_integrity(seen(one(file=name, outcome="answered", same=False))).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    "odd",
    [
        "yesterday's file",
        [1],
        {"tries": []},
        seen(control=None),
        seen("a try"),
        seen(one(outcome="skipped")),
        seen(one(outcome=math.nan)),
        seen(one(outcome="answered", same=1)),
        seen(one(outcome="answered")),
        seen(one(door="window")),
        seen({**one(), "file": None}),
        seen(findings=["a.idx: damaged"]),
    ],
    ids=lambda odd: str(odd)[-60:],
)
def test_what_cannot_be_understood_is_an_error(odd):
    """An observation of another shape, an outcome nobody knows, or an index that was damaged before: ERROR."""
    assert judge_integrity(odd).verdict is Verdict.ERROR


def test_a_drill_gets_the_same_verdict():
    """As a drill's judge it counts the tries and the faults."""
    sides = (Drilled("0.9.0", "0.22.2", "0" * 64), Drilled("1.0.0", "0.27.0", "1" * 64), DrillRules())
    found = integrity(seen(one(file="odd.idx", outcome="hung")), *sides)
    assert (found.verdict, found.documents, found.differing) == (Verdict.FAIL, 48, 1)
    assert "odd.idx" in found.reason
    assert integrity({}, *sides).verdict is Verdict.INCONCLUSIVE
