"""Debian's security archive: signatures, dates, what newer packages fixed; and the live one where apt has it."""

import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from advisory_records import deb, pypi
from apt_archive import NOW, stanza, workshop, write_archive, write_suite

from lens_core.adapters.advisories_debian import DebianArchive, read_changelog
from lens_core.adapters.apt_lists import AptLists
from lens_core.errors import IntegrityError
from lens_core.supply.advisories import report_bytes
from lens_core.supply.words import Severity

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("gpg", "gpgv", "dpkg-deb"))), reason="needs gpg, gpgv and dpkg"
)


def archive(lists, keyring="good", debs=None, **more):
    """The source on a folder of lists, offline, with packages that are kept already."""
    signed = AptLists(lists, workshop() / f"{keyring}.gpg", offline=True)
    return DebianArchive(signed, debs or workshop() / "debs", **more)


@pytest.fixture
def lists(tmp_path):
    """The lists of a whole, sound archive."""
    write_archive(tmp_path)
    return tmp_path


def found(report):
    """Ids by package name."""
    names = {}
    for one in report.vulnerabilities:
        names.setdefault(one.purl.split("/")[2].partition("@")[0], []).append(one.ids[0])
    return names


def test_what_is_newer_was_fixed(lists):
    """A package older than the archive's has the CVEs of the changelog in between, of its sibling's if linked."""
    asked = [deb("libdemo1", "1.0-1", "demo"), deb("libdemo-base", "1.0-1+deb12u2", "demo"), pypi("flask", "1")]
    report = archive(lists).ask(asked)
    assert report.errors == ()
    assert found(report) == {"libdemo1": ["CVE-2026-2001", "CVE-2026-2002"]}
    (one, _) = report.vulnerabilities
    assert (one.severity, one.fixed_in, one.said_by) == ("unknown", ("1.0-1+deb12u2",), ("changelog",))
    assert report.asked == report.answered == (asked[0].purl, asked[1].purl)
    assert (report.data_date, report.expires) == (NOW, NOW + timedelta(days=7))
    assert report.canaries[0].found == ("CVE-2026-1001",)
    assert any("has not fixed" in limit for limit in report.limits)


def test_only_what_lies_between(lists):
    """What an installed security update has fixed already is not found again."""
    assert found(archive(lists).ask([deb("libdemo1", "1.0-1+deb12u1", "demo")])) == {"libdemo1": ["CVE-2026-2002"]}


def test_the_source_version_counts(lists):
    """A rebuilt binary is compared by its own version, its changelog by the source package's."""
    asked = deb("libdemo1", "1.0-1+deb12u1+b1", "demo", "1.0-1+deb12u1")
    assert found(archive(lists).ask([asked])) == {"libdemo1": ["CVE-2026-2002"]}


def test_a_security_update_that_names_nothing(lists):
    """A security update without a CVE in its changelog is a finding of unknown severity all the same."""
    report = archive(lists).ask([deb("quiet", "2-1")])
    assert found(report) == {"quiet": ["DEBIAN-UPDATE-quiet-2-2"]}
    assert report.vulnerabilities[0].severity == "unknown"


def test_a_changelog_that_was_cut_off(lists):
    """A changelog that does not reach back to the installed version does not tell all."""
    assert found(archive(lists).ask([deb("libdemo1", "0.1-1", "demo")]))["libdemo1"][-1].startswith("DEBIAN-UPDATE")


def test_an_update_of_the_release_is_no_vulnerability(tmp_path):
    """A newer version that did not come by the security suite, and names no CVE, is no finding."""
    write_archive(tmp_path)
    packages = (tmp_path / "archive_dists_bookworm-security_main_binary-amd64_Packages").read_text()
    write_suite(tmp_path, "bookworm-updates", packages, label="Debian", valid_days=0)
    write_suite(tmp_path, "bookworm-security", packages.replace("Package: quiet", "Package: other"))
    report = archive(tmp_path).ask([deb("quiet", "2-1")])
    assert (found(report), report.answered) == ({}, (report.asked[0],))


