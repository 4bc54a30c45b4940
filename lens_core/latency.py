"""Samples → ``LatencySummary``: plain quantiles with their count, and the tail ratio.

Quantiles interpolate linearly at rank p·(n-1) (Hyndman & Fan 1996, type 7), as numpy does by
default. Intervals, a control and interleaving with the baseline do not exist yet: a summary says
how many samples it stands on, and the gates ask for a minimum. The raw samples keep their intended
send times, so blocks can be formed from what a night has stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_QUANTILES = (0.50, 0.90, 0.95, 0.99, 0.999)


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """Quantiles of a set of latencies in milliseconds, and how many samples they come from."""

    sample_count: int
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float

    @property
    def tail_ratio(self) -> float | None:
        """P99 / P95; None when P95 is zero (a clock too coarse to judge)."""
        return self.p99_ms / self.p95_ms if self.p95_ms > 0 else None


def summarize(latencies_ms: Sequence[float] | NDArray[np.float64]) -> LatencySummary | None:
    """Summarize latencies (milliseconds, any order); None for no samples.

    Raises ValueError for a NaN, an infinite or a negative latency: a broken clock is no evidence.
    """
    values = np.asarray(latencies_ms, dtype=np.float64)
    if values.size == 0:
        return None
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError("latencies must be finite and not negative")
    p50, p90, p95, p99, p999 = (float(q) for q in np.quantile(values, _QUANTILES))
    return LatencySummary(int(values.size), p50, p90, p95, p99, p999, float(values.max()))
