"""Alerts, their messages and the monitor's checkpoint, on the ledger's SQLite file.

One transaction holds everything that an evaluation changes. It begins with the write lock, so a person's
command and the monitor never decide on the same state at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from lens_core.adapters.alert_rows import AlertRow, ChangeRow, CheckpointRow, OutboxRow, PaneRow, WatchRow
from lens_core.adapters.audit_log import Trail
from lens_core.adapters.ledger_file import LedgerFile, as_utc
from lens_core.alerts import Alert, AlertState, Change, Message, Severity, Watch, message_of
from lens_core.audit import Note
from lens_core.errors import Conflict, InvalidInput
from lens_core.errors import IntegrityError as LensIntegrityError
from lens_core.findings import AlertKind
from lens_core.monitor_ports import Checkpoint, Decide, Delivery, PaneChanges, Watches
from lens_core.panes import PaneKey

_THE_ROW = 1


class SqlAlertLedger:
    """Keeps the ``AlertLedger`` port; safe for several processes."""

    def __init__(self, file: Path, trail: Trail | None = None) -> None:
        self._file = LedgerFile(file, trail)

    def advance(
        self,
        decide: Decide,
        now: datetime,
        targets: Sequence[str],
        checkpoint: Checkpoint | None = None,
        panes: PaneChanges | None = None,
    ) -> tuple[Change, ...]:
        """See ``AlertLedger``."""
        try:
            # Most evaluations only move the checkpoint and the counters on: nobody decided on anything.
            with self._file.change(now, also_bookkeeping=True) as book:
                session = book.session
                if checkpoint is not None and _is_recorded(session, checkpoint):
                    return ()
                watches, changes = decide(_watches(session))
                for change in changes:
                    _record(session, change, now, targets)
                    book.note(_note(change))
                session.flush()
                for watch in watches:
                    _keep(session, watch)
                if panes is not None:
                    _keep_panes(session, panes)
                if checkpoint is not None:
                    session.merge(CheckpointRow(row_id=_THE_ROW, content=asdict(checkpoint), recorded_at=now))
                return tuple(changes)
        except IntegrityError as error:
            raise LensIntegrityError(
                f"the ledger has one of these changes already: {error.orig}", "nothing was recorded twice"
            ) from error

    def watches(self) -> Watches:
        """See ``AlertLedger``."""
        with self._file.session() as session:
            return _watches(session)

    def alerts(self, *, also_resolved: bool = False) -> tuple[Alert, ...]:
        """See ``AlertLedger``."""
        query = select(AlertRow).order_by(col(AlertRow.opened_at).desc(), col(AlertRow.alert_id))
        if not also_resolved:
            query = query.where(AlertRow.state != AlertState.RESOLVED.value)
        with self._file.session() as session:
            return tuple(_alert(row) for row in session.exec(query))

    def changes(self, alert_id: str) -> tuple[tuple[str, Alert], ...]:
        """See ``AlertLedger``."""
        with self._file.session() as session:
            row = session.get(AlertRow, alert_id)
            if row is None:
                raise InvalidInput(f"there is no alert {alert_id}", "`lens alerts list --all` lists them")
            alert = _alert(row)
            query = select(ChangeRow).where(ChangeRow.alert_id == alert_id).order_by(col(ChangeRow.number))
            return tuple((step.event, _as_it_was(alert, step)) for step in session.exec(query))

    def checkpoint(self) -> tuple[Checkpoint, Mapping[PaneKey, bytes]] | None:
        """See ``AlertLedger``."""
        with self._file.session() as session:
            row = session.get(CheckpointRow, _THE_ROW)
            if row is None:
                return None
            panes = {(pane.kind, pane.name, pane.number): pane.content for pane in session.exec(select(PaneRow))}
            return Checkpoint(**row.content), panes

    def deliveries(self, *, pending: bool = True) -> tuple[Delivery, ...]:
        """See ``AlertLedger``."""
        query = select(OutboxRow).order_by(col(OutboxRow.row_id))
        if pending:
            query = query.where(col(OutboxRow.delivered_at).is_(None))
        with self._file.session() as session:
            return tuple(_delivery(row) for row in session.exec(query))

    def begin_delivery(self, message_id: str, target: str, now: datetime) -> None:
        """See ``AlertLedger``."""
        with self._file.bookkeeping() as session:
            row = _outbox_row(session, message_id, target)
            row.attempts, row.attempted_at = row.attempts + 1, now
            session.add(row)

    def end_delivery(self, message_id: str, target: str, now: datetime, failure: str = "", retry_s: float = 0) -> None:
        """See ``AlertLedger``."""
        with self._file.bookkeeping() as session:
            row = _outbox_row(session, message_id, target)
            row.last_error = failure
            if failure:
                row.next_attempt_at = now + timedelta(seconds=retry_s)
            else:
                row.delivered_at = now
            session.add(row)


def _note(change: Change) -> Note:
    alert = change.alert
    facts = {
        "alert": alert.alert_id,
        "change": str(alert.change_count),
        "kind": alert.kind.value,
        "state": alert.state.value,
        "severity": alert.severity.name.lower(),
    }
    if alert.silenced_until is not None:
        facts["silenced_until"] = alert.silenced_until.isoformat()
    return Note(f"alert.{change.event}", alert.subject, alert.reason, facts=facts, who=alert.changed_by)


def _is_recorded(session: Session, checkpoint: Checkpoint) -> bool:
    """True for the checkpoint that is there: a commit may succeed although its caller heard of a failure."""
    row = session.get(CheckpointRow, _THE_ROW)
    last = 0 if row is None else int(row.content["serial"])
    if last not in (checkpoint.serial, checkpoint.serial - 1):
        raise Conflict(
            f"expected checkpoint {checkpoint.serial - 1} of the monitor, saw {last}",
            "another monitor wrote to this ledger: run one at a time",
        )
    return last == checkpoint.serial


def _watches(session: Session) -> dict[tuple[str, str], Watch]:
    open_alerts = select(AlertRow).where(AlertRow.state != AlertState.RESOLVED.value)
    alerts = {row.alert_id: _alert(row) for row in session.exec(open_alerts)}
    return {
        (row.kind, row.subject): Watch(
            kind=AlertKind(row.kind),
            subject=row.subject,
            violations=row.violations,
            clean=row.clean,
            armed=row.armed,
            episodes=row.episodes,
            alert=alerts[row.alert_id] if row.alert_id else None,
        )
        for row in session.exec(select(WatchRow))
    }


def _record(session: Session, change: Change, now: datetime, targets: Sequence[str]) -> None:
    alert = change.alert
    session.merge(_alert_row(alert))
    session.flush()  # the change refers to it
    session.add(
        ChangeRow(
            alert_id=alert.alert_id,
            number=alert.change_count,
            event=change.event,
            state=alert.state.value,
            severity=alert.severity.name,
            at=alert.changed_at,
            reason=alert.reason,
            by=alert.changed_by,
            silenced_until=alert.silenced_until,
            spoken=change.spoken,
            recorded_at=now,
        )
    )
    if not change.spoken:
        return
    message = message_of(change)
    for target in targets:
        session.add(
            OutboxRow(
                message_id=message.message_id,
                target=target,
                title=message.title,
                body=message.body,
                severity=message.severity,
                recorded_at=now,
                next_attempt_at=now,
            )
        )
        session.flush()  # so that the numbers of the rows are their order


def _keep(session: Session, watch: Watch) -> None:
    if watch.alert is not None:
        session.merge(_alert_row(watch.alert))
    session.merge(
        WatchRow(
            kind=watch.kind.value,
            subject=watch.subject,
            violations=watch.violations,
            clean=watch.clean,
            armed=watch.armed,
            episodes=watch.episodes,
            alert_id=watch.alert.alert_id if watch.alert else None,
        )
    )


def _keep_panes(session: Session, panes: PaneChanges) -> None:
    if panes.drop_before is not None:
        session.exec(delete(PaneRow).where(col(PaneRow.number) < panes.drop_before))
    for (kind, name, number), content in panes.written.items():
        session.merge(PaneRow(kind=kind, name=name, number=number, content=content))


def _outbox_row(session: Session, message_id: str, target: str) -> OutboxRow:
    query = select(OutboxRow).where(OutboxRow.message_id == message_id, OutboxRow.target == target)
    row = session.exec(query).one_or_none()
    if row is None:
        raise InvalidInput(f"there is no message {message_id} for this target", "`lens alerts list` shows what is")
    return row


def _alert_row(alert: Alert) -> AlertRow:
    return AlertRow(
        alert_id=alert.alert_id,
        kind=alert.kind.value,
        subject=alert.subject,
        state=alert.state.value,
        severity=alert.severity.name,
        opened_at=alert.opened_at,
        changed_at=alert.changed_at,
        change_count=alert.change_count,
        reason=alert.reason,
        worst_ratio=alert.worst_ratio,
        silenced_until=alert.silenced_until,
        changed_by=alert.changed_by,
    )


def _alert(row: AlertRow) -> Alert:
    return Alert(
        alert_id=row.alert_id,
        kind=AlertKind(row.kind),
        subject=row.subject,
        state=AlertState(row.state),
        severity=Severity[row.severity],
        opened_at=as_utc(row.opened_at),
        changed_at=as_utc(row.changed_at),
        change_count=row.change_count,
        reason=row.reason,
        worst_ratio=row.worst_ratio,
        silenced_until=as_utc(row.silenced_until) if row.silenced_until else None,
        changed_by=row.changed_by,
    )


def _as_it_was(alert: Alert, step: ChangeRow) -> Alert:
    return Alert(
        alert_id=alert.alert_id,
        kind=alert.kind,
        subject=alert.subject,
        state=AlertState(step.state),
        severity=Severity[step.severity],
        opened_at=alert.opened_at,
        changed_at=as_utc(step.at),
        change_count=step.number,
        reason=step.reason,
        silenced_until=as_utc(step.silenced_until) if step.silenced_until else None,
        changed_by=step.by,
    )


def _delivery(row: OutboxRow) -> Delivery:
    return Delivery(
        message=Message(row.message_id, row.title, row.body, row.severity),
        target=row.target,
        attempts=row.attempts,
        delivered=row.delivered_at is not None,
        next_attempt_at=as_utc(row.next_attempt_at),
        last_error=row.last_error,
    )
