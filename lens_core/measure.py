"""Raw samples → ``Measurement``: every number of a slice, recomputable from what the night stored."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from lens_core.confidence import BlockHistograms, estimate, ratio_spread
from lens_core.latency import LatencySummary, summarize
from lens_core.model import QUERY_CLASSES, Interval, Measurement, Metric
from lens_core.quality import Coverage, RankedAnswer, Score, mean, paired_change, score
from lens_core.rounds import (
    LatencyRules,
    Round,
    RunPlan,
    Timing,
    achieved_rate,
    invalid_reasons,
    set_aside,
    time_blocks,
)

_HTTP_OK = 200
CANDIDATE, BASELINE = "candidate", "baseline"


@dataclass(frozen=True, slots=True)
class Sample:
    """One request as it is stored.

    ``round_number`` says in which round it was asked, ``intended_s`` when it was due, in seconds of
    load. ``latency_ms`` counts from the intended send time, ``service_ms`` from the real one,
    ``lag_ms`` is the difference. ``status`` 0 means no answer at all. ``rank_digest`` is the SHA-256
    of the rank list, ``relevant_ranks`` the ranks (from 1) of relevant units among its hits.
    """

    seq: int
    round_number: int
    question_id: str
    query_class: str
    intended_s: float
    latency_ms: float
    service_ms: float
    lag_ms: float
    status: int
    rank_digest: str
    hit_count: int
    relevant_ranks: tuple[int, ...]
    relevant_total: int
    recall_at_50: float
    ndcg_at_10: float

    @property
    def answered(self) -> bool:
        """True when the service answered with 200."""
        return self.status == _HTTP_OK


@dataclass(frozen=True, slots=True)
class ControlSample:
    """One request to the control, ``kind`` ``noop`` or ``work``; the rest as in ``Sample``."""

    round_number: int
    kind: str
    intended_s: float
    latency_ms: float
    lag_ms: float
    status: int


@dataclass(frozen=True, slots=True)
class Observed:
    """What a slice's run saw beside its samples; stored as it is, with the samples.

    ``load_seconds`` is the time in which the candidate was asked, ``rounds`` what was run of ``plan``
    and ``looks`` how often the intervals were looked at.
    """

    corpus: str
    content_digest: str
    question_count: int
    index_seconds: float
    rate_per_s: float
    load_seconds: float
    cpu_seconds: float
    cores: float
    rss_peak_mb: float
    memory_budget_mb: float
    resource_samples: int
    plan: RunPlan
    rounds: tuple[Round, ...]
    looks: int
    hit_validity: Coverage
    definition_coverage: Coverage
    index_files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SliceRun:
    """All that a slice's run left behind. ``baseline`` is None where no baseline was asked."""

    samples: tuple[Sample, ...]
    baseline: tuple[Sample, ...] | None
    control: tuple[ControlSample, ...]
    observed: Observed


def timing_of(samples: Sequence[Sample] | Sequence[ControlSample]) -> Timing:
    """Samples as arrays."""
    return Timing(
        rounds=np.array([s.round_number for s in samples], dtype=np.int64),
        due_s=np.array([s.intended_s for s in samples], dtype=np.float64),
        latency_ms=np.array([s.latency_ms for s in samples], dtype=np.float64),
        lag_ms=np.array([s.lag_ms for s in samples], dtype=np.float64),
        codes=np.array([s.status for s in samples], dtype=np.int64),
    )


def question_scores(samples: Iterable[Sample]) -> dict[str, Score]:
    """Score per question, from its first request alone: repeating a question does not weigh it more."""
    return score([_ranked(sample) for sample in first_requests(samples).values()])


def first_requests(samples: Iterable[Sample]) -> dict[str, Sample]:
    """Question id → its first request."""
    first: dict[str, Sample] = {}
    for sample in sorted(samples, key=lambda s: s.seq):
        first.setdefault(sample.question_id, sample)
    return first


def _ranked(sample: Sample) -> RankedAnswer:
    return RankedAnswer(sample.question_id, sample.relevant_ranks, sample.relevant_total)


def measure(slice_name: str, run: SliceRun, rules: LatencyRules, evidence: str) -> Measurement:
    """All metrics of one slice. Nothing measured gives metrics without a value.

    Latency is that of the rounds that were kept; quality, errors and resources are those of all.
    """
    observed, candidate, control = run.observed, timing_of(run.samples), timing_of(run.control)
    services = {CANDIDATE: candidate} | ({} if run.baseline is None else {BASELINE: timing_of(run.baseline)})
    aside = set_aside(observed.rounds, control, rules)
    kept = [r.number for r in observed.rounds if r.number not in aside]
    last = len(kept) >= observed.plan.look_ends[-1] or len(observed.rounds) >= observed.plan.budget
    alpha = observed.plan.alpha_at(observed.looks, rules, last=last)
    metrics = (
        *_latency_metrics(candidate, kept),
        *interval_metrics(services, kept, alpha, rules),
        *_control_metrics(control, len(aside), len(observed.rounds)),
        *_quality_metrics(run.samples, observed),
        *_resource_metrics(observed),
        *(() if run.baseline is None else _change_metrics(run.samples, run.baseline)),
    )
    invalid = invalid_reasons(observed.plan, observed.rate_per_s, observed.rounds, aside, services, rules)
    return Measurement(slice_name, observed.corpus, metrics, evidence, invalid)


