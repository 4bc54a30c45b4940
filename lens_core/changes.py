"""Where the level of a series changed: an early warning while it happens, a date once it stands.

The early warning is a two-sided cumulative sum (Page 1954) of robust scores: each night's logarithm
against median and MAD of the nights before it, clipped so that one odd night, however odd, cannot raise
it. It says quickly *that* something moved. Apache Otava (its t-test form of E-divisive: Matteson & James
2014, Fleming et al. 2023) looks back and says *when*. Of its points only those are accepted behind which
the new level stood for two nights and differs by 5 %.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np

from lens_core.late import late
from lens_core.series import Logs, Point, Series

MIN_NIGHTS = 8
"""Fewer nights with a value than this have no level to compare with."""
STANDING_NIGHTS = 2
SMALLEST_EFFECT = 0.05
"""What a change must come to, as a share of the level before it."""

_REFERENCE_NIGHTS = 30
_ALARM_AT = 5.5
_SLACK = 0.5
_CLIP = 3.0
"""A night adds 2.5 at most, however odd it is."""
_NEWEST_NIGHTS = 3
"""A shift lasts so long before it is warned of, and their median must have moved."""
_SMALLEST_SCALE = 0.01
"""In logarithms, 1 %: nights that happen to agree to the last digit are no proof that the next one must."""
_MAX_P_VALUE = 0.001
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class Change:
    """An accepted change point: from ``night_date`` on the level is another.

    ``place`` is the night's index in ``Series.points``; ``effect`` the share by which the median of the
    nights after it (``standing_nights`` of them, up to the next change) differs from the median before.
    ``p_value`` is Otava's; it looked for the best split, so it is smaller than it should be.
    """

    place: int
    night_date: date
    night_id: str
    effect: float
    standing_nights: int
    p_value: float
    candidate_before: str
    candidate_after: str


@dataclass(frozen=True, slots=True)
class EarlyWarning:
    """Raised on ``raised_date`` for a shift that began about ``onset_date``; ``effect`` as a share."""

    place: int
    raised_date: date
    raised_id: str
    onset_date: date
    effect: float


class Watch(StrEnum):
    """What the early warning says of the newest night.

    Only QUIET is good news. LEARNING: there are not yet enough nights to compare it with. BLIND: it has
    no value of this slice.
    """

    QUIET = "quiet"
    WARNED = "warned"
    LEARNING = "learning"
    BLIND = "blind"


@dataclass(frozen=True, slots=True)
class Trend:
    """A series with what changed in it. ``absent`` says why nothing could be said; then nothing was."""

    series: Series
    changes: tuple[Change, ...] = ()
    warnings: tuple[EarlyWarning, ...] = ()
    watch: Watch = Watch.LEARNING
    absent: str = ""


def find_changes(series: Series) -> Trend:
    """The changes and early warnings of a series; without enough nights a Trend that says so."""
    if words := series.not_on_log_scale or too_few(len(series.values), MIN_NIGHTS):
        return Trend(series, absent=words)
    logs = series.logs()
    raised, watch = _early_warnings(series.points, logs)
    return Trend(series, tuple(_change(series.points, logs, *s) for s in _splits(logs)), raised, watch)


def too_few(nights: int, needed: int) -> str:
    """``not enough nights …`` when ``nights`` is below ``needed``, else empty."""
    return "" if nights >= needed else f"not enough nights: {nights} with a value, {needed} are needed"


def last_change_place(logs: Logs) -> int:
    """Index of the first night of the present level; 0 when no change was accepted. Shape of ``logs``: (nights,)."""
    splits = _splits(logs)
    return splits[-1][0] if splits else 0


def _splits(logs: Logs) -> list[tuple[int, int, int, float]]:
    """Accepted change points in order: place, first place before, place after the end, p value."""
    valued = np.flatnonzero(np.isfinite(logs))
    if valued.size < MIN_NIGHTS:
        return []
    values = logs[valued]
    found = {index: p_value for index, p_value in _otava(values.tolist()) if 0 < index < values.size}
    while refused := _weakest(values, sorted(found)):
        del found[refused]
    edges = [0, *sorted(found), values.size]
    places = [int(valued[edge]) for edge in edges[:-1]] + [logs.size]
    return [(places[i], places[i - 1], places[i + 1], found[edge]) for i, edge in enumerate(edges[1:-1], start=1)]


def _otava(values: list[float]) -> list[tuple[int, float]]:
    """Index and p value of each of Otava's points. It takes lists only: an array raises in 0.8.0."""
    with warnings.catch_warnings():
        # Stretches without any spread make its t-test divide by zero: the answer is inf or NaN, as it should be.
        warnings.simplefilter("ignore", RuntimeWarning)
        points, _ = late("otava.analysis").compute_change_points(values, max_pvalue=_MAX_P_VALUE)
    return [(int(point.index), float(point.stats.pvalue)) for point in points]


