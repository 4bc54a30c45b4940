"""What a compatibility drill asks of the world, as Protocols, and the values that pass between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lens_core.drills.drill import Drilled
from lens_core.supply.words import Fault, Progress

Facts = dict[str, Any]
"""What a cell saw, as JSON."""


class NotAsked(Exception):
    """A cell cannot be asked here, in one sentence: it ends SKIPPED, which is an ERROR."""


class HungUp(Exception):
    """A process of a cell did not end in its time, or died without a word."""

    def __init__(self, message: str, *, timed_out: bool) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class Engine(Protocol):
    """One version of the engine in a home of its own, spoken to through processes that end in their time."""

    @property
    def version(self) -> str:
        """Its version."""

    @property
    def tantivy(self) -> str:
        """The version of tantivy that it runs on."""

    @property
    def site(self) -> Path:
        """The folder that holds it and all that it imports."""

    def ask(self, op: str, **arguments: Any) -> Facts:
        """What the worker says, refusals included; HungUp when it says nothing, or not in time."""

    def run(self, *arguments: str, kill_after_s: float | None = None) -> Facts:
        """Run an engine command: its ``exit_code``, what it ``said``, its ``seconds``, and whether it was ``killed``.

        With ``kill_after_s`` it is killed (SIGKILL) if it takes that long, which is no fault. HungUp when it does
        not end in time.
        """

    def command(self, script: Path) -> tuple[str, ...]:
        """The command that runs a script in its home."""


@dataclass(frozen=True, slots=True)
class OldIndex:
    """What a previous version left: its index, what it was built from, questions, and its own answers to them.

    ``tree`` is None where the sources are not here. ``index`` is pristine: cells work on copies.
    """

    index: Path
    tree: Path | None
    questions: Sequence[Mapping[str, Any]]
    answers: Facts | None
    origin: str


@dataclass(frozen=True, slots=True)
class Case:
    """One previous version before one cell: both engines, the old index, and an empty folder to work in.

    ``old`` is None where the old version cannot be run here.
    """

    cell: str
    previous: Drilled
    old: Engine | None
    new: Engine
    old_index: OldIndex
    scratch: Path
    keep: int

    def old_engine(self) -> Engine:
        """The old version; NotAsked when it cannot be run here."""
        if self.old is None:
            raise NotAsked(f"{self.previous.version} cannot be run here")
        return self.old


class Cell(Protocol):
    """One question about one previous version: looks, judges nothing. May be asked by several threads at once."""

    @property
    def name(self) -> str:
        """One of ``drill.CELLS``."""

    def observe(self, case: Case, progress: Progress) -> Facts:
        """What is so, as facts for the judge of that name; NotAsked when it cannot be asked."""


class Home(Protocol):
    """Where a version of the engine is unpacked with its own pins."""

    @property
    def site(self) -> Path:
        """The folder that holds it and all that it imports."""

    @property
    def version(self) -> str:
        """Its version."""

    @property
    def tantivy(self) -> str:
        """The version of tantivy that it runs on."""

    def command(self, script: Path) -> tuple[str, ...]:
        """The command that runs a script in it, and lets nothing of the caller's environment in."""


class Bench(Protocol):
    """Runs engines for one cell, and ends everything that it started."""

    def engine(self, home: Home) -> Engine:
        """The engine in a home."""

    def stop(self) -> None:
        """Kill what still runs, from whatever thread; what waits for it then sees HungUp."""


class Versions(Protocol):
    """The previous versions that are registered."""

    def home(self, version: str, progress: Progress) -> Home:
        """Where a version can be run; Unavailable when it cannot be had here."""

    def unpack(self, version: str, folder: Path) -> OldIndex:
        """The index that a version archived, with the tree that it is of, unpacked below ``folder``."""

    def wheel_sha256(self, version: str) -> str:
        """The SHA-256 of a version's wheel in hex."""

    def tantivy(self, version: str) -> str:
        """The version of tantivy that a version runs on."""


class DrillListener(Protocol):
    """Is told how a drill goes on; from several threads."""

    def at(self, version: str, line: str) -> None:
        """What is being done about a version."""

    def done(self, version: str, cell: str, line: str, seconds: float) -> None:
        """A cell was asked, or the old version is ready."""


@dataclass(frozen=True, slots=True)
class DrillCandidate:
    """What is drilled: a version, its wheel with its SHA-256 in hex, and the commit that it was built from.

    ``dirty`` says that the working tree held changes that the wheel does not.
    """

    version: str
    wheel: Path
    wheel_sha256: str
    commit: str
    dirty: bool


class DrillStore(Protocol):
    """Where finished drills stand: ``<version>/<n>``, n from 1."""

    def next_place(self, version: str) -> Path:
        """Where the next drill of a version is to stand."""

    def faults(self, folder: Path, keys: Mapping[str, bytes] | None = None) -> Sequence[Fault]:
        """What is wrong with a drill, held against ``keys``, else against the trusted ones."""

    def trusted(self) -> Mapping[str, bytes]:
        """The public keys (raw, by id) that are believed here."""
