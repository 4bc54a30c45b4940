"""Matching with OSV records: lists and ranges, names, aliases, what cannot be decided, and severities."""

from itertools import permutations

import pytest
from advisory_records import CRITICAL, MEDIUM, deb, pypi, record

from lens_core.supply.osv import AdvisoryIndex, expect_record, group
from lens_core.supply.severities import of_record
from lens_core.supply.words import Component, Severity

V4 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
RANGE = (("introduced", "1.0"), ("fixed", "1.5"), ("introduced", "2.0"), ("last_affected", "2.3"))


def match(component, *records):
    """What an index of the records says of the component."""
    return AdvisoryIndex(records).match(component)


def said_by(component, one):
    """What in the record speaks for the component."""
    return next((found.said_by for found in match(component, one)), ())


@pytest.mark.parametrize(
    ("version", "inside"),
    [("0.9", False), ("1.0", True), ("1.4.9", True), ("1.5", False), ("1.5rc1", True), ("1.9", False), ("2.0", True),
     ("2.3", True), ("2.3.0", True), ("2.3.1", False), ("2.3+local.1", True), ("1.0.dev1", False), ("1!1.2", False)],
)  # fmt: skip
def test_ranges(version, inside):
    """A range begins with its introduction, ends before its fix or behind what is last affected, by PEP 440."""
    assert said_by(pypi("a", version), record("X", "a", events=RANGE)) == (("ranges",) if inside else ())


def test_events_in_any_order():
    """Events count by version, not by their place in the list."""
    assert said_by(pypi("a", "1.2"), record("X", "a", events=RANGE[::-1])) == ("ranges",)
    assert said_by(pypi("a", "1.7"), record("X", "a", events=RANGE[::-1])) == ()


def test_events_at_one_version():
    """A version that is both where it was fixed and where it came back counts as affected."""
    one = record("X", "a", events=(("introduced", "0"), ("introduced", "2.0"), ("fixed", "2.0")))
    assert said_by(pypi("a", "2.0"), one) == ("ranges",)


def test_zero_is_before_everything():
    """``introduced: 0`` holds for versions that sort before 0 as well."""
    assert said_by(pypi("a", "0.dev1"), record("X", "a", events=(("introduced", "0"),))) == ("ranges",)


def test_limits():
    """A limit ends a range for whatever lies behind it."""
    one = record("X", "a", events=(("introduced", "0"), ("limit", "2.0")))
    assert [said_by(pypi("a", version), one) for version in ("1.9", "2.0")] == [("ranges",), ()]


def test_either_way_suffices():
    """A version is affected when the list or the ranges say so, and which of them did is kept."""
    one = record("X", "a", versions=("3.0",), events=(("introduced", "0"), ("fixed", "2.0")))
    assert said_by(pypi("a", "1.0"), one) == ("ranges",)
    assert said_by(pypi("a", "3.0.0"), one) == ("versions",)
    assert said_by(pypi("a", "2.5"), one) == ()


@pytest.mark.parametrize(
    "one",
    [
        record("X", "a", events=(("introduced", "0"), ("fixed", "not-a-version!"))),
        record("X", "a"),
        {
            **record("X", "a"),
            "affected": [{"package": {"ecosystem": "PyPI", "name": "a"}, "ranges": [{"type": "GIT"}]}],
        },
    ],
    ids=["illegible event", "nothing said", "only commits"],
)
def test_what_cannot_be_decided_counts(one):
    """A record of the package that cannot be decided for a version counts as one that holds."""
    assert said_by(pypi("a", "9.9"), one) == ("undecided",)


def test_an_illegible_version():
    """A component whose version cannot be read has every vulnerability of its package, and none of another."""
    component = pypi("a", "2019-09-12!")
    assert said_by(component, record("X", "a", events=(("introduced", "0"), ("fixed", "1")))) == ("undecided",)
    assert said_by(component, record("X", "a", versions=("1.0",))) == ("undecided",)
    assert said_by(component, record("X", "a", versions=("2019-09-12!",))) == ("versions",)
    assert said_by(component, record("X", "b", versions=("1.0",))) == ()


def test_names_are_normalised():
    """PyPI's names compare as PEP 503 says, on both sides."""
    assert said_by(pypi("Foo.Bar_baz", "1"), record("X", "foo-bar--BAZ", versions=("1",))) == ("versions",)


def test_withdrawn_records_do_not_count():
    """A withdrawn record is no vulnerability, and no data of its ecosystem either."""
    index = AdvisoryIndex([record("X", "a", versions=("1",), withdrawn="2026-01-01T00:00:00Z")])
    assert index.match(pypi("a", "1")) == ()
    assert not index.knows(pypi("a", "1"))


def test_aliases_count_once():
    """Records of one vulnerability are one, under its CVE, with the worst severity that one of them knows."""
    (found,) = match(
        pypi("a", "1"),
        record("PYSEC-1", "a", versions=("1",), aliases=["CVE-2026-1", "GHSA-x"]),
        record("GHSA-x", "a", versions=("1",), events=(("introduced", "0"), ("fixed", "1.1")), severity=[CRITICAL]),
        record("OTHER-1", "a", versions=("1",), aliases=["CVE-2026-1"], severity=[MEDIUM]),
    )
    assert found.ids == ("CVE-2026-1", "GHSA-x", "PYSEC-1", "OTHER-1")
    assert (found.severity, found.fixed_in, found.said_by) == (Severity.CRITICAL, ("1.1",), ("ranges", "versions"))
    assert found.finding("osv-dir").rule == "CVE-2026-1"


