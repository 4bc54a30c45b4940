"""Waivers that people stated: one vulnerability of one package version, by security, until a date."""

from dataclasses import replace
from datetime import timedelta

import pytest
from signing_off import CUT_BY, DAY, HOUR, NOW, RULES, recorded, stated, told, unsigned_case

from lens_core.signoff.waivers import fault_of, standing_waivers, waiver_of
from lens_core.signoff.words import Act, Role
from lens_core.supply.vex import read_vex, write_vex

WAIVED = {
    "vulnerability": "CVE-2026-1",
    "purl": "pkg:pypi/a@1",
    "state": "exploitable",
    "grounds": "will_not_fix, workaround_available",
}
CASE = unsigned_case()
ONE = stated(CASE, Act.WAIVE, Role.SECURITY, waived=WAIVED, reason="behind the proxy")


def holding(*statements, now=NOW, rules=RULES):
    """What holds of these statements."""
    return standing_waivers(statements, ONE.dossier.candidate, CUT_BY, rules, now)


def test_a_stated_waiver_is_one_as_the_file_knows_them():
    """It names package, grounds and owner, and the file of waivers takes it."""
    waiver = waiver_of(ONE)
    assert waiver.grounds == ("will_not_fix", "workaround_available")
    assert (waiver.owner, waiver.reason, waiver.expires) == ("bob@example.org", "behind the proxy", ONE.expires.date())
    assert read_vex(write_vex([waiver]), NOW).in_force == (waiver,)
    assert holding(recorded(ONE)) == (recorded(ONE),)


@pytest.mark.parametrize(
    ("waived", "said"),
    [
        ({}, "saw nothing"),
        ({**WAIVED, "all": "yes"}, "saw all, grounds"),
        ({**WAIVED, "vulnerability": "*"}, "names no vulnerability"),
        ({**WAIVED, "purl": "pkg:pypi/a"}, "names no one version"),
        ({**WAIVED, "purl": "pkg:pypi/a@*"}, "a wildcard waives nothing"),
        ({**WAIVED, "state": "resolved"}, "waives nothing"),
        ({**WAIVED, "grounds": "because"}, "needs a response"),
        ({**WAIVED, "state": "not_affected", "grounds": ""}, "needs a justification"),
    ],
)
def test_what_the_file_would_not_honour_nobody_can_state(waived, said):
    """The same rules hold for both."""
    one = replace(ONE, waived=waived)
    assert said in fault_of(one, NOW)
    assert holding(recorded(one)) == ()


@pytest.mark.parametrize(
    "broken",
    [
        recorded(ONE, fault="its key was revoked"),
        recorded(replace(ONE, role=Role.QA, person="cleo@example.org")),
        recorded(replace(ONE, person="cut@example.org")),
        recorded(replace(ONE, at=NOW + HOUR)),
        recorded(replace(ONE, dossier=replace(ONE.dossier, candidate="sha256:" + "9" * 64))),
    ],
)
def test_a_waiver_does_not_hold_that_should_never_have_been_recorded(broken):
    """Not believed, of another role, of who cut it, of the future, of another digest."""
    assert holding(broken) == ()


def test_a_waiver_ends():
    """At its moment, when it is taken back, and when its person is not security any more."""
    kept = recorded(ONE)
    assert holding(kept, now=ONE.expires - timedelta(microseconds=1))
    assert not holding(kept, now=ONE.expires)
    back = recorded(stated(told(CASE, kept), Act.REVOKE, Role.SECURITY, refers=kept.digest))
    assert not holding(kept, back)
    assert not holding(kept, rules=replace(RULES, people=()))
    endless = recorded(replace(ONE, expires=None))
    assert not holding(endless, now=NOW + DAY)
