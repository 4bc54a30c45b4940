"""Orders of versions: PEP 440 for PyPI, Debian policy 5.6.12 for debs, SemVer 2.0 for crates and npm.

An order is a function from a version's text to a key that compares as the version does, or to None for a
text that is no version of that kind. None is never smaller or greater than anything: who asks must say
what an unreadable version means.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from packaging.version import InvalidVersion, Version

Order = Callable[[str], Any]
"""Version text → comparable key, or None."""

_DEBIAN = re.compile(r"(?:(\d+):)?([A-Za-z0-9.+~-]+|(?<=:)[A-Za-z0-9.+~:-]+)")
_PARTS = re.compile(r"([^0-9]*)([0-9]*)")
_SEMVER = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
_END = ((0,), 0)
"""The end of a part sorts behind a tilde and before everything else."""


@lru_cache(maxsize=1 << 16)
def pep440(text: str) -> Version | None:
    """The version as PyPI orders it; ``1.0+local`` counts as the ``1.0`` that it was made from."""
    try:
        version = Version(text)
    except InvalidVersion:
        return None
    return Version(version.public) if version.local else version


def debian(text: str) -> tuple[object, ...] | None:
    """The key of ``[epoch:]upstream[-revision]`` as dpkg orders it."""
    read = _DEBIAN.fullmatch(text.strip())
    if read is None:
        return None
    epoch, rest = read.groups()
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return int(epoch or 0), _part(upstream), _part(revision)


def _part(text: str) -> tuple[object, ...]:
    pairs = [
        ((*(_rank(letter) for letter in letters), 0), int(digits or 0))
        for letters, digits in _PARTS.findall(text)
        if letters or digits
    ]
    while pairs and pairs[-1] == _END:
        pairs.pop()
    return (*pairs, _END, _END)


def _rank(letter: str) -> int:
    if letter == "~":
        return -1
    return ord(letter) if letter.isalpha() else ord(letter) + 256


def semver(text: str) -> tuple[object, ...] | None:
    """The key of ``major.minor.patch[-prerelease]``; a missing minor or patch counts as 0."""
    read = _SEMVER.fullmatch(text.strip())
    if read is None:
        return None
    major, minor, patch, pre = read.groups()
    release = (int(major), int(minor or 0), int(patch or 0))
    if pre is None:
        return (*release, 1, ())
    return (*release, 0, tuple((0, int(i), "") if i.isdigit() else (1, 0, i) for i in pre.split(".")))
