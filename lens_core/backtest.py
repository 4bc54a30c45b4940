"""What the forecasts would have been worth: each past night forecast from what was known the night before.

Rolling origin: at every night the whole procedure runs on the nights up to it, change points included.
Models are held against the last value carried forward, pair by pair; the interval against the share of
nights that it held; the probability of a breach against the share of breaches known by then (Brier
1950). Neighbouring forecasts share nights and slices share machines, so what is tested is the mean gain
of blocks of nights, over all slices together, and not each of thousands of dependent pairs.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from lens_core.changes import MIN_NIGHTS, last_change_place, too_few
from lens_core.forecast import HORIZON_NIGHTS, breach_probability, half_width, paths, refuse_horizon, residuals
from lens_core.late import late
from lens_core.levels import ENSEMBLE, MODELS, NAIVE, walk
from lens_core.series import Limit, Logs, Series

FEWEST_BLOCKS = 5
_CONFIDENCE = 0.95
COMPARED = (ENSEMBLE, *MODELS)


class Skill(StrEnum):
    """How a model stands to the last value carried forward. Only BEATS is good news.

    UNPROVEN: smaller errors, within chance. UNTESTED: smaller errors, too few blocks to say. WORSE: no
    smaller errors. NOTHING: no pair of forecasts to compare, or the last value was never wrong.
    """

    BEATS = "beats"
    UNPROVEN = "unproven"
    UNTESTED = "untested"
    WORSE = "worse"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class ModelScore:
    """One model's errors beside the last value's, on the same ``pair_count`` nights.

    ``ratio`` is its mean absolute error (of logarithms) by the last value's; below 1 is better. ``gain``
    is the mean of the blocks' gains and ``gain_at_least`` the one-sided 95 % bound below it, in logarithms.
    """

    model: str
    skill: Skill
    ratio: float | None
    gain: float | None
    gain_at_least: float | None
    pair_count: int
    block_count: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often the interval held: ``held`` of ``interval_count``; ``without`` forecasts had none."""

    held: int
    interval_count: int
    without: int

    @property
    def share(self) -> float | None:
        """The share of intervals that held; None without any."""
        return self.held / self.interval_count if self.interval_count else None


@dataclass(frozen=True, slots=True)
class BreachScore:
    """Brier scores (0 is perfect) of the probability and of the rate known by then; None without forecasts.

    Today's limit is laid onto all nights. ``broken`` of ``forecast_count`` stretches broke it.
    """

    brier: float | None
    base_rate_brier: float | None
    broken: int
    forecast_count: int


@dataclass(frozen=True, slots=True)
class Backtest:
    """What came out for one metric over all series. ``absent`` names each slice that has too little, and why."""

    metric: str
    nights: int
    slices: tuple[str, ...]
    models: tuple[ModelScore, ...]
    coverage: Coverage
    breach: BreachScore
    absent: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Origin:
    """One night's forecasts and what came.

    ``errors`` maps a model to absolute errors in logarithms, shape (nights,), NaN where nothing came.
    ``held`` has the same shape: 1, 0, or NaN without an interval.
    """

    night_date: date
    errors: dict[str, Logs]
    held: Logs
    probability: float | None
    base_rate: float
    broke: bool | None


def backtest(metric: str, series: Sequence[Series], nights: int = HORIZON_NIGHTS) -> Backtest:
    """Judge the forecasts of ``metric`` in all ``series``, pooled; ``nights`` nights ahead.

    InvalidInput for a number of nights that cannot be forecast.
    """
    refuse_horizon(nights)
    origins: list[_Origin] = []
    absent: list[tuple[str, str]] = []
    for one in series:
        if words := one.not_on_log_scale or too_few(len(one.values), MIN_NIGHTS + 1):
            absent.append((one.slice, words))
        else:
            origins += _origins(one, nights)
    left_out = {name for name, _ in absent}
    return Backtest(
        metric=metric,
        nights=nights,
        slices=tuple(one.slice for one in series if one.slice not in left_out),
        models=tuple(_model_score(name, origins, nights) for name in COMPARED),
        coverage=_coverage(origins),
        breach=_breach_score(origins),
        absent=tuple(absent),
    )


def _origins(series: Series, nights: int) -> Iterable[_Origin]:
    """Every night from which a forecast would have been published, and something came after."""
    logs = series.logs()
    starts: dict[int, int] = {}
    for origin in range(MIN_NIGHTS - 1, logs.size - 1):
        seen = logs[: origin + 1]
        start = last_change_place(seen)
        recent = np.isfinite(seen[-HORIZON_NIGHTS:]).any()
        if recent and np.isfinite(seen[start:]).sum() >= MIN_NIGHTS:
            starts[origin] = start
    # Levels of a longer walk begin with those of a shorter one: one walk a level, as far as it is asked.
    ends = {start: origin for origin, start in starts.items()}
    walks = {start: walk(logs[start : end + 1]) for start, end in ends.items()}
    for origin, start in starts.items():
        levels = {name: level[: origin + 1 - start] for name, level in walks[start].levels.items()}
        yield _origin(series, logs, origin, levels, nights)


