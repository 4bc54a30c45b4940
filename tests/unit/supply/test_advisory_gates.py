"""The gates on advisory sources: what is green, what is not, and why."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from advisory_records import deb, pypi
from hypothesis import given
from hypothesis import strategies as st

from lens_core.errors import IntegrityError
from lens_core.model import Verdict
from lens_core.supply.advisories import AdvisoryReport, Canary, canaries_of, read_report, report_bytes
from lens_core.supply.advisory_gates import AdvisoryPolicy, answers
from lens_core.supply.osv import Vulnerability
from lens_core.supply.vex import RefusedWaiver, Waiver, Waivers
from lens_core.supply.words import Component, Severity

NOW = datetime(2026, 11, 26, 4, tzinfo=UTC)
POLICY = AdvisoryPolicy(max_age=timedelta(days=7))
FLASK, BASE = pypi("flask", "3.0"), deb("base-files", "12")


def report(source="osv-dir", *, component=FLASK, scale="pypi", **changed):
    """A sound report that answers for one component."""
    whole = AdvisoryReport(
        source, "1", "sha256:" + "0" * 64, 7, NOW - timedelta(days=1), None, (component.purl,), (component.purl,), (),
        (), (Canary("pkg:x/canary@1", scale, ("CVE-1",)),), (),
    )  # fmt: skip
    return replace(whole, **changed)


DEBIAN = report("debian-archive", component=BASE, scale="deb/debian-12")


def flaw(severity, component=FLASK, name="CVE-2026-1", *others):
    """A vulnerability of a component."""
    return Vulnerability(component.purl, (name, *others), Severity(severity), "text", (), ("versions",))


def judge(*reports, components=(FLASK, BASE), waivers=None):
    """The verdicts by gate, and the answers."""
    given_answers = answers(reports, components, POLICY, NOW, waivers or Waivers())
    return {one.gate: one.verdict for one in given_answers}, {one.gate: one for one in given_answers}


def test_green():
    """Sound sources that answer for everything and find nothing let all three gates pass."""
    verdicts, said = judge(report(), DEBIAN)
    assert verdicts == dict.fromkeys(("dependency_audit", "container_scan", "vulnerabilities"), Verdict.PASS)
    audit = said["vulnerabilities"]
    assert (audit.value, audit.threshold, audit.sign, audit.sample_count) == (0, 0, "≤", 2)
    assert audit.evidence.startswith("sha256:")


@pytest.mark.parametrize(
    ("severity", "verdict"),
    [("critical", "FAIL"), ("high", "FAIL"), ("unknown", "INCONCLUSIVE"), ("medium", "PASS"), ("low", "PASS")],
)
def test_severities(severity, verdict):
    """Critical and high fail, unknown is not green, medium and low pass."""
    verdicts, said = judge(report(vulnerabilities=(flaw(severity),)), DEBIAN)
    assert verdicts["dependency_audit"] == verdicts["vulnerabilities"] == Verdict[verdict]
    assert verdicts["container_scan"] == Verdict.PASS
    assert said["vulnerabilities"].value == (0 if verdict == "PASS" else 1)


@pytest.mark.parametrize(
    ("changed", "verdict", "why"),
    [
        ({"errors": ("/v1/querybatch: expected HTTP 200, saw 404",)}, "ERROR", "saw 404"),
        ({"records": 0}, "ERROR", "database is empty"),
        ({"data_date": None}, "ERROR", "does not say how old"),
        ({"data_date": NOW - timedelta(days=8)}, "ERROR", "stale: expected at most 7.0 days, saw 8.0 days"),
        ({"data_date": NOW + timedelta(hours=1)}, "ERROR", "of the future"),
        ({"expires": NOW - timedelta(seconds=1)}, "ERROR", "expired"),
        ({"canaries": ()}, "ERROR", "recognised nothing"),
        ({"canaries": (Canary("a", "pypi", ()),)}, "ERROR", "recognised nothing"),
        ({"canaries": (Canary("a", "npm", ("X",)),)}, "ERROR", "in pypi"),
        ({"answered": ()}, "INCONCLUSIVE", "1 of 1 packages have no sound answer (1 pypi)"),
        ({"answered": (), "unanswered": ((FLASK.purl, "no records of PyPI"),)}, "INCONCLUSIVE", "no records of PyPI"),
        ({"asked": (), "answered": ()}, "INCONCLUSIVE", "no source was asked"),
        ({"asked": (), "answered": (), "errors": ("it crashed",)}, "ERROR", "it crashed"),
        ({"answered": (FLASK.purl, "pkg:pypi/else@1")}, "ERROR", "1 packages that it was not asked about"),
    ],
)
def test_an_unsound_source(changed, verdict, why):
    """A report that proves nothing is not green, and the reason says what is wrong with it."""
    verdicts, said = judge(report(**changed), DEBIAN)
    assert verdicts["dependency_audit"] == Verdict[verdict]
    assert why in said["dependency_audit"].reason
    assert said["dependency_audit"].sample_count == 0
    assert not verdicts["vulnerabilities"].advances
    assert verdicts["container_scan"] == (
        Verdict.ERROR if said["container_scan"].reason.count("crashed") else Verdict.PASS
    )


def test_no_report():
    """Without a report nothing is answered: INCONCLUSIVE, with no value and no evidence."""
    verdicts, said = judge()
    assert set(verdicts.values()) == {Verdict.INCONCLUSIVE}
    assert (said["vulnerabilities"].value, said["vulnerabilities"].evidence) == (None, "")


def test_no_package():
    """An SBOM without packages proves nothing; one without debs leaves the container's gate open."""
    assert set(judge(report(), DEBIAN, components=())[0].values()) == {Verdict.INCONCLUSIVE}
    assert judge(report(), components=(FLASK,))[0]["container_scan"] == Verdict.INCONCLUSIVE


