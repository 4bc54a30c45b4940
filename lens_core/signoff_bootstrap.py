"""Joins the sign-off's desk to its ledger, its signatures and what it knows: ``open_signoff(home)``."""

from pathlib import Path

from lens_core.adapters.alert_ledger import SqlAlertLedger
from lens_core.adapters.clock import SystemClock
from lens_core.adapters.notifier import target_of
from lens_core.adapters.sender import SenderProcess
from lens_core.adapters.signoff_ledger import SqlStatements
from lens_core.audit_bootstrap import trail_of
from lens_core.config import load_settings
from lens_core.qualification_bootstrap import open_qualification, slices_of
from lens_core.signature_bootstrap import open_signatures
from lens_core.signoff_desk import DeskWorld, SignoffDesk


def open_signoff(home: Path | None = None, config: Path | None = None) -> SignoffDesk:
    """The desk over a home folder; InvalidInput or Unavailable when the configuration or the ledger cannot be used."""
    settings = load_settings(home, config)
    trail, file = trail_of(settings), settings.home / "lens.db"
    targets = tuple(target_of(template) for template in settings.monitor.notify)
    alerts = SqlAlertLedger(file, trail)
    return SignoffDesk(
        DeskWorld(
            ledger=SqlStatements(file, trail, targets),
            clock=SystemClock(),
            qualification=open_qualification(settings).case,
            signatures=open_signatures(settings),
            rules=settings.signoff.rules(slices_of(settings)),
            courier=SenderProcess(settings.home, settings.config, alerts, settings.monitor.retry_most_s),
        )
    )
