"""Audit logs to tamper with: written as the ledger writes them, with keys that tests may steal."""

from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lens_core.audit import GENESIS, Anchor, Entry, Kept, head_of, signed_bytes
from lens_core.supply.signatures import key_id

START = datetime(2026, 11, 24, 2, tzinfo=UTC)


class Key:
    """A key of the log; ``public`` is what verifying believes."""

    def __init__(self, seed=1):
        self._key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        raw = self._key.public_key().public_bytes_raw()
        self.id, self.public = key_id(raw), {key_id(raw): raw}

    def sign(self, head):
        """The signature of a head."""
        return self._key.sign(signed_bytes(head))


def entry(number, previous, why="as usual", what="alert.opened"):
    """Some entry."""
    return Entry(number, START + timedelta(minutes=number), "ada", what, "backend/python/small", why, previous)


def log(count, key, why="as usual"):
    """A log of ``count`` entries."""
    return chain([entry(number, "", why) for number in range(1, count + 1)], lambda _number, head: key.sign(head), key)


def chain(entries, sign, key):
    """Entries numbered and linked anew, each signed by ``sign(number, head)``."""
    head, made = GENESIS, []
    for number, one in enumerate(entries, 1):
        linked = Entry(number, one.at, one.who, one.what, one.subject, one.why, head, one.record, one.facts)
        content = linked.encode()
        head = head_of(content)
        made.append(Kept(number, content, head, key.id, sign(number, head)))
    return made


def anchor(kept):
    """The head after an entry, as it is kept elsewhere."""
    return Anchor(kept.number, kept.head, START + timedelta(minutes=kept.number), kept.key, kept.signature)
