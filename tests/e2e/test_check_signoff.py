"""``lens check-signoff`` on a candidate that has everything: it is ready; without any single piece it says which."""

import json
import re
import shutil
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import typer
from good_cut import advisory, hour_before, write_advisories
from ready_home import PEOPLE, VERSION, make_ready_home
from typer.testing import CliRunner

from lens_core.adapters.ssh_signatures import SshSigner
from lens_core.check_cli import check_signoff
from lens_core.qualification_bootstrap import open_check
from lens_core.qualification_ports import AuditStanding
from lens_core.signoff.words import Act, Role, State
from lens_core.signoff_bootstrap import open_signoff

APP = typer.Typer()
APP.command()(check_signoff)
CUT = Path("home/releases") / VERSION
NO_AUDIT = AuditStanding("", None)
ONCE_IN = 8
"""What finds a piece missing is asked about every piece; the whole readiness about one in so many."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A home in which everything is there, the approvals too; nobody changes it."""
    ready = make_ready_home(tmp_path_factory.mktemp("ready") / "it")
    ready.approve()
    return ready


@pytest.fixture
def ready(made, tmp_path):
    """A copy of it to take things from."""
    return made.copy(tmp_path / "copy")


def seen(ready, **options):
    """What the check says, and the codes of its blockers."""
    said = open_check(ready.home, ready.config, **options).readiness(VERSION)
    return said, {one.code for one in said.blockers}


def words(said):
    """Everything that the blockers say."""
    return " ".join(str(one) for one in said.blockers)


def sql(ready, statement, *values):
    """What somebody with the right to write the database does to it."""
    with closing(sqlite3.connect(ready.ledger_file)) as ledger, ledger:
        return ledger.execute(statement, values).fetchall()


def configured(ready, before, after):
    """Change ``lens.toml``."""
    text = ready.config.read_text(encoding="utf-8")
    assert before in text, before
    ready.config.write_text(text.replace(before, after, 1), encoding="utf-8")


def command(ready, monkeypatch, *arguments):
    """Run the command as a person would."""
    for name, value in ready.environment.items():
        if name.startswith(("LENS_", "XDG_")):
            monkeypatch.setenv(name, value)
    return CliRunner().invoke(APP, [*arguments])


def test_a_candidate_with_everything_is_ready(made, monkeypatch):
    """Three nights, a drill, a cut, a scan and four approvals: exit 0, no blocker, a plan and its moments."""
    done = command(made, monkeypatch, VERSION, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["ready"], said["blockers"], said["state"]) == (True, [], State.APPROVED.value)
    assert said["dossier_digest"].startswith("sha256:")
    assert {one["role"]: one["holds"] for one in said["approvals"]} == dict.fromkeys(PEOPLE, True)
    assert (said["streak"]["passed"], said["risk"]["level"]) == (3, "LOW")
    assert [stage["percent"] for stage in said["plan"]["stages"]] == [5.0, 25.0, 100.0]
    assert said["timeline"]["earliest"] < said["timeline"]["recommended"]


def test_people_read_the_answer_first(made, monkeypatch):
    """Without a version the newest is meant; the first line is the answer, then come nights, risk, people."""
    done = command(made, monkeypatch)
    assert done.exit_code == 0
    first, *_ = done.stdout.splitlines()
    assert first == f"✓ {VERSION} may be promoted"
    assert all(name in done.stdout for name in PEOPLE.values())
    assert all(word in done.stdout for word in ("chance", "earliest", "rollback safety", "5 % for 30 min"))


def test_who_is_not_ready_is_told_who_can_give_what_is_missing(made, tmp_path, monkeypatch):
    """An earlier candidate without evidence: exit 1, and every blocker names somebody and a command."""
    done = command(made, monkeypatch, "1.0.0-rc.1")
    assert done.exit_code == 1
    assert "may not be promoted" in done.stdout.splitlines()[0]
    assert all(word in done.stdout for word in ("drill", "nights", "scan", "lens compat-drill", "lens approve"))


def test_every_night_is_judged_again_when_asked(made):
    """``--recompute`` reads the raw samples, and finds what was written."""
    said, codes = seen(made, recompute=True)
    assert said.ready, codes


@contextmanager
def without(place):
    """``place`` taken away, and put back."""
    aside = place.with_name(f"{place.name}.aside")
    place.rename(aside)
    try:
        yield
    finally:
        aside.rename(place)


