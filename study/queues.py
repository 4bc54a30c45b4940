"""Services whose true tail is known: independent latencies, and queues with general arrivals and service times.

A queue is G/G/c: ``servers`` workers, first come first served, solved request by request with the
recursion of Kiefer and Wolfowitz (1955). Requests come at 100 a second on average, so that a load of
.7 on four workers means 28 ms of work a request. Random numbers here are the subject of a study; no
verdict of the product rests on one.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RATE_PER_S = 100.0
Z95, Z99 = 1.6448536269514722, 2.3263478740408408
"""The standard normal's quantiles at .95 and .99."""

# As many requests are dropped as the longest memory here (lognormal work, σ = 1.39) needs to forget the empty start.
_WARM_UP = 5_000


class Arrivals(StrEnum):
    """How the gaps between requests are spread; their squared coefficient of variation (SCV) is in the comments."""

    POISSON = "Poisson"  # 1
    GAMMA = "gamma"  # 1/2: steadier than Poisson, as behind a balancer
    CONSTANT = "constant"  # 0: a load generator on schedule


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of service.

    A request's work is lognormal with ``sigma``; a share ``slow_share`` of the requests takes
    ``slow_factor`` times as long (a cache that misses, a large tenant). With ``servers`` = 0 latencies
    are independent, else they queue at ``load``. ``regression_share`` of the requests are further
    ``regression_factor`` times slower; that comes on top of ``load``, since the traffic stays.
    """

    title: str
    sigma: float
    servers: int = 0
    load: float = 0.0
    arrivals: Arrivals = Arrivals.POISSON
    slow_share: float = 0.0
    slow_factor: float = 1.0
    regression_share: float = 0.0
    regression_factor: float = 1.0

    @property
    def mean_work_ms(self) -> float:
        """The mean work of a request without the regression."""
        return 1000.0 * self.servers * self.load / RATE_PER_S if self.servers else 28.0

    @property
    def exact_tail_ratio(self) -> float | None:
        """P99 / P95 of independent lognormal latencies; None where it takes a simulation."""
        if self.servers or self.slow_share or self.regression_share:
            return None
        return math.exp(self.sigma * (Z99 - Z95))

    def draw(self, rng: np.random.Generator, count: int, slowdown: Floats | None = None) -> Floats:
        """Latencies (ms) of ``count`` requests in the order of their arrival, from a queue that has settled.

        ``slowdown`` multiplies the work of each of them: what the machine does to whoever is asked.
        """
        warm_up = _WARM_UP if self.servers else 0
        work = self._work(rng, count + warm_up)
        if slowdown is not None:
            work[warm_up:] *= slowdown
        if not self.servers:
            return work
        return sojourn_times(self._gaps(rng, work.size), work, self.servers)[warm_up:]

    def _work(self, rng: np.random.Generator, count: int) -> Floats:
        mean = math.exp(self.sigma**2 / 2) * (1 + self.slow_share * (self.slow_factor - 1))
        work: Floats = np.exp(rng.standard_normal(count) * self.sigma) * (self.mean_work_ms / mean)
        if self.slow_share:
            work[rng.random(count) < self.slow_share] *= self.slow_factor
        if self.regression_share:
            work[rng.random(count) < self.regression_share] *= self.regression_factor
        return work

    def _gaps(self, rng: np.random.Generator, count: int) -> Floats:
        mean_ms = 1000.0 / RATE_PER_S
        match self.arrivals:
            case Arrivals.POISSON:
                return rng.standard_exponential(count) * mean_ms
            case Arrivals.GAMMA:
                return rng.standard_gamma(2.0, count) * (mean_ms / 2)
            case Arrivals.CONSTANT:
                return np.full(count, mean_ms)


def sigma_of(tail_ratio: float) -> float:
    """The σ of a lognormal whose P99 / P95 is ``tail_ratio``."""
    return math.log(tail_ratio) / (Z99 - Z95)


def sojourn_times(gaps: Floats, work: Floats, servers: int) -> Floats:
    """Waiting and service together, per request, in the unit of ``gaps`` and ``work``; the queue starts empty."""
    times = np.empty(work.size, dtype=np.float64)
    _serve(gaps, work, servers, times)
    return times


@numba.njit(boundscheck=False, cache=False)
def _serve(gaps, work, servers, times):  # type: ignore[no-untyped-def]  # pragma: no cover  # noqa: ANN001, ANN202
    """Fill ``times``; each request goes to the worker that is free first."""
    free_at = np.zeros(servers)
    now = 0.0
    for i in range(work.size):
        now += gaps[i]
        first = 0
        for k in range(1, servers):
            if free_at[k] < free_at[first]:
                first = k
        free_at[first] = max(now, free_at[first]) + work[i]
        times[i] = free_at[first] - now
