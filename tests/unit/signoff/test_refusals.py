"""Statements before they are recorded: every reason why one may not be, by its code."""

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
    WHO,
    approved,
    night,
    recorded,
    sha,
    stated,
    told,
    unsigned_case,
)

from lens_core.model import Digest, Verdict
from lens_core.signoff.approvals import refusals
from lens_core.signoff.readiness import readiness
from lens_core.signoff.words import Act, Method, Recorded, Role, Scan

FRESH = NOW - MINUTE
WAIVED = {"vulnerability": "CVE-2026-1", "purl": "pkg:pypi/a@1", "state": "exploitable", "grounds": "will_not_fix"}
SHORT = unsigned_case(nights=(night(1), night(0)))
"""A candidate that lacks a night: what break-glass is for."""


def said_of(statement, case, now=NOW, rules=RULES):
    """The codes of the refusals."""
    return [why.partition(":")[0] for why in refusals(statement, case, readiness(case, rules, now), rules, now)]


def make(case, act=Act.APPROVE, role=Role.QA, at=FRESH, **changes):
    """A statement that was signed a minute ago."""
    return stated(case, act, role, at, **changes)


def asked(case=SHORT, role=Role.PLATFORM, **changes):
    """The case with break-glass asked for, and the request."""
    request = recorded(make(case, Act.BREAK_GLASS, role, at=NOW - 2 * MINUTE, **changes))
    return told(case, request), request


def opened(role=Role.SECURITY):
    """The case with break-glass granted, its request and its countersign."""
    case, request = asked()
    grant = recorded(make(case, Act.COUNTERSIGN, role, refers=request.digest))
    return told(case, grant), request, grant


def test_what_may_be_stated_is_not_refused():
    """One of each act that is as it must be, in its place."""
    case = unsigned_case()
    whole = approved(case)
    glass, request = asked()
    used, _, _ = opened()
    good = [
        (make(case), case),
        (make(case, Act.REJECT), case),
        (make(case, Act.COMMENT, role=None, person="bob@example.org"), case),
        (make(whole, Act.REVOKE, refers=whole.statements[2].digest), whole),
        (make(case, Act.WAIVE, Role.SECURITY, waived=WAIVED), case),
        (make(SHORT, Act.BREAK_GLASS), SHORT),
        (make(glass, Act.COUNTERSIGN, Role.SECURITY, refers=request.digest), glass),
        (make(used, Act.REVIEW, Role.QA, refers=request.digest), used),
        (make(used, Act.REVIEW, Role.QA, refers=used.statements[-1].digest), used),
    ]
    assert {statement.act for statement, _ in good} == set(Act)
    assert [said_of(statement, case) for statement, case in good] == [[]] * len(good)


def other_dossier(**changes):
    """An approval over another dossier."""
    one = make(unsigned_case())
    return replace(one, dossier=replace(one.dossier, **changes))


