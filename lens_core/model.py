"""The frozen vocabulary of Lens: what every other module speaks of.

Everything here is a value: immutable, comparable, free of I/O. Quantities carry their unit in
their name (``p99_ms``), times are UTC, digests are ``sha256:<64 hex>``.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum, StrEnum

QUERY_CLASSES = ("nl", "sym", "ident", "symwords", "substr")
"""The five classes of question, in the order in which reports show them."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Verdict(Enum):
    """What a gate, a slice or a night says: ``PASS < WAIVED < INCONCLUSIVE < ERROR < FAIL``.

    Only the first two let anything advance.
    """

    PASS = 0
    WAIVED = 1
    INCONCLUSIVE = 2
    ERROR = 3
    FAIL = 4

    @property
    def advances(self) -> bool:
        """True for PASS and WAIVED only."""
        return self.value <= Verdict.WAIVED.value

    @staticmethod
    def worst(verdicts: Iterable["Verdict"]) -> "Verdict":
        """The worst of ``verdicts``; the worst of nothing is INCONCLUSIVE (first law)."""
        return max(verdicts, key=lambda verdict: verdict.value, default=Verdict.INCONCLUSIVE)


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A SHA-256 digest, written ``sha256:<64 hex>``."""

    text: str

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.text):
            raise ValueError(f"expected sha256:<64 hex digits>, saw {self.text!r}")

    @property
    def hex(self) -> str:
        """The 64 hex digits."""
        return self.text.removeprefix("sha256:")

    @property
    def short(self) -> str:
        """The first 12 hex digits, for people."""
        return self.hex[:12]

    def __str__(self) -> str:
        return self.text


class RepoType(StrEnum):
    """What kind of repository a slice stands for."""

    BACKEND = "backend"
    FRONTEND = "frontend"
    MONOREPO = "monorepo"


class Language(StrEnum):
    """The language of a slice (``mixed`` for a repository of several)."""

    PYTHON = "python"
    TYPESCRIPT = "typescript"
    JAVASCRIPT = "javascript"
    MIXED = "mixed"


class Size(StrEnum):
    """The size band of a slice: small ≤ 15k, medium 15–60k, large > 60k non-blank lines."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


@dataclass(frozen=True, slots=True, order=True)
class Slice:
    """One cell of the catalogue: repository type × language × size, e.g. ``backend/python/small``."""

    repo_type: RepoType
    language: Language
    size: Size

    @classmethod
    def parse(cls, name: str) -> "Slice":
        """Read ``type/language/size``; ValueError when it is not of that form."""
        try:
            repo_type, language, size = name.split("/")
        except ValueError as error:
            raise ValueError(f"expected type/language/size, saw {name!r}") from error
        return cls(RepoType(repo_type), Language(language), Size(size))

    @property
    def slug(self) -> str:
        """The name as one path segment: ``backend-python-small``."""
        return str(self).replace("/", "-")

    def __str__(self) -> str:
        return f"{self.repo_type}/{self.language}/{self.size}"


