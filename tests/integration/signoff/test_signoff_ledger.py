"""Statements and scans in the ledger: each in one transaction with its audit entry and its messages."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from signing import hand
from signing_off import NOW, WHO, sha, stated, unsigned_case

from lens_core.adapters.signoff_ledger import SqlStatements
from lens_core.alerts import Message
from lens_core.errors import Conflict, Unavailable
from lens_core.model import Digest, Verdict
from lens_core.signoff.statement import encode
from lens_core.signoff.words import Act, Role, Scan

ADA = hand()
CASE = unsigned_case()
DOSSIER = stated(CASE).dossier
CANDIDATE = Digest(DOSSIER.candidate)


@pytest.fixture
def file(tmp_path):
    """The ledger's file."""
    return tmp_path / "home" / "lens.db"


def signed(**other):
    """A statement, and it signed."""
    made = stated(CASE, **other)
    return ADA.sign(encode(made)), made


def rows(file, query):
    """Rows of the database, by plain SQLite."""
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query).fetchall()


def entries(file):
    """What the audit log says, oldest first, without its beginning."""
    return [json.loads(content) for (content,) in rows(file, "SELECT content FROM audit_entry ORDER BY number")][1:]


def test_a_statement_is_kept_as_it_was_signed_with_its_entry(file):
    """Bytes, signature, key and time come back; the log says who stated what on which digest, and why."""
    ledger = SqlStatements(file)
    one, said = signed()
    assert ledger.record_statement(one, said, 0, NOW)
    [kept] = ledger.statements(CANDIDATE)
    assert (kept.signed, kept.act, kept.person) == (one, Act.APPROVE, WHO[Role.QA])
    assert (kept.candidate, kept.recorded_at) == (CANDIDATE, NOW)
    [entry] = entries(file)
    assert (entry["what"], entry["who"], entry["why"]) == ("statement.approve", said.person, said.reason)
    assert (entry["subject"], entry["record"]) == (str(CANDIDATE), one.digest)
    assert entry["facts"]["dossier"] == str(said.dossier.digest)
    assert entry["facts"]["role"] == "qa"


def test_the_same_statement_is_kept_once(file):
    """Recording it again changes nothing, whatever was counted, and says so."""
    ledger = SqlStatements(file)
    one, said = signed()
    ledger.record_statement(one, said, 0, NOW)
    before = entries(file)
    assert not ledger.record_statement(one, said, 0, NOW + timedelta(seconds=1))
    assert not SqlStatements(file).record_statement(one, said, 1, NOW)
    assert len(ledger.statements()) == 1
    assert entries(file) == before


def test_a_decision_on_an_old_state_is_refused(file):
    """Who counted other statements than there are decided on another state: Conflict, and nothing is kept."""
    ledger = SqlStatements(file)
    one, said = signed()
    ledger.record_statement(one, said, 0, NOW)
    other, other_said = signed(role=Role.SECURITY)
    for count in (0, 2):
        with pytest.raises(Conflict, match=f"expected {count} statements on this candidate, saw 1"):
            ledger.record_statement(other, other_said, count, NOW)
    assert [kept.signed for kept in ledger.statements()] == [one]
    assert len(entries(file)) == 1


def test_candidates_are_told_apart(file):
    """Statements on another digest neither count nor show."""
    ledger = SqlStatements(file)
    one, said = signed()
    other, other_said = signed(dossier=replace(DOSSIER, candidate=sha("another")))
    ledger.record_statement(one, said, 0, NOW)
    ledger.record_statement(other, other_said, 0, NOW)
    assert [kept.signed for kept in ledger.statements(CANDIDATE)] == [one]
    assert [kept.signed for kept in ledger.statements()] == [one, other]


def test_messages_go_out_with_the_statement_or_not_at_all(file):
    """A message for each target lies in the outbox after the commit, and none after a refusal."""
    ledger = SqlStatements(file, targets=("jsons://one", "jsons://two"))
    message = Message("signoff-1", "[BREAK-GLASS OPEN] 1.0.0", "why", "critical")
    one, said = signed(act=Act.COUNTERSIGN, refers="sha256:" + "a" * 64)
    with pytest.raises(Conflict):
        ledger.record_statement(one, said, 1, NOW, (message,))
    assert rows(file, "SELECT * FROM alert_outbox") == []
    ledger.record_statement(one, said, 0, NOW, (message,))
    ledger.record_statement(one, said, 0, NOW, (message,))
    told = rows(file, "SELECT target, title, severity FROM alert_outbox")
    assert told == [("jsons://one", message.title, "critical"), ("jsons://two", message.title, "critical")]


def test_opening_break_glass_is_an_entry_of_its_own(file):
    """A countersign is what opens it: whoever reads the log for break-glass finds it under its own name."""
    one, said = signed(act=Act.COUNTERSIGN, refers="sha256:" + "a" * 64)
    SqlStatements(file).record_statement(one, said, 0, NOW)
    assert [entry["what"] for entry in entries(file)] == ["statement.countersign", "glass.opened"]
    assert {entry["facts"]["refers"] for entry in entries(file)} == {said.refers}


def test_the_newest_look_at_the_sources_counts(file):
    """Scans come back newest first, by candidate, and each has its entry."""
    ledger = SqlStatements(file)
    assert ledger.newest_scan(CANDIDATE) is None
    old = Scan(NOW, Verdict.PASS, "nothing known")
    new = replace(old, at=NOW + timedelta(hours=1), verdict=Verdict.FAIL, reason="CVE-2026-1")
    ledger.record_scan(CANDIDATE, new)
    ledger.record_scan(CANDIDATE, old)
    assert ledger.newest_scan(CANDIDATE) == new
    assert ledger.newest_scan(Digest("sha256:" + "b" * 64)) is None
    assert [(entry["what"], entry["why"]) for entry in entries(file)] == [
        ("scan.recorded", "CVE-2026-1"),
        ("scan.recorded", "nothing known"),
    ]


def test_a_ledger_that_cannot_be_written_says_so(file):
    """A database that another process has locked is Unavailable, and nothing is kept."""
    ledger = SqlStatements(file)
    one, said = signed()
    ledger._file._engine.dispose()
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("PRAGMA busy_timeout = 0")
        other.execute("BEGIN EXCLUSIVE")
        with ledger._file._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout = 1")
        with pytest.raises(Unavailable, match="locked"):
            ledger.record_statement(one, said, 0, NOW)
    assert ledger.statements() == ()
