"""What a candidate's drills come to: one that covers everything, and nothing later that says otherwise."""

from dataclasses import replace

import pytest
from drilling import DrillHouse

from lens_core.drills.drill import DrillRules, RollbackSafe, Safety
from lens_core.drills.standing import standing
from lens_core.model import Verdict

EXPECTED = ("0.9.1", "0.9.2")
RULES = DrillRules(cells=("read", "write"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A drill against both versions that passes; its ways back are safe."""
    record = DrillHouse(tmp_path_factory.mktemp("drill")).drill(*EXPECTED).record
    ways = tuple(Safety(one.version, RollbackSafe.YES, copy_first=True, why="") for one in record.previous)
    return replace(record, ways_back=ways)


def bad(record, *versions, verdict=Verdict.FAIL):
    """The same drill of some versions, with an answer that does not pass."""
    [first, *rest] = (one for one in record.answers if one.version in versions)
    previous = tuple(one for one in record.previous if one.version in versions)
    return replace(record, previous=previous, answers=(replace(first, verdict=verdict, reason="it broke"), *rest))


def some(record, *versions):
    """The same drill of some versions."""
    return replace(
        record,
        previous=tuple(one for one in record.previous if one.version in versions),
        answers=tuple(one for one in record.answers if one.version in versions),
    )


def test_a_whole_drill_stands(whole):
    """Its verdict, over all its cells, and its way back."""
    said = standing([whole], EXPECTED, RULES)
    assert (said.verdict, said.whole, said.held, said.asked) == (Verdict.PASS, 0, 0, 4)
    assert (said.rollback_safe, said.copy_first) == (RollbackSafe.YES, True)


def test_a_later_drill_of_some_can_only_make_it_worse(whole):
    """A green one changes nothing; a red one decides, and names its cell."""
    assert standing([some(whole, "0.9.2"), whole], EXPECTED, RULES).verdict is Verdict.PASS
    said = standing([bad(whole, "0.9.2"), whole], EXPECTED, RULES)
    assert (said.verdict, said.whole, "it broke" in said.reason) == (Verdict.FAIL, 1, True)


def test_a_later_whole_drill_takes_the_place_of_earlier_ones(whole):
    """What was mended and drilled again is mended."""
    assert standing([whole, bad(whole, *EXPECTED)], EXPECTED, RULES).verdict is Verdict.PASS


@pytest.mark.parametrize("records", ["none", "some", "other rules", "nothing expected"])
def test_without_a_whole_drill_by_these_rules_nothing_is_said(whole, records):
    """Some versions, other rules, or no version to cover: no evidence."""
    given = {
        "none": ([], EXPECTED),
        "some": ([some(whole, "0.9.2"), some(whole, "0.9.1")], EXPECTED),
        "other rules": ([replace(whole, rules=DrillRules(top_k=5))], EXPECTED),
        "nothing expected": ([whole], ()),
    }[records]
    assert standing(*given, RULES) is None


def test_a_red_drill_of_some_is_an_answer_already(whole):
    """Nobody has to drill the rest to know."""
    said = standing([bad(whole, "0.9.1")], EXPECTED, RULES)
    assert (said.verdict, said.whole) == (Verdict.FAIL, None)


def test_going_back_is_as_safe_as_the_worst_drill_says(whole):
    """NO of a later drill beats YES of an earlier one, and UNKNOWN beats YES."""
    for safe in (RollbackSafe.NO, RollbackSafe.UNKNOWN):
        later = replace(some(whole, "0.9.2"), ways_back=(Safety("0.9.2", safe, copy_first=False, why=""),))
        said = standing([later, whole], EXPECTED, RULES)
        assert (said.rollback_safe, said.copy_first) == (safe, False)
