"""The ledger's file: SQLite in WAL mode, its tables made once, shared by processes, refused when it is not ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlmodel import Session, create_engine

from lens_core.adapters.ledger_schema import prepare
from lens_core.errors import Unavailable


def as_utc(stored: datetime) -> datetime:
    """A moment that was read back: SQLite keeps no zone, and everything written is UTC."""
    return stored.replace(tzinfo=UTC)


class LedgerFile:
    """One file. InvalidInput for one that is newer than this Lens, Unavailable when it cannot be opened."""

    def __init__(self, file: Path) -> None:
        try:
            self._engine = _open_engine(file)
            prepare(self._engine, file)
        except (DatabaseError, OSError) as error:
            why = getattr(error, "orig", None) or error
            raise Unavailable(
                f"the ledger {file.name} cannot be opened: {why}", "check the disk and the file"
            ) from error

    @contextmanager
    def session(self, *, writes: bool = False) -> Iterator[Session]:
        """One transaction; with ``writes`` it takes the write lock at its beginning. Unavailable without an answer."""
        engine = self._engine.execution_options(writes=True) if writes else self._engine
        try:
            with Session(engine) as session, session.begin():
                yield session
        except OperationalError as error:
            raise Unavailable(f"the ledger did not answer: {error.orig}", "try again") from error


def _open_engine(file: Path) -> Engine:
    file.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{file}", connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where we say so, below
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        # IMMEDIATE takes the write lock at once: what a transaction read stays true until it commits.
        # Readers begin plainly, so that a page never waits for a writer.
        mode = "IMMEDIATE" if connection.get_execution_options().get("writes") else ""
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine
