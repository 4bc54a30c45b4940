"""Waivers that people stated for one digest, beside those of the VEX file."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from lens_core.signoff import standing
from lens_core.signoff.words import Act, Recorded, Role, SignoffRules, Statement
from lens_core.supply.vex import LONGEST_DAYS, Waiver, read_vex, write_vex

LONGEST = timedelta(days=LONGEST_DAYS)
_MEMBERS = frozenset({"vulnerability", "purl", "state", "grounds"})


def waiver_of(statement: Statement) -> Waiver:
    """The waiver that a ``waive`` statement speaks of; ``fault_of`` says whether it may be honoured."""
    waived = statement.waived
    grounds = tuple(ground.strip() for ground in waived.get("grounds", "").split(",") if ground.strip())
    return Waiver(
        vulnerability=waived.get("vulnerability", ""),
        purl=waived.get("purl", ""),
        owner=statement.person,
        reason=statement.reason,
        state=waived.get("state", ""),
        grounds=grounds,
        expires=(statement.expires or statement.at).astimezone(UTC).date(),
    )


def fault_of(statement: Statement, now: datetime) -> str:
    """Why what is waived is no waiver, by the same rules as in the VEX file; empty when it is one."""
    if statement.waived.keys() != _MEMBERS:
        seen = ", ".join(sorted(statement.waived)) or "nothing"
        return f"expected exactly {', '.join(sorted(_MEMBERS))}, saw {seen}"
    waiver = waiver_of(statement)
    if waiver.state == "not_affected" and not waiver.grounds:
        return "not_affected needs a justification"
    return next((refused.why for refused in read_vex(write_vex([waiver]), now).refused), "")


def standing_waivers(
    statements: Sequence[Recorded], candidate: str, cut_by: str, rules: SignoffRules, now: datetime
) -> tuple[Recorded, ...]:
    """The ``waive`` statements on this digest that hold: believed, of a security role-holder, not over, not taken back.

    ``now`` must be the later of the clock and the newest audit entry.
    """
    back = standing.taken_back(statements)
    return tuple(
        one
        for one in standing.of_candidate(statements, candidate, Act.WAIVE)
        if not one.fault
        and one.digest not in back
        and one.statement.role is Role.SECURITY
        and not standing.why_not_by(one, cut_by, rules)
        and one.statement.at <= now + rules.clock_skew
        and now < standing.ends(one, LONGEST)
        and not fault_of(one.statement, now)
    )
