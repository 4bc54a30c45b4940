"""The ledger's file: made once, shared by processes, and refused when it is not ours."""

import sqlite3
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from lens_core.adapters.sql_ledger import SqlLedger
from lens_core.errors import Conflict, IntegrityError, InvalidInput, Unavailable
from lens_core.model import Answer, Candidate, Digest, Measurement, Metric, Night, NightState, Verdict

NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)
DIGEST = Digest("sha256:" + "a" * 64)
CANDIDATE = Candidate("0.1.0", DIGEST, "c" * 40, dirty=False)


def night(**changes):
    """A night that is about to open."""
    values = {
        "night_id": "",
        "night_date": date(2026, 11, 24),
        "attempt": 0,
        "candidate": CANDIDATE,
        "baseline": None,
        "policy_digest": DIGEST,
        "dataset_digest": DIGEST,
        "slices": ("backend/python/small",),
        "seed": 7,
        "duration_minutes": 1.5,
        "folder": "",
        "state": NightState.OPEN,
        "verdict": None,
        "reason": "",
        "opened_at": NOW,
        "closed_at": None,
    }
    return Night(**{**values, **changes})


@pytest.fixture
def ledger(tmp_path):
    """A ledger that knows one candidate."""
    made = SqlLedger(tmp_path / "lens.db")
    made.add_candidate(CANDIDATE, NOW)
    return made


def test_what_is_written_is_read_back_by_another_reader(ledger, tmp_path):
    """Nights, measurements and answers come back equal, times in UTC, in WAL mode."""
    opened = ledger.open_night(night())
    measured = Measurement("s", "c", (Metric("p99_ms", 1.5, 10), Metric("tail_ratio", None, 0)), "e")
    answer = Answer("tail_ratio", "s", Verdict.ERROR, "nothing was measured", None, 2.0, 0, "e", "≤")
    ledger.record_slice(opened.night_id, measured, [answer])
    ledger.close_night(opened.night_id, Verdict.ERROR, "why", (), (), NOW)
    again = SqlLedger(tmp_path / "lens.db")
    assert again.measurements(opened.night_id) == (measured,)
    assert again.answers(opened.night_id) == (answer,)
    [read] = again.nights()
    assert (read.opened_at, read.closed_at, read.verdict, read.folder) == (NOW, NOW, Verdict.ERROR, opened.folder)
    with sqlite3.connect(tmp_path / "lens.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_slice_is_recorded_once(ledger):
    """Two notebooks cannot both speak for one slice."""
    opened = ledger.open_night(night())
    ledger.record_slice(opened.night_id, Measurement("s", "c", (), "e"), [])
    with pytest.raises(Conflict):
        ledger.record_slice(opened.night_id, Measurement("s", "c", (), "e"), [])


def test_a_verdict_is_written_once(ledger):
    """A closed night cannot be closed again with a better verdict."""
    opened = ledger.open_night(night())
    ledger.close_night(opened.night_id, Verdict.FAIL, "why", (), (), NOW)
    with pytest.raises(Conflict):
        ledger.close_night(opened.night_id, Verdict.PASS, "why not", (), (), NOW)
    assert ledger.nights()[0].verdict is Verdict.FAIL


def test_of_many_processes_one_opens_the_night(tmp_path, ledger):
    """However many start at once, a date, candidate and slice list have one open night."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from lens_core.adapters.sql_ledger import SqlLedger\n"
        "from lens_core.errors import Conflict\n"
        "from test_sql_ledger import night\n"
        "try:\n    SqlLedger(Path(sys.argv[1])).open_night(night()); print('opened')\n"
        "except Conflict:\n    print('refused')\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "lens.db"), str(Path(__file__).parent)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = sorted(process.communicate()[0].strip() for process in started)
    assert said == ["opened", "refused", "refused", "refused"]


def test_one_commit_has_one_digest(ledger):
    """The same commit with other bytes is broken evidence, not another candidate."""
    ledger.add_candidate(CANDIDATE, NOW)
    assert len(ledger.candidates()) == 1
    with pytest.raises(IntegrityError, match="building it again"):
        ledger.add_candidate(Candidate("0.1.0", Digest("sha256:" + "b" * 64), CANDIDATE.commit, dirty=False), NOW)


def test_a_ledger_of_another_schema_is_refused(ledger, tmp_path):
    """A file of a later or of no known schema is not written to, and the error says what to do."""
    with sqlite3.connect(tmp_path / "lens.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(InvalidInput, match="saw schema 99"):
        SqlLedger(tmp_path / "lens.db")
    with sqlite3.connect(tmp_path / "foreign.db") as connection:
        connection.execute("CREATE TABLE other (x)")
    connection.close()
    with pytest.raises(InvalidInput, match="saw schema 0"):
        SqlLedger(tmp_path / "foreign.db")


def test_a_file_that_is_no_database_is_unavailable(tmp_path):
    """Garbage where the ledger should be is an error in words."""
    (tmp_path / "lens.db").write_bytes(b"no database" * 1000)
    with pytest.raises(Unavailable, match="cannot be opened"):
        SqlLedger(tmp_path / "lens.db")
