"""The streak: a table of nights, and what each comes to."""

from dataclasses import replace
from datetime import timedelta

import pytest
from signing_off import CANDIDATE, DAY, HOUR, NOW, OTHER, POLICIES, RULES, SLICES, night, sha, three_nights

from lens_core.model import Digest, Verdict
from lens_core.signoff.chance import run_of
from lens_core.signoff.streak import streak

FAIL, ERROR, INCONCLUSIVE, PASS, WAIVED = (
    Verdict.FAIL,
    Verdict.ERROR,
    Verdict.INCONCLUSIVE,
    Verdict.PASS,
    Verdict.WAIVED,
)


def streak_of(*nights, now=NOW, rules=RULES, policies=POLICIES):
    """The streak of the candidate."""
    return streak(nights, str(CANDIDATE.digest), policies, rules, now)


def greens(*days_ago):
    """Green nights, so many days ago."""
    return tuple(night(one) for one in days_ago)


def faulty(days_ago=0):
    """A green night whose rows were changed."""
    return replace(night(days_ago), fault="its rows are not what was written")


def silent(days_ago=0):
    """A night that says PASS, with no answer about one of its slices."""
    whole = night(days_ago)
    return replace(whole, answers=whole.answers[:1])


def lying(days_ago=0):
    """A night that says PASS over answers that do not."""
    whole = night(days_ago)
    return replace(whole, answers=tuple(replace(one, verdict=FAIL) for one in whole.answers))


