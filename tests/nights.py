"""Series of nights for the tests of trends and forecasts: values in, dates and ids made up, all deterministic."""

import math
from datetime import date, timedelta

import numpy as np

from lens_core.series import Limit, Point, Series

FIRST = date(2026, 6, 1)


def series(values, limit=None, metric="p99_ms", name="backend/python/small", candidates=None) -> Series:
    """A series of one night a date; None and NaN are gaps."""
    points = []
    for place, value in enumerate(values):
        day = FIRST + timedelta(days=place)
        number = None if value is None or math.isnan(value) else float(value)
        candidate = candidates[place] if candidates else "0.1.0 aaa"
        points.append(Point(day, f"{day}.1", number, 1500, candidate))
    return Series(name, metric, tuple(points), Limit(limit) if isinstance(limit, float) else limit)


def noise(seed: int, nights: int, spread: float = 0.04) -> np.ndarray:
    """Independent noise of logarithms around zero."""
    return np.random.default_rng(seed).normal(0.0, spread, nights)


def step(seed: int, nights: int, at: int, share: float, spread: float = 0.04) -> np.ndarray:
    """Values around 2 that rise by ``share`` from night ``at`` on."""
    logs = noise(seed, nights, spread)
    logs[at:] += math.log1p(share)
    return 2.0 * np.exp(logs)
