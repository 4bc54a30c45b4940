"""Whether a candidate may be promoted: everything that is known, put together."""

from collections.abc import Sequence
from datetime import datetime

from lens_core.signoff import break_glass, risk, standing
from lens_core.signoff.approvals import approvals, quorum
from lens_core.signoff.blockers import evidence_blockers, people_blockers
from lens_core.signoff.dossier import dossier
from lens_core.signoff.plan import plan, timeline
from lens_core.signoff.streak import streak
from lens_core.signoff.words import (
    Approval,
    Blocker,
    Case,
    Glass,
    Readiness,
    SignoffRules,
    State,
    Streak,
    Timeline,
)


def readiness(case: Case, rules: SignoffRules, now: datetime) -> Readiness:
    """The answer, with every blocker. Nothing that is absent from the case ever speaks for the candidate.

    What ends by time ends by the later of ``now`` and the newest audit entry; what begins by time begins by ``now``.
    """
    clock = standing.clock_of(case, now)
    candidate = str(case.cut.release.candidate.digest) if case.cut else ""
    nights = streak(case.nights, candidate, case.policies, rules, clock)
    assessed = risk.assess(risk.inputs(case.measured, nights, case.drill), rules)
    signed = dossier(case, nights, assessed)
    given = approvals(case, signed, rules, now)
    opened = break_glass.glass(case, signed, rules, now)
    found = (*evidence_blockers(case, nights, assessed, rules, now), *people_blockers(case, given, rules))
    blockers = break_glass.lift(found, opened, rules)
    moments = timeline(nights, quorum(given), rules)
    lifted = any(one.code == "risk" and one.lifted for one in blockers)
    return Readiness(
        version=case.version,
        candidate=candidate,
        state=_state({one.code for one in blockers}, nights),
        ready=all(one.lifted for one in blockers),
        blockers=blockers,
        warnings=_warnings(case, nights, given, opened, moments, clock),
        streak=nights,
        approvals=given,
        risk=assessed,
        timeline=moments,
        plan=plan(assessed, case.drill, rules, lifted=lifted),
        glass=opened,
        dossier=signed,
        at=now,
    )


def standing_blockers(ready: Readiness) -> tuple[Blocker, ...]:
    """The blockers that break-glass did not lift: a candidate is ready when there is none."""
    return tuple(one for one in ready.blockers if not one.lifted)


def _state(codes: set[str], nights: Streak) -> State:
    """How far it has come on the way that has no short cuts: break-glass moves nothing here."""
    if "rejected" in codes:
        return State.REJECTED
    if "expired" in codes:
        return State.EXPIRED
    if codes & {"cut", "drill"}:
        return State.BUILT
    if "nights" in codes:
        return State.QUALIFYING if nights.used else State.DRILLED
    return State.QUALIFIED if codes & {"approvals", "people"} else State.APPROVED


def _warnings(
    case: Case,
    nights: Streak,
    given: Sequence[Approval],
    opened: Glass | None,
    moments: Timeline,
    clock: datetime,
) -> tuple[str, ...]:
    """What does not block, and should be known."""
    said = []
    if opened and opened.active:
        said.append(
            f"BREAK-GLASS until {opened.until:%Y-%m-%d %H:%M} UTC by {opened.requested_by} and "
            f"{opened.countersigned_by}: {opened.reason}"
        )
    said += case.reviews
    for one in case.statements:
        if one.fault:
            said.append(f"{one.statement.act} by {one.statement.person} is not believed: {one.fault}")
    if (
        nights.passed < nights.wanted
        and not nights.expired
        and nights.allowed - nights.used < nights.wanted - nights.passed
    ):
        left = max(0, nights.allowed - nights.used)
        said.append(f"{left} dates are left to this digest, too few for {nights.wanted - nights.passed} more nights")
    if nights.retried:
        said.append(f"run again after an ERROR: {', '.join(nights.retried)}")
    for until, what in ((moments.approvals_until, "an approval"), (moments.streak_until, "the streak")):
        if until and moments.recommended and until <= moments.recommended:
            said.append(f"{what} ends at {until:%Y-%m-%d %H:%M} UTC, before the recommended moment")
    lapsed = [one for one in given if not one.holds and clock < one.expires]
    said += [f"the approval of {one.person} ({one.role}) does not hold: {one.why}" for one in lapsed]
    return tuple(said)