def test_severity_from_another_source(lists):
    """How bad a CVE is comes from whoever knows."""
    known = {"CVE-2026-2002": Severity.LOW}
    source = archive(lists, severity_of=lambda name: known.get(name, Severity.UNKNOWN))
    report = source.ask([deb("libdemo1", "1.0-1+deb12u1", "demo")])
    assert [one.severity for one in report.vulnerabilities] == ["low"]


@pytest.mark.parametrize(
    ("component", "why"),
    [
        (deb("unheard-of", "1"), "no verified suite of debian-12 lists it"),
        (deb("libdemo1", "1.0-2"), "newer than the archive's 1.0-1+deb12u2"),
        (deb("libdemo1", "one two"), "none of Debian's"),
        (deb("mute", "2-1"), "has no changelog"),
    ],
)
def test_what_cannot_be_answered(lists, component, why):
    """A package that the archive does not know, or that its changelog does not explain, is not answered for."""
    report = archive(lists).ask([component])
    assert report.answered == ()
    assert why in report.unanswered[0][1]


def test_a_package_that_does_not_come(lists, tmp_path):
    """A newer package that is not to be had, or is another than was signed, leaves its older one unanswered."""
    debs = tmp_path / "debs"
    shutil.copytree(workshop() / "debs", debs)
    (debs / "libdemo-base_1.0-1+deb12u2_amd64.deb").write_bytes(b"another")
    (debs / "quiet_2-2_amd64.deb").unlink()
    report = archive(lists, debs=debs).ask([deb("libdemo1", "1.0-1"), deb("quiet", "2-1")])
    assert report.answered == ()
    assert all("could not be fetched as the archive lists it" in why for _, why in report.unanswered)


def test_a_changelog_of_another_version(tmp_path):
    """A linked changelog of a sibling that was built from another source version explains nothing."""
    folder = workshop() / "debs"
    linking = stanza(folder / "libdemo1_1.0-1+deb12u2_amd64.deb")
    sibling = stanza(folder / "libdemo-base_1.0-1+deb12u2_amd64.deb", Source="demo (1.0-9)")
    expat = stanza(next(folder.glob("libexpat1*")))
    write_archive(tmp_path, packages=f"{linking}\n{sibling}\n{expat}")
    report = archive(tmp_path).ask([deb("libdemo1", "1.0-1", "demo")])
    assert report.unanswered == (
        (report.asked[0], "libdemo1 keeps its changelog in libdemo-base, which the archive has not of its version"),
    )


def test_one_bad_signature_among_good_ones(tmp_path):
    """A second signed text behind a first that is well signed is not read: the file is refused."""
    good = write_archive(tmp_path / "good")
    other = write_archive(tmp_path / "other", key="other", date=NOW + timedelta(days=1))
    good.write_bytes(good.read_bytes() + other.read_bytes())
    report = archive(good.parent).ask([deb("libdemo1", "1.0-1+deb12u2", "demo")])
    assert report.errors[0].startswith("bookworm-security: expected a signature")


def test_the_next_package_has_the_changelog(tmp_path):
    """Of packages from one source that are older, one with a changelog explains those without."""
    folder = workshop() / "debs"
    mute = stanza(folder / "mute_2-2_amd64.deb", Source="quiet")
    others = [stanza(next(folder.glob(f"{name}*"))) for name in ("quiet", "libexpat1")]
    write_archive(tmp_path, packages="\n".join([mute, *others]))
    report = archive(tmp_path).ask([deb("mute", "2-1", "quiet"), deb("quiet", "2-1")])
    assert found(report) == {name: ["DEBIAN-UPDATE-quiet-2-2"] for name in ("mute", "quiet")}


def test_what_is_no_package():
    """Bytes that are no .deb have no changelog, and say so."""
    with pytest.raises(IntegrityError, match="its package cannot be read"):
        read_changelog(b"rubbish", "a")