ATTACKS = {
    # what is tried on the candidate that lacks approvals only: its code, and the statement
    "another candidate's": ("candidate", other_dossier(candidate=sha("another wheel"))),
    "another version's": ("candidate", other_dossier(version="9.9.9")),
    "another image": ("candidate", other_dossier(image=sha("x"))),
    "another manifest": ("candidate", other_dossier(manifest=sha("x"))),
    "another SBOM": ("stale", other_dossier(sbom=sha("x"))),
    "fewer nights": ("stale", other_dossier(nights=())),
    "another policy": ("stale", other_dossier(policies=())),
    "a lower risk": ("stale", other_dossier(risk="low")),
    "a stranger": ("unknown_person", make(unsigned_case(), person="eve@example.org")),
    "a name in other letters": ("unknown_person", make(unsigned_case(), person="CLEO@example.org")),
    "a role of somebody else": ("role", make(unsigned_case(), person="bob@example.org")),
    "no role": ("role", make(unsigned_case(), role=None)),
    "who cut it": ("self_approval", make(unsigned_case(), person="cut@example.org")),
    "no reason": ("reason", make(unsigned_case(), reason=" \n")),
    "the future": ("future", make(unsigned_case(), at=NOW + HOUR)),
    "a week ago": ("old", make(unsigned_case(), Act.REJECT, at=NOW - 7 * DAY)),
    "no expiry": ("expiry", make(unsigned_case(), expires=None)),
    "too long": ("expiry", make(unsigned_case(), expires=FRESH + 72 * HOUR + timedelta(microseconds=1))),
    "an end before the beginning": ("expiry", make(unsigned_case(), expires=FRESH)),
    "over already": ("expired", make(unsigned_case(), expires=NOW)),
    "a rejection that expires": ("expiry", make(unsigned_case(), Act.REJECT, expires=NOW + HOUR)),
    "refers to something": ("refers", make(unsigned_case(), refers=sha("x"))),
    "waives something": ("waived", make(unsigned_case(), waived=WAIVED)),
    "a waiver by another role": ("role", make(unsigned_case(), Act.WAIVE, Role.QA, waived=WAIVED)),
    "a waiver of everything": (
        "waived",
        make(unsigned_case(), Act.WAIVE, Role.SECURITY, waived={**WAIVED, "purl": "pkg:pypi/a@*"}),
    ),
    "a waiver without grounds": (
        "waived",
        make(unsigned_case(), Act.WAIVE, Role.SECURITY, waived={**WAIVED, "grounds": ""}),
    ),
    "a waiver without a justification": (
        "waived",
        make(unsigned_case(), Act.WAIVE, Role.SECURITY, waived={**WAIVED, "state": "not_affected", "grounds": ""}),
    ),
    "a waiver for two years": (
        "expiry",
        make(unsigned_case(), Act.WAIVE, Role.SECURITY, waived=WAIVED, expires=FRESH + 366 * DAY + MINUTE),
    ),
    "a waiver by who cut it": (
        "self_approval",
        make(unsigned_case(), Act.WAIVE, Role.SECURITY, waived=WAIVED, person="cut@example.org"),
    ),
    "a revoke of nothing": ("refers", make(unsigned_case(), Act.REVOKE)),
    "break-glass for nothing": ("needless", stated(approved(unsigned_case()), Act.BREAK_GLASS, at=FRESH)),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_refused(name):
    """Each is refused for its own reason, and for that one only."""
    code, statement = ATTACKS[name]
    case = approved(unsigned_case()) if code == "needless" else unsigned_case()
    assert set(said_of(statement, case)) == {code}


def test_without_a_cut_there_is_nothing_to_sign():
    """No act counts on a candidate that is not there."""
    statement = make(unsigned_case())
    assert said_of(statement, unsigned_case(cut=None)) == ["candidate"]


def test_a_statement_is_used_once():
    """A second use of its nonce is a replay, also after it was taken back."""
    case = told(unsigned_case(), recorded(make(unsigned_case())))
    back = told(case, recorded(make(case, Act.REVOKE, refers=case.statements[0].digest)))
    again = case.statements[0].statement
    assert "replay" in said_of(again, case)
    assert said_of(again, back) == ["replay"]
    assert said_of(make(back), back) == []


def test_one_person_speaks_in_one_role():
    """Whoever approved in one role is refused in another, also when the first was taken back."""
    case = told(unsigned_case(), recorded(make(unsigned_case(), role=Role.PLATFORM)))
    second = make(case, role=Role.QA, person=WHO[Role.PLATFORM])
    assert said_of(second, case) == ["second_role"]
    back = told(case, recorded(make(case, Act.REVOKE, Role.PLATFORM, refers=case.statements[0].digest)))
    assert said_of(second, back) == ["second_role"]


def test_one_role_is_given_once():
    """While an approval holds nobody gives that role again, and afterwards somebody can."""
    case = told(unsigned_case(), recorded(make(unsigned_case())))
    assert said_of(make(case), case) == ["double"]
    assert said_of(make(case, person="ada@example.org"), case) == ["double"]
    back = told(case, recorded(make(case, Act.REVOKE, refers=case.statements[0].digest)))
    assert said_of(make(back, person="ada@example.org"), back) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"nights": (night(1), night(0))}, "nights"),
        ({"drill": None}, "drill"),
        ({"scan": None}, "scan"),
        ({"scan": Scan(NOW - HOUR, Verdict.FAIL, "1 critical")}, "scan"),
        ({"measured": ()}, "risk"),
        ({"audit": "entry 7 was edited"}, "audit"),
        ({"policies": {**POLICIES, "drill": ""}}, "drill"),
    ],
)
def test_evidence_comes_first(changes, code):
    """An approval is refused while anything but other approvals and the grace is missing, naming what."""
    case = unsigned_case(**changes)
    found = refusals(make(case), case, readiness(case, RULES, NOW), RULES, NOW)
    assert any(why.startswith(f"evidence: {code}: ") for why in found)
    assert {why.partition(":")[0] for why in found} == {"evidence"}


