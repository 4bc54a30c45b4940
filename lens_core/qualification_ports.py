"""What qualifying a candidate asks of the world beside ledgers, cuts and drills, as Protocols."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from lens_core.alerts import Alert
from lens_core.cut_ports import ReleaseLedger
from lens_core.model import Digest
from lens_core.monitor_ports import Watches
from lens_core.ports import Ledger


@dataclass(frozen=True, slots=True)
class AuditStanding:
    """What verifying the audit log found: ``fault`` says why it is not believed (empty when it verifies).

    ``claimed`` is what its entries say that the ledger holds, thing → record (``audit_records.held_*`` name things).
    """

    fault: str
    newest_at: datetime | None
    claimed: Mapping[str, str] = field(default_factory=dict)


class NightsAndReleases(Ledger, ReleaseLedger, Protocol):
    """Both halves of one ledger."""


class ScanStore(Protocol):
    """Keeps what advisory sources said between nights."""

    def keep(self, candidate: Digest, files: Mapping[str, bytes], digest: str) -> None:
        """Keep reports by name, whole or not at all, under the digest of them all."""

    def read(self, candidate: Digest, digest: str) -> Mapping[str, bytes]:
        """Read them back; IntegrityError when they are not there, or others."""


class AlertReader(Protocol):
    """What the live monitor remembers."""

    def watches(self) -> Watches:
        """Everything that was ever watched."""

    def alerts(self, *, also_resolved: bool = ...) -> Sequence[Alert]:
        """Open alerts, newest first."""


class History(Protocol):
    """What git knows of two commits."""

    def lines_changed(self, before: str, after: str) -> int | None:
        """Lines added and removed from one commit to another; None when git does not know them both."""