def _weakest(values: Logs, indexes: Sequence[int]) -> int:
    """The change point to give up next: of too short levels the shortest, then the smallest too small; else 0.

    One at a time, because giving up one changes what its neighbours are compared with: a lone spike
    has a point on each side, and once its own level is gone the other one has no effect left.
    """
    edges = [0, *indexes, values.size]
    ranked = []
    for before, index, after in zip(edges, edges[1:], edges[2:], strict=False):
        effect = abs(float(np.median(values[index:after]) - np.median(values[before:index])))
        if after - index < STANDING_NIGHTS:
            ranked.append((0, float(after - index), index))
        elif effect < math.log1p(SMALLEST_EFFECT):
            ranked.append((1, effect, index))
    return min(ranked)[2] if ranked else 0


def _change(points: Sequence[Point], logs: Logs, place: int, before: int, after: int, p_value: float) -> Change:
    level, old = np.nanmedian(logs[place:after]), np.nanmedian(logs[before:place])
    standing = int(np.isfinite(logs[place:after]).sum())
    last = next(p for p in reversed(points[:place]) if p.value is not None)
    point = points[place]
    return Change(
        place=place,
        night_date=point.night_date,
        night_id=point.night_id,
        effect=math.expm1(level - old),
        standing_nights=standing,
        p_value=p_value,
        candidate_before=last.candidate,
        candidate_after=point.candidate,
    )


class _Sum:
    """One side of the cumulative sum: ``sign`` +1 watches for rises, -1 for falls."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._height = 0.0
        self._scores: list[float] = []

    def add(self, score: float) -> bool:
        """Take in one night's score; True when the alarm's height is reached."""
        if self._height == 0:
            self._scores.clear()
        self._scores.append(self._sign * score)
        # Capped, so that a drift too small to be told does not store up for weeks.
        self._height = min(max(0.0, self._height + self._scores[-1] - _SLACK), _ALARM_AT)
        return self._height >= _ALARM_AT

    @property
    def nights_since_onset(self) -> int:
        """How many nights, this one included, the shift has lasted.

        The sum itself may have hovered above zero long before. Held against half the height of the
        newest nights, the most likely beginning is where what followed sums up highest.
        """
        recent = float(np.median(self._scores[-_NEWEST_NIGHTS:]))
        from_the_end = np.cumsum(np.array(self._scores[::-1]) - recent / 2)
        return int(np.argmax(from_the_end)) + 1


def _early_warnings(points: Sequence[Point], logs: Logs) -> tuple[tuple[EarlyWarning, ...], Watch]:
    """Every warning in the order raised, and what holds at the newest night.

    After a warning the reference is learned anew from its onset; until there are enough nights of the
    new level the warning stands.
    """
    valued = np.flatnonzero(np.isfinite(logs))
    values = logs[valued]
    raised: list[EarlyWarning] = []
    start, sums = 0, (_Sum(1), _Sum(-1))
    for at in range(values.size):
        reference = values[max(start, at - _REFERENCE_NIGHTS) : at]
        if reference.size < MIN_NIGHTS:
            continue
        middle = float(np.median(reference))
        spread = _MAD_TO_SIGMA * float(np.median(np.abs(reference - middle)))
        score = float(np.clip((values[at] - middle) / max(spread, _SMALLEST_SCALE), -_CLIP, _CLIP))
        for alarm in [one for one in sums if one.add(score)]:
            onset = at + 1 - alarm.nights_since_onset
            shift = float(np.median(values[onset : at + 1])) - middle
            newest = float(np.median(values[at + 1 - _NEWEST_NIGHTS : at + 1])) - middle
            # A spike can tip a sum that hovered high already: three nights must have moved, not one of them.
            moved = min(abs(shift), abs(newest)) >= math.log1p(SMALLEST_EFFECT)
            if moved and alarm.nights_since_onset >= _NEWEST_NIGHTS:
                raised.append(_warning(points, int(valued[at]), int(valued[onset]), math.expm1(shift)))
                start, sums = onset, (_Sum(1), _Sum(-1))
    return tuple(raised), _watch(points, nights_learned=values.size - 1 - start, warned=bool(raised))


def _warning(points: Sequence[Point], place: int, onset: int, effect: float) -> EarlyWarning:
    now = points[place]
    return EarlyWarning(place, now.night_date, now.night_id, points[onset].night_date, effect)


def _watch(points: Sequence[Point], nights_learned: int, *, warned: bool) -> Watch:
    """What holds at the newest night, with ``nights_learned`` nights of this level before it."""
    if nights_learned < MIN_NIGHTS and warned:
        return Watch.WARNED
    if points[-1].value is None:
        return Watch.BLIND
    return Watch.QUIET if nights_learned >= MIN_NIGHTS else Watch.LEARNING
