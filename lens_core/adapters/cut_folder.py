"""A cut as it lies on the disk: listed without following links, hashed by as many threads as there are cores."""

import hashlib
import os
import stat
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.resources import files
from io import BufferedReader
from pathlib import Path

from lens_core import supply
from lens_core.errors import InvalidInput, Unavailable
from lens_core.supply.manifest import Entry
from lens_core.supply.tree import MAX_READ, Found, Kind


class CutFolder:
    """Keeps the ``Tree`` protocol of ``lens_core.supply.tree`` for ``folder``. Opens no socket, writes nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files(self) -> Mapping[str, Found]:
        """Everything in the folder by its name, folders where they are empty; InvalidInput when it is no folder."""
        if not self._folder.is_dir():
            raise InvalidInput(f"expected the folder of a cut, saw {self._folder}", "name one: `lens releases`")
        try:
            return dict(_found(self._folder, ""))
        except OSError as error:
            raise _unreadable(self._folder, error) from error

    def digests(self, names: Collection[str]) -> Mapping[str, str]:
        """The SHA-256 of each file in hex, streamed."""
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            return dict(zip(names, pool.map(self._digest, names), strict=True))

    def read(self, name: str) -> bytes:
        """The bytes of one file, at most MAX_READ of them."""
        with self._open(name) as file:
            content = file.read(MAX_READ + 1)
        if len(content) > MAX_READ:
            raise Unavailable(f"{name}: expected at most {MAX_READ:,} bytes, saw more", "it changed while it was read")
        return content

    def entries(self, names: Collection[str]) -> tuple[Entry, ...]:
        """The files as a manifest names them: what a cut is sealed with."""
        listed, digests = self.files(), self.digests(names)
        return tuple(Entry(name, listed[name].size, digests[name]) for name in sorted(names))

    def _digest(self, name: str) -> str:
        with self._open(name) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @contextmanager
    def _open(self, name: str) -> Iterator[BufferedReader]:
        """A regular file, and no link to one: what was listed may have been exchanged since."""
        path = self._folder / name
        try:
            number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(number, "rb") as file:
                if not stat.S_ISREG(os.fstat(number).st_mode):
                    raise Unavailable(f"{name}: expected a regular file, saw something else", "it changed meanwhile")
                yield file
        except OSError as error:
            raise _unreadable(path, error) from error


def verifier_script() -> bytes:
    """``verify.sh``, the verifier that needs no Lens: a copy lies in each cut."""
    return (files(supply) / "verify.sh").read_bytes()


def _unreadable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(f"{path} cannot be read: {error.strerror}", "let nothing else write there, and try again")


def _found(folder: Path, prefix: str) -> Iterator[tuple[str, Found]]:
    with os.scandir(folder) as listing:
        for item in listing:
            name = prefix + item.name
            if item.is_symlink():
                yield name, Found(Kind.SYMLINK, 0)
            elif item.is_dir(follow_symlinks=False):
                inside = list(_found(Path(item.path), f"{name}/"))
                yield from inside or [(name, Found(Kind.FOLDER, 0))]
            elif item.is_file(follow_symlinks=False):
                yield name, Found(Kind.REGULAR, item.stat(follow_symlinks=False).st_size)
            else:
                yield name, Found(Kind.OTHER, 0)
