"""Reads what locked wheels and debs hold: the ground truth for ``lens_core.supply.ownership``.

Nothing is unpacked to disk and no maintainer script is run. The archives' own digests are held against the lock by
whoever has fetched them; here they are only stated.
"""

import hashlib
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import replace
from email import message_from_bytes
from pathlib import Path

from packaging.utils import canonicalize_name

from lens_core.errors import IntegrityError, InvalidInput
from lens_core.supply.locked import Locked, LockedFile, LockedPackage, hashed
from lens_core.supply.packages import parse_fields, parse_source

THREADS = 2
"""Archives at once: unpacking and hashing let other threads run."""
MAX_BYTES = 1024**3
"""That one archive may unpack to."""

_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    RuntimeError,
    ValueError,
    KeyError,
)
_DATA = re.compile(r"[^/]+\.data/(?P<scheme>[^/]+)/(?P<path>.+)")
_AR = b"!<arch>\n"


def read_locked(wheels: Iterable[Path], debs: Iterable[Path] = ()) -> Locked:
    """What these archives hold; 18 MB of debs and 20 MB of wheels take about a second and a half.

    IntegrityError for a file that is no whole wheel or deb; InvalidInput for a deb in a compression that
    Python cannot read.
    """
    jobs: list[tuple[Callable[[Path], LockedPackage], Path]] = [(_wheel, path) for path in sorted(wheels)]
    jobs += [(_deb, path) for path in sorted(debs)]
    jobs.sort(key=lambda job: -job[1].stat().st_size)
    with ThreadPoolExecutor(THREADS) as pool:
        packages = list(pool.map(_read, jobs))
    return Locked(tuple(sorted(packages, key=lambda item: (item.ecosystem, item.name, item.version))))


def _read(job: tuple[Callable[[Path], LockedPackage], Path]) -> LockedPackage:
    read, path = job
    try:
        package = read(path)
    except _BROKEN as error:
        raise IntegrityError(f"{path.name} is not a whole archive ({error})", "fetch it again") from error
    return replace(package, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def _wheel(path: Path) -> LockedPackage:
    files: list[LockedFile] = []
    scripts: list[LockedFile] = []
    name = version = ""
    with zipfile.ZipFile(path) as wheel:
        if sum(info.file_size for info in wheel.infolist()) > MAX_BYTES:
            raise zipfile.BadZipFile(f"it unpacks to more than {MAX_BYTES:,} bytes")
        for info in wheel.infolist():
            if info.is_dir():
                continue
            content = wheel.read(info)
            if re.fullmatch(r"[^/]+\.dist-info/METADATA", info.filename):
                metadata = message_from_bytes(content)
                name, version = canonicalize_name(str(metadata["Name"])), str(metadata["Version"])
            if re.fullmatch(r"[^/]+\.dist-info/entry_points\.txt", info.filename):
                scripts += _entry_points(content.decode())
            match = _DATA.fullmatch(info.filename)
            if match and match["scheme"] == "scripts":  # an installer rewrites the first line of those that ask for it
                script = hashed(match["path"], content)
                scripts.append(LockedFile(match["path"]) if content.startswith(b"#!python") else script)
            else:
                files.append(hashed(_installed(info.filename), content))
    if not name:
        raise zipfile.BadZipFile("it has no METADATA")
    return LockedPackage("pypi", name, version, tuple(files), scripts=tuple(scripts))


def _installed(name: str) -> str:
    match = _DATA.fullmatch(name)
    if match is None:
        return name
    return match["path"] if match["scheme"] in ("purelib", "platlib") else f"../../../{match['path']}"


def _entry_points(text: str) -> Iterator[LockedFile]:
    parser = ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names are told apart by case
    try:
        parser.read_string(text)
    except ConfigError as error:
        raise ValueError(f"its entry points cannot be read: {error}") from error
    for section in ("console_scripts", "gui_scripts"):
        if parser.has_section(section):
            yield from (LockedFile(script, target=entry_point) for script, entry_point in parser.items(section))


def _deb(path: Path) -> LockedPackage:
    parts = dict(_ar_members(path))
    fields: dict[str, str] = {}
    with _tar(parts, "control.tar") as control:
        for member in control:
            file = control.extractfile(member) if member.name.removeprefix("./") == "control" else None
            if file is not None:
                fields = parse_fields(file.read().decode())
    files: list[LockedFile] = []
    seen: dict[str, LockedFile] = {}
    with _tar(parts, "data.tar") as data:
        for member in data:
            name = member.name.removeprefix("./")
            if member.isfile():
                file = data.extractfile(member)
                seen[name] = hashed(name, file.read() if file else b"", member.mode)
                files.append(seen[name])
            elif member.islnk():
                files.append(replace(seen[member.linkname.removeprefix("./")], path=name))
            elif member.issym():
                files.append(LockedFile(name, target=member.linkname))
    return LockedPackage("deb", fields["package"], fields["version"], tuple(files), source=parse_source(fields))


def _ar_members(path: Path) -> Iterator[tuple[str, bytes]]:
    """The members of a deb: an ``ar`` archive with 60-byte headers and even lengths."""
    content = path.read_bytes()
    if not content.startswith(_AR):
        raise ValueError("it does not begin as an ar archive")
    at = len(_AR)
    while at < len(content):
        header = content[at : at + 60]
        size = int(header[48:58])
        yield header[:16].decode("ascii").rstrip(" /"), content[at + 60 : at + 60 + size]
        at += 60 + size + size % 2


def _tar(parts: dict[str, bytes], stem: str) -> tarfile.TarFile:
    names = [name for name in (f"{stem}.xz", f"{stem}.gz", stem, f"{stem}.zst") if name in parts]
    if not names:
        raise ValueError(f"it has no {stem}")
    name = names[0]
    if name.endswith(".zst"):
        raise InvalidInput(f"expected {stem} in xz or gzip, saw {name}", "take packages of Debian's own archive")
    return tarfile.open(fileobj=io.BytesIO(parts[name]), mode="r:*")