def _latency_metrics(candidate: Timing, kept: Sequence[int]) -> list[Metric]:
    timing = candidate.among(kept)
    n = timing.rounds.size
    latency, lag = summarize(timing.latency_ms), summarize(timing.lag_ms)
    service = summarize(np.maximum(timing.latency_ms - timing.lag_ms, 0.0))
    failed, asked = int((candidate.codes != _HTTP_OK).sum()), candidate.codes.size
    names = ("p50_ms", "p90_ms", "p95_ms", "p99_ms", "p999_ms", "max_ms")
    return [
        *(Metric(name, getattr(latency, name) if latency else None, n) for name in names),
        Metric("service_p95_ms", service.p95_ms if service else None, n),
        Metric("service_p99_ms", service.p99_ms if service else None, n),
        Metric("send_lag_p99_ms", lag.p99_ms if lag else None, n),
        Metric("achieved_rate_per_s", achieved_rate(timing) if n else None, n),
        Metric("error_rate", failed / asked if asked else None, asked),
    ]


def interval_metrics(
    services: Mapping[str, Timing], kept: Sequence[int], alpha: float, rules: LatencyRules
) -> list[Metric]:
    """The tail ratio, and P95 and P99 against the baseline's where it was asked, each between its bounds.

    ``services`` holds all requests by ``CANDIDATE`` and ``BASELINE``; those of the ``kept`` rounds count.
    """
    timings = {name: timing.among(kept) for name, timing in services.items()}
    summaries = {name: summarize(timing.latency_ms) for name, timing in timings.items()}
    blocks = {
        name: BlockHistograms(timing.latency_ms, time_blocks(timing, kept, rules))
        for name, timing in timings.items()
        if kept and np.unique(timing.rounds).size == len(kept)  # a round without requests is no block
    }
    count = min(timing.rounds.size for timing in timings.values())
    ours, theirs = summaries[CANDIDATE], summaries.get(BASELINE)
    over = blocks.get(CANDIDATE)
    ratio = ours.tail_ratio if ours else None
    # P99 is never below P95, whatever the logarithm's normal approximation says.
    metrics = [_interval_metric("tail_ratio", ratio, over, 0.99, over, 0.95, alpha, count, lowest=1.0)]
    if BASELINE not in services:
        return metrics
    under = blocks.get(BASELINE)
    for name, p in (("p95", 0.95), ("p99", 0.99)):
        before, after = _quantile(theirs, name), _quantile(ours, name)
        ratio = after / before if before and after is not None else None
        metrics.append(_interval_metric(f"{name}_vs_baseline", ratio, over, p, under, p, alpha, count))
        metrics.append(Metric(f"baseline_{name}_ms", before, count))
    return metrics


def _quantile(summary: LatencySummary | None, name: str) -> float | None:
    return None if summary is None else float(getattr(summary, f"{name}_ms"))


def _interval_metric(  # noqa: PLR0913, PLR0917  (a quantile over a quantile, and how sure)
    name: str,
    value: float | None,
    over: BlockHistograms | None,
    p: float,
    under: BlockHistograms | None,
    q: float,
    alpha: float,
    count: int,
    lowest: float = 0.0,
) -> Metric:
    spread = ratio_spread(over, p, under, q) if over and under else None
    if value is None or spread is None:
        return Metric(name, value, count)
    found = estimate(value, spread, alpha)
    interval = Interval(
        low=max(found.low, lowest),
        high=found.high,
        confidence=1 - 2 * alpha,
        power=found.power,
        blocks=spread.blocks,
        design_effect=spread.design_effect,
    )
    return Metric(name, value, count, interval)


def _control_metrics(control: Timing, aside: int, rounds: int) -> list[Metric]:
    asked = control.rounds.size
    summary = summarize(control.latency_ms)
    return [
        Metric("set_aside_share", aside / rounds if rounds else None, rounds),
        Metric("control_p99_ms", summary.p99_ms if summary else None, asked),
    ]


def _quality_metrics(samples: Sequence[Sample], observed: Observed) -> list[Metric]:
    first = first_requests(samples)
    scores = question_scores(samples)
    metrics = []
    for suffix, wanted in (("", QUERY_CLASSES), *((f"_{name}", (name,)) for name in QUERY_CLASSES)):
        chosen = [scores[q] for q, sample in first.items() if sample.query_class in wanted]
        metrics.append(Metric(f"recall_at_50{suffix}", mean(s.recall_at_50 for s in chosen), len(chosen)))
        metrics.append(Metric(f"ndcg_at_10{suffix}", mean(s.ndcg_at_10 for s in chosen), len(chosen)))
    validity, coverage = observed.hit_validity, observed.definition_coverage
    shares = [share for share in (validity.share, coverage.share) if share is not None]
    lower = min(shares) if len(shares) == 2 else None  # noqa: PLR2004  (both, or there is nothing to say)
    return [
        *metrics,
        Metric("span_coverage", lower, min(validity.total, coverage.total)),
        Metric("hit_validity", validity.share, validity.total),
        Metric("definition_coverage", coverage.share, coverage.total),
    ]


def _resource_metrics(observed: Observed) -> list[Metric]:
    n = observed.resource_samples
    available = observed.load_seconds * observed.cores
    return [
        Metric("cpu_share", observed.cpu_seconds / available if available > 0 and n else None, n),
        Metric("memory_share", observed.rss_peak_mb / observed.memory_budget_mb if n else None, n),
        Metric("rss_peak_mb", observed.rss_peak_mb if n else None, n),
        Metric("index_seconds", observed.index_seconds, 1),
    ]


def _change_metrics(samples: Sequence[Sample], baseline: Sequence[Sample]) -> list[Metric]:
    """Paired relative changes of quality: both services answered the same questions."""
    scores, base_scores = question_scores(samples), question_scores(baseline)
    shared = len(scores.keys() & base_scores.keys())
    return [
        Metric(
            f"{name}_vs_baseline",
            paired_change(
                {q: getattr(s, name) for q, s in scores.items()}, {q: getattr(s, name) for q, s in base_scores.items()}
            ),
            shared,
        )
        for name in ("recall_at_50", "ndcg_at_10")
    ]
