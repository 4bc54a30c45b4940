"""Wheel and sdist of a commit, with hatchling: built twice under unlike circumstances, compared bit for bit."""

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from lens_core.cut_ports import Distribution
from lens_core.errors import IntegrityError, InvalidInput, Unavailable

_VERSION_LINE = re.compile(r'^version = "[^"\n]*"$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Circumstances:
    """What may differ between two machines and must not show: the path, the umask, the time zone, the language."""

    folder: str
    umask: int
    zone: str
    locale: str


_UNLIKE = (
    _Circumstances("a", 0o022, "UTC", "C.UTF-8"),
    _Circumstances("another place/b", 0o077, "Pacific/Kiritimati", "POSIX"),
)


@dataclass(frozen=True, slots=True)
class BuiltTwice:
    """What two builds gave alike, and for the record what each was: its circumstances, its files' SHA-256 in hex."""

    distributions: tuple[Distribution, ...]
    record: list[dict[str, Any]]


class Distributions:
    """Builds with the hatchling of this environment (pinned by the lock)."""

    def build(
        self, archive: bytes, epoch: int, *, version: str = "", targets: Sequence[str] = ("sdist", "wheel")
    ) -> BuiltTwice:
        """``targets`` of the tree in ``archive`` (tar), dated ``epoch`` (seconds since 1970).

        ``version`` takes the place of the one in ``pyproject.toml``. IntegrityError when the two builds
        differ, Unavailable when one cannot be made.
        """
        with ThreadPoolExecutor(len(_UNLIKE)) as pool:
            first, second = pool.map(lambda c: _build_once(archive, epoch, version, targets, c), _UNLIKE)
        if first != second:
            pairs = zip(first, second, strict=False)
            differing = "; ".join(f"{a.filename} {_short(a)} and {b.filename} {_short(b)}" for a, b in pairs if a != b)
            raise IntegrityError(
                f"two builds of one commit differ: {differing}",
                "the build is not reproducible: compare the two with diffoscope",
            )
        records = zip(_UNLIKE, (first, second), strict=True)
        return BuiltTwice(first, [{"circumstances": asdict(c), "files": _sums(files)} for c, files in records])


def _sums(files: Sequence[Distribution]) -> dict[str, str]:
    return {one.filename: hashlib.sha256(one.content).hexdigest() for one in files}


def _build_once(
    archive: bytes, epoch: int, version: str, targets: Sequence[str], where: _Circumstances
) -> tuple[Distribution, ...]:
    environment = {
        **os.environ,
        "SOURCE_DATE_EPOCH": str(epoch),
        "TZ": where.zone,
        "LC_ALL": where.locale,
        "PYTHONHASHSEED": "random",
    }
    with tempfile.TemporaryDirectory(prefix="lens-build-") as place:
        folder = Path(place, where.folder)
        folder.mkdir(parents=True)
        with tarfile.open(fileobj=BytesIO(archive)) as tar:  # git made it, of this very repository
            tar.extractall(folder, filter="data")
        if version:
            _set_version(folder / "pyproject.toml", version)
        for target in targets:
            command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder / "out")]
            done = subprocess.run(
                command, cwd=folder, env=environment, umask=where.umask, capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                raise Unavailable(f"the {target} could not be built: {done.stderr.strip()[-2000:]}", "mend the build")
        return tuple(Distribution(file.name, file.read_bytes()) for file in sorted((folder / "out").iterdir()))


def _set_version(project: Path, version: str) -> None:
    text = project.read_text(encoding="utf-8")
    if len(_VERSION_LINE.findall(text)) != 1:
        raise InvalidInput(
            f'expected one line like version = "1.0.0" in {project.name}, saw {len(_VERSION_LINE.findall(text))}',
            "the version of a candidate takes its place",
        )
    project.write_text(_VERSION_LINE.sub(f'version = "{version}"', text), encoding="utf-8")


def _short(built: Distribution) -> str:
    return hashlib.sha256(built.content).hexdigest()[:12]
