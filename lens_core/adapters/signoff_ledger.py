"""What people stated, and looks at the advisory sources, on the ledger's file."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlmodel import Session, col, func, select

from lens_core.adapters.alert_rows import OutboxRow
from lens_core.adapters.audit_log import Trail
from lens_core.adapters.ledger_file import LedgerFile, as_utc
from lens_core.adapters.signoff_rows import ScanRow, StatementRow
from lens_core.alerts import Message
from lens_core.audit import Note
from lens_core.audit_records import scan_record
from lens_core.errors import Conflict
from lens_core.model import Digest, Verdict
from lens_core.signoff.words import Act, Method, Scan, Signed, Statement
from lens_core.signoff_ports import Kept

GLASS = {Act.COUNTERSIGN: "glass.opened"}
"""Acts that change more than what is on the record, and the entry that says so."""


class SqlStatements:
    """Keeps the ``StatementLedger`` port; safe for several processes. ``targets`` are where messages go."""

    def __init__(self, file: Path, trail: Trail | None = None, targets: Sequence[str] = ()) -> None:
        self._file = LedgerFile(file, trail)
        self._targets = tuple(targets)

    def record_statement(
        self, signed: Signed, statement: Statement, expected: int, now: datetime, messages: Sequence[Message] = ()
    ) -> bool:
        """See ``StatementLedger``."""
        candidate = statement.dossier.candidate
        with self._file.change(now, command=signed.digest) as change:
            if change.repeated:
                return False
            count = select(func.count()).select_from(StatementRow).where(StatementRow.candidate_digest == candidate)
            seen = change.session.exec(count).one()
            if seen != expected:
                raise Conflict(
                    f"expected {expected} statements on this candidate, saw {seen}: somebody was faster",
                    "look at what is there now, then decide again",
                )
            change.session.add(_row(signed, statement, now))
            for message in messages:
                for target in self._targets:
                    change.session.add(_outgoing(message, target, now))
            change.note(_note(f"statement.{statement.act}", signed, statement))
            if statement.act in GLASS:
                change.note(_note(GLASS[statement.act], signed, statement))
        return True

    def statements(self, candidate: Digest | None = None) -> tuple[Kept, ...]:
        """See ``StatementLedger``."""
        query = select(StatementRow).order_by(col(StatementRow.row_id))
        if candidate is not None:
            query = query.where(StatementRow.candidate_digest == str(candidate))
        with self._file.session() as session:
            return tuple(_kept(row) for row in session.exec(query))

    def record_scan(self, candidate: Digest, scan: Scan) -> None:
        """See ``StatementLedger``."""
        with self._file.change(scan.at) as change:
            row = ScanRow(candidate_digest=str(candidate), at=scan.at, verdict=scan.verdict.name, reason=scan.reason)
            change.session.add(row)
            record = scan_record(str(candidate), scan.at, scan.verdict.name, scan.reason)
            change.note(Note("scan.recorded", str(candidate), scan.reason, record, {"verdict": scan.verdict.name}))

    def newest_scan(self, candidate: Digest) -> Scan | None:
        """See ``StatementLedger``."""
        with self._file.session() as session:
            return _newest_scan(session, candidate)


def _newest_scan(session: Session, candidate: Digest) -> Scan | None:
    query = select(ScanRow).where(ScanRow.candidate_digest == str(candidate)).order_by(col(ScanRow.at).desc())
    row = session.exec(query.limit(1)).first()
    return Scan(as_utc(row.at), Verdict[row.verdict], row.reason) if row else None


def _note(what: str, signed: Signed, statement: Statement) -> Note:
    facts = {
        "version": statement.dossier.version,
        "dossier": str(statement.dossier.digest),
        "key": signed.key,
        "method": str(signed.method),
        **({"role": str(statement.role)} if statement.role else {}),
        **({"refers": statement.refers} if statement.refers else {}),
    }
    return Note(
        what, statement.dossier.candidate, statement.reason, record=signed.digest, facts=facts, who=statement.person
    )


def _row(signed: Signed, statement: Statement, now: datetime) -> StatementRow:
    return StatementRow(
        digest=signed.digest,
        candidate_digest=statement.dossier.candidate,
        act=statement.act.value,
        person=statement.person,
        content=signed.content,
        signature=signed.signature,
        method=signed.method.value,
        key=signed.key,
        recorded_at=now,
    )


def _kept(row: StatementRow) -> Kept:
    signed = Signed(row.content, row.signature, Method(row.method), row.key)
    return Kept(signed, Act(row.act), row.person, Digest(row.candidate_digest), as_utc(row.recorded_at))


def _outgoing(message: Message, target: str, now: datetime) -> OutboxRow:
    return OutboxRow(
        message_id=message.message_id,
        target=target,
        title=message.title,
        body=message.body,
        severity=message.severity,
        recorded_at=now,
        next_attempt_at=now,
    )
