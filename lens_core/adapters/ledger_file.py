"""The ledger's file: SQLite in WAL mode, its tables made once, shared by processes, refused when it is not ours.

A transaction reads (``session``), or decides (``change``), or keeps the books (``bookkeeping``). Every change writes
its entries of the audit log in the same transaction: what happened and that it happened cannot come apart.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlmodel import Session, create_engine

from lens_core.adapters.audit_log import Trail, default_trail
from lens_core.adapters.ledger_schema import Migrated, prepare
from lens_core.audit import Anchor, Note
from lens_core.errors import Unavailable

BUSY_S = 30.0
"""How long a transaction waits for another process that writes."""


def as_utc(stored: datetime) -> datetime:
    """A moment that was read back: SQLite keeps no zone, and everything written is UTC."""
    return stored.replace(tzinfo=UTC)


class LedgerChange:
    """An open transaction that decides something: ``session`` is the way to the rows, ``note`` to the audit log.

    ``repeated`` is true when a transaction with the same idempotency key was committed before: then this one is undone
    at its end, whatever it wrote.
    """

    def __init__(self, session: Session, *, repeated: bool) -> None:
        self.session = session
        self.repeated = repeated
        self.notes: list[Note] = []

    def note(self, note: Note) -> None:
        """Say what changes, for the audit log."""
        self.notes.append(note)


class LedgerFile:
    """One file, and the ``trail`` that its changes leave.

    An older ledger is brought to today's schema when it is opened. InvalidInput for a later one, Unavailable when it
    cannot be opened or does not answer.
    """

    def __init__(self, file: Path, trail: Trail | None = None) -> None:
        self._trail = trail or default_trail(file.parent)
        try:
            self._engine = _open_engine(file)
            anchor = prepare(self._engine, file, self._note_migration)
        except (DatabaseError, OSError) as error:
            raise _unavailable(f"the ledger {file.name} cannot be opened", error) from error
        if anchor is not None:
            self._trail.anchor(anchor)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction that only reads: SQLite refuses a write in it."""
        with self._transaction(writes=False) as session:
            yield session

    @contextmanager
    def bookkeeping(self) -> Iterator[Session]:
        """A transaction that writes what nobody decides on (deliveries, checkpoints, leases): it has no entry."""
        with self._transaction(writes=True) as session:
            yield session

    @contextmanager
    def change(
        self, now: datetime | None = None, command: str = "", *, also_bookkeeping: bool = False
    ) -> Iterator[LedgerChange]:
        """A transaction that decides something, with the write lock from its beginning.

        At its end its notes become entries of the audit log, in the same commit; then the new head is anchored.
        ``now`` is the time of the entries (default: the clock's). ``command`` is an idempotency key. A change that
        wrote and noted nothing is a bug and is undone, unless what it wrote was ``also_bookkeeping``.
        """
        anchor = None
        with self._transaction(writes=True) as session:
            before = _rows_written(session)
            change = LedgerChange(session, repeated=bool(command) and self._trail.knows(session, command))
            yield change
            session.flush()
            if change.repeated:
                session.rollback()
            elif change.notes:
                anchor = self._trail.append(session, change.notes, now, command)
            elif _rows_written(session) != before and not also_bookkeeping:
                raise RuntimeError("a change of the ledger said nothing to the audit log: it is undone")
            else:
                anchor = self._trail.not_kept(session)
        if anchor is not None:
            self._trail.anchor(anchor)

    def _note_migration(self, connection: Connection, done: Migrated) -> Anchor:
        facts = {"from": str(done.seen), "to": str(done.now), "copy": done.copy.name, "copy_sha256": done.copy_sha256}
        with Session(connection) as session:
            note = Note("ledger.migrated", "", "an earlier Lens wrote it", facts=facts)
            return self._trail.append(session, [note], None, "")

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Session]:
        engine = self._engine.execution_options(writes=writes)
        try:
            with Session(engine) as session, session.begin():
                yield session
        except IntegrityError:
            raise  # a rule of the tables: whoever wrote knows what it means
        except DatabaseError as error:
            raise _unavailable("the ledger did not answer", error) from error


def _rows_written(session: Session) -> int:
    """How many rows this connection has written so far."""
    driver: Any = session.connection().connection.driver_connection
    return int(driver.total_changes)


def _unavailable(what: str, error: DatabaseError | OSError) -> Unavailable:
    why = str(getattr(error, "orig", None) or error)
    hints = {
        "locked": "another process is writing for long: wait for it, then try again",
        "full": "make room on the disk, then try again: nothing was half written",
        "readonly": "give your user the right to write to the file and its folder",
        "malformed": "the file is damaged: `lens audit verify` says how far it holds, `lens restore` brings a backup",
    }
    return Unavailable(f"{what}: {why}", next((hint for word, hint in hints.items() if word in why), "check the disk"))


def _open_engine(file: Path) -> Engine:
    file.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{file}", connect_args={"timeout": BUSY_S})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where we say so, below
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        # IMMEDIATE takes the write lock at once: what a transaction read stays true until it commits.
        # Readers begin plainly, so that a page never waits for a writer.
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
