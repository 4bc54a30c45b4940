"""Verifying a night: one changed byte is found and named, and verdicts are recomputed."""

import sqlite3

import pytest
from fakes import SLICES, build_house

from lens_core.errors import InvalidInput
from lens_core.model import Verdict
from lens_core.night import NightRequest


@pytest.fixture
def house(tmp_path):
    """A house with one judged night."""
    house = build_house(tmp_path)
    house.lens.nightly_validation(NightRequest(0.05))
    return house


def flip_a_byte(file):
    """Change one byte in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_an_untouched_night_stands(house):
    """Every file matches its digest and every slice gives the same answers again."""
    found = house.lens.verify_night("2026-11-24")
    assert found.problems == ()
    assert found.slices_recomputed == len(SLICES)
    assert found.files_checked >= 2 * 3 + 2


def test_one_byte_of_any_file_is_found_and_named(house):
    """Whichever recorded file changes by one byte, verification fails and names it."""
    for item in house.lens.evidence("2026-11-24.1"):
        file = house.home / item.path
        kept = file.read_bytes()
        flip_a_byte(file)
        problems = house.lens.verify_night("2026-11-24").problems
        assert any(item.path in problem for problem in problems), item.path
        file.write_bytes(kept)
    assert house.lens.verify_night("2026-11-24").problems == ()


def test_a_missing_file_is_named(house):
    """A file that is gone is a problem, not an exception."""
    item = next(e for e in house.lens.evidence("2026-11-24.1") if e.path.endswith("samples.parquet"))
    (house.home / item.path).unlink()
    problems = house.lens.verify_night("2026-11-24.1").problems
    assert any(item.path in problem and "missing" in problem for problem in problems)
    assert any("cannot be recomputed" in problem for problem in problems)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE answer SET verdict='PASS' WHERE gate='tail_ratio'", "tail_ratio: recorded PASS"),
        ("UPDATE night SET verdict='PASS'", "the verdict is recorded as PASS"),
        ("DELETE FROM answer WHERE gate='span_coverage'", "span_coverage: recorded no answer"),
        ("UPDATE measurement SET metrics=replace(metrics, '\"p95_ms\", ', '\"p95_ms\", 9')", "p95_ms: recorded"),
    ],
)
def test_an_edited_ledger_is_found_out(tmp_path, statement, words):
    """Verdicts and values written into the ledger by hand do not agree with the raw samples."""
    house = build_house(tmp_path)
    house.load.latencies_ms = (200.0, 200.0, *([1.0] * 48))
    house.lens.nightly_validation(NightRequest(0.1))
    with sqlite3.connect(tmp_path / "lens.db") as connection:
        connection.execute(statement)
    connection.close()
    assert any(words in problem for problem in house.lens.verify_night("2026-11-24").problems)


def test_a_night_without_evidence_does_not_stand(tmp_path):
    """An interrupted night kept nothing that could be verified, and verification says so."""
    house = build_house(tmp_path)
    house.notebooks.fates[SLICES[0]] = "interrupted"
    with pytest.raises(KeyboardInterrupt):
        house.lens.nightly_validation(NightRequest(0.05))
    assert any("kept no evidence" in problem for problem in house.lens.verify_night("2026-11-24").problems)


def test_an_edited_index_is_not_used_again(house):
    """A kept index that is not what was built makes its slice an ERROR that names the file."""
    item = next(e for e in house.lens.evidence("2026-11-24.1") if e.path.startswith("indexes/backend"))
    flip_a_byte(house.home / item.path)
    house.clock.moment = house.clock.moment.replace(day=25)
    night = house.lens.nightly_validation(NightRequest(0.05))
    assert night.verdict is Verdict.ERROR
    assert item.path in night.reason


@pytest.mark.parametrize("ref", ["2026-01-01", "2026-11-24.9", "yesterday", "2026-11-24/../.."])
def test_a_night_that_is_not_there_is_the_callers_error(house, ref):
    """Unknown dates, unknown attempts and other words are refused with what was expected."""
    with pytest.raises(InvalidInput):
        house.lens.night(ref)


def test_a_date_means_the_night_over_most_slices(house):
    """A later night over one slice does not hide the date's full night."""
    house.lens.nightly_validation(NightRequest(0.05, sizes=("small",)))
    assert house.lens.night("2026-11-24").night_id == "2026-11-24.1"
    assert house.lens.night("2026-11-24.2").slices == (SLICES[0],)


def test_only_recorded_files_are_handed_out(house):
    """A path that the night did not record is refused, whatever it points to."""
    item = house.lens.evidence("2026-11-24.1")[0]
    assert house.lens.evidence_path("2026-11-24.1", item.path).is_file()
    for path in ("../lens.db", "lens.db", "/etc/hostname", item.path + "/.."):
        with pytest.raises(InvalidInput):
            house.lens.evidence_path("2026-11-24.1", path)


def test_a_night_can_be_read(house):
    """Slices, standing and raw samples of a night are at hand."""
    assert house.lens.catalogue_slices() == SLICES
    assert house.lens.standing("2026-11-24.1")[0] is Verdict.WAIVED
    assert len(house.lens.samples("2026-11-24.1", SLICES[0])) > 0
