"""Approvals: what they need to hold, what lapses them, and four roles by four people."""

from dataclasses import replace
from datetime import timedelta

import pytest
from signing_off import (
    CUT_BY,
    DAY,
    HOUR,
    NOW,
    PEOPLE,
    POLICIES,
    RULES,
    WHO,
    approved,
    dossier_of,
    night,
    ready_case,
    recorded,
    sha,
    stated,
    told,
    unsigned_case,
)

from lens_core.model import Verdict
from lens_core.signoff.approvals import approvals, quorum
from lens_core.signoff.people import assign, did_cut
from lens_core.signoff.readiness import readiness
from lens_core.signoff.words import Act, DrillCase, Measured, Method, Person, Role


def held(case, now=NOW, rules=RULES):
    """The roles that are given."""
    return set(quorum(approvals(case, dossier_of(case, now, rules), rules, now)))


def why(case, now=NOW, rules=RULES):
    """Why the newest approval does not hold."""
    return approvals(case, dossier_of(case, now, rules), rules, now)[-1].why


def test_four_approvals_by_four_people_are_enough():
    """Each role has its own, and each says until when it holds."""
    case = ready_case()
    given = approvals(case, dossier_of(case), RULES, NOW)
    assert set(quorum(given)) == set(Role)
    assert {one.expires for one in given} == {NOW - HOUR + 72 * HOUR}
    assert all(one.holds and not one.why for one in given)


