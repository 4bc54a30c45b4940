"""Readiness: a candidate that is ready, and every single thing without which it is not."""

from dataclasses import replace
from datetime import timedelta

import pytest
from signing_off import (
    CANDIDATE,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    POLICIES,
    RELEASE,
    RULES,
    approved,
    codes,
    night,
    ready_case,
    recorded,
    stated,
    told,
    unsigned_case,
)

from lens_core.model import Answer, Verdict
from lens_core.signoff.readiness import readiness
from lens_core.signoff.words import Act, Measured, Role, Scan, State

READY = ready_case()


def ready_of(case, now=NOW, rules=RULES):
    """Where the case stands."""
    return readiness(case, rules, now)


def cut_with(**changes):
    """The ready case with another cut."""
    return {"cut": replace(READY.cut, **changes)}


def test_three_good_nights_and_four_approvals_are_ready():
    """Nothing stands against it, and everything that follows is said."""
    ready = ready_of(READY)
    assert ready.ready
    assert ready.blockers == ()
    assert ready.warnings == ()
    assert ready.state is State.APPROVED
    assert ready.candidate == str(CANDIDATE.digest)
    assert ready.plan.stages == RULES.plans["low"].stages
    assert ready.timeline.earliest == NOW.replace(hour=8)
    assert ready.timeline.recommended == NOW.replace(hour=8) + DAY
    assert ready.timeline.approvals_until == NOW - HOUR + 72 * HOUR
    assert ready.timeline.streak_until == NOW.replace(hour=4) + 7 * DAY


WITHOUT = {
    # what is taken away or goes wrong: (the blocker that says so first, what it says)
    "the cut": ({"cut": None}, "cut", "1.2.0 was not cut"),
    "a byte of the cut": (cut_with(faults=("lens.whl: expected a, saw b",)), "cut", "lens.whl: expected a"),
    "the right version": (cut_with(release=replace(RELEASE, version="1.1.9")), "cut", "the cut is of 1.1.9"),
    "a clean tree": (
        cut_with(release=replace(RELEASE, candidate=replace(CANDIDATE, dirty=True))),
        "cut",
        "changes that its commit does not have",
    ),
    "the SBOM": (cut_with(files={**READY.cut.files, "sbom/lens.cdx.json": ""}), "cut", "no sbom/lens.cdx.json"),
    "the files": (cut_with(files={}), "cut", "holds no sbom/lens.cdx.json, no provenance.dsse.json, no gates.json"),
    "all answers of the cut": (cut_with(answers=()), "cut_gates", "no gate of a cut has answered"),
    "a good answer of the cut": (
        cut_with(answers=(Answer("line_coverage", "", Verdict.FAIL, "0.8 is not ≥ 0.9"), *READY.cut.answers)),
        "cut_gates",
        "line_coverage is FAIL: 0.8",
    ),
    "an answer that is sure": (
        cut_with(answers=(Answer("sast_bandit", "", Verdict.INCONCLUSIVE, "it did not run"), *READY.cut.answers)),
        "cut_gates",
        "sast_bandit is INCONCLUSIVE",
    ),
    "who cut it": (cut_with(release=replace(RELEASE, cut_by="")), "people", "who cut the candidate is not known"),
    "the drill": ({"drill": None}, "drill", "it was not drilled"),
    "belief in the drill": ({"drill": replace(READY.drill, fault="seal")}, "drill", "not believed: seal"),
    "a drill that passes": (
        {"drill": replace(READY.drill, verdict=Verdict.INCONCLUSIVE)},
        "drill",
        "the drill is INCONCLUSIVE",
    ),
    "a way back": (
        {"drill": replace(READY.drill, rollback_safe="no", copy_first=False)},
        "risk",
        "high by rollback_safety: no way back is proven",
    ),
    "every night": ({"nights": ()}, "nights", "0 of 3 consecutive nights"),
    "the scan": ({"scan": None}, "scan", "no advisory source was asked"),
    "a scan of these days": ({"scan": Scan(NOW - 72 * HOUR, Verdict.PASS, "")}, "scan", "older than"),
    "a scan of the past": ({"scan": Scan(NOW + 3 * MINUTE, Verdict.PASS, "")}, "scan", "of the future"),
    "a clean scan": ({"scan": Scan(NOW, Verdict.FAIL, "1 critical")}, "scan", "advisories say FAIL: 1 critical"),
    "a sure scan": ({"scan": Scan(NOW, Verdict.INCONCLUSIVE, "stale")}, "scan", "advisories say INCONCLUSIVE"),
    "all measurements": ({"measured": ()}, "risk", "nobody looked at trend, open_alerts"),
    "one measurement": ({"measured": READY.measured[:1]}, "risk", "nobody looked at open_alerts"),
    "a low risk": (
        {"measured": (Measured("trend", 1.0, ""), Measured("open_alerts", 3.0, ""))},
        "approvals",
        "the risk changed from low",
    ),
    "all statements": ({"statements": ()}, "approvals", "no approval by platform: nobody gave it"),
    "a whole log": ({"audit": "entry 7 was edited"}, "audit", "entry 7 was edited"),
    "any log": ({"audit_at": None}, "audit", "the audit log is empty"),
    "a clock": ({"audit_at": NOW + 3 * MINUTE}, "clock", "the clock says 2026-11-26 12:00 UTC"),
    **{
        f"the policy of {name}": ({"policies": {k: v for k, v in POLICIES.items() if k != name}}, code, said)
        for name, code, said in (
            ("night", "nights", "another gate policy than today's"),
            ("dataset", "nights", "another data set than today's"),
            ("cut", "cut_gates", "no policy of cuts"),
            ("drill", "drill", "no rules of drills"),
            ("signoff", "people", "no rules of sign-offs"),
        )
    },
    **{
        f"night {place}": ({"nights": READY.nights[:place] + READY.nights[place + 1 :]}, "nights", said)
        for place, said in enumerate(("2 of 3", "1 of 3", "2 of 3"))
    },
    **{
        f"the approval by {role}": (
            {"statements": tuple(one for one in READY.statements if one.statement.role is not role)},
            "approvals",
            f"no approval by {role}: nobody gave it",
        )
        for role in Role
    },
}


