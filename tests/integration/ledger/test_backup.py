"""Backups are of one moment, verified to the last byte, and never put over anything."""

import io
import json
import re
import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest
from cutting import CuttingHouse
from fakes import FakeClock, build_house, digest_of

from lens_core.adapters import backup as backing_up
from lens_core.adapters import restore as restoring
from lens_core.adapters.audit_anchors import FileAnchors
from lens_core.adapters.audit_log import default_trail
from lens_core.adapters.backup import Backups
from lens_core.adapters.backup_file import MANIFEST, BackupManifest, FileEntry, open_backup
from lens_core.adapters.keys import TrustStore
from lens_core.adapters.restore import STAGING, Restore
from lens_core.adapters.sql_ledger import SqlLedger
from lens_core.errors import BrokenChain, Conflict, IntegrityError, InvalidInput, Refused, Unavailable
from lens_core.model import Candidate
from lens_core.night import NightRequest
from lens_core.supply.signatures import pem_of

ANCHORS = "audit/anchors.jsonl"


def quiet(*_told):
    """Progress that nobody watches."""


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory):
    """A home that holds a cut, a night with its evidence, keys, and things that belong in no backup."""
    home = tmp_path_factory.mktemp("home")
    cutting = CuttingHouse(home)
    cutting.cut()
    TrustStore(home / "keys" / "trusted").trust(pem_of(cutting.signer.public_key))
    build_house(home).lens.nightly_validation(NightRequest(1.0))
    for unwanted in ("cache/big", "corpora/big", "cuts/half", "keys/signing-key.pem", "nights/2026-12-01.1/half"):
        home.joinpath(unwanted).parent.mkdir(parents=True, exist_ok=True)
        home.joinpath(unwanted).write_text("not in a backup")
    home.joinpath("releases", ".part").mkdir()
    home.joinpath("releases", ".part", "half").write_text("not in a backup")
    return home


@pytest.fixture
def home(lived_in, tmp_path):
    """A copy of it, to be spoiled."""
    return Path(shutil.copytree(lived_in, tmp_path / "home"))


def make(home, target):
    """Back up."""
    return Backups(home, "lens test", FakeClock().now).make(target, quiet)


def restore(file, into, outside=None, **how):
    """Restore; ``outside`` is a file of anchors that did not burn down with the home."""

    def anchors(files):
        return [*FileAnchors(files / ANCHORS).anchors(), *(FileAnchors(outside).anchors() if outside else ())], ()

    return Restore(into, default_trail(into), anchors, **how).run(file, quiet)