def test_a_source_with_nothing_to_do():
    """A source that is for packages which the SBOM has not takes no part in the gates of others."""
    idle = replace(DEBIAN, asked=(), answered=(), records=0, data_date=None, canaries=())
    verdicts, said = judge(report(), idle, components=(FLASK,))
    assert verdicts["dependency_audit"] == verdicts["vulnerabilities"] == Verdict.PASS
    assert "lists no such package" in said["container_scan"].reason


def test_an_ecosystem_that_nobody_knows():
    """A crate inside a wheel is not answered for by data about Python."""
    crate = Component("pkg:cargo/serde@1.0", "cargo", "serde", "1.0")
    asked = report(asked=(FLASK.purl, crate.purl))
    verdicts, said = judge(asked, DEBIAN, components=(FLASK, crate, BASE))
    assert verdicts["dependency_audit"] == verdicts["vulnerabilities"] == Verdict.INCONCLUSIVE
    assert "1 of 2 packages have no sound answer (1 cargo): pkg:cargo/serde@1.0" in said["dependency_audit"].reason


def test_one_broken_source_of_two():
    """A source that was asked and failed is not made good by another that answered; both findings count."""
    broken = report("osv-api", errors=("no answer",), vulnerabilities=(flaw("critical"),))
    verdicts, said = judge(report(), broken, DEBIAN)
    assert verdicts["dependency_audit"] == Verdict.FAIL
    assert "osv-api: no answer" in said["dependency_audit"].reason


def test_two_sources_count_a_vulnerability_once():
    """What two sources know by different names is one, with the severity that one of them knows."""
    one = report(vulnerabilities=(flaw("unknown", FLASK, "CVE-2026-1"),))
    other = report("osv-api", vulnerabilities=(flaw("low", FLASK, "CVE-2026-1", "GHSA-x"),))
    verdicts, said = judge(one, other, DEBIAN)
    assert verdicts["dependency_audit"] == Verdict.PASS
    assert "1 vulnerabilities" in said["dependency_audit"].reason


def waive(name="CVE-2026-1", purl=FLASK.purl):
    """A waiver in force."""
    return Waiver(name, purl, "mia", "not reachable", "not_affected", ("code_not_reachable",), date(2026, 12, 24))


def test_waived():
    """A waived vulnerability leaves the gate WAIVED and names waiver, owner and expiry; by an alias as well."""
    found = report(vulnerabilities=(flaw("critical", FLASK, "CVE-2026-1", "GHSA-x"),))
    for name in ("CVE-2026-1", "GHSA-x"):
        verdicts, said = judge(found, DEBIAN, waivers=Waivers((waive(name),)))
        assert verdicts["vulnerabilities"] == verdicts["dependency_audit"] == Verdict.WAIVED
        assert verdicts["container_scan"] == Verdict.PASS
        assert "CVE-2026-1 in pkg:pypi/flask@3.0 waived by mia until 2026-12-24" in said["vulnerabilities"].reason