def test_every_single_file_of_the_cut_is_missed(made, tmp_path):
    """Whichever file is taken out of the sealed folder, the cut no longer verifies, and the file is named."""
    ready = made.copy(tmp_path / "copy")
    files = [file for file in sorted((ready.folder / CUT).rglob("*")) if file.is_file()]
    assert len(files) > 20
    aside = tmp_path / "aside"
    for number, file in enumerate(files):
        shutil.move(file, aside)
        case = open_check(ready.home, ready.config)._cut(VERSION, NO_AUDIT)
        said, codes = seen(ready) if number % ONCE_IN == 0 else (None, {"cut"})
        shutil.move(aside, file)
        name = file.relative_to(ready.folder / CUT).as_posix()
        assert any(name in fault for fault in case.faults), name
        assert "cut" in codes, name
        assert said is None or (name in words(said) and not said.ready), name
    assert seen(ready)[0].ready, "everything is back"


@pytest.mark.parametrize("place", range(3))
def test_every_night_is_missed(ready, place):
    """Without the files of one night that night is not believed, and the streak names it."""
    night = ready.days()[place]
    with without(ready.home / "nights" / f"{night}.1"):
        said, codes = seen(ready)
    assert "nights" in codes
    assert f"{night}.1" in words(said)


@pytest.mark.parametrize("place", range(3))
def test_a_night_whose_rows_are_gone_is_missed_by_the_log(ready, place):
    """The audit log has an entry of the night, so taking it out of the database shows."""
    night = f"{ready.days()[place]}.1"
    tables = ("answer", "measurement", "evidence", "night")
    for table in tables:
        sql(ready, f"DELETE FROM {table} WHERE night_id = ?", night)  # noqa: S608  (a name of ours)
    said, codes = seen(ready)
    assert {"nights", "audit"} <= codes
    assert night in words(said)


@pytest.mark.parametrize("role", PEOPLE)
def test_every_approval_is_missed(ready, role):
    """Taken out of the database, the role is missing, and the log knows that something was there."""
    sql(ready, "DELETE FROM statement WHERE person = ?", PEOPLE[role])
    said, codes = seen(ready)
    assert {"approvals", "audit"} <= codes
    assert f"no approval by {role}" in words(said)
    assert PEOPLE[role] in next(one.who for one in said.blockers if one.code == "approvals")


@pytest.mark.parametrize("role", PEOPLE)
def test_an_approval_that_was_taken_back_is_missed(ready, role):
    """Its person revokes it, and nobody else's is touched."""
    name, desk = PEOPLE[role], open_signoff(ready.home, ready.config)
    given = next(one for one in desk.statements(VERSION) if one.statement.person == name)
    content = desk.draft(Act.REVOKE, VERSION, name, role, "I was wrong", refers=given.digest)
    desk.record(SshSigner(ready.key(name)).sign(content))
    said, codes = seen(ready)
    assert codes == {"approvals"}
    assert f"no approval by {role}" in words(said)


def test_every_single_entry_of_the_audit_log_is_missed(made, tmp_path):
    """Whichever is deleted, the log is not believed, and the blocker names where it breaks."""
    ready = made.copy(tmp_path / "copy")
    entries = sql(ready, "SELECT number, content, head, key, signature, command FROM audit_entry")
    assert len(entries) > 20
    for number, *rest in entries:
        sql(ready, "DELETE FROM audit_entry WHERE number = ?", number)
        fault = open_check(ready.home, ready.config)._world.audit().fault
        said, codes = seen(ready) if number % ONCE_IN == 0 else (None, {"audit"})
        sql(ready, "INSERT INTO audit_entry VALUES (?, ?, ?, ?, ?, ?)", number, *rest)
        assert "audit" in codes, number
        for told in (fault, *([words(said)] if said else [])):
            assert re.search(rf"entry {number}\b|ends at entry {number - 1}\b", told), number
    assert seen(ready)[0].ready, "everything is back"


def remove(name):
    """Take a file or folder out of the home."""

    def taken(ready):
        place = ready.folder / name
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink()

    return taken


def alter(name, before, after):
    """Change bytes of a file."""

    def changed(ready):
        place = ready.folder / name
        content = place.read_bytes()
        assert before in content
        place.write_bytes(content.replace(before, after, 1))

    return changed


def without_person(ready):
    """The person of QA leaves."""
    text = ready.config.read_text(encoding="utf-8")
    gone = re.sub(rf',? ?{{ name = "{PEOPLE[Role.QA]}"[^}}]*}}', "", text)
    assert gone != text
    ready.config.write_text(gone, encoding="utf-8")


def revoke_key(ready):
    """The key of product was lost, and is on the list of revoked keys."""
    public = ready.key(PEOPLE[Role.PRODUCT]).with_suffix(".org.pub")
    shutil.copy(public, ready.project / "revoked")
    configured(ready, 'revoked_keys = ""', 'revoked_keys = "revoked"')


