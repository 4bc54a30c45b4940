"""Asks every cell about one previous version, each in a folder and a time of its own, and notes how that ended.

A cell looks in a thread of its own: when its time is over its processes are killed, and the drill goes on whether or
not the cell has noticed. Whatever it throws is an observation too.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread

from lens_core.cut_ports import Stopwatch
from lens_core.drills.drill import Drilled, Ended, Observation
from lens_core.drills.ports import Bench, Case, Cell, DrillListener, Facts, Home, HungUp, NotAsked, OldIndex, Versions
from lens_core.errors import LensError, Unavailable

_SHOWN = 600


@dataclass(frozen=True, slots=True)
class AskingWorld:
    """What asking uses: registered versions, cells, benches to run engines on, and the time one cell has in seconds.

    ``digest`` gives the digest of a folder, ``sha256:…``. ``keep`` is how many hits of an answer are noted.
    """

    versions: Versions
    cells: Sequence[Cell]
    bench: Callable[[], Bench]
    stopwatch: Stopwatch
    digest: Callable[[Path], str]
    cell_s: float
    keep: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A version that was asked about, and what its cells saw."""

    previous: Drilled
    observations: tuple[Observation, ...]


class Asking:
    """Asks about versions; several threads may ask, each about another one. ``scratch`` is worked in."""

    def __init__(self, world: AskingWorld, candidate: Home, scratch: Path, listener: DrillListener) -> None:
        self._world = world
        self._candidate = candidate
        self._scratch = scratch
        self._listener = listener
        self._lock = Lock()
        self._live: dict[Event, Bench] = {}
        self._stopped = False

    def about(self, version: str) -> Asked:
        """Every cell about a version, in the order of the cells."""
        world, folder = self._world, self._scratch / version
        previous = Drilled(version, world.versions.tantivy(version), world.versions.wheel_sha256(version))
        began = world.stopwatch()
        try:
            home = self._home(version)
            old_index = self._old_index(version, home, folder)
        except (LensError, HungUp) as error:
            return Asked(previous, tuple(self._not_ready(version, cell, error) for cell in world.cells))
        self._listener.done(version, old_index.origin, "the old index is there", world.stopwatch() - began)
        previous = Drilled(
            version, previous.tantivy, previous.wheel_sha256, world.digest(old_index.index), old_index.origin
        )
        seen = tuple(self._ask(cell, previous, home, old_index) for cell in world.cells)
        shutil.rmtree(folder, ignore_errors=True)
        return Asked(previous, seen)

    def stop(self) -> None:
        """Kill what runs; whoever waits for a cell goes on at once. Nothing new begins."""
        with self._lock:
            self._stopped = True
            live = list(self._live.items())
        for over, bench in live:
            bench.stop()
            over.set()

    def _home(self, version: str) -> Home | None:
        """Where the old version runs; None when it cannot be had here, and only its archive speaks for it."""
        try:
            return self._world.versions.home(version, lambda line: self._listener.at(version, line))
        except Unavailable as error:
            self._listener.at(version, f"{error.message}: its archived index is drilled")
            return None

    def _old_index(self, version: str, home: Home | None, folder: Path) -> OldIndex:
        """What the old version indexes now; what it archived where it cannot be run."""
        archived = self._world.versions.unpack(version, folder / "archived")
        if home is None or archived.tree is None:
            return archived
        self._listener.at(version, "indexing with the old version")
        built, bench = folder / "built", self._world.bench()
        answer = bench.engine(home).ask("build", source=archived.tree, index=built)
        if not answer["ok"]:
            raise Unavailable(f"{version} cannot index: {answer['refusal']['message']}", "see its archived index")
        return OldIndex(built, archived.tree, archived.questions, None, "built")

    def _ask(self, cell: Cell, previous: Drilled, home: Home | None, old_index: OldIndex) -> Observation:
        version, bench, over = previous.version, self._world.bench(), Event()
        scratch = self._scratch / version / cell.name
        scratch.mkdir(parents=True)
        old, new = bench.engine(home) if home else None, bench.engine(self._candidate)
        case = Case(cell.name, previous, old, new, old_index, scratch, self._world.keep)
        began, seen = self._world.stopwatch(), list[Observation]()

        def look() -> None:
            seen.append(self._look(cell, case))
            over.set()

        self._listener.at(version, cell.name.replace("_", " "))
        with self._lock:
            self._live[over] = bench
            stopped = self._stopped
        if not stopped:
            Thread(target=look, daemon=True, name=f"{version} {cell.name}").start()
            over.wait(self._world.cell_s)
        bench.stop()
        with self._lock:
            del self._live[over]
        noted = seen[0] if seen else self._over(version, cell.name)
        shutil.rmtree(scratch, ignore_errors=True)
        self._listener.done(version, cell.name, noted.ended.value, self._world.stopwatch() - began)
        return noted

    def _look(self, cell: Cell, case: Case) -> Observation:
        version, name = case.previous.version, cell.name
        try:
            facts: Facts = cell.observe(case, lambda line: self._listener.at(version, f"{name}: {line}"))
            observation = Observation(version, name, Ended.DONE, "", facts)
            observation.encode()  # what canonical JSON cannot hold is no evidence
        except NotAsked as error:
            return Observation(version, name, Ended.SKIPPED, str(error))
        except HungUp as error:
            ended = Ended.TIMED_OUT if error.timed_out else Ended.CRASHED
            return Observation(version, name, ended, self._scrubbed(str(error)))
        except BaseException as error:  # noqa: BLE001  (whatever a cell throws, it saw nothing: that is what is noted)
            return Observation(version, name, Ended.CRASHED, self._scrubbed(f"{type(error).__name__}: {error}"))
        return observation

    def _over(self, version: str, cell: str) -> Observation:
        if self._stopped:
            return Observation(version, cell, Ended.SKIPPED, "the drill was broken off")
        return Observation(version, cell, Ended.TIMED_OUT, f"not over within {self._world.cell_s:g} s")

    def _not_ready(self, version: str, cell: Cell, error: Exception) -> Observation:
        self._listener.done(version, cell.name, "skipped", 0.0)
        return Observation(version, cell.name, Ended.SKIPPED, self._scrubbed(f"no old index to drill: {error}"))

    def _scrubbed(self, text: str) -> str:
        """Without the places of this machine."""
        return text.replace(str(self._scratch), "<scratch>")[:_SHOWN]
