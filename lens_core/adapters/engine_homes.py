"""Homes of engine versions: each unpacked with its own pins into a folder of its own, and run from nowhere else.

Wheels are only unpacked: no installer runs, and nothing of a wheel is executed before an engine is asked to be.
"""

import fcntl
import hashlib
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lens_core.adapters.archives import unpack
from lens_core.adapters.wheelhouse import PYTHON, Wheelhouse, Wheelhouses
from lens_core.drills.previous import Previous
from lens_core.errors import IntegrityError, InvalidInput, Unavailable
from lens_core.supply.wheel_lock import parse_lock
from lens_core.supply.words import Progress

LAYOUT = 1
"""Counted up when homes are laid out differently, so that older ones are not taken for today's."""
_SITE, _SEAL = "site", "SEAL"
# The standard library, then that one folder: neither this environment's packages nor its .pth files.
_RUN = (
    "import runpy, sys; site, script = sys.argv[1:3]; sys.argv = sys.argv[2:]; sys.path.append(site); "
    "runpy.run_path(script, run_name='__main__')"
)


@dataclass(frozen=True, slots=True)
class EngineHome:
    """One version of the engine, ready to run: ``site`` holds it and all that it imports, and nothing else does."""

    site: Path
    version: str
    tantivy: str

    def command(self, script: Path) -> tuple[str, ...]:
        """Runs ``script`` in this home; its own arguments may follow.

        No environment variable and no package of the caller reaches it (``-I -S``). Bytecode is kept beside
        ``site``, which therefore stays as it was unpacked.
        """
        bytecode = f"pycache_prefix={self.site.parent / 'bytecode'}"
        return (sys.executable, "-I", "-S", "-X", bytecode, "-c", _RUN, str(self.site), str(script))


class EngineHomes:
    """Homes below ``cache/engines``, by the SHA-256 of what they are made from; made once, verified at every use.

    ``data`` holds the wheels and locks that ``versions.toml`` names. Several processes may ask at once.
    """

    def __init__(self, data: Path, cache: Path) -> None:
        self._data = data
        self._folder = cache / "engines"
        self._wheelhouses = Wheelhouses(cache)

    def of(self, previous: Previous, progress: Progress) -> EngineHome:
        """The home of a previous version; IntegrityError when its wheel or lock is not the one that is pinned.

        Unavailable when its packages are not here and cannot be fetched; see ``of_wheel``.
        """
        wheel = self._data / previous.wheel
        _expect_pinned(wheel, previous.wheel_sha256)
        lock = _expect_pinned(self._data / previous.lock, previous.lock_sha256).decode()
        home = self.of_wheel(wheel, lock, progress)
        if (home.version, home.tantivy) != (previous.version, previous.tantivy):
            raise IntegrityError(
                f"expected {previous.version} on tantivy {previous.tantivy}, saw {home.version} on {home.tantivy}",
                "see data/previous/make.py",
            )
        return home

    def of_wheel(self, wheel: Path, lock_text: str, progress: Progress) -> EngineHome:
        """The home of the engine in ``wheel``, with the packages that ``lock_text`` names by hash.

        Offline when it is there already, or all its packages are. InvalidInput for a lock without hashes or
        without tantivy, IntegrityError for an unsafe wheel, Unavailable for packages that cannot be had.
        """
        tantivy = {pin.name: pin.version for pin in parse_lock(lock_text)}.get("tantivy")
        if tantivy is None:
            raise InvalidInput("expected tantivy in the lock of an engine, saw none", "name the engine's own lock")
        _expect_python()
        place = self._folder / _key(wheel, lock_text)
        self._folder.mkdir(parents=True, exist_ok=True)
        with _alone(self._folder / f".{place.name}.lock"):
            if not _whole(place):
                self._make(place, wheel, self._wheelhouses.get(lock_text, progress), progress)
        return EngineHome(place / _SITE, _version_of(wheel), tantivy)

    def _make(self, place: Path, wheel: Path, house: Wheelhouse, progress: Progress) -> None:
        progress(f"unpacking {wheel.name} and {len(house.wheels)} packages")
        with tempfile.TemporaryDirectory(prefix=".making-", dir=self._folder) as scratch:
            new = Path(scratch, "new")
            for archive in (*(house.folder / item.filename for item in house.wheels), wheel):
                if unpack(archive, new / _SITE, _is_library) == 0:
                    raise IntegrityError(f"{archive.name} holds no files", "remove it, and fetch again")
            (new / _SEAL).write_text(_digest(new / _SITE), encoding="ascii")
            if place.exists():
                place.replace(Path(scratch, "old"))
            new.replace(place)


def _is_library(path: str) -> bool:
    """Scripts, headers and manual pages, which a wheel keeps in ``*.data``, are of no use to a library."""
    return not path.partition("/")[0].endswith(".data")


def _expect_pinned(file: Path, sha256: str) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise IntegrityError(f"expected {file.name} beside versions.toml, saw none: {error}", "restore it") from error
    seen = hashlib.sha256(content).hexdigest()
    if seen != sha256:
        raise IntegrityError(f"{file.name}: expected sha256 {sha256}, saw {seen}", "restore the file that was pinned")
    return content


def _expect_python() -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if here != PYTHON:
        raise Unavailable(
            f"engines are pinned for Python {PYTHON}, saw {here}", f"run Lens with Python {PYTHON} for this"
        )


def _key(wheel: Path, lock_text: str) -> str:
    try:
        content = wheel.read_bytes()
    except OSError as error:
        raise Unavailable(f"the wheel {wheel} cannot be read: {error}", "name a wheel of the engine") from error
    parts = (str(LAYOUT), wheel.name, hashlib.sha256(content).hexdigest(), lock_text)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _version_of(wheel: Path) -> str:
    parts = wheel.name.split("-")
    if len(parts) < 5 or wheel.suffix != ".whl":  # noqa: PLR2004  # name, version, python, abi, platform
        raise InvalidInput(f"expected the name of a wheel, saw {wheel.name}", "name a wheel of the engine")
    return parts[1]


def _whole(place: Path) -> bool:
    """Whether the home holds exactly what was unpacked into it."""
    try:
        return (place / _SEAL).read_text(encoding="ascii") == _digest(place / _SITE)
    except (OSError, UnicodeDecodeError):
        return False


def _digest(site: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(path for path in site.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{path.relative_to(site).as_posix()}\0{content}\n".encode())
    return f"sha256:{whole.hexdigest()}"


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait until no other thread or process makes this home; the kernel frees the lock of one that dies."""
    with lock.open("w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
