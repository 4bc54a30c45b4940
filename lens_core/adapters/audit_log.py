"""Writes the audit log: entries in the transaction that they speak of, heads kept elsewhere once it is committed."""

import getpass
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from sqlmodel import Session, col, select

from lens_core.adapters.audit_anchors import FileAnchors
from lens_core.adapters.audit_rows import AuditRow
from lens_core.adapters.clock import SystemClock
from lens_core.adapters.ledger_contents import contents
from lens_core.adapters.own_keys import AUDIT, key_folder, own_key, public_folder, public_keys
from lens_core.audit import GENESIS, Anchor, Entry, Note, head_of, signed_bytes
from lens_core.errors import BrokenChain, Unavailable
from lens_core.signoff_ports import AuditAnchors, Now
from lens_core.supply.signatures import is_signed, key_id
from lens_core.supply.words import Signer

ANCHORS = Path("audit") / "anchors.jsonl"
_REST_S = 60.0


class Trail:
    """Who writes to the audit log, with which key, at what time, and where its heads are kept.

    ``signer`` is asked for the key when something is written, so that reading needs none; ``keys`` for the public keys
    that may have signed what is there, beside that one. An anchor that failed is left alone for ``rest_s``, so that a
    dead address does not hold up every change.
    """

    def __init__(
        self,
        signer: Callable[[], Signer],
        anchors: Sequence[AuditAnchors] = (),
        *,
        keys: Callable[[], Mapping[str, bytes]] = dict,
        now: Now | None = None,
        person: str = "",
        rest_s: float = _REST_S,
    ) -> None:
        self._make_signer = signer
        self._keys = keys
        self._anchors = tuple(anchors)
        self._clock = SystemClock()
        self._now = now or self._clock.now
        self._person = person
        self._rest_s = rest_s
        self._failed: dict[str, float] = {}
        self._caught_up = False

    @cached_property
    def _signer(self) -> Signer:
        return self._make_signer()

    @cached_property
    def person(self) -> str:
        """Who acts, unless a note names somebody: the user of the operating system by default."""
        return self._person or getpass.getuser()

    def knows(self, session: Session, command: str) -> bool:
        """Whether a transaction with this idempotency key was committed."""
        return session.exec(select(AuditRow.number).where(AuditRow.command == command)).first() is not None

    def append(self, session: Session, notes: Sequence[Note], now: datetime | None, command: str) -> Anchor:
        """Add an entry for each note to the open transaction, which holds the write lock; the new head."""
        at = (now or self._now()).astimezone(UTC)
        self._caught_up, last = True, _newest(session)
        number, head = (0, GENESIS) if last is None else (last.number, last.head)
        if last is None:
            notes = [self._beginning(session), *notes]
        else:
            self._believe(last)
        key, rows = key_id(self._signer.public_key), []
        for note in notes:
            number += 1
            who = note.who or self.person
            entry = Entry(number, at, who, note.what, note.subject, note.why, head, note.record, note.facts)
            content = entry.encode()
            head = head_of(content)
            signature = self._signer.sign(signed_bytes(head))
            rows.append(AuditRow(number=number, content=content, head=head, key=key, signature=signature))
        rows[-1].command = command or None
        session.add_all(rows)
        session.flush()
        return Anchor(number, head, at, key, rows[-1].signature)

    def not_kept(self, session: Session) -> Anchor | None:
        """The newest head, the first time that this is asked: a process may have died before it kept it elsewhere."""
        last = None if self._caught_up else _newest(session)
        self._caught_up = True
        if last is None:
            return None
        return Anchor(last.number, last.head, Entry.decode(last.content).at, last.key, last.signature)

    def anchor(self, anchor: Anchor) -> None:
        """Keep a committed head everywhere. What fails is said once, and tried again with a later change."""
        now_s = self._clock.monotonic_s()
        for place in self._anchors:
            if now_s - self._failed.get(place.name, -self._rest_s) < self._rest_s:
                continue
            try:
                place.keep(anchor)
                self._failed.pop(place.name, None)
            except Unavailable as error:
                if place.name not in self._failed:
                    sys.stderr.write(f"lens: the audit log's head is not kept in {place.name}: {error.message}\n")
                self._failed[place.name] = self._clock.monotonic_s()

    def _believe(self, last: AuditRow) -> None:
        """Go on from an entry only if it is signed: a new signature would vouch for a log that somebody rewrote."""
        own = self._signer.public_key
        public = own if last.key == key_id(own) else self._keys().get(last.key, b"")
        if head_of(last.content) != last.head or not is_signed(public, last.signature, signed_bytes(last.head)):
            raise BrokenChain(
                f"expected entry {last.number} of the audit log to be signed by one of its keys, saw that it is not "
                f"(it names {last.key})",
                "nothing was written: `lens audit verify` names the first bad entry",
            )

    @staticmethod
    def _beginning(session: Session) -> Note:
        """The first entry. Of a ledger that is older than its log it names what was there."""
        connection = session.connection()
        session.flush()
        there = contents(lambda query: connection.exec_driver_sql(query).all())
        return Note("ledger.began", "", "the audit log of this ledger begins", facts=there)


def _newest(session: Session) -> AuditRow | None:
    return session.exec(select(AuditRow).order_by(col(AuditRow.number).desc()).limit(1)).first()


def default_trail(home: Path) -> Trail:
    """What a ledger in ``home`` is written with when nobody says otherwise: the user, own key, one file of anchors."""

    def signer() -> Signer:
        return own_key(AUDIT, key_folder(home), public_folder(home))

    return Trail(signer, (FileAnchors(home / ANCHORS),), keys=lambda: public_keys(AUDIT, public_folder(home)))
