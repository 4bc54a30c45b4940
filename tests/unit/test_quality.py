"""Quality against an independent implementation, and matching of hits to places."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_core.model import Definition, Hit, Unit
from lens_core.quality import (
    NDCG_DEPTH,
    RECALL_DEPTH,
    Coverage,
    RankedAnswer,
    SpanTruth,
    UnitIndex,
    mean,
    paired_change,
    rank_answer,
    score,
)

UNITS = (
    Unit("a1", "a.py", 1, 10, "run"),
    Unit("a2", "a.py", 40, 50, "run"),
    Unit("b1", "a.py", 11, 39, ""),
    Unit("b2", "a.py", 51, 99, ""),
)


def hit(start, end, symbol="", path="a.py"):
    """A hit at some lines."""
    return Hit(path, start, end, symbol, "function", "python", 1.0)


ranked = st.builds(
    lambda ranks, missed: RankedAnswer("q", tuple(sorted(ranks)), len(ranks) + missed),
    st.sets(st.integers(1, 60), max_size=20),
    st.integers(0, 20),
).filter(lambda answer: answer.relevant_total > 0)


@given(ranked)
def test_scores_agree_with_the_textbook(answer):
    """Recall@50 and nDCG@10 equal a direct reading of their definitions (binary gains, log2 discount)."""
    got = score([answer])["q"]
    recall = sum(rank <= RECALL_DEPTH for rank in answer.relevant_ranks) / answer.relevant_total
    gained = sum(1 / math.log2(rank + 1) for rank in answer.relevant_ranks if rank <= NDCG_DEPTH)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(answer.relevant_total, NDCG_DEPTH) + 1))
    assert got.recall_at_50 == pytest.approx(recall, abs=1e-9)
    assert got.ndcg_at_10 == pytest.approx(gained / ideal, abs=1e-9)


def test_a_question_without_an_answer_counts_zero():
    """Absent questions stay in the mean instead of dropping out of it."""
    scores = score([RankedAnswer("found", (1,), 1), RankedAnswer("absent", (), 1)])
    assert mean(s.recall_at_50 for s in scores.values()) == 0.5
    assert scores["absent"].ndcg_at_10 == 0.0


def test_a_unit_that_is_hit_twice_counts_once():
    """Repeating a relevant hit raises nothing."""
    answer = rank_answer("q", ["a1"], [hit(1, 10, "run"), hit(1, 10, "run")], UnitIndex(UNITS))
    assert answer == RankedAnswer("q", (1,), 1)


@pytest.mark.parametrize(
    ("found", "unit"),
    [
        (hit(1, 10, "run"), ("a1",)),
        (hit(4, 13, "run"), ("a1",)),
        (hit(43, 53, "run"), ("a2",)),
        (hit(12, 30), ("b1",)),
        (hit(38, 52), ("b1", "b2")),
        (hit(54, 99), ("b2",)),
        (hit(2, 3, "walk"), ("a1",)),
        (hit(60, 62, "member"), ("b2",)),
        (hit(1, 121), ()),
        (hit(1, 10, "run", "b.py"), ()),
        (hit(1, 10, "", "b.py"), ()),
    ],
)
def test_a_hit_names_the_unit_of_its_path_and_symbol(found, unit):
    """Known names decide, the nearest start decides between namesakes, and lines for everything else."""
    assert UnitIndex(UNITS).find(found) == unit


def test_a_hit_counts_for_one_unit_at_most():
    """A hit across two relevant blocks finds one of them, so that wide hits win nothing."""
    assert rank_answer("q", ["b1", "b2"], [hit(38, 52)], UnitIndex(UNITS)) == RankedAnswer("q", (1,), 2)


def test_shifted_lines_do_not_cost_recall_but_validity():
    """What was found and where it is said to be are judged apart."""
    truth = SpanTruth([Definition("a.py", 1, 2, "run", "function")], {"a.py": ["def run():", "  pass", "", "", ""]})
    right, shifted = hit(1, 2, "run"), hit(4, 5, "run")
    assert truth.hit_validity([right]).share == 1.0
    assert truth.hit_validity([shifted]).share == 0.0
    assert UnitIndex([Unit("u", "a.py", 1, 2, "run")]).find(shifted) == ("u",)


@pytest.mark.parametrize(
    ("found", "valid"),
    [
        (hit(1, 1), True),
        (hit(0, 1), False),
        (hit(2, 1), False),
        (hit(1, 6), False),
        (hit(1, 1, path="gone.py"), False),
        (hit(1, 1, "run"), True),
        (hit(2, 2, "run"), False),
    ],
)
def test_a_hit_must_point_into_its_file(found, valid):
    """Lines out of bounds, files that are not there and symbols that stand elsewhere are not valid."""
    lines = ["run = 1", "x", "", "", ""]
    assert SpanTruth([], {"a.py": lines}).hit_validity([found]).share == float(valid)


def test_definition_coverage_wants_name_and_both_lines():
    """A definition that is listed one line off is not covered, and is named as an example."""
    definitions = [Definition("a.py", 1, 2, "run", "function"), Definition("a.py", 4, 5, "go", "function")]
    coverage = SpanTruth(definitions, {}).definition_coverage({"a.py": [("run", 1, 2), ("go", 4, 6)]})
    assert (coverage.good, coverage.total) == (1, 2)
    assert coverage.examples == ("a.py:4-5 go",)


def test_nothing_is_no_share():
    """The share, the mean and the change of nothing are None, not zero and not one."""
    assert Coverage(0, 0).share is None
    assert mean([]) is None
    assert paired_change({}, {}) is None
    assert paired_change({"q": 1.0}, {"q": 0.0}) is None


def test_a_change_is_paired():
    """Questions that only one side answered do not count."""
    assert paired_change({"a": 0.6, "b": 1.0}, {"a": 0.5, "c": 0.1}) == pytest.approx(0.2)
