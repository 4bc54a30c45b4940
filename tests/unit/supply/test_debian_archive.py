"""Reading what a Debian archive publishes."""

from datetime import UTC, datetime

import pytest

from lens_core.supply.debian_archive import PackagesIndex, cves_between, newer, reaches, read_release

RELEASE = """Origin: Debian
Label: Debian-Security
Codename: bookworm-security
Version: 12
Date: Tue, 24 Nov 2026 00:34:33 UTC
Valid-Until: Tue, 01 Dec 2026 00:34:33 UTC
MD5Sum:
 0123 12 main/binary-amd64/Packages
SHA256:
 abcd 12 main/binary-amd64/Packages
 ef01 12 main/binary-all/Packages
"""
PACKAGES = """Package: libexpat1
Source: expat
Version: 2.5.0-1+deb12u2
Architecture: amd64
Description: a library
 with Version: 9 in its text
SHA256: 00
Size: 7

Package: libc6
Source: glibc (2.36-9)
Version: 2.36-9+b1
Architecture: amd64

Package: libexpat1
Version: 2.4.0-1
Architecture: i386
"""
CHANGELOG = """expat (2.5.0-1+deb12u2) bookworm-security; urgency=high

  * Fix CVE-2024-3 and cve-2024-4 (see CVE-2024-99999)

 -- A <a@example.org>  Thu, 01 Jan 2026 00:00:00 +0000

expat (2.5.0-1+deb12u1) bookworm; urgency=medium

  * Fix CVE-2024-0002; expat (2.0) was not affected

 -- A <a@example.org>  Thu, 01 Jan 2026 00:00:00 +0000

expat (2.5.0-1) unstable; urgency=medium

  * Fix CVE-2022-0001

 -- A <a@example.org>  Thu, 01 Jan 2026 00:00:00 +0000
"""


def test_release():
    """A Release gives origin, dates in UTC, and the SHA-256 of each index (never its MD5)."""
    release = read_release(RELEASE)
    assert (release.origin, release.distro, release.is_security) == ("Debian", "debian-12", True)
    assert release.date == datetime(2026, 11, 24, 0, 34, 33, tzinfo=UTC)
    assert release.valid_until == datetime(2026, 12, 1, 0, 34, 33, tzinfo=UTC)
    assert release.files == {"main/binary-amd64/Packages": "abcd", "main/binary-all/Packages": "ef01"}


@pytest.mark.parametrize("text", ["", "Date: yesterday\nVersion: sid\n"])
def test_release_without_facts(text):
    """A Release that says nothing legible has no date and no release of Debian."""
    release = read_release(text)
    assert (release.date, release.valid_until, release.distro, release.is_security) == (None, None, "", False)


def test_packages():
    """An index gives all versions of a package, with the source package that each was built from."""
    index = PackagesIndex(PACKAGES, security=True)
    assert len(index) == 2
    first, second = index.named("libexpat1")
    assert (first.version, first.source_name, first.source_version, first.size) == (
        "2.5.0-1+deb12u2",
        "expat",
        first.version,
        7,
    )
    assert (second.version, second.source_name, second.security) == ("2.4.0-1", "libexpat1", True)
    (libc,) = index.named("libc6")
    assert (libc.source_name, libc.source_version) == ("glibc", "2.36-9")
    assert index.named("else") == ()


def test_name_of_the_file():
    """A package's file is named as apt names it, with the epoch's colon escaped."""
    (found,) = PackagesIndex("Package: a\nVersion: 1:2-3\nArchitecture: all\n").named("a")
    assert found.filename == "a_1%3a2-3_all.deb"


@pytest.mark.parametrize(
    ("above", "up_to", "names"),
    [
        ("2.5.0-1", "2.5.0-1+deb12u2", ("CVE-2024-0002", "CVE-2024-99999")),
        ("2.5.0-1+deb12u1", "2.5.0-1+deb12u2", ("CVE-2024-99999",)),
        ("2.5.0-1", "2.5.0-1+deb12u1", ("CVE-2024-0002",)),
        ("2.5.0-1+deb12u2", "2.5.0-1+deb12u2", ()),
        ("0~", "2.5.0-1", ("CVE-2022-0001",)),
    ],
)
def test_cves_between(above, up_to, names):
    """The ids are those in entries above the one version, up to the other; an id has four digits at least."""
    assert cves_between(CHANGELOG, above, up_to) == names


def test_how_far_a_changelog_reaches():
    """A changelog that was cut off above a version does not reach it."""
    assert reaches(CHANGELOG, "2.5.0-1")
    assert reaches(CHANGELOG, "3.0")
    assert not reaches(CHANGELOG, "2.4.9-1")
    assert not reaches("", "1")


def test_newer():
    """A version that cannot be read is older than any other, and newer than none."""
    assert newer("2", "1")
    assert not newer("1", "1")
    assert newer("1", "?")
    assert not newer("?", "1")