def test_not_waived():
    """A waiver for another version, and one that was refused, waive nothing; the reason says why."""
    found = report(vulnerabilities=(flaw("critical"),))
    refused = RefusedWaiver("CVE-2026-1", FLASK.purl, "it expired on 2026-11-25")
    waivers = Waivers((waive(purl="pkg:pypi/flask@2.0"),), (refused,))
    verdicts, said = judge(found, DEBIAN, waivers=waivers)
    assert verdicts["dependency_audit"] == Verdict.FAIL
    assert "not honoured: it expired on 2026-11-25" in said["dependency_audit"].reason
    assert "it is for pkg:pypi/flask@2.0" in said["dependency_audit"].reason


def test_a_waiver_helps_no_unsound_source():
    """Waiving what was found does not make a stale source fresh."""
    stale = report(vulnerabilities=(flaw("critical"),), data_date=NOW - timedelta(days=30))
    assert judge(stale, DEBIAN, waivers=Waivers((waive(),)))[0]["dependency_audit"] == Verdict.ERROR


@given(st.permutations([0, 1, 2]), st.booleans())
def test_the_order_of_things_is_nothing(order, twice):
    """Reports are the same bytes, and answers the same, whatever order their parts come in."""
    flaws = (flaw("low"), flaw("low", FLASK, "CVE-2026-2"), flaw("low", FLASK, "CVE-2026-3"))
    sorted_report = report(vulnerabilities=flaws, errors=("a", "b"), asked=("x", "y", FLASK.purl))
    mixed = replace(
        sorted_report,
        vulnerabilities=tuple(flaws[n] for n in order),
        asked=(FLASK.purl, "y", "x", *(("x",) if twice else ())),
        errors=("b", "a"),
    )
    assert report_bytes(sorted_report) == report_bytes(mixed)
    assert judge(sorted_report)[0] == judge(read_report(report_bytes(mixed)))[0]


def test_written_and_read():
    """A report is read back whole; reading and writing give the same bytes."""
    whole = report(vulnerabilities=(flaw("high"),), expires=NOW, unanswered=(("pkg:a/b@1", "why"),), limits=("none",))
    assert read_report(report_bytes(whole)) == whole


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1],
        lambda text: text.replace('"records":7', '"records":7,"records":7'),
        lambda text: text.replace('"records":7', '"records": 7'),
        lambda text: text.replace('"records":7', '"records":7,"zzz":1'),
        lambda text: text.replace("lens-advisory-report/1", "lens-advisory-report/2"),
        lambda text: text.replace('"high"', '"harmless"'),
        lambda text: text.replace("2026-11-25T04:00:00Z", "yesterday"),
        lambda text: text[:0] + "[]",
        lambda text: text[:0],
    ],
)
def test_damaged_reports(change):
    """Bytes that are no canonical report are refused."""
    text = report_bytes(report(vulnerabilities=(flaw("high"),))).decode()
    with pytest.raises(IntegrityError):
        read_report(change(text).encode())


def test_every_flipped_bit():
    """A report with any bit flipped is refused, or is read as another report; nothing else happens."""
    whole = report(vulnerabilities=(flaw("high"),), unanswered=(("pkg:a/b@1", "why"),))
    document = report_bytes(whole)
    refused = 0
    for place in range(len(document)):
        for bit in range(8):
            changed = bytearray(document)
            changed[place] ^= 1 << bit
            try:
                assert read_report(bytes(changed)) != whole
            except IntegrityError:
                refused += 1
    assert refused > len(document) * 4


@pytest.mark.parametrize("old", ['"records":7', '"asked":["pkg:pypi/flask@3.0"]', '"canaries":{', '"limits":[]'])
@pytest.mark.parametrize("new", ["1e999", "1" * 40, "[1,null]", "NaN", "{}", '"x"', "null"])
def test_values_of_another_kind(old, new):
    """A value of a kind that the report does not have is refused, not carried on."""
    text = report_bytes(report()).decode()
    key = old.partition(":")[0]
    changed = text.replace(old, f"{key}:{new}" + (',"x":{' if old.endswith("{") else ""))
    assert changed != text
    with pytest.raises(IntegrityError):
        read_report(changed.encode())


def test_canaries():
    """Each ecosystem and each release of Debian has its canary, once; what OSV does not know has none."""
    components = [
        FLASK,
        pypi("b", "1"),
        BASE,
        deb("c", "1", distro="debian-13"),
        Component("pkg:generic/x@1", "generic", "x", "1"),
    ]
    assert [one.purl for one in canaries_of(components)] == [
        "pkg:deb/debian/libexpat1@2.0.1-4?distro=debian-12",
        "pkg:deb/debian/libexpat1@2.0.1-4?distro=debian-13",
        "pkg:pypi/jinja2@2.10",
    ]