def test_an_approval_may_come_within_the_grace():
    """The hours after the last night are for people to look."""
    now = NOW.replace(hour=5)
    case = unsigned_case(audit_at=now, scan=Scan(now, Verdict.PASS, "nothing"))
    assert "grace" in [one.code for one in readiness(case, RULES, now).blockers]
    assert said_of(make(case, at=now, now=now), case, now) == []


def test_a_clock_that_was_set_back_is_seen():
    """Nothing is recorded before what was recorded already."""
    case = unsigned_case(audit_at=NOW + HOUR)
    assert "clock" in said_of(make(case), case)
    assert "clock" in said_of(make(case, Act.REJECT), case)


def test_after_a_rejection_nothing_brings_the_candidate_nearer():
    """Approve, waive and break-glass are refused; words, revokes and further rejections are not."""
    case = told(unsigned_case(), recorded(make(unsigned_case(), Act.REJECT, Role.PRODUCT)))
    assert set(said_of(make(case), case)) == {"evidence", "rejected"}
    assert said_of(make(case, Act.WAIVE, Role.SECURITY, waived=WAIVED), case) == ["rejected"]
    assert "rejected" in said_of(make(case, Act.BREAK_GLASS), case)
    assert said_of(make(case, Act.REJECT, Role.SECURITY), case) == []
    assert said_of(make(case, Act.COMMENT), case) == []


def test_a_rejection_counts_on_whatever_is_known_by_now():
    """Saying no does not wait for the newest dossier; the candidate must be the same."""
    earlier = make(unsigned_case(), Act.REJECT)
    assert said_of(earlier, unsigned_case(findings=("CVE-2026-1",), audit="broken")) == []


def test_everybody_takes_back_what_is_their_own():
    """Another's statement, one that is final, and one that was taken back are refused."""
    case = approved(unsigned_case())
    platform, product = case.statements[0], case.statements[3]
    assert said_of(make(case, Act.REVOKE, Role.PRODUCT, refers=platform.digest), case) == ["not_own"]
    back = told(case, recorded(make(case, Act.REVOKE, Role.PRODUCT, refers=product.digest)))
    assert said_of(make(back, Act.REVOKE, Role.PRODUCT, refers=product.digest), back) == ["double"]
    no = told(case, recorded(make(case, Act.REJECT, Role.PRODUCT)))
    assert said_of(make(no, Act.REVOKE, Role.PRODUCT, refers=no.statements[-1].digest), no) == ["final"]


def test_a_revoke_of_what_nobody_knows_is_refused():
    """It must name a statement of this candidate."""
    case = unsigned_case()
    assert said_of(make(case, Act.REVOKE, refers=sha("nothing")), case) == ["refers"]


def test_break_glass_takes_two():
    """Whoever asked does not grant, nobody grants twice, and nobody who cut takes part."""
    case, request = asked()
    grant = {"act": Act.COUNTERSIGN, "refers": request.digest}
    assert said_of(make(case, role=Role.PLATFORM, **grant), case) == ["second_person"]
    assert said_of(make(case, role=Role.QA, person="cut@example.org", **grant), case) == ["self_approval"]
    assert said_of(make(SHORT, Act.BREAK_GLASS, person="cut@example.org"), SHORT) == ["self_approval"]
    assert said_of(make(case, Act.BREAK_GLASS, Role.PRODUCT), case) == ["double"]
    used, _, _ = opened()
    assert said_of(make(used, role=Role.QA, **grant), used) == ["request"]


