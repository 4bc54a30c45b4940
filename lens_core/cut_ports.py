"""What cutting a candidate asks of the world, as Protocols, and the values that pass between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lens_core.model import Release


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


class DistributionBuilder(Protocol):
    """Builds wheel and sdist, twice."""

    def build(
        self, archive: bytes, epoch: int, *, version: str = ..., targets: Sequence[str] = ...
    ) -> tuple[Distribution, ...]:
        """``targets`` of the tree, named ``version``; IntegrityError when two builds differ."""


class Workspace(Protocol):
    """Where a candidate is cut: a folder that nobody takes for a finished one, and what is done in it already."""

    @property
    def folder(self) -> Path:
        """What the steps write into."""

    def kept(self, step: str, basis: str) -> bool:
        """True when ``step`` was done on this ``basis`` and everything that it wrote is still as it was."""

    def done(self, step: str, basis: str, names: Sequence[str]) -> None:
        """Remember that ``step`` was done on ``basis`` and wrote ``names`` (files, or folders with all in them)."""

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files by name, each whole or not at all."""

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
