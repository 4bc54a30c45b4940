"""Gates as data: a measurement and a policy go in, Answers come out, the worst Verdict counts.

A gate never answers with a bool. Nothing to judge, too few samples and a missing baseline are
answers of their own, and none of them passes (first law).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from lens_core.model import Answer, Interval, Measurement, Metric, Verdict
from lens_core.rounds import LatencyRules

_WORST_SHOWN = 5


class Bound(StrEnum):
    """How a value is held against its threshold."""

    AT_MOST = "at_most"
    AT_LEAST = "at_least"
    BELOW = "below"

    def holds(self, value: float, threshold: float) -> bool:
        """True when ``value`` is within ``threshold``."""
        match self:
            case Bound.AT_MOST:
                return value <= threshold
            case Bound.AT_LEAST:
                return value >= threshold
            case Bound.BELOW:
                return value < threshold


_SIGNS = {Bound.AT_MOST: "≤", Bound.AT_LEAST: "≥", Bound.BELOW: "<"}


@dataclass(frozen=True, slots=True)
class Gate:
    """One rule: the metric's value must hold against the threshold, on at least ``min_samples``.

    With ``interval`` the whole confidence interval must hold; one that straddles the threshold is
    INCONCLUSIVE (third law), and a run that was no measurement is an ERROR.
    """

    name: str
    bound: Bound
    threshold: float
    min_samples: int
    needs_baseline: bool = False
    interval: bool = False

    @property
    def rule(self) -> str:
        """The rule in words, e.g. ``≤ 2`` or ``≥ 0.85``."""
        return f"{self.sign} {self.threshold:g}"

    @property
    def sign(self) -> str:
        """How the value is held against the threshold: ``≤``, ``≥`` or ``<``."""
        return _SIGNS[self.bound]


@dataclass(frozen=True, slots=True)
class Policy:
    """The gates of a night, the version (if any) that is allowed to have no baseline, and how latency is measured."""

    gates: tuple[Gate, ...]
    first_release: str = ""
    latency: LatencyRules = field(default_factory=LatencyRules)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is being judged, beside its measurement."""

    version: str
    has_baseline: bool


def judge(measurement: Measurement, policy: Policy, subject: Subject) -> tuple[Answer, ...]:
    """An Answer per gate of ``policy`` for one measured slice, ``slice_present`` first."""
    present = Answer(
        gate="slice_present",
        slice=measurement.slice,
        verdict=Verdict.PASS,
        reason=f"{measurement.corpus} was indexed, asked and measured",
        value=1.0,
        threshold=1.0,
        sign="≥",
        sample_count=1,
        evidence=measurement.evidence,
    )
    return (present, *(_judge_gate(gate, measurement, policy, subject) for gate in policy.gates))


def _judge_gate(gate: Gate, measurement: Measurement, policy: Policy, subject: Subject) -> Answer:
    metric = measurement.get(gate.name)
    verdict, reason = _weigh(gate, metric, measurement.invalid, policy, subject)
    finite = metric.value if metric.value is not None and math.isfinite(metric.value) else None
    return Answer(
        gate=gate.name,
        slice=measurement.slice,
        verdict=verdict,
        reason=reason,
        value=finite,
        threshold=gate.threshold,
        sign=gate.sign,
        sample_count=metric.sample_count,
        evidence=measurement.evidence,
        interval=metric.interval,
    )


def _weigh(gate: Gate, metric: Metric, invalid: Sequence[str], policy: Policy, subject: Subject) -> tuple[Verdict, str]:
    if gate.needs_baseline and not subject.has_baseline:
        if policy.first_release == subject.version:
            return Verdict.WAIVED, f"waived: policy names {subject.version} as the first release, there is no baseline"
        return Verdict.INCONCLUSIVE, "no baseline: name one with --baseline VERSION"
    if gate.interval and invalid:
        return Verdict.ERROR, f"the run is invalid: {'; '.join(invalid)}"
    if metric.value is None:
        return Verdict.ERROR, f"nothing was measured for {gate.name}"
    if not math.isfinite(metric.value):
        return Verdict.ERROR, f"{gate.name} is {metric.value}, which is no number to judge"
    return _hold(gate, metric.value, metric, policy.latency)


