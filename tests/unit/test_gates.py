"""Gates: a table of scenarios, each with the verdict that it must get."""

import math

import pytest

from lens_core.gates import Bound, Gate, Policy, Subject, absent_slice, alike, judge, verdict_of, without_evidence
from lens_core.model import Answer, Measurement, Metric, Verdict

RATIO = Gate("tail_ratio", Bound.AT_MOST, 2.0, 1000)
RECALL = Gate("recall_at_50", Bound.AT_LEAST, 0.85, 200)
CPU = Gate("cpu_share", Bound.BELOW, 0.7, 10)
COMPARED = Gate("p99_vs_baseline", Bound.AT_MOST, 1.1, 1000, needs_baseline=True)


def answer_of(gate, metric, *, has_baseline=True, first_release=""):
    """What one gate says of one metric."""
    measurement = Measurement("backend/python/small", "thing 1", (metric,), "sha256:" + "0" * 64)
    policy = Policy((gate,), first_release)
    present, answer = judge(measurement, policy, Subject("1.0", has_baseline))
    assert present.gate == "slice_present"
    return answer


@pytest.mark.parametrize(
    ("gate", "value", "count", "verdict"),
    [
        (RATIO, 1.99, 1000, Verdict.PASS),
        (RATIO, 2.0, 1000, Verdict.PASS),
        (RATIO, math.nextafter(2.0, 3), 1000, Verdict.FAIL),
        (RATIO, 1.2, 999, Verdict.INCONCLUSIVE),
        (RATIO, 9.0, 999, Verdict.INCONCLUSIVE),
        (RATIO, None, 0, Verdict.ERROR),
        (RATIO, math.nan, 5000, Verdict.ERROR),
        (RATIO, -math.inf, 5000, Verdict.ERROR),
        (RECALL, 0.85, 200, Verdict.PASS),
        (RECALL, 0.8499, 200, Verdict.FAIL),
        (RECALL, math.inf, 200, Verdict.ERROR),
        (CPU, 0.6999, 10, Verdict.PASS),
        (CPU, 0.7, 10, Verdict.FAIL),
        (COMPARED, 1.1, 1000, Verdict.PASS),
        (COMPARED, 1.11, 1000, Verdict.FAIL),
        (COMPARED, None, 1000, Verdict.ERROR),
    ],
)
def test_a_gate_gives_the_verdict_of_its_scenario(gate, value, count, verdict):
    """Limits are exact, too few samples are inconclusive, and what is no number is an error."""
    assert answer_of(gate, Metric(gate.name, value, count)).verdict is verdict


def test_a_metric_that_was_never_measured_is_an_error():
    """A gate whose metric is absent from the measurement does not pass by default."""
    assert answer_of(RATIO, Metric("something_else", 1.0, 9999)).verdict is Verdict.ERROR


@pytest.mark.parametrize(
    ("first_release", "verdict"), [("", Verdict.INCONCLUSIVE), ("0.9", Verdict.INCONCLUSIVE), ("1.0", Verdict.WAIVED)]
)
def test_only_the_named_first_release_may_lack_a_baseline(first_release, verdict):
    """A missing baseline is waived for the version that the policy names and for no other."""
    answer = answer_of(COMPARED, Metric("x", None, 0), has_baseline=False, first_release=first_release)
    assert answer.verdict is verdict


def test_the_first_release_waiver_does_not_reach_a_measured_failure():
    """With a baseline there is something to judge, and the waiver is not looked at."""
    answer = answer_of(COMPARED, Metric(COMPARED.name, 3.0, 1000), first_release="1.0")
    assert answer.verdict is Verdict.FAIL


def test_what_nothing_measures_is_inconclusive():
    """Gates that Lens cannot measure yet say so, and an absent slice keeps its reason."""
    [answer] = without_evidence(["vulnerabilities"])
    assert (answer.verdict, answer.slice) == (Verdict.INCONCLUSIVE, "")
    assert "not there yet" in answer.reason
    assert absent_slice("a", Verdict.ERROR, "why").reason == "why"


def test_the_worst_of_nothing_is_inconclusive():
    """A night without answers has no verdict that lets anything advance."""
    assert verdict_of(()) is Verdict.INCONCLUSIVE
    assert not Verdict.INCONCLUSIVE.advances


def test_an_answer_holds_no_nan():
    """A NaN cannot even be written down as an answer's value."""
    with pytest.raises(ValueError, match="finite"):
        Answer("g", "s", Verdict.PASS, "r", value=math.nan)


def test_a_rule_reads_as_words():
    """Reasons name the rule with its sign."""
    assert (RATIO.rule, RECALL.rule, CPU.rule) == ("≤ 2", "≥ 0.85", "< 0.7")


def test_answers_that_say_the_same_stand_together():
    """One gate's equal words are one group, another verdict or reason is another, first come first."""
    twice = [Answer("g", name, Verdict.ERROR, "gone") for name in ("a", "b")]
    other = Answer("g", "c", Verdict.FAIL, "gone")
    assert alike([twice[0], other, twice[1]]) == ((twice[0], twice[1]), (other,))
    assert alike([]) == ()
