"""Whether a candidate may be promoted: everything that is known, put together."""

from datetime import datetime

from lens_core.signoff import break_glass, risk, standing
from lens_core.signoff.approvals import approvals, quorum
from lens_core.signoff.blockers import evidence_blockers, people_blockers
from lens_core.signoff.dossier import dossier
from lens_core.signoff.plan import plan, timeline
from lens_core.signoff.streak import streak
from lens_core.signoff.words import (
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
        warnings=_warnings(case, nights, opened, moments),
        streak=nights,
        approvals=given,
        risk=assessed,
        timeline=moments,
        plan=plan(assessed, case.drill, rules, lifted=lifted),
        glass=opened,
        dossier=signed,
        at=now,
    )


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


def _warnings(case: Case, nights: Streak, opened: Glass | None, moments: Timeline) -> tuple[str, ...]:
    """What does not block, and should be known."""
    said = []
    if opened and opened.active:
        two = f"{opened.requested_by} and {opened.countersigned_by}"
        said.append(f"BREAK-GLASS until {opened.until:%Y-%m-%d %H:%M} UTC by {two}: {opened.reason}")
    said += case.reviews
    said += [
        f"{one.statement.act} by {one.statement.person} is not believed: {one.fault}"
        for one in case.statements
        if one.fault
    ]
    missing, left = nights.wanted - nights.passed, max(0, nights.allowed - nights.used)
    if missing > left and not nights.expired:
        said.append(f"{left} dates are left to this digest, too few for {missing} more nights")
    if nights.retried:
        said.append(f"run again after an ERROR: {', '.join(nights.retried)}")
    for until, what in ((moments.approvals_until, "an approval"), (moments.streak_until, "the streak")):
        if until and moments.recommended and until <= moments.recommended:
            said.append(f"{what} ends at {until:%Y-%m-%d %H:%M} UTC, before the recommended moment")
    return tuple(said)
