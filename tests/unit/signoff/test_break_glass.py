"""Break-glass: two people, one dossier, an hour at most, never without identity, and somebody else looks at it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from signing_off import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    POLICIES,
    RULES,
    WHO,
    codes,
    dossier_of,
    night,
    recorded,
    stated,
    told,
    unsigned_case,
)

from lens_core.model import Verdict
from lens_core.signoff.approvals import refusals
from lens_core.signoff.break_glass import glass, reviews
from lens_core.signoff.readiness import readiness
from lens_core.signoff.words import Act, Method, Role, State

ASKED, GRANTED = NOW - 20 * MINUTE, NOW - 10 * MINUTE
SHORT = unsigned_case(nights=(night(1), night(0)), audit_at=NOW - DAY)
"""A candidate without its third night, and without approvals."""


def opened(case=SHORT, asks=Role.PLATFORM, grants=Role.SECURITY, **changes):
    """The case with break-glass asked for and granted; ``changes`` are of the grant."""
    request = recorded(stated(case, Act.BREAK_GLASS, asks, ASKED, reason="customers cannot search"))
    grant = stated(case, Act.COUNTERSIGN, grants, GRANTED, refers=request.digest)
    return told(case, request, recorded(replace(grant, **changes)))


def ready_of(case, now=NOW, rules=RULES):
    """Where the case stands."""
    return readiness(case, rules, now)


def is_active(case, now=NOW, rules=RULES):
    """Whether break-glass is active now."""
    seen = glass(case, dossier_of(case, now, rules), rules, now)
    return seen is not None and seen.active


def test_two_people_open_it_and_it_lifts_what_the_rules_name():
    """Nights, grace and approvals are lifted, still shown, and say by whom; the state is no further than it was."""
    ready = ready_of(opened())
    assert ready.ready
    assert {one.code for one in ready.blockers} == {"nights", "grace", "approvals"}
    assert all("ada@example.org and bob@example.org until" in one.lifted for one in ready.blockers)
    assert all("customers cannot search" in one.lifted for one in ready.blockers)
    assert ready.state is State.QUALIFYING
    assert ready.warnings[0].startswith("BREAK-GLASS until 2026-11-26 12:50 UTC")


def test_without_it_the_same_candidate_is_not_ready():
    """Nobody asked, nothing is lifted; asked for by one, neither."""
    assert set(codes(ready_of(SHORT))) == {"nights", "grace", "approvals"}
    assert ready_of(SHORT).glass is None
    alone = replace(opened(), statements=opened().statements[:1])
    seen = ready_of(alone).glass
    assert (seen.active, seen.requested_by, seen.countersigned_by) == (False, "ada@example.org", "")
    assert seen.until == ASKED + HOUR
    assert seen.refers == alone.statements[0].digest
    assert not ready_of(alone).ready


STANDS = {
    "scan": {"scan": None},
    "cut": {"cut": replace(SHORT.cut, faults=("one byte of lens.whl",))},
    "cut_gates": {"policies": {**POLICIES, "cut": ""}},
    "drill": {"drill": replace(SHORT.drill, verdict=Verdict.FAIL)},
    "audit": {"audit": "entry 4 was edited"},
    "clock": {"audit_at": NOW + 3 * MINUTE},
    "expired": {"nights": tuple(night(one, Verdict.FAIL) for one in range(7))},
}


@pytest.mark.parametrize("code", STANDS)
def test_it_does_not_lift(code):
    """The cut, scans, the drill, the audit and the clock stand, and so does what has expired."""
    ready = ready_of(opened(replace(SHORT, **STANDS[code])))
    assert ready.glass.active
    assert codes(ready) == [code]


@pytest.mark.parametrize("code", ["scan", "cut", "audit", "clock", "expired"])
def test_no_rule_lets_it_lift(code):
    """Seals, scans, the log, the clock and the end of a digest stand, whatever ``lens.toml`` says."""
    bold = replace(RULES, lifts=("cut", "scan", "audit", "clock", "expired", "rejected", "people", *RULES.lifts))
    assert codes(readiness(opened(replace(SHORT, **STANDS[code])), bold, NOW)) == [code]


def test_it_does_not_lift_a_rejection():
    """Somebody said no, and that is final."""
    case = opened()
    no = recorded(stated(case, Act.REJECT, Role.PRODUCT))
    assert codes(ready_of(told(case, no))) == ["rejected"]


def test_it_lifts_a_high_risk_onto_the_slowest_plan():
    """The risk is shown as it is, and the rollout is that of a medium one."""
    risky = replace(SHORT, drill=replace(SHORT.drill, rollback_safe="no", copy_first=False))
    assert ready_of(risky).plan is None
    ready = ready_of(opened(risky))
    assert ready.ready
    assert ready.plan.stages == RULES.plans["medium"].stages
    assert ready.plan.said.startswith("high risk, lifted by break-glass")


def test_it_ends_an_hour_after_it_was_granted():
    """By the later of the clock and the log, to the moment."""
    ends = GRANTED + HOUR
    assert is_active(opened(), ends - timedelta(microseconds=1))
    assert not is_active(opened(), ends)
    assert not is_active(replace(opened(), audit_at=ends))
    assert ready_of(opened(), ends).glass.until == ends


def test_it_is_no_longer_than_the_rules_allow_whatever_it_says():
    """A grant that names a later end ends after an hour as well."""
    assert not is_active(opened(expires=NOW + DAY), GRANTED + HOUR)


@pytest.mark.parametrize(
    "changes",
    [
        {"findings": ("CVE-2026-1",)},
        {"nights": (night(1), replace(night(0), record="sha256:" + "0" * 64))},
        {"policies": {**POLICIES, "night": POLICIES["cut"]}},
        {"cut": replace(SHORT.cut, files={**SHORT.cut.files, "gates.json": "sha256:" + "0" * 64})},
    ],
)
def test_it_is_about_one_dossier(changes):
    """When what is known changes it is over, as an approval is."""
    assert is_active(opened())
    assert not is_active(replace(opened(), **changes))


BROKEN = {
    "one person": lambda: opened(grants=Role.PLATFORM),
    "one key": lambda: with_key(opened(), "SHA256:ada@example.org"),
    "who cut it": lambda: opened(person="cut@example.org"),
    "a stranger": lambda: opened(person="eve@example.org"),
    "a role of somebody else": lambda: opened(role=Role.PRODUCT),
    "another request": lambda: opened(refers="sha256:" + "1" * 64),
    "granted in the future": lambda: opened(at=NOW + 3 * MINUTE),
    "granted too late": lambda: opened(at=ASKED + HOUR),
}


def with_key(case, key):
    """The case with another key under its newest statement."""
    return replace(case, statements=(*case.statements[:-1], replace(case.statements[-1], key=key)))


@pytest.mark.parametrize("name", BROKEN)
def test_it_does_not_open_by(name):
    """What should never have been recorded opens nothing when it was."""
    case = BROKEN[name]()
    moment = ASKED + HOUR if name == "granted too late" else NOW
    assert not is_active(case, moment)


@pytest.mark.parametrize("place", [0, 1])
def test_either_of_the_two_ends_it(place):
    """A statement that is taken back, or not believed any more, ends it at once."""
    case = opened()
    one = case.statements[place]
    back = recorded(stated(case, Act.REVOKE, one.statement.role, refers=one.digest))
    assert not is_active(told(case, back))
    doubted = tuple(replace(x, fault="revoked key") if x is one else x for x in case.statements)
    assert not is_active(replace(case, statements=doubted))


def test_the_portals_key_may_sign_for_both():
    """It stands for whoever was authenticated, so one key is no sign of one person there."""
    case = opened()
    by_portal = tuple(replace(one, method=Method.PORTAL, key="ed25519:00") for one in case.statements)
    assert is_active(replace(case, statements=by_portal))


def test_a_use_opens_a_review_that_a_third_person_closes():
    """It is owed from the grant on, also after the hour, and only somebody else's words close it."""
    case = opened()
    (owed,) = reviews(case.statements, RULES)
    assert owed.open
    assert (owed.requested_by, owed.countersigned_by, owed.due) == (
        "ada@example.org",
        "bob@example.org",
        GRANTED + 7 * DAY,
    )
    assert "is due on 2026-12-03" in owed.words(NOW)
    assert "was due on 2026-12-03" in owed.words(NOW + 8 * DAY)
    look = recorded(stated(case, Act.REVIEW, Role.QA, refers=case.statements[1].digest, reason="it was needed"))
    (closed,) = reviews((*case.statements, look), RULES)
    assert closed.closed_by == "cleo@example.org"
    assert closed.words(NOW).endswith("reviewed by cleo@example.org: it was needed")
    assert ready_of(told(case, look)).glass.review == closed.words(NOW)
    for unfit in (replace(look, fault="revoked key"), by_one_of_them(case)):
        assert reviews((*case.statements, unfit), RULES)[0].open


def by_one_of_them(case):
    """A review by whoever granted."""
    return recorded(stated(case, Act.REVIEW, Role.SECURITY, refers=case.statements[1].digest))


def test_a_review_is_owed_though_a_key_was_revoked_since():
    """Losing a key does not make a use of break-glass forgotten; asking alone uses nothing."""
    case = opened()
    doubted = tuple(replace(one, fault="revoked key") for one in case.statements)
    assert [one.open for one in reviews(doubted, RULES)] == [True]
    assert reviews(case.statements[:1], RULES) == ()


def test_an_approval_may_be_given_under_it():
    """What it lifted does not stand in the way of people who look anyway; what it does not lift does."""
    case = opened()
    said = stated(case, role=Role.QA, at=NOW - MINUTE)
    assert refusals(said, case, ready_of(case), RULES, NOW) == ()
    assert [one.person for one in ready_of(told(case, recorded(said))).approvals if one.holds] == [WHO[Role.QA]]
    unseen = replace(case, scan=None)
    (why,) = refusals(said, unseen, ready_of(unseen), RULES, NOW)
    assert why.startswith("evidence: scan: ")