def test_a_bundle_is_no_alias():
    """An advisory over several upstream vulnerabilities does not make one of them; over a single one it does."""
    records = [record(name, "a", versions=("1",)) for name in ("CVE-2026-1", "CVE-2026-2")]
    bundle = record("DSA-1", "a", versions=("1",), upstream=["CVE-2026-1", "CVE-2026-2"])
    single = record("DSA-1", "a", versions=("1",), upstream=["CVE-2026-1"])
    assert len(match(pypi("a", "1"), *records, bundle)) == 3
    assert len(match(pypi("a", "1"), *records, single)) == 2


def test_groups_keep_packages_apart():
    """The same vulnerability in two packages is two."""
    one = record("X", "a", versions=("1",)), record("X", "b", versions=("1",))
    assert len(group([*match(pypi("a", "1"), *one), *match(pypi("b", "1"), *one)])) == 2


def test_names_link_in_a_chain():
    """Records that share no name themselves are one when a third shares one with each, in any order."""
    names = (("A-1", []), ("C-1", []), ("B-1", ["A-1", "C-1"]))
    records = [record(name, "a", versions=("1",), aliases=aliases) for name, aliases in names]
    for order in permutations(records):
        assert [one.ids for one in match(pypi("a", "1"), *order)] == [("A-1", "B-1", "C-1")]


def test_debian_by_source_package_and_release():
    """A deb is looked up by its source package's name and version, in the records of its own release."""
    one = record("DSA-1", "openssl", ecosystem="Debian:12", events=(("introduced", "0"), ("fixed", "3.0.11-1~deb12u2")))
    index = AdvisoryIndex([one])
    assert index.match(deb("libssl3", "3.0.11-1~deb12u1+b1", "openssl", "3.0.11-1~deb12u1"))[0].ids == ("DSA-1",)
    assert index.match(deb("libssl3", "3.0.11-1~deb12u2", "openssl")) == ()
    assert index.match(deb("libssl3", "1.0", "openssl", distro="debian-13")) == ()
    assert not index.knows(deb("libssl3", "1.0", "openssl", distro="debian-13"))
    assert not index.knows(deb("libssl3", "1.0", "openssl", distro="ubuntu-22.04"))
    assert index.knows(deb("libssl3", "1.0", "openssl", distro="debian-12.5"))


def test_crates_by_semver():
    """A crate's ranges are of semantic versions, in which a prerelease comes before its release."""
    one = record("RUSTSEC-1", "serde", ecosystem="crates.io", events=(("introduced", "0.0.0-0"), ("fixed", "1.2.0")))
    crates = {v: Component(f"pkg:cargo/serde@{v}", "cargo", "serde", v) for v in ("1.1.9", "1.2.0-rc.1", "1.2.0")}
    assert [bool(match(crate, one)) for crate in crates.values()] == [True, True, False]


def test_fixes_above_the_version_only():
    """What fixes it is named lowest first, without what lies below the version."""
    one = record("X", "a", events=(("introduced", "0"), ("fixed", "1.0"), ("introduced", "2"), ("fixed", "2.10")))
    assert match(pypi("a", "2.9"), one)[0].fixed_in == ("2.10",)


@pytest.mark.parametrize(
    ("more", "severity"),
    [
        ({}, "unknown"),
        ({"severity": [{"type": "CVSS_V2", "score": "AV:N/AC:L/Au:N/C:P/I:P/A:P"}]}, "high"),
        ({"severity": [CRITICAL]}, "critical"),
        ({"severity": [{"type": "CVSS_V4", "score": V4}]}, "critical"),
        ({"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N"}]}, "unknown"),
        ({"severity": [{"type": "CVSS_V3", "score": "9.8"}]}, "unknown"),
        ({"severity": [{"type": "Ubuntu", "score": "low"}]}, "low"),
        ({"database_specific": {"severity": "MODERATE"}}, "medium"),
        ({"database_specific": {"severity": 7}}, "unknown"),
        ({"severity": [MEDIUM], "database_specific": {"severity": "HIGH"}}, "high"),
    ],
)  # fmt: skip
def test_severity(more, severity):
    """CVSS of any version and the database's own word count, the worst of them; illegible ones say nothing."""
    assert of_record(record("X", "a", **more)) == Severity(severity)


def test_severity_of_a_package_entry():
    """A severity that stands with one affected package counts too."""
    one = record("X", "a", versions=("1",))
    one["affected"][0]["severity"] = [CRITICAL]
    assert of_record(one) == Severity.CRITICAL


def test_severity_by_any_name():
    """A vulnerability's severity is found under its id and its aliases."""
    index = AdvisoryIndex([record("PYSEC-1", "a", aliases=["CVE-1"], severity=[MEDIUM])])
    assert [index.severity_of(name) for name in ("PYSEC-1", "CVE-1", "CVE-2")] == ["medium", "medium", "unknown"]


@pytest.mark.parametrize(
    "value",
    [None, [], {}, {"id": 1}, {"id": "X"}, {"id": "X", "affected": None}, {"id": "X", "affected": ["a"]},
     record("X", "a", aliases="CVE-1"), record("X", "a", severity="high"),
     {"id": "X", "affected": [{"package": "a"}]}, {"id": "X", "affected": [{"versions": "1.0"}]},
     {"id": "X", "affected": [{"ranges": ["1"]}]}, {"id": "X", "affected": [{"ranges": [{"events": [1]}]}]}],
)  # fmt: skip
def test_what_is_no_record(value):
    """A value without the parts that matching relies on is refused, not passed over."""
    with pytest.raises(ValueError, match=r"OSV"):
        expect_record(value)
