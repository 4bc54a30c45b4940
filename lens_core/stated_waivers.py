"""Waivers that people stated: signed, on this very candidate, by somebody who holds the role, until they expire."""

from collections.abc import Sequence
from datetime import UTC, datetime

from lens_core.signoff.words import Act, Recorded, Role, SignoffRules
from lens_core.supply.vex import Waiver, canonical_purl

ROLE = Role.SECURITY
"""Who may waive a vulnerability."""


def stated_waivers(statements: Sequence[Recorded], rules: SignoffRules, now: datetime) -> tuple[Waiver, ...]:
    """The waivers that stand ``now``: believed, not taken back by who stated them, not expired."""
    holders = {person.name for person in rules.people if ROLE in person.roles}
    revoked = {
        (one.statement.person, one.statement.refers)
        for one in statements
        if one.statement.act is Act.REVOKE and not one.fault
    }
    return tuple(
        _waiver(one)
        for one in statements
        if one.statement.act is Act.WAIVE
        and not one.fault
        and one.statement.role is ROLE
        and one.statement.person in holders
        and (one.statement.person, one.digest) not in revoked
        and one.statement.expires is not None
        and now < one.statement.expires
    )


def _waiver(recorded: Recorded) -> Waiver:
    statement = recorded.statement
    waived = statement.waived
    if statement.expires is None:
        raise ValueError("a waiver that never expires is none")
    grounds = tuple(part.strip() for part in waived.get("grounds", "").split(",") if part.strip())
    return Waiver(
        vulnerability=waived.get("vulnerability", ""),
        purl=canonical_purl(waived.get("purl", "")),
        owner=statement.person,
        reason=statement.reason,
        state=waived.get("state", ""),
        grounds=grounds,
        expires=statement.expires.astimezone(UTC).date(),
    )
