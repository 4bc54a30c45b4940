"""Gates as data: a measurement and a policy go in, Answers come out, the worst Verdict counts.

A gate never answers with a bool. Nothing to judge, too few samples and a missing baseline are
answers of their own, and none of them passes (first law).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lens_core.model import Answer, Measurement, Metric, Verdict


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
    """One rule: the metric's value must hold against the threshold, on at least ``min_samples``."""

    name: str
    bound: Bound
    threshold: float
    min_samples: int
    needs_baseline: bool = False

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
    """The gates of a night, and the version (if any) that is allowed to have no baseline."""

    gates: tuple[Gate, ...]
    first_release: str = ""


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
    verdict, reason = _weigh(gate, metric, policy, subject)
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
    )


def _weigh(  # noqa: PLR0911  (a table of cases, each an answer of its own)
    gate: Gate, metric: Metric, policy: Policy, subject: Subject
) -> tuple[Verdict, str]:
    if gate.needs_baseline and not subject.has_baseline:
        if policy.first_release == subject.version:
            return Verdict.WAIVED, f"waived: policy names {subject.version} as the first release, there is no baseline"
        return Verdict.INCONCLUSIVE, "no baseline: name one with --baseline VERSION that has a judged night"
    if metric.value is None:
        return Verdict.ERROR, f"nothing was measured for {gate.name}"
    if not math.isfinite(metric.value):
        return Verdict.ERROR, f"{gate.name} is {metric.value}, which is no number to judge"
    if metric.sample_count < gate.min_samples:
        return (
            Verdict.INCONCLUSIVE,
            f"{metric.value:.4g} from {metric.sample_count} samples, at least {gate.min_samples} are needed",
        )
    if gate.bound.holds(metric.value, gate.threshold):
        return Verdict.PASS, f"{metric.value:.4g} {gate.rule}"
    return Verdict.FAIL, f"{metric.value:.4g} is not {gate.rule}"


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
