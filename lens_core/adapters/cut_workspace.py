"""Where a candidate is cut: a folder of its own with a journal beside it, renamed into place when it is finished.

What is in the journal was written whole before it was entered, and is hashed again before it is believed: a cut
that was killed at any point goes on where it was, and nothing half-made ever stands where finished ones do.
"""

import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any

from lens_core.adapters.cut_folder import CutFolder
from lens_core.adapters.durable import sync
from lens_core.errors import Conflict, Unavailable
from lens_core.supply.manifest import Entry
from lens_core.supply.tree import evidence_of

_AT_ONCE = 1 << 20


class CutWorkspace:
    """Keeps the ``Workspace`` port in ``place``; what lies there of another ``subject`` is thrown away.

    ``subject`` names what is cut (version, commit and the like).
    """

    def __init__(self, place: Path, subject: str) -> None:
        self._place = place
        self._journal = place / "journal.json"
        self._subject = subject
        self._writing = Lock()
        self.folder = place / "cut"
        self.source = place / "source"
        try:
            if self._read().get("subject") != subject:
                shutil.rmtree(place, ignore_errors=True)
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(place, error) from error

    def kept(self, step: str, basis: str) -> bool:
        """See ``Workspace``."""
        entry = self._read().get("steps", {}).get(step)
        if entry is None or entry["basis"] != basis:
            return False
        files: Mapping[str, str] = entry["files"]
        return all(
            (self.folder / name).is_file() and _sha256(self.folder / name) == kept for name, kept in files.items()
        )

    def done(self, step: str, basis: str, names: Sequence[str]) -> None:
        """See ``Workspace``."""
        files = {
            file.relative_to(self.folder).as_posix(): _sha256(file)
            for name in names
            for file in _files(self.folder / name)
        }
        with self._writing:  # two steps may be done at the same moment
            steps = {**self._read().get("steps", {}), step: {"basis": basis, "files": files}}
            _replace(self._journal, json.dumps({"subject": self._subject, "steps": steps}, indent=1).encode())

    def write(self, files: Mapping[str, bytes]) -> None:
        """See ``Workspace``."""
        for name, content in files.items():
            _replace(self.folder / name, content)

    def entry(self, name: str) -> Entry:
        """See ``Workspace``."""
        [only] = CutFolder(self.folder).entries([name])
        return only

    def lay_out(self, archive: bytes) -> None:
        """See ``Workspace``."""
        shutil.rmtree(self.source, ignore_errors=True)
        with tarfile.open(fileobj=BytesIO(archive)) as tar:  # git made it, of this very repository
            tar.extractall(self.source, filter="data")

    def finish(self) -> tuple[Entry, ...]:
        """See ``Workspace``."""
        steps = self._read().get("steps", {})
        entered = {name for entry in steps.values() for name in entry["files"]}
        tree = CutFolder(self.folder)
        found = tree.files().keys()
        for name in found - entered:
            _remove(self.folder / name, self.folder)
        return tree.entries(sorted(found & entered))

    def evidence(self) -> dict[str, bytes]:
        """See ``Workspace``."""
        return evidence_of(CutFolder(self.folder))

    def discard(self) -> None:
        """See ``Workspace``."""
        shutil.rmtree(self._place, ignore_errors=True)

    def publish(self, target: Path) -> None:
        """See ``Workspace``."""
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self.folder.rename(target)
            for folder in (target.parent, target):
                sync(folder)
        except OSError as error:
            if target.exists():
                raise Conflict(f"{target.name} is there already", "a version is cut once: name the next one") from error
            raise _unwritable(target, error) from error
        self.discard()

    def _read(self) -> dict[str, Any]:
        try:
            read: dict[str, Any] = json.loads(self._journal.read_text())
        except (OSError, ValueError):  # no journal, or one that a torn disk left: nothing is believed
            return {}
        return read


def _remove(path: Path, root: Path) -> None:
    """Remove a file or an empty folder, and every folder below ``root`` that is empty then."""
    path.rmdir() if path.is_dir() else path.unlink()
    for folder in path.parents:
        if folder == root or any(folder.iterdir()):
            return
        folder.rmdir()


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from (file for file in sorted(path.rglob("*")) if file.is_file())
    else:
        yield path


def _replace(file: Path, content: bytes) -> None:
    part = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise _unwritable(file, error) from error


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(_AT_ONCE):
            digest.update(block)
    return digest.hexdigest()


def _unwritable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(f"{path} cannot be written: {error.strerror}", "free some space there, then run the cut again")
