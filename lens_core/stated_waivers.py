"""Waivers that people stated of a candidate: what the ledger keeps of them, and which of them hold at a moment."""

from collections.abc import Sequence
from datetime import datetime

from lens_core.errors import IntegrityError
from lens_core.model import Release
from lens_core.signoff.waivers import standing_waivers, waiver_of
from lens_core.signoff.words import Recorded, SignoffRules
from lens_core.signoff_ports import Kept, SignatureCheck, StatementLedger
from lens_core.signoff_statements import recorded
from lens_core.supply.vex import Waiver


def read_statements(
    kept: Sequence[Kept], signatures: SignatureCheck, rules: SignoffRules
) -> tuple[tuple[Recorded, ...], str]:
    """Statements as they are believed today, and why some cannot even be read: what is lost may have been a no."""
    found: list[Recorded] = []
    unreadable = ""
    for one in kept:
        try:
            found.append(recorded(one, signatures, rules.people))
        except IntegrityError as error:
            unreadable = unreadable or f"statement {one.signed.digest} cannot be read: {error.message}"
    return tuple(found), unreadable


def stated_waivers(
    statements: StatementLedger, signatures: SignatureCheck, rules: SignoffRules, release: Release, now: datetime
) -> tuple[Waiver, ...]:
    """The waivers of the ledger that hold for a candidate ``now``."""
    found, _ = read_statements(statements.statements(release.candidate.digest), signatures, rules)
    return waivers_that_hold(found, release, rules, now)


def waivers_that_hold(
    statements: Sequence[Recorded], release: Release, rules: SignoffRules, now: datetime
) -> tuple[Waiver, ...]:
    """The waivers among ``statements`` that hold for a candidate ``now``."""
    held = standing_waivers(statements, str(release.candidate.digest), release.cut_by, rules, now)
    return tuple(waiver_of(one.statement) for one in held)
