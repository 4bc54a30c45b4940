"""Laws of the sign-off: less is never readier, no word replaces evidence, four roles are four people.

What speaks against a candidate is evidence as well (a red night, a date that was tried, a finding, a rejection, a
revoke): taking it away is what the audit log is for, and blocks there. Here is taken away what speaks for it.
"""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from signing_off import (
    CANDIDATE,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    OTHER,
    PEOPLE,
    POLICIES,
    RULES,
    SLICES,
    dossier_of,
    night,
    ready_case,
    recorded,
    stated,
    told,
    unsigned_case,
)

from lens_core.model import Verdict
from lens_core.signoff.approvals import approvals, quorum, refusals
from lens_core.signoff.break_glass import NEVER_LIFTED
from lens_core.signoff.readiness import readiness
from lens_core.signoff.streak import streak
from lens_core.signoff.words import Act, Case, Measured, Method, Role, Scan, Statement

GOOD = (Act.APPROVE, Act.COMMENT, Act.BREAK_GLASS, Act.COUNTERSIGN, Act.REVIEW)
EVERY_CODE = ("cut_gates", "drill", "nights", "risk", "approvals", "grace", *NEVER_LIFTED)
PERSONS = tuple(one.name for one in PEOPLE)
mostly_pass = st.sampled_from([Verdict.PASS] * 8 + [Verdict.WAIVED, *Verdict, None])


@st.composite
def night_tables(draw):
    """Nights of the last days, mostly green, some run again."""
    nights = []
    for days_ago in range(draw(st.integers(0, 8)), -1, -1):
        for attempt in range(1, draw(st.sampled_from([1, 1, 1, 1, 2, 0])) + 1):
            one = night(
                days_ago, draw(mostly_pass), attempt, candidate=draw(st.sampled_from([CANDIDATE] * 9 + [OTHER]))
            )
            nights.append(replace(one, fault=draw(st.sampled_from([""] * 15 + ["changed"]))))
    return tuple(nights)


@st.composite
def statements_on(draw, case: Case, act=None) -> Statement:
    """Somebody says something on the case, with one thing wrong at most."""
    said = stated(
        case,
        act or draw(st.sampled_from([Act.APPROVE] * 4 + list(Act))),
        draw(st.sampled_from(Role)),
        at=NOW - draw(st.integers(1, 50)) * MINUTE,
        nonce=str(len(case.statements)),
    )
    if said.act in {Act.REVOKE, Act.COUNTERSIGN, Act.REVIEW} and case.statements:
        said = replace(said, refers=draw(st.sampled_from([one.digest for one in case.statements][-5:])))
    others = draw(st.sampled_from([{"risk": "low"}, {"candidate": "sha256:" + "9" * 64}]))
    wrong = {
        "person": draw(st.sampled_from(PERSONS)),
        "role": draw(st.sampled_from([None, *Role])),
        "dossier": replace(said.dossier, **others),
        "at": NOW + HOUR,
        "expires": draw(st.sampled_from([None, NOW, NOW + 90 * DAY])),
        "reason": "",
    }
    name = draw(st.sampled_from([None, None, None, "person", "role", *wrong]))
    return replace(said, **{name: wrong[name]}) if name else said


@st.composite
def told_cases(draw, base: Case, most: int):
    """The case, and whatever people said of it."""
    case = base
    for _ in range(draw(st.integers(0, most))):
        method = draw(st.sampled_from([Method.SSH, Method.SSH, Method.PORTAL]))
        key = draw(st.sampled_from(["", "", "", "SHA256:shared"]))
        fault = draw(st.sampled_from([""] * 9 + ["revoked"]))
        case = told(case, recorded(draw(statements_on(case)), method, key, fault))
    return case


@st.composite
def cases(draw):
    """A case that is ready, or lacks a little, with whatever people said of it."""
    base = ready_case() if draw(st.booleans()) else unsigned_case()
    if draw(st.booleans()):
        base = replace(base, nights=draw(night_tables()), statements=())
    if draw(st.booleans()):
        base = replace(base, nights=tuple(late(one) for one in base.nights), statements=())
    parts = {
        "drill": [base.drill, replace(base.drill, rollback_safe="no"), replace(base.drill, verdict=Verdict.FAIL)],
        "scan": [base.scan, Scan(NOW - 80 * HOUR, Verdict.PASS, ""), Scan(NOW, Verdict.FAIL, "")],
        "measured": [base.measured, tuple(replace(one, value=None) for one in base.measured), base.measured[:1]],
        "audit_at": [NOW - HOUR, NOW - DAY, NOW + MINUTE],
    }
    # One part is off at most: a case that is wrong everywhere shows nothing.
    part = draw(st.sampled_from([None, None, *parts]))
    case = replace(base, **{part: draw(st.sampled_from(parts[part]))}) if part else base
    if draw(st.booleans()):
        request = recorded(stated(case, Act.BREAK_GLASS, Role.PLATFORM, NOW - 9 * MINUTE))
        grant = stated(case, Act.COUNTERSIGN, Role.SECURITY, NOW - 8 * MINUTE, refers=request.digest)
        case = told(case, request, recorded(grant))
    return draw(told_cases(case, 4))


