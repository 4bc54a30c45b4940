"""What a notebook runner owes: no failure that papermill hides may look completed."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from lens_core.adapters.papermill_runner import PapermillRunner
from lens_core.errors import InvalidInput

# The kernels run nothing of ours: being measured would only slow them down.
pytestmark = pytest.mark.usefixtures("unmeasured")

FAILURES = {
    "raise": ("raise ValueError('no such index')", "ValueError: no such index"),
    "exit 3": ("import sys; sys.exit(3)", "SystemExit"),
    "exit 0": ("import sys; sys.exit(0)", ""),
    "kernel killed": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "kernel died"),
    "cell timeout": ("import threading; threading.Event().wait()", "out of time"),
}


def notebook(folder, *sources):
    """A notebook with a parameters cell and the given code cells."""
    made = new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}})
    made.cells = [new_code_cell("word = 'default'", metadata={"tags": ["parameters"]})]
    made.cells += [new_code_cell(source) for source in sources]
    file = folder / "source.ipynb"
    nbformat.write(made, file)
    return file


@pytest.fixture
def runner(tmp_path):
    """A real papermill runner with a short cell timeout."""
    return PapermillRunner(tmp_path / "assets", cell_timeout_s=60, start_timeout_s=60)


def test_a_notebook_that_ran_to_its_end_is_completed(runner, tmp_path):
    """Parameters arrive, outputs are stored, and the HTML beside them needs no network."""
    source = notebook(tmp_path, "print(word * 2)")
    target = tmp_path / "out" / "done.ipynb"
    outcome = runner.run(source, target, {"word": "ab"}, 60)
    assert outcome.completed, outcome.reason
    assert "abab" in json.dumps(json.loads(target.read_text()))
    page = target.with_suffix(".html").read_text()
    assert "abab" in page
    assert "https://" not in page
    assert list((tmp_path / "assets").glob("plotly-*.min.js"))


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_that_papermill_hides_is_not_completed(runner, tmp_path, failure):
    """Raising, exiting (even with 0), losing the kernel and running out of time are all seen."""
    code, words = FAILURES[failure]
    runner = PapermillRunner(tmp_path / "assets", 3 if failure == "cell timeout" else 60, 60)
    outcome = runner.run(notebook(tmp_path, code, "after = 1"), tmp_path / "out.ipynb", {}, 60)
    assert not outcome.completed
    assert words in outcome.reason


def test_a_mistyped_parameter_is_refused(runner, tmp_path):
    """Where papermill would run the default with a warning, the runner refuses and names the parameter."""
    with pytest.raises(InvalidInput, match="wrod"):
        runner.run(notebook(tmp_path, "1"), tmp_path / "out.ipynb", {"wrod": "x"}, 60)
    assert not (tmp_path / "out.ipynb").exists()


def test_the_deadline_ends_what_the_cell_timeout_does_not(tmp_path):
    """A run that overstays is ended from outside, whatever its cells do."""
    runner = PapermillRunner(tmp_path / "assets", cell_timeout_s=600, start_timeout_s=1)
    source = notebook(tmp_path, *["import threading; threading.Event().wait(2)"] * 9)
    outcome = runner.run(source, tmp_path / "out.ipynb", {}, 4)
    assert not outcome.completed
    assert "deadline" in outcome.reason


def test_a_source_that_is_no_notebook_is_not_completed(runner, tmp_path):
    """The own failure of papermill is an outcome with its words, not a crash of the night."""
    broken = tmp_path / "broken.ipynb"
    broken.write_text("{")
    outcome = runner.run(broken, tmp_path / "out.ipynb", {}, 60)
    assert not outcome.completed
    assert "papermill itself failed" in outcome.reason
