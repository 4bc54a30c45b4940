"""Type coverage: recomputed from mypy's counts, believed only of a run that found what was seeded."""

from dataclasses import replace

import pytest

from lens_core.model import Verdict
from lens_core.supply.type_coverage import CANARY_ANYS, CANARY_ERROR, FileTypes, TypeRun, type_coverage, write_types

SOURCE = {"lens_core/a.py": "1" * 64, "study/__init__.py": "2" * 64, "tests/t.py": "3" * 64}
A = FileTypes("1" * 64, expressions=100, anys=5, precise=40, imprecise=3, any_lines=2, unanalyzed=0)
EMPTY = FileTypes("2" * 64, 0, 0, 0, 0, 0, 0)
RUN = TypeRun("2.4.1", "", (CANARY_ERROR,), CANARY_ANYS, {"lens_core/a.py": A, "study/__init__.py": EMPTY})


def judged(source=SOURCE, **changes):
    """The Answer about RUN with ``changes``."""
    return type_coverage(write_types(replace(RUN, **changes)), source)


def test_the_share_is_that_of_typed_expressions():
    """95 of 100 expressions pass at 0.95; the precision of lines is told beside it."""
    answer = judged()
    assert (answer.gate, answer.verdict, answer.value, answer.sample_count) == (
        "type_coverage",
        Verdict.PASS,
        0.95,
        100,
    )
    assert "40 of 45 lines are precise" in answer.reason


def test_one_any_more_fails():
    """94 of 100 is a FAIL."""
    answer = judged(files=RUN.files | {"lens_core/a.py": replace(A, anys=6)})
    assert (answer.verdict, answer.value) == (Verdict.FAIL, 0.94)


def test_errors_of_mypy_fail_whatever_the_share():
    """A tree that mypy rejects fails, with the first error in the reason."""
    answer = judged(errors=(CANARY_ERROR, "lens_core/a.py:3: error: [arg-type]"))
    assert answer.verdict is Verdict.FAIL
    assert "a.py:3" in answer.reason


def test_no_record_is_inconclusive():
    """Nothing measured is no share."""
    assert type_coverage(None, SOURCE).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"problem": "did not end within 1 s"}, "did not end"),
        ({"errors": ()}, "missed its canary"),
        ({"canary_anys": 0}, "missed its canary"),
        ({"files": {}}, "did not read lens_core/a.py"),
        ({"files": {"lens_core/a.py": A}}, "did not read study/__init__.py"),
        ({"files": RUN.files | {"lens_core/a.py": replace(A, sha256="9" * 64)}}, "other bytes"),
        ({"files": RUN.files | {"lens_core/gone.py": A}}, "not a source file"),
        ({"files": RUN.files | {"lens_core/a.py": replace(A, anys=101)}}, "impossible"),
        ({"files": RUN.files | {"lens_core/a.py": replace(A, precise=-1)}}, "impossible"),
        ({"files": RUN.files | {"lens_core/a.py": replace(A, expressions=0, anys=0)}}, "counted no expression"),
    ],
)
def test_a_run_that_proves_nothing_is_an_error(changes, reason):
    """Missed canary, missing files, other bytes, impossible counts: never a share."""
    answer = judged(**changes)
    assert (answer.verdict, answer.value) == (Verdict.ERROR, None), answer.reason
    assert reason in answer.reason


@pytest.mark.parametrize("record", [b"", b"null", b"{}", write_types(RUN) + b" "])
def test_an_unreadable_record_is_an_error(record):
    """Bytes that are no record give no share."""
    assert type_coverage(record, SOURCE).verdict is Verdict.ERROR
