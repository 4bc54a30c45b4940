"""Raw samples → ``Measurement``: every number of a slice, recomputable from what the night stored."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lens_core.latency import summarize
from lens_core.model import QUERY_CLASSES, Measurement, Metric
from lens_core.quality import Coverage, RankedAnswer, Score, mean, paired_change, score

_HTTP_OK = 200


@dataclass(frozen=True, slots=True)
class Sample:
    """One request as it is stored.

    ``latency_ms`` counts from the intended send time, ``service_ms`` from the real one, ``lag_ms``
    is the difference. ``status`` 0 means no answer at all. ``rank_digest`` is the SHA-256 of the
    rank list, ``relevant_ranks`` the ranks (from 1) of relevant units among its hits.
    """

    seq: int
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
class Observed:
    """What a slice's run saw beside its samples; stored as it is, with the samples."""

    corpus: str
    content_digest: str
    question_count: int
    index_seconds: float
    load_seconds: float
    cpu_seconds: float
    cores: float
    rss_peak_mb: float
    memory_budget_mb: float
    resource_samples: int
    hit_validity: Coverage
    definition_coverage: Coverage
    index_files: Mapping[str, str] = field(default_factory=dict)


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


def measure(slice_name: str, samples: Sequence[Sample], observed: Observed, evidence: str) -> Measurement:
    """All metrics of one slice that need no baseline. Nothing measured gives metrics without a value."""
    metrics = (
        *_latency_metrics(samples, observed),
        *_quality_metrics(samples, observed),
        *_resource_metrics(observed),
    )
    return Measurement(slice_name, observed.corpus, metrics, evidence)


def _latency_metrics(samples: Sequence[Sample], observed: Observed) -> list[Metric]:
    n = len(samples)
    latency = summarize([s.latency_ms for s in samples])
    service = summarize([s.service_ms for s in samples])
    lag = summarize([s.lag_ms for s in samples])
    failed = sum(not s.answered for s in samples)
    names = ("p50_ms", "p90_ms", "p95_ms", "p99_ms", "p999_ms", "max_ms", "tail_ratio")
    return [
        *(Metric(name, getattr(latency, name) if latency else None, n) for name in names),
        Metric("service_p95_ms", service.p95_ms if service else None, n),
        Metric("service_p99_ms", service.p99_ms if service else None, n),
        Metric("send_lag_p99_ms", lag.p99_ms if lag else None, n),
        Metric("achieved_rate_per_s", n / observed.load_seconds if observed.load_seconds > 0 else None, n),
        Metric("error_rate", failed / n if n else None, n),
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


def against_baseline(
    measurement: Measurement, samples: Sequence[Sample], base: Measurement, base_samples: Sequence[Sample]
) -> Measurement:
    """``measurement`` with the metrics that compare it with a baseline's night of the same questions."""
    scores, base_scores = question_scores(samples), question_scores(base_samples)
    shared = len(scores.keys() & base_scores.keys())
    recall = paired_change(
        {q: s.recall_at_50 for q, s in scores.items()}, {q: s.recall_at_50 for q, s in base_scores.items()}
    )
    ndcg = paired_change(
        {q: s.ndcg_at_10 for q, s in scores.items()}, {q: s.ndcg_at_10 for q, s in base_scores.items()}
    )
    extra = (
        _ratio("p95_vs_baseline", measurement.get("p95_ms"), base.get("p95_ms")),
        _ratio("p99_vs_baseline", measurement.get("p99_ms"), base.get("p99_ms")),
        Metric("recall_at_50_vs_baseline", recall, shared),
        Metric("ndcg_at_10_vs_baseline", ndcg, shared),
    )
    return Measurement(measurement.slice, measurement.corpus, (*measurement.metrics, *extra), measurement.evidence)


def _ratio(name: str, after: Metric, before: Metric) -> Metric:
    value = after.value / before.value if after.value is not None and before.value else None
    return Metric(name, value, min(after.sample_count, before.sample_count))
