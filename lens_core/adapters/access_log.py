"""An access log that is appended to, rotated, cut off, or gone: read once, whole, and in order.

The position is (device, inode, digest of the first bytes, offset). A file that is renamed is read to its end
before the next one is begun; a log that was copied and cut off (copytruncate) is read on in its copy. Where
lines are known to be missing, the reading says so.
"""

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, cast

from lens_core.adapters.log_lines import LineParser
from lens_core.adapters.rotated_files import HEAD_BYTES, Identity, generations, identify, opened
from lens_core.monitor_ports import Position, Reading
from lens_core.panes import Batch

PORTION_BYTES = 1 << 20
# A writer may hold on to a renamed file for a moment after its successor was made.
_HANDOVER_S = 0.5


class AccessLog:
    """Keeps the ``Source`` port over one log file and its rotated generations."""

    def __init__(
        self,
        file: Path,
        parser: LineParser,
        name: str = "",
        portion_bytes: int = PORTION_BYTES,
        handover_s: float = _HANDOVER_S,
    ) -> None:
        self._file = file
        self._name = name or file.name
        self._parser = parser
        self._portion_bytes = portion_bytes
        self._handover_s = handover_s
        self._handle: BinaryIO | None = None
        self._identity: Identity | None = None
        self._offset = 0
        self._skipping = False
        self._gaps = 0
        self._written_ns = 0
        self._rotated_at_s: float | None = None

    @property
    def name(self) -> str:
        """The file's name, or the one that it was given."""
        return self._name

    def close(self) -> None:
        """Let go of the open file."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    # --- where to begin -------------------------------------------------------------------------

    def resume(self, position: Position | None, *, from_start: bool) -> None:
        """See ``Source``."""
        self.close()
        if position is not None and position.get("identity") is None:
            # It had not begun: there was no file then, so everything in one that came since is new.
            self._written_ns = int(position["written_ns"])
        elif position is not None:
            self._resume(Identity(**position["identity"]), int(position["offset"]), position)
        else:
            self._begin(from_start=from_start)

    def _begin(self, *, from_start: bool) -> None:
        """At the oldest generation, or at the end of the newest; nothing when there is none yet."""
        for path in generations(self._file)[0 if from_start else -1 :]:
            if self._switch_to(path, 0):
                break
        if from_start or self._handle is None:
            return
        self._offset = os.fstat(self._handle.fileno()).st_size
        last = os.pread(self._handle.fileno(), 1, self._offset - 1) if self._offset else b"\n"
        self._skipping = last != b"\n"
        self._identity = identify(self._handle, self._offset)

    def _resume(self, identity: Identity, offset: int, position: Position) -> None:
        self._written_ns = int(position["written_ns"])
        found = self._find(identity, offset)
        if found is not None and self._switch_to(found, offset):
            self._skipping = bool(position["skipping"])
            return
        # Its file is gone: what followed in it is lost, what was written since is not.
        self._gaps += 1
        self._next_of(None)

    def _find(self, identity: Identity, offset: int) -> Path | None:
        """The file that a position is about: the same inode with the same head, else a copy of it."""
        copy = None
        for path in generations(self._file):
            with opened(path) as handle:
                if handle is None or os.fstat(handle.fileno()).st_size < offset or not identity.head_matches(handle):
                    continue
                if identity.inode_matches(handle):
                    return path
                if identity.head_bytes:
                    copy = path
        return copy

    def _switch_to(self, path: Path, offset: int) -> bool:
        try:
            handle = cast("BinaryIO", path.open("rb", buffering=0))
        except OSError:
            return False
        self.close()
        self._handle, self._offset, self._skipping, self._rotated_at_s = handle, offset, False, None
        self._identity = identify(handle, offset)
        return True

    def _next_of(self, handle: BinaryIO | None) -> Path | None:
        """Open and return the generation after the open one; after a lost one, the first that was written since."""
        paths = generations(self._file)
        if handle is not None:
            seen = os.fstat(handle.fileno())
            self._written_ns = seen.st_mtime_ns
            for place, path in enumerate(paths):
                if _inode(path) == (seen.st_dev, seen.st_ino):
                    return next((p for p in paths[place + 1 :] if self._switch_to(p, 0)), None)
        for path in paths:
            newer = path == self._file or _written_ns(path) > self._written_ns
            if newer and self._switch_to(path, 0):
                return path
        return None

    # --- reading --------------------------------------------------------------------------------

    def read(self) -> Reading:
        """See ``Source``."""
        try:
            return self._read()
        except OSError as error:
            return self._reading(Batch(), at_end=True, fault=f"{self._name} cannot be read: {error.strerror}")

    def _read(self) -> Reading:
        if self._handle is None and self._written_ns:
            self._next_of(None)
        elif self._handle is None:
            self._begin(from_start=True)
        if self._handle is None or self._identity is None:
            return self._reading(Batch(gaps=self._take_gaps()), at_end=True, fault=f"{self._name} is missing")
        self._follow_cut(self._handle, self._identity)
        handle = self._handle
        chunk = os.pread(handle.fileno(), self._portion_bytes, self._offset)
        lines, garbled = self._cut(chunk)
        if len(chunk) == self._portion_bytes:
            return self._reading(self._parse(lines, garbled), at_end=False)
        left_behind = self._has_successor(handle)
        if left_behind and not lines and self._handed_over(handle):
            if os.fstat(handle.fileno()).st_size > self._offset and not self._skipping:
                garbled += 1  # a last line that never got its newline
            batch = self._parse(lines, garbled)
            self._next_of(handle)
            return self._reading(batch, at_end=False)
        # Between a rename and the new file there is none for a moment, which is no fault: the old one is still read.
        is_somewhere = left_behind or os.fstat(handle.fileno()).st_nlink > 0
        gone = "" if is_somewhere else f"{self._name} is missing"
        return self._reading(self._parse(lines, garbled), at_end=not left_behind, fault=gone)

    def _follow_cut(self, handle: BinaryIO, identity: Identity) -> None:
        """Notice that the open file was cut off, and go on in its copy when there is one."""
        size = os.fstat(handle.fileno()).st_size
        if size >= self._offset and identity.head_matches(handle):
            return
        copy = self._find(identity, self._offset)
        if copy is not None and self._switch_to(copy, self._offset):
            return
        self._gaps += 1
        self._offset, self._skipping = 0, False
        self._identity = identify(handle, 0)

    def _cut(self, chunk: bytes) -> tuple[list[bytes], int]:
        """Whole lines, and how many were too long to be any; moves the offset behind them."""
        end = chunk.rfind(b"\n") + 1
        if not end:
            if len(chunk) < self._portion_bytes:
                return [], 0
            self._offset += len(chunk)
            begun, self._skipping = not self._skipping, True
            self._remember_head()
            return [], int(begun)
        lines = chunk[: end - 1].split(b"\n")
        if self._skipping:
            lines, self._skipping = lines[1:], False
        self._offset += end
        self._remember_head()
        return lines, 0

    def _remember_head(self) -> None:
        if self._handle is not None and self._identity is not None and self._identity.head_bytes < HEAD_BYTES:
            self._identity = identify(self._handle, self._offset)

    def _has_successor(self, handle: BinaryIO) -> bool:
        seen, current = os.fstat(handle.fileno()), _inode(self._file)
        return current is not None and current != (seen.st_dev, seen.st_ino)

    def _handed_over(self, handle: BinaryIO) -> bool:
        """True once nobody can be expected to write to a renamed file any more."""
        if _written_ns(self._file) - os.fstat(handle.fileno()).st_mtime_ns > self._handover_s * 1e9:
            return True
        now_s = time.monotonic()
        self._rotated_at_s = now_s if self._rotated_at_s is None else self._rotated_at_s
        return now_s - self._rotated_at_s >= self._handover_s

    def _parse(self, lines: list[bytes], garbled: int) -> Batch:
        batch = self._parser.parse(lines, garbled)
        gaps = self._take_gaps()
        if not gaps:
            return batch
        return Batch(
            batch.time_s, batch.slice_index, batch.latency_ms, batch.failed, garbled_at=batch.garbled_at, gaps=gaps
        )

    def _take_gaps(self) -> int:
        gaps, self._gaps = self._gaps, 0
        return gaps

    def _reading(self, batch: Batch, *, at_end: bool, fault: str = "") -> Reading:
        if self._handle is not None:
            self._written_ns = os.fstat(self._handle.fileno()).st_mtime_ns
        position: Position = {
            "identity": None if self._identity is None else asdict(self._identity),
            "offset": self._offset,
            "skipping": self._skipping,
            "written_ns": self._written_ns,
        }
        return Reading(batch, position, at_end, fault)


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_dev, seen.st_ino


def _written_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
