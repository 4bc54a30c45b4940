"""The ledger's transactions: what changes leaves an entry in the audit log, in the same commit."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial

import pytest
from sqlmodel import select

from lens_core.adapters.alert_ledger import SqlAlertLedger
from lens_core.adapters.audit_anchors import FileAnchors
from lens_core.adapters.audit_log import Trail
from lens_core.adapters.audit_reader import reading
from lens_core.adapters.audit_rows import LeaseRow
from lens_core.adapters.ledger_contents import contents
from lens_core.adapters.ledger_file import LedgerFile
from lens_core.adapters.own_keys import own_key, public_keys
from lens_core.adapters.sql_ledger import SqlLedger
from lens_core.alerts import Alert, AlertState, Change, Severity, Watch
from lens_core.audit import GENESIS, Note, head_of
from lens_core.audit_records import held_night
from lens_core.errors import BrokenChain, Unavailable
from lens_core.findings import AlertKind
from lens_core.model import (
    Answer,
    Candidate,
    Digest,
    Evidence,
    Interval,
    Measurement,
    Metric,
    Night,
    NightState,
    Verdict,
)

NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)
DIGEST = Digest("sha256:" + "a" * 64)
CANDIDATE = Candidate("0.1.0", DIGEST, "c" * 40, dirty=False)


def a_lease(name="night"):
    """A row to write."""
    return LeaseRow(name=name, token=1, holder="me", taken_at=NOW)


def take(change):
    """Write, and say so."""
    change.session.merge(a_lease())
    change.note(Note("lease.taken", ""))


def break_off(change):
    """Write, say so, and fail."""
    take(change)
    raise OSError("broke off")


def write(session):
    """Write, and send it to SQLite."""
    session.add(a_lease())
    session.flush()


def entries(file):
    """All entries of the log, as JSON, by plain SQLite; the chain is whole."""
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT content, head FROM audit_entry ORDER BY number").fetchall()
    before, read = GENESIS, []
    for number, (content, head) in enumerate(rows, 1):
        entry = json.loads(content)
        assert (entry["number"], entry["previous"], head) == (number, before, head_of(content))
        before, read = head, [*read, entry]
    return read


@pytest.fixture
def trail(tmp_path):
    """A trail with a key and a file of anchors in the test's folder."""
    return Trail(
        lambda: own_key("audit", tmp_path / "keys", tmp_path / "public", env={}),
        [FileAnchors(tmp_path / "anchors.jsonl")],
        now=lambda: NOW,
        person="ada",
    )


@pytest.fixture
def file(tmp_path, trail):
    """A ledger that is empty."""
    return LedgerFile(tmp_path / "lens.db", trail)


def test_a_change_and_its_entry_are_one_commit(file, tmp_path):
    """What was noted is in the log with the person and the time, behind the log's beginning; its head is anchored."""
    with file.change() as change:
        change.session.add(a_lease())
        change.note(Note("lease.taken", "", "its holder died", facts={"name": "night"}))
    began, taken = entries(tmp_path / "lens.db")
    assert (began["what"], began["facts"]) == ("ledger.began", {})
    assert (taken["who"], taken["what"], taken["at"]) == ("ada", "lease.taken", "2026-11-24T02:00:00.000000Z")
    [anchor] = FileAnchors(tmp_path / "anchors.jsonl").anchors()
    assert (anchor.number, anchor.at) == (2, NOW)


def test_a_change_that_says_nothing_is_undone(file, tmp_path):
    """Rows without an entry are a bug of the caller; a change that wrote nothing needs no entry."""
    with pytest.raises(RuntimeError, match="said nothing"), file.change() as change:
        change.session.add(a_lease())
    with file.change():
        pass
    with file.session() as session:
        assert session.exec(select(LeaseRow)).all() == []
    assert entries(tmp_path / "lens.db") == []


def test_a_change_that_fails_leaves_no_entry(file, tmp_path):
    """An error takes the entry back with the rows."""
    with pytest.raises(OSError, match="broke off"), file.change() as change:
        break_off(change)
    assert entries(tmp_path / "lens.db") == []


