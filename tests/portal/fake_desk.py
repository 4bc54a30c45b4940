"""A stand-in for the sign-off desk, with the rules that a page can be seen to depend on.

It holds what it recorded; it refuses what the real one refuses first: a wrong person, a role twice, missing evidence.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from lens_core.errors import LensError, SignoffRefused
from lens_core.signoff.statement import decode, encode
from lens_core.signoff.words import (
    Act,
    Approval,
    Blocker,
    Dossier,
    Factor,
    Glass,
    Level,
    Method,
    Person,
    Plan,
    Readiness,
    Recorded,
    Risk,
    Role,
    Signed,
    Stage,
    State,
    Statement,
    Streak,
    Timeline,
)

VERSION = "1.0.0-rc.1"
ISSUER = "https://id.example.org"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
_DAY = timedelta(days=1)


def named(text: str) -> str:
    """A digest that stands for ``text``."""
    return "sha256:" + sha256(text.encode()).hexdigest()


PEOPLE = (
    Person("pat@example.org", (Role.PLATFORM,), ("pat@example.org",)),
    Person("sam@example.org", (Role.SECURITY, Role.QA), ("sam@example.org", "sam@home.example")),
    Person("quinn@example.org", (Role.QA,), ("quinn@example.org",)),
    Person("paula@example.org", (Role.PRODUCT,), ("paula@example.org",)),
    Person("guest@example.org", (), ("guest@example.org",)),
)
DOSSIER = Dossier(
    *(VERSION, named("wheel"), named("image"), named("manifest"), named("sbom"), named("provenance"), named("gates")),
    nights=tuple(f"2026-11-{day}.1 {named(str(day))}" for day in (22, 23, 24)),
    drill=named("drill"),
    rollback_safe="safe",
    risk=named("risk"),
    policies=(f"night {named('night')}", f"signoff {named('signoff')}"),
    waivers=(),
    findings=("CVE-2026-0001 pkg:pypi/left@1",),
)
STREAK = Streak(
    passed=3,
    wanted=3,
    nights=("2026-11-22.1", "2026-11-23.1", "2026-11-24.1"),
    used=3,
    allowed=7,
    expired=False,
    broken_by="",
    retried=(),
    ended_at=NOW - timedelta(hours=9),
    chance=0.0004,
    chance_said="A candidate 10 % beyond a limit would qualify with a probability of 0.04 % within 7 nights.",
)
RISK = Risk(
    Level.MEDIUM,
    0.31,
    (
        Factor("change_size", Level.MEDIUM, 1, 1, 1200.0, "1,200 lines changed since 0.9.2", "cut smaller candidates"),
        Factor("streak", Level.LOW, 2, 0, 0.0, "no night is missing", "let the nightly validation run"),
    ),
    "one factor is medium: change size",
)
PLAN = Plan(
    (Stage(5, timedelta(hours=2)), Stage(100, timedelta(hours=12))),
    timedelta(hours=48),
    copy_first=True,
    said="5, then 100 %.",
)
BLOCKED = Blocker("nights", "2 of 3 nights are there", "the scheduler", "lens nightly-validation")


@dataclass
class FakeDesk:
    """``evidence`` blocks approvals, ``broken`` makes every call raise it, ``cutter`` cut the candidate."""

    dossier: Dossier | None = DOSSIER
    evidence: tuple[Blocker, ...] = ()
    glass: Glass | None = None
    cutter: str = ""
    now: datetime = NOW
    broken: LensError | None = None
    warnings: tuple[str, ...] = ()
    held: list[Recorded] = field(default_factory=list)
    seen: list[Signed] = field(default_factory=list)
    open_reviews: list[Recorded] = field(default_factory=list)
    _nonces: itertools.count = field(default_factory=itertools.count)  # type: ignore[type-arg]

    def _work(self) -> None:
        if self.broken:
            raise self.broken

    def approvals(self) -> tuple[Approval, ...]:
        """Those that were recorded, and whether they hold."""
        gone = {one.statement.refers for one in self.held if one.statement.act is Act.REVOKE}
        found = []
        for one in self.held:
            made = one.statement
            if made.act is not Act.APPROVE or made.role is None or made.expires is None:
                continue
            why = "revoked by themself" if one.digest in gone else ""
            if not why and made.dossier != self.dossier:
                why = "lapsed: the evidence changed"
            found.append(
                Approval(
                    made.role, made.person, made.at, made.expires, not why, why, made.reason, one.digest, one.method
                )
            )
        return tuple(found)

    def readiness(self, version: str = "") -> Readiness:
        """What follows from what is held."""
        self._work()
        given = {one.role for one in self.approvals() if one.holds}
        missing = tuple(
            Blocker("approvals", f"{role} has not approved", "a person of that role", f"lens approve --role {role}")
            for role in Role
            if role not in given
        )
        rejected = tuple(
            Blocker("rejected", f"{one.statement.person} rejected it", "nobody", "cut another candidate")
            for one in self.held
            if one.statement.act is Act.REJECT
        )
        blockers = (*rejected, *self.evidence, *missing)
        if self.glass and self.glass.active:
            blockers = tuple(replace(one, lifted="break-glass") for one in blockers)
        return Readiness(
            version=version or VERSION,
            candidate=named("wheel"),
            state=State.APPROVED if not blockers else State.QUALIFIED,
            ready=all(one.lifted for one in blockers),
            blockers=blockers,
            warnings=self.warnings,
            streak=STREAK,
            approvals=self.approvals(),
            risk=RISK,
            timeline=Timeline(NOW, NOW + _DAY, NOW + 3 * _DAY, NOW + 6 * _DAY),
            plan=PLAN,
            glass=self.glass,
            dossier=self.dossier,
            at=self.now,
        )

    def statements(self, version: str) -> tuple[Recorded, ...]:
        """What was recorded, oldest first."""
        self._work()
        return tuple(self.held)

    def standing(self, version: str = "") -> "FakeStanding":
        """Where it stands now."""
        return FakeStanding(self.readiness(version), self.refusals)

    def reviews(self) -> tuple[Recorded, ...]:
        """Those that are open."""
        self._work()
        return tuple(self.open_reviews)

    def refusals(self, act: Act, person: str, role: Role | None) -> tuple[str, ...]:
        said = []
        who = next((one for one in PEOPLE if one.name == person), None)
        if act in (Act.APPROVE, Act.REJECT) and (who is None or role not in who.roles):
            said.append(f"role: {person} does not hold {role}")
        if act is Act.APPROVE:
            said += [f"evidence_first: {one.what}" for one in self.readiness().blockers if one.code != "approvals"]
            for one in self.approvals():
                if one.holds and one.person == person:
                    said.append(f"one_role: {person} approved as {one.role} already")
                elif one.holds and one.role is role:
                    said.append(f"taken: {one.person} approved as {role}")
        if person == self.cutter:
            said.append(f"self_approval: {person} cut this candidate")
        return tuple(said)

    def draft(  # noqa: PLR0917
        self,
        act: Act,
        version: str,
        person: str,
        role: Role | None,
        reason: str,
        refers: str = "",
        waived: Mapping[str, str] | None = None,
        claims: Mapping[str, str] | None = None,
        hours: float | None = None,
    ) -> bytes:
        """A statement about what is there now."""
        self._work()
        assert self.dossier
        expires = self.now + timedelta(hours=72) if act is Act.APPROVE else None
        nonce = f"{next(self._nonces):032x}"
        made = Statement(act, person, role, self.dossier, self.now, expires, reason, nonce, refers, claims or {})
        return encode(made)

    def record(self, signed: Signed) -> Recorded:
        """Keep what the rules let pass, once."""
        self._work()
        self.seen.append(signed)
        kept = next((one for one in self.held if one.digest == signed.digest), None)
        if kept:
            return kept
        made = decode(signed.content)
        who = next(one for one in PEOPLE if one.name == made.person)
        reasons = list(self.refusals(made.act, made.person, made.role))
        if made.claims.get("email", "").casefold() not in who.emails:
            reasons.append(f"identity: {made.claims.get('email')} is not {made.person}")
        if reasons:
            raise SignoffRefused(f"{made.act} of {VERSION} by {made.person} is refused", "", reasons)
        recorded = Recorded(made, signed.digest, signed.key, signed.method, self.now)
        self.held.append(recorded)
        return recorded


@dataclass(frozen=True)
class FakeStanding:
    """What is told of a candidate at a moment."""

    readiness: Readiness
    refusals: Callable[[Act, str, Role | None], tuple[str, ...]]

    def objections(self, act: Act, person: str, role: Role | None, refers: str = "") -> tuple[str, ...]:
        """See the desk."""
        return self.refusals(act, person, role)


class FakeSigner:
    """Signs with nothing."""

    def sign(self, content: bytes) -> Signed:
        """The content, with the portal's method."""
        return Signed(content, b"signed", Method.PORTAL, "ed25519:" + "ab" * 32)


def user(email: str, /, **changes: object) -> dict[str, object]:
    """What Streamlit tells of somebody who signed in."""
    return {
        "is_logged_in": True,
        "provider": "default",
        "iss": ISSUER,
        "sub": f"subject of {email}",
        "email": email,
        "email_verified": True,
        "iat": int((NOW - timedelta(minutes=5)).timestamp()),
        "exp": int((NOW + timedelta(minutes=55)).timestamp()),
        **changes,
    }
