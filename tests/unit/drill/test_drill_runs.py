"""A drill asks every cell about every version, notes how each ended, and seals what it saw, or leaves nothing."""

import json
import shutil
import threading

import pytest
from drilling import WHEEL, DrillHouse, FakeCell, FakeVersions, fine

from lens_core.drills.drill import (
    CELLS,
    DrillAnswer,
    Ended,
    Observation,
    RollbackSafe,
    Safety,
    judge,
    outcome_of,
    read_observation,
)
from lens_core.drills.ports import HungUp, NotAsked
from lens_core.drills.record import DrillRecord, read_record
from lens_core.errors import Conflict, IntegrityError, InvalidInput
from lens_core.model import Verdict
from lens_core.supply import canonical


def throws(error):
    """A cell that throws."""

    def see(_case):
        raise error

    return see


@pytest.fixture
def house(tmp_path):
    """Where drills are made."""
    return DrillHouse(tmp_path)


def test_every_cell_of_every_version_is_answered_and_sealed(house):
    """Two versions, two cells: four answers, each with the digest of its observation, in a folder that verifies."""
    drill = house.drill()
    answers = drill.record.answers
    assert [(a.version, a.cell, a.verdict) for a in answers] == [
        (version, cell, Verdict.PASS) for version in ("0.9.1", "0.9.2") for cell in ("read", "write")
    ]
    assert all(a.evidence.startswith("sha256:") for a in answers)
    assert {p.origin for p in drill.record.previous} == {"built"}
    assert len({p.index_sha256 for p in drill.record.previous}) == 2  # segments are named at random
    assert drill.folder == house.home / "drills" / "1.0.0" / "1"
    verified = house.drills.verify(drill.folder)
    assert (verified.stands, verified.answers, verified.record) == (True, 4, drill.record)


ENDS = {
    "skipped": (throws(NotAsked("not here")), Ended.SKIPPED),
    "hung-process": (throws(HungUp("too long", timed_out=True)), Ended.TIMED_OUT),
    "died": (throws(HungUp("died", timed_out=False)), Ended.CRASHED),
    "crashed": (throws(RuntimeError("boom")), Ended.CRASHED),
    "panicked": (throws(BaseException("panic")), Ended.CRASHED),
    "no-json": (lambda _case: {"fine": {1, 2}}, Ended.CRASHED),
    "not-a-number": (lambda _case: {"fine": float("nan")}, Ended.CRASHED),
    "hung": (lambda _case: threading.Event().wait(), Ended.TIMED_OUT),
}


@pytest.mark.parametrize(("sees", "ended"), ENDS.values(), ids=ENDS)
def test_a_cell_that_does_not_end_well_is_an_error(tmp_path, sees, ended):
    """Skipped, hung, crashed, or with facts that are no JSON: an ERROR with its reason, and the others go on."""
    house = DrillHouse(tmp_path, cells=(FakeCell("read", sees), FakeCell("write")), cell_s=0.2)
    drill = house.drill("0.9.1")
    content = (drill.folder / "observations" / "0.9.1" / "read.json").read_bytes()
    assert read_observation(content).ended is ended
    assert [a.verdict for a in drill.record.answers] == [Verdict.ERROR, Verdict.PASS]
    assert drill.record.verdict is Verdict.ERROR


def test_a_cell_that_nobody_asked_or_can_judge_is_an_error(tmp_path):
    """What the rules want answered and nobody looked at, or nobody here understands, is an ERROR."""
    house = DrillHouse(tmp_path, cells=(FakeCell("read"), FakeCell("write")), judges={"read": fine})
    house.rules = house.rules.__class__(cells=("read", "write", "api"))
    found = {a.cell: (a.verdict, a.evidence != "") for a in house.drill("0.9.1").record.answers}
    assert found == {"read": (Verdict.PASS, True), "write": (Verdict.ERROR, True), "api": (Verdict.ERROR, False)}


