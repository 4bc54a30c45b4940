"""The base image comes from what Debian signed, with apt, gpgv and dpkg-deb as they are."""

import hashlib
import shutil
import subprocess
import tarfile
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from lens_core.adapters.clock import SystemClock
from lens_core.adapters.debian_base import FOR_SCRIPTS_ONLY, DebianBase
from lens_core.adapters.debian_index import DebianIndex
from lens_core.errors import IntegrityError, Unavailable
from lens_core.supply.base_lock import GENERATED, BaseLock, DebPackage
from tests.places import image_cache
from tests.supply_places import debian_or_skip

LISTS = Path("/var/lib/apt/lists")


def quiet(_line):
    """Progress that nobody reads."""


@pytest.fixture(scope="module")
def base():
    """A base of today's packages, in the cache that all runs share."""
    debian_or_skip()
    cache = image_cache()
    return DebianBase(cache, DebianIndex(cache, SystemClock().now)).build(quiet)


@pytest.fixture(scope="module")
def files(base):
    """The base's entries by path, with the content of its regular files."""
    with tarfile.open(base.tar) as tar:
        return {member.name: (member, tar.extractfile(member).read() if member.isreg() else b"") for member in tar}


@pytest.fixture
def lists(tmp_path):
    """A copy of apt's smaller lists that a test may spoil, and the options that point apt to it and to no network."""
    debian_or_skip()
    place = tmp_path / "lists"
    (place / "partial").mkdir(parents=True)
    (tmp_path / "cache" / "archives" / "partial").mkdir(parents=True)
    for path in (*LISTS.glob("*_bookworm-updates_*"), *LISTS.glob("*_bookworm-security_*")):
        shutil.copy(path, place)
    options = (f"Dir::State::lists={place}", f"Dir::Cache={tmp_path / 'cache'}")
    return place, (*options, "Acquire::Retries=0", "Acquire::http::Proxy=http://127.0.0.1:9")


def newest_list():
    """The time that the newest of apt's lists states: with it as the present, no list is stale."""
    dates = []
    for path in LISTS.glob("*_InRelease"):
        line = next(line for line in path.read_text().splitlines() if line.startswith("Date: "))
        dates.append(parsedate_to_datetime(line.removeprefix("Date: ")))
    return max(dates)


def test_every_package_and_every_index_is_named_in_the_lock(base):
    """Names, versions and digests, and the keys that vouch for them; what only scripts need is left out."""
    names = {package.name for package in base.packages}
    assert {"libc6", "python3.11-minimal", "libssl3", "ca-certificates"} <= names
    assert not names & FOR_SCRIPTS_ONLY
    assert all(len(key) == 40 for index in base.lock.indexes for key in index.keys)
    assert all(index.keys for index in base.lock.indexes)
    assert BaseLock.parse(base.lock.to_json()) == base.lock


def test_the_tar_has_the_digest_that_it_is_said_to_have(base):
    """It is the diff id of the image's first layer."""
    assert hashlib.sha256(base.tar.read_bytes()).hexdigest() == base.digest.hex


def test_there_is_no_shell_and_no_package_manager_and_nothing_runs_with_others_rights(base, files):
    """Distroless: Python, what it needs, and the certificates."""
    for name in ("usr/bin/sh", "usr/bin/dash", "usr/bin/bash", "usr/bin/dpkg", "usr/bin/apt", "usr/bin/perl"):
        assert name not in files
    assert not [path for path, (member, _) in files.items() if member.mode & 0o6000]
    assert files["etc/passwd"][1].count(b"nologin") == 3
    assert b"nonroot:x:65532:65532" in files["etc/passwd"][1]
    assert files["etc/ssl/certs/ca-certificates.crt"][1].count(b"BEGIN CERTIFICATE") > 100


def test_every_regular_file_belongs_to_a_package_or_is_declared(files):
    """The records under status.d say so with the MD5 of each, in the place where the file really is."""
    owned = {}
    for path, (_, content) in files.items():
        if path.startswith("var/lib/dpkg/status.d/") and path.endswith(".md5sums"):
            owned |= {line.partition("  ")[2]: line[:32] for line in content.decode().splitlines()}
    regular = {path for path, (member, _) in files.items() if member.isreg()}
    records = {path for path in regular if path.startswith("var/lib/dpkg/status.d/")}
    assert regular - records - GENERATED.keys() == owned.keys()
    for path, md5 in owned.items():
        assert hashlib.md5(files[path][1], usedforsecurity=False).hexdigest() == md5


def test_a_damaged_package_in_the_cache_is_fetched_again(base, tmp_path):
    """Bytes in the cache are believed only while their digest holds."""
    small = min(base.packages, key=lambda package: package.size)
    cache = tmp_path / "cache"
    (cache / "debs").mkdir(parents=True)
    for package in base.packages:
        (cache / "debs" / f"{package.sha256}.deb").symlink_to(image_cache() / "debs" / f"{package.sha256}.deb")
    place = cache / "debs" / f"{small.sha256}.deb"
    place.unlink()
    place.write_bytes(b"damaged")
    assembled = DebianBase(cache, DebianIndex(cache, SystemClock().now)).build(quiet, base.lock)
    assert hashlib.sha256(place.read_bytes()).hexdigest() == small.sha256
    assert assembled.digest == base.digest  # and assembled in another place it has the same bytes