def late(one):
    """The night, closed so late that its grace is not over."""
    closed = one.night.closed_at and one.night.closed_at + 6 * HOUR
    return replace(one, night=replace(one.night, closed_at=closed))


def without(items, place):
    """The items but for one."""
    return (*items[:place], *items[place + 1 :])


def lessened(case):
    """Every case that lacks one more thing that speaks for the candidate."""
    yield replace(case, cut=None)
    yield replace(case, drill=None)
    yield replace(case, scan=None)
    yield replace(case, audit_at=None)
    for name in case.policies:
        yield replace(case, policies={k: v for k, v in case.policies.items() if k != name})
    for place in range(len(case.measured)):
        yield replace(case, measured=without(case.measured, place))
    for place in range(len(case.cut.answers)):
        yield replace(case, cut=replace(case.cut, answers=without(case.cut.answers, place)))
    for name in case.cut.files:
        files = {k: v for k, v in case.cut.files.items() if k != name}
        yield replace(case, cut=replace(case.cut, files=files))
    for place, one in enumerate(case.nights):
        if one.night.verdict is not None and one.night.verdict.advances and not one.fault:
            yield replace(case, nights=without(case.nights, place))
            yield replace(case, nights=(*case.nights[:place], replace(one, answers=()), *case.nights[place + 1 :]))
    for place, one in enumerate(case.statements):
        if one.statement.act in GOOD:
            yield replace(case, statements=without(case.statements, place))
    yield replace(case, statements=tuple(one for one in case.statements if one.statement.act not in GOOD))


@given(cases())
def test_less_is_never_readier(case):
    """Without any one piece that speaks for it, everything that stood against a candidate stands against it still."""
    whole = readiness(case, RULES, NOW)
    # A digest that used up its dates is over by having tried: that it did is held by the log, not by the nights.
    assume(not whole.streak.expired)
    against = {one.code for one in whole.blockers}
    for less in lessened(case):
        seen = readiness(less, RULES, NOW)
        assert whole.ready or not seen.ready
        # Without a cut nobody cut it, and nothing was said of it: that alone blocks.
        assert {one.code for one in seen.blockers} >= (against if less.cut else {"cut"})


def test_less_of_a_ready_candidate_is_not_ready():
    """The ready case lacks nothing and holds nothing that it does not need (but single answers of its cut)."""
    case = ready_case()
    needed = [one for one in lessened(case) if one.cut is None or one.cut.answers == case.cut.answers]
    assert len(needed) == 25
    assert not [one for one in needed if readiness(one, RULES, NOW).ready]


@given(cases(), st.data())
def test_no_word_replaces_evidence(case, data):
    """One more statement leaves every blocker of evidence standing, but for what two people's break-glass lifts."""
    before = {one.code for one in readiness(case, RULES, NOW).blockers if not one.lifted}
    more = recorded(data.draw(statements_on(case)))
    after = {one.code for one in readiness(told(case, more), RULES, NOW).blockers if not one.lifted}
    opens = more.statement.act in {Act.BREAK_GLASS, Act.COUNTERSIGN}
    assert before - {"approvals"} - (set(RULES.lifts) if opens else set()) <= after


@pytest.mark.parametrize("code", sorted(NEVER_LIFTED))
def test_break_glass_that_may_lift_everything_never_lifts(code):
    """A table that names every blocker still leaves the seals, the scan, the log, the clock, people and ends alone."""
    short = unsigned_case(nights=(night(1), night(0)))
    broken = {
        "cut": replace(short, cut=replace(short.cut, faults=("a byte",))),
        "scan": replace(short, scan=None),
        "expired": replace(short, nights=tuple(night(one, Verdict.FAIL) for one in range(7))),
        "rejected": told(short, recorded(stated(short, Act.REJECT))),
        "audit": replace(short, audit="edited"),
        "clock": replace(short, audit_at=NOW + 3 * MINUTE),
        "people": replace(short, policies={**POLICIES, "signoff": ""}),
    }[code]
    rules = replace(RULES, lifts=EVERY_CODE)
    request = recorded(stated(broken, Act.BREAK_GLASS, Role.PLATFORM, NOW - 9 * MINUTE, rules=rules))
    grant = stated(broken, Act.COUNTERSIGN, Role.SECURITY, NOW - 8 * MINUTE, rules=rules, refers=request.digest)
    seen = readiness(told(broken, request, recorded(grant)), rules, NOW)
    assert seen.glass.active
    assert [one.code for one in seen.blockers if not one.lifted] == [code]


