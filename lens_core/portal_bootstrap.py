"""Joins what the portal's sign-off page needs: the desk, the portal's own key, the people, and the audit log."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lens_core.adapters.clock import SystemClock
from lens_core.audit_bootstrap import OpenAudit, audit_of
from lens_core.config import load_settings
from lens_core.signature_bootstrap import open_portal_signer, people
from lens_core.signoff.words import Person
from lens_core.signoff_bootstrap import open_signoff
from lens_core.signoff_desk import SignoffDesk
from lens_core.signoff_ports import StatementSigner


@dataclass(frozen=True, slots=True)
class PortalSignoff:
    """What the page works with. ``now`` is the time by which sign-ins end."""

    desk: SignoffDesk
    signer: StatementSigner
    people: tuple[Person, ...]
    now: Callable[[], datetime]
    audit: OpenAudit


def open_portal_signoff(home: Path | None = None, config: Path | None = None) -> PortalSignoff:
    """What the page works with, over a home folder; its key is made when the portal is opened first."""
    settings = load_settings(home, config)
    return PortalSignoff(
        desk=open_signoff(settings.home, settings.config),
        signer=open_portal_signer(settings.home, settings.config),
        people=people(settings),
        now=SystemClock().now,
        audit=audit_of(settings),
    )
