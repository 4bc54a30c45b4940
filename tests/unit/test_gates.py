"""Gates: a table of scenarios, each with the verdict that it must get."""

import math

import pytest

from lens_core.gates import Bound, Gate, Policy, Subject, absent_slice, alike, judge, verdict_of, without_evidence
from lens_core.model import Answer, Interval, Measurement, Metric, Verdict

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


TAIL = Gate("tail_ratio", Bound.AT_MOST, 2.0, 1000, interval=True)
LEAST = Gate("span_coverage", Bound.AT_LEAST, 0.98, 10, interval=True)
FREE = Gate("cpu_share", Bound.BELOW, 0.7, 10, interval=True)


def between(low, high, blocks=30, effect=1.0):
    """An interval."""
    return Interval(low, high, 0.95, 0.8, blocks, effect)


@pytest.mark.parametrize(
    ("gate", "count", "interval", "verdict"),
    [
        (TAIL, 1000, between(1.5, 1.9), Verdict.PASS),
        (TAIL, 1000, between(1.5, 2.0), Verdict.PASS),
        (TAIL, 1000, between(1.5, math.nextafter(2, 3)), Verdict.INCONCLUSIVE),
        (TAIL, 1000, between(2.0, 2.5), Verdict.INCONCLUSIVE),
        (TAIL, 1000, between(math.nextafter(2, 3), 2.5), Verdict.FAIL),
        (TAIL, 999, between(1.5, 1.6), Verdict.INCONCLUSIVE),
        (TAIL, 999, between(3.0, 4.0), Verdict.INCONCLUSIVE),
        (TAIL, 1000, None, Verdict.INCONCLUSIVE),
        (TAIL, 1000, between(1.5, 1.6, blocks=29), Verdict.INCONCLUSIVE),
        (TAIL, 1000, between(1.5, 1.6, effect=10.0), Verdict.PASS),
        (TAIL, 1000, between(1.5, 1.6, effect=10.1), Verdict.INCONCLUSIVE),
        (TAIL, 1000, between(1.5, 1.6, effect=math.nan), Verdict.INCONCLUSIVE),
        (TAIL, 1000, between(2.5, 2.6, effect=99.0), Verdict.FAIL),
        (LEAST, 10, between(0.98, 0.99), Verdict.PASS),
        (LEAST, 10, between(0.97, 0.99), Verdict.INCONCLUSIVE),
        (LEAST, 10, between(0.96, 0.97), Verdict.FAIL),
        (FREE, 10, between(0.5, 0.69), Verdict.PASS),
        (FREE, 10, between(0.69, 0.7), Verdict.INCONCLUSIVE),
        (FREE, 10, between(0.7, 0.8), Verdict.FAIL),
    ],
)
def test_an_interval_passes_whole_fails_whole_or_is_inconclusive(gate, count, interval, verdict):
    """The worst bound decides PASS, the best one FAIL; blocks that hang together never pass and may fail."""
    value = interval.low if interval else 1.0
    answer = answer_of(gate, Metric(gate.name, value, count, interval))
    assert answer.verdict is verdict, answer.reason
    assert answer.interval is interval


def test_an_invalid_run_is_an_error_for_intervals_only():
    """Neither a good nor a bad latency of an invalid run is believed; what does not hang on time still is."""
    metrics = (Metric("tail_ratio", 9.0, 1000, between(8, 10)), Metric("recall_at_50", 0.9, 200))
    measurement = Measurement("s", "c", metrics, "", ("the machine stalled",))
    _, tail, recall = judge(measurement, Policy((TAIL, RECALL)), Subject("1", has_baseline=False))
    assert (tail.verdict, recall.verdict) == (Verdict.ERROR, Verdict.PASS)
    assert "the machine stalled" in tail.reason


@pytest.mark.parametrize(("low", "high"), [(2, 1), (math.nan, 1), (1, math.inf)])
def test_an_interval_is_finite_and_in_order(low, high):
    """Bounds that are none cannot even be written down."""
    with pytest.raises(ValueError, match="bounds in order"):
        between(low, high)


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
