"""Windows: what they say of much, of little, of nothing, and of what could not be taken."""

import math
from dataclasses import replace

import numpy as np
import pytest
from monitor_fakes import batch_of
from traffic import body_ms

from lens_core.panes import Batch, PaneRule, Panes
from lens_core.window import WindowRule, WindowState, summarize_windows

T0 = 1_796_083_200
RULE = WindowRule(window_s=300, every_s=30, ratio_above=2.0, min_samples=3000, max_bad_share=0.05)
EVEN = (np.arange(6000) * 0.6180339887498949) % 1.0


def window(batch, rule=RULE, end_s=T0 + 300, then=None):
    """The summary of the one slice after a batch, and another one if given."""
    made = Panes(PaneRule(30, 5, math.inf), ("a",), ("log",))
    for one in (batch, then):
        if one is not None:
            made.take("log", one, T0 + 300)
    [summary] = summarize_windows(made, end_s, rule)
    return summary


def spread(latencies, **changes):
    """These latencies evenly over the five minutes."""
    return batch_of(T0 + np.arange(len(latencies)) * 300 / len(latencies), latencies, **changes)


def tail(ratio):
    """6,000 latencies of which the slowest 3 % take ``ratio`` times 20 ms, which is P95."""
    return np.where(EVEN > 0.97, 20.0 * ratio, body_ms(EVEN))


def test_a_calm_window_is_healthy_and_tells_its_numbers():
    """Quantiles within the sketch's error of numpy's, the rate, the error rate and how sure the ratio is."""
    latencies = body_ms(EVEN)
    seen = window(spread(latencies, failed=(np.arange(6000) % 100 == 0).astype(np.int64)))
    assert (seen.state, seen.reasons, seen.sample_count) == (WindowState.HEALTHY, (), 6000)
    assert (seen.rate_per_s, seen.error_rate) == (20.0, 0.01)
    for p, value in ((50, seen.p50_ms), (90, seen.p90_ms), (95, seen.p95_ms), (99, seen.p99_ms), (99.9, seen.p999_ms)):
        assert value == pytest.approx(np.percentile(latencies, p), rel=1 / 257)
    assert seen.ratio_low <= seen.ratio <= seen.ratio_high


@pytest.mark.parametrize(("ratio", "state"), [(1.9, "healthy"), (2.1, "violated"), (4.0, "violated")])
def test_a_window_is_violated_above_the_limit(ratio, state):
    """The ratio of P99 to P95 is held against the limit."""
    assert window(spread(tail(ratio))).state == state


def test_a_ratio_that_the_histogram_cannot_tell_from_the_limit_is_insufficient():
    """Within the resolution of the limit nobody is declared healthy or violated, and the reason says so."""
    seen = window(spread(tail(2.0)))
    assert seen.state is WindowState.INSUFFICIENT
    assert "insufficient resolution" in seen.reasons[0]


@pytest.mark.parametrize("count", [0, 1, 2999])
def test_few_samples_are_insufficient_however_good_they_look(count):
    """Nothing, one sample, or one too few is never healthy; the reason names the count."""
    seen = window(spread(body_ms(EVEN)[:count]))
    assert seen.state is WindowState.INSUFFICIENT
    assert f"{count:,} samples" in seen.reasons[0]


def test_the_minimum_itself_is_enough():
    """Exactly as many as are asked for are judged."""
    assert window(spread(body_ms(EVEN)[:3000])).state is WindowState.HEALTHY


def test_a_clock_too_coarse_to_tell_is_insufficient():
    """Latencies of zero have no ratio, and no ratio is no health."""
    assert window(spread(np.zeros(6000))).state is WindowState.INSUFFICIENT


def test_yesterdays_samples_are_not_todays():
    """A window over a time without samples says insufficient, whatever came before it."""
    assert window(spread(body_ms(EVEN)), end_s=T0 + 86_400).sample_count == 0


def test_too_many_late_samples_make_a_slice_insufficient():
    """When more than the declared share came too late, what is left may be the fast part."""
    late = batch_of(np.full(400, T0 + 1), np.full(400, 500.0))
    seen = window(spread(body_ms(EVEN)), then=late)
    assert seen.state is WindowState.INSUFFICIENT
    assert "400 of 6,400" in seen.reasons[0]


@pytest.mark.parametrize(("garbled", "state"), [(300, "healthy"), (400, "insufficient")])
def test_too_many_garbled_lines_make_every_slice_insufficient(garbled, state):
    """A line that cannot be read may have been anybody's."""
    seen = window(spread(body_ms(EVEN), garbled_at=np.full(garbled, 3000)))
    assert seen.state == state


def test_lost_lines_make_every_slice_insufficient():
    """Where a rotation is known to have lost lines, nobody knows which."""
    seen = window(spread(body_ms(EVEN)), then=Batch(gaps=1))
    assert (seen.state, seen.reasons) == (WindowState.INSUFFICIENT, ("lines of log were lost",))


def buckets(ratio, step):
    """Samples that are known to within a bucket of ``step`` only: P95 at 20 ms, P99 at ``ratio`` times it."""
    values = [10.0, 20.0, 20.0 * ratio]
    error = math.sqrt(step) - 1
    return batch_of([T0 + 299] * 3, values, weight=np.array([5400, 420, 180]), coarse=dict.fromkeys(values, error))


@pytest.mark.parametrize(
    ("ratio", "step", "state"),
    [(2.1, 1.1, "insufficient"), (1.9, 1.1, "insufficient"), (2.4, 1.1, "violated"), (1.7, 1.1, "healthy")],
)
def test_coarse_buckets_are_not_judged_silently(ratio, step, state):
    """With buckets in steps of 10 %, a ratio that may be on either side of the limit is insufficient."""
    assert window(buckets(ratio, step)).state == state


def test_the_width_that_counts_is_that_of_the_buckets_around_the_quantiles():
    """A wide bucket elsewhere does no harm; one of unknown width around P99 makes any ratio insufficient."""
    for place, state in ((0, WindowState.VIOLATED), (2, WindowState.INSUFFICIENT)):
        batch = buckets(4.0, 1.1)
        wide = {value: math.inf if n == place else error for n, (value, error) in enumerate(batch.coarse.items())}
        assert window(replace(batch, coarse=wide)).state is state


def test_the_interval_widens_when_panes_disagree():
    """Panes that are all alike leave no doubt; a tail that sits in one of them leaves much."""
    alike = window(spread(tail(2.6)))
    latencies = body_ms(EVEN)
    latencies[:600] = np.where(EVEN[:600] > 0.7, 60.0, latencies[:600])
    apart = window(spread(latencies))
    assert (alike.ratio_high - alike.ratio_low) * 5 < apart.ratio_high - apart.ratio_low
    assert apart.ratio_low >= 1.0


def test_without_codes_there_is_no_error_rate():
    """A source that names no codes has an unknown error rate, not one of zero."""
    assert window(spread(body_ms(EVEN), failed=np.full(6000, -1))).error_rate is None
