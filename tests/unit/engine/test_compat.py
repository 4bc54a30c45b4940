"""Version checks and the buckets of the histogram."""

from itertools import pairwise

import pytest

from lens_core.engine import compat
from lens_core.engine.metrics import Metrics, latency_buckets


@pytest.mark.parametrize(
    ("api", "index", "compatible"),
    [
        (None, None, True),
        ("1.0", "1", True),
        ("v1", None, True),
        ("1.0.7", "1", True),
        ("1.1", None, False),
        ("2.0", None, False),
        ("0.9", None, False),
        ("x", None, False),
        (None, "2", False),
        (None, "0", False),
        (None, "", False),
        ("2", "2", False),
    ],
)
def test_compatibility(api, index, compatible):
    """A newer or different version is not compatible, and there is a reason for each."""
    checked = compat.check(api, index)
    assert checked.compatible is compatible
    assert bool(checked.reasons) is not compatible
    assert all("expected" in reason and "saw" in reason for reason in checked.reasons)


def test_both_reasons_are_given():
    """Two things wrong give two reasons."""
    assert len(compat.check("9", "9").reasons) == 2


def test_buckets_resolve_ten_percent():
    """From 0.1 ms to 10 s no bucket is more than about 10 % wider than the one before."""
    bounds = latency_buckets()
    assert (bounds[0], bounds[-1]) == (0.0001, 10.0)
    assert all(1 < after / before < 1.102 for before, after in pairwise(bounds))


def test_metrics_count_by_path_and_status():
    """A request is counted under its path and status."""
    metrics = Metrics(3)
    metrics.observe("/search", 200, 0.00105)
    text = metrics.exposition().decode()
    assert 'lens_engine_requests_total{path="/search",status="200"} 1.0' in text
    assert "lens_engine_documents 3.0" in text
    assert 'lens_engine_request_seconds_count{path="/search"} 1.0' in text