def test_the_words_of_a_crash_name_no_place_of_this_machine(tmp_path):
    """Observations can be compared between machines: the scratch folder is not in them."""
    house = DrillHouse(tmp_path, cells=(FakeCell("read", lambda case: (case.scratch / "none").read_bytes()),))
    folder = house.drill("0.9.1").folder
    assert str(tmp_path) not in (folder / "observations" / "0.9.1" / "read.json").read_text(encoding="utf-8")


def test_a_version_that_cannot_run_here_is_drilled_by_its_archive(tmp_path):
    """Without its packages the archived index stands for it, and cells that need the old version say so."""
    asks_old = FakeCell("write", lambda case: {"fine": case.old_engine() is None})
    house = DrillHouse(tmp_path, versions=FakeVersions(absent=("0.9.1",)), cells=(FakeCell("read"), asks_old))
    archived = house.versions.unpack

    def unpack(version, folder):
        found = archived(version, folder)
        found.index.mkdir()
        return found

    house.versions.unpack = unpack
    record = house.drill("0.9.1").record
    assert record.previous[0].origin == "archived"
    assert [a.verdict for a in record.answers] == [Verdict.PASS, Verdict.ERROR]
    assert "cannot be run here" in record.answers[1].reason


def test_a_version_without_an_index_answers_nothing(tmp_path):
    """A broken archive turns every cell of its version into an ERROR, and no cell of another."""
    house = DrillHouse(tmp_path, versions=FakeVersions(broken=("0.9.1",)))
    verdicts = [a.verdict for a in house.drill().record.answers]
    assert verdicts == [Verdict.ERROR, Verdict.ERROR, Verdict.PASS, Verdict.PASS]


def test_a_drill_that_does_not_pass_is_sealed_all_the_same(tmp_path):
    """A red drill is evidence."""
    house = DrillHouse(tmp_path, cells=(FakeCell("read", lambda _case: {"fine": False}), FakeCell("write")))
    drill = house.drill("0.9.1")
    assert (drill.record.verdict, house.drills.verify(drill.folder).stands) == (Verdict.FAIL, True)
    assert drill.record.outcome("0.9.1") == "not compatible"


def test_drills_of_one_version_are_counted(house):
    """Each drill has a folder of its own, and the latest is what is shown."""
    first, second = house.drill("0.9.1"), house.drill("0.9.2")
    assert [first.folder.name, second.folder.name] == ["1", "2"]
    assert house.drills.place("v1.0.0") == house.drills.place() == second.folder
    assert house.drills.read() == second.record


def test_a_drill_that_is_broken_off_leaves_nothing(house):
    """Ctrl-C in the middle: no folder, no half of one, and the next drill begins at 1."""
    house.heard.done = lambda *_said: throws(KeyboardInterrupt())(None)
    with pytest.raises(KeyboardInterrupt):
        house.drill("0.9.1")
    assert [p.name for p in house.home.iterdir()] == ["drill.lock"]
    del house.heard.done
    assert house.drill("0.9.1").folder.name == "1"


def test_breaking_off_waits_for_no_cell(tmp_path):
    """While one version's cell would hang for minutes, Ctrl-C elsewhere ends the drill, and nothing new begins."""
    hangs, asked = threading.Event(), []

    def hang(case):
        asked.append(case.cell)
        hangs.set()
        threading.Event().wait()

    def interrupt(_case):
        hangs.wait()
        return {"fine": True}

    by_version = FakeCell("read", lambda case: (hang if case.previous.version == "0.9.1" else interrupt)(case))
    house = DrillHouse(
        tmp_path, cells=(by_version, FakeCell("write", lambda case: asked.append(case.cell))), cell_s=300
    )
    said = house.heard.done

    def done(version, cell, line, seconds):
        said(version, cell, line, seconds)
        if (version, cell) == ("0.9.2", "read"):
            raise KeyboardInterrupt

    house.heard.done = done
    with pytest.raises(KeyboardInterrupt):
        house.drill()
    assert asked == ["read"]
    assert not (tmp_path / "drills").exists()


def test_one_drill_at_a_time(house):
    """A second one is a Conflict, and begins nothing."""
    inner = []

    def again(_case):
        with pytest.raises(Conflict):
            house.drill("0.9.1")
        inner.append(1)
        return {"fine": True}

    house.cells = (FakeCell("read", again), FakeCell("write"))
    assert (house.drill("0.9.1").record.verdict, inner) == (Verdict.PASS, [1])


