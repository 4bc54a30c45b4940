"""A folder with the wheels of a lock: fetched once with pip's own configuration, verified at every use."""

import fcntl
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lens_core.errors import IntegrityError, Unavailable
from lens_core.supply.wheel_lock import Pin, Wheel, match_wheels, parse_lock
from lens_core.supply.words import Progress

PYTHON = "3.11"
"""The base's Python."""
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
"""What Debian 12's C library can run, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Wheelhouse:
    """A verified wheelhouse: the folder, its wheels by file name, and the digest of the lock that they stand for."""

    folder: Path
    wheels: tuple[Wheel, ...]
    lock_sha256: str


class Wheelhouses:
    """Wheelhouses below ``cache``, in ``wheels/<sha256 of the lock>``."""

    def __init__(self, cache: Path, *, timeout_s: float = 600.0) -> None:
        self._folder = cache / "wheels"
        self._timeout_s = timeout_s

    def get(self, lock: str, progress: Progress) -> Wheelhouse:
        """The wheels that ``lock`` names; fetched if they are not here, offline if they are.

        InvalidInput for a lock without hashes, Unavailable when a wheel cannot be had. Wheels here that are not
        the lock's any more are fetched anew.
        """
        pins = parse_lock(lock)
        key = hashlib.sha256(lock.encode()).hexdigest()
        place = self._folder / key
        self._folder.mkdir(parents=True, exist_ok=True)
        with _alone(self._folder / ".lock"):
            wheels = _whole(place, pins)
            if wheels is None:
                wheels = self._fetch(lock, pins, place, progress)
        return Wheelhouse(place, wheels, key)

    def _fetch(self, lock: str, pins: tuple[Pin, ...], place: Path, progress: Progress) -> tuple[Wheel, ...]:
        progress(f"fetching {len(pins)} wheels")
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=self._folder) as scratch:
            new, requirements = Path(scratch) / "new", Path(scratch) / "lock.txt"
            new.mkdir()
            requirements.write_text(lock, encoding="utf-8")
            platforms = [part for platform in PLATFORMS for part in ("--platform", platform)]
            self._pip(["--dest", str(new), "--requirement", str(requirements), "--python-version", PYTHON,
                       "--implementation", "cp", *platforms])  # fmt: skip
            wheels = match_wheels(pins, _files(new))
            if place.exists():
                place.replace(Path(scratch) / "old")
            new.replace(place)
        return wheels

    def _pip(self, arguments: list[str]) -> None:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
                   "--require-hashes", "--no-deps", "--only-binary=:all:", *arguments]  # fmt: skip
        hint = "check the network and pip's index, and cut again; what is fetched stays"
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=self._timeout_s, check=False)
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"the wheels were not fetched within {self._timeout_s:.0f} s", hint) from error
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if not line.startswith("WARNING")]
            raise Unavailable(f"pip cannot fetch the wheels: {' '.join(lines)[-600:]}", hint)


def _whole(place: Path, pins: tuple[Pin, ...]) -> tuple[Wheel, ...] | None:
    try:
        return match_wheels(pins, _files(place)) if place.is_dir() else None
    except IntegrityError:
        return None


def _files(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
        for path in sorted(folder.iterdir())
        if path.is_file()
    }


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait until no other process fetches; the kernel frees the lock of one that dies."""
    with lock.open("w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
