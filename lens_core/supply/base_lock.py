"""Which Debian packages a base image is made of, as values and as a lock file.

The lock is RFC 8785 canonical JSON, so equal bases have locks of equal bytes. It names no server: a package is
found again by its SHA-256 in the cache, or by its place in the archive's pool.
"""

import json
import re
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

import rfc8785

from lens_core.errors import IntegrityError, InvalidInput

FORMAT = 1
GENERATED = {
    "etc/group": "the groups root, nonroot and nobody",
    "etc/nsswitch.conf": "names are looked up in files, then by DNS",
    "etc/passwd": "the users root, nonroot (65532) and nobody",  # pragma: allowlist secret (a name of a file)
    "etc/ssl/certs/ca-certificates.crt": "the certificates of ca-certificates in one file",
}
"""Files of the base that no package brought, and why they are there. Maintainer scripts would have made them."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_VERSION = re.compile(r"[0-9][A-Za-z0-9.+:~-]*")
_PATH = re.compile(r"pool/[A-Za-z0-9.+:~_/-]+\.deb")


@dataclass(frozen=True, slots=True, order=True)
class DebPackage:
    """One binary package: ``path`` is its place in the archive (``pool/…``), ``size`` in bytes."""

    name: str
    version: str
    architecture: str
    sha256: str
    size: int
    path: str

    def __post_init__(self) -> None:
        fits = _SHA256.fullmatch(self.sha256) and _NAME.fullmatch(self.name) and _VERSION.fullmatch(self.version)
        if not fits or not _PATH.fullmatch(self.path) or ".." in self.path.split("/") or self.size <= 0:
            raise IntegrityError(
                f"expected a Debian package with name, version, SHA-256, size and place in the pool, saw {self}"[:400],
                "take the lock from the candidate that it was cut with",
            )

    @property
    def purl(self) -> str:
        """The package URL; ``distro`` is the SBOM's to add."""
        version = quote(self.version, safe="~")
        return f"pkg:deb/debian/{quote(self.name, safe='')}@{version}?arch={self.architecture}"


@dataclass(frozen=True, slots=True, order=True)
class SignedIndex:
    """One signed index that packages were taken from: its suite and time, and the digests of what was signed.

    ``release_sha256`` is over the InRelease file, ``date`` the time that it states (RFC 5322), ``keys`` the
    fingerprints of the archive keys whose signatures hold.
    """

    suite: str
    date: str
    release_sha256: str
    packages_sha256: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BaseLock:
    """The packages of a base, by name, and the indexes that vouch for them."""

    packages: tuple[DebPackage, ...]
    indexes: tuple[SignedIndex, ...]

    def to_json(self) -> bytes:
        """Canonical bytes, ended by a line feed."""
        body: dict[str, Any] = {
            "format": FORMAT,
            "packages": [asdict(package) for package in sorted(self.packages)],
            "indexes": [asdict(index) | {"keys": list(index.keys)} for index in sorted(self.indexes)],
        }
        return rfc8785.dumps(body) + b"\n"

    @classmethod
    def parse(cls, content: bytes) -> "BaseLock":
        """Read ``to_json``'s bytes; InvalidInput or IntegrityError for anything else, an empty base included."""
        try:
            body: dict[str, Any] = json.loads(content)
            packages = tuple(DebPackage(**item) for item in body["packages"])
            indexes = tuple(SignedIndex(**(item | {"keys": tuple(item["keys"])})) for item in body["indexes"])
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInput(
                f"expected a lock of a base image, format {FORMAT}, saw something else ({error})",
                "take base.lock.json of the candidate, as it was written",
            ) from error
        lock = cls(packages, indexes)
        if not packages or lock.to_json() != content:  # another format has other bytes, too
            raise IntegrityError(
                "the lock of the base image is empty or was edited: its bytes are not the canonical ones",
                "take base.lock.json of the candidate, as it was written",
            )
        return lock
