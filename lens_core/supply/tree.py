"""A folder that claims to be a cut, as the verifier sees it before it believes anything."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from lens_core.supply.faults import Fault
from lens_core.supply.image_layout import BLOBS

MAX_READ = 64 * 1024**2
"""Manifest, envelope and the like in bytes; whatever is larger is none of them."""


class Kind(StrEnum):
    """What lies under a name. Only a regular file can be one of a cut."""

    REGULAR = "a regular file"
    SYMLINK = "a symbolic link"
    FOLDER = "an empty folder"
    OTHER = "a device, pipe or socket"


@dataclass(frozen=True, slots=True)
class Found:
    """Something in a folder: what it is, and how many bytes it has (0 but for regular files)."""

    kind: Kind
    size: int


class Tree(Protocol):
    """A folder that claims to be a cut; Unavailable from every method when it cannot be read."""

    def files(self) -> Mapping[str, Found]:
        """Everything in it by its name relative to it, folders only where they are empty."""

    def digests(self, names: Collection[str]) -> Mapping[str, str]:
        """The SHA-256 in hex of each of the regular files ``names``."""

    def read(self, name: str) -> bytes:
        """The bytes of a regular file of at most MAX_READ bytes."""


def unreadable(listed: Mapping[str, Found], names: Iterable[str]) -> Iterable[Fault]:
    """Those of ``names`` that cannot be read whole: not there, no regular file, too large."""
    for name in names:
        found = listed.get(name)
        if found is None:
            yield Fault(name, "a file", "no such file")
        elif found.kind is not Kind.REGULAR:
            yield Fault(name, Kind.REGULAR, found.kind)
        elif found.size > MAX_READ:
            yield Fault(name, f"at most {MAX_READ:,} bytes", f"{found.size:,}")


def evidence_of(tree: Tree) -> dict[str, bytes]:
    """The files of a cut that answers rest on: all but what was built and the image's blobs."""
    return {
        name: tree.read(name)
        for name, found in tree.files().items()
        if found.kind is Kind.REGULAR
        and found.size <= MAX_READ
        and not name.startswith(BLOBS)
        and not name.endswith((".whl", ".tar.gz"))
    }
