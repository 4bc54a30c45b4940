"""Words that scanners, advisory sources and the seal share."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

Progress = Callable[[str], None]
"""Takes one short line about what is being done now, e.g. ``fetching 12 of 45 packages``."""


class Severity(StrEnum):
    """How bad a finding is. UNKNOWN is not harmless: it blocks as CRITICAL does (first law)."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a scanner or an advisory source found.

    ``source`` is who says so (``bandit``, ``osv-dir``), ``rule`` what it is (``B602``, ``CVE-2019-10906``;
    the id that a waiver names), ``subject`` where (a purl, or ``path:line``).
    """

    source: str
    rule: str
    severity: Severity
    subject: str
    message: str
    fixed_in: str = ""


class Signer(Protocol):
    """Signs with an Ed25519 key that it does not hand out (RFC 8032)."""

    @property
    def public_key(self) -> bytes:
        """The 32 raw bytes of the public key."""

    def sign(self, message: bytes) -> bytes:
        """The 64 raw bytes of the signature over ``message``."""


@dataclass(frozen=True, slots=True)
class Component:
    """One package that an SBOM lists, as a scanner of vulnerabilities asks about it.

    ``ecosystem`` is the purl's type (``pypi``, ``deb``, ``cargo`` …). ``source_name`` and ``source_version``
    name the Debian source package that ``name`` was built from, ``distro`` its release (``debian-12``);
    they are empty elsewhere.
    """

    purl: str
    ecosystem: str
    name: str
    version: str
    source_name: str = ""
    source_version: str = ""
    distro: str = ""
