"""Ledgers of every earlier schema, as the code of their time wrote them, are brought forward and read back."""

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

from lens_core.adapters import ledger_schema
from lens_core.adapters.alert_ledger import SqlAlertLedger
from lens_core.adapters.ledger_file import LedgerFile
from lens_core.adapters.ledger_schema import SCHEMA_VERSION
from lens_core.adapters.sql_ledger import SqlLedger
from lens_core.errors import IntegrityError, InvalidInput, Unavailable
from lens_core.model import Digest, Interval, Metric, NightState, Verdict

LEDGERS = Path(__file__).parents[2] / "ledgers"
DUMPS = sorted(file.stem.removeprefix("schema-") for file in LEDGERS.glob("*.sql"))
WITH_ALERTS = [name for name in DUMPS if "alert_watch" in (LEDGERS / f"schema-{name}.sql").read_text()]
WITH_INTERVALS = [name for name in DUMPS if "design_effect" in (LEDGERS / f"schema-{name}.sql").read_text()]
SLICE = "backend/python/small"


def old_ledger(folder, name):
    """A ledger as it was written then."""
    file = folder / "lens.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript((LEDGERS / f"schema-{name}.sql").read_text(encoding="utf-8"))
    return file


def described(file):
    """Every table: its columns in order, keys, uniqueness and indexes."""
    engine = create_engine(f"sqlite:///{file}")
    seen = inspect(engine)
    told = {
        table: {
            "columns": [(c["name"], str(c["type"]), c["nullable"], c["default"]) for c in seen.get_columns(table)],
            "key": seen.get_pk_constraint(table)["constrained_columns"],
            "refers": sorted(
                (k["constrained_columns"], k["referred_table"], k["referred_columns"])
                for k in seen.get_foreign_keys(table)
            ),
            "unique": sorted(k["column_names"] for k in seen.get_unique_constraints(table)),
            "indexes": sorted((i["name"], i["column_names"], i["unique"]) for i in seen.get_indexes(table)),
        }
        for table in seen.get_table_names()
    }
    engine.dispose()
    return told


