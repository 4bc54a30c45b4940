"""The ledger's tables: made at once, or brought forward from what an earlier Lens wrote; a later one's are refused."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect
from sqlmodel import SQLModel

from lens_core.adapters import alert_rows, audit_rows, night_rows, signoff_rows
from lens_core.adapters.durable import sync_file
from lens_core.adapters.snapshot import snapshot
from lens_core.audit import Anchor
from lens_core.errors import IntegrityError, InvalidInput
from lens_core.late import late

SCHEMA_VERSION = 4
"""Raised with every change of a table; the step that leads to it stands in ``lens_core/migrations``."""

ROWS = (alert_rows, audit_rows, night_rows, signoff_rows)
"""Where the tables stand. Nights and alerts share one file: whichever is opened first makes all of them."""

_MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
_FIRST_TABLES = {"answer", "candidate", "evidence", "measurement", "night"}


@dataclass(frozen=True, slots=True)
class Migrated:
    """A ledger that was brought forward: which schema it had, which it has, and the copy of what it was."""

    seen: int
    now: int
    copy: Path
    copy_sha256: str


Entered = Callable[[Connection, Migrated], Anchor]
"""Writes the entry of the audit log, inside the transaction; the head to be anchored once that is committed."""


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def prepare(engine: Engine, file: Path, entered: Entered, say: Callable[[str], None] = _to_stderr) -> Anchor | None:
    """Have the tables of today in ``file``; nothing is written, and nobody waits, when they are there.

    An older ledger is copied beside itself first, then brought forward in one transaction, with its entry of the audit
    log: the head after it is given back. InvalidInput for a ledger that a later Lens wrote, or a file that is none.
    """
    with engine.connect() as connection:
        if _stamp(connection) == SCHEMA_VERSION:
            return None
    with engine.connect() as connection:
        connection.detach()  # it is closed with the block: nobody else gets one without foreign keys
        # Tables that others refer to are made anew. SQLite knows this pragma only outside of a transaction.
        connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
        with connection.execution_options(writes=True).begin():
            seen = _stamp(connection)
            if seen == SCHEMA_VERSION:
                return None  # another process was quicker
            if seen == 0 and not inspect(connection).get_table_names():
                SQLModel.metadata.create_all(connection)
                anchor = None
            else:
                anchor = entered(connection, _bring_forward(connection, file, seen, say))
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
    return anchor


def _bring_forward(connection: Connection, file: Path, seen: int, say: Callable[[str], None]) -> Migrated:
    standing = _standing(connection, seen)
    if not standing:
        raise InvalidInput(
            f"expected a ledger of schema {SCHEMA_VERSION}, saw schema {seen} in {file.name}",
            "it was made by a later version of Lens, or is no ledger: use that version, or name another folder in "
            "LENS_HOME",
        )
    say(f"lens: {file.name} is of schema {seen}: a copy is made first")
    copy = _copy_beside(file, seen)
    _take_steps(connection, standing, say)
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        raise IntegrityError(
            f"{file.name} cannot be brought to schema {SCHEMA_VERSION}: {len(broken)} rows refer to rows that are not "
            f"there, the first in the table {broken[0][0]}",
            f"nothing was changed; {copy.name} holds it as it was",
        )
    say(f"lens: {file.name} is of schema {SCHEMA_VERSION} now; {copy.name} holds it as it was")
    return Migrated(seen, SCHEMA_VERSION, copy, _digest(copy))


def _take_steps(connection: Connection, standing: int, say: Callable[[str], None]) -> None:
    script = late("alembic.script").ScriptDirectory(str(_MIGRATIONS))
    context = late("alembic.runtime.migration").MigrationContext.configure(connection)
    steps = list(script.iterate_revisions(str(SCHEMA_VERSION), str(standing)))
    with late("alembic.operations").Operations.context(context):
        for step in reversed(steps):
            say(f"lens:   to schema {step.revision}")
            step.module.upgrade()


def _stamp(connection: Connection) -> int:
    return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())


def _standing(connection: Connection, seen: int) -> int:
    """The schema whose steps this ledger has all taken; 0 when no step leads on from it.

    The first ledgers bore no stamp, and two branches wrote unlike ledgers of schema 2: both are told by their tables.
    """
    tables = inspect(connection)
    names = set(tables.get_table_names())
    if not (names >= _FIRST_TABLES and 0 <= seen < SCHEMA_VERSION):
        return 0
    if seen == 0:
        return 1 if names == _FIRST_TABLES else 0
    return seen if seen > 2 else 1  # noqa: PLR2004  (step 2 adds only what is missing)


def _copy_beside(file: Path, seen: int) -> Path:
    """``ledgers/lens.schema-3.db``: the ledger as it is, while this process holds the write lock."""
    folder = file.parent / "ledgers"
    folder.mkdir(exist_ok=True)
    part = folder / f".{file.stem}.schema-{seen}.part"
    part.unlink(missing_ok=True)
    snapshot(file, part)
    number, place = 1, folder / f"{file.stem}.schema-{seen}{file.suffix}"
    while place.exists():
        if _digest(place) == _digest(part):
            break  # an earlier attempt got this far
        number += 1
        place = folder / f"{file.stem}.schema-{seen}.{number}{file.suffix}"
    part.replace(place)
    sync_file(place)
    return place


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        found = sha256()
        while block := opened.read(1 << 20):
            found.update(block)
        return found.hexdigest()
