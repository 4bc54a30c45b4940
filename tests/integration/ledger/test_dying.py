"""SIGKILL at every boundary of a cut, a night, an approval, a waiver, a revocation and a migration.

Whatever was going on, the same command is given again and completes: nothing is lost, doubled or half-done, and the
audit log holds. The boundaries are found by a run that is counted, so a new transaction is a new death by itself.
"""

import json
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from dying import zygote

from lens_core.adapters.audit_anchors import FileAnchors
from lens_core.adapters.ledger_contents import contents
from lens_core.adapters.ledger_schema import SCHEMA_VERSION
from lens_core.adapters.own_keys import AUDIT, public_folder, public_keys
from lens_core.audit_bootstrap import verify_file
from lens_core.model import NightState, Verdict

pytestmark = pytest.mark.usefixtures("unmeasured")

LEDGERS = Path(__file__).parents[2] / "ledgers"
SIGKILLED = -9
STATEMENTS = ("approve", "waive", "revoke")


@pytest.fixture(scope="module")
def processes(unmeasured):
    """What forks."""
    with zygote() as found:
        yield found


@pytest.fixture(scope="module", params=["cut", "night", "migrate", *STATEMENTS])
def played(request, processes, tmp_path_factory):
    """An act: its name, the folder that it begins with, and what comes of it when nobody dies."""
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    start, act = folder / "start", name if name not in STATEMENTS else "record"
    start.mkdir()
    if act == "record":
        (start / "act").write_text(name)
        assert processes.run("sign", start).said
    if act == "migrate":
        (start / "home").mkdir()
        with closing(sqlite3.connect(start / "home" / "lens.db")) as connection:
            connection.executescript((LEDGERS / "schema-1.sql").read_text())
    plain = shutil.copytree(start, folder / "plain")
    undisturbed = processes.run(act, plain)
    assert undisturbed.said, undisturbed.message
    return act, start, plain, undisturbed


def deaths(processes, played, tmp_path):
    """Every boundary: the folder after the death there, and after the same command was given again."""
    act, start, _, undisturbed = played
    for number, boundary in enumerate(undisturbed.boundaries):
        folder = shutil.copytree(start, tmp_path / str(number))
        died = processes.run(act, folder, number)
        assert died.code == SIGKILLED, (number, boundary)
        yield number, boundary, folder
        again = processes.run(act, folder)
        assert again.code == 0
        yield number, again, folder
        shutil.rmtree(folder)


def rows(home, query):
    """Rows of the ledger; none when it is not made yet."""
    if not (home / "lens.db").exists():
        return []
    with closing(sqlite3.connect(home / "lens.db")) as connection:
        if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
            return []
        return connection.execute(query).fetchall()


def log(home):
    """The names of the log's entries, in order."""
    return [json.loads(content)["what"] for (content,) in rows(home, "SELECT content FROM audit_entry ORDER BY number")]


def holds(home):
    """The file is whole, the chain holds, every kept head is in it, and the ledger is what the log says."""
    if not rows(home, "SELECT 1 FROM audit_entry"):
        return
    assert rows(home, "PRAGMA integrity_check") == [("ok",)]
    anchors = FileAnchors(home / "audit" / "anchors.jsonl").anchors()
    found = verify_file(home / "lens.db", public_keys(AUDIT, public_folder(home)), anchors, every_signature=True)
    assert found.stands, (found.faults, found.mismatches)


def files(folder):
    """What lies in the home, but for the keys and databases that belong to its place, and kept heads.

    A head that was not kept before a death is kept with the next change.
    """
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {path for path in found if not path.startswith(("keys/own/", "lens.db-", "trees/", "audit/"))}


def held(home):
    """Everything that the ledger holds."""
    with closing(sqlite3.connect(home / "lens.db")) as connection:
        return contents(lambda query: connection.execute(query).fetchall())


def test_a_death_at_any_boundary_leaves_nothing_half_done(processes, played, tmp_path):
    """The log holds right after each death, and holds after the same command completed; then all is as undisturbed."""
    act, _, plain, undisturbed = played
    assert len(undisturbed.boundaries) >= 4
    for number, told, folder in deaths(processes, played, tmp_path):
        holds(folder / "home")
        if isinstance(told, str):
            continue
        if act == "night":
            _one_night_counts(folder / "home", told)
        else:
            assert told.said == undisturbed.said, (number, undisturbed.boundaries[number], told)
            assert held(folder / "home") == held(plain / "home")
            assert Counter(log(folder / "home")) == Counter(log(plain / "home"))
            assert files(folder / "home") == files(plain / "home")


def _one_night_counts(home, told):
    """A night that was cut off is closed as ERROR, the next attempt counts; one that was closed is not run again."""
    query = "SELECT night_id, state, verdict, closed_at, fence FROM night ORDER BY attempt"
    *before, (night_id, state, verdict, closed_at, fence) = rows(home, query)
    assert (state, verdict != Verdict.ERROR.name, closed_at is not None) == (NightState.CLOSED.value, True, True)
    assert {(state, verdict) for _, state, verdict, _, _ in before} <= {(NightState.CLOSED.value, Verdict.ERROR.name)}
    assert len(before) <= 1
    assert told.said == night_id or (told.error == "Conflict" and not before)
    said = Counter(log(home))
    assert said["night.opened"] == said["night.closed"] == len(before) + 1
    assert said["lease.taken"] == len(before)
    assert (rows(home, "SELECT token FROM lease WHERE name = 'night'") == [(fence,)]) or told.error == "Conflict"
    measured = rows(home, f"SELECT count(*), count(DISTINCT slice) FROM measurement WHERE night_id = '{night_id}'")  # noqa: S608
    assert measured == [(2, 2)]
    for path, digest in rows(home, f"SELECT path, digest FROM evidence WHERE night_id = '{night_id}'"):  # noqa: S608
        assert (home / path).exists(), digest


def test_the_counted_run_sees_every_kind_of_boundary(processes, played):
    """Begins, commits and kept heads of writing transactions are among what was found."""
    boundaries = played[3].boundaries
    assert {"begin", "before do_commit", "after do_commit", "after anchor"} <= set(boundaries)


def test_a_command_that_completed_is_not_done_again(processes, played, tmp_path):
    """Given once more, every command finds its work done: not one entry, row or file more."""
    act, _, plain, undisturbed = played
    folder = shutil.copytree(plain, tmp_path / "again")
    again = processes.run(act, folder)
    assert again.said == undisturbed.said or again.error == "Conflict"
    assert log(folder / "home") == log(plain / "home")
    assert files(folder / "home") == files(plain / "home")