@pytest.mark.parametrize("name", WITHOUT)
def test_it_is_not_ready_without(name):
    """Taking away any single piece says which, who can give it, and how."""
    changes, code, said = WITHOUT[name]
    ready = ready_of(replace(READY, **changes))
    assert not ready.ready
    mine = [one for one in ready.blockers if one.code == code]
    assert any(said in one.what for one in mine), ready.blockers
    assert all(one.who and one.how for one in ready.blockers)


def test_nothing_at_all_blocks_everything():
    """Of a candidate of which nothing is known every kind of evidence is missing."""
    nothing = replace(
        READY,
        cut=None,
        drill=None,
        nights=(),
        scan=None,
        measured=(),
        statements=(),
        policies={},
        audit="",
        audit_at=None,
    )
    ready = ready_of(nothing)
    expected = {"cut", "cut_gates", "drill", "nights", "scan", "risk", "audit", "grace", "people", "approvals"}
    assert set(codes(ready)) == expected
    assert ready.state is State.BUILT
    assert ready.dossier is None
    assert ready.timeline.earliest is None
    assert ready.plan is None


def test_the_grace_is_waited_for_to_the_moment():
    """Four hours after the last night closed, and not a microsecond sooner; the log cannot hurry it."""
    ends = NOW.replace(hour=8)
    case = approved(unsigned_case(audit_at=NOW - DAY), at=ends, now=ends)
    early = ends - timedelta(microseconds=1)
    assert codes(ready_of(case, ends)) == []
    assert codes(ready_of(case, early)) == ["grace"]
    assert codes(ready_of(replace(case, audit_at=ends), early)) == ["grace"]
    assert "wait until 2026-11-26 08:00 UTC" in str(ready_of(case, early).blockers[0])


def test_a_clock_that_was_set_back_makes_nothing_younger():
    """Nights, the scan and approvals are as old as the log says, when it is further than the clock."""
    ready = ready_of(replace(READY, audit_at=NOW.replace(hour=4) + 7 * DAY))
    assert {"nights", "scan", "approvals", "clock"} <= set(codes(ready))


