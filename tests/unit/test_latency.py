"""Plain quantiles with their counts."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_core.latency import summarize

latencies = st.lists(st.floats(0, 1e6), min_size=1, max_size=300)


@given(latencies)
def test_quantiles_are_ordered_and_within_the_samples(values):
    """P50 ≤ P90 ≤ P95 ≤ P99 ≤ P99.9 ≤ max, and none lies outside of what was seen."""
    s = summarize(values)
    quantiles = [min(values), s.p50_ms, s.p90_ms, s.p95_ms, s.p99_ms, s.p999_ms, s.max_ms]
    assert all(b >= a - 1e-9 * max(1.0, a) for a, b in itertools.pairwise(quantiles))
    assert s.sample_count == len(values)


@given(latencies)
def test_quantiles_are_interpolated_as_documented(values):
    """P99 is the linear interpolation at rank 0.99·(n-1) of the sorted samples."""
    ordered = np.sort(values)
    rank = 0.99 * (len(values) - 1)
    low = int(rank)
    high = min(low + 1, len(values) - 1)
    expected = ordered[low] + (ordered[high] - ordered[low]) * (rank - low)
    assert summarize(values).p99_ms == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_nothing_has_no_summary():
    """No samples give no quantiles, not zeros."""
    assert summarize([]) is None


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -0.001])
def test_a_broken_clock_is_no_evidence(bad):
    """NaN, infinite and negative latencies are refused."""
    with pytest.raises(ValueError, match="finite"):
        summarize([1.0, bad])


def test_a_tail_ratio_needs_a_p95():
    """A clock too coarse to see P95 gives no ratio."""
    assert summarize([0.0, 0.0]).tail_ratio is None
    assert summarize([1.0] * 100).tail_ratio == 1.0
