"""Waivers: by name, by somebody, for a reason, until a date; everything else is refused aloud."""

import json
from datetime import UTC, date, datetime

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from places import PROJECT

from lens_core.errors import InvalidInput
from lens_core.supply.vex import Waiver, read_vex, with_waivers, write_vex

NOW = datetime(2026, 11, 26, 23, 59, tzinfo=UTC)
PURL = "pkg:pypi/jinja2@2.10"


def entry(**changed):
    """One entry that is honoured, with changes at its top."""
    whole = {
        "id": "CVE-2026-1",
        "affects": [{"ref": PURL}],
        "analysis": {"state": "not_affected", "justification": "code_not_reachable", "detail": "no templates here"},
        "properties": [{"name": "lens:owner", "value": "mia"}, {"name": "lens:expires", "value": "2026-12-24"}],
    }
    return {**whole, **changed}


def document(*entries):
    """A VEX document with the entries."""
    bom = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "vulnerabilities": list(entries)}
    return json.dumps(bom).encode()


def dated(expires, owner="mia"):
    """The properties of an entry."""
    return [{"name": "lens:owner", "value": owner}, {"name": "lens:expires", "value": expires}]


def test_a_whole_waiver():
    """A waiver with name, package, owner, reason, grounds and date is in force."""
    waivers = read_vex(document(entry()), NOW)
    expected = Waiver(
        "CVE-2026-1", PURL, "mia", "no templates here", "not_affected", ("code_not_reachable",), date(2026, 12, 24)
    )
    assert (waivers.in_force, waivers.refused) == ((expected,), ())
    assert waivers.covering(["GHSA-x", "CVE-2026-1"], PURL) == expected


def test_the_last_day_counts():
    """A waiver holds through the whole of its last day, in UTC, and not a minute more."""
    last = document(entry(properties=dated("2026-11-26")))
    assert read_vex(last, NOW).in_force
    assert not read_vex(last, datetime(2026, 11, 27, 0, 0, tzinfo=UTC)).in_force


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"properties": dated("2026-11-25")}, "expired on 2026-11-25"),
        ({"properties": dated("9999-12-31")}, "more than 366 days"),
        ({"properties": dated("soon")}, "expected a date"),
        ({"properties": dated("20261224")}, "expected a date"),
        ({"properties": dated("2026-02-30")}, "expected a date"),
        ({"properties": dated("2026-12-24", owner=" ")}, "no owner"),
        ({"properties": dated("2026-12-24")[1:]}, "no owner"),
        ({"properties": [*dated("2026-12-24"), *dated("2027-01-01")]}, "no owner"),
        ({"properties": []}, "no owner"),
        ({"properties": 7}, "no owner"),
        ({"id": ""}, "names no vulnerability"),
        ({"id": "CVE-*"}, "names no vulnerability"),
        ({"affects": []}, "names no package"),
        ({"affects": [{"ref": "pkg:pypi/*@2.10"}]}, "wildcard"),
        ({"affects": [{"ref": "pkg:pypi/jinja2@%2A"}]}, "wildcard"),
        ({"affects": [{"ref": "pkg:pypi/jinja2"}]}, "no one version"),
        ({"affects": [{"ref": "pkg:pypi/jinja2@vers:pypi/<3"}]}, "no one version"),
        ({"affects": [{"ref": "jinja2"}]}, "expected a purl"),
        ({"affects": [{"ref": PURL, "versions": [{"range": "vers:pypi/<3"}]}]}, "lists versions"),
        ({"analysis": {"state": "not_affected", "justification": "code_not_reachable"}}, "no reason"),
        ({"analysis": {"state": "not_affected", "detail": "x"}}, "needs a justification"),
        ({"analysis": {"state": "not_affected", "justification": "trust me", "detail": "x"}}, "needs a justification"),
        ({"analysis": {"state": "exploitable", "detail": "x"}}, "needs a response"),
        ({"analysis": {"state": "exploitable", "detail": "x", "response": ["update"]}}, "needs a response"),
        ({"analysis": {"state": "in_triage", "detail": "x"}}, "waives nothing"),
        ({"analysis": {"state": "resolved", "detail": "x"}}, "waives nothing"),
        ({"analysis": {"detail": "x"}}, "waives nothing"),
        ({"analysis": "fine"}, "no reason"),
    ],
)
def test_what_is_not_honoured(changed, why):
    """An entry that lacks something is refused with the reason, and covers nothing."""
    waivers = read_vex(document(entry(**changed)), NOW)
    assert waivers.in_force == ()
    assert [why in refused.why for refused in waivers.refused] == [True]


