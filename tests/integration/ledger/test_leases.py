"""Fencing: whoever lost the lease can write nothing any more, however late it wakes up."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime

import pytest
from fakes import FakeClock, digest_of

from lens_core.adapters.fencing import NIGHT, FencedLease, SqlLeases
from lens_core.adapters.lease import FileLease
from lens_core.adapters.sql_ledger import SqlLedger
from lens_core.errors import Conflict
from lens_core.model import Candidate, Measurement, Night, NightState, Verdict

NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)
CANDIDATE = Candidate("0.1.0", digest_of("one"), "c" * 40, dirty=False)


def a_night():
    """A night that is about to open."""
    digest = CANDIDATE.digest
    bound = (CANDIDATE, None, digest, digest, ("backend/python/small",), 7, 1.5)
    return Night("", date(2026, 11, 24), 0, *bound, "", NightState.OPEN, None, "", NOW, None)


@pytest.fixture
def file(tmp_path):
    """A ledger that knows a candidate."""
    SqlLedger(tmp_path / "lens.db").add_candidate(CANDIDATE, NOW)
    return tmp_path / "lens.db"


def test_each_holder_gets_a_higher_token(file):
    """Tokens rise over all that ever held a lease, each lease by itself."""
    leases = SqlLeases(file)
    assert [leases.take(NIGHT, "a", NOW), leases.take("other", "a", NOW), SqlLeases(file).take(NIGHT, "b", NOW)] == [
        1,
        1,
        2,
    ]


def test_of_many_processes_none_has_the_token_of_another(file):
    """However many take the lease at once, every token is given once."""
    code = (
        "import sys; from pathlib import Path; from datetime import datetime, UTC\n"
        "from lens_core.adapters.fencing import SqlLeases\n"
        "leases = SqlLeases(Path(sys.argv[1]))\n"
        "for _ in range(5): print(leases.take('night', 'x', datetime(2026, 1, 1, tzinfo=UTC)))\n"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(file)], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    tokens = [int(line) for process in started for line in process.communicate()[0].split()]
    assert sorted(tokens) == list(range(1, 21))


@pytest.mark.parametrize(
    "write",
    [
        lambda ledger, name: ledger.record_slice(name, Measurement("s", "c", (), "e"), ()),
        lambda ledger, name: ledger.record_answers(name, ()),
        lambda ledger, name: ledger.record_report(name),
        lambda ledger, name: ledger.close_night(name, Verdict.PASS, "all pass", (), (), NOW),
    ],
)
def test_a_process_that_was_stalled_writes_nothing(file, write):
    """Once somebody took the lease anew, every write of the one before is a Conflict, and nothing is changed."""
    leases, ledger = SqlLeases(file), SqlLedger(file)
    opened = ledger.open_night(a_night(), leases.take(NIGHT, "first", NOW))
    leases.take(NIGHT, "second", NOW)
    with pytest.raises(Conflict, match="expected the lease night with token 2, saw token 1: another process took over"):
        write(ledger, opened.night_id)
    assert ledger.nights()[0].state is NightState.OPEN
    assert not ledger.has_report(opened.night_id)


def test_a_stalled_process_opens_no_night(file):
    """A token that is not the newest opens nothing."""
    leases, ledger = SqlLeases(file), SqlLedger(file)
    first = leases.take(NIGHT, "first", NOW)
    leases.take(NIGHT, "second", NOW)
    with pytest.raises(Conflict, match="another process took over"):
        ledger.open_night(a_night(), first)
    assert ledger.nights() == ()


def test_only_the_newest_holder_takes_over(file):
    """Whoever holds the lease closes what a dead one left open, and the log says that it changed hands."""
    leases, ledger = SqlLeases(file), SqlLedger(file)
    first = leases.take(NIGHT, "first", NOW)
    opened = ledger.open_night(a_night(), first)
    second = leases.take(NIGHT, "second", NOW)
    with pytest.raises(Conflict):
        ledger.take_over(opened.night_id, first, NOW)
    ledger.take_over(opened.night_id, second, NOW)
    ledger.take_over(opened.night_id, second, NOW)
    ledger.close_night(opened.night_id, Verdict.ERROR, "it died", (), (), NOW)
    with pytest.raises(Conflict, match="is closed"):
        ledger.take_over(opened.night_id, second, NOW)
    with closing(sqlite3.connect(file)) as connection:
        entries = [json.loads(content) for (content,) in connection.execute("SELECT content FROM audit_entry")]
    [taken] = [entry for entry in entries if entry["what"] == "lease.taken"]
    assert taken["facts"] == {"night": opened.night_id, "lease": "night", "from": "1", "to": "2"}


def test_a_lease_whose_lock_is_held_gives_no_token(file, tmp_path):
    """The token is taken under the file's lock: whoever is refused there raises nothing."""
    lock, leases = tmp_path / "night.lock", SqlLeases(file)
    with FencedLease(FileLease(lock), leases, NIGHT, FakeClock()).hold() as token:
        assert token == 1
        with (
            pytest.raises(Conflict, match="a night is being run"),
            FencedLease(FileLease(lock), leases, NIGHT, FakeClock()).hold(),
        ):
            pass
    assert leases.take(NIGHT, "next", NOW) == 2
