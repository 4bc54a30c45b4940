"""Advisories from files: every form that they come in, damage, dates, and the real PyPA database."""

import gzip
import json
import zipfile
from collections import Counter
from datetime import UTC, datetime

import pytest
from advisory_records import PYPA, SMALL, deb, pypi, record, write_lines

from lens_core.adapters.advisories_osv_dir import OsvDirectory
from lens_core.supply.advisories import report_bytes
from lens_core.supply.osv import judge
from lens_core.supply.versions import pep440

ASKED = (pypi("jinja2", "2.10"), pypi("flask", "3.0"), deb("libc6", "2.36"))


def as_folder(place):
    """A folder of single records, one of them deeper, and a file that is none."""
    (place / "deep").mkdir(parents=True)
    for number, one in enumerate(SMALL):
        (place / ("deep" if number else "") / f"{one['id']}.json").write_text(json.dumps(one))
    (place / "README.md").write_text("not a record")
    return place


def as_zip(place):
    """An archive as OSV publishes it."""
    place.mkdir()
    with zipfile.ZipFile(place / "all.zip", "w") as archive:
        for one in SMALL:
            archive.writestr(f"{one['id']}.json", json.dumps(one))
    return place / "all.zip"


def as_lines(place):
    """One file, a record a line."""
    place.mkdir()
    return write_lines(place / "a.jsonl", SMALL)


def as_packed_lines(place):
    """The same, compressed."""
    place.mkdir()
    return write_lines(place / "a.jsonl.gz", SMALL)


@pytest.mark.parametrize("make", [as_folder, as_zip, as_lines, as_packed_lines])
def test_every_form(tmp_path, make):
    """Records in a folder, a zip, lines or packed lines say the same, wherever they lie."""
    reports = [OsvDirectory(make(tmp_path / name)).ask(ASKED) for name in ("one", "two")]
    report = reports[0]
    assert report_bytes(report) == report_bytes(reports[1])
    assert str(tmp_path).encode() not in report_bytes(report)
    assert (report.errors, report.records, report.source) == ((), 3, "osv-dir")
    assert report.answered == ("pkg:pypi/flask@3.0", "pkg:pypi/jinja2@2.10")
    assert report.unanswered == ((ASKED[2].purl, "no records of Debian:12"),)
    assert [found.ids for found in report.vulnerabilities] == [("CVE-2026-1", "PYSEC-1")]
    assert {canary.ecosystem: canary.found for canary in report.canaries} == {
        "pypi": ("CVE-2026-1",),
        "deb/debian-12": (),
    }
    assert report.data_date == datetime(2026, 11, 25, 10, tzinfo=UTC)


def test_other_records_have_another_digest(tmp_path):
    """The report binds to the bytes of the database."""
    digests = {OsvDirectory(write_lines(tmp_path / "a.jsonl", SMALL[:n])).ask(ASKED).database for n in (1, 2, 3)}
    assert len(digests) == 3


def test_the_oldest_ecosystem_dates_the_data(tmp_path):
    """Fresh records of one ecosystem do not hide that those of another, which was asked about, are stale."""
    fresh = record("D-1", "glibc", ecosystem="Debian:12", versions=("1",))
    stale = {**SMALL[0], "modified": "2025-01-01T00:00:00Z"}
    source = OsvDirectory(write_lines(tmp_path / "a.jsonl", [fresh, stale]))
    assert source.ask(ASKED).data_date == datetime(2025, 1, 1, tzinfo=UTC)
    assert source.ask(ASKED[2:]).data_date == datetime(2026, 11, 25, 10, tzinfo=UTC)


def test_an_undated_ecosystem_leaves_the_data_undated(tmp_path):
    """Records of one ecosystem without a date are not dated by those of another."""
    undated = record("D-1", "glibc", ecosystem="Debian:12", versions=("1",), modified="")
    assert OsvDirectory(write_lines(tmp_path / "a.jsonl", [*SMALL, undated])).ask(ASKED).data_date is None