def test_a_rejection_is_final():
    """Whoever says no ends it for the digest: no revoke, no lost key and no lost role brings it back."""
    no = recorded(stated(READY, Act.REJECT, Role.PRODUCT, reason="it is too slow for us"))
    case = told(READY, no)
    assert codes(ready_of(case)) == ["rejected"]
    assert ready_of(case).state is State.REJECTED
    assert "dan@example.org (product) rejected it on 2026-11-26 11:00 UTC: it is too slow" in str(
        ready_of(case).blockers[0]
    )
    back = recorded(stated(case, Act.REVOKE, Role.PRODUCT, refers=no.digest))
    assert codes(ready_of(told(case, back))) == ["rejected"]
    doubted = ready_of(told(READY, replace(no, fault="its key was revoked")))
    assert codes(doubted) == ["rejected"]
    assert "not believed today (its key was revoked)" in doubted.blockers[0].what
    elsewhere = replace(RULES, people=tuple(p for p in RULES.people if p.name != "dan@example.org"))
    assert "rejected" in codes(ready_of(case, rules=elsewhere))


def test_a_rejection_of_another_digest_says_nothing_here():
    """What was rejected is the digest, not the version."""
    no = stated(READY, Act.REJECT, Role.PRODUCT)
    other = replace(no, dossier=replace(no.dossier, candidate="sha256:" + "9" * 64))
    assert ready_of(told(READY, recorded(other))).ready


STATES = {
    State.BUILT: unsigned_case(drill=None),
    State.DRILLED: unsigned_case(nights=()),
    State.QUALIFYING: unsigned_case(nights=(night(0),)),
    State.QUALIFIED: unsigned_case(),
    State.APPROVED: READY,
    State.REJECTED: told(READY, recorded(stated(READY, Act.REJECT))),
    State.EXPIRED: unsigned_case(nights=tuple(night(one, Verdict.FAIL) for one in range(7))),
}


@pytest.mark.parametrize("state", State)
def test_a_candidate_comes_as_far_as(state):
    """Every state has its candidate."""
    assert ready_of(STATES[state]).state is state


def test_every_blocker_says_who_can_give_it():
    """A role's blocker names the people who hold it and may, never who cut the candidate."""
    found = {one.what.split()[3].rstrip(":"): one for one in ready_of(unsigned_case()).blockers}
    assert found["qa"].who == "qa: ada@example.org, cleo@example.org"
    assert found["security"].who == "security: bob@example.org"
    assert found["security"].how == "lens approve 1.2.0 --role security"
    assert all("cut@example.org" not in one.who for one in found.values())


def test_an_approval_that_lapsed_says_why_in_its_blocker():
    """Whoever wonders need not look further."""
    ready = ready_of(replace(READY, findings=("CVE-2026-1 of pkg:pypi/a@1",)))
    assert ready.blockers[0].what == (
        "no approval by platform: ada@example.org's does not hold: "
        "lapsed: the known findings changed: with CVE-2026-1 of pkg:pypi/a@1"
    )


def test_warnings_say_what_does_not_block():
    """Statements that are not believed, open reviews, retries, dates that run out, approvals that end too soon."""
    doubted = recorded(stated(READY, Act.COMMENT, Role.QA), fault="its key was revoked")
    seen = ready_of(replace(told(READY, doubted), reviews=("a review is owed",))).warnings
    assert seen == ("a review is owed", "comment by cleo@example.org is not believed: its key was revoked")
    retried = (night(2, Verdict.ERROR), night(2, attempt=2), night(1), night(0))
    assert ready_of(replace(READY, nights=retried)).warnings == ("run again after an ERROR: 2026-11-24.1",)
    late = unsigned_case(nights=tuple(night(one, Verdict.FAIL) for one in range(5)))
    assert ready_of(late).warnings == ("2 dates are left to this digest, too few for 3 more nights",)
    short = approved(unsigned_case(), rules=replace(RULES, approval_ttl=2 * HOUR))
    assert "an approval ends at 2026-11-26 13:00 UTC, before the recommended moment" in (
        ready_of(short, rules=replace(RULES, approval_ttl=2 * HOUR)).warnings
    )
