"""The file that a backup is: a plain tar archive whose first member says what the others must be, byte by byte.

Written under another name, read back and compared, and only then put in its place. What is read is not trusted: every
member must be the next one of the list, a plain file of its size and SHA-256, at a place that a backup may bring.
"""

import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from lens_core.adapters.durable import sync_file
from lens_core.audit import HEAD
from lens_core.errors import IntegrityError, Unavailable
from lens_core.supply import canonical, shape

FORMAT = "lens.backup/1"
MANIFEST = "backup.json"
LEDGER = "lens.db"
FOLDERS = ("releases", "drills", "nights", "artifacts", "indexes", "keys", "audit", "ledgers")
"""What a backup brings beside the ledger. ``ledgers`` are the copies that migrations made."""

_BLOCK_BYTES = 1 << 20
_MAX_MANIFEST = 64 * _BLOCK_BYTES
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_MEMBERS = ("format", "made_at", "made_by", "schema", "entries", "head", "files", "faults")
_HINT = "nothing was put in place; use another backup"

Progress = Callable[[str, int, int], None]
"""Told what is being done (a file), and how many bytes of how many are done."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file, by its place below the home folder."""

    path: str
    sha256: str
    size_bytes: int
    executable: bool = False


@dataclass(frozen=True, slots=True)
class BackupManifest:
    """What a backup holds. ``entries`` and ``head`` are of its audit log; ``faults`` says what was amiss with the home.

    A fault is evidence of a night that the ledger names and that was not there, or was another file.
    """

    made_at: datetime
    made_by: str
    schema: int
    entries: int
    head: str
    files: tuple[FileEntry, ...]
    faults: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(file.size_bytes for file in self.files)

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest's bytes: it names the backup."""
        return sha256(self.encode()).hexdigest()

    def encode(self) -> bytes:
        """Its canonical JSON."""
        files = [
            {"path": f.path, "sha256": f.sha256, "size_bytes": f.size_bytes, "executable": f.executable}
            for f in self.files
        ]
        return canonical.encode(
            {
                "format": FORMAT,
                "made_at": self.made_at.astimezone(UTC).strftime(_TIME),
                "made_by": self.made_by,
                "schema": self.schema,
                "entries": self.entries,
                "head": self.head,
                "files": files,
                "faults": list(self.faults),
            }
        )

    @classmethod
    def decode(cls, content: bytes) -> "BackupManifest":
        """Read it; IntegrityError for anything but what ``encode`` writes."""
        found = shape.members(canonical.decode(content, MANIFEST), _MEMBERS, MANIFEST)
        shape.exactly(found["format"], FORMAT, f"{MANIFEST}: format")
        files = tuple(_file_entry(item) for item in shape.items(found["files"], f"{MANIFEST}: files"))
        paths = [file.path for file in files]
        if paths != sorted(set(paths)) or LEDGER not in paths:
            raise IntegrityError(f"{MANIFEST}: expected each file once, in order, and a ledger", _HINT)
        try:
            made_at = datetime.strptime(found["made_at"], _TIME).replace(tzinfo=UTC)
        except (ValueError, TypeError) as error:
            raise IntegrityError(f"{MANIFEST}: expected a time, saw {found['made_at']!r}", _HINT) from error
        return cls(
            made_at,
            str(found["made_by"]),
            shape.whole(found["schema"], f"{MANIFEST}: schema"),
            shape.whole(found["entries"], f"{MANIFEST}: entries"),
            shape.text(found["head"], HEAD, f"{MANIFEST}: head"),
            files,
            tuple(str(fault) for fault in found["faults"]),
        )


def _file_entry(item: Any) -> FileEntry:
    found = shape.members(item, ("path", "sha256", "size_bytes", "executable"), f"{MANIFEST}: a file")
    path = found["path"]
    parts = path.split("/") if isinstance(path, str) else []
    inside = path == LEDGER or (len(parts) > 1 and parts[0] in FOLDERS)
    if not inside or any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
        raise IntegrityError(f"{MANIFEST}: expected a place that a backup may bring, saw {path!r}", _HINT)
    digest = shape.text(found["sha256"], shape.HEX_SHA256, f"{MANIFEST}: {path}")
    size = shape.whole(found["size_bytes"], f"{MANIFEST}: {path}")
    return FileEntry(path, digest, size, executable=found["executable"] is True)


