"""Versions of releases: semantic versions, of which a wheel carries the PEP 440 spelling."""

import re
from dataclasses import dataclass

from lens_core.errors import InvalidInput

_FORM = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})(?:-(alpha|beta|rc)\.(0|[1-9]\d{0,5}))?")
_PEP440 = {"alpha": "a", "beta": "b", "rc": "rc"}


@dataclass(frozen=True, slots=True)
class ReleaseVersion:
    """A version as people write it (``1.0.0-rc.1``) and as Python's packages do (``1.0.0rc1``)."""

    text: str
    pep440: str


def parse_version(text: str) -> ReleaseVersion:
    """Read ``MAJOR.MINOR.PATCH`` or ``MAJOR.MINOR.PATCH-rc.N`` (also alpha and beta); InvalidInput otherwise."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise InvalidInput(
            f"expected a version like 1.0.0-rc.1 or 1.0.0, saw {text!r}", "semantic versioning, semver.org, names them"
        )
    major, minor, patch, kind, number = match.groups()
    base = f"{major}.{minor}.{patch}"
    return ReleaseVersion(text, f"{base}{_PEP440[kind]}{number}" if kind else base)
