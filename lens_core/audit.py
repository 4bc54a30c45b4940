"""The audit log: entries in a hash chain, whose newest head is signed and kept elsewhere as well.

An entry is canonical JSON (RFC 8785) that names its number and the head before it. Its head is SHA-256 over a domain
and its bytes, so a head vouches for all entries up to it; every head is signed with Ed25519 (RFC 8032). Whoever can
write the database and lacks the key cannot forge a head; whoever has both still cannot change what was anchored.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lens_core.supply import canonical

FORMAT = "lens.audit/1"
GENESIS = "sha256:" + "0" * 64
"""What the first entry names as the head before it."""

_HEAD_DOMAIN, _SIGNED_DOMAIN = b"lens.audit.head/1\0", b"lens.audit.signed/1\0"


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of state: ``who`` did ``what`` (e.g. ``night.closed``) to ``subject`` (a digest, or what has none).

    ``why`` is in words; ``record`` is the digest of what the ledger holds afterwards (empty when the entry says all of
    it); ``facts`` are further texts by name. ``at`` is UTC, to the microsecond.
    """

    number: int
    at: datetime
    who: str
    what: str
    subject: str
    why: str
    previous: str
    record: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Its canonical JSON: what is hashed, kept and exported."""
        document: dict[str, Any] = {
            "format": FORMAT,
            "number": self.number,
            "at": self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "who": self.who,
            "what": self.what,
            "subject": self.subject,
            "why": self.why,
            "record": self.record,
            "facts": dict(self.facts),
            "previous": self.previous,
        }
        return canonical.encode(document)


@dataclass(frozen=True, slots=True)
class Note:
    """What a transaction says of itself; the log adds number, time and the head before it.

    ``who`` is empty for the person (or the job) that runs the command.
    """

    what: str
    subject: str
    why: str = ""
    record: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    who: str = ""


@dataclass(frozen=True, slots=True)
class Anchor:
    """The head of the log at a moment, kept outside of the database: ``signature`` is the entry's own."""

    number: int
    head: str
    at: datetime
    key: str
    signature: bytes


def head_of(content: bytes) -> str:
    """The head after the entry with these bytes: ``sha256:<hex>``."""
    return "sha256:" + hashlib.sha256(_HEAD_DOMAIN + content).hexdigest()


def signed_bytes(head: str) -> bytes:
    """What the log's key signs for a head."""
    return _SIGNED_DOMAIN + head.encode()
