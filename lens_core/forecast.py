"""What the next nights will probably be, how sure that is, and how likely a gate breaks.

On a logarithmic scale, trained on the nights after the last accepted change point, the mean of three
models (``levels``). The interval of each night ahead is conformal (Vovk et al. 2005; split form): the
errors that the same procedure made on this level at the same distance, with the correction for their
finite count: when there are too few for the nominal level there is no interval, not a narrow one. The
probability that a limit breaks comes from the same errors, path by path, and is never 0 or 1.

Errors of neighbouring nights overlap and are not exchangeable, so the nominal level is a promise of the
method on paper; ``lens forecast --backtest`` prints what it came to.
"""

import math
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from lens_core.changes import MIN_NIGHTS, last_change_place, too_few
from lens_core.errors import InvalidInput
from lens_core.levels import ENSEMBLE, MODELS, walk
from lens_core.series import Limit, Logs, Series

HORIZON_NIGHTS = 7
MAX_HORIZON_NIGHTS = 30
NOMINAL_COVERAGE = 0.80
FEWEST_PATHS = 4
"""A probability from fewer paths would be mostly its own prior."""


@dataclass(frozen=True, slots=True)
class Step:
    """One night ahead (``nights_ahead`` counts from 1), dated as if a night were run each date.

    ``low`` and ``high`` are None when ``residual_count`` errors are too few for the nominal coverage.
    """

    nights_ahead: int
    night_date: date
    value: float
    low: float | None
    high: float | None
    residual_count: int


@dataclass(frozen=True, slots=True)
class Breach:
    """The probability that at least one of the next ``nights`` breaks ``limit``: (k + 1) / (n + 2).

    ``path_count`` (n) stretches of that many nights, which overlap, were laid onto the present level.
    """

    limit: Limit
    nights: int
    probability: float
    path_count: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """The forecast of a series. ``absent`` says why there is none; then it has no steps.

    ``trained_from`` is the first night of the present level, ``changed`` that a change point made it so.
    ``no_breach`` says why there is no probability when ``breach`` is None.
    """

    series: Series
    absent: str = ""
    trained_from: date | None = None
    trained_nights: int = 0
    changed: bool = False
    models: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    breach: Breach | None = None
    no_breach: str = ""


def forecast(series: Series, nights: int = HORIZON_NIGHTS) -> Forecast:
    """Forecast ``nights`` nights ahead. InvalidInput when ``nights`` is not 1 to MAX_HORIZON_NIGHTS."""
    refuse_horizon(nights)
    if words := series.not_on_log_scale or too_few(len(series.values), MIN_NIGHTS):
        return Forecast(series, absent=words, no_breach=words)
    logs = series.logs()
    if not np.isfinite(logs[-HORIZON_NIGHTS:]).any():
        words = f"the newest {HORIZON_NIGHTS} nights have no value"
        return Forecast(series, absent=words, no_breach=words)
    start = last_change_place(logs)
    known, first = logs[start:], series.points[start].night_date
    valued = int(np.isfinite(known).sum())
    if words := too_few(valued, MIN_NIGHTS):
        words += f" since the change of {first}"
        return Forecast(series, words, first, valued, changed=True, no_breach=words)
    walked = walk(known)
    levels = walked.levels[ENSEMBLE]
    last = series.points[-1].night_date
    steps = tuple(_step(known, levels, ahead, last) for ahead in range(1, nights + 1))
    breach, no_breach = _breach(series.limit, known, levels, nights)
    return Forecast(
        series=series,
        trained_from=first,
        trained_nights=valued,
        changed=start > 0,
        models=tuple(name for name in MODELS if name not in walked.left_out),
        left_out=walked.left_out,
        steps=steps,
        breach=breach,
        no_breach=no_breach,
    )


def refuse_horizon(nights: int) -> None:
    """InvalidInput when ``nights`` is not 1 to MAX_HORIZON_NIGHTS."""
    if not 1 <= nights <= MAX_HORIZON_NIGHTS:
        raise InvalidInput(f"expected 1 to {MAX_HORIZON_NIGHTS} nights ahead, saw {nights}")


def _step(known: Logs, levels: Logs, ahead: int, last: date) -> Step:
    errors = residuals(known, levels, ahead)
    level = float(levels[-1])
    half = half_width(errors)
    return Step(
        nights_ahead=ahead,
        night_date=last + timedelta(days=ahead),
        value=math.exp(level),
        low=None if half is None else math.exp(level - half),
        high=None if half is None else math.exp(level + half),
        residual_count=errors.size,
    )


def residuals(known: Logs, levels: Logs, ahead: int) -> Logs:
    """Errors of the forecasts ``ahead`` nights ahead, oldest first: what came minus the level, gaps left out.

    ``known`` and ``levels`` have the shape (nights,); so many errors as both are there.
    """
    errors = known[ahead:] - levels[:-ahead]
    kept: Logs = errors[np.isfinite(errors)]
    return kept


def half_width(errors: Logs, coverage: float = NOMINAL_COVERAGE) -> float | None:
    """Half the interval, in logarithms: the ⌈(n + 1) · coverage⌉-th smallest absolute error; None if n has none."""
    rank = math.ceil((errors.size + 1) * coverage)
    return float(np.sort(np.abs(errors))[rank - 1]) if rank <= errors.size else None


def paths(known: Logs, levels: Logs, nights: int) -> Logs:
    """Errors of each origin for all of the next ``nights`` nights, shape (origins, nights); gaps make no path."""
    origins = range(max(0, known.size - nights))
    errors = np.array([known[o + 1 : o + 1 + nights] - levels[o] for o in origins]).reshape(-1, nights)
    whole: Logs = errors[np.isfinite(errors).all(axis=1)]
    return whole


def breach_probability(errors: Logs, level: float, limit: Limit) -> float | None:
    """(k + 1) / (n + 2), of n paths (origins, nights) k that break ``limit`` from ``level``; None for too few."""
    if len(errors) < FEWEST_PATHS:
        return None
    worst = errors.min(axis=1) if limit.is_floor else errors.max(axis=1)
    broken = sum(limit.broken_by(float(value)) for value in np.exp(level + worst))
    return (broken + 1) / (len(errors) + 2)


def _breach(limit: Limit | None, known: Logs, levels: Logs, nights: int) -> tuple[Breach | None, str]:
    if limit is None:
        return None, "no limit applies"
    errors = paths(known, levels, nights)
    probability = breach_probability(errors, float(levels[-1]), limit)
    if probability is None:
        return None, f"no probability (n = {len(errors)}, {FEWEST_PATHS} needed)"
    return Breach(limit, nights, probability, len(errors)), ""