CHANGES = {
    "another night": (
        {"nights": (*(night(one) for one in (2, 1)), replace(night(0), record=sha("x")))},
        "the nights of the streak changed: with 2026-11-26.1",
    ),
    "a new drill": (
        {"drill": DrillCase(sha("second"), Verdict.PASS, "", "yes", copy_first=True)},
        "the drill changed from",
    ),
    "another way back": (
        {"drill": DrillCase(sha("drill"), Verdict.PASS, "", "no", copy_first=True)},
        "the way back changed from yes to no, by the copy",
    ),
    "a new vulnerability": ({"findings": ("CVE-2026-1 of pkg:pypi/a@1",)}, "findings changed: with CVE-2026-1"),
    "a waiver": ({"waivers": ("CVE-2026-1 of pkg:pypi/a@1",)}, "the waivers changed: with CVE-2026-1"),
    "another policy": ({"policies": {**POLICIES, "cut": sha("x")}}, f"with cut {sha('x')[:19]}"),
    "another risk": (
        {"measured": (Measured("trend", 0.0, ""), Measured("open_alerts", 2.0, ""))},
        "the risk changed from low",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_approval_lapses_when_what_it_is_about_changes(name):
    """It says which part changed, and holds again when everything is as it was signed."""
    changes, said = CHANGES[name]
    case = ready_case()
    assert said in why(replace(case, **changes))
    assert held(replace(case, **changes)) == set()
    assert held(case) == set(Role)


def test_a_waiver_that_expired_lapses_approvals():
    """What was waived when it was signed is named as gone."""
    case = approved(unsigned_case(waivers=("CVE-2026-1 of pkg:pypi/a@1 until 2026-11-26",)))
    assert "the waivers changed: without CVE-2026-1" in why(replace(case, waivers=()))


def test_a_risk_that_moves_within_its_level_lapses_nothing():
    """Levels are signed, not their last digit."""
    case = ready_case()
    moved = (Measured("trend", 0.05, "a little"), Measured("open_alerts", 0.0, "none"))
    assert held(replace(case, measured=moved)) == set(Role)


def test_a_later_green_night_lapses_nothing():
    """A fourth night does not ask four people again."""
    case = approved(unsigned_case(nights=tuple(night(one) for one in (3, 2, 1))))
    assert held(replace(case, nights=(*case.nights, night(0)))) == set(Role)


def test_an_approval_expires_by_the_later_of_the_clock_and_the_log():
    """A clock that was set back does not make it hold longer."""
    case = ready_case()
    ends = NOW - HOUR + 72 * HOUR
    assert why(case, ends - timedelta(seconds=1)) == ""
    assert why(case, ends) == "expired at 2026-11-29 11:00 UTC"
    assert "expired" in why(replace(case, audit_at=ends), NOW)


def test_an_approval_holds_for_no_longer_than_the_rules_allow():
    """Whatever it says of itself, and however old it was when it was recorded."""
    greedy = stated(unsigned_case(), expires=NOW + 30 * DAY)
    given = approvals(told(unsigned_case(), recorded(greedy)), dossier_of(unsigned_case()), RULES, NOW)
    assert given[0].expires == greedy.at + 72 * HOUR
    early = recorded(stated(unsigned_case(), at=NOW, expires=NOW + 72 * HOUR), at=NOW - HOUR)
    assert approvals(told(unsigned_case(), early), None, RULES, NOW)[0].expires == NOW + 71 * HOUR
    endless = recorded(stated(unsigned_case(), expires=None))
    assert "expired" in why(told(unsigned_case(), endless))


BROKEN = {
    "a fault": (lambda case: recorded(stated(case), fault="its key was revoked"), "not believed: its key was revoked"),
    "a stranger": (lambda case: recorded(stated(case, person="eve@example.org")), "not named in lens.toml"),
    "a role of somebody else": (lambda case: recorded(stated(case, person="bob@example.org")), "not hold the role qa"),
    "no role": (lambda case: recorded(stated(case, role=None)), "does not hold the role"),
    "who cut it": (lambda case: recorded(stated(case, person="cut@example.org")), "cut the candidate"),
    "the future": (lambda case: recorded(stated(case, at=NOW + HOUR)), "of the future"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_approval_does_not_hold_by(name):
    """What should never have been recorded does not count when it was."""
    make, said = BROKEN[name]
    case = unsigned_case()
    case = told(case, make(case))
    assert said in why(case)
    assert held(case) == set()


def test_a_revoke_takes_back_its_own_persons_approval_only():
    """The words of the revoke are given as the reason; somebody else's revoke does nothing."""
    case = approved(unsigned_case())
    mine = case.statements[-1]
    own = recorded(stated(case, Act.REVOKE, Role.PRODUCT, refers=mine.digest, reason="I overlooked something"))
    foreign = recorded(stated(case, Act.REVOKE, Role.QA, refers=mine.digest))
    assert held(told(case, foreign)) == set(Role)
    assert held(told(case, own)) == set(Role) - {Role.PRODUCT}
    assert "I overlooked something" in why(told(case, own))


def test_a_revoke_stays_when_its_key_is_revoked():
    """What takes trust away is not undone by losing a key."""
    case = approved(unsigned_case())
    back = recorded(stated(case, Act.REVOKE, Role.PRODUCT, refers=case.statements[-1].digest), fault="revoked key")
    assert Role.PRODUCT not in held(told(case, back))


def test_one_person_stands_for_one_role():
    """Somebody with two roles who approved in both counts once, and the blocker says why."""
    case = approved(unsigned_case(), roles=(Role.PLATFORM, Role.SECURITY, Role.PRODUCT))
    case = told(case, recorded(stated(case, role=Role.QA, person=WHO[Role.PLATFORM])))
    assert len(held(case)) == 3
    ready = readiness(case, RULES, NOW)
    assert not ready.ready
    assert "four roles, four people, four keys" in ready.blockers[0].what


def test_one_key_stands_for_one_person():
    """Two principals with one SSH key are one hand; the portal's key is everybody's."""
    case = approved(unsigned_case(), roles=(Role.PLATFORM, Role.SECURITY))
    same = recorded(stated(case, role=Role.PRODUCT), key=case.statements[0].key)
    assert len(held(told(case, same))) == 2
    portal = [recorded(stated(case, role=role), Method.PORTAL, "ed25519:00") for role in (Role.QA, Role.PRODUCT)]
    assert held(told(case, *portal)) == set(Role)


def test_whoever_could_fill_two_roles_fills_the_one_that_nobody_else_can():
    """The largest set of roles is found, whatever the order."""
    options = {Role.PLATFORM: ["ada"], Role.SECURITY: ["bob"], Role.QA: ["ada", "cleo"], Role.PRODUCT: ["dan"]}
    for order in (list(Role), list(reversed(Role))):
        found = assign({role: options[role] for role in order}, lambda one, other: one == other)
        assert found == {Role.PLATFORM: "ada", Role.SECURITY: "bob", Role.QA: "cleo", Role.PRODUCT: "dan"}


@pytest.mark.parametrize(
    ("person", "cut_by", "did"),
    [
        (Person("cut@example.org", ()), CUT_BY, True),
        (Person("x", (), ("CUT@Example.org",)), CUT_BY, True),
        (Person("cuthbert cutter", ()), CUT_BY, True),
        (Person("x", (), ("cut@example.org",)), "cut@example.org", True),
        (Person("x", (), ("ｃut@example.org",)), CUT_BY, True),
        (Person("x", (), ("other@example.org",)), CUT_BY, False),
        (Person("x", ()), "", True),
        (Person("x", ()), " <>", True),
    ],
)
def test_who_cut_is_known_by_name_and_address(person, cut_by, did):
    """Case and width of letters do not matter; a cutter who is not known could be anybody."""
    assert did_cut(person, cut_by) is did


def test_people_who_are_not_enough_are_a_blocker():
    """Four roles that three people hold between them, or none of whom may, cannot be given."""
    three = replace(RULES, people=tuple(one for one in PEOPLE if one.name != "cleo@example.org"))
    said = [one.what for one in readiness(unsigned_case(), three, NOW).blockers if one.code == "people"]
    assert said == ["four roles need four different people who did not cut it, these are enough for 3"]
    nobody = replace(RULES, people=())
    assert [b.code for b in readiness(ready_case(), nobody, NOW).blockers] == ["people"] * 4 + ["approvals"] * 4
