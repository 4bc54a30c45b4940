"""Verifies an audit log, whoever hands it over: whether it is what was written, and which entry is the first bad one.

The chain shows an edit, an insertion, a deletion and a new order where it was made. Somebody who hashes it again from
there on cannot sign the new heads without the log's key; every head is signed, so a binary search over the signatures
finds where that began. Somebody who has the key as well is shown by the heads that were kept elsewhere, and so is a
log whose end is gone: then the first bad entry is found as closely as heads were kept.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from lens_core.audit import FORMAT, GENESIS, Anchor, Entry, Kept, extended, moment, signed_bytes
from lens_core.audit_records import CLAIMING, claims
from lens_core.errors import IntegrityError
from lens_core.supply.signatures import SIGNATURE_BYTES, is_signed

_HASH_BYTES = 32
_AT = slice(len(b'{"at":"'), len(b'{"at":"2026-11-24T02:00:00.000000Z'))  # the first member of canonical bytes
_WHAT = b',"what":"'  # followed by texts only, where a quote is escaped: the last one is the member's
_LINK = b',"format":"%b","number":%%d,"previous":"%%b","record":"' % FORMAT.encode()
_CLAIMING = tuple(name.encode() for name in CLAIMING)


@dataclass(frozen=True, slots=True)
class AuditVerification:
    """What verifying found. ``stands`` when there is no fault.

    ``first_bad`` is the first entry that is not what was written, None when all are or nobody can tell; where only kept
    heads show it, the entry lies between that one and ``not_after``. ``signers`` are the keys that signed, with the
    first entry of each; ``anchored`` is the newest entry whose head is kept elsewhere, 0 for none. ``claimed`` is what
    the entries say that the ledger holds; ``mismatches`` is where it holds something else (see ``audit_records``).
    """

    entries: int
    head: str
    latest: datetime | None
    signers: Mapping[str, int]
    anchored: int
    first_bad: int | None = None
    not_after: int | None = None
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    claimed: Mapping[str, str] = field(default_factory=dict)
    mismatches: Mapping[str, str] = field(default_factory=dict)

    @property
    def stands(self) -> bool:
        """Whether the log, and the ledger as far as it was held against it, are what was written."""
        return not self.faults and not self.mismatches


def verify(
    entries: Iterable[Kept],
    keys: Mapping[str, bytes],
    anchors: Sequence[Anchor] = (),
    *,
    every_signature: bool = False,
) -> AuditVerification:
    """Verify the whole log, oldest entry first. ``keys`` are the public keys that are believed, raw, by id.

    Signatures are checked where they decide: the newest head's, the last one of each key, and where a search leads;
    ``every_signature`` checks all, for a damaged signature in the middle takes nothing from what the later ones say.
    """
    chain = _Chain()
    chain.follow(entries)
    said = _Findings(chain, keys)
    said.signatures(every=every_signature)
    said.anchors(sorted(anchors, key=lambda anchor: anchor.number))
    return said.verification()


class _Chain:
    """Follows the entries; keeps of each what a search may come back to. ``broken`` says what ended it."""

    def __init__(self) -> None:
        self.count = 0
        self.head = GENESIS
        self.broken = ""
        self.claimed: dict[str, str] = {}
        self.runs: list[tuple[int, str]] = []  # the first entry of each stretch that one key signed
        self._heads, self._signatures = bytearray(), bytearray()  # 96 bytes an entry: a million fits in memory
        self._latest = b""

    def follow(self, entries: Iterable[Kept]) -> None:
        """Follow entries until one does not follow; then ``broken`` says why.

        A million times: nothing is parsed here that need not be, and names are local.
        """
        count, head, latest, last_key = 0, GENESIS.encode(), b"", None
        for kept in entries:
            number, content, claimed_head, key, signature = kept
            if number != count + 1 or _LINK % (number, head) not in content:
                self.broken = _no_link(kept, count + 1, head.decode())
                break
            hashed = extended(content)
            next_head = "sha256:" + hashed.hexdigest()
            if claimed_head != next_head:
                self.broken = f"entry {number} was edited: its content gives {next_head}, it says {claimed_head}"
                break
            if len(signature) != SIGNATURE_BYTES:
                self.broken = f"entry {number} has no signature"
                break
            if content.startswith(_CLAIMING, content.rfind(_WHAT) + len(_WHAT)) and not self._claim(content, number):
                break
            if key != last_key:
                last_key = key
                self.runs.append((number, key))
            self._heads += hashed.digest()
            self._signatures += signature
            latest = max(latest, content[_AT])
            count, head = number, next_head.encode()
        self.count, self.head, self._latest = count, head.decode(), latest

    def _claim(self, content: bytes, number: int) -> bool:
        try:
            self.claimed.update(claims(json.loads(content)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.broken = f"entry {number} is none that Lens writes: {error!r}"
            return False
        return True

    def head_at(self, number: int) -> str:
        """The head after an entry that follows."""
        return "sha256:" + self._heads[(number - 1) * _HASH_BYTES : number * _HASH_BYTES].hex()

    def signature_at(self, number: int) -> bytes:
        """The signature of that head."""
        return bytes(self._signatures[(number - 1) * SIGNATURE_BYTES : number * SIGNATURE_BYTES])

    @property
    def latest(self) -> datetime | None:
        """The latest time that an entry names; None without one."""
        try:
            return moment(self._latest.decode())
        except ValueError:
            return None


class _Findings:
    """Holds a chain against keys and kept heads."""

    def __init__(self, chain: _Chain, keys: Mapping[str, bytes]) -> None:
        self._chain, self._keys = chain, keys
        self._faults: list[str] = [chain.broken] if chain.broken else []
        self._warnings: list[str] = []
        self._first_bad: tuple[int, int] | None = None  # and the last that it can be
        if chain.broken:
            self._bad(chain.count + 1, chain.count + 1)
        self._anchored = 0

    def signatures(self, *, every: bool) -> None:
        """Check the last signature of each key's stretch, and search in one that does not end well."""
        for (start, key), (after, _) in pairwise([*self._chain.runs, (self._chain.count + 1, "")]):
            if key not in self._keys:
                self._faults.append(f"entry {start} is signed with {key}, which is none of the log's keys")
                self._bad(start, start)
            elif every or not self._holds(after - 1, key):
                bad = self._first_unsigned(start, after - 1, key, every=every)
                if bad is not None:
                    why = "it was edited, or rewritten from there on"
                    self._faults.append(f"entry {bad} is not what the log's key signed: {why}")
                    self._bad(bad, bad)

    def anchors(self, anchors: Sequence[Anchor]) -> None:
        """Hold the chain against the heads that were kept elsewhere, oldest first."""
        chain = self._chain
        for anchor in anchors:
            if anchor.number == 0 or not self._is_real(anchor):
                self._faults.append(f"the kept head of entry {anchor.number} is not signed by the log's key")
            elif anchor.number > chain.count:
                if not chain.broken:
                    self._faults.append(
                        f"the log ends at entry {chain.count}, and on {anchor.at:%Y-%m-%d %H:%M} UTC it had "
                        f"{anchor.number}: its end was removed"
                    )
                    self._bad(chain.count + 1, chain.count + 1)
                break
            elif anchor.head != chain.head_at(anchor.number):
                low, high = self._anchored + 1, anchor.number
                self._faults.append(
                    f"the head of entry {high} was {anchor.head} on {anchor.at:%Y-%m-%d %H:%M} UTC, and is "
                    f"{chain.head_at(high)} now: the log was rewritten from an entry between {low} and {high} on"
                )
                self._bad(low, high)
                break
            else:
                self._anchored = anchor.number
        if not anchors and chain.count:
            self._warnings.append(
                "no head of the log is kept elsewhere: a removed end, or a thief of its key, shows not"
            )

    def verification(self) -> AuditVerification:
        """All of it."""
        chain, warnings = self._chain, [*self._warnings]
        signers: dict[str, int] = {}
        for start, key in chain.runs:
            signers.setdefault(key, start)
        if len(signers) > 1:
            said = ", ".join(f"{key} since entry {start}" for key, start in signers.items())
            warnings.append(f"{len(signers)} keys signed this log: {said}")
        if 0 < self._anchored < chain.count and not self._faults:
            warnings.append(f"no head is kept of the newest {chain.count - self._anchored} entries yet")
        first, last = self._first_bad or (None, None)
        return AuditVerification(
            chain.count, chain.head, chain.latest, signers, self._anchored, first, last, tuple(self._faults),
            tuple(warnings), chain.claimed,
        )  # fmt: skip

    def _bad(self, first: int, last: int) -> None:
        """Of two findings the one that ends earlier is nearer to the first bad entry."""
        if self._first_bad is None or (last, -first) < (self._first_bad[1], -self._first_bad[0]):
            self._first_bad = first, last

    def _holds(self, number: int, key: str) -> bool:
        said = signed_bytes(self._chain.head_at(number))
        return is_signed(self._keys[key], self._chain.signature_at(number), said)

    def _first_unsigned(self, low: int, high: int, key: str, *, every: bool) -> int | None:
        """The first entry of a stretch whose signature does not hold: before it they do, from it on they do not."""
        if every:
            return next((number for number in range(low, high + 1) if not self._holds(number, key)), None)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._holds(middle, key) else (low, middle)
        return low

    def _is_real(self, anchor: Anchor) -> bool:
        """Whether an anchor says something. One that agrees needs no proof; one of an unknown key is not waved away."""
        agrees = anchor.number <= self._chain.count and anchor.head == self._chain.head_at(anchor.number)
        known: Any = self._keys.get(anchor.key)
        return agrees or known is None or is_signed(known, anchor.signature, signed_bytes(anchor.head))


def _no_link(kept: Kept, number: int, head: str) -> str:
    """Why an entry does not follow, as closely as one can tell."""
    try:
        seen = Entry.decode(kept.content)
    except IntegrityError:
        return f"entry {number} cannot be read: it was edited"
    if kept.number != seen.number:
        return f"expected entry {number}, saw one that stands as entry {kept.number} and says {seen.number}"
    if seen.number > number:
        return f"expected entry {number}, saw entry {seen.number}: entries were removed, or put in another order"
    if seen.number < number:
        return f"expected entry {number}, saw entry {seen.number} again: entries were inserted or put in another order"
    return (
        f"entry {number} follows a head {seen.previous}, and the entry before it has {head}: one was edited or inserted"
    )
