"""Hashed requirements (pip's ``--require-hashes`` format, as uv writes it): which wheels may be installed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from lens_core.errors import IntegrityError, InvalidInput

_PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9.!+_-]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, order=True)
class Pin:
    """One requirement: normalised name, version, and the SHA-256 of each file that may stand for it."""

    name: str
    version: str
    sha256s: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class Wheel:
    """One wheel that a lock allows: file name, normalised name, version, SHA-256 in hex, size in bytes."""

    filename: str
    name: str
    version: str
    sha256: str
    size: int


def parse_lock(text: str) -> tuple[Pin, ...]:
    """The pins of a lock, by name. InvalidInput for a line that is no pin, or has no SHA-256, or for no pin at all."""
    joined = text.replace("\\\n", " ")
    pins = []
    for raw in joined.splitlines():
        line = raw.split(" #")[0].strip()
        if not line or line.startswith("#"):
            continue
        first, *rest = line.split()
        pin, hashes = _PIN.fullmatch(first), [_HASH.fullmatch(part) for part in rest]
        if not pin or not hashes or None in hashes:
            raise InvalidInput(
                f"expected name==version --hash=sha256:… in the lock, saw {line[:120]!r}", "write it with: make lock"
            )
        digests = tuple(sorted(found[1] for found in hashes if found))
        pins.append(Pin(canonicalize_name(pin["name"]), pin["version"], digests))
    names = [pin.name for pin in pins]
    if not pins or len(set(names)) != len(names):
        raise InvalidInput(
            "expected a lock with one line for each package, saw none or two", "write it with: make lock"
        )
    return tuple(sorted(pins))


def match_wheels(pins: tuple[Pin, ...], files: Mapping[str, tuple[str, int]]) -> tuple[Wheel, ...]:
    """The wheel of each pin among ``files`` (file name → SHA-256 in hex, size), by file name.

    IntegrityError names the file that is not in the lock, or the package that has no wheel or two.
    """
    expected = {pin.name: pin for pin in pins}
    found: dict[str, Wheel] = {}
    for filename, (sha256, size) in sorted(files.items()):
        name, version = _read(filename)
        pin = expected.get(name)
        if pin is None or Version(pin.version) != version or sha256 not in pin.sha256s or name in found:
            raise IntegrityError(
                f"{filename} (sha256 {sha256}) is not what the lock allows for {name}", "remove it, and fetch again"
            )
        found[name] = Wheel(filename, name, str(version), sha256, size)
    missing = sorted(expected.keys() - found.keys())
    if missing:
        raise IntegrityError(f"the wheelhouse lacks {', '.join(missing)}", "fetch it again while online")
    return tuple(sorted(found.values()))


def with_wheel(lock: str, wheel: Wheel) -> str:
    """The lock with one more line, for a wheel that was built here."""
    if wheel.name in {pin.name for pin in parse_lock(lock)}:
        raise InvalidInput(f"the lock already has {wheel.name}", "the package that is released is not in its own lock")
    return f"{lock.rstrip()}\n{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n"


def read_wheel(filename: str, sha256: str, size: int) -> Wheel:
    """Name and version out of a wheel's file name; IntegrityError when it is none."""
    name, version = _read(filename)
    return Wheel(filename, name, str(version), sha256, size)


def _read(filename: str) -> tuple[str, Version]:
    try:
        name, version, _, _ = parse_wheel_filename(filename)
    except (InvalidWheelFilename, InvalidVersion) as error:
        raise IntegrityError(f"{filename} is not the name of a wheel", "remove it, and fetch again") from error
    return name, version
