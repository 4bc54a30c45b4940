"""A full disk, a torn log, a ledger that cannot be written or is locked, and fifty who write at once.

Each is an error in words, nothing is corrupted, the audit log holds, and what was refused can be done afterwards.
"""

import os
import random
import shutil
import sqlite3
import stat
import subprocess
import tempfile
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from dying import zygote
from fakes import FakeClock, digest_of
from sqlalchemy import Engine, event

from lens_core.adapters import ledger_file
from lens_core.adapters.audit_anchors import FileAnchors
from lens_core.adapters.ledger_contents import contents
from lens_core.adapters.own_keys import AUDIT, own_key, public_folder, public_keys
from lens_core.adapters.sql_ledger import SqlLedger
from lens_core.audit_bootstrap import verify_file
from lens_core.errors import InvalidInput, Unavailable
from lens_core.model import Candidate

NOW = FakeClock().now()
CROWD = 50
NOBODY = 65534


def candidate(name):
    """A candidate of that name; its reason fills pages."""
    return Candidate(f"{name}-{'x' * 2000}", digest_of(name), digest_of(name).hex[:40], dirty=False)


def verified(home, anchors=None):
    """How many entries the log has; it holds, the file is whole, and the ledger is what the log says."""
    kept = FileAnchors(home / "audit" / "anchors.jsonl").anchors() if anchors is None else anchors
    with closing(sqlite3.connect(home / "lens.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if not connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'audit_entry'").fetchone()[0]:
            return 0
    found = verify_file(home / "lens.db", public_keys(AUDIT, public_folder(home)), kept, every_signature=True)
    assert found.stands, (found.faults, found.mismatches)
    return found.entries


def held(home):
    """What the ledger holds."""
    with closing(sqlite3.connect(home / "lens.db")) as connection:
        return contents(lambda query: connection.execute(query).fetchall())


# --- a full disk ------------------------------------------------------------------------------------


@contextmanager
def small_disk(folder):
    """A disk of one megabyte; skipped where this user may not mount one."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def few_pages():
    """Ledgers of at most 60 pages: what SQLite does when it gets no more room."""

    def limit(connection, _record):
        connection.execute("PRAGMA max_page_count = 60")

    event.listen(Engine, "connect", limit)
    try:
        yield
    finally:
        event.remove(Engine, "connect", limit)


def fill(ledger):
    """Write until there is no room: how many were written, and the error."""
    for number in range(10_000):
        try:
            ledger.add_candidate(candidate(str(number)), NOW)
        except Unavailable as error:
            return number, error
    raise AssertionError("the disk never got full")


def test_a_full_disk_says_so_and_keeps_what_was_written(tmp_path):
    """On a real disk without room: an error in words, every commit kept, the log whole; with room it goes on."""
    home = tmp_path / "disk"
    home.mkdir()
    with small_disk(home):
        written, error = fill(SqlLedger(home / "lens.db"))
        assert written > 0
        assert "full" in error.message or "I/O" in error.message
        assert "room" in error.hint or "disk" in error.hint
        entries = verified(home, anchors=())
        assert len(SqlLedger(home / "lens.db").candidates()) == written == entries - 1
        shutil.copytree(home, tmp_path / "larger")
    larger = SqlLedger(tmp_path / "larger" / "lens.db")
    larger.add_candidate(candidate(str(written)), NOW)
    assert verified(tmp_path / "larger") == entries + 1


def test_a_full_ledger_says_so_and_keeps_what_was_written(tmp_path):
    """The same wherever no disk can be mounted: SQLite is given no more pages."""
    with few_pages():
        written, error = fill(SqlLedger(tmp_path / "lens.db"))
        assert (error.message, error.hint) == (
            "the ledger did not answer: database or disk is full",
            "make room on the disk, then try again: nothing was half written",
        )
        assert verified(tmp_path) == written + 1
    SqlLedger(tmp_path / "lens.db").add_candidate(candidate(str(written)), NOW)
    assert verified(tmp_path) == written + 2


# --- no right to write, no turn to write ------------------------------------------------------------


@contextmanager
def as_somebody_else(folder, rights=0o555):
    """As a user who may at most read the folder, also where tests run as root."""
    changed = [*folder.rglob("*"), folder]
    modes = {path: path.stat().st_mode for path in changed}
    for path in changed:
        path.chmod(rights & (0o555 if path.is_dir() else 0o444))
    was_root = os.geteuid() == 0
    try:
        if was_root:
            os.seteuid(NOBODY)
        yield
    finally:
        if was_root:
            os.seteuid(0)
        for path, mode in modes.items():
            path.chmod(stat.S_IMODE(mode))


def test_a_ledger_that_may_only_be_read_says_so():
    """Whoever lacks the right to write gets an error in words; nothing is changed, and its owner goes on."""
    with tempfile.TemporaryDirectory(prefix="lens-readonly-") as folder:  # pytest's own folder is closed to others
        home = Path(folder) / "home"
        home.parent.chmod(0o755)
        ledger = SqlLedger(home / "lens.db")
        ledger.add_candidate(candidate("one"), NOW)
        with as_somebody_else(home):
            with pytest.raises(Unavailable, match=r"readonly|unable to open|read-only|Permission") as caught:
                SqlLedger(home / "lens.db").add_candidate(candidate("two"), NOW)
            assert caught.value.hint
        assert verified(home) == 2
        SqlLedger(home / "lens.db").add_candidate(candidate("two"), NOW)
        assert verified(home) == 3


def test_a_key_that_may_not_be_read_says_so():
    """Whoever may write to the ledger and not read its log's key is told so, and writes nothing."""
    with tempfile.TemporaryDirectory(prefix="lens-keys-") as folder:
        own_key(AUDIT, Path(folder))
        Path(folder).chmod(0o700)
        with as_somebody_else(Path(folder), 0), pytest.raises(InvalidInput, match=r"audit\.pem") as caught:
            own_key(AUDIT, Path(folder))
        assert caught.value.hint


def test_a_locked_ledger_says_so_and_can_be_read(tmp_path, monkeypatch):
    """While somebody writes for long, readers read; a writer is told in words, and gets its turn afterwards."""
    monkeypatch.setattr(ledger_file, "BUSY_S", 0.2)
    ledger = SqlLedger(tmp_path / "lens.db")
    ledger.add_candidate(candidate("one"), NOW)
    with closing(sqlite3.connect(tmp_path / "lens.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable) as caught:
            ledger.add_candidate(candidate("two"), NOW)
        assert (caught.value.message, caught.value.hint) == (
            "the ledger did not answer: database is locked",
            "another process is writing for long: wait for it, then try again",
        )
        assert len(ledger.candidates()) == len(SqlLedger(tmp_path / "lens.db").candidates()) == 1
        other.execute("ROLLBACK")
    ledger.add_candidate(candidate("two"), NOW)
    assert verified(tmp_path) == 3


# --- many at once -----------------------------------------------------------------------------------


def test_fifty_writers_lose_and_double_nothing(tmp_path, unmeasured):
    """Fifty processes write at once, to a ledger that is not even made: each has what it wrote, once, in one chain."""
    with zygote() as processes:
        told = processes.many("crowd", tmp_path, CROWD)
    assert Counter((one.code, one.error, one.message) for one in told) == {(0, "", ""): CROWD}
    tokens = [int(token) for one in told for token in one.said.split()]
    assert sorted(tokens) == list(range(1, 3 * CROWD + 1))
    home = tmp_path / "home"
    candidates = SqlLedger(home / "lens.db").candidates()
    assert len(candidates) == len({one.digest for one in candidates}) == 3 * CROWD + 1
    assert verified(home) == 3 * CROWD + 2  # one began it, one is everybody's
    assert max(anchor.number for anchor in FileAnchors(home / "audit" / "anchors.jsonl").anchors()) == 3 * CROWD + 2


# --- torn writes ------------------------------------------------------------------------------------

CHANGES = 4
_HEADER, _FRAME = 32, 24


@pytest.fixture(scope="module")
def torn_from(tmp_path_factory):
    """A ledger whose last changes stand in its WAL only, and what it held after each of them."""
    home = tmp_path_factory.mktemp("torn") / "home"
    ledger = SqlLedger(home / "lens.db")
    ledger.add_candidate(candidate("first"), NOW)
    with closing(sqlite3.connect(home / "lens.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    states = [held(home)]
    with closing(sqlite3.connect(home / "lens.db")) as reader:  # whoever reads keeps the WAL from being taken over
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM candidate").fetchall()
        for number in range(CHANGES):
            ledger.add_candidate(candidate(str(number)), NOW)
            states.append(held(home))
        copy = shutil.copytree(home, home.parent / "copy")
    (copy / "lens.db-shm").unlink()
    assert (copy / "lens.db-wal").stat().st_size > _HEADER
    return copy, states


def page_size(home):
    """Of the ledger's pages."""
    return int.from_bytes((home / "lens.db").read_bytes()[16:18], "big")


def spoilings(wal, page):
    """Where a WAL is cut off: around every frame's end and header and at places in between; and torn sectors."""
    frame = _FRAME + page
    ends = range(_HEADER, len(wal) + 1, frame)
    places = {place for end in ends for place in (end - 1, end, end + 1, end + _FRAME, end + frame // 2)}
    places |= set(random.Random(7).sample(range(len(wal)), 20))  # noqa: S311  (places, no secrets)
    for place in sorted(place for place in places | {0, 1, _HEADER - 1} if 0 <= place <= len(wal)):
        yield f"cut off at {place}", wal[:place]
    for end in ends[:-1]:
        at = end + _FRAME + page // 2
        yield f"a sector lost at {at}", wal[:at] + bytes(512) + wal[at + 512 :]
        yield f"a bit lost at {at}", wal[:at] + bytes([wal[at] ^ 1]) + wal[at + 1 :]


def test_a_torn_log_is_before_or_after_a_change_never_within(torn_from, tmp_path):
    """Wherever the WAL ends or is damaged, the ledger is what it was after one of its changes, and its log holds."""
    copy, states = torn_from
    wal, seen = (copy / "lens.db-wal").read_bytes(), Counter()
    anchors = FileAnchors(copy / "audit" / "anchors.jsonl").anchors()
    for number, (what, content) in enumerate(spoilings(wal, page_size(copy))):
        home = shutil.copytree(copy, tmp_path / str(number))
        (home / "lens.db-wal").write_bytes(content)
        ledger = SqlLedger(home / "lens.db")
        now = held(home)
        assert now in states, what
        seen[states.index(now)] += 1
        entries = states.index(now) + 2  # one began it, one is of the first candidate
        assert verified(home, [anchor for anchor in anchors if anchor.number <= entries]) == entries, what
        ledger.add_candidate(candidate("after"), NOW)
        shutil.rmtree(home)
    assert set(seen) == set(range(CHANGES + 1))


def test_what_a_lying_disk_lost_is_seen_by_the_kept_heads(torn_from, tmp_path):
    """A commit that was confirmed and is gone all the same is no silence: its head was kept, and the log lacks it."""
    copy, _ = torn_from
    home = shutil.copytree(copy, tmp_path / "home")
    (home / "lens.db-wal").write_bytes((copy / "lens.db-wal").read_bytes()[:-1])
    SqlLedger(home / "lens.db")
    anchors = FileAnchors(home / "audit" / "anchors.jsonl").anchors()
    found = verify_file(home / "lens.db", public_keys(AUDIT, public_folder(home)), anchors)
    assert not found.stands
    assert "its end was removed" in found.faults[0]
