"""Rounds: what is planned, what is run again, what is set aside, and when a run is no measurement."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_core.rounds import (
    LatencyRules,
    Round,
    RunPlan,
    Timing,
    achieved_rate,
    invalid_reasons,
    next_rounds,
    plan_run,
    set_aside,
    time_blocks,
)

RULES = LatencyRules()
PLAN = RunPlan(pane_requests=50, budget=40, look_ends=(30, 40))
ROUNDS = tuple(Round(n, n * 50, 1) for n in range(4))


def timing(rounds, latency_ms=1.0, lag_ms=0.0, code=200, rate=100.0):
    """Requests of the given rounds on a constant schedule, alike but for what is given."""
    count = len(rounds)
    numbers = np.asarray(rounds, dtype=np.int64)
    full = [np.broadcast_to(np.asarray(v, dtype=np.float64), count).copy() for v in (latency_ms, lag_ms)]
    return Timing(numbers, np.arange(count) / rate, *full, np.full(count, code))


def asked(rounds=4, requests=50, **changes):
    """All requests of whole rounds."""
    return timing(np.repeat(np.arange(rounds), requests), **changes)


@given(
    st.integers(1, 5000), st.floats(1, 1000), st.floats(0, 2000), st.integers(1, 2), st.sampled_from([0.1, 0.5, 2.0])
)
def test_a_plan_asks_everything_and_keeps_to_its_time(questions, rate, seconds, services, pane_seconds):
    """Every question and every block fits into the first look, looks rise to the budget, and alpha is spent whole."""
    rules = replace(RULES, pane_seconds=pane_seconds)
    plan = plan_run(questions, rate, seconds, services, rules)
    assert plan.look_ends[0] * plan.pane_requests >= questions
    assert plan.look_ends[0] >= rules.min_blocks
    assert list(plan.look_ends) == sorted(set(plan.look_ends))
    assert plan.look_ends[-1] == plan.budget
    assert len(plan.look_ends) <= rules.looks
    assert sum(plan.alphas(rules)) == pytest.approx(rules.alpha)
    needed = math.ceil(max(rules.min_blocks, math.ceil(questions / plan.pane_requests)) / (1 - rules.max_set_aside))
    assert plan.budget <= max(needed, seconds * rate / (plan.pane_requests * services))


def test_the_last_look_has_all_the_alpha_that_is_left():
    """A budget that is used up before the planned looks leaves none of the error rate unspent, and none over."""
    planned = PLAN.alphas(RULES)
    assert PLAN.alpha_at(1, RULES, last=False) == planned[0]
    assert PLAN.alpha_at(1, RULES, last=True) == RULES.alpha
    assert PLAN.alpha_at(2, RULES, last=True) == pytest.approx(RULES.alpha - planned[0])


@given(st.lists(st.booleans(), min_size=200, max_size=200), st.integers(1, 60), st.integers(0, 40))
def test_rounds_end_with_enough_kept_or_the_budget_used(stalls, first, more):
    """Whatever stalls, asking ends: either the look has its rounds or the budget is gone; stalled questions return."""
    plan = RunPlan(50, first + more, (first, first + more) if more else (first,))
    done, aside = [], {}
    while wanted := next_rounds(plan, done, aside, 1):
        assert [r.number for r in wanted] == list(range(len(done), len(done) + len(wanted)))
        done += wanted
        aside = {r.number: "stalled" for r in done if stalls[r.number]}
    kept = [r for r in done if r.number not in aside]
    assert len(kept) == first or len(done) == plan.budget
    assert len(done) <= plan.budget
    assert len({r.first_question for r in kept}) == len(kept)
    if len(kept) == first:
        assert {r.first_question for r in kept} == {50 * n for n in range(first)}


@pytest.mark.parametrize(
    ("control", "words"),
    [
        (asked(latency_ms=2.9), {}),
        (asked(latency_ms=3.0), {}),
        (asked(latency_ms=[*[0.5] * 120, 3.1, *[0.5] * 79]), {2: "stalled for 3.1 ms"}),
        (asked(rounds=3), {3: "was not asked"}),
        (asked(code=503), dict.fromkeys(range(4), "did not answer")),
        (asked(latency_ms=math.nan), dict.fromkeys(range(4), "stalled")),
        (timing([]), dict.fromkeys(range(4), "was not asked")),
    ],
)
def test_a_round_counts_only_with_a_control_that_never_stalled(control, words):
    """One slow request, a failed one, a NaN and silence set a round aside, each with its reason."""
    aside = set_aside(ROUNDS, control, RULES)
    assert aside.keys() == words.keys()
    assert all(words[number] in why for number, why in aside.items())


def test_the_judged_latencies_never_decide_what_is_set_aside():
    """However slow the service is, its rounds stay while the control is well."""
    slow = asked(latency_ms=np.linspace(1, 5000, 200))
    assert set_aside(ROUNDS, asked(latency_ms=0.5), RULES) == {}
    assert invalid_reasons(PLAN, 100.0, ROUNDS, {}, {"candidate": slow}, RULES) == ()


@pytest.mark.parametrize(
    ("rounds", "aside", "service", "words"),
    [
        ((), {}, asked(), "no round was run"),
        (ROUNDS, {0: "x", 1: "x"}, asked(), "the machine stalled: the control did in 50% of 4 rounds"),
        (ROUNDS, dict.fromkeys(range(4), "x"), asked(), "the machine stalled"),
        (ROUNDS, {}, asked(lag_ms=0.2), "candidate: requests left late"),
        (ROUNDS, {}, asked(lag_ms=math.nan), "candidate: requests left late"),
        (ROUNDS, {}, asked(rate=99.0), "candidate: 99 requests a second left"),
        (ROUNDS, {}, asked(rounds=3), "expected 200 requests in 4 rounds, saw 150"),
        (ROUNDS, {}, timing([]), "expected 200 requests in 4 rounds, saw 0"),
    ],
)
def test_a_run_that_is_no_measurement_says_why(rounds, aside, service, words):
    """Nothing run, too much set aside, late or slow sending and lost requests each make the run invalid."""
    assert words in "; ".join(invalid_reasons(PLAN, 100.0, rounds, aside, {"candidate": service}, RULES))


def test_a_quarter_set_aside_is_still_a_measurement():
    """The declared share itself is allowed; what was late in a round that was set aside does not count."""
    late = asked(lag_ms=[*[5.0] * 50, *[0.0] * 150])
    assert invalid_reasons(PLAN, 100.0, ROUNDS, {0: "x"}, {"candidate": late}, RULES) == ()
    assert invalid_reasons(PLAN, 100.0, ROUNDS, {1: "x"}, {"candidate": late}, RULES) != ()


def test_the_achieved_rate_is_that_of_the_panes():
    """Pauses between panes, in which others are asked, do not slow the rate; single requests have none."""
    apart = replace(asked(rounds=2), due_s=np.concatenate([np.arange(50) / 100, 10 + np.arange(50) / 100]))
    assert achieved_rate(apart) == pytest.approx(100)
    assert achieved_rate(timing([0, 1])) is None


def test_a_generator_that_falls_behind_achieves_less():
    """Lag that grows over the rounds is a lower rate; one stall at the end of a round is not."""
    growing = asked(lag_ms=np.linspace(0, 100, 200))
    assert achieved_rate(growing) == pytest.approx(100 * 1.99 / (1.99 + 0.0754), rel=0.01)
    stalled = asked(lag_ms=[*[0.0] * 190, *[60.0] * 10])
    assert achieved_rate(stalled) == pytest.approx(100)


@given(st.integers(1, 200), st.integers(1, 5), st.sets(st.integers(0, 199), max_size=100))
def test_blocks_share_the_kept_rounds_evenly_and_in_order(rounds, requests, gone):
    """Blocks follow time, none is empty, and sizes differ by one round at most."""
    kept = [n for n in range(rounds) if n not in gone]
    blocks = time_blocks(asked(rounds, requests).among(kept), kept, RULES)
    assert (np.diff(blocks) >= 0).all()
    sizes = np.bincount(blocks) // requests
    assert len(sizes) == min(RULES.max_blocks, len(kept)) or not kept
    assert not len(sizes) or sizes.max() - sizes.min() <= 1
