"""What cutting a candidate asks of the world, as Protocols, and the values that pass between them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lens_core.model import Release
from lens_core.supply.manifest import Entry
from lens_core.supply.release_version import ReleaseVersion
from lens_core.supply.words import Fault, Progress


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit and its tree by their git ids (hex); ``epoch`` is when it was committed, in seconds since 1970."""

    commit: str
    tree: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """A built wheel or sdist."""

    filename: str
    content: bytes


class Source(Protocol):
    """The repository that a candidate is cut from."""

    def commit(self, ref: str = ...) -> Commit:
        """The commit that ``ref`` names (HEAD, when none does); InvalidInput when it names none."""

    def changes(self) -> tuple[str, ...]:
        """Paths that differ from HEAD or that are not committed."""

    def archive(self, commit: Commit) -> bytes:
        """The commit's tree as a tar archive."""

    def person(self) -> str:
        """Who works here; empty when nobody said."""


@dataclass(frozen=True, slots=True)
class CutJob:
    """What every step is told: which commit is cut under which version, and where.

    ``source`` holds the commit's files; ``folder`` takes what the steps make.
    """

    version: ReleaseVersion
    commit: Commit
    source: Path
    folder: Path


@dataclass(frozen=True, slots=True)
class Made:
    """What a step made: names of files below the cut's folder, or of whole folders; and a line for people."""

    names: tuple[str, ...]
    said: str


class Step(Protocol):
    """One part of a cut, e.g. the image: makes files, judges nothing."""

    @property
    def name(self) -> str:
        """One word for people."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the steps whose files it reads."""

    @property
    def basis(self) -> str:
        """What its files depend on beside the commit (settings, today's date): on another basis they are made anew."""

    def ready(self) -> None:
        """Unavailable when it cannot be done here; asked before anything is begun."""

    @property
    def reproducible(self) -> bool:
        """True when the commit alone decides about every byte that it makes."""

    def make(self, job: CutJob, progress: Progress) -> Made:
        """Write the step's files below ``job.folder``."""


class CutStore(Protocol):
    """Where finished cuts stand."""

    def folder(self, version: str) -> Path:
        """Where the cut of a version stands, or is to stand."""

    def release(self, version: str) -> Release | None:
        """What stands there; None when nothing does."""

    def faults(self, folder: Path, keys: Mapping[str, bytes] | None = None) -> tuple[Fault, ...]:
        """What is wrong with a cut, held against ``keys``, else against the trusted ones."""

    def trusted(self) -> Mapping[str, bytes]:
        """The public keys (raw, by id) that are believed here."""

    def entries(self, version: str) -> tuple[Entry, ...]:
        """The files of a cut."""

    def may_push(self, version: str) -> bool:
        """True when its image ran and answered as it should."""

    def keep_wheel(self, version: str) -> None:
        """Keep its wheel where nights take candidates from."""


class Registry(Protocol):
    """Where candidates are pushed to."""

    def ready(self) -> None:
        """Unavailable when it does not answer."""

    def push(self, cut: Path, version: str, progress: Progress) -> str:
        """Push the image of a sealed cut, attach its evidence, read all of it back; the image's place, by digest.

        IntegrityError when the registry holds something else then.
        """

    def verify(self, cut: Path, version: str) -> Sequence[Fault]:
        """Every blob hashed again over HTTP, held against the cut."""


Stopwatch = Callable[[], float]
"""Seconds that only ever go up."""


class CutListener(Protocol):
    """Is told how a cut goes on; from several threads."""

    def at(self, step: str, line: str) -> None:
        """``step`` is doing what ``line`` says."""

    def done(self, step: str, line: str, seconds: float) -> None:
        """``step`` is done."""


class Workspace(Protocol):
    """Where a candidate is cut: a folder that nobody takes for a finished one, and what is done in it already."""

    @property
    def folder(self) -> Path:
        """What the steps write into."""

    @property
    def source(self) -> Path:
        """Where the commit's files are laid out."""

    def lay_out(self, archive: bytes) -> None:
        """Lay out the commit's files from its archive (tar), anew."""

    def kept(self, step: str, basis: str) -> bool:
        """True when ``step`` was done on this ``basis`` and everything that it wrote is still as it was."""

    def done(self, step: str, basis: str, names: Sequence[str]) -> None:
        """Remember that ``step`` was done on ``basis`` and wrote ``names`` (files, or folders with all in them)."""

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files by name, each whole or not at all."""

    def entry(self, name: str) -> Entry:
        """One file as a manifest names it."""

    def finish(self) -> tuple[Entry, ...]:
        """Remove what no step entered as done; all that is left, by name."""

    def evidence(self) -> dict[str, bytes]:
        """The files that answers rest on, by name."""

    def discard(self) -> None:
        """Remove all of it."""

    def publish(self, target: Path) -> None:
        """Move the finished folder to ``target``, at once; Conflict when something is there."""


class ReleaseLedger(Protocol):
    """What is remembered of candidates that were cut. Every method is one short transaction."""

    def record_release(self, release: Release) -> None:
        """Remember a sealed candidate; Conflict when its version is taken by another one."""

    def record_push(self, version: str, pushed_to: str) -> None:
        """Remember where a candidate was pushed to, by digest."""

    def releases(self) -> tuple[Release, ...]:
        """Newest first."""
