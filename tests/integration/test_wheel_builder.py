"""The wheel of a night: reproducible from its commit, blind to what is not committed."""

import subprocess

import pytest

from lens_core.adapters.wheel_builder import WheelBuilder
from lens_core.errors import IntegrityError, InvalidInput, Unavailable

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "lens"
version = "1.2.3"
[tool.hatch.build.targets.wheel]
packages = ["thing"]
"""


def git(folder, *arguments):
    """Run git with an identity of its own."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    """A git repository with a package of one module."""
    folder = tmp_path / "repository"
    (folder / "thing").mkdir(parents=True)
    (folder / "thing" / "__init__.py").write_text("A = 1\n")
    (folder / "pyproject.toml").write_text(PROJECT)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    return folder


def test_one_commit_gives_one_digest(repository, tmp_path):
    """Building twice, in different folders, gives the same bytes; the version is the wheel's."""
    first = WheelBuilder(repository, tmp_path / "a").build()
    second = WheelBuilder(repository, tmp_path / "b").build()
    assert first == second
    assert (first.version, first.dirty) == ("1.2.3", False)


def test_a_dirty_tree_is_said_to_be_one(repository, tmp_path):
    """Uncommitted changes are named and are not in the wheel."""
    clean = WheelBuilder(repository, tmp_path / "a").build()
    (repository / "thing" / "__init__.py").write_text("A = 2\n")
    dirty = WheelBuilder(repository, tmp_path / "a").build()
    assert dirty.dirty
    assert dirty.digest == clean.digest


def test_another_commit_gives_another_digest(repository, tmp_path):
    """What is committed changes what is bound."""
    before = WheelBuilder(repository, tmp_path / "a").build()
    (repository / "thing" / "__init__.py").write_text("A = 2\n")
    git(repository, "commit", "-qam", "two")
    assert WheelBuilder(repository, tmp_path / "a").build().digest != before.digest


def test_code_runs_from_the_verified_wheel_only(repository, tmp_path):
    """Unpacking gives the committed bytes afresh; an edited or missing wheel is refused."""
    builder = WheelBuilder(repository, tmp_path / "a")
    candidate = builder.build()
    site = builder.unpack(candidate)
    (site / "thing" / "__init__.py").write_text("A = 'edited'\n")
    assert (builder.unpack(candidate) / "thing" / "__init__.py").read_text() == "A = 1\n"
    [wheel] = (tmp_path / "a").glob("*/*.whl")
    wheel.write_bytes(wheel.read_bytes() + b"x")
    with pytest.raises(IntegrityError, match="expected sha256"):
        builder.unpack(candidate)
    wheel.unlink()
    with pytest.raises(Unavailable, match="is not in"):
        builder.unpack(candidate)


def test_without_a_commit_there_is_nothing_to_bind_to(tmp_path):
    """A folder that is no repository is the caller's error, with git's own words."""
    with pytest.raises(InvalidInput, match="git says"):
        WheelBuilder(tmp_path, tmp_path / "a").build()


def test_a_build_that_fails_says_why(repository, tmp_path):
    """A broken project gives the build's own message."""
    (repository / "pyproject.toml").write_text(PROJECT.replace('version = "1.2.3"', ""))
    git(repository, "commit", "-qam", "broken")
    with pytest.raises(Unavailable, match="could not be built"):
        WheelBuilder(repository, tmp_path / "a").build()
