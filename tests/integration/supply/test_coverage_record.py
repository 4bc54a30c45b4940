"""The record of a test run: bound to the tree that was tested, or not kept at all."""

import subprocess
import sys

import pytest

from lens_core.adapters.coverage_record import CoverageKeeper, main
from lens_core.adapters.scanners import list_source
from lens_core.errors import InvalidInput, Unavailable
from lens_core.model import Verdict
from lens_core.supply.line_coverage import line_coverage

MODULE = "def used():\n    return 1\n\n\ndef unused():\n    return 2\n"


def git(folder, *arguments):
    """Run git with an identity of its own."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path):
    """A repository with a package, a test script and the project's way to exclude lines."""
    root = tmp_path / "project"
    (root / "lens_core").mkdir(parents=True)
    (root / "lens_core" / "__init__.py").write_text("")
    (root / "lens_core" / "a.py").write_text(MODULE)
    (root / "lens_core" / "never.py").write_text("X = 1\n")
    (root / "run.py").write_text("from lens_core.a import used\nused()\n")
    (root / "pyproject.toml").write_text('[tool.coverage.run]\nsource = ["lens_core"]\n')
    (root / ".gitignore").write_text(".coverage\n__pycache__\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    return root


def run_tests(root):
    """Run the project's test under coverage.py."""
    subprocess.run([sys.executable, "-m", "coverage", "run", "run.py"], cwd=root, check=True, env={"PYTHONPATH": "."})


def test_a_clean_run_is_kept_under_its_tree(project, tmp_path):
    """Three of five executable lines ran: a file that no test imports counts with all of its lines."""
    keeper = CoverageKeeper(project, tmp_path / "home")
    keeper.begin()
    run_tests(project)
    kept = keeper.end(project / ".coverage")
    tree = git(project, "rev-parse", "HEAD^{tree}")
    assert kept.name == f"{tree}.json"
    source = {path: digest for path, digest in list_source(project).items() if path in git(project, "ls-files").split()}
    answer = line_coverage(keeper.find(tree), source)
    assert (answer.verdict, answer.value, answer.sample_count) == (Verdict.FAIL, 3 / 5, 5), answer.reason
    assert keeper.find("0" * 40) is None


@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_a_dirty_tree_is_not_kept(project, tmp_path, when):
    """Changes that are not committed, whenever they were made, keep the record from being written."""
    keeper = CoverageKeeper(project, tmp_path / "home")
    if when == "before":
        (project / "lens_core" / "a.py").write_text(MODULE + "\n")
    keeper.begin()
    if when == "during":
        (project / "new.py").write_text("")
    if when == "before":
        git(project, "checkout", "-q", ".")
    run_tests(project)
    if when == "after":
        (project / "lens_core" / "a.py").write_text(MODULE + "\n")
    with pytest.raises(InvalidInput, match="not committed"):
        keeper.end(project / ".coverage")
    assert list((tmp_path / "home" / "quality").glob("*.json")) == []


def test_another_commit_in_between_is_not_kept(project, tmp_path):
    """A tree that was committed while the tests ran is not the one that was tested."""
    keeper = CoverageKeeper(project, tmp_path / "home")
    keeper.begin()
    run_tests(project)
    (project / "lens_core" / "a.py").write_text(MODULE + "\n")
    git(project, "commit", "-qam", "two")
    with pytest.raises(InvalidInput, match="changed while"):
        keeper.end(project / ".coverage")


def test_data_of_an_earlier_run_is_not_kept(project, tmp_path):
    """Coverage data from before `begin`, or none, is no evidence; nor is `end` without `begin`."""
    keeper = CoverageKeeper(project, tmp_path / "home")
    with pytest.raises(Unavailable, match="not noted"):
        keeper.end(project / ".coverage")
    run_tests(project)
    keeper.begin()
    with pytest.raises(Unavailable, match="coverage data of this run"):
        keeper.end(project / ".coverage")
    with pytest.raises(Unavailable, match="coverage data of this run"):
        keeper.end(project / "nothing")


def test_the_command_says_why_nothing_is_kept(project, tmp_path, monkeypatch, capsys):
    """A dirty tree is no failure of the tests: the command says so and ends well."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("LENS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("COVERAGE_FILE", raising=False)
    assert main(["begin"]) == 0
    run_tests(project)
    assert main(["end"]) == 0
    assert "kept for this tree" in capsys.readouterr().out
    assert main(["end"]) == 0
    assert "not kept" in capsys.readouterr().out
    assert main(["sideways"]) == 2
