"""The only place that joins adapters to the service: ``open_lens(home)``."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from lens_core.adapters.clock import SystemClock
from lens_core.adapters.compatibility_gate import CompatibilityGate
from lens_core.adapters.control_process import ControlProcess
from lens_core.adapters.corpora import CorpusStore
from lens_core.adapters.lease import FileLease
from lens_core.adapters.leases import NIGHT, FencedLease, SqlLeases
from lens_core.adapters.load import OpenLoopLoad
from lens_core.adapters.papermill_runner import PapermillRunner
from lens_core.adapters.samples import ParquetSamples
from lens_core.adapters.service_process import ServiceProcess
from lens_core.adapters.sql_ledger import SqlLedger
from lens_core.adapters.wheel_builder import WheelBuilder
from lens_core.advisory_bootstrap import vulnerability_gate
from lens_core.audit_bootstrap import trail_of
from lens_core.catalogue import parse_catalogue
from lens_core.config import Settings, load_settings
from lens_core.drills.previous import parse_previous
from lens_core.errors import InvalidInput
from lens_core.model import Digest
from lens_core.night import NightRules, World
from lens_core.service import Lens
from lens_core.truth import TRUTH_RULES_VERSION
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
    catalogue_file = _data_file(settings, "slices.toml")
    catalogue = parse_catalogue(catalogue_file.read_text(encoding="utf-8"))
    definitions = _data_file(settings, "definitions")
    corpora = CorpusStore(home / "corpora", definitions)
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
            dataset_digest=_dataset_digest(catalogue.digest, store.file_digests(definitions), settings),
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
    known = parse_previous(_data_file(settings, "previous/versions.toml").read_text(encoding="utf-8"))
    return CompatibilityGate(open_drills(settings.home), [one.version for one in known], settings.drill.rules())


def _data_file(settings: Settings, name: str) -> Path:
    """A reviewed data file: beside ``lens.toml`` when that folder has its own, else the project's."""
    own = settings.root / "data" / name
    file = own if own.exists() else _PROJECT / "data" / name
    if not file.exists():
        raise InvalidInput(f"expected {file}, saw no such file", "work in a clone of the repository")
    return file


def _dataset_digest(catalogue: Digest, definitions: Mapping[str, str], settings: Settings) -> Digest:
    """What the questions depend on, beside the seed: the corpora, the rules of truth, how many are asked."""
    parts = [str(catalogue), TRUTH_RULES_VERSION, settings.load.questions_per_class, dict(definitions)]
    return Digest("sha256:" + hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest())
