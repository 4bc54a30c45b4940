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
PERSONS = tuple(one.name for one in PEOPLE)
mostly_pass = st.sampled_from([Verdict.PASS] * 8 + [Verdict.WAIVED, *Verdict, None])


@st.composite
def night_tables(draw):
    """Nights of the last days, mostly green, some run again."""
    nights = []
    for days_ago in range(draw(st.integers(0, 8)), -1, -1):
        for attempt in range(1, draw(st.sampled_from([1, 1, 1, 1, 0, 2])) + 1):
            one = night(
                days_ago, draw(mostly_pass), attempt, candidate=draw(st.sampled_from([CANDIDATE] * 9 + [OTHER]))
            )
            nights.append(replace(one, fault=draw(st.sampled_from([""] * 15 + ["changed"]))))
    return tuple(nights)


@st.composite
def statements_on(draw, case: Case, act=None) -> Statement:
    """Somebody says something on the case, as somebody, about what is known or about something else."""
    dossier = dossier_of(case, rules=RULES)
    about = draw(st.sampled_from([dossier] * 6 + [replace(dossier, risk="low"), replace(dossier, nights=())]))
    said = stated(
        case,
        act or draw(st.sampled_from([Act.APPROVE] * 4 + list(Act))),
        draw(st.sampled_from(Role)),
        at=NOW - draw(st.integers(0, 90)) * MINUTE,
        nonce=str(len(case.statements)),
    )
    person = draw(st.sampled_from([said.person] * 4 + list(PERSONS)))
    refers = draw(st.sampled_from([one.digest for one in case.statements][-4:])) if case.statements else ""
    needs = said.act in {Act.REVOKE, Act.COUNTERSIGN, Act.REVIEW}
    return replace(said, dossier=about, person=person, refers=refers if needs else "")


@st.composite
def cases(draw):
    """A case that is ready, or lacks a little, with whatever people said of it."""
    base = ready_case() if draw(st.booleans()) else unsigned_case()
    if draw(st.booleans()):
        base = replace(base, nights=draw(night_tables()), statements=())
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
    for _ in range(draw(st.integers(0, 6))):
        method = draw(st.sampled_from([Method.SSH, Method.SSH, Method.PORTAL]))
        key = draw(st.sampled_from(["", "", "", "SHA256:shared"]))
        fault = draw(st.sampled_from([""] * 9 + ["revoked"]))
        case = told(case, recorded(draw(statements_on(case)), method, key, fault))
    return case


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


@given(
    cases(), st.sampled_from([RULES, replace(RULES, lifts=("nights",)), replace(RULES, lifts=("approvals", "risk"))])
)
def test_less_is_never_readier(case, rules):
    """Whatever is known: without any one piece that speaks for it, a candidate that was not ready is not ready."""
    whole = readiness(case, rules, NOW)
    # A digest that used up its dates is over by having tried: that it did is held by the log, not by the nights.
    assume(not whole.streak.expired)
    for less in lessened(case):
        seen = readiness(less, rules, NOW)
        assert whole.ready or not seen.ready


def test_less_of_a_ready_candidate_is_not_ready():
    """The ready case lacks nothing and holds nothing that it does not need (but single answers of its cut)."""
    case = ready_case()
    needed = [one for one in lessened(case) if one.cut is None or one.cut.answers == case.cut.answers]
    assert len(needed) == 25
    assert not [one for one in needed if readiness(one, RULES, NOW).ready]


@given(cases(), st.data())
def test_no_word_replaces_evidence(case, data):
    """One more statement leaves every blocker of evidence standing, but for what two people's break-glass lifts."""
    before = [one for one in readiness(case, RULES, NOW).blockers if not one.lifted]
    more = recorded(data.draw(statements_on(case)))
    after = {one.code for one in readiness(told(case, more), RULES, NOW).blockers if not one.lifted}
    opens = more.statement.act in {Act.BREAK_GLASS, Act.COUNTERSIGN}
    kept = {one.code for one in before if one.code in NEVER_LIFTED | {"cut_gates", "drill"}}
    kept |= {one.code for one in before if one.code not in {"approvals", *kept}} if not opens else set()
    assert kept <= after


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


@given(cases(), st.data())
def test_a_quorum_is_of_different_people_and_grows_with_words(case, data):
    """No person and no SSH key fills two roles, and one more approval never empties one."""
    dossier = dossier_of(case)
    held = quorum(approvals(case, dossier, RULES, NOW))
    assert len({one.person for one in held.values()}) == len(held)
    keys = [one.key for one in held.values() if one.method is Method.SSH]
    assert len(set(keys)) == len(keys)
    assert all(one.role is role and one.holds for role, one in held.items())
    more = told(case, recorded(data.draw(statements_on(case, Act.APPROVE))))
    assert len(quorum(approvals(more, dossier, RULES, NOW))) >= len(held)


@given(cases(), st.data())
def test_an_approval_that_is_not_refused_holds(case, data):
    """Refusing and judging agree: what the desk would take counts, and a role that was taken is not asked again."""
    ready = readiness(case, RULES, NOW)
    said = data.draw(statements_on(case, Act.APPROVE))
    found = refusals(said, case, ready, RULES, NOW)
    given = readiness(told(case, recorded(said)), RULES, NOW).approvals[-1]
    if found:
        assert all(": " in why for why in found)
    else:
        assert given.holds
        assert said.dossier == ready.dossier


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


@pytest.mark.parametrize("factor", ["trend", "open_alerts"])
@given(value=st.none() | st.floats(allow_nan=True))
def test_an_input_that_is_left_out_is_the_worst_there_is(factor, value):
    """Whatever would have been measured: the risk without it is no lower."""
    case = unsigned_case()
    seen = tuple(Measured(one.factor, value if one.factor == factor else 0.0, "") for one in case.measured)
    less = tuple(one for one in seen if one.factor != factor)
    levels = [readiness(replace(case, measured=told_), RULES, NOW).risk.level.value for told_ in (seen, less)]
    assert levels[0] <= levels[1]
