"""Puts a backup in place: taken out beside its place, verified to the last byte, and only then moved there.

All of it happens inside the home folder, so that moving is renaming, also where that folder is a disk of its own. The
ledger comes last: until it is there, there is none. A restore that was broken off goes on when it is started again.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from lens_core.adapters.audit_log import Trail
from lens_core.adapters.audit_reader import reading
from lens_core.adapters.backup_file import (
    FOLDERS,
    LEDGER,
    MANIFEST,
    BackupManifest,
    FileEntry,
    OpenBackup,
    Progress,
    hash_file,
    open_backup,
)
from lens_core.adapters.durable import sync, sync_file
from lens_core.adapters.lease import FileLease
from lens_core.adapters.ledger_file import LedgerFile
from lens_core.adapters.ledger_schema import SCHEMA_VERSION
from lens_core.adapters.own_keys import AUDIT, public_folder, public_keys
from lens_core.audit import Anchor, Note
from lens_core.audit_records import mismatches
from lens_core.audit_verification import verify
from lens_core.errors import BrokenChain, Conflict, IntegrityError, InvalidInput, Refused, Unavailable
from lens_core.supply import canonical

STAGING = ".restoring"
_FILES, _VERIFIED = "files", "verified"
_WITH_LOG = 4
"""Ledgers of earlier schemas have no audit log."""

Anchors = Callable[[Path], tuple[Sequence[Anchor], Sequence[str]]]
"""The heads that are kept of the log of a home folder, in it and elsewhere; and which could not be read, in words."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put in place, and what the verifier has to say of its log without holding it up.

    ``lost`` is how many entries the log is known to have had after the backup was made.
    """

    manifest: BackupManifest
    home: Path
    lost: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Verified:
    """What was found when the files were verified; kept, for a restore that goes on."""

    lost: int
    warnings: tuple[str, ...]

    def encode(self) -> bytes:
        return canonical.encode({"lost": self.lost, "warnings": list(self.warnings)})

    @classmethod
    def decode(cls, content: bytes) -> "_Verified":
        found = canonical.decode(content, _VERIFIED)
        return cls(found["lost"], tuple(found["warnings"]))


class Restore:
    """Restores into one ``home``, which must not hold anything that a backup brings.

    A backup is older than what was lost. Where heads of later entries are kept elsewhere, that shows; it is restored
    only to somebody who says ``lose_newer``.
    """

    def __init__(self, home: Path, trail: Trail, anchors: Anchors, *, lose_newer: bool = False) -> None:
        self._home = home
        self._lose_newer = lose_newer
        self._staging = home / STAGING
        self._trail = trail
        self._anchors = anchors

    def run(self, backup: Path, progress: Progress) -> Restored:
        """Restore; what was verified is said in the log of the restored ledger.

        Conflict when the home holds something, or another backup is on its way into it; Refused when later entries are
        known than the backup has. IntegrityError for a backup
        that is not whole; BrokenChain when the log in it is not what was written: then nothing was put in place.
        """
        try:
            return self._run(backup, progress)
        except OSError as error:
            place = error.filename or self._home
            raise Unavailable(
                f"{place} cannot be written: {error.strerror}", "make room, then start it again: it goes on"
            ) from error

    def _run(self, backup: Path, progress: Progress) -> Restored:
        with open_backup(backup) as opened:
            manifest = opened.manifest
            self._may_go_on(manifest)
            self._staging.mkdir(parents=True, exist_ok=True)
            with FileLease(self._home / ".restoring.lock", held="a backup is being restored here").hold():
                self._may_go_on(manifest)
                verified = self._take_out(opened, progress)
                self._move()
                self._enter(manifest, verified)
        return Restored(manifest, self._home, verified.lost, verified.warnings)

    def _may_go_on(self, manifest: BackupManifest) -> None:
        if manifest.schema > SCHEMA_VERSION:
            raise InvalidInput(
                f"expected a backup of schema {SCHEMA_VERSION} at most, saw schema {manifest.schema}",
                "a later version of Lens made it: use that one",
            )
        started = self._staging / MANIFEST
        if started.exists():
            if BackupManifest.decode(started.read_bytes()).digest != manifest.digest:
                raise Conflict(
                    f"another backup is being restored into {self._home}", f"finish that one, or remove {self._staging}"
                )
            return
        there = [name for name in (LEDGER, f"{LEDGER}-wal", f"{LEDGER}-shm", *FOLDERS) if (self._home / name).exists()]
        if there:
            raise Conflict(
                f"expected a home folder without anything that a backup brings, saw {', '.join(there)} in {self._home}",
                "nothing is ever restored over something: name another folder with --into",
                blockers=[f"{self._home / name} is there" for name in there],
            )

    def _take_out(self, opened: OpenBackup, progress: Progress) -> _Verified:
        """Have all files in the staging folder, and vouch for them."""
        verified = self._staging / _VERIFIED
        if verified.exists():
            return _Verified.decode(verified.read_bytes())
        _write(self._staging / MANIFEST, [opened.manifest.encode()])
        files = self._staging / _FILES
        for file, content in opened.files(progress):
            place = files / file.path
            if place.is_file() and hash_file(place) == (file.sha256, file.size_bytes):
                for _block in content:  # the backup is read to its end all the same
                    pass
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            _write(place, content, mode=0o755 if file.executable else 0o644)
        _nothing_else(files, opened.manifest.files)
        found = self._verified(files, opened.manifest)
        os.sync()  # all of it is on the disk before anything says so
        _write(verified, [found.encode()])
        sync_file(verified)
        return found

    def _verified(self, files: Path, manifest: BackupManifest) -> _Verified:
        ledger = files / LEDGER
        try:
            with closing(sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=ro", uri=True)) as connection:
                [(sound,)] = connection.execute("PRAGMA integrity_check(1)").fetchall()
                [(schema,)] = connection.execute("PRAGMA user_version").fetchall()
        except sqlite3.Error as error:
            raise IntegrityError(f"the ledger in the backup cannot be read: {error}", "use another backup") from error
        if sound != "ok" or schema != manifest.schema:
            raise IntegrityError(
                f"expected a whole ledger of schema {manifest.schema} in the backup, saw schema {schema}: {sound}",
                "use another backup",
            )
        if schema < _WITH_LOG:
            return _Verified(0, (f"a ledger of schema {schema} has no audit log: only its files were verified",))
        return self._verified_log(files, manifest)

    def _verified_log(self, files: Path, manifest: BackupManifest) -> _Verified:
        anchors, unread = self._anchors(files)
        lost = max([anchor.number - manifest.entries for anchor in anchors] + [0])
        if lost and not self._lose_newer:
            raise Refused(
                f"the audit log in the backup ends at entry {manifest.entries}, and {lost} later ones are known: what "
                "they tell of would be lost, and verifying would say so from then on",
                "restore a newer backup, or this one with --lose-newer",
                blockers=[f"{lost} entries after {manifest.entries} are not in the backup"],
            )
        within = [anchor for anchor in anchors if anchor.number <= manifest.entries]
        with reading(files / LEDGER) as log:
            found = verify(log.entries, public_keys(AUDIT, public_folder(files)), within)
            held = log.held or {}
        if (found.entries, found.head) != (manifest.entries, manifest.head) and not found.faults:
            raise BrokenChain("the audit log in the backup is not the one that the backup names", "use another backup")
        unlike = mismatches(found.claimed, held)
        if found.faults or (unlike and found.entries):
            said = "; ".join([*found.faults, *unlike.values()][:3])
            raise BrokenChain(f"the audit log in the backup does not hold: {said}", "use another backup")
        return _Verified(lost, (*unread, *found.warnings))

    def _move(self) -> None:
        """Rename everything into its place, the ledger last. What is there was moved by the run before."""
        staged = self._staging / _FILES
        names = sorted((place.name for place in staged.iterdir()), key=lambda name: (name == LEDGER, name))
        for name in names:
            if (self._home / name).exists():
                raise Conflict(
                    f"expected no {self._home / name}, saw one that came while the backup was restored",
                    f"remove it, or remove {self._staging}",
                )
            (staged / name).rename(self._home / name)
        sync_file(self._staging / _VERIFIED)
        sync(self._home)

    def _enter(self, manifest: BackupManifest, verified: _Verified) -> None:
        """Say it in the restored log, once, then remove what was needed to go on."""
        ledger = LedgerFile(self._home / LEDGER, self._trail)
        with ledger.change(command=f"restore:{manifest.digest}") as change:
            if not change.repeated:
                facts = {
                    "backup": manifest.digest,
                    "made_at": manifest.made_at.isoformat(),
                    "made_by": manifest.made_by,
                    "entries": str(manifest.entries),
                    "head": manifest.head,
                    "lost": str(verified.lost),
                }
                change.note(Note("ledger.restored", "", "a backup was put in place", facts=facts))
        shutil.rmtree(self._staging)
        (self._home / ".restoring.lock").unlink(missing_ok=True)


def _write(place: Path, blocks: Iterator[bytes] | Sequence[bytes], mode: int = 0o644) -> None:
    """Write a file under its own name only once it is whole."""
    part = place.with_name(f".{place.name}.part")
    with part.open("wb") as opened:
        for block in blocks:
            opened.write(block)
    part.chmod(mode)
    part.replace(place)


def _nothing_else(files: Path, listed: Sequence[FileEntry]) -> None:
    """IntegrityError when something lies in the staging folder that the backup does not list."""
    known = {file.path for file in listed}
    for place, _folders, names in os.walk(files):
        for name in names:
            path = Path(place, name).relative_to(files).as_posix()
            if path not in known:
                raise IntegrityError(f"expected only what the backup lists in {files}, saw {path}", f"remove {files}")
