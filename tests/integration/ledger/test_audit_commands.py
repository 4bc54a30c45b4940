"""``lens audit`` on a real ledger that somebody with full rights on its file tampers with."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest
from audit_logs import chain
from typer.testing import CliRunner

from lens_core.adapters.own_keys import key_folder, own_key
from lens_core.adapters.sql_ledger import SqlLedger
from lens_core.audit import Entry, Kept, signed_bytes
from lens_core.audit_bootstrap import anchors_of, open_audit, trail_of
from lens_core.audit_cli import audit_app
from lens_core.config import load_settings
from lens_core.errors import InvalidInput
from lens_core.model import (
    Answer,
    Candidate,
    Digest,
    Evidence,
    Measurement,
    Metric,
    Night,
    NightState,
    Release,
    Verdict,
)

NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)
DIGEST = Digest("sha256:" + "a" * 64)
CANDIDATE = Candidate("0.1.0", DIGEST, "c" * 40, dirty=False)
BROKEN = 5


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with a release, and a night that failed."""
    monkeypatch.setenv("LENS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    ledger = SqlLedger(tmp_path / "home" / "lens.db", trail_of(load_settings()))
    ledger.record_release(
        Release("0.1.0", CANDIDATE, DIGEST, DIGEST, "ed25519:x", Verdict.PASS, "fine", "Ada <ada@x>", NOW, "releases/x")
    )
    ledger.record_push("0.1.0", "registry/x@sha256:1")
    night = Night(
        "", date(2026, 11, 24), 0, CANDIDATE, None, DIGEST, DIGEST, ("s",), 7, 1.5, "", NightState.OPEN, None, "",
        NOW, None,
    )  # fmt: skip
    opened = ledger.open_night(night).night_id
    answer = Answer("tail_ratio", "s", Verdict.FAIL, "slow", 2.5, 2.0, 10, "e", "≤")
    ledger.record_slice(opened, Measurement("s", "c", (Metric("tail_ratio", 2.5, 10),), "e"), [answer])
    ledger.close_night(opened, Verdict.FAIL, "slow", (), [Evidence("nights/x", DIGEST, 7)], NOW)
    return tmp_path / "home"


def lens(*words):
    """Run ``lens audit`` with these words."""
    return CliRunner().invoke(audit_app, [str(word) for word in words])


def sql(home, *statements):
    """What a database administrator does."""
    with closing(sqlite3.connect(home / "lens.db")) as connection:
        for statement in statements:
            connection.execute(*(statement if isinstance(statement, tuple) else (statement,)))
        connection.commit()


def rows(home):
    """The entries of the ledger."""
    with closing(sqlite3.connect(home / "lens.db")) as connection:
        query = "SELECT number, content, head, key, signature FROM audit_entry ORDER BY number"
        return [Kept(*row) for row in connection.execute(query)]


def put(home, entries):
    """Replace the whole log."""
    insert = "INSERT INTO audit_entry (number, content, head, key, signature) VALUES (?, ?, ?, ?, ?)"
    sql(home, "DELETE FROM audit_entry", *((insert, one) for one in entries))


def verified(*words):
    """What ``lens audit verify --json`` says, and its exit code."""
    done = lens("verify", "--json", *words)
    return json.loads(done.stdout), done.exit_code


def test_a_ledger_that_nobody_touched_stands(home):
    """Log, keys, kept heads and tables agree; people are told the head, machines everything."""
    said, code = verified()
    assert (said["stands"], code, said["verification"]["entries"]) == (True, 0, 7)
    assert said["verification"]["anchored"] == 7
    done = lens("verify", "--every-signature")
    assert (done.exit_code, done.stderr) == (0, "")
    assert rows(home)[-1].head in done.stdout


STATEMENT = """
    INSERT INTO statement (digest, candidate_digest, act, person, content, signature, method, key, recorded_at)
    VALUES ('sha256:1', 'sha256:2', 'approve', 'eve', x'00', x'00', 'ssh', 'k', '2026-11-24 02:00:00.000000')
"""
SCAN = """
    INSERT INTO scan (candidate_digest, at, verdict, reason)
    VALUES ('sha256:2', '2026-11-24 02:00:00.000000', 'PASS', '')
"""
TABLES = {
    "a night's verdict": ("UPDATE night SET verdict = 'PASS'", "night 2026-11-24.1"),
    "a night's answer": ("UPDATE answer SET verdict = 'PASS', value = 1.5", "night 2026-11-24.1"),
    "a night's answer, gone": ("DELETE FROM answer", "night 2026-11-24.1"),
    "a measurement": ("UPDATE measurement SET metrics = '[]'", "night 2026-11-24.1"),
    "a night's evidence": ("UPDATE evidence SET size_bytes = 8", "night 2026-11-24.1"),
    "a night's policy": (
        "UPDATE night SET policy_digest = 'sha256:' || printf('%064d', 1)",
        "opening of night 2026-11-24.1",
    ),
    "a night, gone": ("DELETE FROM night", "night 2026-11-24.1"),
    "a night under another name": ("UPDATE night SET night_id = '2026-11-25.1'", "night 2026-11-25.1"),
    "garbage": ("UPDATE night SET verdict = 'FINE'", "night 2026-11-24.1"),
    "who cut it": ("UPDATE release SET cut_by = 'Eve <eve@x>'", "release 0.1.0"),
    "a release, gone": ("DELETE FROM release", "release 0.1.0"),
    "where it was pushed to": ("UPDATE release SET pushed_to = 'elsewhere'", "push of release 0.1.0"),
    "a dirty candidate": ("UPDATE candidate SET dirty = 1", f"candidate {DIGEST}"),
    "a statement that nobody made": (STATEMENT, "statement sha256:1"),
    "a scan that nobody made": (SCAN, "scan"),
}


@pytest.mark.parametrize("what", TABLES)
def test_an_edit_of_the_tables_is_held_against_their_entries(home, what):
    """Rows that were edited, added or removed behind the log's back are named, and whatever they say."""
    statement, thing = TABLES[what]
    sql(home, statement)
    said, code = verified()
    assert (said["stands"], code) == (False, BROKEN)
    assert any(name.startswith(thing) for name in said["verification"]["mismatches"])
    assert said["verification"]["first_bad"] is None


@pytest.mark.parametrize("number", [1, 4, 7])
def test_an_administrator_without_the_key_is_named_to_the_entry(home, number):
    """An edit, a deletion and a whole rewrite of a real ledger; exit code 5, and the entry's number in words."""
    good = rows(home)
    sql(home, ("UPDATE audit_entry SET content = replace(content, 'e', 'E') WHERE number = ?", (number,)))
    assert f"first bad entry is {number}" in lens("verify").stderr
    put(home, good[: number - 1] + good[number:])
    assert verified()[0]["verification"]["first_bad"] == number
    put(home, forged(good, number, lambda at, _head: good[at - 1].signature))
    said, code = verified()
    assert (code, said["verification"]["first_bad"], said["verification"]["not_after"]) == (BROKEN, number, number)


def test_an_administrator_with_the_key_is_shown_by_the_kept_heads(home):
    """Every head is signed as it should be, and not the one that was kept when it was written."""
    key = own_key("audit", key_folder(home))
    put(home, forged(rows(home), 5, lambda _at, head: key.sign(signed_bytes(head))))
    said, code = verified()
    assert (code, said["verification"]["first_bad"], said["verification"]["not_after"]) == (BROKEN, 5, 5)
    (home / "audit" / "anchors.jsonl").unlink()
    assert "kept elsewhere" in verified()[0]["verification"]["warnings"][0]


def forged(good, number, sign):
    """The log rewritten from an entry on."""
    entries = [Entry.decode(one.content) for one in good]
    entries[number - 1] = replace(entries[number - 1], who="nobody")
    return chain(entries, sign, SimpleNamespace(id=good[0].key))


def test_a_removed_end_is_shown_by_the_kept_heads(home):
    """Rows and entries of the night are gone together; what was kept says that there were more."""
    put(home, rows(home)[:3])
    sql(home, "DELETE FROM evidence", "DELETE FROM answer", "DELETE FROM measurement", "DELETE FROM night")
    said, code = verified()
    assert (code, said["verification"]["first_bad"]) == (BROKEN, 4)


def test_an_export_verifies_anywhere(home, tmp_path):
    """The file, the log's public key and the kept heads are enough; the database is not needed."""
    file, key, heads = tmp_path / "log.jsonl", home / "keys" / "own" / "audit.pem", home / "audit" / "anchors.jsonl"
    assert "7 entries" in lens("export", file).stdout
    assert json.loads(file.read_text().splitlines()[3])["entry"]["what"] == "release.pushed"
    (home / "lens.db").unlink()
    said, code = verified(file, "--key", key, "--anchors", heads)
    assert (said["stands"], code) == (True, 0)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:4], *lines[5:]]))
    assert verified(file, "--key", key)[0]["verification"]["first_bad"] == 5
    file.write_bytes(b"".join(lines[:5]))
    assert verified(file, "--key", key, "--anchors", heads)[0]["verification"]["first_bad"] == 6