@pytest.mark.parametrize(
    "purl", ["pkg:pypi/jinja2@2.10.1", "pkg:pypi/flask@2.10", "pkg:npm/jinja2@2.10", PURL + "?os=x"]
)
def test_another_package_or_version(purl):
    """A waiver covers the purl that it names; asked for another it says which one it is for."""
    waivers = read_vex(document(entry()), NOW)
    assert waivers.covering(["CVE-2026-1"], purl) is None
    assert f"it is for {PURL}" in waivers.refusals(["CVE-2026-1"], purl)[0].why


def test_spelling_of_a_purl():
    """A purl is the same whatever the order of its qualifiers."""
    listed = document(entry(affects=[{"ref": "pkg:deb/debian/a@1?distro=debian-12&arch=amd64"}]))
    assert read_vex(listed, NOW).covering(["CVE-2026-1"], "pkg:deb/debian/a@1?arch=amd64&distro=debian-12")


def test_one_bad_reference_of_two():
    """Of two packages in an entry the one that is well named is waived, the other refused."""
    waivers = read_vex(document(entry(affects=[{"ref": PURL}, {"ref": "pkg:pypi/*"}])), NOW)
    assert (len(waivers.in_force), len(waivers.refused)) == (1, 1)


@pytest.mark.parametrize(
    "content",
    [b"", b"[" * 100_000, b"[]", b"{}", b'{"bomFormat":"CycloneDX","specVersion":"1.5"}', b"\xff",
     b'{"bomFormat":"CycloneDX","specVersion":"1.6","vulnerabilities":[1]}'],
)  # fmt: skip
def test_what_is_no_vex(content):
    """A file that is no CycloneDX 1.6 is refused as a whole: no waiver is in force by accident."""
    with pytest.raises(InvalidInput, match="expected"):
        read_vex(content, NOW)


def test_written_and_read():
    """Waivers in force are written as strictly valid CycloneDX 1.6, the same bytes each time, and read back."""
    accepted = {"state": "exploitable", "response": ["will_not_fix"], "detail": "internal only"}
    false = {"state": "false_positive", "detail": "another product"}
    waivers = read_vex(document(entry(), entry(id="A-1", analysis=accepted), entry(id="B-1", analysis=false)), NOW)
    written = write_vex(waivers.in_force)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(written.decode()) is None
    assert write_vex(waivers.in_force[::-1]) == written
    assert read_vex(written, NOW).in_force == waivers.in_force
    assert len(waivers.in_force) == 3


def test_stated_waivers_join_those_of_the_file():
    """Both hold in one valid document; without any the file stays as it is, and without both there is none."""
    file, [stated] = document(entry(id="A-1")), read_vex(document(entry()), NOW).in_force
    joined = with_waivers(file, [stated])
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(joined.decode()) is None
    assert [one.vulnerability for one in read_vex(joined, NOW).in_force] == ["A-1", "CVE-2026-1"]
    assert read_vex(with_waivers(None, [stated]), NOW).in_force == (stated,)
    assert (with_waivers(file, []), with_waivers(None, [])) == (file, None)
    with pytest.raises(InvalidInput, match="CycloneDX"):
        with_waivers(b"{}", [stated])


def test_the_projects_own_waivers():
    """The committed waivers are strictly valid, and every one of them is well made."""
    content = (PROJECT / "data" / "waivers.cdx.json").read_bytes()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(content.decode()) is None
    assert all("expired" in refused.why for refused in read_vex(content, NOW).refused)
