"""Intervals of latency ratios: how wide they are, what moves them, and when there is none."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lens_core.confidence import BEYOND, BlockHistograms, Spread, alpha_spent, estimate, ratio_spread

BLOCKS = 30


def lognormal(seed, count=30_000, sigma=0.5):
    """Independent latencies in ms."""
    return np.random.default_rng(seed).lognormal(1.0, sigma, count)


def blocks_of(count, blocks=BLOCKS):
    """Equal blocks of time."""
    return np.arange(count) * blocks // count


def tail_spread(latencies, blocks=None):
    """The spread of P99 / P95."""
    held = BlockHistograms(latencies, blocks_of(latencies.size) if blocks is None else blocks)
    return ratio_spread(held, 0.99, held, 0.95)


def exact_left_out(latencies, blocks, p):
    """The reference: log quantiles from the raw samples, one block at a time."""
    return np.array([math.log(np.quantile(latencies[blocks != b], p)) for b in range(blocks.max() + 1)])


@pytest.mark.parametrize("p", [0.5, 0.95, 0.99])
def test_quantiles_without_a_block_are_those_of_the_samples_without_it(p):
    """Histograms give each left-out quantile within the fine sketch's error of numpy on the raw samples."""
    latencies = lognormal(1)
    held = BlockHistograms(latencies, blocks_of(latencies.size))
    found = held.left_out(p, by_time=True)
    assert found == pytest.approx(exact_left_out(latencies, blocks_of(latencies.size), p), abs=0.001)


def test_the_standard_error_is_that_of_many_repetitions():
    """Over independent runs, log(P99 / P95) varies as much as the jackknife of one run says, within a fifth."""
    runs = [lognormal(seed) for seed in range(200)]
    ratios = [math.log(np.quantile(run, 0.99) / np.quantile(run, 0.95)) for run in runs]
    said = np.mean([tail_spread(run).standard_error for run in runs[:50]])
    assert said == pytest.approx(np.std(ratios), rel=0.2)


def test_independent_requests_have_no_design_effect_and_bursts_do():
    """Shuffled latencies vary as chance would have it; the same ones in slow and fast spells vary far more."""
    latencies = lognormal(2)
    spells = latencies * np.where(blocks_of(latencies.size) % 5 == 0, 3.0, 1.0)
    assert tail_spread(latencies).design_effect < 3
    assert tail_spread(spells).design_effect > 10
    assert tail_spread(np.random.default_rng(3).permutation(spells)).design_effect < 3


def test_what_slows_both_in_the_same_blocks_cancels():
    """A noisy spell that doubles candidate and baseline alike leaves their ratio as sure as a quiet night."""
    ours, theirs, noise = lognormal(4), lognormal(5), np.where(blocks_of(30_000) % 3 == 0, 2.0, 1.0)
    quiet, shared, apart = (
        ratio_spread(BlockHistograms(a, blocks_of(a.size)), 0.5, BlockHistograms(b, blocks_of(b.size)), 0.5)
        for a, b in ((ours, theirs), (ours * noise, theirs * noise), (ours * noise, theirs * noise[::-1]))
    )
    assert shared.standard_error < 3 * quiet.standard_error
    assert apart.standard_error > 4 * shared.standard_error


@pytest.mark.parametrize(
    ("latencies", "blocks"),
    [
        (np.zeros(600), blocks_of(600)),
        (lognormal(6, 100), np.zeros(100, dtype=np.int64)),
        (np.zeros(0), np.zeros(0, dtype=np.int64)),
    ],
)
def test_nothing_to_compare_has_no_spread(latencies, blocks):
    """Latencies of zero, a single block and no samples give no interval, rather than a narrow one."""
    assert tail_spread(latencies, blocks) is None


def test_other_blocks_on_the_other_side_have_no_spread():
    """Two services are compared block by block or not at all."""
    ours, theirs = lognormal(7, 600), lognormal(8, 600)
    held = BlockHistograms(ours, blocks_of(600, 30)), BlockHistograms(theirs, blocks_of(600, 20))
    assert ratio_spread(held[0], 0.95, held[1], 0.95) is None


@pytest.mark.parametrize("blocks", [[0, 0, 2, 2], [0, 0, 1]])
def test_blocks_that_do_not_fit_are_refused(blocks):
    """An empty block in between and a missing label are the caller's mistake."""
    with pytest.raises(ValueError, match="expected a block for each"):
        BlockHistograms(np.ones(4), np.array(blocks))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0])
def test_bad_latencies_are_refused(bad):
    """NaN, infinite and negative latencies are no evidence."""
    with pytest.raises(ValueError, match="finite"):
        BlockHistograms(np.array([1.0, bad]), np.array([0, 1]))


def test_constant_latencies_are_sure():
    """When nothing varies, the bounds are the value itself and power is complete."""
    found = estimate(1.0, tail_spread(np.full(600, 5.0)), 0.025)
    assert (found.low, found.value, found.high, found.power) == (1.0, 1.0, 1.0, 1.0)


@given(st.floats(0.1, 10), st.floats(1e-4, 0.5), st.integers(30, 60), st.floats(0.001, 0.2), st.floats(0.001, 0.2))
def test_a_surer_interval_is_a_wider_one_around_the_value(value, error, blocks, one, other):
    """Bounds enclose the value, are as far from it on either side, and a smaller alpha never narrows them."""
    sure, less = (estimate(value, Spread(error, blocks, 1.0), alpha) for alpha in sorted((one, other)))
    assert sure.low <= less.low <= value <= less.high <= sure.high
    assert math.log(sure.high / value) == pytest.approx(math.log(value / sure.low), abs=1e-9)


@given(st.floats(1e-3, 0.3), st.integers(30, 60), st.floats(0.001, 0.2))
def test_power_is_the_chance_to_fail_what_is_ten_percent_beyond(error, blocks, alpha):
    """It is Student's tail beyond the critical value less the distance of 10 %, and grows as the error falls."""
    found, better = (estimate(1.0, Spread(e, blocks, 1.0), alpha).power for e in (error, error / 2))
    critical = stats.t.ppf(1 - alpha, blocks - 1)
    assert found == pytest.approx(1 - stats.t.cdf(critical - math.log(BEYOND) / error, blocks - 1), abs=1e-12)
    assert better >= found


@given(st.floats(0.001, 0.2), st.lists(st.floats(0.05, 0.95), max_size=4, unique=True))
def test_looks_spend_alpha_and_no_more(alpha, early):
    """The levels of all looks sum to alpha, each above zero, and a look at half of the data has a quarter."""
    fractions = [*sorted(early), 1.0]
    levels = alpha_spent(alpha, fractions)
    assert sum(levels) == pytest.approx(alpha)
    assert all(level > 0 for level in levels)
    assert alpha_spent(alpha, [0.5, 1.0])[0] == pytest.approx(alpha / 4)


@pytest.mark.parametrize("fractions", [[], [0.5], [0.5, 0.5, 1], [1, 0.5], [0, 1], [0.5, 1.5]])
def test_looks_that_do_not_end_at_all_of_the_data_are_refused(fractions):
    """Fractions must rise to one."""
    with pytest.raises(ValueError, match="ascending"):
        alpha_spent(0.05, fractions)
