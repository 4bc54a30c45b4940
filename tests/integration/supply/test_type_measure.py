"""mypy over a small tree: what it measures, and what its failures give."""

import sys
import textwrap

import pytest

from lens_core.adapters.scanners import list_source
from lens_core.adapters.type_measure import measure_types
from lens_core.model import Verdict
from lens_core.supply.type_coverage import CANARY_PATH, type_coverage

STRICT = "[tool.mypy]\nstrict = true\n"


def lay(folder, files):
    """A small package, strict as the project is."""
    for name, content in (files | {"pyproject.toml": STRICT}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def measured(tree, *command, **more):
    """The Answer and the record about ``tree``."""
    record = measure_types(tree, lambda _: None, *([command] if command else []), **more)
    return type_coverage(record, list_source(tree)), record


@pytest.fixture
def tree(tmp_path):
    """Two modules without an Any, and one file without an expression."""
    files = {"lens_core/__init__.py": "", "lens_core/a.py": "def f(x: int) -> int:\n    return x + 1\n"}
    return lay(tmp_path / "tree", files)


def test_mypy_measures_a_tree(tree, tmp_path):
    """A typed tree is 100 %; the same tree elsewhere gives the same record; nothing is written into it."""
    answer, record = measured(tree)
    assert (answer.verdict, answer.value) == (Verdict.PASS, 1.0), answer.reason
    assert answer.sample_count > 0
    assert sorted(path.name for path in tree.iterdir()) == ["lens_core", "pyproject.toml"]
    assert str(tmp_path).encode() not in record
    assert b"lens-scan-" not in record


def test_any_and_errors_count(tree):
    """An Any lowers the share, an error fails whatever the share is."""
    loose = "from typing import Any\n\n\ndef g(x: Any) -> Any:\n    return x.y.z\n\n\nN: int = 'a'\n"
    answer, _ = measured(lay(tree, {"lens_core/b.py": loose}))
    assert answer.verdict is Verdict.FAIL
    assert 0 < answer.value < 1
    assert "lens_core/b.py:8: error: [assignment]" in answer.reason


def test_what_mypy_leaves_out_is_found(tree):
    """A configuration that ignores errors or leaves out files cannot make a tree look typed."""
    (tree / "pyproject.toml").write_text(STRICT + "ignore_errors = true\n")
    answer, _ = measured(tree)
    assert (answer.verdict, answer.value) == (Verdict.ERROR, None)


FAKES = {
    "ends with 2": "sys.exit(2)",
    "ends with 0": "sys.exit(0)",
    "writes no report": f"print('{CANARY_PATH}:3: error: x [assignment]'); sys.exit(1)",
    "is killed": "os.kill(os.getpid(), 9)",
    "hangs": "time.sleep(3600)",
}


@pytest.mark.parametrize("fault", FAKES)
def test_a_mypy_that_fails_is_an_error(tree, tmp_path, fault):
    """Odd exit codes, missing reports, a signal and a time-out give no share."""
    fake = tmp_path / "fake_mypy.py"
    fake.write_text(textwrap.dedent(f"import os, sys, time\n{FAKES[fault]}\n"))
    answer, _ = measured(tree, sys.executable, "-I", "-S", str(fake), timeout_seconds=1 if fault == "hangs" else 60)
    assert (answer.verdict, answer.value) == (Verdict.ERROR, None)


def test_a_missing_mypy_is_an_error(tree):
    """A program that is not there is told by what the system says."""
    answer, _ = measured(tree, "/nowhere/mypy")
    assert (answer.verdict, "could not be started" in answer.reason) == (Verdict.ERROR, True)