def test_a_package_that_no_source_has_any_more_is_unavailable_by_name(tmp_path):
    """Debian's pool drops superseded versions: an old lock without its cache cannot be built, and says why."""
    debian_or_skip()
    gone = DebPackage("libc6", "2.36-9", "amd64", "a" * 64, 10, "pool/main/g/glibc/libc6_2.36-9_amd64.deb")
    base = DebianBase(tmp_path, DebianIndex(tmp_path, SystemClock().now))
    with pytest.raises(Unavailable, match=r"libc6 2\.36-9") as caught:
        base.build(quiet, BaseLock((gone,), ()))
    assert "cache" in caught.value.hint


def test_a_list_that_is_not_what_was_signed_is_refused(lists, tmp_path):
    """One more line in Packages, and the chain from the key to the package is broken."""
    place, options = lists
    (packed,) = place.glob("*bookworm-updates_main_binary-amd64_Packages.lz4")
    content = subprocess.run(
        ["/usr/lib/apt/apt-helper", "cat-file", str(packed)], capture_output=True, check=True
    ).stdout
    packed.unlink()
    packed.with_suffix("").write_bytes(content + b"\nPackage: evil\n")
    with pytest.raises(IntegrityError, match="bookworm-updates"):
        DebianIndex(tmp_path, newest_list, options=options).resolve(["netbase"], [], quiet)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content.replace(b"Origin: Debian", b"Origin:  Debian", 1),
        lambda content: content.replace(b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n", b"").partition(b"-----")[
            0
        ],
        lambda content: b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: Debian\n" + content,
    ],
    ids=["changed", "unsigned", "behind another message"],
)
def test_lists_whose_signature_does_not_hold_are_as_good_as_none(lists, tmp_path, spoil):
    """Such an InRelease is not believed, and without a signed list there is no base."""
    place, options = lists
    for path in place.glob("*_InRelease"):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(spoil(content))
    with pytest.raises(Unavailable, match="signed"):
        DebianIndex(tmp_path, newest_list, options=options).resolve(["netbase"], [], quiet)


def test_a_file_of_two_messages_vouches_for_nothing(lists, tmp_path):
    """Of such a file gpgv says that a signature holds; which text it is of would be a guess."""
    place, options = lists
    (release,) = place.glob("*_bookworm-security_InRelease")
    index = DebianIndex(tmp_path, newest_list, options=options)
    keys, text = index._signed(release)
    assert keys
    assert "Codename: bookworm-security" in text
    release.write_bytes(release.read_bytes() * 2)
    assert index._signed(release) == ((), "")


def test_another_keyring_than_debians_vouches_for_nothing(lists, tmp_path):
    """The keys decide, not what apt was told to trust."""
    empty = tmp_path / "empty.gpg"
    empty.touch()
    with pytest.raises(Unavailable, match="signed"):
        DebianIndex(tmp_path, newest_list, keyring=empty, options=lists[1]).resolve(["netbase"], [], quiet)


def test_lists_that_are_past_their_time_are_refused(lists, tmp_path):
    """A mirror that stands still (or is held still) is told from one without news by its own Valid-Until."""
    late = newest_list() + timedelta(days=60)
    with pytest.raises(Unavailable, match="valid until"):
        DebianIndex(tmp_path, lambda: late, options=lists[1]).resolve(["netbase"], [], quiet)


def test_a_source_that_apt_was_told_to_trust_unsigned_is_refused(lists, tmp_path):
    """``[trusted=yes]`` offers a newer base-files and calls itself Debian: apt takes it, Lens does not."""
    place, options = lists
    for path in LISTS.glob("*_dists_bookworm_*"):  # of what base-files depends on
        (place / path.name).symlink_to(path)
    repository = tmp_path / "repository"
    _unsigned_repository(repository)
    source = tmp_path / "sources.list"
    source.write_text(f"deb [trusted=yes] file:{repository} ./\n")
    options = (*options, f"Dir::Etc::sourcelist={source}")
    command = ["apt-get", "-qq", *[part for option in options for part in ("-o", option)]]
    subprocess.run([*command, "-o", "Dir::Etc::sourceparts=-", "--no-list-cleanup", "update"], check=True)
    index = DebianIndex(tmp_path, newest_list, options=options)
    with pytest.raises(IntegrityError, match="no list signed"):
        index.resolve(["base-files"], [], quiet)


def _unsigned_repository(folder):
    control = folder / "package" / "DEBIAN" / "control"
    control.parent.mkdir(parents=True)
    fields = "Package: base-files\nVersion: 99\nArchitecture: all\nMaintainer: Mallory <m@example.invalid>\n"
    control.write_text(f"{fields}Description: better\n")
    deb = folder / "base-files_99_all.deb"
    subprocess.run(["dpkg-deb", "--build", str(folder / "package"), str(deb)], check=True, capture_output=True)
    content = deb.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    packages = (
        f"{fields}Filename: pool/{deb.name}\nSize: {len(content)}\nSHA256: {sha256}\nDescription: better\n".encode()
    )
    (folder / "Packages").write_bytes(packages)
    digest = hashlib.sha256(packages).hexdigest()
    (folder / "Release").write_text(
        f"Origin: Debian\nSuite: stable\nCodename: bookworm\nDate: {newest_list():%a, %d %b %Y %H:%M:%S} UTC\n"
        f"SHA256:\n {digest} {len(packages)} Packages\n"
    )
