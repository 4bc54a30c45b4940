"""Line coverage: recomputed from lists of lines, bound to the tree, and nothing without a record."""

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from lens_core.model import Verdict
from lens_core.supply.line_coverage import FileLines, as_ranges, from_ranges, line_coverage, write_coverage

SOURCE = {"lens_core/a.py": "1" * 64, "lens_core/b.py": "2" * 64, "portal/p.py": "3" * 64, "tests/t.py": "4" * 64}


def lines(sha256, executable, executed, excluded=()):
    """Lines of a file."""
    return FileLines(sha256, frozenset(executable), frozenset(executed), frozenset(excluded))


FILES = {
    "lens_core/a.py": lines("1" * 64, range(1, 61), range(1, 61), [70]),
    "lens_core/b.py": lines("2" * 64, range(1, 41), range(11, 41)),
    "portal/p.py": lines("3" * 64, [], []),
}


def record(files=FILES, source=SOURCE):
    """A record of a test run."""
    return write_coverage(files, source, "7.17")


def changed(**entry):
    """The record with b.py's entry changed, canonical again."""
    held = json.loads(record())
    held["files"]["lens_core/b.py"] |= entry
    return rfc8785.dumps(held)


def test_the_share_is_that_of_all_executable_lines():
    """90 of 100 lines is 0.9, which the limit of 0.9 lets pass; the poorest file is named."""
    answer = line_coverage(record(), SOURCE)
    assert (answer.gate, answer.verdict, answer.value, answer.sample_count) == ("line_coverage", Verdict.PASS, 0.9, 100)
    assert (answer.threshold, answer.sign) == (0.9, "≥")
    assert "lens_core/b.py (75.0%)" in answer.reason


def test_one_line_less_fails():
    """89 of 100 lines is a FAIL."""
    fewer = FILES | {"lens_core/b.py": lines("2" * 64, range(1, 41), range(12, 41))}
    answer = line_coverage(record(fewer), SOURCE)
    assert (answer.verdict, answer.value) == (Verdict.FAIL, 0.89)


def test_no_record_is_inconclusive():
    """A tree that was not tested has no coverage, and the answer says what to do."""
    answer = line_coverage(None, SOURCE)
    assert (answer.verdict, answer.value) == (Verdict.INCONCLUSIVE, None)
    assert "make test" in answer.reason


@pytest.mark.parametrize(
    ("given", "source", "reason"),
    [
        (b"", SOURCE, "cannot be read"),
        (b"null", SOURCE, "cannot be read"),
        (record() + b"\n", SOURCE, "cannot be read"),
        (record({}), SOURCE, "a.py is not in the record"),
        (record(), SOURCE | {"lens_core/new.py": "5" * 64}, "new.py is not in the record"),
        (record(), SOURCE | {"lens_core/b.py": "5" * 64}, "b.py was measured with other bytes"),
        (record(), SOURCE | {"tests/t.py": "5" * 64}, "ran on another tree"),
        (record(), {"lens_core/a.py": "1" * 64}, "b.py is in the record, but not"),
        (record({}, {}), {}, "no executable line"),
        (changed(executed="1-50"), SOURCE, "executed lines that are not executable"),
        (changed(executed="1-2,3"), SOURCE, "line ranges"),
        (changed(executable="nan"), SOURCE, "cannot be read"),
        (changed(executable=None), SOURCE, "cannot be read"),
    ],
)
def test_a_record_of_something_else_is_an_error(given, source, reason):
    """Other bytes, missing files, impossible or unreadable lists: never a share."""
    answer = line_coverage(given, source)
    assert (answer.verdict, answer.value) == (Verdict.ERROR, None), answer.reason
    assert reason in answer.reason


@given(st.frozensets(st.integers(1, 200)))
def test_ranges_keep_every_line(numbers):
    """Ranges read back as the lines that they were made of."""
    assert from_ranges(as_ranges(numbers)) == numbers