def files_of(folder):
    """Path → bytes of everything below."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def entries_of(home):
    """The audit log."""
    with closing(sqlite3.connect(home / "lens.db")) as connection:
        return [json.loads(content) for (content,) in connection.execute("SELECT content FROM audit_entry")]


def rewritten(file, target, change):
    """The archive with its members changed: ``change`` gets name and bytes, and gives pairs of them."""
    with tarfile.open(file) as old, tarfile.open(target, "w") as new:
        for member in old.getmembers():
            for name, content in change(member.name, old.extractfile(member).read()):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                new.addfile(info, io.BytesIO(content))
    return target


def test_what_is_backed_up_comes_back(home, tmp_path):
    """Every cut, night, wheel, public key and anchor is byte for byte what it was; the nights and cuts read back."""
    made = make(home, tmp_path / "b.tar")
    before = SqlLedger(home / "lens.db")
    told = restore(tmp_path / "b.tar", tmp_path / "new")
    after = SqlLedger(tmp_path / "new" / "lens.db")
    assert (after.nights(), after.releases()) == (before.nights(), before.releases())
    assert after.evidence(after.nights()[0].night_id) == before.evidence(before.nights()[0].night_id) != ()
    restored, there = files_of(tmp_path / "new"), files_of(home)
    kept = {file.path for file in made.files} - {"lens.db", ANCHORS}
    assert {path: restored[path] for path in kept} == {path: there[path] for path in kept}
    assert {path.split("/")[0] for path in kept} == {"releases", "nights", "artifacts", "indexes", "keys"}
    assert (made.faults, told.lost) == ((), 0)


def test_nothing_else_is_backed_up(home, tmp_path):
    """No private key, no cache, no half cut, and no night that is being run."""
    make(home, tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar") as tar:
        names = tar.getnames()
        assert names[0] == MANIFEST
        assert not [name for name in names if b"not in a backup" in tar.extractfile(name).read()]
        assert not [name for name in names if b"PRIVATE KEY" in tar.extractfile(name).read()]


def test_a_restored_ledger_says_so_and_goes_on(home, tmp_path):
    """The entry names the backup and its head, the chain goes on behind it, and the next night is run."""
    made = make(home, tmp_path / "b.tar")
    restore(tmp_path / "b.tar", tmp_path / "new")
    *_, last = entries_of(tmp_path / "new")
    assert (last["what"], last["number"]) == ("ledger.restored", made.entries + 1)
    assert (last["facts"]["backup"], last["facts"]["head"], last["previous"]) == (made.digest, made.head, made.head)
    house = build_house(tmp_path / "new")
    house.clock.moment = FakeClock().moment.replace(day=25)
    assert house.lens.nightly_validation(NightRequest(1.0)).night_id == "2026-11-25.1"
    assert not (tmp_path / "new" / STAGING).exists()
    assert make(tmp_path / "new", tmp_path / "again.tar").entries > made.entries


def test_a_backup_is_of_one_moment(home, tmp_path, monkeypatch):
    """What is written while it is made is either all in it or not at all: no kept head is newer than the ledger."""
    ledger, copied = SqlLedger(home / "lens.db"), backing_up.snapshot

    def meanwhile(file, target):
        copied(file, target)
        ledger.add_candidate(Candidate("9", digest_of("nine"), "9" * 40, dirty=False), FakeClock().now())

    monkeypatch.setattr(backing_up, "snapshot", meanwhile)
    made = make(home, tmp_path / "b.tar")
    assert len(entries_of(home)) == made.entries + 1
    assert ANCHORS in {file.path for file in made.files}
    assert restore(tmp_path / "b.tar", tmp_path / "new").lost == 0
    assert "9" not in {candidate.version for candidate in SqlLedger(tmp_path / "new" / "lens.db").candidates()}


def test_evidence_that_is_gone_or_changed_is_named(home, tmp_path):
    """A backup is made all the same, and says what is amiss with it."""
    ledger = SqlLedger(home / "lens.db")
    first, second, *_ = (item.path for item in ledger.evidence(ledger.nights()[0].night_id))
    (home / first).unlink()
    (home / second).write_bytes(b"other")
    gone, changed = make(home, tmp_path / "b.tar").faults
    assert gone == f"{first} is evidence of a night, and is not there"
    assert changed.startswith(f"{second} is evidence of a night with sha256:")
    assert restore(tmp_path / "b.tar", tmp_path / "new").manifest.faults == (gone, changed)


def test_a_file_that_changes_while_it_is_copied_makes_no_backup(home, tmp_path, monkeypatch):
    """What was hashed is what is written, or there is no backup."""
    place = Backups._place
    wheel = next((home / "artifacts").glob("*/*.whl"))
    content = wheel.read_bytes()

    def growing(backups, taken, path):
        if path.endswith(".whl"):
            wheel.write_bytes(content if wheel.read_bytes() != content else content[::-1] + b"x")
        return place(backups, taken, path)

    monkeypatch.setattr(Backups, "_place", growing)
    with pytest.raises(Unavailable, match=r"changed while it was copied|cannot be written"):
        make(home, tmp_path / "b.tar")
    assert list(tmp_path.iterdir()) == [home]


def test_a_backup_is_never_overwritten_nor_made_inside_of_the_home(home, tmp_path):
    """A file that is there stays; a place that would be lost together with the home is refused."""
    (tmp_path / "b.tar").write_text("mine")
    with pytest.raises(Conflict, match="expected no file"):
        make(home, tmp_path / "b.tar")
    assert (tmp_path / "b.tar").read_text() == "mine"
    with pytest.raises(InvalidInput, match="expected a place outside of"):
        make(home, home / "backups" / "b.tar")
    with pytest.raises(InvalidInput, match="expected a ledger in"):
        make(tmp_path / "nowhere", tmp_path / "c.tar")


def test_links_are_refused(home, tmp_path):
    """A link in a cut is not followed out of the home."""
    home.joinpath("releases", "passwords").symlink_to("/etc/passwd")
    with pytest.raises(IntegrityError, match="saw the link"):
        make(home, tmp_path / "b.tar")


@pytest.mark.parametrize("there", ["lens.db", "lens.db-wal", "releases", "nights", "audit"])
def test_nothing_is_restored_over_something(home, tmp_path, there):
    """A home that holds anything of the kind is refused, and stays as it is."""
    make(home, tmp_path / "b.tar")
    into = tmp_path / "new"
    into.joinpath(there).mkdir(parents=True)
    with pytest.raises(Conflict, match=f"saw {there} in"):
        restore(tmp_path / "b.tar", into)
    assert [path.name for path in into.iterdir()] == [there]


def test_caches_may_be_there(home, tmp_path):
    """What no backup brings does not stand in the way."""
    make(home, tmp_path / "b.tar")
    (tmp_path / "new" / "cache").mkdir(parents=True)
    restore(tmp_path / "b.tar", tmp_path / "new")
    assert (tmp_path / "new" / "lens.db").is_file()


def _flipped(content):
    return content[:-1] + bytes([content[-1] ^ 1])


SPOILED = {
    "a byte of a file": lambda name, content: [(name, _flipped(content) if name.startswith("releases/") else content)],
    "a byte of the ledger": lambda name, content: [(name, _flipped(content) if name == "lens.db" else content)],
    "a file is left out": lambda name, content: [] if name.endswith(".whl") else [(name, content)],
    "a file is added": lambda name, content: [(name, content), *([("releases/more", b"x")] * (name == "lens.db"))],
    "a file twice": lambda name, content: [(name, content)] * (2 if name == "lens.db" else 1),
    "a place outside": lambda name, content: [("../../evil" if name.endswith(".whl") else name, content)],
    "no list": lambda name, content: [] if name == MANIFEST else [(name, content)],
    "a list that is not canonical": lambda name, content: [(name, content + b"\n" if name == MANIFEST else content)],
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_spoiled_backup_is_refused(home, tmp_path, what):
    """Whatever differs from the list, nothing of it is put in place."""
    make(home, tmp_path / "b.tar")
    spoiled = rewritten(tmp_path / "b.tar", tmp_path / "spoiled.tar", SPOILED[what])
    with pytest.raises(IntegrityError):
        restore(spoiled, tmp_path / "new")
    assert {path.name for path in tmp_path.glob("new/*")} <= {STAGING, ".restoring.lock"}
    assert not (tmp_path / "evil").exists()


def test_a_backup_that_ends_early_is_refused(home, tmp_path):
    """Wherever it was cut off, it is not whole: in a header, in a file, between two."""
    make(home, tmp_path / "b.tar")
    content = (tmp_path / "b.tar").read_bytes()
    for at in {0, 100, 512, 700, len(content) // 3, len(content) // 2, len(content) * 9 // 10}:
        (tmp_path / "cut.tar").write_bytes(content[:at])
        shutil.rmtree(tmp_path / "new", ignore_errors=True)
        with pytest.raises(IntegrityError):
            restore(tmp_path / "cut.tar", tmp_path / "new")
        assert not (tmp_path / "new" / "lens.db").exists()


OUTSIDE = ("../x", "/x", "releases/../../x", "cache/x", "lens.db/x", "releases", "releases//x", "releases/.\\x")


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_list_names_only_places_that_a_backup_may_bring(path):
    """No path leads out of the home, or to where something else lies."""
    files = tuple(FileEntry(name, "0" * 64, 1) for name in sorted(("lens.db", path)))
    manifest = BackupManifest(FakeClock().now(), "x", 4, 0, "sha256:" + "0" * 64, files)
    with pytest.raises(IntegrityError, match="expected a place that a backup may bring"):
        BackupManifest.decode(manifest.encode())


def tampered(home, target, *statements):
    """A backup whose ledger somebody edited first, as its owner could."""
    with closing(sqlite3.connect(home / "lens.db")) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    make(home, target)
    return target


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_entry WHERE number = (SELECT max(number) FROM audit_entry)",
        "DELETE FROM audit_entry WHERE number = 2",
        "UPDATE audit_entry SET content = replace(content, 'candidate', 'Candidate') WHERE number = 2",
        "UPDATE night SET verdict = 'PASS', reason = 'it was fine'",
        "UPDATE release SET cut_by = 'somebody else'",
        "DELETE FROM evidence",
    ],
)
def test_a_ledger_that_was_tampered_with_is_not_restored(home, tmp_path, statement):
    """The chain, the kept heads and the rows are verified before anything is put in place."""
    file = tampered(home, tmp_path / "b.tar", statement)
    with pytest.raises((BrokenChain, Refused)):
        restore(file, tmp_path / "new")
    assert not (tmp_path / "new" / "lens.db").exists()


def test_later_entries_that_are_known_are_lost_only_on_demand(home, tmp_path):
    """Where heads are kept outside, an old backup shows; it is restored on demand only, and the log says so."""
    made = make(home, tmp_path / "b.tar")
    ledger = SqlLedger(home / "lens.db")
    ledger.record_push(ledger.releases()[0].version, "registry.invalid/lens")
    outside = home / ANCHORS
    with pytest.raises(Refused, match="1 later ones are known"):
        restore(tmp_path / "b.tar", tmp_path / "new", outside)
    told = restore(tmp_path / "b.tar", tmp_path / "new", outside, lose_newer=True)
    assert told.lost == 1
    last = entries_of(tmp_path / "new")[-1]
    assert (last["number"], last["facts"]["lost"]) == (made.entries + 1, "1")


class Stopped(Exception):
    """The process ended here."""


POINTS = ("_write", "sync", "verify", "sync_file", "LedgerFile")


@pytest.mark.parametrize("point", POINTS)
def test_a_restore_that_was_broken_off_goes_on(home, tmp_path, monkeypatch, point):
    """Broken off at every step (of the files: every seventh), it ends as one that was not, with one entry."""
    make(home, tmp_path / "b.tar")
    into, real, number = tmp_path / "new", getattr(restoring, point), 0
    while True:
        calls = iter(range(10_000))

        def stopping(*given, calls=calls, number=number, **how):
            if next(calls) == number:
                raise Stopped
            return real(*given, **how)

        with monkeypatch.context() as patched:
            patched.setattr(restoring, point, stopping)
            try:
                restore(tmp_path / "b.tar", into)
                break
            except Stopped:
                number += 1 if point != "_write" else 7
    assert number > 0
    restore(tmp_path / "b.tar", tmp_path / "plain")
    of_this_place = re.compile(r"keys/own/audit-|lens\.db-")
    broken_off, plain = (
        {p for p in files_of(home) if not of_this_place.match(p)} for home in (into, tmp_path / "plain")
    )
    assert broken_off == plain
    assert [entry["what"] for entry in entries_of(into)] == [entry["what"] for entry in entries_of(tmp_path / "plain")]


def test_two_backups_do_not_mix(home, tmp_path, monkeypatch):
    """While one is on its way, another is refused; so is a second process with the same one."""
    make(home, tmp_path / "b.tar")
    SqlLedger(home / "lens.db").record_push(SqlLedger(home / "lens.db").releases()[0].version, "registry.invalid/lens")
    make(home, tmp_path / "c.tar")

    def stop(*_given):
        raise Stopped

    with monkeypatch.context() as patched:
        patched.setattr(restoring, "verify", stop)
        with pytest.raises(Stopped):
            restore(tmp_path / "b.tar", tmp_path / "new")
    with pytest.raises(Conflict, match="another backup is being restored"):
        restore(tmp_path / "c.tar", tmp_path / "new")
    restore(tmp_path / "b.tar", tmp_path / "new")


def test_a_backup_of_a_later_lens_is_refused(home, tmp_path):
    """What this Lens cannot read is not put in place."""
    make(home, tmp_path / "b.tar")
    later = rewritten(
        tmp_path / "b.tar",
        tmp_path / "later.tar",
        lambda name, content: [(name, content.replace(b'"schema":4', b'"schema":5') if name == MANIFEST else content)],
    )
    with pytest.raises(InvalidInput, match="saw schema 5"):
        restore(later, tmp_path / "new")


def test_a_backup_of_an_earlier_ledger_is_brought_forward(tmp_path):
    """A ledger that was backed up before it was migrated is migrated when it is restored."""
    home = tmp_path / "home"
    home.mkdir()
    with closing(sqlite3.connect(home / "lens.db")) as connection:
        connection.executescript((Path(__file__).parents[2] / "ledgers" / "schema-2.sql").read_text())
    make(home, tmp_path / "b.tar")
    told = restore(tmp_path / "b.tar", tmp_path / "new")
    assert len(SqlLedger(tmp_path / "new" / "lens.db").nights()) == 3
    assert any("has no audit log" in line for line in told.warnings)
    said = [entry["what"] for entry in entries_of(tmp_path / "new")]
    assert said == ["ledger.began", "ledger.migrated", "ledger.restored"]


def test_progress_names_files_and_counts_bytes(home, tmp_path):
    """A moving line can say how far it is."""
    told = []
    Backups(home, "lens test", FakeClock().now).make(tmp_path / "b.tar", lambda *line: told.append(line))
    with open_backup(tmp_path / "b.tar") as opened:
        assert {path for path, _, _ in told} == {file.path for file in opened.manifest.files}
    assert all(0 <= done <= total for _, done, total in told)