def test_a_command_that_was_done_is_not_done_again(file, tmp_path):
    """The second use of an idempotency key is told so, and whatever it writes is undone."""
    for wanted in (False, True):
        with file.change(command="form-7") as change:
            assert change.repeated is wanted
            change.session.add(a_lease(f"lease {wanted}"))
            change.note(Note("lease.taken", ""))
    with file.session() as session:
        assert [row.name for row in session.exec(select(LeaseRow))] == ["lease False"]
    assert len(entries(tmp_path / "lens.db")) == 2


def test_what_only_reads_cannot_write(file):
    """A write that leaves no entry is refused by SQLite, not by manners; bookkeeping says that it is none."""
    with pytest.raises(Unavailable, match="readonly"), file.session() as session:
        write(session)
    with file.bookkeeping() as session:
        session.add(a_lease())
    with file.session() as session:
        assert session.get(LeaseRow, "night").token == 1


def test_an_anchor_that_fails_warns_once_and_undoes_nothing(tmp_path, capsys):
    """The commit stands; the place is named once, and tried again after a rest."""
    (tmp_path / "wall").write_text("")
    trail = Trail(
        lambda: own_key("audit", tmp_path / "keys", env={}),
        [FileAnchors(tmp_path / "wall" / "anchors.jsonl")],
        rest_s=0,
    )
    file = LedgerFile(tmp_path / "lens.db", trail)
    for name in ("one", "two"):
        with file.change() as change:
            change.session.add(a_lease(name))
            change.note(Note("lease.taken", ""))
    [said] = capsys.readouterr().err.splitlines()
    assert "anchors.jsonl" in said
    (tmp_path / "wall").unlink()
    with file.change() as change:
        change.session.add(a_lease("three"))
        change.note(Note("lease.taken", ""))
    assert len(FileAnchors(tmp_path / "wall" / "anchors.jsonl").anchors()) == 1


def test_reading_needs_no_key(tmp_path):
    """Who only looks at a ledger is asked for no key, and none is made."""
    asked = []
    ledger = SqlLedger(tmp_path / "lens.db", Trail(lambda: asked.append("key")))
    assert (ledger.nights(), asked) == ((), [])


def a_night():
    """A night that is about to open."""
    return Night(
        "", date(2026, 11, 24), 0, CANDIDATE, CANDIDATE, DIGEST, DIGEST, ("s",), 2**60, 1.5, "",
        NightState.OPEN, None, "", NOW, None,
    )  # fmt: skip


def test_the_verifier_reads_of_a_night_what_the_writer_wrote(tmp_path, trail):
    """Everything of a night has an entry, and its record is what plain SQL finds in the tables."""
    ledger = SqlLedger(tmp_path / "lens.db", trail)
    ledger.add_candidate(CANDIDATE, NOW)
    night_id = ledger.open_night(a_night()).night_id
    interval = Interval(1.0, 2.25, 0.95, 0.8, 12, 1.1)
    metrics = (Metric("p99_ms", 1.5, 10, interval), Metric("tail_ratio", None, 0))
    answer = Answer("tail_ratio", "s", Verdict.PASS, "small", 1.1, 2.0, 10, "e", "≤", interval)
    ledger.record_slice(night_id, Measurement("s", "c", metrics, "e", ("slow",)), [answer])
    ledger.record_answers(night_id, [Answer("slices_present", "", Verdict.PASS, "all", 1, 1, 1, "", "≥")])
    ledger.record_report(night_id)
    ledger.close_night(night_id, Verdict.PASS, "fine", (), [Evidence("nights/x", DIGEST, 7)], NOW)
    said = entries(tmp_path / "lens.db")
    assert [entry["what"] for entry in said] == [
        "ledger.began", "candidate.recorded", "night.opened", "night.slice", "night.answers", "night.report",
        "night.closed",
    ]  # fmt: skip
    assert {entry["subject"] for entry in said[1:]} == {str(DIGEST)}
    with closing(sqlite3.connect(tmp_path / "lens.db")) as connection:
        held = contents(lambda query: connection.execute(query).fetchall())
        assert said[-1]["record"] == held[held_night(night_id)]
        connection.execute("UPDATE answer SET value = value + 0.5 WHERE gate = 'tail_ratio'")
        assert said[-1]["record"] != contents(lambda query: connection.execute(query).fetchall())[held_night(night_id)]


