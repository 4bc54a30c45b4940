"""What is simulated: families of services, and the cells (family, sample count, trials) of the study."""

from dataclasses import dataclass, replace
from enum import StrEnum

from study.queues import Arrivals, Family, sigma_of

LIMIT = 2.0
RATIOS = (1.6, 1.7, 1.8, 1.9, 2.0, 2.1, 2.2, 2.3, 2.4)
COUNTS = (5_000, 10_000, 20_000, 30_000, 60_000)
LOAD, SERVERS = 0.7, 4

# Found once by interpolation over runs of 10 million requests; the study measures again what they come to.
_SLOW_FACTORS = {1.6: 3.68, 1.7: 4.24, 1.8: 4.75, 1.9: 5.24, 2.0: 5.71, 2.1: 6.20, 2.2: 6.70, 2.3: 7.25, 2.4: 7.87}
_SLOW_FACTOR_POISSON = 6.80
_SLOW_SHARE = 0.02


class Weather(StrEnum):
    """What the machine does to whoever is asked: in 30 % of the time, in spells of 6 s on average, work takes twice."""

    CALM = "calm"
    INTERLEAVED = "both asked in turn, in the same noisy hour"
    ONE_NOISY = "two runs, the candidate's in a noisy hour"
    BOTH_NOISY = "two runs, each in a noisy hour of its own"


def _queued(title: str, sigma: float, arrivals: Arrivals, slow_factor: float = 1.0, load: float = LOAD) -> Family:
    share = _SLOW_SHARE if slow_factor > 1 else 0.0
    return Family(title, sigma, SERVERS, load, arrivals, share, slow_factor)


FAMILIES: dict[str, Family] = {
    **{f"iid-{ratio}": Family("independent, lognormal", sigma_of(ratio)) for ratio in RATIOS},
    **{
        f"queued-{ratio}": _queued("queued: gamma arrivals, 2 % slow path", 0.5, Arrivals.GAMMA, factor)
        for ratio, factor in _SLOW_FACTORS.items()
    },
    "queued-poisson": _queued("queued: Poisson arrivals, 2 % slow path", 0.5, Arrivals.POISSON, _SLOW_FACTOR_POISSON),
    "queued-lognormal": _queued("queued: gamma arrivals, lognormal σ = .8", 0.8, Arrivals.GAMMA),
    "queued-lognormal-poisson": _queued("queued: Poisson arrivals, lognormal σ = .8", 0.8, Arrivals.POISSON),
    "heavy": _queued("queued: Poisson arrivals, lognormal σ = 1.39", 1.39, Arrivals.POISSON),
    "iid-healthy": Family("independent, lognormal σ = .45", 0.45),
    "iid-tenth": Family("the same, every tenth request × 6", 0.45, regression_share=0.1, regression_factor=6.0),
    "queued-healthy": _queued("queued at a load of .45, lognormal σ = .5", 0.5, Arrivals.GAMMA, load=0.45),
    "queued-tenth": replace(
        _queued("the same, every tenth request × 6", 0.5, Arrivals.GAMMA, load=0.45),
        regression_share=0.1,
        regression_factor=6.0,
    ),
    "queued-light": _queued("queued at a load of .35, lognormal σ = .5", 0.5, Arrivals.GAMMA, load=0.35),
}

AT_LIMIT = ("iid-2.0", "queued-2.0", "queued-poisson", "queued-lognormal", "queued-lognormal-poisson", "heavy")
"""Families whose true ratio is put exactly at the limit: here a wrong verdict is the most likely."""

EVERYWHERE = ("iid-2.0", "queued-2.0", "queued-lognormal-poisson")
"""Those of them that are simulated at every sample count."""

NOISY = ("iid-healthy", "queued-light")
"""Families that are compared with themselves on a noisy machine."""

DEMANDED = ("queued-2.0", "queued-poisson", "queued-lognormal", "queued-lognormal-poisson")
"""Queued families for which the demand on false passes was made."""


@dataclass(frozen=True, slots=True)
class Cell:
    """So many trials of one situation; ``nominal`` is the true ratio on a scale where the limit is 2."""

    candidate: str
    count: int
    trials: int
    nominal: float = LIMIT
    baseline: str = ""
    weather: Weather = Weather.CALM

    @property
    def name(self) -> str:
        """What tells this cell from any other, and what its random numbers come from."""
        beside = f" beside {self.baseline}, {self.weather.name}" if self.baseline else ""
        return f"{self.candidate}{beside}, {self.count}"

    @property
    def cost(self) -> float:
        """How much work it is, in requests that are simulated and weighed."""
        return self.count * self.trials * (3.0 if self.baseline else 1.0)


def cells(trials: int, counts: tuple[int, ...] = COUNTS) -> list[Cell]:
    """All cells: ``trials`` for those at the limit at two counts, twice that where the demand was made, else half.

    Away from the limit verdicts are plainer, and the more so for long runs: a fifth of ``trials``
    up to the middle of ``counts``, a tenth beyond.
    """
    middle, most = counts[len(counts) // 2], counts[-1]
    fewer = {n: max(1, trials // (5 if n <= middle else 10)) for n in counts}
    found = []
    for family in AT_LIMIT:
        asked = counts if family in EVERYWHERE else sorted({middle, most})
        often = {middle: trials, most: trials * (2 if family in DEMANDED else 1)}
        found += [Cell(family, n, often.get(n, max(1, trials // 2))) for n in asked]
    for healthy in NOISY:
        weathers = [weather for weather in Weather if weather is not Weather.CALM]
        found += [Cell(healthy, middle, fewer[middle], baseline=healthy, weather=weather) for weather in weathers]
    for kind in ("iid", "queued"):
        for candidate in (f"{kind}-healthy", f"{kind}-tenth"):
            found += [Cell(candidate, n, fewer[n], baseline=f"{kind}-healthy") for n in counts]
        elsewhere = [ratio for ratio in RATIOS if ratio != LIMIT]
        found += [Cell(f"{kind}-{r}", n, fewer[n], r) for r in elsewhere for n in sorted({counts[0], middle, most})]
    return found
