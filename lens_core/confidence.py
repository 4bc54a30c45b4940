"""How sure a latency is: time-block jackknife intervals, three-way decisions, looks that spend their alpha.

Requests that follow each other share queues, so their latencies are not independent, and an interval
that takes them for independent passes one bad service in five (20 % at n = 60,000 and a load of .7,
instead of 5 %). Blocks of time are nearly independent of each other. Leaving out one block at a time
(jackknife: Quenouille 1949, Tukey 1958; by blocks: Künsch 1989) shows how far a statistic depends on
when it was measured; Student's t with one degree of freedom less than there are blocks makes that an
interval. Everything happens on the logarithm of a ratio, whose distribution is the nearest to normal.

How often this decides wrongly, for independent and for queued requests: ``docs/latency-study.md``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from lens_core.late import late
from lens_core.sketch import Resolution, bin_edges, block_counts

BEYOND = 1.10
"""``Estimate.power`` asks how surely a true value so many times the limit would have failed."""

_SPENDING_POWER = 2.0
# The golden ratio of 2³²: multiples of it fall evenly everywhere (Knuth 1998, 6.4).
_SCATTER = 2654435761
_FEWEST = 2
_HIGHEST_EFFECT = 1e6


@dataclass(frozen=True, slots=True)
class Spread:
    """How far a log ratio may lie from the truth: its standard error, over so many blocks.

    ``design_effect`` is the variance between blocks of time over the variance that independent
    requests would have: 1 without queues, 2 to 8 in a healthy queue. Far above that, requests hang
    together for longer than a block lasts, and the standard error itself cannot be believed.
    """

    standard_error: float
    blocks: int
    design_effect: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A ratio with one-sided confidence bounds, each of them wrong with probability ``alpha``."""

    value: float
    low: float
    high: float
    alpha: float
    spread: Spread

    @property
    def power(self) -> float:
        """How surely a run of this size and spread fails a service whose true value is 1.1 × the limit.

        The limit does not matter: on the scale of logarithms, 10 % is as far from any of them.
        """
        error, freedom = self.spread.standard_error, self.spread.blocks - 1
        if error == 0:
            return 1.0
        return float(late("scipy.stats").t.sf(_critical(self.alpha, freedom) - math.log(BEYOND) / error, freedom))


@cache
def _critical(alpha: float, freedom: int) -> float:
    """Student's quantile; it takes longer to find than all else that an interval needs."""
    return float(late("scipy.stats").t.ppf(1 - alpha, freedom))


def estimate(value: float, spread: Spread, alpha: float) -> Estimate:
    """``value`` (a ratio above 0) between its bounds at the one-sided level ``alpha``."""
    reach = _critical(alpha, spread.blocks - 1) * spread.standard_error
    return Estimate(value, value * math.exp(-reach), value * math.exp(reach), alpha, spread)


def alpha_spent(alpha: float, fractions: Sequence[float]) -> tuple[float, ...]:
    """The level of each look at ``fractions`` (ascending, the last 1) of the data; they sum to ``alpha``.

    The spending function is alpha·t² (Kim & DeMets 1987): early looks, which rest on little, may
    decide only what is plain. Levels are its increments, which is safe whatever hangs together.
    """
    if not fractions or sorted(set(fractions)) != list(fractions) or fractions[0] <= 0 or fractions[-1] != 1:
        raise ValueError(f"expected ascending fractions up to 1, saw {list(fractions)}")
    reached = [alpha * fraction**_SPENDING_POWER for fraction in fractions]
    return tuple(after - before for before, after in zip([0.0, *reached], reached, strict=False))


class BlockHistograms:
    """Latencies of one service as one histogram per block of time, and the same scattered over the blocks.

    ``latencies`` (any unit, above 0) stand in the order of their time; ``blocks`` holds for each the
    number of its block (0, 1, 2, …, none of them empty). ValueError for other blocks or bad latencies.
    """

    def __init__(self, latencies: NDArray[np.float64], blocks: NDArray[np.int64]) -> None:
        self.count = int(blocks.max()) + 1 if blocks.size else 0
        if blocks.size != latencies.size or np.unique(blocks).size != self.count:
            raise ValueError(f"expected a block for each of {latencies.size} latencies, none of them empty")
        self._first, self._by_time = block_counts(latencies, blocks, self.count, Resolution.FINE)
        scattered = np.arange(blocks.size, dtype=np.uint64) * np.uint64(_SCATTER) % np.uint64(1 << 32)
        mixed = (scattered * np.uint64(self.count) >> np.uint64(32)).astype(np.int64)
        _, self._scattered = block_counts(latencies, mixed, self.count, Resolution.FINE)

    def left_out(self, p: float, *, by_time: bool) -> NDArray[np.float64]:
        """Log of the quantile ``p`` without each block in turn; −inf where it is zero."""
        counts = self._by_time if by_time else self._scattered
        return log_quantiles_left_out(self._first, counts, Resolution.FINE, p)


def log_quantiles_left_out(
    first: int, counts: NDArray[np.int64], resolution: Resolution, p: float
) -> NDArray[np.float64]:
    """Log of the quantile ``p`` of all blocks but one, for each block in turn; −inf where it is zero.

    ``counts`` (blocks × bins, from bin number ``first`` on) holds more than one block with anything in
    it. Within a bin the place goes by rank, or else most blocks would seem to change nothing.
    """
    below = np.cumsum(counts.sum(axis=0) - counts, axis=1)
    rank = p * (below[:, -1] - 1)
    places = (below <= np.floor(rank)[:, None]).sum(axis=1)
    until = np.take_along_axis(below, places[:, None], 1)[:, 0]
    before = np.where(places > 0, np.take_along_axis(below, np.maximum(places - 1, 0)[:, None], 1)[:, 0], 0)
    share = np.clip((rank - before + 0.5) / (until - before), 0.0, 1.0)
    edges = bin_edges(first, counts.shape[1], resolution)
    values = edges[places] + (edges[places + 1] - edges[places]) * share
    with np.errstate(divide="ignore"):
        logs: NDArray[np.float64] = np.log(np.where(first + places > 0, values, 0.0))
    return logs


def ratio_spread(over: BlockHistograms, p: float, under: BlockHistograms, q: float) -> Spread | None:
    """The spread of log(quantile ``p`` of ``over`` / quantile ``q`` of ``under``).

    The same block is left out of both at once. So of two services, what the machine did to both in
    one block cancels; ``over`` and ``under`` may also be the same service, as in P99 / P95. None when
    there are no two blocks, the two have other blocks, or a quantile is zero.
    """
    if over.count != under.count or over.count < _FEWEST:
        return None
    with np.errstate(invalid="ignore"):  # a quantile of zero makes NaN, which is no spread
        by_time, by_chance = (
            standard_error(over.left_out(p, by_time=timed) - under.left_out(q, by_time=timed))
            for timed in (True, False)
        )
    if not (math.isfinite(by_time) and math.isfinite(by_chance)):
        return None
    if by_chance == 0:
        return Spread(by_time, over.count, 1.0 if by_time == 0 else _HIGHEST_EFFECT)
    return Spread(by_time, over.count, min((by_time / by_chance) ** 2, _HIGHEST_EFFECT))


def standard_error(left_out: NDArray[np.float64]) -> float:
    """The jackknife's standard error of a statistic, from its values with each block left out in turn."""
    count = left_out.size
    return math.sqrt((count - 1) / count * float(np.square(left_out - left_out.mean()).sum()))
