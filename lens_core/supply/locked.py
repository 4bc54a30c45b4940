"""What the locked archives (debs and wheels) really hold: the ground truth that an image is held against.

An image's own records can be edited together with the files that they speak for. These come from outside it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True)
class LockedFile:
    """One file or link of an archive. ``path`` is relative to the root (deb), or to the wheel's folder.

    Digests are hex; both are empty where the installer writes the content (a script's first line), and for a
    link, whose text is ``target`` (of an installer's script: ``module:function``). ``mode`` is 0 where
    the archive does not say.
    """

    path: str
    sha256: str = ""
    md5: str = ""
    mode: int = 0
    target: str = ""


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """One locked archive: ``ecosystem`` ``deb`` or ``pypi``, ``sha256`` of the archive itself in hex.

    ``scripts`` are the commands that an installer of a wheel makes, by file name, their digest empty where the
    installer writes them. ``source`` is a deb's source package and its version.
    """

    ecosystem: str
    name: str
    version: str
    files: tuple[LockedFile, ...]
    sha256: str = ""
    scripts: tuple[LockedFile, ...] = ()
    source: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Locked:
    """All locked archives. None of an ecosystem means: nothing is known of it."""

    packages: Sequence[LockedPackage] = ()

    @cached_property
    def by_name(self) -> Mapping[tuple[str, str, str], LockedPackage]:
        """By ecosystem, name and version."""
        return {(item.ecosystem, item.name, item.version): item for item in self.packages}

    def knows(self, ecosystem: str) -> bool:
        """True when anything of the ecosystem is locked: then all of it must be."""
        return any(item.ecosystem == ecosystem for item in self.packages)


def hashed(path: str, content: bytes, mode: int = 0) -> LockedFile:
    """The locked file with this content."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return LockedFile(path, hashlib.sha256(content).hexdigest(), md5, mode)
