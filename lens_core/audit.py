"""The audit log: entries in a hash chain, whose newest head is signed and kept elsewhere as well.

An entry is canonical JSON (RFC 8785) that names its number and the head before it. Its head is SHA-256 over a domain
and its bytes, so a head vouches for all entries up to it; every head is signed with Ed25519 (RFC 8032). Whoever can
write the database and lacks the key cannot forge a head; whoever has both still cannot change what was anchored.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from lens_core.errors import IntegrityError
from lens_core.supply import canonical, shape

FORMAT = "lens.audit/1"
GENESIS = "sha256:" + "0" * 64
"""What the first entry names as the head before it."""

TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
HEAD = re.compile(r"sha256:[0-9a-f]{64}")

_MEMBERS = ("format", "number", "at", "who", "what", "subject", "why", "record", "facts", "previous")
_ANY = re.compile(r".*", re.DOTALL)
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
            "at": self.at.astimezone(UTC).strftime(TIME),
            "who": self.who,
            "what": self.what,
            "subject": self.subject,
            "why": self.why,
            "record": self.record,
            "facts": dict(self.facts),
            "previous": self.previous,
        }
        return canonical.encode(document)

    @staticmethod
    def decode(content: bytes) -> "Entry":
        """The entry in these bytes; IntegrityError when they hold none.

        That they are the canonical bytes is not asked: whoever hashed them says which bytes they are.
        """
        where = "an entry of the audit log"
        try:
            found = shape.members(json.loads(content), _MEMBERS, where)
            shape.exactly(found["format"], FORMAT, where)
            at = moment(found["at"])
        except (ValueError, TypeError) as error:
            raise IntegrityError(f"{where}: expected JSON as Lens writes it, saw {content[:60]!r}") from error
        facts = found["facts"]
        if not isinstance(facts, dict) or not all(isinstance(value, str) for value in facts.values()):
            raise IntegrityError(f"{where}: expected facts that are texts, saw {facts!r}")
        words = {name: shape.text(found[name], _ANY, where) for name in ("who", "what", "subject", "why", "record")}
        previous = shape.text(found["previous"], HEAD, where)
        return Entry(number=shape.whole(found["number"], where), at=at, previous=previous, facts=facts, **words)


class Kept(NamedTuple):
    """An entry as the ledger or an export holds it: its bytes, the head after it, and the key's signature of that."""

    number: int
    content: bytes
    head: str
    key: str
    signature: bytes


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


def moment(text: str) -> datetime:
    """A time as entries and anchors write it; ValueError for any other text."""
    at = datetime.fromisoformat(text)
    if at.strftime(TIME) != text:
        raise ValueError(f"expected a time in UTC to the microsecond, saw {text!r}")
    return at


def extended(content: bytes) -> "hashlib._Hash":
    """The hash whose hex digits are the head after the entry with these bytes."""
    return hashlib.sha256(_HEAD_DOMAIN + content)


def head_of(content: bytes) -> str:
    """The head after the entry with these bytes: ``sha256:<hex>``."""
    return "sha256:" + extended(content).hexdigest()


def signed_bytes(head: str) -> bytes:
    """What the log's key signs for a head."""
    return _SIGNED_DOMAIN + head.encode()