def hash_file(file: Path, on_bytes: Callable[[int], None] = lambda _count: None) -> tuple[str, int]:
    """SHA-256 and size of a file; Unavailable when it cannot be read."""
    found, size = sha256(), 0
    try:
        with file.open("rb") as opened:
            while block := opened.read(_BLOCK_BYTES):
                found.update(block)
                size += len(block)
                on_bytes(len(block))
    except OSError as error:
        raise Unavailable(f"{file} cannot be read: {error.strerror}", "mend its rights, then try again") from error
    return found.hexdigest(), size


def write_backup(part: Path, manifest: BackupManifest, place: Callable[[str], Path], progress: Progress) -> None:
    """Write ``part``, whole and on the disk; ``place`` says where each file lies now.

    Unavailable when a file is not (any more) what the manifest says, or nothing can be written.
    """
    done = 0
    try:
        with part.open("xb") as opened, tarfile.open(fileobj=opened, mode="w|") as tar:
            content = manifest.encode()
            tar.addfile(_member(MANIFEST, len(content)), io.BytesIO(content))
            for file in manifest.files:
                progress(file.path, done, manifest.size_bytes)
                with place(file.path).open("rb") as source:
                    tar.addfile(_member(file.path, file.size_bytes, executable=file.executable), source)
                done += file.size_bytes
        sync_file(part)
    except OSError as error:  # also for a file that is shorter than it was
        raise Unavailable(f"the backup cannot be written: {error}", "make room, then try again") from error


def _member(name: str, size: int, *, executable: bool = False) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o755 if executable else 0o644
    return info


class OpenBackup:
    """A backup that is being read: ``manifest``, then ``files``, once and in order."""

    def __init__(self, tar: tarfile.TarFile, name: str) -> None:
        self._tar = tar
        self._name = name
        content = self._next(MANIFEST, None)
        if content is None:
            raise self._refused("it has no list of its files")
        self.manifest = BackupManifest.decode(content.read(_MAX_MANIFEST))

    def files(self, progress: Progress) -> Iterator[tuple[FileEntry, Iterator[bytes]]]:
        """Each file with its content, which must be read to its end: there IntegrityError tells a wrong one."""
        done = 0
        for file in self.manifest.files:
            progress(file.path, done, self.manifest.size_bytes)
            content = self._next(file.path, file.size_bytes)
            if content is None:
                raise self._refused(f"it ends before {file.path}")
            yield file, self._checked(file, content)
            done += file.size_bytes
        if self._tar.next() is not None:
            raise self._refused("it holds more than it lists")

    def _next(self, name: str, size: int | None) -> BinaryIO | None:
        member = self._tar.next()
        if member is None:
            return None
        too_much = member.size > _MAX_MANIFEST if size is None else member.size != size
        if member.name != name or not member.isreg() or member.issparse() or too_much:
            seen = f"{member.name!r} of {member.size:,} bytes"
            raise self._refused(f"expected {name}{'' if size is None else f' of {size:,} bytes'}, saw {seen}")
        return self._tar.extractfile(member)  # type: ignore[return-value]  # a file, for it is a regular one

    def _checked(self, file: FileEntry, content: BinaryIO) -> Iterator[bytes]:
        found = sha256()
        while block := content.read(_BLOCK_BYTES):
            found.update(block)
            yield block
        if found.hexdigest() != file.sha256:
            raise self._refused(f"{file.path} has SHA-256 {found.hexdigest()}, its list says {file.sha256}")

    def _refused(self, why: str) -> IntegrityError:
        return IntegrityError(f"the backup {self._name} is refused: {why}", _HINT)


@contextmanager
def open_backup(file: Path) -> Iterator[OpenBackup]:
    """Read a backup; IntegrityError when it is none, or not whole; Unavailable when it cannot be read."""
    try:
        opened = file.open("rb")
    except OSError as error:
        raise Unavailable(f"{file} cannot be read: {error.strerror}", "name the file of a backup") from error
    with opened:
        try:
            with tarfile.open(fileobj=opened, mode="r|") as tar:
                yield OpenBackup(tar, file.name)
        except tarfile.TarError as error:
            raise IntegrityError(f"the backup {file.name} is refused: it is not whole ({error})", _HINT) from error
