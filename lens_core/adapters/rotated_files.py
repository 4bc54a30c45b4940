"""A log and what was rotated away of it, oldest first, and how a file is known again under another name."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

HEAD_BYTES = 1024
# More digits than a rotation's number has are a date.
_LONGEST_NUMBER = 5


@dataclass(frozen=True, slots=True)
class Identity:
    """What a file is known by: device, inode, and the digest of its first bytes (an inode is used again)."""

    device: int
    inode: int
    head: str
    head_bytes: int

    def inode_matches(self, handle: BinaryIO) -> bool:
        """True when the open file is the same inode."""
        seen = os.fstat(handle.fileno())
        return (seen.st_dev, seen.st_ino) == (self.device, self.inode)

    def head_matches(self, handle: BinaryIO) -> bool:
        """True when the open file still begins with the same bytes."""
        return head_digest(handle, self.head_bytes) == self.head


def head_digest(handle: BinaryIO, size: int) -> str:
    """SHA-256 of the first ``size`` bytes, as hex; of fewer when there are not so many."""
    return hashlib.sha256(os.pread(handle.fileno(), size, 0)).hexdigest()


def identify(handle: BinaryIO, offset: int) -> Identity:
    """The identity of an open file of which ``offset`` bytes were read."""
    seen = os.fstat(handle.fileno())
    size = min(offset, HEAD_BYTES)
    return Identity(seen.st_dev, seen.st_ino, head_digest(handle, size), size)


def generations(file: Path) -> list[Path]:
    """Everything that ``file`` was rotated to and is not packed, oldest first, and ``file`` itself last.

    Known are ``x.log.1``, ``x.log-20261126`` and ``x-20261126.log``; numbers count backwards, dates forwards.
    """
    pattern = re.compile(
        rf"{re.escape(file.name)}[.\-_](?P<after>\d[\dT.\-_]*)"
        rf"|{re.escape(file.stem)}[.\-_](?P<inside>\d[\dT.\-_]*){re.escape(file.suffix)}"
    )
    found: list[tuple[tuple[int, int, str], Path]] = []
    try:
        names = os.listdir(file.parent)  # noqa: PTH208  (names are what is matched)
    except OSError:
        return []
    for name in names:
        if match := pattern.fullmatch(name):
            suffix = match["after"] or match["inside"]
            number = suffix.isdigit() and len(suffix) <= _LONGEST_NUMBER
            key = (1, -int(suffix), "") if number else (0, 0, suffix)
            found.append((key, file.parent / name))
    ordered = [path for _, path in sorted(found)]
    return [*ordered, file] if file.name in names else ordered


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO | None]:
    """The file, unbuffered, or None when it is gone or not readable. Its user closes it, or lets it close here."""
    try:
        handle = path.open("rb", buffering=0)
    except OSError:
        yield None
        return
    with handle:
        yield handle
