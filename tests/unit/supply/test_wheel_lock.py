"""Which wheels a lock allows; and the committed locks are what they say."""

import re

import pytest

from lens_core.errors import IntegrityError, InvalidInput
from lens_core.supply.wheel_lock import Pin, match_wheels, parse_lock, read_wheel, with_wheel
from tests.places import PROJECT

A, B = "a" * 64, "b" * 64
LOCK = f"Foo_Bar==1.0 \\\n    --hash=sha256:{A} \\\n    --hash=sha256:{B}\n    # via x\nzip==2 --hash=sha256:{B}\n"


def test_a_lock_is_read_by_name():
    """Names are normalised, comments and line continuations understood."""
    assert parse_lock(LOCK) == (Pin("foo-bar", "1.0", (A, B)), Pin("zip", "2", (B,)))


@pytest.mark.parametrize("line", ["foo==1", "foo>=1 --hash=sha256:" + A, "-r other.txt", "foo @ http://x", "", "# foo"])
def test_a_line_without_a_version_or_a_hash_is_refused(line):
    """So is a lock of nothing: it would allow an image without dependencies."""
    with pytest.raises(InvalidInput):
        parse_lock(line)


def test_a_package_that_stands_twice_is_refused():
    """Nobody could say which of the two is meant."""
    with pytest.raises(InvalidInput):
        parse_lock(LOCK + f"foo-bar==2 --hash=sha256:{A}\n")


def test_the_wheels_of_a_lock_are_found():
    """One file for each pin, with the version and one of the hashes that are pinned."""
    files = {"foo_bar-1.0-py3-none-any.whl": (A, 5), "zip-2-py3-none-any.whl": (B, 6)}
    assert [(item.name, item.sha256, item.size) for item in match_wheels(parse_lock(LOCK), files)] == [
        ("foo-bar", A, 5),
        ("zip", B, 6),
    ]


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"foo_bar-1.0-py3-none-any.whl": (A, 5)}, "zip"),
        ({"foo_bar-1.1-py3-none-any.whl": (A, 5), "zip-2-py3-none-any.whl": (B, 6)}, "foo_bar-1.1"),
        ({"foo_bar-1.0-py3-none-any.whl": ("c" * 64, 5), "zip-2-py3-none-any.whl": (B, 6)}, "foo_bar-1.0"),
        ({"foo_bar-1.0-py3-none-any.whl": (A, 5), "foo_bar-1.0-py2-none-any.whl": (A, 5)}, "foo_bar-1.0"),
        ({"evil-1.0-py3-none-any.whl": (A, 5)}, "evil"),
        ({"notes.txt": (A, 5)}, "notes.txt"),
        ({}, "foo-bar"),
    ],
)
def test_a_wheel_too_few_too_many_or_another_one_is_refused_by_name(files, named):
    """Missing, another version, other bytes, two of one package, a stranger, no wheel at all."""
    with pytest.raises(IntegrityError, match=named):
        match_wheels(parse_lock(LOCK), files)


def test_the_released_wheel_joins_the_lock_once():
    """Its line has its own hash; a lock that has the package already is refused."""
    wheel = read_wheel("lens-1.0.0rc1-py3-none-any.whl", A, 7)
    joined = with_wheel(LOCK, wheel)
    assert Pin("lens", "1.0.0rc1", (A,)) in parse_lock(joined)
    with pytest.raises(InvalidInput, match="lens"):
        with_wheel(joined, wheel)


@pytest.mark.parametrize("name", ["requirements-engine.lock", "requirements-image-installer.lock"])
def test_the_image_has_the_versions_that_the_tests_ran_with(name):
    """Every pin of the image's locks is in requirements.lock, with no hash that is not there."""
    whole = (PROJECT / "requirements.lock").read_text()
    for pin in parse_lock((PROJECT / name).read_text()):
        entry = re.search(rf"^{pin.name}=={re.escape(pin.version)}[ ;].*?(?=^\S|\Z)", whole, re.MULTILINE | re.DOTALL)
        assert entry, pin
        assert set(pin.sha256s) <= set(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry[0]))