@dataclass(frozen=True, slots=True)
class Archive:
    """One pinned download: ``ecosystem`` is ``pypi`` or ``npm``; ``filename`` is the archive's own name."""

    ecosystem: str
    name: str
    version: str
    filename: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """The repository behind a slice: its archives, the subtrees that count, and its licence.

    ``include`` are folders inside the unpacked archive (``("",)`` for all of it), ``exclude`` are
    folder names that are left out at any depth.
    """

    slice: Slice
    name: str
    version: str
    licence: str
    archives: tuple[Archive, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Definition:
    """A definition as a parser independent of the engine sees it. Lines count from 1, ends included."""

    path: str
    start_line: int
    end_line: int
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A place that can be relevant: an innermost definition, or a block of lines between definitions.

    ``name`` is empty for a block. ``unit_id`` is unique within a corpus.
    """

    unit_id: str
    path: str
    start_line: int
    end_line: int
    name: str


@dataclass(frozen=True, slots=True)
class Question:
    """A query with its known answer: the ids of the units that are relevant to it."""

    question_id: str
    query_class: str
    text: str
    relevant: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """One search hit as the service under test reported it, in rank order."""

    path: str
    start_line: int
    end_line: int
    symbol: str
    kind: str
    language: str
    score: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a night judges: a version bound to the digest of the bytes that ran.

    ``dirty`` says that the working tree held changes that the commit, and so the digest, does not.
    """

    version: str
    digest: Digest
    commit: str
    dirty: bool


@dataclass(frozen=True, slots=True)
class Release:
    """A candidate that was cut and sealed under a version.

    ``image`` is the digest of the container image's manifest, None when it was cut without one.
    ``manifest`` is the digest of the sealed list of all its files, signed with the key ``key_id``.
    ``pushed_to`` is the image's place in a registry, by digest; empty until it was read back from there.
    ``folder`` is relative to the home folder.
    """

    version: str
    candidate: Candidate
    image: Digest | None
    manifest: Digest
    key_id: str
    verdict: Verdict
    reason: str
    cut_by: str
    cut_at: datetime
    folder: str
    pushed_to: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one gate says about one slice (or about the whole night, when ``slice`` is empty).

    ``value`` is None when there was nothing to judge; ``sign`` (``≤``, ``≥`` or ``<``) is how it was held
    against ``threshold``. ``sample_count`` counts what the value was
    computed from. ``evidence`` is the digest of the file that the value can be recomputed from.
    """

    gate: str
    slice: str
    verdict: Verdict
    reason: str
    value: float | None = None
    threshold: float | None = None
    sample_count: int = 0
    evidence: str = ""
    sign: str = ""
    interval: "Interval | None" = None

    def __post_init__(self) -> None:
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"an answer's value must be finite, saw {self.value} for {self.gate}")


@dataclass(frozen=True, slots=True)
class Interval:
    """Between which bounds a value lies, ``confidence`` sure (0 to 1, both sides together).

    ``power`` is how surely the run behind it would have failed a service 10 % beyond the limit, and
    ``design_effect`` how much more the value varies than if its requests were independent.
    """

    low: float
    high: float
    confidence: float
    power: float
    blocks: int
    design_effect: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise ValueError(f"expected finite bounds in order, saw {self.low} and {self.high}")


@dataclass(frozen=True, slots=True)
class Metric:
    """One measured number of a slice. ``value`` is None when there was nothing to measure."""

    name: str
    value: float | None
    sample_count: int
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """All that was measured of one slice in one night, as named numbers.

    Names: ``p50_ms p90_ms p95_ms p99_ms p999_ms max_ms tail_ratio service_p95_ms service_p99_ms
    send_lag_p99_ms achieved_rate_per_s error_rate recall_at_50 recall_at_50_<class> ndcg_at_10
    ndcg_at_10_<class> span_coverage hit_validity definition_coverage cpu_share memory_share
    rss_peak_mb index_seconds set_aside_share control_p99_ms``; with a baseline also ``p95_vs_baseline p99_vs_baseline``
    (ratios), ``baseline_p95_ms baseline_p99_ms``, and ``recall_at_50_vs_baseline
    ndcg_at_10_vs_baseline`` (paired relative changes). ``set_aside_share`` is the share of rounds in
    which the control stalled.
    ``evidence`` is the digest of the raw samples that the numbers are recomputed from; ``invalid``
    says why the run is no measurement of latency, one reason each, empty when it is one.
    """

    slice: str
    corpus: str
    metrics: tuple[Metric, ...]
    evidence: str
    invalid: tuple[str, ...] = ()

    def get(self, name: str) -> Metric:
        """The metric called ``name``; one without a value when it was not measured."""
        return next((m for m in self.metrics if m.name == name), Metric(name, None, 0))


class NightState(StrEnum):
    """OPEN while it runs; CLOSED once it has a verdict."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A file that a verdict rests on: path (relative to the home folder), digest and size."""

    path: str
    digest: Digest
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Night:
    """One attempt to judge a candidate on one UTC date, bound to everything that the verdict depends on."""

    night_id: str
    night_date: date
    attempt: int
    candidate: Candidate
    baseline: Candidate | None
    policy_digest: Digest
    dataset_digest: Digest
    slices: tuple[str, ...]
    seed: int
    duration_minutes: float
    folder: str
    state: NightState
    verdict: Verdict | None
    reason: str
    opened_at: datetime
    closed_at: datetime | None