def test_a_key_that_nobody_trusts_seals_nothing(house):
    """A drill that could not be verified here is not begun."""
    house.trusting = False
    with pytest.raises(InvalidInput, match="trusted"):
        house.drill()
    assert list(house.home.iterdir()) == []


def test_verifying_judges_again(house):
    """An observation that is exchanged and sealed anew with the right key still shows: the answers are not its."""
    folder = house.drill("0.9.1").folder
    lie = Observation("0.9.1", "read", Ended.DONE, "", {"fine": False}).encode()
    (folder / "observations/0.9.1/read.json").write_bytes(lie)
    assert [f.artifact for f in house.drills.verify(folder).faults] == ["observations/0.9.1/read.json"]
    record = read_record((folder / "drill.json").read_bytes())
    faults = house.drills._differing(record, {"observations/0.9.1/read.json": lie})
    assert any("0.9.1 read" in fault.expected and "FAIL" in fault.expected for fault in faults)


def test_an_observation_counts_for_its_own_cell_only(house):
    """One that was filed under another cell, or another version, is an ERROR there."""
    drill = house.drill("0.9.1")
    read = (drill.folder / "observations/0.9.1/read.json").read_bytes()
    evidence = {("0.9.1", "read"): read, ("0.9.1", "write"): read}
    answers, _ = judge(evidence, drill.record.previous, drill.record.candidate, house.rules, house.judges)
    assert [answer.verdict for answer in answers] == [Verdict.PASS, Verdict.ERROR]


def test_ways_back_and_every_observation_are_judged_again(house):
    """A way back that the observations do not give is at fault, and so is an observation that nobody judges."""
    folder = house.drill("0.9.1").folder
    files = {
        f"observations/0.9.1/{cell}.json": (folder / f"observations/0.9.1/{cell}.json").read_bytes()
        for cell in ("read", "write")
    }
    record = read_record((folder / "drill.json").read_bytes())
    lie = (Safety("0.9.1", RollbackSafe.YES, copy_first=True, why="trust me"),)
    lied = DrillRecord(**{**{name: getattr(record, name) for name in record.__slots__}, "ways_back": lie})
    assert house.drills._differing(record, files) == []
    assert [fault.seen for fault in house.drills._differing(lied, files)] == [str(lie)]
    more = {**files, "observations/0.9.0/read.json": b"{}"}
    assert [fault.seen for fault in house.drills._differing(record, more)] == ["3 files"]


TAMPERED = {
    "answer-changed": lambda folder: _edit(folder / "drill.json", b'"PASS"', b'"FAIL"'),
    "observation-gone": lambda folder: (folder / "observations/0.9.1/write.json").unlink(),
    "one-more-file": lambda folder: (folder / "observations/0.9.1/extra.json").write_bytes(b"{}"),
    "moved-to-another-number": lambda folder: folder.rename(folder.with_name("7")),
    "moved-to-another-version": lambda folder: shutil.move(folder, folder.parent.parent / "2.0.0" / "1"),
    "unsigned": lambda folder: (folder / "manifest.sig").write_bytes(b"\0" * 64),
}


def _edit(file, before, after):
    content = file.read_bytes()
    assert before in content
    file.write_bytes(content.replace(before, after, 1))


@pytest.mark.parametrize("tamper", TAMPERED.values(), ids=TAMPERED)
def test_a_drill_that_was_tampered_with_does_not_stand(house, tamper):
    """Whatever is changed, removed, added or moved is found offline."""
    tamper(house.drill("0.9.1").folder)
    [place] = (house.home / "drills").glob("*/*")
    found = house.drills.verify(place)
    assert (found.stands, len(found.faults)) == (False, 1)


def test_a_drill_of_another_wheel_is_no_drill_of_a_release(house):
    """Yesterday's drill of the same version, but of other bytes, is at fault where the release is verified."""
    house.drill("0.9.1")
    [fits] = house.drills.verify_version("1.0.0", WHEEL)
    [other] = house.drills.verify_version("1.0.0", "d" * 64)
    assert (fits.stands, other.stands) == (True, False)
    assert house.drills.verify_version("2.0.0", WHEEL) == ()


