"""Orders of versions: laws, and the examples of their specifications."""

from itertools import pairwise

import pytest

from lens_core.supply.versions import debian, pep440, semver

DEBIAN = "1~~ 1~~a 1~ 1 1a 1a1 1b 1.0 1.1~rc1-1 1.1-0.1 1.1-1 1.1-1+b1 1.10 1:0"
SEMVER = "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1"
PEP440 = "0.dev1 1.0.dev1 1.0a1 1.0rc1 1.0 1.0.post1 1.1 1!0.1"


@pytest.mark.parametrize(
    ("order", "versions"), [(debian, DEBIAN), (semver, SEMVER), (pep440, PEP440)], ids=["debian", "semver", "pep440"]
)
def test_order(order, versions):
    """Each version sorts before the next one."""
    assert all(order(low) < order(high) for low, high in pairwise(versions.split()))


@pytest.mark.parametrize(
    ("order", "left", "right"),
    [
        (debian, "1.0", "1.0-0"),
        (debian, "0:1.0", "1.0"),
        (debian, "1.00", "1.0"),
        (semver, "1.2.3+build.5", "1.2.3"),
        (semver, "1.2", "1.2.0"),
        (pep440, "2.10.0", "2.10"),
        (pep440, "2.10+debian.1", "2.10"),
    ],
)
def test_alike(order, left, right):
    """Two spellings of one version are the same."""
    assert order(left) == order(right)


@pytest.mark.parametrize(
    ("order", "text"), [(debian, ""), (debian, "1 0"), (debian, "x:1"), (debian, "1:"), (semver, "one"), (pep440, "?")]
)
def test_no_version(order, text):
    """A text that is no version has no place in the order."""
    assert order(text) is None