@pytest.mark.parametrize("act", [Act.BREAK_GLASS, Act.COUNTERSIGN])
def test_break_glass_is_short(act):
    """An hour is the most that can be asked for or granted."""
    case, request = asked()
    refers = request.digest if act is Act.COUNTERSIGN else ""
    place = case if refers else SHORT
    long = make(place, act, Role.SECURITY, refers=refers, expires=FRESH + 61 * MINUTE)
    assert said_of(long, place) == ["expiry"]


def test_a_request_that_is_over_cannot_be_granted():
    """Its hour has passed, it was taken back, it is not believed, or the evidence is another by now."""
    case, request = asked()
    grant = make(case, Act.COUNTERSIGN, Role.SECURITY, refers=request.digest)
    back = told(case, recorded(make(case, Act.REVOKE, Role.PLATFORM, refers=request.digest)))
    assert said_of(replace(grant, nonce="n"), back) == ["request"]
    faulty = replace(case, statements=(replace(request, fault="its key was revoked"),))
    assert said_of(grant, faulty) == ["request"]
    later = NOW + HOUR
    late = make(case, Act.COUNTERSIGN, Role.SECURITY, at=later, now=later, refers=request.digest)
    assert said_of(late, case, later) == ["request"]
    changed = replace(case, findings=("CVE-2026-1",))
    now_about = make(changed, Act.COUNTERSIGN, Role.SECURITY, refers=request.digest)
    assert said_of(now_about, changed) == ["request"]
    assert said_of(make(case, Act.COUNTERSIGN, Role.SECURITY, refers=sha("x")), case) == ["refers"]


def test_a_third_person_reviews_once():
    """Neither of the two reviews, and the review that is there stays the one."""
    case, request, _ = opened()
    look = {"act": Act.REVIEW, "refers": request.digest}
    assert said_of(make(case, role=Role.PLATFORM, **look), case) == ["third_person"]
    assert said_of(make(case, role=Role.SECURITY, **look), case) == ["third_person"]
    assert said_of(make(case, role=Role.QA, person="cut@example.org", **look), case) == ["self_approval"]
    done = told(case, recorded(make(case, role=Role.QA, **look)))
    assert said_of(make(done, role=Role.PRODUCT, **look), done) == ["double"]
    ungranted, asked_for = asked()
    assert said_of(make(ungranted, Act.REVIEW, Role.QA, refers=asked_for.digest), ungranted) == ["refers"]


def test_every_reason_is_said_at_once():
    """Whoever is refused need not come back for the next reason."""
    case = unsigned_case(scan=None)
    bad = make(case, person="cut@example.org", reason="", at=NOW + HOUR, expires=None)
    assert set(said_of(bad, case)) == {"self_approval", "reason", "future", "expiry", "evidence"}


def test_a_cut_by_nobody_knows_whom_can_be_approved_by_nobody():
    """Who is not told apart from the cutter may have cut it."""
    cut = replace(unsigned_case().cut, release=replace(RELEASE, cut_by=""))
    case = unsigned_case(cut=cut)
    assert "self_approval" in said_of(make(case), case)


def test_another_digest_under_the_same_version_is_another_candidate():
    """After a recut the approvals of before say nothing."""
    recut = replace(CANDIDATE, digest=Digest(sha("recut")))
    cut = replace(unsigned_case().cut, release=replace(RELEASE, candidate=recut))
    case = replace(approved(unsigned_case()), cut=cut)
    assert readiness(case, RULES, NOW).approvals == ()
    assert "candidate" in said_of(make(unsigned_case()), case)


def test_statements_of_the_portal_are_held_to_the_same_rules():
    """How a statement is signed changes nothing of what it may say."""
    case = unsigned_case()
    one = recorded(make(case), Method.PORTAL, "ed25519:00")
    assert isinstance(one, Recorded)
    assert said_of(make(told(case, one)), told(case, one)) == ["double"]