@pytest.mark.parametrize("modified", ["", "yesterday", "2026-11-25T10:00:00"])
def test_no_legible_date(tmp_path, modified):
    """A newest date that cannot be read, or names no zone, is none."""
    assert (
        OsvDirectory(write_lines(tmp_path / "a.jsonl", [{**SMALL[0], "modified": modified}])).ask(ASKED).data_date
        is None
    )


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl.gz", gzip.compress(b"{}" * 999, mtime=0)[:-9], "a.jsonl.gz cannot be read (EOFError)"),
        ("a.jsonl.gz", b"not gzip", "a.jsonl.gz cannot be read (BadGzipFile)"),
        ("a.json", b'{"id": "X", "aff', "a.json cannot be read (JSONDecodeError)"),
        ("a.json", b"<html>", "a.json cannot be read (JSONDecodeError)"),
        ("a.json", b"[" * 100_000, "a.json cannot be read (RecursionError)"),
        ("a.json", b'"\xff"', "a.json cannot be read (UnicodeDecodeError)"),
        ("a.json", b'{"id": "X"}', "a.json cannot be read (ValueError)"),
        ("a.zip", b"PK", "a.zip cannot be read (BadZipFile)"),
        ("a.txt", b"nothing", "it holds no records"),
    ],
)
def test_damage(tmp_path, name, content, says):
    """A file that cannot be read is an error of the source, named without its folder; so is having no records."""
    (tmp_path / name).write_bytes(content)
    report = OsvDirectory(tmp_path).ask(ASKED)
    assert report.errors == (says,)
    assert report.answered == ()


def test_nothing_there(tmp_path):
    """A directory that is not there is an error."""
    assert OsvDirectory(tmp_path / "none").ask(ASKED).errors == ("the directory is not there",)


def test_how_bad_an_id_is(tmp_path):
    """The directory says how bad an alias is, for sources that do not know."""
    assert OsvDirectory(write_lines(tmp_path / "a.jsonl", SMALL)).severity_of("CVE-2026-1") == "critical"


needs_pypa = pytest.mark.skipif(not PYPA.is_file(), reason="the PyPA database is not beside the project")


@needs_pypa
def test_pypa_known_answers():
    """jinja2 2.10 and urllib3 1.24 show their advisories, by id; today's jinja2 was not known to be vulnerable."""
    report = OsvDirectory(PYPA).ask([pypi("Jinja2", "2.10"), pypi("urllib3", "1.24"), pypi("jinja2", "3.1.4")])
    names = {}
    for found in report.vulnerabilities:
        names.setdefault(found.purl, set()).update(name for name in found.ids if name.startswith("PYSEC"))
    assert names == {
        "pkg:pypi/Jinja2@2.10": {"PYSEC-2019-217", "PYSEC-2021-66"},
        "pkg:pypi/urllib3@1.24": {
            "PYSEC-2023-207", "PYSEC-2019-132", "PYSEC-2019-133", "PYSEC-2020-148", "PYSEC-2021-108",
            "PYSEC-2023-192", "PYSEC-2023-212",
        },
    }  # fmt: skip
    assert report.data_date == datetime(2024, 10, 10, 17, 22, tzinfo=UTC)
    assert (report.records, report.errors) == (2651, ())


@needs_pypa
def test_pypa_every_listed_version():
    """Each of 139,481 listed versions of live records is affected; ranges alone would miss 118 of them.

    Of those, 108 are no PEP 440 versions; 10 are what the two ways really disagree on (e.g. prereleases).
    """
    said = Counter()
    for line in gzip.decompress(PYPA.read_bytes()).splitlines():
        one = json.loads(line)
        for affected in one["affected"] if not one.get("withdrawn") else ():
            for version in affected.get("versions", ()):
                legible = pep440(version) is not None
                said[judge(one, pypi(affected["package"]["name"], version)), legible] += 1
    assert said == {
        (("ranges", "versions"), True): 139_363,
        (("versions",), True): 10,
        (("versions",), False): 108,
    }
