"""A look at advisories, judged again: by reports as they came, their own moment, and the waivers of now."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from lens_core.errors import IntegrityError
from lens_core.model import Verdict
from lens_core.supply.advisories import AdvisoryReport, Canary, digest_of_reports, read_report, report_bytes
from lens_core.supply.advisory_gates import AdvisoryPolicy
from lens_core.supply.look import look
from lens_core.supply.osv import Vulnerability
from lens_core.supply.sbom import Product, generate_from_lock
from lens_core.supply.vex import Waiver, Waivers
from lens_core.supply.words import Severity

NOW = datetime(2026, 11, 26, 4, tzinfo=UTC)
POLICY = AdvisoryPolicy(timedelta(days=7))
PURL = "pkg:pypi/flask@3.0"
SBOM = generate_from_lock("flask==3.0 --hash=sha256:00\n", Product("lens-engine", "1.0", 0))
WAIVED = Waivers(
    (Waiver("CVE-1", PURL, "mia", "not called", "not_affected", ("code_not_reachable",), date(2026, 12, 1)),)
)


def flaw(name, severity, purl=PURL):
    """A vulnerability."""
    return Vulnerability(purl, (name,), Severity(severity), "text", (), ("versions",))


def reports(*found, **changes):
    """What a sound source said of the one package."""
    whole = AdvisoryReport(
        "osv", "1", "sha256:" + "0" * 64, 7, NOW - timedelta(days=1), None, (PURL,), (PURL,), (), found,
        (Canary("pkg:pypi/x@1", "pypi", ("CVE-0",)),), (),
    )  # fmt: skip
    return {"osv.json": report_bytes(replace(whole, **changes))}


def judged(given, waivers=None, asked_at=NOW):
    """The look."""
    return look(SBOM, given, waivers or Waivers(), POLICY, asked_at)


def test_a_waiver_changes_what_the_same_reports_say():
    """FAIL without, WAIVED with it; the waiver and what nobody waived are named."""
    given = reports(flaw("CVE-1", "critical"), flaw("CVE-2", "low"))
    before, after = judged(given), judged(given, WAIVED)
    assert (before.verdict, before.waived, len(before.findings)) == (Verdict.FAIL, (), 2)
    assert (after.verdict, after.findings) == (Verdict.WAIVED, (f"CVE-2 in {PURL} (low)",))
    assert after.waived == (f"CVE-1 in {PURL}, waived by mia until 2026-12-01",)
    assert before.digest == after.digest == digest_of_reports([read_report(given["osv.json"])])


def test_data_is_as_old_as_it_was_when_it_was_asked_for():
    """A look does not go stale by itself: how old a look may be is another rule."""
    given = reports()
    assert judged(given).verdict is Verdict.PASS
    assert judged(given, asked_at=NOW + timedelta(days=8)).verdict is Verdict.ERROR


def test_other_packages_findings_are_not_the_candidates():
    """What a report says of a package that the SBOM does not list is nobody's here."""
    assert judged(reports(flaw("CVE-3", "critical", "pkg:pypi/other@1"))).findings == ()


def test_nothing_asked_is_no_pass():
    """Without a report the look is INCONCLUSIVE, and with one that is none there is no look."""
    assert judged({}).verdict is Verdict.INCONCLUSIVE
    with pytest.raises(IntegrityError):
        judged({"osv.json": b"{}"})