def new_vulnerability(ready):
    """A critical one of a package of the candidate becomes known, and somebody looks."""
    now = ready.clock.now()
    write_advisories(ready.advisories, hour_before(now), advisory("PYSEC-9"))
    open_check(ready.home, ready.config).rescan(VERSION)


def every(statement):
    """Do something to the ledger with the number of the newest entry that closed a night."""

    def done(ready):
        with closing(sqlite3.connect(ready.ledger_file)) as ledger, ledger:
            closing_ones = "SELECT max(number) FROM audit_entry WHERE CAST(content AS TEXT) LIKE ?"
            [[newest]] = ledger.execute(closing_ones, ('%"what":"night.closed"%',))
            assert ledger.execute(statement, (newest,)).rowcount

    return done


EDIT = (
    "UPDATE audit_entry SET content = CAST(replace(CAST(content AS TEXT), 'night', 'knight') AS BLOB) WHERE number = ?"
)
PIECES = {
    "the drill": (remove(f"home/drills/{VERSION}"), "drill", "was not drilled"),
    "the drill's record": (alter(f"home/drills/{VERSION}/1/drill.json", b'"yes"', b'"no"'), "drill", "does not verify"),
    "the sealing key's trust": (remove("home/keys/trusted"), "cut", "trusted"),
    "the whole cut": (remove(str(CUT)), "cut", "no release"),
    "the release in the ledger": (lambda r: sql(r, "DELETE FROM release WHERE version = ?", VERSION), "audit", "log"),
    "the end of the log": (every("DELETE FROM audit_entry WHERE number >= ?"), "audit", "removed"),
    "a word of the log": (every(EDIT), "audit", "edited"),
    "all of the log": (lambda r: sql(r, "DELETE FROM audit_entry"), "audit", "empty"),
    "the log's public key": (remove("home/keys/own"), "audit", "none of the log's keys"),
    "the kept heads": (remove("home/audit/anchors.jsonl"), "audit", "kept"),
    "the wheel that nights ran": (lambda r: shutil.rmtree(r.home / "artifacts"), "nights", "missing"),
    "the nights' gates": (lambda r: configured(r, "at_most = 0.001", "at_most = 0.002"), "nights", "gate policy"),
    "the nights' slices": (alter("project/data/slices.toml", b'"1.0"', b'"1.1"'), "nights", "data set"),
    "the cut's rules": (lambda r: configured(r, "line_coverage = 0.90", "line_coverage = 0.91"), "approvals", "cut"),
    "the drill's rules": (lambda r: configured(r, "min_questions = 20", "min_questions = 21"), "drill", "rules of now"),
    "the sign-off's rules": (lambda r: configured(r, "grace_hours = 4", "grace_hours = 5"), "approvals", "policies"),
    "a gate of the cut": (
        lambda r: configured(r, 'scanners = ["bandit"]', 'scanners = ["bandit", "semgrep"]'),
        "cut_gates",
        "sast_semgrep",
    ),
    "a registered version": (
        alter("project/data/previous/versions.toml", b'version = "0.9.2"', b'version = "0.9.3"'),
        "drill",
        "0.9.3",
    ),
    "a person": (without_person, "people", "qa"),
    "a person's key": (
        alter("project/data/allowed_signers", b"ada@example.org", b"eve@example.org"),
        "approvals",
        "ada",
    ),
    "trust in a person's key": (revoke_key, "approvals", "revoked"),
    "the peace of the advisories": (new_vulnerability, "scan", "PYSEC-9"),
    "the age of the scan": (lambda r: configured(r, "scan_hours = 72", "scan_hours = 1"), "scan", "older than"),
    "the age of the nights": (
        lambda r: configured(r, "max_streak_age_days = 7", "max_streak_age_days = 0.01"),
        "nights",
        "older than",
    ),
    "the grace": (lambda r: configured(r, "grace_hours = 4", "grace_hours = 900"), "grace", "not over"),
    "the history": (remove("project/.git"), "approvals", "risk"),
}


@pytest.mark.parametrize(("take", "code", "word"), PIECES.values(), ids=PIECES)
def test_any_other_piece_is_missed(ready, take, code, word):
    """It is not ready any more, with a blocker of that code, in words that name the piece."""
    take(ready)
    said, codes = seen(ready)
    assert not said.ready
    assert code in codes, words(said)
    assert word in words(said)


def test_a_rejection_is_final(ready):
    """A no of one role-holder ends it, whatever else is there."""
    name, desk = PEOPLE[Role.SECURITY], open_signoff(ready.home, ready.config)
    content = desk.draft(Act.REJECT, VERSION, name, Role.SECURITY, "it leaks")
    desk.record(SshSigner(ready.key(name)).sign(content))
    said, codes = seen(ready)
    assert (said.state, "rejected" in codes) == (State.REJECTED, True)
    assert "it leaks" in words(said)