@given(cases())
def test_ready_means_what_it_says(case):
    """Ready is never said without a cut, a drill, a scan and a log that stand, and never of what was rejected.

    Without break-glass there are besides three green nights of consecutive dates and four people.
    """
    ready = readiness(case, RULES, NOW)
    assume(ready.ready)
    assert not case.cut.faults
    assert case.drill.verdict.advances
    assert case.scan.verdict.advances
    assert not case.audit
    assert not [one for one in case.statements if one.statement.act is Act.REJECT and is_about(one, ready)]
    if ready.glass and ready.glass.active:
        assert ready.glass.requested_by != ready.glass.countersigned_by
        return
    nights = {one.night.night_id: one.night for one in case.nights}
    dates = sorted(nights[name].night_date for name in ready.streak.nights)
    assert [day - dates[0] for day in dates] == [timedelta(), DAY, 2 * DAY]
    assert all(nights[name].verdict.advances for name in ready.streak.nights)
    held = quorum(ready.approvals)
    assert set(held) == set(Role)
    assert len({one.person for one in held.values()}) == len(Role)
    assert "cut@example.org" not in {one.person for one in held.values()}
    assert {one.digest for one in held.values()} <= {
        one.digest for one in case.statements if one.statement.dossier == ready.dossier and not one.fault
    }


def is_about(one, ready):
    """Whether the statement is on this digest."""
    return one.statement.dossier.candidate == ready.candidate


@given(told_cases(unsigned_case(), 8), st.data())
def test_a_quorum_is_of_different_people_and_grows_with_words(case, data):
    """Everybody in it may speak in their role, of what is known now; no person and no SSH key fills two roles."""
    dossier = dossier_of(case)
    held = quorum(approvals(case, dossier, RULES, NOW))
    assert len({one.person for one in held.values()}) == len(held)
    keys = [one.key for one in held.values() if one.method is Method.SSH]
    assert len(set(keys)) == len(keys)
    roles = {one.name: one.roles for one in PEOPLE}
    words = {one.digest: one for one in case.statements}
    back = {(one.statement.refers, one.statement.person) for one in case.statements if one.statement.act is Act.REVOKE}
    for role, one in held.items():
        said = words[one.digest]
        assert said.statement.role is role
        assert role in roles[one.person]
        assert one.person != "cut@example.org"
        assert said.statement.dossier == dossier
        assert not said.fault
        assert (one.digest, one.person) not in back
    more = told(case, recorded(data.draw(statements_on(case, Act.APPROVE))))
    assert len(quorum(approvals(more, dossier, RULES, NOW))) >= len(held)


@given(told_cases(unsigned_case(), 3), st.data())
def test_what_is_not_refused_counts(case, data):
    """Refusing and judging agree: an approval that the desk would take holds, and fills a role that was empty."""
    ready = readiness(case, RULES, NOW)
    said = data.draw(statements_on(case, Act.APPROVE))
    found = refusals(said, case, ready, RULES, NOW)
    assert all(": " in why for why in found)
    if not found:
        assert readiness(told(case, recorded(said)), RULES, NOW).approvals[-1].holds
        assert said.reason
        assert said.role not in {one.role for one in ready.approvals if one.holds}


@given(night_tables(), st.randoms())
def test_a_streak_is_of_this_candidate_whatever_lies_beside_it(nights, random):
    """Order, nights of others and nights over fewer slices say nothing of it."""
    mine = [one for one in nights if one.night.candidate == CANDIDATE]
    beside = [*nights, night(1, Verdict.FAIL, 9, slices=SLICES[:1])]
    random.shuffle(beside)
    seen = [streak(table, str(CANDIDATE.digest), POLICIES, RULES, NOW) for table in (mine, beside)]
    assert seen[0] == seen[1]


@given(night_tables())
def test_a_streak_is_no_longer_than_its_green_dates(nights):
    """As many nights as it counts ended well, on as many consecutive dates, the last of them not long ago."""
    seen = streak(nights, str(CANDIDATE.digest), POLICIES, RULES, NOW)
    by_id = {one.night.night_id: one.night for one in nights if one.night.candidate == CANDIDATE}
    mine = [by_id[name] for name in seen.nights]
    assert len(mine) == seen.passed <= RULES.nights
    assert all(one.verdict.advances for one in mine)
    assert all(later.night_date - earlier.night_date == DAY for earlier, later in pairwise(mine))
    later = [one for one in by_id.values() if mine and one.night_date > mine[-1].night_date and one.verdict]
    assert not [one for one in later if one.verdict is Verdict.FAIL]


@given(night_tables())
def test_a_streak_is_not_completed_by_losing_a_green_night(nights):
    """Whichever night that went well is not there: what was no streak with it is none without it."""

    def complete(table):
        return streak(table, str(CANDIDATE.digest), POLICIES, RULES, NOW).passed == RULES.nights

    assume(not complete(nights))
    for place, one in enumerate(nights):
        if one.night.verdict is not None and one.night.verdict.advances and not one.fault:
            assert not complete(without(nights, place))


@pytest.mark.parametrize("factor", ["trend", "open_alerts"])
@given(value=st.none() | st.floats(allow_nan=True))
def test_an_input_that_is_left_out_is_the_worst_there_is(factor, value):
    """Whatever would have been measured: the risk without it is no lower."""
    case = unsigned_case()
    seen = tuple(Measured(one.factor, value if one.factor == factor else 0.0, "") for one in case.measured)
    less = tuple(one for one in seen if one.factor != factor)
    levels = [readiness(replace(case, measured=told_), RULES, NOW).risk.level.value for told_ in (seen, less)]
    assert levels[0] <= levels[1]