def _hold(gate: Gate, value: float, metric: Metric, rules: LatencyRules) -> tuple[Verdict, str]:
    """A finite value against the gate, on the samples and blocks that it asks for."""
    if metric.sample_count < gate.min_samples:
        return (
            Verdict.INCONCLUSIVE,
            f"{value:.4g} from {metric.sample_count} samples, at least {gate.min_samples} are needed",
        )
    if not gate.interval:
        if gate.bound.holds(value, gate.threshold):
            return Verdict.PASS, f"{value:.4g} {gate.rule}"
        return Verdict.FAIL, f"{value:.4g} is not {gate.rule}"
    interval = metric.interval
    if interval is None or interval.blocks < rules.min_blocks:
        seen = interval.blocks if interval else "fewer"
        return Verdict.INCONCLUSIVE, f"{value:.4g} from {seen} blocks of time, at least {rules.min_blocks} are needed"
    return _hold_interval(gate, value, interval, rules)


def _hold_interval(gate: Gate, value: float, interval: Interval, rules: LatencyRules) -> tuple[Verdict, str]:
    """PASS when the worst that the interval allows holds, FAIL when even the best does not."""
    best, worst = interval.low, interval.high
    if gate.bound is Bound.AT_LEAST:
        best, worst = worst, best
    said = f"{value:.4g}, {interval.confidence:.1%} sure between {interval.low:.4g} and {interval.high:.4g}"
    if not gate.bound.holds(best, gate.threshold):
        return Verdict.FAIL, f"{said}: not {gate.rule}"
    if not gate.bound.holds(worst, gate.threshold):
        return Verdict.INCONCLUSIVE, f"{said}: may or may not be {gate.rule}; a longer --duration narrows it"
    if not interval.design_effect <= rules.max_design_effect:
        return Verdict.INCONCLUSIVE, (
            f"{said}, but its blocks of time are not independent (they vary {interval.design_effect:.3g} times as much "
            f"as independent requests would, at most {rules.max_design_effect:g} can be believed): "
            "a longer --duration makes longer blocks"
        )
    return Verdict.PASS, f"{said}: {gate.rule}"


def absent_slice(slice_name: str, verdict: Verdict, reason: str) -> Answer:
    """The Answer for a slice of the catalogue that has no measurement."""
    return Answer(
        gate="slice_present", slice=slice_name, verdict=verdict, reason=reason, value=0.0, threshold=1.0, sign="≥"
    )


def without_evidence(gates: Iterable[str]) -> tuple[Answer, ...]:
    """Answers for gates of the whole night that nothing in Lens can measure yet."""
    return tuple(
        Answer(
            gate=gate,
            slice="",
            verdict=Verdict.INCONCLUSIVE,
            reason="not there yet: nothing in this version of Lens measures it, so it cannot pass",
        )
        for gate in gates
    )


def alike(answers: Iterable[Answer]) -> tuple[tuple[Answer, ...], ...]:
    """Answers in groups that one gate gives with the same verdict and words, in the order of their first."""
    groups: dict[tuple[str, Verdict, str], list[Answer]] = {}
    for answer in answers:
        groups.setdefault((answer.gate, answer.verdict, answer.reason), []).append(answer)
    return tuple(tuple(group) for group in groups.values())


def verdict_of(answers: Sequence[Answer]) -> Verdict:
    """The worst verdict of the answers; INCONCLUSIVE when there are none."""
    return Verdict.worst(answer.verdict for answer in answers)


def reason_for(answers: Sequence[Answer]) -> str:
    """A verdict's reason in one line: how many answers are as bad as the worst, and which."""
    worst = verdict_of(answers)
    if worst.advances:
        waived = sum(answer.verdict is Verdict.WAIVED for answer in answers)
        return f"all {len(answers)} answers pass" + (f", {waived} of them waived" if waived else "")
    culprits = [answer for answer in answers if answer.verdict is worst]
    said = [f"{_place(group)}{group[0].gate}: {group[0].reason}" for group in alike(culprits)]
    more = f"; and {len(said) - _WORST_SHOWN} more reasons" if len(said) > _WORST_SHOWN else ""
    return f"{len(culprits)} of {len(answers)} answers are {worst.name}: {'; '.join(said[:_WORST_SHOWN])}{more}"


def _place(group: Sequence[Answer]) -> str:
    if len(group) > 1:
        return f"{len(group)} slices "
    return f"{group[0].slice} " if group[0].slice else ""
