"""Wheels are fetched once by pip, held against the lock at each use, and then need no network."""

import pytest

from lens_core.adapters.image_builder import INSTALLER_LOCK
from lens_core.adapters.wheelhouse import Wheelhouses
from lens_core.errors import Unavailable
from tests.places import PROJECT

LOCK = (PROJECT / INSTALLER_LOCK).read_text()


def quiet(_line):
    """Progress that nobody reads."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache with one wheelhouse, really fetched."""
    folder = tmp_path_factory.mktemp("cache")
    Wheelhouses(folder).get(LOCK, quiet)
    return folder


def test_a_complete_wheelhouse_needs_no_network(cache, monkeypatch):
    """The second time pip is not asked."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    said = []
    house = Wheelhouses(cache).get(LOCK, said.append)
    assert [wheel.name for wheel in house.wheels] == ["pip"]
    assert said == []


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"x"), lambda path: path.unlink()])
def test_a_damaged_or_missing_wheel_is_fetched_again(cache, spoil):
    """What is in the cache is believed only while its digest holds."""
    house = Wheelhouses(cache).get(LOCK, quiet)
    spoil(house.folder / house.wheels[0].filename)
    assert Wheelhouses(cache).get(LOCK, quiet) == house


def test_a_wheel_that_no_lock_names_makes_the_wheelhouse_anew(cache):
    """A file that somebody slipped in does not get into an image."""
    house = Wheelhouses(cache).get(LOCK, quiet)
    (house.folder / "evil-1.0-py3-none-any.whl").write_bytes(b"x")
    again = Wheelhouses(cache).get(LOCK, quiet)
    assert [path.name for path in again.folder.iterdir()] == [house.wheels[0].filename]


def test_bytes_that_are_not_the_locks_are_not_taken(cache):
    """The index offers a wheel with another hash than is pinned: pip refuses, and nothing is kept."""
    other = LOCK.partition("\\")[0] + f"--hash=sha256:{'0' * 64}\n"
    with pytest.raises(Unavailable, match=r"(?i)hash"):
        Wheelhouses(cache).get(other, quiet)
    assert len([path for path in (cache / "wheels").iterdir() if path.is_dir()]) == 1