SCENARIOS = {
    # what is there: (nights, passed, what broke it, in part)
    "nothing": ((), 0, ""),
    "one": (greens(0), 1, ""),
    "two": (greens(1, 0), 2, ""),
    "three": (greens(2, 1, 0), 3, ""),
    "three, waived": (tuple(night(one, WAIVED) for one in (2, 1, 0)), 3, ""),
    "until yesterday": (greens(3, 2, 1), 3, ""),
    "two until yesterday go on": (greens(2, 1), 2, ""),
    "two until the day before are over": (greens(3, 2), 0, "2026-11-25 has no night that counts"),
    "a missing date": (greens(3, 2, 0), 1, "2026-11-25 has no night that counts"),
    "a red date": ((*greens(3, 2), night(1, FAIL), *greens(0)), 1, "2026-11-25.1 ended FAIL"),
    "an inconclusive date": ((*greens(2, 1), night(0, INCONCLUSIVE)), 0, "2026-11-26.1 ended INCONCLUSIVE"),
    "an error that nobody ran again": ((*greens(2, 1), night(0, ERROR)), 0, "2026-11-26.1 ended ERROR"),
    "an error, run again": ((*greens(2, 1), night(0, ERROR), night(0, attempt=2)), 3, ""),
    "a failure, run again": ((*greens(2, 1), night(0, FAIL), night(0, attempt=2)), 0, "2026-11-26.1 ended FAIL"),
    "an inconclusive one, run again": (
        (*greens(2, 1), night(0, INCONCLUSIVE), night(0, attempt=2)),
        0,
        "2026-11-26.1 ended INCONCLUSIVE",
    ),
    "green, then an error": ((*greens(2, 1, 0), night(0, ERROR, 2)), 0, "2026-11-26.2 ended ERROR"),
    "one date twice counts once": ((*greens(1, 0), night(0, attempt=2)), 2, ""),
    "running tonight": ((*greens(2, 1), night(0, None)), 2, ""),
    "running tonight, after a missing date": ((*greens(3, 2), night(0, None)), 0, "2026-11-25 has no night"),
    "left open yesterday, green today": ((*greens(2), night(1, None), *greens(0)), 1, "2026-11-25 has no night"),
    "four, none of them lost": (greens(3, 2, 1, 0), 3, ""),
    "complete, then a gap": (greens(5, 4, 3, 0), 3, ""),
    "complete, then running": ((*greens(3, 2, 1), night(0, None)), 3, ""),
    "complete, then red": ((*greens(3, 2, 1), night(0, FAIL)), 0, "2026-11-26.1 ended FAIL"),
    "complete, then an error": ((*greens(3, 2, 1), night(0, ERROR)), 0, "2026-11-26.1 ended ERROR"),
    "red, then three": ((night(3, FAIL), *greens(2, 1, 0)), 3, "2026-11-23.1 ended FAIL"),
    "another candidate's": (tuple(night(one, candidate=OTHER) for one in (2, 1, 0)), 0, ""),
    "another candidate's red one between": ((*greens(2, 1, 0), night(1, FAIL, 2, candidate=OTHER)), 3, ""),
    "fewer slices are no night": ((*greens(1, 0), night(2, slices=SLICES[:1])), 2, ""),
    "fewer slices, red, break nothing": ((*greens(2, 1, 0), night(0, FAIL, 2, slices=SLICES[:1])), 3, ""),
    "another policy": ((*greens(2, 1), night(0, policy_digest=Digest(sha("x")))), 0, "another gate policy"),
    "another data set": ((*greens(2, 1), night(0, dataset_digest=Digest(sha("x")))), 0, "another data set"),
    "a red one by another policy": (
        (*greens(3, 2, 1), night(0, FAIL, policy_digest=Digest(sha("x")))),
        0,
        "2026-11-26.1 ended FAIL",
    ),
    "with changes": ((*greens(2, 1), night(0, candidate=replace(CANDIDATE, dirty=True))), 0, "does not have"),
    "not believed": ((*greens(2, 1), faulty()), 0, "is not believed: its rows"),
    "not believed, after three": ((*greens(3, 2, 1), faulty()), 0, "is not believed: its rows"),
    "no answer about a slice": ((*greens(2, 1), silent()), 0, "no answer about backend/python/large"),
    "answers say otherwise": ((*greens(2, 1), lying()), 0, "which its answers do not"),
    "another date than it ran on": ((*greens(2, 1), night(0, night_date=NOW.date() + DAY)), 0, "which is another date"),
    "closed in the future": ((*greens(2, 1), night(0, closed_at=NOW + HOUR)), 0, "in the future"),
    "closed before it opened": ((*greens(2, 1), night(0, closed_at=NOW - DAY)), 0, "before it was opened"),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_nights_come_to(name):
    """Each table of nights counts as many as it says, and names what broke it."""
    nights, passed, broken = SCENARIOS[name]
    seen = streak_of(*nights)
    assert seen.passed == passed
    assert broken in seen.broken_by
    assert bool(broken) is bool(seen.broken_by)
    assert len(seen.nights) == passed
    assert (seen.ended_at is not None) is (passed == RULES.nights) is (seen.until is not None)


def test_the_order_in_which_nights_come_does_not_matter():
    """Nights are sorted by date and attempt before anything is said."""
    nights = (*greens(4, 3), night(2, ERROR), night(2, attempt=2), *greens(1, 0))
    assert streak_of(*reversed(nights)) == streak_of(*nights)


def test_later_green_nights_change_nothing_of_what_was_signed():
    """Once complete the streak's nights are the first three; a later one only keeps it fresh."""
    before, after = streak_of(*greens(3, 2, 1)), streak_of(*greens(3, 2, 1, 0))
    assert before.nights == after.nights == ("2026-11-23.1", "2026-11-24.1", "2026-11-25.1")
    assert before.ended_at == after.ended_at
    assert after.until == before.until + DAY


def test_a_streak_ends_when_its_newest_night_is_too_old():
    """At seven days after the newest night closed nothing is left of it, and a moment before all of it is."""
    closed = NOW.replace(hour=4)
    assert streak_of(*three_nights(), now=closed + 7 * DAY - timedelta(seconds=1)).passed == 3
    over = streak_of(*three_nights(), now=closed + 7 * DAY)
    assert over.passed == 0
    assert over.ended_at is None
    assert "older than 7 days" in over.broken_by


def test_a_night_does_not_revive_a_streak_that_was_too_old():
    """After a gap of seven days the old nights are gone, and the new one is the first."""
    seen = streak_of(*greens(10, 9, 8, 0))
    assert (seen.passed, seen.nights) == (1, ("2026-11-26.1",))


def test_retries_are_on_the_record():
    """A night that was run again after an ERROR is named."""
    seen = streak_of(*greens(2, 1), night(0, ERROR), night(0, ERROR, 2), night(0, attempt=3))
    assert seen.retried == ("2026-11-26.1", "2026-11-26.2")
    assert seen.nights[-1] == "2026-11-26.3"


@pytest.mark.parametrize(
    ("nights", "used", "expired"),
    [
        ([night(one, FAIL) for one in range(6)], 6, False),
        ([night(one, FAIL) for one in range(7)], 7, True),
        ([night(0, None), *(night(one, FAIL) for one in range(1, 7))], 7, False),
        ([*(night(one, FAIL) for one in range(3, 7)), *three_nights()], 7, False),
        ([*(night(one, FAIL) for one in range(3, 8)), *three_nights()], 8, True),
        ([night(one) for one in range(9)], 9, False),
        ([*(night(one) for one in range(3, 10)), night(2, FAIL), *greens(1, 0)], 10, True),
    ],
)
def test_seven_dates_are_all_that_a_digest_may_try(nights, used, expired):
    """Without a streak within seven dates a digest has expired, and no later night brings it back."""
    seen = streak_of(*nights)
    assert (seen.used, seen.allowed, seen.expired) == (used, 7, expired)


def test_without_a_list_of_slices_no_night_counts():
    """Of nothing to measure there is no full night (first law)."""
    assert streak_of(*three_nights(), rules=replace(RULES, slices=())).passed == 0


def test_without_a_policy_of_now_no_night_counts():
    """What the rules are must be known before a night can have kept them."""
    assert streak_of(*three_nights(), policies={}).passed == 0


def test_the_chance_that_a_bad_candidate_qualifies_is_that_of_the_weakest_night():
    """The lowest power of any slice in any night decides, and the words name it."""
    seen = streak_of(night(2, power=0.9), night(1, power=0.6), night(0, power=0.95))
    assert seen.chance == pytest.approx(run_of(3, 7, 0.4))
    assert "tail_ratio of backend/python/" in seen.chance_said
    assert "2026-11-25.1: power 0.60" in seen.chance_said
    assert f"{seen.chance:.2%}" in seen.chance_said


def test_without_power_a_bad_candidate_surely_qualifies():
    """A slice whose night measured no power sees nothing; without nights the chance is not known."""
    bare = night(0)
    bare = replace(bare, answers=(bare.answers[0], replace(bare.answers[1], interval=None)))
    assert streak_of(bare).chance == 1.0
    assert streak_of().chance is None


@pytest.mark.parametrize(
    ("wanted", "dates", "passes", "chance"),
    [
        (1, 1, 0.2, 0.2),
        (3, 3, 0.2, 0.008),
        (3, 2, 0.9, 0.0),
        (2, 3, 0.5, 3 / 8),  # of 8 outcomes: PP., .PP and PPP, of which PPP is in both
        (3, 7, 1.0, 1.0),
        (3, 7, 0.0, 0.0),
        (3, 30, 0.2, 0.1692),
    ],
)
def test_the_chance_of_a_run_is_counted_over_all_dates(wanted, dates, passes, chance):
    """By hand, and for thirty dates as ``release.md`` has it: 17 %."""
    assert run_of(wanted, dates, passes) == pytest.approx(chance, abs=1e-2 if dates > 7 else 1e-12)
