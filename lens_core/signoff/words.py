"""The vocabulary of the sign-off: roles, what people state, what is known of a candidate, and what follows from it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from hashlib import sha256
from typing import Any

from lens_core.model import Answer, Digest, Night, Release, Verdict
from lens_core.supply import canonical


class Role(StrEnum):
    """Who must approve: one distinct person each."""

    PLATFORM = "platform"
    SECURITY = "security"
    QA = "qa"
    PRODUCT = "product"


class Act(StrEnum):
    """What a person may state about a candidate. ``reject`` is final for the digest, ``revoke`` takes back one's own.

    ``waive`` lets one named vulnerability of one package version pass until a date. ``break-glass`` asks for less
    evidence, ``countersign`` by a second person grants it, ``review`` closes the review that it opened.
    """

    APPROVE = "approve"
    REJECT = "reject"
    REVOKE = "revoke"
    COMMENT = "comment"
    WAIVE = "waive"
    BREAK_GLASS = "break-glass"
    COUNTERSIGN = "countersign"
    REVIEW = "review"


class Method(StrEnum):
    """How a statement is signed: with the person's own SSH key, or by the portal for an authenticated session."""

    SSH = "ssh"
    PORTAL = "portal"


class State(StrEnum):
    """How far a candidate has come: from BUILT to APPROVED, and the ends before a rollout."""

    BUILT = "built"
    DRILLED = "drilled"
    QUALIFYING = "qualifying"
    QUALIFIED = "qualified"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom ``lens.toml`` names: ``name`` is the principal in the allowed-signers file.

    ``emails`` are the addresses by which the portal's provider and git know them.
    """

    name: str
    roles: tuple[Role, ...]
    emails: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything that a statement is about, by digest: whoever signs has seen this and nothing else.

    All texts; digests are ``sha256:<hex>``, empty where there is nothing. ``candidate`` is the wheel's digest, to which
    nights bind; ``manifest`` the cut's, which lists every file. ``nights`` are those of the streak, as ``id digest``;
    ``policies`` as ``name digest``; ``waivers`` and ``findings`` name what is waived and what is known to be open.
    """

    version: str
    candidate: str
    image: str
    manifest: str
    sbom: str
    provenance: str
    gates: str
    nights: tuple[str, ...]
    drill: str
    rollback_safe: str
    risk: str
    policies: tuple[str, ...]
    waivers: tuple[str, ...]
    findings: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @property
    def digest(self) -> Digest:
        """SHA-256 of its canonical JSON."""
        return Digest("sha256:" + sha256(canonical.encode(self.document())).hexdigest())

    def changes(self, now: "Dossier") -> tuple[str, ...]:
        """Names of the fields in which ``now`` differs."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name) != getattr(now, f.name))


@dataclass(frozen=True, slots=True)
class Statement:
    """What one person states. ``person`` is a principal; ``role`` None where the act needs none.

    ``refers`` is the digest of the statement that is revoked, countersigned or reviewed. ``expires`` is None for acts
    that do not expire. ``claims`` are what the portal's identity provider said of the person (portal only).
    ``waived`` names what ``waive`` waives: ``vulnerability purl state grounds`` (grounds separated by commas).
    ``nonce`` keeps two statements of the same words apart.
    """

    act: Act
    person: str
    role: Role | None
    dossier: Dossier
    at: datetime
    expires: datetime | None
    reason: str
    nonce: str
    refers: str = ""
    claims: Mapping[str, str] = field(default_factory=dict)
    waived: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement as it was signed: ``content`` is the statement's canonical JSON (``statement.encode``).

    ``signature`` is an armoured SSH signature, or the raw Ed25519 one of the portal's key; ``key`` is the key's
    fingerprint (``SHA256:…``) or id (``ed25519:…``).
    """

    content: bytes
    signature: bytes
    method: Method
    key: str

    @property
    def digest(self) -> str:
        """``sha256:<hex>`` of the content: the statement's name."""
        return "sha256:" + sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Recorded:
    """A statement of the ledger; ``fault`` says why it is not believed today, and is empty when it is.

    Reasons are a key that was revoked since, a signature that does not hold, a role taken away, no audit entry.
    """

    statement: Statement
    digest: str
    key: str
    method: Method
    recorded_at: datetime
    fault: str = ""


@dataclass(frozen=True, slots=True)
class NightCase:
    """A night as the sign-off sees it: ``record`` is the digest of all that the ledger holds of it.

    ``fault`` says why it is not believed (its files or rows are not what its audit entry names; empty when it is).
    """

    night: Night
    answers: tuple[Answer, ...]
    record: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class DrillCase:
    """The latest drill of the candidate: ``verdict`` by the rules in force, ``fault`` why it is not believed."""

    digest: str
    verdict: Verdict
    reason: str
    rollback_safe: str
    copy_first: bool
    fault: str = ""


@dataclass(frozen=True, slots=True)
class CutCase:
    """The cut of the candidate: what verifying it found, and its answers (waivers that expired since are FAIL now).

    ``files`` are the digests (``sha256:<hex>``) of its files by name, as its signed manifest lists them.
    """

    release: Release
    answers: tuple[Answer, ...]
    faults: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scan:
    """The newest word of the advisory sources on the candidate's packages: the last night's, or a later look."""

    at: datetime
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class Measured:
    """One input of the risk: ``value`` is None when there is no data; larger is riskier. ``said`` is it in words."""

    factor: str
    value: float | None
    said: str


