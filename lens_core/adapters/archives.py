"""Takes source files out of downloaded archives without trusting them.

Wheels are zip files; npm tarballs and source distributions are gzipped tar files, archived indexes are
tar files in xz. Nothing of an archive is ever run or built. An archive that holds anything but plain
files and folders, that names a place outside itself, or that unpacks to far more than it is, is refused
as a whole.
"""

import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from lens_core.errors import IntegrityError

MAX_MEMBERS = 20_000
"""The largest pinned archive has 3,670 members; more than five times that is not a source archive."""
MAX_BYTES = 512 * 1024**2
"""The largest pinned archive unpacks to 99 MB; this much must also fit in a laptop's memory and disk."""
MAX_RATIO = 100
"""The pinned archives shrink 2- to 9-fold; source code does not shrink 100-fold, a bomb does 1000-fold."""
RATIO_FLOOR_BYTES = 4 * 1024**2
"""Below this the ratio says nothing: a small archive may well hold one long repetitive file."""

_BLOCK_BYTES = 1 << 16

# RuntimeError: zipfile's word for an encrypted member, or one that is compressed in an unknown way.
_BROKEN = (
    tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError,
)  # fmt: skip
_HINT = "nothing was unpacked; do not use this archive"


def unpack(archive: Path, target: Path, wanted: Callable[[str], bool]) -> int:
    """Write the members of ``archive`` that are ``wanted`` below the folder ``target``; return how many.

    ``wanted`` is given the member's path with "/". The one top folder of a tar file (``package/``,
    ``gradio-6.31.0/``) is dropped first; a wheel has none. Every member is examined, wanted or not,
    before it is looked at further. IntegrityError when the archive is not safe or not whole; what was
    written by then lies in ``target``, which the caller throws away.
    """
    members = _wheel_members if archive.suffix == ".whl" else _tar_members
    written: set[str] = set()
    try:
        for path, read in members(archive):
            if not wanted(path):
                continue
            if path in written:
                raise _refused(archive, f"two members are called {path!r}")
            written.add(path)
            place = target / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(read())
    except _BROKEN as error:
        raise _refused(archive, f"it is not a whole archive ({error})") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise _refused(archive, "one member's path is both a file and a folder") from error
    return len(written)


_Member = tuple[str, Callable[[], bytes]]


def _wheel_members(archive: Path) -> Iterator[_Member]:
    budget = _Budget(archive)
    with zipfile.ZipFile(archive) as wheel:
        for info in wheel.infolist():
            path = _safe_path(archive, info.orig_filename)
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(archive, f"{path!r} is a link or a device")
            budget.member()
            budget.bytes(info.file_size)
            if not info.is_dir():
                yield path, lambda info=info: wheel.read(info)  # type: ignore[misc]


def _tar_members(archive: Path) -> Iterator[_Member]:
    budget = _Budget(archive)
    top = ""
    # As a stream: the reader counts each byte that really comes out, headers included.
    with (
        _unzipped(archive) as unzipped,
        _Counted(unzipped, budget) as counted,
        tarfile.open(fileobj=counted, mode="r|") as tar,
    ):
        for member in tar:
            path = _safe_path(archive, member.name)
            if not (member.isreg() or member.isdir()) or member.issparse():
                raise _refused(archive, f"{path!r} is a link or a device")
            budget.member()
            first, _, rest = path.partition("/")
            top = top or first
            if first != top:
                raise _refused(archive, f"expected one top folder, saw {top!r} and {first!r}")
            if member.isreg() and rest:
                yield rest, lambda member=member: _content(tar, member)  # type: ignore[misc]
        while counted.read(_BLOCK_BYTES):  # the checksum stands behind the last member
            pass


def _unzipped(archive: Path) -> gzip.GzipFile | lzma.LZMAFile:
    return lzma.open(archive) if archive.suffix == ".xz" else gzip.open(archive)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    if file is None:  # only for members that are not regular, and those were refused
        raise tarfile.ReadError(f"{member.name} has no content")
    content = file.read()
    if len(content) != member.size:
        raise tarfile.ReadError(f"{member.name} ends early")
    return content


def _safe_path(archive: Path, name: str) -> str:
    path = name.removeprefix("./").rstrip("/")
    unsafe = "\\" in path or "\0" in path or ":" in path.partition("/")[0]
    if not path or unsafe or any(part in ("", ".", "..") for part in path.split("/")):
        raise _refused(archive, f"the member {name!r} does not name a place inside it")
    return path


class _Budget:
    """What one archive may still unpack to."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._members = 0
        self._bytes = 0
        self._allowed = min(MAX_BYTES, max(RATIO_FLOOR_BYTES, MAX_RATIO * archive.stat().st_size))

    def member(self) -> None:
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise _refused(self._archive, f"it has more than {MAX_MEMBERS:,} members")

    def bytes(self, count: int) -> None:
        self._bytes += count
        if self._bytes > self._allowed:
            raise _refused(self._archive, f"it unpacks to more than {self._allowed:,} bytes")


class _Counted(io.RawIOBase):
    """Reads on, and charges what it read to the budget."""

    def __init__(self, inner: gzip.GzipFile | lzma.LZMAFile, budget: _Budget) -> None:
        self._inner = inner
        self._budget = budget

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        # One byte past the budget is enough to refuse; a header that asks for more never gets it.
        content = self._inner.read(MAX_BYTES + 1 if size < 0 else min(size, MAX_BYTES + 1))
        self._budget.bytes(len(content))
        return content


def _refused(archive: Path, why: str) -> IntegrityError:
    return IntegrityError(f"the archive {archive.name} is refused: {why}", _HINT)