def rows(file, table):
    """All rows of a table, each a dictionary."""
    with closing(sqlite3.connect(file)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY rowid")]  # noqa: S608


def stamp(file):
    """The file's schema."""
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


@pytest.fixture
def fresh(tmp_path):
    """A ledger that was made today."""
    (tmp_path / "fresh").mkdir()
    LedgerFile(tmp_path / "fresh" / "lens.db")
    return tmp_path / "fresh" / "lens.db"


def test_there_is_a_dump_of_every_earlier_schema():
    """No schema was left out: 1 to the one before today's, the first unstamped one, and both halves of 2."""
    assert {name[0] for name in DUMPS} == {str(number) for number in range(SCHEMA_VERSION)}
    assert {"0-first", "2-alerts", "2-rounds"} <= set(DUMPS)


@pytest.mark.parametrize("name", DUMPS)
def test_a_migrated_ledger_has_the_tables_of_a_new_one(tmp_path, fresh, name):
    """Columns, their order and types, keys, references, uniqueness and indexes are those of a fresh ledger."""
    file = old_ledger(tmp_path, name)
    LedgerFile(file)
    assert described(file) == described(fresh)
    assert stamp(file) == stamp(fresh) == SCHEMA_VERSION


@pytest.mark.parametrize("name", DUMPS)
def test_old_nights_read_back(tmp_path, name):
    """Nights keep their dates, verdicts, answers and evidence; one compared with a night names its candidate now."""
    ledger = SqlLedger(old_ledger(tmp_path, name))
    third, second, first = ledger.nights()
    assert [n.night_id for n in (first, second, third)] == ["2026-11-20.1", "2026-11-21.1", "2026-11-22.1"]
    assert (first.verdict, second.verdict, third.state) == (Verdict.PASS, Verdict.PASS, NightState.OPEN)
    assert (first.baseline, third.baseline) == (None, None)
    assert second.baseline == first.candidate
    assert second.candidate.dirty
    assert first.opened_at == datetime(2026, 11, 20, 2, 30, 15, 250, tzinfo=UTC)
    assert [answer.gate for answer in ledger.answers(first.night_id)] == ["tail_ratio", "report"]
    assert [str(e.digest) for e in ledger.evidence(first.night_id)] == ["sha256:" + "b" * 64]
    assert ledger.has_report(first.night_id)
    [measured] = ledger.measurements(first.night_id)
    interval = Interval(1.2, 1.8, 0.95, 0.9, 20, 1.5) if name in WITH_INTERVALS else None
    assert measured.metrics == (Metric("p99_ms", 1.5, 10, interval), Metric("tail_ratio", None, 0))
    assert measured.invalid == ()


@pytest.mark.parametrize("name", DUMPS)
def test_a_migrated_ledger_goes_on(tmp_path, name):
    """An open night of then is closed, and keys are watched again: a night of an unknown candidate is refused."""
    file = old_ledger(tmp_path, name)
    ledger = SqlLedger(file)
    ledger.close_night("2026-11-22.1", Verdict.ERROR, "died", (), (), datetime(2026, 11, 23, tzinfo=UTC))
    assert ledger.nights()[0].verdict is Verdict.ERROR
    with LedgerFile(file).session() as session:
        assert session.connection().exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
        assert session.connection().exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"


@pytest.mark.parametrize("name", WITH_ALERTS)
def test_old_alerts_read_back(tmp_path, name):
    """Alerts, their changes, their messages and the monitor's checkpoint are as they were."""
    ledger = SqlAlertLedger(old_ledger(tmp_path, name))
    assert {alert.alert_id: alert.state.value for alert in ledger.alerts(also_resolved=True)} == {
        "one": "acknowledged",
        "two": "resolved",
    }
    assert [event for event, _ in ledger.changes("one")] == ["open", "acknowledge"]
    assert len(ledger.deliveries(pending=False)) == 8
    assert len(ledger.deliveries()) == 7
    checkpoint, panes = ledger.checkpoint()
    assert checkpoint.serial == 4
    assert panes["slice", "one", 4] == b"\x04"


def test_old_releases_read_back(tmp_path):
    """What was cut, and where it was pushed to, is as it was."""
    [release] = SqlLedger(old_ledger(tmp_path, "3")).releases()
    assert (release.version, release.pushed_to) == ("0.1.0", "registry.invalid/lens")
    assert release.manifest == Digest("sha256:" + "f" * 64)


@pytest.mark.parametrize("name", DUMPS)
def test_no_row_is_lost(tmp_path, name):
    """Every table of then has as many rows as before."""
    file = old_ledger(tmp_path, name)
    before = {table: len(rows(file, table)) for table in described(file)}
    assert before["night"] == 3
    LedgerFile(file)
    assert {table: len(rows(file, table)) for table in before} == before


@pytest.mark.parametrize("name", DUMPS)
def test_the_ledger_is_copied_first(tmp_path, name, capsys):
    """The copy beside it holds what it held, under its own stamp; what happens is said on standard error."""
    file = old_ledger(tmp_path, name)
    seen = stamp(file)
    tables = described(file)
    before = {table: rows(file, table) for table in tables}
    LedgerFile(file)
    copy = tmp_path / "ledgers" / f"lens.schema-{seen}.db"
    assert stamp(copy) == seen
    assert described(copy) == tables
    assert {table: rows(copy, table) for table in tables} == before
    assert f"of schema {seen}: a copy is made first" in capsys.readouterr().err


@pytest.mark.parametrize("name", DUMPS)
def test_the_log_names_what_was_there_and_what_was_done(tmp_path, name):
    """The log of a migrated ledger begins with everything that it held, then names the copy by its digest."""
    file = old_ledger(tmp_path, name)
    seen = stamp(file)
    LedgerFile(file)
    began, migrated = (json.loads(row["content"]) for row in rows(file, "audit_entry"))
    assert (began["what"], migrated["what"]) == ("ledger.began", "ledger.migrated")
    assert {"night 2026-11-20.1", "opening of night 2026-11-22.1", "candidate sha256:" + "1" * 64} <= set(
        began["facts"]
    )
    copy = tmp_path / "ledgers" / f"lens.schema-{seen}.db"
    assert migrated["facts"] == {
        "from": str(seen),
        "to": str(SCHEMA_VERSION),
        "copy": copy.name,
        "copy_sha256": sha256(copy.read_bytes()).hexdigest(),
    }
    [anchor] = (tmp_path / "audit" / "anchors.jsonl").read_text().splitlines()
    assert json.loads(anchor)["number"] == 2


def test_a_step_that_fails_changes_nothing(tmp_path, monkeypatch):
    """Whatever goes wrong on the way, the ledger is as it was, and the next start brings it forward."""
    file = old_ledger(tmp_path, "1")
    before = (described(file), rows(file, "night"))
    steps = tmp_path / "migrations"
    shutil.copytree(ledger_schema._MIGRATIONS, steps)
    last = steps / "versions" / f"schema_{SCHEMA_VERSION}.py"
    last.write_text(last.read_text().replace("    _statements()", "    raise OSError('no room')", 1))
    with monkeypatch.context() as patched:
        patched.setattr(ledger_schema, "_MIGRATIONS", steps)
        with pytest.raises(Unavailable, match="no room"):
            LedgerFile(file)
    assert (described(file), rows(file, "night"), stamp(file)) == (*before, 1)
    LedgerFile(file)
    assert stamp(file) == SCHEMA_VERSION
    assert [place.name for place in tmp_path.glob("ledgers/*")] == ["lens.schema-1.db"]


def test_rows_that_refer_to_nothing_are_not_carried_on(tmp_path):
    """A ledger whose references are broken is left as it was, and the error names the table."""
    file = old_ledger(tmp_path, "3")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE answer SET night_id = 'gone' WHERE row_id = 1")
        connection.commit()
    with pytest.raises(IntegrityError, match=r"the first in the table answer"):
        LedgerFile(file)
    assert stamp(file) == 3


def test_two_copies_are_never_one(tmp_path):
    """A copy that stands there of an unlike ledger is kept: the next one gets a number."""
    tmp_path.joinpath("ledgers").mkdir()
    tmp_path.joinpath("ledgers", "lens.schema-3.db").write_bytes(b"another one")
    LedgerFile(old_ledger(tmp_path, "3"))
    assert tmp_path.joinpath("ledgers", "lens.schema-3.db").read_bytes() == b"another one"
    assert stamp(tmp_path / "ledgers" / "lens.schema-3.2.db") == 3


@pytest.mark.parametrize("seen", [SCHEMA_VERSION + 1, 99, -1])
def test_a_later_ledger_is_refused(tmp_path, fresh, seen):
    """What a later Lens wrote is not touched."""
    with closing(sqlite3.connect(fresh)) as connection:
        connection.execute(f"PRAGMA user_version = {seen}")
    with pytest.raises(InvalidInput, match=f"saw schema {seen} in lens.db"):
        LedgerFile(fresh)
    assert stamp(fresh) == seen


def test_a_ledger_of_today_is_opened_without_alembic_and_without_the_write_lock(fresh):
    """Opening what is up to date waits for no writer, and loads no library for it."""
    with closing(sqlite3.connect(fresh, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        loaded = {name for name in sys.modules if name.startswith("alembic")}
        ledger = SqlLedger(fresh)
        assert ledger.nights() == ()
        assert {name for name in sys.modules if name.startswith("alembic")} == loaded


def test_of_many_processes_one_migrates(tmp_path):
    """However many start at once on an old ledger, it is brought forward once, and all of them can go on."""
    file = old_ledger(tmp_path, "1")
    code = (
        "import sys; from pathlib import Path; from lens_core.adapters.sql_ledger import SqlLedger\n"
        "print(len(SqlLedger(Path(sys.argv[1])).nights()))"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    said = [process.communicate() for process in started]
    assert [out.strip() for out, _ in said] == [b"3"] * 4
    assert sum(b"a copy is made first" in errors for _, errors in said) == 1
    assert [place.name for place in tmp_path.glob("ledgers/*")] == ["lens.schema-1.db"]