def test_apt_is_not_there(lists, monkeypatch):
    """Where apt is to update its lists and cannot be run, that is an error, whatever lists lie there."""
    gpgv = shutil.which("gpgv")
    monkeypatch.setenv("PATH", "/nowhere")
    signed = AptLists(lists, workshop() / "good.gpg", refresh=True, gpgv=gpgv)
    report = DebianArchive(signed, workshop() / "debs").ask([deb("libdemo-base", "1.0-1+deb12u2", "demo")])
    assert report.errors[0] == "apt-get cannot be run"


def test_an_unreadable_inrelease(lists):
    """An InRelease that cannot be read is an error, even if it may be of another archive."""
    (lists / "else_InRelease").symlink_to(lists / "nowhere")
    report = archive(lists).ask([deb("libdemo-base", "1.0-1+deb12u2", "demo")])
    assert report.errors == ("an InRelease cannot be read (FileNotFoundError)",)


def test_another_release(lists):
    """Lists of one release say nothing of another's packages."""
    report = archive(lists).ask([deb("libdemo1", "1.0-1", distro="debian-13")])
    assert report.answered == ()
    assert report.errors == ("there is no security suite of debian-13",)


def test_the_same_bytes(lists, tmp_path):
    """Two scans of the same archive, wherever it lies, give the same report."""
    other = tmp_path / "elsewhere"
    shutil.copytree(lists, other, ignore=shutil.ignore_patterns("elsewhere"))
    asked = [deb("libdemo1", "1.0-1", "demo"), deb("quiet", "2-1")]
    assert report_bytes(archive(lists).ask(asked)) == report_bytes(archive(other).ask(asked[::-1]))


@pytest.mark.parametrize("kind", ["gz", "xz", "lz4"])
def test_packed_lists(lists, kind):
    """An index is read as apt keeps it, packed one way or another."""
    if shutil.which(packer := {"gz": "gzip", "xz": "xz", "lz4": "lz4"}[kind]) is None:
        pytest.skip(f"{packer} is not installed")
    for file in list(lists.glob("*_Packages")):
        subprocess.run([packer, "-q", "-k", str(file)], check=True)
        if not Path(f"{file}.{kind}").exists():
            Path(f"{file}.{kind}").write_bytes(
                subprocess.run([packer, "-c", str(file)], capture_output=True, check=True).stdout
            )
        file.unlink()
    report = archive(lists).ask([deb("libdemo1", "1.0-1+deb12u2", "demo")])
    assert (report.errors, len(report.answered)) == ((), 1)


def test_what_surrounds_a_signature_is_not_read(lists):
    """Text before or behind the signed part of an InRelease says nothing."""
    file = lists / "archive_dists_bookworm-security_InRelease"
    file.write_text(file.read_text() + "\nValid-Until: Fri, 01 Jan 2100 00:00:00 UTC\n")
    report = archive(lists).ask([deb("libdemo1", "1.0-1+deb12u2", "demo")])
    assert report.errors or report.expires == NOW + timedelta(days=7)


def _apt_folder(name):
    done = subprocess.run(["apt-config", "shell", "FOLDER", name], capture_output=True, text=True, check=False)
    return Path(done.stdout.strip().removeprefix("FOLDER=").strip("'"))


KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@pytest.mark.skipif(
    shutil.which("apt-config") is None
    or not KEYRING.is_file()
    or not list(_apt_folder("Dir::State::lists/d").glob("*bookworm-security_InRelease")),
    reason="needs apt with the lists of Debian 12",
)
def test_the_live_archive(tmp_path):
    """Against the real archive an expat of the first Debian 12 has CVEs that are fixed by now."""
    lists = AptLists(_apt_folder("Dir::State::lists/d"), KEYRING)
    report = DebianArchive(lists, tmp_path / "debs").ask([deb("libexpat1", "2.5.0-1", "expat")])
    assert report.errors == ()
    assert report.unanswered == ()
    assert {"CVE-2024-45491", "CVE-2024-45492"} <= set(found(report)["libexpat1"])
    assert len(report.canaries[0].found) > 20
