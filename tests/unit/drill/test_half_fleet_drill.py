"""The cell ``half_fleet``: two halves that give one service pass, and each way to be two services turns it red."""

import copy
import json

import pytest

from lens_core.drills.half_fleet import judge
from lens_core.model import Verdict
from lens_core.supply import canonical


def body(paths):
    """What a search answers."""
    return {"value": {"hits": [{"path": path, "start_line": 1, "end_line": 2} for path in paths], "total": len(paths)}}


HITS = [f"{number}.py" for number in range(8)]
GOOD = {
    "format": 1,
    "questions": ["cart", "user"],
    "alone": [{side: {"code": 200, "media": "application/json", "body": "a"} for side in ("old", "new")}] * 2,
    "mixed": [
        [{"half": side, "code": 200, "media": "application/json", "body": "a"} for side in ("old", "new", "old", "new")]
    ]
    * 2,
    "counted": {"old": 4, "new": 4},
    "bodies": {"a": body(HITS), "b": body(["other.py", *HITS[1:]]), "c": body([*HITS[1:4], HITS[0], *HITS[4:]])},
}


def judged(change=lambda _: None, **options):
    """The cell's answer on a good run with one thing changed."""
    seen = copy.deepcopy(json.loads(json.dumps(GOOD)))
    change(seen)
    return judge(canonical.encode(seen), **options)


def new_half(key):
    """The new half gives another answer, alone and behind the address."""

    def change(seen):
        for alone, mixed in zip(seen["alone"], seen["mixed"], strict=True):
            alone["new"]["body"] = key
            for answer in mixed:
                answer["body"] = key if answer["half"] == "new" else "a"

    return change


def test_two_halves_that_agree_pass():
    """With how often each was asked."""
    answer = judged()
    assert answer.verdict is Verdict.PASS
    assert answer.counts == {"questions": 2, "asked": 8, "old": 4, "new": 4, "wrong": 0}


@pytest.mark.parametrize("code", [500, 502, 503, 0])
def test_a_half_that_fails_is_red(code):
    """A client gets an error every other time."""
    answer = judged(lambda seen: seen["mixed"][1][2].update(code=code))
    assert answer.verdict is Verdict.FAIL
    assert "from the old half" in answer.reason


def test_an_answer_that_neither_side_gives_alone_is_red():
    """Even if it is only one."""
    answer = judged(lambda seen: seen["mixed"][1][3].update(body="b"))
    assert answer.verdict is Verdict.FAIL
    assert "neither version gives alone" in answer.reason


def test_a_half_that_answers_as_the_other_one_is_red():
    """An answer must come from whom it is said to come from."""

    def change(seen):
        new_half("c")(seen)
        seen["mixed"][0][0]["body"] = "c"

    assert judged(new_half("c")).verdict is Verdict.PASS
    assert "as only the other version does alone" in judged(change).reason


@pytest.mark.parametrize(
    ("key", "bound", "verdict"),
    [("b", 3, Verdict.FAIL), ("c", 3, Verdict.PASS), ("c", 2, Verdict.FAIL)],
    ids=["other hits", "within the bound", "beyond the bound"],
)
def test_both_halves_must_find_the_same(key, bound, verdict):
    """The same set of hits, at ranks within the declared bound."""
    assert judged(new_half(key), rank_bound=bound).verdict is verdict


def test_one_half_that_refuses_what_the_other_answers_is_red():
    """Whether a question is allowed must not depend on luck."""

    def change(seen):
        seen["alone"][0]["new"]["code"] = 400
        for answer in seen["mixed"][0][1::2]:
            answer["code"] = 400

    assert "one answers 200 and one 400" in judged(change).reason


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda seen: seen["counted"].update(new=0), id="the new server counted nothing"),
        pytest.param(lambda seen: seen["counted"].update(old=8), id="the old server counted too much"),
        pytest.param(lambda seen: seen["counted"].update(old=None), id="the old server does not count"),
        pytest.param(lambda seen: seen["mixed"][0][0].update(half="unknown"), id="nobody says which half"),
        pytest.param(lambda seen: seen.pop("counted"), id="no counts"),
    ],
)
def test_a_run_that_was_no_half_fleet_is_an_error(change):
    """Both halves must really have served, by their own count."""
    assert judged(change).verdict is Verdict.ERROR


def test_less_than_a_third_of_one_half_is_an_error():
    """Three to one is not half and half."""

    def change(seen):
        for mixed in seen["mixed"]:
            mixed[1]["half"] = "old"
        seen["counted"] = {"old": 6, "new": 2}

    assert judged(change).verdict is Verdict.ERROR


def nothing(seen):
    """No question was asked."""
    seen.update(questions=[], alone=[], mixed=[], counted={"old": 0, "new": 0})


def test_nothing_asked_is_inconclusive():
    """No evidence is never a pass."""
    assert judge(b"").verdict is Verdict.INCONCLUSIVE
    assert judged(nothing).verdict is Verdict.INCONCLUSIVE


def test_a_question_that_was_not_asked_of_both_together_does_not_pass():
    """Half of the evidence is not all of it."""

    def change(seen):
        seen["mixed"][0] = []
        seen["counted"] = {"old": 2, "new": 2}

    assert not judged(change).verdict.advances


@pytest.mark.parametrize("content", [b"{", b"null", b"[]", b"{}", b"\xff", b'{"format":2}', b"NaN"], ids=repr)
def test_an_observation_that_cannot_be_read_is_an_error(content):
    """Whatever it is, the cell answers; it never raises."""
    assert judge(content).verdict is Verdict.ERROR


@pytest.mark.parametrize("name", sorted(GOOD))
@pytest.mark.parametrize("value", [None, 1, [], {}, [[]], [1, 2]], ids=str)
def test_no_member_can_be_spoiled_into_a_pass(name, value):
    """Each member replaced is answered for, and never with a pass."""
    if (name, value) != ("format", 1):
        assert not judged(lambda seen: seen.update({name: value})).verdict.advances