def _origin(series: Series, logs: Logs, origin: int, levels: dict[str, Logs], nights: int) -> _Origin:
    ensemble = levels[ENSEMBLE]
    known = logs[origin + 1 - ensemble.size : origin + 1]
    came = np.full(nights, math.nan)
    after = logs[origin + 1 : origin + 1 + nights]
    came[: after.size] = after
    errors = {name: np.abs(came - level[-1]) for name, level in levels.items()}
    held = np.full(nights, math.nan)
    for ahead in range(1, nights + 1):
        half = half_width(residuals(known, ensemble, ahead))
        if half is not None and math.isfinite(came[ahead - 1]):
            held[ahead - 1] = errors[ENSEMBLE][ahead - 1] <= half
    probability, base_rate, broke = None, math.nan, None
    if series.limit is not None and np.isfinite(came).all():
        probability = breach_probability(paths(known, ensemble, nights), float(ensemble[-1]), series.limit)
        base_rate = _base_rate(logs[: origin + 1], series.limit, nights)
        broke = any(series.limit.broken_by(float(value)) for value in np.exp(came))
    return _Origin(series.points[origin].night_date, errors, held, probability, base_rate, broke)


def _base_rate(seen: Logs, limit: Limit, nights: int) -> float:
    """(k + 1) / (n + 2): of the n whole stretches of ``nights`` seen so far, k broke ``limit``."""
    broken = [limit.broken_by(math.exp(value)) if math.isfinite(value) else None for value in seen]
    windows = [broken[i : i + nights] for i in range(len(broken) - nights + 1)]
    whole = [window for window in windows if None not in window]
    return (sum(any(window) for window in whole) + 1) / (len(whole) + 2)


def _model_score(model: str, origins: Sequence[_Origin], nights: int) -> ModelScore:
    dates = sorted({o.night_date for o in origins})
    block_of = {day: place // nights for place, day in enumerate(dates)}
    gains: dict[int, list[float]] = {}
    own = naive = 0.0
    for origin in origins:
        ours, theirs = origin.errors[model], origin.errors[NAIVE]
        paired = np.isfinite(ours) & np.isfinite(theirs)
        own += float(ours[paired].sum())
        naive += float(theirs[paired].sum())
        gains.setdefault(block_of[origin.night_date], []).extend((theirs - ours)[paired].tolist())
    pairs = sum(len(block) for block in gains.values())
    if not pairs or naive == 0:
        return ModelScore(model, Skill.NOTHING, None, None, None, pairs, 0)
    means = np.array([np.mean(block) for block in gains.values() if block])
    bound = _bound(means)
    if own >= naive:
        skill = Skill.WORSE
    elif bound is None:
        skill = Skill.UNTESTED
    else:
        skill = Skill.BEATS if bound > 0 else Skill.UNPROVEN
    return ModelScore(model, skill, own / naive, float(means.mean()), bound, pairs, means.size)


def _bound(means: NDArray[np.float64]) -> float | None:
    """The one-sided lower bound of the mean of blocks (Student's t); None for fewer than FEWEST_BLOCKS."""
    if means.size < FEWEST_BLOCKS:
        return None
    error = float(means.std(ddof=1)) / math.sqrt(means.size)
    return float(means.mean()) - float(late("scipy.stats").t.ppf(_CONFIDENCE, means.size - 1)) * error


def _coverage(origins: Sequence[_Origin]) -> Coverage:
    came = sum(int(np.isfinite(o.errors[ENSEMBLE]).sum()) for o in origins)
    judged = np.concatenate([o.held[np.isfinite(o.held)] for o in origins] or [np.empty(0)])
    return Coverage(int(judged.sum()), judged.size, came - judged.size)


def _breach_score(origins: Sequence[_Origin]) -> BreachScore:
    judged = [
        (o.probability, o.base_rate, o.broke) for o in origins if o.probability is not None and o.broke is not None
    ]
    if not judged:
        return BreachScore(None, None, 0, 0)
    brier = float(np.mean([(probability - broke) ** 2 for probability, _, broke in judged]))
    base = float(np.mean([(rate - broke) ** 2 for _, rate, broke in judged]))
    return BreachScore(brier, base, sum(broke for _, _, broke in judged), len(judged))
