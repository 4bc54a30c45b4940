"""Cases for the tests of sign-offs: a candidate that is ready, and the ways to say something about it."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from lens_core.model import Answer, Candidate, Digest, Interval, Night, NightState, Release, Verdict
from lens_core.signoff import statement as statements
from lens_core.signoff.readiness import readiness
from lens_core.signoff.words import (
    Act,
    Case,
    CutCase,
    DrillCase,
    FactorRule,
    Measured,
    Method,
    NightCase,
    Person,
    PlanRule,
    Recorded,
    Role,
    Scan,
    SignoffRules,
    Stage,
    Statement,
)

HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
"""Noon after the third of three nights, which end at 04:00."""
SLICES = ("backend/python/small", "backend/python/large")
CUT_BY = "Cuthbert Cutter <cut@example.org>"


def sha(text: str) -> str:
    """A digest of whatever is named."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


CANDIDATE = Candidate("1.2.0", Digest(sha("wheel")), "c" * 40, dirty=False)
OTHER = Candidate("1.2.1", Digest(sha("another wheel")), "d" * 40, dirty=False)
POLICIES = {name: sha(f"policy of {name}") for name in ("night", "cut", "drill", "signoff", "dataset")}
PEOPLE = (
    Person("ada@example.org", (Role.PLATFORM, Role.QA), ("ada@example.org",)),
    Person("bob@example.org", (Role.SECURITY,), ("bob@example.org",)),
    Person("cleo@example.org", (Role.QA,), ("cleo@example.org",)),
    Person("dan@example.org", (Role.PRODUCT,), ("dan@example.org", "daniel@example.org")),
    Person("cut@example.org", tuple(Role), ("cut@example.org",)),
)
WHO = {
    Role.PLATFORM: "ada@example.org",
    Role.SECURITY: "bob@example.org",
    Role.QA: "cleo@example.org",
    Role.PRODUCT: "dan@example.org",
}
FACTORS = (
    FactorRule("streak", 2, 1, 3, "let the nights run"),
    FactorRule("trend", 1, 0.1, 0.5, "look at what got slower"),
    FactorRule("open_alerts", 2, 1, 3, "resolve them"),
    FactorRule("rollback_safety", 2, 1, 2, "take the copy first", decisive=True, without_data="high"),
)
RULES = SignoffRules(
    nights=3,
    max_nights=7,
    max_streak_age=7 * DAY,
    grace=4 * HOUR,
    recommended_after=24 * HOUR,
    approval_ttl=72 * HOUR,
    scan_ttl=72 * HOUR,
    break_glass_ttl=60 * MINUTE,
    review_within=7 * DAY,
    clock_skew=2 * MINUTE,
    lifts=("nights", "grace", "approvals", "risk"),
    factors=FACTORS,
    medium_at=0.25,
    high_at=0.6,
    plans={
        "low": PlanRule((Stage(5, 30 * MINUTE), Stage(25, HOUR), Stage(100, timedelta())), 24 * HOUR),
        "medium": PlanRule((Stage(5, 2 * HOUR), Stage(25, 4 * HOUR), Stage(100, 12 * HOUR)), 48 * HOUR),
    },
    people=PEOPLE,
    slices=SLICES,
    digest=POLICIES["signoff"],
)


def night(days_ago=0, verdict=Verdict.PASS, attempt=1, candidate=CANDIDATE, power=0.8, **changes) -> NightCase:
    """A full night that was opened at 02:00 and closed at 04:00, ``days_ago`` before NOW; None as verdict: it runs."""
    opened = NOW.replace(hour=2) - days_ago * DAY
    name = f"{opened.date()}.{attempt}"
    value = Night(
        night_id=name,
        night_date=opened.date(),
        attempt=attempt,
        candidate=candidate,
        baseline=None,
        policy_digest=Digest(POLICIES["night"]),
        dataset_digest=Digest(POLICIES["dataset"]),
        slices=SLICES,
        seed=7,
        duration_minutes=60,
        folder=f"nights/{name}",
        state=NightState.OPEN if verdict is None else NightState.CLOSED,
        verdict=verdict,
        reason="" if verdict is None else f"it is {verdict.name}",
        opened_at=opened,
        closed_at=None if verdict is None else opened + 2 * HOUR,
    )
    interval = Interval(1.0, 1.5, 0.98, power, 40, 1.0)
    answers = tuple(
        Answer("tail_ratio", part, verdict or Verdict.PASS, "as it was", 1.2, 2.0, 1500, sha(part), "≤", interval)
        for part in SLICES
    )
    return NightCase(replace(value, **changes), answers, sha(f"record of {name}"))


