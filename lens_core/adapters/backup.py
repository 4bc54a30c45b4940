"""Makes a backup of a home folder while others work in it: the ledger as it stands, and every file it can speak of.

Not in it: private keys, caches, corpora, unfinished cuts, and the folder of a night that is being run.
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from lens_core.adapters.backup_file import (
    LEDGER,
    BackupManifest,
    FileEntry,
    Progress,
    hash_file,
    open_backup,
    write_backup,
)
from lens_core.adapters.durable import sync_file
from lens_core.adapters.snapshot import snapshot
from lens_core.audit import GENESIS
from lens_core.errors import Conflict, IntegrityError, InvalidInput, Unavailable

_WHOLE = ("releases", "drills", "keys/trusted", "keys/own")
"""Folders of which every file is taken."""
_ANCHORS = "audit"


class Backups:
    """Backups of one ``home``."""

    def __init__(self, home: Path, made_by: str, now: Callable[[], datetime]) -> None:
        self._home = home
        self._made_by = made_by
        self._now = now

    def usual_name(self) -> str:
        """How a file is called that nobody named."""
        return f"lens-backup-{self._now():%Y%m%dT%H%M%SZ}.tar"

    def make(self, target: Path, progress: Progress) -> BackupManifest:
        """Write a backup to ``target``, read it back, and say what is in it.

        Conflict when ``target`` is there, InvalidInput without a ledger, Unavailable when something cannot be read or
        written. Evidence that is missing or changed does not hold a backup up: the manifest names it.
        """
        self._may_be(target)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".lens-backup-", dir=target.parent) as scratch:
                part, taken = Path(scratch) / "part", self._take_first(Path(scratch))
                manifest = self._manifest(taken, progress)
                write_backup(part, manifest, lambda path: self._place(taken, path), progress)
                _read_back(part, progress)
                os.link(part, target)  # unlike a rename it overwrites nothing
                sync_file(target)
        except FileExistsError as error:
            raise _taken(target) from error
        except OSError as error:
            raise Unavailable(
                f"the backup {target} cannot be made: {error.filename or target}: {error.strerror}",
                "make room or mend its rights, then try again",
            ) from error
        return manifest

    def _may_be(self, target: Path) -> None:
        if not (self._home / LEDGER).is_file():
            raise InvalidInput(f"expected a ledger in {self._home}, saw none", "name the home folder in LENS_HOME")
        if target.exists():
            raise _taken(target)
        if target.resolve().is_relative_to(self._home.resolve()):
            raise InvalidInput(
                f"expected a place outside of {self._home}, saw {target}",
                "a backup inside of what it is of goes with it",
            )

    def _take_first(self, scratch: Path) -> Path:
        """Copies of what goes on growing. Anchors first: a kept head must not be newer than the ledger beside it."""
        taken = scratch / "taken"
        taken.mkdir()
        if (self._home / _ANCHORS).is_dir():
            shutil.copytree(self._home / _ANCHORS, taken / _ANCHORS)
        snapshot(self._home / LEDGER, taken / LEDGER)
        return taken

    def _place(self, taken: Path, path: str) -> Path:
        return (taken if path == LEDGER or path.startswith(f"{_ANCHORS}/") else self._home) / path

    def _manifest(self, taken: Path, progress: Progress) -> BackupManifest:
        with closing(sqlite3.connect(taken / LEDGER)) as ledger:
            known = _Known(ledger)
        paths = sorted({LEDGER, *self._paths(taken, known), *(p for p in known.evidence if (self._home / p).is_file())})
        sizes = {path: self._place(taken, path).stat().st_size for path in paths}
        files, done, total = [], 0, sum(sizes.values())
        for path in paths:
            progress(path, done, total)
            files.append(_entry(path, self._place(taken, path)))
            done += sizes[path]
        seen = {file.path: f"sha256:{file.sha256}" for file in files}
        return BackupManifest(
            made_at=self._now().replace(microsecond=0),
            made_by=self._made_by,
            schema=known.schema,
            entries=known.entries,
            head=known.head,
            files=tuple(files),
            faults=tuple(_faults(known.evidence, seen)),
        )

    def _paths(self, taken: Path, known: "_Known") -> Iterator[str]:
        yield from _below(taken, _ANCHORS)
        for name in (*_WHOLE, "nights/assets", *known.closed_nights):
            yield from _below(self._home, name)
        for pattern in ("artifacts/*/*.whl", "ledgers/*.db"):
            yield from (file.relative_to(self._home).as_posix() for file in self._home.glob(pattern))


class _Known:
    """What a ledger of any schema says of the files beside it, read as plain SQLite."""

    def __init__(self, ledger: sqlite3.Connection) -> None:
        def rows(query: str) -> list[Any]:
            return ledger.execute(query).fetchall()

        [(self.schema,)] = rows("PRAGMA user_version")
        tables = {name for (name,) in rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
        self.closed_nights = tuple(folder for (folder,) in rows("SELECT folder FROM night WHERE state = 'closed'"))
        self.evidence: dict[str, set[str]] = {}
        for path, digest in rows("SELECT path, digest FROM evidence"):
            self.evidence.setdefault(path, set()).add(digest)
        self.entries, self.head = 0, GENESIS
        if "audit_entry" in tables:
            query = "SELECT number, head FROM audit_entry ORDER BY number DESC LIMIT 1"
            self.entries, self.head = next(iter(rows(query)), (0, GENESIS))


def _below(root: Path, name: str) -> Iterator[str]:
    """Every file of a folder, by its place below ``root``; names that begin with a dot are being written."""
    for place, folders, files in os.walk(root / name):
        folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
        for link in [*folders, *files]:
            if Path(place, link).is_symlink():
                raise IntegrityError(
                    f"expected files and folders below {root / name}, saw the link {Path(place, link)}",
                    "what a link leads to is no evidence: put the file itself there",
                )
        yield from (Path(place, file).relative_to(root).as_posix() for file in files if not file.startswith("."))


def _faults(evidence: dict[str, set[str]], seen: dict[str, str]) -> Iterator[str]:
    for path, digests in sorted(evidence.items()):
        if path not in seen:
            yield f"{path} is evidence of a night, and is not there"
        elif digests != {seen[path]}:
            yield f"{path} is evidence of a night with {', '.join(sorted(digests))}, and is {seen[path]}"


def _entry(path: str, file: Path) -> FileEntry:
    digest, size = hash_file(file)
    return FileEntry(path, digest, size, executable=bool(file.stat().st_mode & 0o100))


def _read_back(part: Path, progress: Progress) -> None:
    try:
        with open_backup(part) as backup:
            for _file, content in backup.files(progress):
                for _block in content:
                    pass
    except IntegrityError as error:
        raise Unavailable(
            f"a file changed while it was copied, or the disk does not keep what is written: {error.message}",
            "try again",
        ) from error


def _taken(target: Path) -> Conflict:
    return Conflict(f"expected no file {target}, saw one", "a backup is never overwritten: name another file")
