"""Break-glass: a state that two people open for one dossier and a short time, and that a third looks at afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lens_core.signoff import standing
from lens_core.signoff.words import Act, Blocker, Case, Dossier, Glass, Method, Recorded, SignoffRules

NEVER_LIFTED = frozenset({"cut", "scan", "expired", "rejected", "audit", "clock", "people"})
"""Whatever ``lens.toml`` says: break-glass does with less evidence, never without identity, seals or the audit."""


@dataclass(frozen=True, slots=True)
class Review:
    """The look at a use of break-glass that somebody else owes until ``due``; ``closed_by`` is empty while it is open.

    Break-glass itself holds from ``since`` to ``until``, if nothing ends it before. ``request`` and ``countersign`` are
    the digests of the two statements; a review refers to either.
    """

    version: str
    candidate: str
    request: str
    countersign: str
    requested_by: str
    countersigned_by: str
    why: str
    since: datetime
    until: datetime
    due: datetime
    closed_by: str
    said: str

    @property
    def open(self) -> bool:
        """Whether nobody has looked at it yet."""
        return not self.closed_by

    def words(self, now: datetime) -> str:
        """For people: what it is, and how it stands."""
        two = f"{self.requested_by} and {self.countersigned_by}"
        what = f"break-glass on {self.version} by {two}, {self.since:%Y-%m-%d %H:%M} UTC"
        if not self.open:
            return f"{what}: reviewed by {self.closed_by}: {self.said}"
        late = "was due" if now >= self.due else "is due"
        return f"{what}: its review by a third person {late} on {self.due:%Y-%m-%d %H:%M} UTC"


def glass(case: Case, dossier: Dossier | None, rules: SignoffRules, now: datetime) -> Glass | None:
    """Break-glass as it stands: an active one if there is any, else the newest that was asked for; None without."""
    if dossier is None:
        return None
    clock = standing.clock_of(case, now)
    requests = standing.of_candidate(case.statements, dossier.candidate, Act.BREAK_GLASS)
    found = [_glass(case, dossier, rules, clock, request) for request in requests]
    return next((one for one in reversed(found) if one.active), found[-1] if found else None)


def pending(case: Case, dossier: Dossier, request: Recorded, rules: SignoffRules, now: datetime) -> str:
    """Why ``request`` cannot be countersigned now; empty when it can."""
    clock = standing.clock_of(case, now)
    if why := _why_not(request, case, dossier, rules, clock):
        return why
    granted = [one for one in _countersigns(case, request) if not _why_not(one, case, dossier, rules, clock)]
    return f"{granted[0].statement.person} countersigned it already" if granted else ""


def reviews(statements: Sequence[Recorded], rules: SignoffRules) -> tuple[Review, ...]:
    """The reviews that uses of break-glass opened, on whatever candidates the statements are about, oldest first.

    A countersign opens one even when its key was revoked since; only a review that is believed closes it.
    """
    asked = {one.digest: one for one in statements if one.statement.act is Act.BREAK_GLASS}
    looks = [one for one in statements if one.statement.act is Act.REVIEW and not one.fault]
    return tuple(
        _review(request, one, looks, rules)
        for one in statements
        if one.statement.act is Act.COUNTERSIGN and (request := asked.get(one.statement.refers)) is not None
    )


def lift(blockers: Sequence[Blocker], opened: Glass | None, rules: SignoffRules) -> tuple[Blocker, ...]:
    """The blockers, with those marked that an active break-glass does without; none of them goes away."""
    if opened is None or not opened.active:
        return tuple(blockers)
    why = (
        f"break-glass by {opened.requested_by} and {opened.countersigned_by} until "
        f"{opened.until:%Y-%m-%d %H:%M} UTC: {opened.reason}"
    )
    return tuple(
        Blocker(one.code, one.what, one.who, one.how, why) if may_lift(one, rules) else one for one in blockers
    )


def may_lift(blocker: Blocker, rules: SignoffRules) -> bool:
    """Whether break-glass does without this one."""
    return blocker.code in rules.lifts and blocker.code not in NEVER_LIFTED


def _glass(case: Case, dossier: Dossier, rules: SignoffRules, clock: datetime, request: Recorded) -> Glass:
    grants = [one for one in _countersigns(case, request) if _distinct(one, request)]
    asked_until = standing.ends(request, rules.break_glass_ttl)
    good = [one for one in grants if one.statement.at < asked_until and not _why_not(one, case, dossier, rules, clock)]
    grant = next(iter(good or reversed(grants)), None)
    active = bool(good) and not _why_not(request, case, dossier, rules, clock, granted=True)
    review = "" if grant is None else _said_of_review(case, request, grant, rules, clock)
    return Glass(
        requested_by=request.statement.person,
        countersigned_by=grant.statement.person if grant else "",
        reason=request.statement.reason,
        since=(grant or request).statement.at,
        until=standing.ends(grant or request, rules.break_glass_ttl),
        active=active,
        review=review,
        refers=request.digest,
    )


def _said_of_review(case: Case, request: Recorded, grant: Recorded, rules: SignoffRules, clock: datetime) -> str:
    found = reviews([*(one for one in case.statements if one.statement.act is Act.REVIEW), request, grant], rules)
    return found[0].words(clock)


def _countersigns(case: Case, request: Recorded) -> tuple[Recorded, ...]:
    found = standing.of_candidate(case.statements, request.statement.dossier.candidate, Act.COUNTERSIGN)
    return tuple(one for one in found if one.statement.refers == request.digest)


def _distinct(one: Recorded, other: Recorded) -> bool:
    """Two people with two keys; the portal's key is everybody's."""
    keys = one.method is Method.PORTAL or other.method is Method.PORTAL or one.key != other.key
    return keys and one.statement.person != other.statement.person


def _why_not(
    one: Recorded, case: Case, dossier: Dossier, rules: SignoffRules, clock: datetime, *, granted: bool = False
) -> str:
    """Why a request or countersign does not count now; empty when it does. A granted request ends with its grant."""
    if case.cut is None:
        return "there is no cut"
    until = standing.ends(one, rules.break_glass_ttl)
    faults = (
        (bool(one.fault), f"it is not believed: {one.fault}"),
        (one.digest in standing.taken_back(case.statements), f"{one.statement.person} took it back"),
        (one.statement.dossier != dossier, "it is about another dossier than that of now"),
        (one.statement.at > clock + rules.clock_skew, "it is of the future"),
        (not granted and clock >= until, f"it ended at {until:%Y-%m-%d %H:%M} UTC"),
    )
    return next((why for wrong, why in faults if wrong), standing.why_not_by(one, case.cut.release.cut_by, rules))


def _review(request: Recorded, grant: Recorded, looks: Sequence[Recorded], rules: SignoffRules) -> Review:
    two = {request.statement.person, grant.statement.person}
    closing = next(
        (
            one.statement
            for one in looks
            if one.statement.refers in {request.digest, grant.digest} and one.statement.person not in two
        ),
        None,
    )
    return Review(
        version=grant.statement.dossier.version,
        candidate=grant.statement.dossier.candidate,
        request=request.digest,
        countersign=grant.digest,
        requested_by=request.statement.person,
        countersigned_by=grant.statement.person,
        why=request.statement.reason,
        since=grant.statement.at,
        until=standing.ends(grant, rules.break_glass_ttl),
        due=grant.recorded_at + rules.review_within,
        closed_by=closing.person if closing else "",
        said=closing.reason if closing else "",
    )
