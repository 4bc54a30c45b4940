r"""The manifest of a cut: one canonical document that names every other file, and one raw signature over it.

::

    {"commit":"<hex>","files":[{"name":"…","sha256":"<hex>","size":N},…],
     "format":"lens-candidate-manifest-v1","key":"ed25519:<hex>","version":"1.0.0-rc.1"}

in RFC 8785's bytes, on one line without an end. ``files`` are sorted by name; names are relative, of plain ASCII
characters that neither JSON, SHA256SUMS nor a shell has to escape. The signature is Ed25519 over
``lens-candidate-manifest-v1\n`` and those bytes, so that it is valid for nothing else the key ever signs.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from lens_core.errors import IntegrityError, InvalidInput
from lens_core.supply import canonical, shape
from lens_core.supply.signatures import KEY_ID, SIGNATURE_BYTES
from lens_core.supply.words import Signer

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
SUMS = "SHA256SUMS"
FORMAT = "lens-candidate-manifest-v1"
MAX_SIZE = 2**53 - 1
"""The largest integer that every JSON reader keeps, in bytes of a file."""

_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9._+~!@=-]*"
_NAME = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*", re.ASCII)
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]*", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_HINT = "the manifest is not one that `lens cut-rc` writes: do not use the cut"


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One file of a cut: its name relative to the cut (``dist/lens.whl``), its bytes, its SHA-256 in hex."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says: ``key`` is the id of the key that signs it, ``commit`` git's, ``entries`` by name."""

    version: str
    commit: str
    key: str
    entries: tuple[Entry, ...]

    @property
    def by_name(self) -> dict[str, Entry]:
        """The entries by their name."""
        return {entry.name: entry for entry in self.entries}


def build(entries: Iterable[Entry], *, version: str, commit: str, key: str) -> bytes:
    """The canonical bytes of a manifest, in whatever order the entries come; InvalidInput if it could not be read."""
    content = canonical.encode(
        {
            "commit": commit,
            "files": [{"name": e.name, "sha256": e.sha256, "size": e.size} for e in sorted(entries)],
            "format": FORMAT,
            "key": key,
            "version": version,
        }
    )
    try:
        decode(content)
    except IntegrityError as error:
        raise InvalidInput(error.message, "a cut cannot hold it") from error
    return content


def decode(content: bytes) -> Manifest:
    """Read a manifest; IntegrityError for bytes that ``build`` would not have written."""
    try:
        document = shape.members(
            canonical.decode(content, MANIFEST), ("commit", "files", "format", "key", "version"), MANIFEST
        )
        shape.exactly(document["format"], FORMAT, f"{MANIFEST}: format")
        entries = tuple(_entry(item) for item in shape.items(document["files"], f"{MANIFEST}: files"))
        _in_order([entry.name for entry in entries])
        return Manifest(
            shape.text(document["version"], _VERSION, f"{MANIFEST}: version"),
            shape.text(document["commit"], _COMMIT, f"{MANIFEST}: commit"),
            shape.text(document["key"], KEY_ID, f"{MANIFEST}: key"),
            entries,
        )
    except IntegrityError as error:
        raise IntegrityError(error.message, error.hint or _HINT) from error


def sums(entries: Iterable[Entry]) -> bytes:
    """``SHA256SUMS`` as ``sha256sum`` writes it: every file but itself, the manifest and its signature."""
    listed = (entry for entry in sorted(entries) if entry.name not in {MANIFEST, SIGNATURE, SUMS})
    return b"".join(f"{entry.sha256}  {entry.name}\n".encode() for entry in listed)


def signed_bytes(manifest: bytes) -> bytes:
    """What is signed: the domain, a line break, the manifest."""
    return FORMAT.encode() + b"\n" + manifest


def sign(manifest: bytes, signer: Signer) -> bytes:
    """The 64 raw bytes of ``manifest.sig``; InvalidInput if the signer gives something else."""
    signature = signer.sign(signed_bytes(manifest))
    if len(signature) != SIGNATURE_BYTES:
        raise InvalidInput(f"expected a signature of {SIGNATURE_BYTES} bytes, saw {len(signature)}")
    return signature


def _entry(item: Any) -> Entry:
    where = f"{MANIFEST}: a file"
    found = shape.members(item, ("name", "sha256", "size"), where)
    name = shape.text(found["name"], _NAME, f"{where}'s name")
    if name in {MANIFEST, SIGNATURE}:
        raise IntegrityError(f"{MANIFEST}: expected neither itself nor its signature among the files, saw {name}")
    digest = shape.text(found["sha256"], shape.HEX_SHA256, f"{name}: sha256")
    return Entry(name, shape.whole(found["size"], f"{name}: size"), digest)


def _in_order(names: Sequence[str]) -> None:
    for before, after in pairwise(names):
        if before >= after:
            raise IntegrityError(f"{MANIFEST}: expected ascending names, each once, saw {after} after {before}")