def test_no_new_signature_vouches_for_a_rewritten_log(file, tmp_path):
    """Who changes the newest entry without the key stops the ledger: nothing more is written behind it."""
    with file.change() as change:
        take(change)
    with closing(sqlite3.connect(tmp_path / "lens.db")) as connection:
        [(content,)] = connection.execute("SELECT content FROM audit_entry WHERE number = 2").fetchall()
        content = content.replace(b"lease.taken", b"lease.given")
        connection.execute("UPDATE audit_entry SET content = ?, head = ? WHERE number = 2", (content, head_of(content)))
        connection.commit()
    with pytest.raises(BrokenChain, match="entry 2"), file.change() as change:
        take(change)
    assert len(entries(tmp_path / "lens.db")) == 2


def test_a_log_goes_on_under_another_persons_key_that_this_home_knows(tmp_path):
    """Two people write to one ledger, each with a key of their own; a key that nobody published signs nothing."""
    public = tmp_path / "public"
    for person in ("ada", "bob", "ada"):
        signer = partial(own_key, "audit", tmp_path / person, public, env={})
        with LedgerFile(
            tmp_path / "lens.db", Trail(signer, keys=partial(public_keys, "audit", public))
        ).change() as change:
            change.note(Note("lease.taken", ""))
    assert len(public_keys("audit", public)) == 2
    unknown = Trail(partial(own_key, "audit", tmp_path / "eve", env={}))
    with pytest.raises(BrokenChain), LedgerFile(tmp_path / "lens.db", unknown).change() as change:
        change.note(Note("lease.taken", ""))


def test_only_evaluations_that_change_an_alert_have_entries(tmp_path, trail):
    """An alert that opens is in the log, by the monitor, or by the person who did it; counters and panes are not."""
    ledger = SqlAlertLedger(tmp_path / "lens.db", trail)
    opened = Alert("ratio:s:1", AlertKind.RATIO, "s", AlertState.OPEN, Severity.WARNING, NOW, NOW, 1, "2.4 > 2")
    seen = replace(opened, state=AlertState.ACKNOWLEDGED, change_count=2, reason="on it", changed_by="mia")
    for changes in (
        [Change(opened, "open", None, spoken=True)],
        [],
        [Change(seen, "acknowledge", opened.state, spoken=True)],
    ):
        ledger.advance(lambda _watches, said=changes: ([Watch(AlertKind.RATIO, "s", 1)], said), NOW, ("x",))
    message = ledger.deliveries()[0].message.message_id
    ledger.begin_delivery(message, "x", NOW)
    said = [(entry["what"], entry["who"], entry["subject"], entry["why"]) for entry in entries(tmp_path / "lens.db")]
    assert said[1:] == [("alert.open", "ada", "s", "2.4 > 2"), ("alert.acknowledge", "mia", "s", "on it")]


def test_reading_the_log_leaves_the_ledgers_locks_alone(tmp_path):
    """A process that verifies keeps its own ledger open: another that comes and goes does not take the journal away.

    SQLite's locks are the process's: one close of the file by any other hand would end them all (POSIX).
    """
    file = tmp_path / "lens.db"
    ledger = LedgerFile(file)
    with ledger.change(NOW) as change:
        change.session.add(a_lease())
        change.note(Note("lease.taken", ""))
    with reading(file) as found:
        assert len(list(found.entries)) == 2
    other = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM lease').fetchall()"
    subprocess.run([sys.executable, "-c", other, str(file)], check=True)
    assert file.with_name("lens.db-wal").exists()
    with ledger.session() as session:
        assert session.exec(select(LeaseRow)).one().name == "night"
