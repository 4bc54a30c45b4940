"""The three models of a forecast, walked over the nights: what each believed the level was, night by night.

Simple exponential smoothing and the local level (both statsmodels; Hyndman et al. 2008, Harvey 1989) and
the median of the last nights. All three forecast the level they have reached, for every night ahead.
They were chosen for cost and robustness; none of them is proven better than the others.

Nothing looks ahead: parameters are estimated from the nights up to then, again each time the nights have
grown by a quarter (at most by seven), and carried forward in between. So the levels of a longer walk
begin with those of a shorter one, the backtest judges the very forecasts that are published, and the
residuals behind an interval are real forecasts' errors.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lens_core.late import late
from lens_core.series import Logs

FEWEST_NIGHTS = 5
"""From so many nights on a walk has levels."""
ENSEMBLE = "ensemble"
NAIVE = "last value"
MEDIAN_NIGHTS = 14
_REFIT_NIGHTS = 7
_REFIT_SHARE = 4

Filter = Callable[[Logs], Logs]
"""Observations (nights,), gaps NaN, → the level reached at each night (nights,)."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Levels in logarithms by model name, each of shape (nights,), NaN where the model has none.

    ``left_out`` names the models that did not converge, or failed, on the newest nights.
    """

    levels: dict[str, Logs]
    left_out: tuple[str, ...]


def walk(logs: Logs) -> Walk:
    """Walk every model over ``logs`` (nights,), gaps NaN. Fewer than FEWEST_NIGHTS values give NaN only."""
    levels = {name: np.full(logs.size, math.nan) for name in (*_MODELS, ENSEMBLE, NAIVE)}
    left_out: tuple[str, ...] = ()
    for start, end in _blocks(logs):
        known = logs[: start + 1]
        middle, spread = float(np.nanmedian(known)), float(np.nanstd(known)) or 1.0
        left_out = ()
        for name, fit in _MODELS.items():
            learned = _fitted(fit, (known - middle) / spread)
            if learned is None:
                left_out += (name,)
                continue
            reached = learned((logs[:end] - middle) / spread) * spread + middle
            levels[name][start:end] = reached[start:end]
    stacked = np.array([levels[name] for name in _MODELS])
    there = np.isfinite(stacked)
    counted, total = there.sum(axis=0), np.where(there, stacked, 0.0).sum(axis=0)
    np.divide(total, counted, out=levels[ENSEMBLE], where=counted > 0)
    levels[NAIVE] = _carried(logs)
    return Walk(levels, left_out)


def _blocks(logs: Logs) -> list[tuple[int, int]]:
    """Where parameters are estimated (inclusive) and how far they are carried (exclusive), in order."""
    valued = np.flatnonzero(np.isfinite(logs))
    starts, count = [], FEWEST_NIGHTS
    while count <= valued.size:
        starts.append(int(valued[count - 1]))
        count += max(1, min(_REFIT_NIGHTS, count // _REFIT_SHARE))
    return list(zip(starts, [*starts[1:], logs.size], strict=True))


def _fitted(fit: Callable[[Logs], Filter | None], known: Logs) -> Filter | None:
    """The filter of a model that converged; None for one that did not, or that cannot be fitted."""
    with warnings.catch_warnings():
        # Whether it converged is read off the fit itself; numpy's complaints are of steps on the way there.
        warnings.simplefilter("ignore", late("statsmodels.tools.sm_exceptions").ConvergenceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            return fit(known)
        except ValueError:  # numpy's LinAlgError is one too
            return None


def _exponential_smoothing(known: Logs) -> Filter | None:
    fit = (
        late("statsmodels.tsa.holtwinters")
        .SimpleExpSmoothing(known[np.isfinite(known)], initialization_method="estimated")
        .fit()
    )
    if not fit.mle_retvals.success:
        return None
    weight, first = float(fit.params["smoothing_level"]), float(fit.params["initial_level"])

    def reached(observed: Logs) -> Logs:
        levels, level = np.empty(observed.size), first
        for place, value in enumerate(observed):
            level += weight * (value - level) if math.isfinite(value) else 0.0
            levels[place] = level
        return levels

    return reached


def _local_level(known: Logs) -> Filter | None:
    local_level = late("statsmodels.tsa.statespace.structural").UnobservedComponents
    fit = local_level(known, "llevel").fit(disp=False)
    if not fit.mle_retvals["converged"]:
        return None

    def reached(observed: Logs) -> Logs:
        levels: Logs = local_level(observed, "llevel").filter(fit.params).filtered_state[0]
        return levels

    return reached


def _median_of_last(_known: Logs) -> Filter:
    def reached(observed: Logs) -> Logs:
        valued = np.flatnonzero(np.isfinite(observed))
        medians = np.full(observed.size, math.nan)
        for count, place in enumerate(valued, start=1):
            medians[place] = np.median(observed[valued[max(0, count - MEDIAN_NIGHTS) : count]])
        return _carried(medians)

    return reached


def _carried(values: Logs) -> Logs:
    """``values`` with each gap filled by the last one before it; gaps at the beginning stay."""
    places = np.maximum.accumulate(np.where(np.isfinite(values), np.arange(values.size), -1))
    return np.where(places >= 0, values[places], math.nan)


_MODELS: dict[str, Callable[[Logs], Filter | None]] = {
    "exponential smoothing": _exponential_smoothing,
    "local level": _local_level,
    f"median of {MEDIAN_NIGHTS}": _median_of_last,
}
MODELS = tuple(_MODELS)
"""The names of the models that the ensemble is the mean of."""
