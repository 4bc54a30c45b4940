"""Joins what drilling and reading drills need: ``open_drilling()`` and ``open_drills()``."""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lens_core.adapters.clock import SystemClock
from lens_core.adapters.cut_workspace import CutWorkspace
from lens_core.adapters.drill_bench import ProcessBench
from lens_core.adapters.drill_cells import ENGINE_CELLS, folder_digest
from lens_core.adapters.drill_integrity import IntegrityCell
from lens_core.adapters.drill_servers import SERVER_CELLS
from lens_core.adapters.drill_versions import RegisteredVersions
from lens_core.adapters.engine_homes import EngineHome, EngineHomes
from lens_core.adapters.git_source import GitSource
from lens_core.adapters.lease import FileLease
from lens_core.adapters.wheel_builder import WheelBuilder
from lens_core.config import load_settings
from lens_core.drills.asking import AskingWorld
from lens_core.drills.drill import DrillRules
from lens_core.drills.judging import JUDGES
from lens_core.drills.ports import Cell, DrillCandidate, DrillListener
from lens_core.drills.previous import Previous, parse_previous, select_previous
from lens_core.drills.run import CompatDrill, Drill, DrillWorld
from lens_core.errors import IntegrityError
from lens_core.keys_bootstrap import open_keys
from lens_core.places import home_folder
from lens_core.supply.words import Progress
from lens_core.verify_bootstrap import open_drills, open_releases

DRILLING = "drilling"
"""Below the home folder: where a drill is worked at."""

CELLS: Sequence[Cell] = (*ENGINE_CELLS, IntegrityCell(), *SERVER_CELLS)
"""Every cell that is asked."""

_PROJECT = Path(__file__).resolve().parent.parent
_PREVIOUS = _PROJECT / "data" / "previous"
_LOCK = _PROJECT / "requirements-engine.lock"


@dataclass(frozen=True, slots=True)
class DrillTimes:
    """How long one process, and how long one cell may take, in seconds."""

    step_s: float = 60.0
    cell_s: float = 120.0


DEFAULT_RULES, DEFAULT_TIMES = DrillRules(), DrillTimes()
"""What holds where ``lens.toml`` is not asked."""


class Drilling:
    """Drills candidates of the project that it stands in."""

    def __init__(self, world: DrillWorld, known: tuple[Previous, ...]) -> None:
        self._world = world
        self._known = known

    def drill(self, version: str, previous: str, listener: DrillListener) -> Drill:
        """Drill a release (HEAD when ``version`` is empty) against ``previous``, separated by commas (all when empty).

        See ``CompatDrill.run`` for what it refuses.
        """
        chosen = select_previous(self._known, previous)
        return CompatDrill(self._world, version, [one.version for one in chosen], listener).run()


def configured_drilling(*, offline: bool, signing_key: Path | None, agent: str) -> Drilling:
    """Drilling by the rules and times of ``lens.toml``."""
    settings = load_settings()
    times = DrillTimes(settings.drill.step_timeout_s, settings.drill.cell_timeout_s)
    return open_drilling(
        settings.home,
        rules=settings.drill.rules(),
        times=times,
        offline=offline,
        signing_key=signing_key,
        agent=agent,
    )


def open_drilling(  # noqa: PLR0913  (what a command's options name)
    home: Path | None = None,
    *,
    rules: DrillRules = DEFAULT_RULES,
    times: DrillTimes = DEFAULT_TIMES,
    offline: bool = False,
    signing_key: Path | None = None,
    agent: str = "",
    previous: Path = _PREVIOUS,
) -> Drilling:
    """Join everything that a drill needs. InvalidInput for a list of previous versions that cannot be used."""
    if offline:  # pip fetches what is not here; then it says at once that it cannot
        os.environ["PIP_NO_INDEX"] = "1"
    home = home_folder(home)
    known, homes = (
        parse_previous((previous / "versions.toml").read_text(encoding="utf-8")),
        EngineHomes(previous, home / "cache"),
    )
    world = DrillWorld(
        asking=AskingWorld(
            versions=RegisteredVersions(known, previous, homes),
            cells=CELLS,
            bench=lambda: ProcessBench(times.step_s),
            stopwatch=time.monotonic,
            digest=folder_digest,
            cell_s=times.cell_s,
            keep=rules.top_k,
        ),
        candidate=_candidates(home),
        home=lambda candidate, progress: _home(homes, candidate, progress),
        rules=rules,
        judges=JUDGES,
        workspace=lambda version, subject: CutWorkspace(home / DRILLING / f"seal-{version}", subject),
        scratch=lambda: _scratch(home / DRILLING),
        store=open_drills(home),
        signer=lambda: open_keys(home).signer(signing_key, agent),
        clock=SystemClock(),
        lease=FileLease(home / "drill.lock", held="a candidate is being drilled"),
        person=GitSource(_PROJECT).person,
    )
    return Drilling(world, known)


def _candidates(home: Path) -> Callable[[str], DrillCandidate]:
    def candidate(version: str) -> DrillCandidate:
        if not version:
            return _head(home)
        releases = open_releases(home)
        place = releases.place(version)
        found = releases.verify(version)
        if found.release is None or not found.stands:
            raise IntegrityError(f"{version} does not verify: {found.faults[0]}", f"`lens verify {version}` names all")
        [wheel] = (place / "dist").glob("*.whl")
        one = found.release.candidate
        return DrillCandidate(one.version, wheel, one.digest.hex, one.commit, one.dirty)

    return candidate


def _head(home: Path) -> DrillCandidate:
    built = WheelBuilder(_PROJECT, home / "artifacts").build()
    [wheel] = (home / "artifacts" / built.digest.hex).glob("*.whl")
    return DrillCandidate(built.version, wheel, built.digest.hex, built.commit, built.dirty)


def _home(homes: EngineHomes, candidate: DrillCandidate, progress: Progress) -> EngineHome:
    seen = hashlib.sha256(candidate.wheel.read_bytes()).hexdigest()
    if seen != candidate.wheel_sha256:
        raise IntegrityError(
            f"expected wheel {candidate.wheel_sha256}, saw {seen}", "it changed meanwhile: drill again"
        )
    return homes.of_wheel(candidate.wheel, _LOCK.read_text(encoding="utf-8"), progress)


@contextmanager
def _scratch(place: Path) -> Iterator[Path]:
    """An empty folder to work in; what a drill that was killed left there is removed first."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        with tempfile.TemporaryDirectory(prefix="scratch-", dir=place) as scratch:
            yield Path(scratch)
    finally:
        shutil.rmtree(place, ignore_errors=True)
