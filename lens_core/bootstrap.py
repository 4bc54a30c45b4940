"""The only place that joins adapters to the service: ``open_lens(home)``."""

import json
from pathlib import Path

from lens_core.adapters.clock import SystemClock
from lens_core.adapters.compatibility_gate import CompatibilityGate
from lens_core.adapters.control_process import ControlProcess
from lens_core.adapters.corpora import CorpusStore
from lens_core.adapters.fencing import NIGHT, FencedLease, SqlLeases
from lens_core.adapters.lease import FileLease
from lens_core.adapters.load import OpenLoopLoad
from lens_core.adapters.papermill_runner import PapermillRunner
from lens_core.adapters.samples import ParquetSamples
from lens_core.adapters.service_process import ServiceProcess
from lens_core.adapters.sql_ledger import SqlLedger
from lens_core.adapters.wheel_builder import WheelBuilder
from lens_core.advisory_bootstrap import vulnerability_gate
from lens_core.audit_bootstrap import trail_of
from lens_core.config import Settings, load_settings
from lens_core.dataset_bootstrap import data_file, open_catalogue, open_dataset_digest, open_previous
from lens_core.night import NightRules, World
from lens_core.service import Lens
from lens_core.validation import SliceSettings, SliceValidation
from lens_core.verify_bootstrap import open_drills

# Notebooks, the catalogue and the parsers' definitions stand beside the package, in the repository.
_PROJECT = Path(__file__).resolve().parent.parent


def open_lens(home: Path | None = None, config: Path | None = None) -> Lens:
    """Read ``lens.toml``, open the ledger in ``home``, and hand out the service.

    InvalidInput when the configuration or the catalogue cannot be used, Unavailable when the
    ledger cannot be opened.
    """
    settings = load_settings(home, config)
    home = settings.home
    catalogue = open_catalogue(settings)
    corpora = CorpusStore(home / "corpora", data_file(settings, "definitions"))
    builder = WheelBuilder(_PROJECT, home / "artifacts")
    store = ParquetSamples()
    trail = trail_of(settings)
    ledger = SqlLedger(home / "lens.db", trail)
    tokens = SqlLeases(home / "lens.db", trail)
    return Lens(
        World(
            ledger=ledger,
            clock=SystemClock(),
            builder=builder,
            corpora=corpora,
            store=store,
            lease=FencedLease(FileLease(home / "night.lock"), tokens, NIGHT, SystemClock()),
            notebooks=PapermillRunner(
                home / "nights" / "assets", settings.night.cell_timeout_s, settings.night.start_timeout_s
            ),
            validation=_validation(settings, builder, corpora, store),
            catalogue=catalogue,
            dataset_digest=open_dataset_digest(settings),
            rules=NightRules(
                policy=settings.policy.policy(),
                digest=settings.policy_digest,
                record=settings.policy_record,
                not_yet_measured=settings.policy.not_yet_measured,
                notebook_grace_s=settings.night.cell_timeout_s,
            ),
            home=home,
            config=settings.config,
            sources=_PROJECT / "notebooks",
            gates=(vulnerability_gate(settings, ledger), _compatibility_gate(settings)),
        )
    )


def _validation(
    settings: Settings, builder: WheelBuilder, corpora: CorpusStore, store: ParquetSamples
) -> SliceValidation:
    """What measures a slice, as ``lens.toml`` asks for it."""
    service = settings.service
    return SliceValidation(
        builder=builder,
        corpora=corpora,
        service=ServiceProcess(service.index, service.serve, service.index_timeout_s, service.start_timeout_s),
        control=ControlProcess(),
        load=OpenLoopLoad(),
        store=store,
        indexes=settings.home / "indexes",
        settings=SliceSettings(
            rate_per_s=settings.load.rate_per_s,
            warmup_requests=settings.load.warmup_requests,
            request_timeout_s=settings.load.request_timeout_s,
            questions_per_class=settings.load.questions_per_class,
            leak_probes=settings.load.leak_probes,
            cores=service.cores,
            memory_budget_mb=service.memory_budget_mb,
        ),
        policy=settings.policy.policy(),
        service_key=json.dumps(service.index),
    )


def _compatibility_gate(settings: Settings) -> CompatibilityGate:
    """The drills of the home folder, held against every registered version and the rules in force."""
    known = [one.version for one in open_previous(settings)]
    return CompatibilityGate(open_drills(settings.home), known, settings.drill.rules())
