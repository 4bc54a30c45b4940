"""The ledger's file: SQLite in WAL mode, its tables made once, shared by processes, refused when it is not ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, inspect
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlmodel import Session, SQLModel, create_engine

from lens_core.adapters import alert_rows, audit_rows, night_rows, signoff_rows
from lens_core.errors import InvalidInput, Unavailable

SCHEMA_VERSION = 4
"""Raised with every change of a table; there is no migration yet, so another one is refused."""

ROWS = (alert_rows, audit_rows, night_rows, signoff_rows)
"""Where the tables stand. Nights and alerts share one file: whichever is opened first makes all of them."""


def as_utc(stored: datetime) -> datetime:
    """A moment that was read back: SQLite keeps no zone, and everything written is UTC."""
    return stored.replace(tzinfo=UTC)


class LedgerFile:
    """One file. InvalidInput for one of another schema, Unavailable when it cannot be opened."""

    def __init__(self, file: Path) -> None:
        try:
            self._engine = _open_engine(file)
            _prepare(self._engine, file)
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


def _prepare(engine: Engine, file: Path) -> None:
    with engine.execution_options(writes=True).begin() as connection:
        seen = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if seen == 0 and not inspect(connection).get_table_names():
            SQLModel.metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
        elif seen != SCHEMA_VERSION:
            raise InvalidInput(
                f"expected a ledger of schema {SCHEMA_VERSION}, saw schema {seen} in {file.name}",
                "it was made by another version of Lens: use that one, or name another folder in LENS_HOME",
            )