def test_no_drill_is_no_record(house):
    """Where nothing was drilled there is nothing to show, and it says what makes one."""
    for version in ("", "1.0.0"):
        with pytest.raises(InvalidInput, match="saw none"):
            house.drills.place(version)


def record_of(house, **ways):
    """A record with these ways back."""
    record = house.drill("0.9.1").record
    said = tuple(Safety(v, RollbackSafe(safe), copy_first=first, why="") for v, (safe, first) in ways.items())
    return DrillRecord(**{**{n: getattr(record, n) for n in record.__slots__}, "ways_back": said})


WAYS = {
    "all": ({"a": ("yes", True), "b": ("yes", True)}, "yes", True),
    "one-not": ({"a": ("yes", True), "b": ("no", True)}, "no", True),
    "one-unknown": ({"a": ("yes", True), "b": ("unknown", False)}, "unknown", False),
    "no-beats-unknown": ({"a": ("unknown", True), "b": ("no", False)}, "no", False),
    "none": ({}, "unknown", False),
}


@pytest.mark.parametrize(("ways", "safe", "first"), WAYS.values(), ids=WAYS)
def test_a_drill_is_as_rollback_safe_as_its_worst_version(house, ways, safe, first):
    """YES needs every version, one NO is NO, and nothing tried is UNKNOWN."""
    record = record_of(house, **ways)
    assert (record.rollback_safe.value, record.copy_first) == (safe, first)
    assert read_record(record.encode()) == record
    assert record.way_back("elsewhere").rollback_safe is RollbackSafe.UNKNOWN


def test_a_version_comes_to_what_its_cells_say():
    """Read, write and go back; read and migrate only; not compatible; not known."""
    words = {
        outcome_of("0.9.0", [DrillAnswer("0.9.0", "read", verdict, "")], Safety("0.9.0", safe, copy_first=True, why=""))
        for verdict, safe in (
            (Verdict.PASS, RollbackSafe.YES),
            (Verdict.WAIVED, RollbackSafe.NO),
            (Verdict.PASS, RollbackSafe.UNKNOWN),
            (Verdict.FAIL, RollbackSafe.NO),
            (Verdict.INCONCLUSIVE, RollbackSafe.YES),
        )
    }
    assert words == {
        "read, write and go back",
        "read and migrate only: write to a copy",
        "read and migrate; going back is not known",
        "not compatible",
        "not known",
    }
    assert outcome_of("0.9.0", [], Safety("0.9.0", RollbackSafe.YES, copy_first=True, why="")) == "not known"


NOT_OBSERVATIONS = {
    "nothing": b"",
    "no-json": b"{",
    "other-members": canonical.encode({"version": "1"}),
    "no-such-end": canonical.encode({"version": "1", "cell": "read", "ended": "well", "said": "", "facts": {}}),
    "no-facts": canonical.encode({"version": "1", "cell": "read", "ended": "done", "said": "", "facts": []}),
    "not-canonical": json.dumps({"version": "1", "cell": "read", "ended": "done", "said": "", "facts": {}}).encode(),
}


@pytest.mark.parametrize("content", NOT_OBSERVATIONS.values(), ids=NOT_OBSERVATIONS)
def test_what_is_no_observation_is_refused(content):
    """Only what a cell wrote is read."""
    with pytest.raises(IntegrityError):
        read_observation(content)


def test_a_record_of_another_shape_is_refused(house):
    """A record with an unknown verdict, or without a member, is none."""
    content = house.drill("0.9.1").record.encode()
    for damaged in (content.replace(b'"PASS"', b'"GREAT"'), content.replace(b'"commit"', b'"comit"'), b"{}"):
        with pytest.raises(IntegrityError):
            read_record(damaged)


def test_all_eleven_cells_are_wanted_by_default():
    """Nobody has to remember a cell for it to be missed."""
    assert len(CELLS) == len(set(CELLS)) == 11