@dataclass(frozen=True, slots=True)
class FactorRule:
    """How an input becomes a level: from ``medium_at`` on medium, from ``high_at`` on high.

    ``decisive``: high here is high altogether. A factor without data counts as ``without_data``.
    """

    name: str
    weight: float
    medium_at: float
    high_at: float
    mitigation: str
    decisive: bool = False
    without_data: str = "medium"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a promotion: percent of real traffic, and how long it must hold."""

    percent: float
    soak: timedelta


@dataclass(frozen=True, slots=True)
class PlanRule:
    """What a risk level makes of the rollout."""

    stages: tuple[Stage, ...]
    watch: timedelta


@dataclass(frozen=True, slots=True)
class SignoffRules:
    """``[signoff]`` of ``lens.toml``. ``digest`` is that of the whole table, the people included.

    ``lifts`` names the blockers that an active break-glass lifts. ``clock_skew`` is how far apart clocks may be.
    """

    nights: int
    max_nights: int
    max_streak_age: timedelta
    grace: timedelta
    recommended_after: timedelta
    approval_ttl: timedelta
    scan_ttl: timedelta
    break_glass_ttl: timedelta
    review_within: timedelta
    clock_skew: timedelta
    lifts: tuple[str, ...]
    factors: tuple[FactorRule, ...]
    medium_at: float
    high_at: float
    plans: Mapping[str, PlanRule]
    people: tuple[Person, ...]
    slices: tuple[str, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Case:
    """All that is known of a candidate at a moment. What is absent is None or empty, and blocks (first law).

    ``policies`` are the digests in force now, by name: ``night cut drill signoff dataset``. ``audit`` says why the
    audit log is not believed (empty when it verifies); ``audit_at`` is the time of its newest entry. ``statements``
    are all that the ledger holds on this digest, oldest first; ``reviews`` the open reviews of any candidate.
    """

    version: str
    cut: CutCase | None
    drill: DrillCase | None
    nights: tuple[NightCase, ...]
    scan: Scan | None
    measured: tuple[Measured, ...]
    statements: tuple[Recorded, ...]
    policies: Mapping[str, str]
    waivers: tuple[str, ...]
    findings: tuple[str, ...]
    audit: str
    audit_at: datetime | None
    reviews: tuple[str, ...] = ()


class Level(Enum):
    """The risk. High blocks."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2


@dataclass(frozen=True, slots=True)
class Factor:
    """One factor of the risk as it was judged: its share of the whole is ``points`` of ``weight × 2``."""

    name: str
    level: Level
    weight: float
    points: float
    value: float | None
    said: str
    mitigation: str


@dataclass(frozen=True, slots=True)
class Risk:
    """The risk of a candidate: ``score`` is between 0 and 1."""

    level: Level
    score: float
    factors: tuple[Factor, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Blocker:
    """One reason against a promotion: a ``code`` for machines, what is missing, and who can give it (and how)."""

    code: str
    what: str
    who: str
    how: str
    lifted: str = ""

    def __str__(self) -> str:
        return f"{self.what} ({self.who}: {self.how})"


@dataclass(frozen=True, slots=True)
class Streak:
    """The nights that count: ``passed`` of ``wanted`` consecutive dates. ``broken_by`` says what ended the last one.

    ``used`` counts the dates of this digest that had a full night, ``allowed`` how many it may have; ``retried`` names
    nights that were run again after an ERROR. ``chance`` is the probability that a candidate 10 % beyond a latency
    limit, where it is hardest to see, would qualify in the nights that are allowed, from the power of the nights so
    far; None without any. ``ended_at`` is when the last of ``nights`` closed, ``until`` when the newest green one is
    too old to be evidence; both None until the streak is complete.
    """

    passed: int
    wanted: int
    nights: tuple[str, ...]
    used: int
    allowed: int
    expired: bool
    broken_by: str
    retried: tuple[str, ...]
    ended_at: datetime | None
    chance: float | None
    chance_said: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval as it stands now. ``holds`` is false when it lapsed, expired or was revoked; ``why`` says so."""

    role: Role
    person: str
    at: datetime
    expires: datetime
    holds: bool
    why: str
    reason: str
    digest: str
    method: Method
    key: str = ""


@dataclass(frozen=True, slots=True)
class Glass:
    """Break-glass on this digest: asked for, active, or over; None in ``Readiness`` when nobody asked.

    ``refers`` is the digest of the request: what a countersign, and later a review, refers to.
    """

    requested_by: str
    countersigned_by: str
    reason: str
    since: datetime
    until: datetime
    active: bool
    review: str
    refers: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """When a promotion may happen; None where a moment hangs on evidence that is not there yet."""

    earliest: datetime | None
    recommended: datetime | None
    approvals_until: datetime | None
    streak_until: datetime | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a promotion would do. ``copy_first`` says that going back needs an untouched copy of the index."""

    stages: tuple[Stage, ...]
    watch: timedelta
    copy_first: bool
    said: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a candidate may be promoted, and everything that speaks for and against it.

    ``ready`` exactly when no blocker stands that break-glass did not lift. ``dossier`` is what one would sign now, None
    while there is no cut. ``warnings`` do not block: statements that are not believed, reviews that are open, what will
    not hold for long.
    """

    version: str
    candidate: str
    state: State
    ready: bool
    blockers: tuple[Blocker, ...]
    warnings: tuple[str, ...]
    streak: Streak
    approvals: tuple[Approval, ...]
    risk: Risk
    timeline: Timeline
    plan: Plan | None
    glass: Glass | None
    dossier: Dossier | None
    at: datetime
