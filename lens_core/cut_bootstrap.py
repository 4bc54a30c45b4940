"""Joins what cutting a candidate needs: ``open_cutting()``."""

import os
import time
from pathlib import Path

from lens_core.adapters.clock import SystemClock
from lens_core.adapters.coverage_record import CoverageKeeper
from lens_core.adapters.cut_folder import verifier_script
from lens_core.adapters.cut_steps import DistributionsStep, ImageStep, QualityStep, SastStep, SbomStep, ScanStep
from lens_core.adapters.cut_store import FolderCuts
from lens_core.adapters.cut_workspace import CutWorkspace
from lens_core.adapters.debian_base import DebianBase
from lens_core.adapters.debian_index import DebianIndex
from lens_core.adapters.docker_engine import DockerEngine
from lens_core.adapters.git_source import GitSource
from lens_core.adapters.image_builder import ImageBuilder
from lens_core.adapters.lease import FileLease
from lens_core.adapters.scanners import default_scanners
from lens_core.adapters.sql_ledger import SqlLedger
from lens_core.advisory_bootstrap import advisory_sources
from lens_core.audit_bootstrap import trail_of
from lens_core.config import CutSettings, Settings, load_settings
from lens_core.cut import CutRequest, CutRun, CutWorld
from lens_core.cut_ports import CutListener, ReleaseLedger, Step
from lens_core.errors import InvalidInput
from lens_core.keys_bootstrap import open_keys
from lens_core.model import Release
from lens_core.registry_bootstrap import registry_of
from lens_core.supply.base_lock import BaseLock
from lens_core.supply.candidate import read_rules
from lens_core.supply.scanner_kinds import LINT
from lens_core.verify_bootstrap import RELEASES, open_releases

_PROJECT = Path(__file__).resolve().parent.parent


class Cutting:
    """Cuts candidates of the project that it stands in."""

    def __init__(self, world: CutWorld) -> None:
        self._world = world

    def cut(self, request: CutRequest, listener: CutListener) -> Release:
        """Cut, go on with, or confirm a version; see ``CutRun.run`` for what it refuses."""
        return CutRun(self._world, request, listener).run()


def open_cutting(
    home: Path | None = None,
    config: Path | None = None,
    *,
    base_lock: Path | None = None,
    signing_key: Path | None = None,
    agent: str = "",
) -> Cutting:
    """Read ``lens.toml`` and join everything that a cut needs. InvalidInput for what cannot be used."""
    settings = load_settings(home, config)
    home, cut = settings.home, settings.cut
    releases, source = open_releases(home), GitSource(_PROJECT)
    store = FolderCuts(home / RELEASES, releases, home / "artifacts")
    return Cutting(
        CutWorld(
            ledger=SqlLedger(home / "lens.db", trail_of(settings)),
            clock=SystemClock(),
            stopwatch=time.monotonic,
            lease=FileLease(home / "cut.lock", held="a candidate is being cut"),
            source=source,
            steps=_steps(settings, source, _base(cut, base_lock)),
            workspace=lambda version, subject: CutWorkspace(home / "cuts" / version, subject),
            store=store,
            signer=lambda: open_keys(home).signer(signing_key, agent),
            registry=registry_of(settings) if cut.registry else None,
            rules=read_rules(cut.policy_record),
            policy_record=cut.policy_record,
            builder_id=cut.builder_id,
            verifier=verifier_script(),
            person=source.person,
        )
    )


def open_release_ledger(home: Path | None = None, config: Path | None = None) -> ReleaseLedger:
    """What is remembered of candidates."""
    settings = load_settings(home, config)
    return SqlLedger(settings.home / "lens.db", trail_of(settings))


def _steps(settings: Settings, source: GitSource, base: BaseLock | str | None) -> tuple[Step, ...]:
    home, cut = settings.home, settings.cut
    cache, clock = home / "cache", SystemClock()
    engine = DockerEngine(_engine_address(cut, home), cut.engine_timeout_s)
    builder = ImageBuilder(cache, engine, DebianBase(cache, DebianIndex(cache / "apt", clock.now)))
    scanners = tuple(s for s in default_scanners(_PROJECT / "data" / "semgrep") if s.name != LINT)
    return (
        DistributionsStep(source),
        QualityStep(CoverageKeeper(_PROJECT, home)),
        ImageStep(builder, engine, base),
        SastStep(scanners),
        SbomStep(cache),
        ScanStep(advisory_sources(settings), settings.root / cut.waivers, clock.now),
    )


def _engine_address(cut: CutSettings, home: Path) -> str | None:
    """The engine that is configured, else DOCKER_HOST's, else that of ``scripts/services``, else the system's."""
    own = home / "services" / "docker.sock"
    return cut.engine or os.environ.get("DOCKER_HOST") or (f"unix://{own}" if own.exists() else None)


def _base(cut: CutSettings, lock: Path | None) -> BaseLock | str | None:
    """What the image stands on: an earlier cut's packages, a named image, or today's packages."""
    if lock is None:
        return cut.base_image or None
    try:
        return BaseLock.parse(lock.read_bytes())
    except OSError as error:
        raise InvalidInput(f"{lock} cannot be read: {error.strerror}", "name an earlier cut's lock") from error
