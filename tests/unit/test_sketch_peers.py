"""The histogram beside HdrHistogram, DDSketch and REQ, each given the same samples in whole microseconds.

The quantiles asked for fall on a sample each, so that no peer is judged by how it interpolates.
"""

import numpy as np
import pytest
from datasketches import req_floats_sketch
from ddsketch import DDSketch
from hdrh.histogram import HdrHistogram
from latencies import drawn, filled

from lens_core.sketch import Resolution

SIZE = 10_001
QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999, 1.0)
NAMES = ("lognormal", "exponential", "pareto", "weibull", "uniform", "slow path", "constant", "with zeros")
HIGHEST_US = 3_600_000_000
FLOAT32 = 1e-6

of_every_kind = pytest.mark.parametrize("name", NAMES)
resolutions = pytest.mark.parametrize("resolution", list(Resolution))


def microseconds(name):
    """Samples of a distribution, in whole microseconds, as HdrHistogram takes them."""
    return np.rint(drawn(name, SIZE) * 1000.0)


def ours_and_exact(values, resolution):
    """The sketch's quantiles, checked against the samples themselves, and its error."""
    made = filled(values, resolution)
    found = made.quantiles(QUANTILES)
    exact = np.quantile(values, QUANTILES)
    assert (np.abs(found - exact) <= exact * made.relative_error * (1 + 1e-12)).all()
    return found, exact, made.relative_error


@of_every_kind
@resolutions
@pytest.mark.parametrize("digits", [2, 3])
def test_hdrhistogram_agrees(name, resolution, digits):
    """Ours and HdrHistogram's quantiles differ by no more than both declare."""
    values = microseconds(name)
    peer = HdrHistogram(1, HIGHEST_US, digits)
    assert all(peer.record_value(int(value)) for value in values)
    theirs = np.array([peer.get_value_at_percentile(100 * p) for p in QUANTILES])
    ours, exact, error = ours_and_exact(values, resolution)
    assert (np.abs(ours - theirs) <= exact * (error + 10.0**-digits)).all()


@of_every_kind
@resolutions
@pytest.mark.parametrize("alpha", [0.01, 0.001])
def test_ddsketch_agrees(name, resolution, alpha):
    """Ours and DDSketch's quantiles differ by no more than both declare."""
    values = microseconds(name)
    peer = DDSketch(alpha)
    for value in values.tolist():
        peer.add(value)
    theirs = np.array([peer.get_quantile_value(p) for p in QUANTILES])
    ours, exact, error = ours_and_exact(values, resolution)
    assert (np.abs(ours - theirs) <= exact * (error + alpha) * (1 + 1e-9)).all()


@of_every_kind
@resolutions
def test_req_agrees(name, resolution):
    """Ours lies between REQ's values at the ranks it is sure of, give or take our own error.

    REQ draws by lot: six of its standard deviations are allowed, so that the lot does not decide.
    """
    values = microseconds(name)
    peer = req_floats_sketch(12)
    peer.update(values.astype(np.float32))
    ours, _, error = ours_and_exact(values, resolution)
    for p, found in zip(QUANTILES, ours, strict=True):
        lowest = peer.get_quantile(max(0.0, p - 2 * (p - peer.get_rank_lower_bound(p, 3))))
        highest = peer.get_quantile(min(1.0, p + 2 * (peer.get_rank_upper_bound(p, 3) - p)))
        assert lowest * (1 - error - FLOAT32) <= found <= highest * (1 + error + FLOAT32)


@of_every_kind
def test_merging_agrees_with_peers_merging(name):
    """Merged halves answer as DDSketch's and HdrHistogram's merged halves do, within both errors."""
    values = microseconds(name)
    halves = (values[::2], values[1::2])
    made, dd, hdr = filled(halves[0]), DDSketch(0.001), HdrHistogram(1, HIGHEST_US, 3)
    made.merge(filled(halves[1]))
    for half in halves:
        more_dd, more_hdr = DDSketch(0.001), HdrHistogram(1, HIGHEST_US, 3)
        for value in half.tolist():
            more_dd.add(value)
            more_hdr.record_value(int(value))
        dd.merge(more_dd)
        hdr.add(more_hdr)
    assert made == filled(values)
    assert made.count == dd.count == hdr.total_count == SIZE
    for p, found in zip(QUANTILES, made.quantiles(QUANTILES), strict=True):
        for theirs in (dd.get_quantile_value(p), hdr.get_value_at_percentile(100 * p)):
            assert abs(found - theirs) <= max(found, theirs) * (made.relative_error + 0.001) * (1 + 1e-9)
