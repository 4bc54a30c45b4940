"""Joins what the portal's sign-off page needs: the desk, the portal's own key, and whom the configuration names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from lens_core.errors import Unavailable
from lens_core.signoff.words import Act, Person, Readiness, Recorded, Role, Signed
from lens_core.signoff_ports import StatementSigner


class Standing(Protocol):
    """Where a candidate stands."""

    @property
    def readiness(self) -> Readiness:
        """Whether it may be promoted, and every reason why not."""

    def objections(self, act: Act, person: str, role: Role | None, refers: str = "") -> tuple[str, ...]:
        """Every reason why the person may not state this now."""


class Desk(Protocol):
    """What the portal asks of the sign-off desk. ``record`` is the only entrance: it decides, whatever was drawn."""

    def standing(self, version: str = "") -> Standing:
        """Where a candidate stands now."""

    def statements(self, version: str = "") -> tuple[Recorded, ...]:
        """What people stated about it, oldest first."""

    def reviews(self) -> tuple[Recorded, ...]:
        """Every use of break-glass that nobody has reviewed, of any candidate."""

    def draft(  # noqa: PLR0913, PLR0917  (what a statement says)
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
        """A statement about the dossier of now, to be signed."""

    def record(self, signed: Signed) -> Recorded:
        """Check and keep a statement; SignoffRefused with every reason why it does not count."""


@dataclass(frozen=True, slots=True)
class PortalSignoff:
    """What the page works with. ``now`` is the time by which sign-ins end."""

    desk: Desk
    signer: StatementSigner
    people: tuple[Person, ...]
    now: Callable[[], datetime]


def open_portal_signoff(home: Path | None = None, config: Path | None = None) -> PortalSignoff:
    """The desk over a home folder."""
    raise Unavailable("there is no desk yet")
