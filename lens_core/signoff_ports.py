"""What the sign-off asks of the world, as Protocols."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lens_core.alerts import Message
from lens_core.audit import Anchor
from lens_core.model import Digest
from lens_core.signoff.words import Act, Method, Scan, Signed, Statement


@dataclass(frozen=True, slots=True)
class Kept:
    """A statement as the ledger holds it."""

    signed: Signed
    act: Act
    person: str
    candidate: Digest
    recorded_at: datetime


class StatementLedger(Protocol):
    """What is remembered of statements and scans. Each writing method is one transaction with its audit entry."""

    def record_statement(
        self, signed: Signed, statement: Statement, expected: int, now: datetime, messages: Sequence[Message] = ()
    ) -> bool:
        """Keep a statement that was accepted; False when exactly this one is kept already (then nothing changes).

        ``expected`` is how many statements the caller saw on this candidate when deciding: Conflict when there are
        more by now, so that two people never decide on the same state at once. ``messages`` go out for it.
        """

    def statements(self, candidate: Digest | None = None) -> tuple[Kept, ...]:
        """Oldest first; those of all candidates when none is named."""

    def record_scan(self, candidate: Digest, scan: Scan) -> None:
        """Keep what the advisory sources said of a candidate between nights."""

    def newest_scan(self, candidate: Digest) -> Scan | None:
        """The newest of them."""


class StatementSigner(Protocol):
    """Signs statements for one person."""

    def sign(self, content: bytes) -> Signed:
        """Sign; Unavailable or InvalidInput when the key cannot be used."""


class SignatureCheck(Protocol):
    """Tells who signed: by the allowed signers, the revoked keys and the portal's key."""

    def fault(self, signed: Signed, person: str, at: datetime) -> str:
        """Why ``signed`` is not ``person``'s signature, made with a key that was theirs ``at`` that time; or empty."""

    def method_allowed(self, person: str, method: Method) -> bool:
        """Whether the person may sign in that way."""


class AuditAnchors(Protocol):
    """Keeps heads of the audit log somewhere outside of the database."""

    @property
    def name(self) -> str:
        """For people: where."""

    def keep(self, anchor: Anchor) -> None:
        """Add one; Unavailable when it cannot be kept. Keeping the newest one again changes nothing."""

    def anchors(self) -> Sequence[Anchor]:
        """All that are kept, oldest first; Unavailable when they cannot be read."""


Now = Callable[[], datetime]