def three_nights() -> tuple[NightCase, ...]:
    """The nights of the last three dates, all green."""
    return tuple(night(days_ago) for days_ago in (2, 1, 0))


RELEASE = Release(
    version="1.2.0",
    candidate=CANDIDATE,
    image=Digest(sha("image")),
    manifest=Digest(sha("manifest")),
    key_id="ed25519:0000",
    verdict=Verdict.PASS,
    reason="all pass",
    cut_by=CUT_BY,
    cut_at=NOW - 4 * DAY,
    folder="releases/1.2.0",
)
FILES = {
    "sbom/lens.cdx.json": sha("sbom"),
    "provenance.dsse.json": sha("provenance"),
    "gates.json": sha("gates"),
}
CUT_ANSWERS = tuple(
    Answer(gate, "", Verdict.PASS, "it holds", evidence=sha(gate))
    for gate in ("reproducible_build", "line_coverage", "sbom", "provenance")
)


def unsigned_case(**changes) -> Case:
    """A candidate that lacks its approvals, and nothing else."""
    case = Case(
        version="1.2.0",
        cut=CutCase(RELEASE, CUT_ANSWERS, (), FILES),
        drill=DrillCase(sha("drill"), Verdict.PASS, "all cells pass", "yes", copy_first=True),
        nights=three_nights(),
        scan=Scan(NOW - 8 * HOUR, Verdict.PASS, "nothing known"),
        measured=(Measured("trend", 0.0, "no slice got worse"), Measured("open_alerts", 0.0, "none is open")),
        statements=(),
        policies=POLICIES,
        waivers=(),
        findings=(),
        audit="",
        audit_at=NOW - HOUR,
    )
    return replace(case, **changes)


def dossier_of(case: Case, now=NOW, rules=RULES):
    """What one signs of this case."""
    found = readiness(case, rules, now).dossier
    assert found is not None
    return found


_SPANS = {
    Act.APPROVE: 72 * HOUR,
    Act.WAIVE: 30 * DAY,
    Act.BREAK_GLASS: 60 * MINUTE,
    Act.COUNTERSIGN: 60 * MINUTE,
}


def stated(case: Case, act=Act.APPROVE, role=Role.QA, at=NOW - HOUR, now=NOW, rules=RULES, **changes) -> Statement:
    """A statement about the case, by whoever holds the role."""
    span = _SPANS.get(act)
    made = Statement(
        act=act,
        person=WHO[role] if role else WHO[Role.QA],
        role=role,
        dossier=dossier_of(case, now, rules),
        at=at,
        expires=at + span if span else None,
        reason="I looked at all of it",
        nonce=sha(f"{act} {role} {at} {sorted(changes)} {len(case.statements)}")[7:23],
    )
    return replace(made, **changes)


def recorded(statement: Statement, method=Method.SSH, key="", fault="", at=None) -> Recorded:
    """The statement as the ledger gives it back."""
    digest = "sha256:" + hashlib.sha256(statements.encode(statement)).hexdigest()
    return Recorded(statement, digest, key or f"SHA256:{statement.person}", method, at or statement.at, fault)


def told(case: Case, *more: Recorded) -> Case:
    """The case with further statements."""
    return replace(case, statements=(*case.statements, *more))


def approved(case: Case, at=NOW - HOUR, now=NOW, rules=RULES, roles=tuple(Role)) -> Case:
    """The case with the approvals of these roles, each by somebody else."""
    return told(case, *(recorded(stated(case, Act.APPROVE, role, at, now, rules)) for role in roles))


def ready_case() -> Case:
    """A candidate that may be promoted at NOW."""
    return approved(unsigned_case())


def codes(ready) -> list[str]:
    """The codes of the blockers that stand."""
    return [one.code for one in ready.blockers if not one.lifted]
