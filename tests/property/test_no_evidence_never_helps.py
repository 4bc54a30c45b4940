"""Laws of verdicts: a lattice with a worst, and no way to do better by showing less."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from lens_core.gates import Bound, Gate, Policy, Subject, judge, verdict_of
from lens_core.model import Interval, Measurement, Metric, Verdict

verdicts = st.sampled_from(list(Verdict))
floats = st.floats(allow_nan=True, allow_infinity=True)
bounds = st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)).map(sorted)
intervals = st.builds(
    lambda b, blocks, effect: Interval(*b, 0.95, 0.5, blocks, effect), bounds, st.integers(2, 60), st.floats(0, 100)
)
metrics = st.builds(
    Metric, st.sampled_from(["a", "b", "c"]), st.none() | floats, st.integers(0, 5000), st.none() | intervals
)
gates = st.builds(
    Gate,
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(list(Bound)),
    st.floats(-10, 10),
    st.integers(1, 3000),
    st.booleans(),
    st.booleans(),
)


@given(st.lists(verdicts, min_size=1), verdicts)
def test_the_worst_is_an_upper_bound_and_one_of_them(some, more):
    """The worst of several is one of them, no better than any, and adding one never improves it."""
    worst = Verdict.worst(some)
    assert worst in some
    assert all(v.value <= worst.value for v in some)
    assert Verdict.worst([*some, more]).value >= worst.value


@given(st.lists(metrics, max_size=6), gates, st.booleans())
def test_removing_a_metric_never_turns_a_gate_green(measured, gate, has_baseline):
    """A gate that did not pass with a metric does not pass without it."""
    policy = Policy((gate,))
    full = Measurement("s", "c", tuple(measured), "")
    less = Measurement("s", "c", tuple(m for m in measured if m.name != gate.name), "")
    subject = Subject("1", has_baseline)
    assert not judge(less, policy, subject)[1].verdict.advances
    assert judge(full, policy, subject)[1].verdict in set(Verdict)


@given(metrics, gates, st.booleans())
def test_an_interval_that_is_taken_away_or_widened_never_turns_a_gate_green(metric, gate, invalid):
    """Knowing less of a value, or having no valid run, never makes an interval gate pass."""
    gate = replace(gate, name=metric.name, interval=True, needs_baseline=False)

    def advances(seen, why=()):
        return judge(Measurement("s", "c", (seen,), "", why), Policy((gate,)), Subject("1", has_baseline=True))[
            1
        ].verdict.advances

    if invalid or metric.interval is None:
        assert not advances(metric, ("the machine stalled",) if invalid else ())
    elif not advances(metric):
        wider = replace(metric.interval, low=metric.interval.low - 1, high=metric.interval.high + 1)
        assert not advances(replace(metric, interval=wider))
        assert not advances(replace(metric, interval=None))


@given(st.lists(metrics, max_size=6), st.lists(gates, max_size=5), st.booleans())
def test_every_gate_answers_for_every_measurement(measured, policy_gates, has_baseline):
    """Whatever was measured, each gate gives exactly one answer, and the night's verdict is their worst."""
    answers = judge(Measurement("s", "c", tuple(measured), ""), Policy(tuple(policy_gates)), Subject("1", has_baseline))
    assert [a.gate for a in answers] == ["slice_present", *(g.name for g in policy_gates)]
    assert verdict_of(answers) is Verdict.worst(a.verdict for a in answers)
