"""Joins what qualifying a candidate needs: ``open_qualification(settings)``."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from lens_core.adapters.alert_ledger import SqlAlertLedger
from lens_core.adapters.clock import SystemClock
from lens_core.adapters.git_source import GitSource
from lens_core.adapters.samples import ParquetSamples
from lens_core.adapters.scan_files import ScanFiles
from lens_core.adapters.signoff_ledger import SqlStatements
from lens_core.adapters.sql_ledger import SqlLedger
from lens_core.advisory_bootstrap import advisory_sources, vex_file
from lens_core.audit_bootstrap import audit_of, trail_of
from lens_core.config import Settings, load_settings
from lens_core.dataset_bootstrap import open_catalogue, open_dataset_digest, open_previous
from lens_core.drills.record import rules_json
from lens_core.errors import LensError
from lens_core.ports import Clock
from lens_core.qualification import Qualification, QualificationWorld
from lens_core.qualification_ports import AuditStanding
from lens_core.signature_bootstrap import open_signatures
from lens_core.supply import canonical
from lens_core.supply.advisory_gates import AdvisoryPolicy
from lens_core.supply.candidate import read_rules
from lens_core.verify_bootstrap import open_drills, open_releases

SCANS = "scans"
"""Below the home folder: what advisory sources said between nights."""

_SHOWN = 3


def open_qualification(settings: Settings, clock: Clock | None = None, *, recompute: bool = False) -> Qualification:
    """Everything that is known of the candidates of a home folder, by the rules of ``settings``.

    InvalidInput or Unavailable when the configuration or the ledger cannot be used.
    """
    home, trail = settings.home, trail_of(settings)
    file = home / "lens.db"
    ledger, statements = SqlLedger(file, trail), SqlStatements(file, trail)
    return Qualification(
        QualificationWorld(
            releases=open_releases(home),
            drills=open_drills(home),
            ledger=ledger,
            statements=statements,
            signatures=open_signatures(settings),
            audit=_standing(settings),
            alerts=SqlAlertLedger(file, trail),
            history=GitSource(settings.root),
            store=ParquetSamples(),
            scans=ScanFiles(home / SCANS),
            sources=lambda: advisory_sources(settings),
            waivers=lambda: vex_file(settings),
            advisories=AdvisoryPolicy(timedelta(days=settings.cut.policy.max_data_age_days)),
            cut_rules=read_rules(settings.cut.policy_record),
            drill_rules=settings.drill.rules(),
            night_policy=settings.policy.policy(),
            previous=tuple(one.version for one in open_previous(settings)),
            rules=settings.signoff.rules(slices_of(settings)),
            policies=policies_of(settings),
            home=home,
            clock=clock or SystemClock(),
        ),
        recompute=recompute,
    )


def open_check(home: Path | None = None, config: Path | None = None, *, recompute: bool = False) -> Qualification:
    """``open_qualification`` by the configuration of a home folder, for whoever only looks."""
    return open_qualification(load_settings(home, config), recompute=recompute)


def slices_of(settings: Settings) -> tuple[str, ...]:
    """The slices that a night must be of: all of the catalogue."""
    return tuple(str(corpus.slice) for corpus in open_catalogue(settings).corpora)


def policies_of(settings: Settings) -> Mapping[str, str]:
    """The digests of the rules in force, by name: what approvals are bound to."""
    return {
        "night": str(settings.policy_digest),
        "dataset": str(open_dataset_digest(settings)),
        "cut": _digest(settings.cut.policy_record),
        "drill": _digest(canonical.encode(rules_json(settings.drill.rules()))),
        "signoff": str(settings.signoff.digest),
    }


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _standing(settings: Settings) -> Callable[[], AuditStanding]:
    """Verifies the audit log; what cannot even be read is not believed either."""

    def standing() -> AuditStanding:
        try:
            found = audit_of(settings).verify()
        except (LensError, OSError) as error:
            return AuditStanding(str(error) or type(error).__name__, None)
        odd = [*found.faults, *found.mismatches.values()]
        if found.entries and not found.anchored and settings.audit.anchors:
            odd.append(f"no head of it is kept where [audit] says: {', '.join(settings.audit.anchors)}")
        more = f"; and {len(odd) - _SHOWN} more" if len(odd) > _SHOWN else ""
        return AuditStanding("; ".join(odd[:_SHOWN]) + more, found.latest, found.claimed)

    return standing
