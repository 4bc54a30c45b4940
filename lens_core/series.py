"""Nights in a row: one slice, one metric, a point a night. What trends and forecasts are computed from.

A step is a *night that was run*, not a calendar day: seven nights ahead are the next seven nights. A
night that has no value for a slice keeps its place as a gap, so that nothing is bridged silently; dates
on which no night was run are counted (``skipped_dates``) and said. Values that can be no evidence of a
level (NaN, infinite) are gaps too; a value of zero or below cannot stand on a logarithmic scale, and
then the whole series says so instead of leaving out what does not fit.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from lens_core.model import Answer, Measurement, Night, NightState, Verdict

Logs = NDArray[np.float64]
"""Natural logarithms, one a night, NaN for a gap; shape (nights,)."""


@dataclass(frozen=True, slots=True)
class Point:
    """One night of a series; ``value`` is None where the night has none. ``candidate`` is version and digest."""

    night_date: date
    night_id: str
    value: float | None
    sample_count: int
    candidate: str


@dataclass(frozen=True, slots=True)
class Limit:
    """What a gate allows of a metric: the value must be ``≤``, ``<`` or ``≥`` (``sign``) of ``value``."""

    value: float
    sign: str = "≤"

    @property
    def is_floor(self) -> bool:
        """True when smaller values are the bad ones."""
        return self.sign == "≥"

    def broken_by(self, value: float) -> bool:
        """True when ``value`` would not pass; a NaN passes nothing."""
        if self.is_floor:
            return not value >= self.value
        return not (value < self.value if self.sign == "<" else value <= self.value)


@dataclass(frozen=True, slots=True)
class Series:
    """The nights of one slice and metric, oldest first, and the limit of its gate (None: no gate applies)."""

    slice: str
    metric: str
    points: tuple[Point, ...]
    limit: Limit | None = None

    @property
    def values(self) -> tuple[float, ...]:
        """The values of the nights that have one, oldest first."""
        return tuple(p.value for p in self.points if p.value is not None)

    @property
    def newest(self) -> Point | None:
        """The newest night that has a value."""
        return next((p for p in reversed(self.points) if p.value is not None), None)

    @property
    def gaps(self) -> int:
        """Nights between the first and the last that have no value of this slice."""
        return len(self.points) - len(self.values)

    @property
    def skipped_dates(self) -> int:
        """Dates between the first and the last night on which no night was run."""
        if not self.points:
            return 0
        return (self.points[-1].night_date - self.points[0].night_date).days + 1 - len(self.points)

    @property
    def not_on_log_scale(self) -> str:
        """Why the values cannot stand on a logarithmic scale; empty when they can."""
        bad = sum(value <= 0 for value in self.values)
        return f"{bad} of {len(self.values)} nights have a value of zero or below: no logarithm" if bad else ""

    def logs(self) -> Logs:
        """Logarithms of the values, a gap as NaN. ValueError when a value is zero or below."""
        if words := self.not_on_log_scale:
            raise ValueError(f"{self.slice} {self.metric}: {words}")
        return np.array([math.nan if p.value is None else math.log(p.value) for p in self.points], dtype=np.float64)


def counted_nights(nights: Iterable[Night], newest: int, through: Night | None = None) -> tuple[Night, ...]:
    """The night of each date that counts, oldest first, of the ``newest`` dates.

    A night that still runs does not count yet. One that ended in ERROR counts for the slices that it
    did measure, where its date has no other. Of several on one date the one over most slices counts,
    of those the newest, as in ``Lens.night``. ``through`` ends the row: no
    later date counts, and on its own date it does, even while it still runs (so a night's report can
    show it).
    """
    of_date: dict[date, Night] = {} if through is None else {through.night_date: through}
    for night in nights:
        if night.state is not NightState.CLOSED:
            continue
        if through is not None and night.night_date >= through.night_date:
            continue
        other = of_date.get(night.night_date)
        if other is None or _rank(night) > _rank(other):
            of_date[night.night_date] = night
    return tuple(of_date[day] for day in sorted(of_date)[-newest:])


def _rank(night: Night) -> tuple[bool, int, int]:
    return night.verdict is not Verdict.ERROR, len(night.slices), night.attempt


def read_series(
    nights: Sequence[Night], measurements: Mapping[str, Sequence[Measurement]], metric: str, slice_name: str
) -> Series:
    """The series of ``metric`` in ``slice_name`` over ``nights`` (oldest first), from its first value on.

    ``measurements`` are keyed by night id. A night without the slice, with a value that is no finite
    number, or with a latency from a run that is no measurement of latency, is a gap.
    """
    points = []
    for night in nights:
        measured = next((m for m in measurements.get(night.night_id, ()) if m.slice == slice_name), None)
        found = None if measured is None else measured.get(metric)
        void = measured is not None and measured.invalid and _is_latency(metric)
        value = found.value if found and found.value is not None and math.isfinite(found.value) and not void else None
        candidate = f"{night.candidate.version} {night.candidate.digest.short}"
        count = found.sample_count if found else 0
        points.append(Point(night.night_date, night.night_id, value, count, candidate))
    first = next((place for place, point in enumerate(points) if point.value is not None), len(points))
    return Series(slice_name, metric, tuple(points[first:]))


def _is_latency(metric: str) -> bool:
    return metric.endswith("_ms") or metric in ("tail_ratio", "p95_vs_baseline", "p99_vs_baseline")


def limits_of(metric: str, answers: Iterable[Answer], measurements: Iterable[Measurement] = ()) -> dict[str, Limit]:
    """The limit of ``metric`` for each slice, as the gates of one night drew it.

    For ``p95_ms`` and ``p99_ms`` the gate allows a multiple of the baseline's own figure, which the
    night's ``measurements`` hold. A slice without one is left out: no line is better than an invented one.
    """
    gate = {"p95_ms": "p95_vs_baseline", "p99_ms": "p99_vs_baseline"}.get(metric, metric)
    drawn = {
        a.slice: Limit(a.threshold, a.sign or "≤")
        for a in answers
        if a.gate == gate and a.slice and a.threshold is not None
    }
    if gate == metric:
        return drawn
    base = {item.slice: item.get(f"baseline_{metric}").value for item in measurements}
    return {
        name: Limit(allowed.value * value, allowed.sign)
        for name, allowed in drawn.items()
        if (value := base.get(name)) is not None
    }