def test_the_log_is_shown_newest_last(home):
    """Chosen by name and subject; as text for people, and whole for machines."""
    lines = lens("log", "--what", "night.", "--last", "2").stdout.splitlines()
    assert [line.split()[3] for line in lines] == ["night.slice", "night.closed"]
    assert json.loads(lens("log", "--json", "--subject", str(DIGEST)).stdout)[0]["what"] == "candidate.recorded"
    assert lens("log", "--what", "lease.").stdout == "no entries\n"


def test_the_head_is_anchored_on_demand(home):
    """A place that lost it gets the newest head again."""
    (home / "audit" / "anchors.jsonl").unlink()
    assert rows(home)[-1].head in lens("anchor").stdout
    assert [one.number for one in open_audit()._places[0].anchors()] == [7]


def test_a_log_that_begins_late_names_what_was_there(home):
    """A ledger that is older than its log: the first entry takes what it holds down, and holds it from then on."""
    sql(home, "DELETE FROM audit_entry")
    (home / "audit" / "anchors.jsonl").unlink()
    assert "no entry of it" in lens("verify").stderr
    SqlLedger(home / "lens.db", trail_of(load_settings())).record_push("0.1.0", "registry/y@sha256:1")
    said, code = verified()
    assert (code, said["verification"]["entries"]) == (0, 2)
    sql(home, "UPDATE answer SET verdict = 'PASS'")
    assert verified()[1] == BROKEN


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("audit/heads.jsonl", "FileAnchors"),
        ("audit/heads/", "FolderAnchors"),
        ("git:repo#refs/lens/here", "GitAnchors"),
        ("https://example.org/heads", "HttpsAnchors"),
    ],
)
def test_the_configuration_names_places_of_every_kind(home, tmp_path, name, kind):
    """A file, a folder, a ref and an address, told apart by how they are written."""
    settings = load_settings()
    audit = settings.audit.model_copy(update={"anchors": (name,)})
    [place] = anchors_of(settings.model_copy(update={"audit": audit}), tmp_path)
    assert type(place).__name__ == kind
    assert name.partition("#")[0].removeprefix("git:").removesuffix("/") in place.name


def test_what_cannot_be_done_says_what_to_do(home, tmp_path):
    """No key beside a file, kept heads beside none, a file that is there, a home without a ledger."""
    assert "--key" in lens("verify", home / "lens.db").exception.message
    assert "FILE" in lens("verify", "--anchors", home).exception.message
    assert "cannot be written" in lens("export", home / "lens.db").exception.message
    (home / "lens.db").rename(tmp_path / "elsewhere.db")
    assert isinstance(lens("verify").exception, InvalidInput)
