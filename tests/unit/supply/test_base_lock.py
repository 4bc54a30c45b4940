"""The lock of a base image: canonical, complete, and refused when it was edited."""

import json

import pytest

from lens_core.errors import IntegrityError, InvalidInput, LensError
from lens_core.supply.base_lock import BaseLock, DebPackage, SignedIndex

LIBC = DebPackage(
    "libc6", "2.36-9+deb12u14", "amd64", "a" * 64, 10, "pool/main/g/glibc/libc6_2.36-9+deb12u14_amd64.deb"
)
ZLIB = DebPackage("zlib1g", "1:1.2.13.dfsg-1", "amd64", "b" * 64, 20, "pool/main/z/zlib/zlib1g_1.2.13.dfsg-1_amd64.deb")
INDEX = SignedIndex("bookworm", "Sat, 11 Jul 2026 10:16:37 UTC", "c" * 64, "d" * 64, ("E" * 40,))


def test_a_lock_is_read_back_as_it_was_written_whatever_the_order():
    """Equal bases have locks of equal bytes."""
    lock = BaseLock((LIBC, ZLIB), (INDEX,))
    assert BaseLock.parse(lock.to_json()) == lock
    assert BaseLock((ZLIB, LIBC), (INDEX,)).to_json() == lock.to_json()


def test_a_lock_with_other_bytes_is_refused():
    """White space, another format and a second key are edits, even where JSON means the same."""
    content = BaseLock((LIBC,), (INDEX,)).to_json()
    for edited in (b" " + content, content.replace(b'"format":1', b'"format":2'), content.replace(b"{", b'{"x":1,', 1)):
        with pytest.raises(IntegrityError):
            BaseLock.parse(edited)


def test_a_lock_of_nothing_is_refused():
    """A base of no packages is no base."""
    with pytest.raises(IntegrityError, match="empty"):
        BaseLock.parse(BaseLock((), (INDEX,)).to_json())


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b'{"format":1,"packages":[{}],"indexes":[]}', b"\xff"])
def test_what_is_no_lock_is_refused(content):
    """Every other input ends in one of Lens's own errors."""
    with pytest.raises(InvalidInput):
        BaseLock.parse(content)


@pytest.mark.parametrize(
    "change",
    [{"path": "pool/../../etc/x.deb"}, {"path": "/etc/x.deb"}, {"sha256": "a"}, {"name": "../x"}, {"size": 0}],
)
def test_a_package_that_cannot_be_one_is_refused(change):
    """A lock from elsewhere cannot lead to another place than the pool."""
    body = json.loads(BaseLock((LIBC,), (INDEX,)).to_json())
    body["packages"][0] |= change
    with pytest.raises(LensError):
        BaseLock.parse(json.dumps(body).encode())


def test_a_package_has_the_package_url_of_debian():
    """The epoch's colon is escaped, as the purl specification asks."""
    assert ZLIB.purl == "pkg:deb/debian/zlib1g@1%3A1.2.13.dfsg-1?arch=amd64"
