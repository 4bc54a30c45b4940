"""Event time in panes: what arrived, when it says that it happened, and what could not be taken.

A pane is ``pane_s`` seconds of event time: ``floor(time_s / pane_s)``. The watermark is the latest event
time that was accepted; it never goes back. A pane is closed once the watermark has passed its end by the
allowed lateness; what comes for it afterwards is counted *late* and not added, so that a window which was
judged stays as it was judged. What claims to be further ahead of the clock than the tolerance is *skewed*:
counted, not added, and it moves no watermark. All of this is decided line by line, so it does not matter
in what portions the lines are read.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lens_core.errors import IntegrityError
from lens_core.sketch import Sketch

UNKNOWN_SLICE = -1
NO_CODE = -1
_HEADER_BYTES = 4

Tally = dict[str, int]
"""Counts by name: lines, taken, late, skewed, garbled, unknown, gaps, errors, coded."""


def _floats() -> NDArray[np.float64]:
    return np.zeros(0, dtype=np.float64)


def _ints() -> NDArray[np.int64]:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Lines of one source in the order of their arrival, as columns.

    ``slice_index`` counts in the monitor's list of slices (``UNKNOWN_SLICE`` for one that is not on it).
    ``failed`` is 1 for an error, 0 for none, ``NO_CODE`` when the source does not say. ``weight`` is how often
    a row was seen. ``garbled_at`` has an entry for each line that could not be read: how many readable ones
    stand before it. ``gaps`` counts places where lines are known to be missing. ``coarse`` maps a latency
    that stands for a bucket to the largest relative distance of what it stands for.
    """

    time_s: NDArray[np.float64] = field(default_factory=_floats)
    slice_index: NDArray[np.int64] = field(default_factory=_ints)
    latency_ms: NDArray[np.float64] = field(default_factory=_floats)
    failed: NDArray[np.int64] = field(default_factory=_ints)
    weight: NDArray[np.int64] | None = None
    garbled_at: NDArray[np.int64] = field(default_factory=_ints)
    gaps: int = 0
    coarse: Mapping[float, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PaneRule:
    """How event time is cut. All in seconds; ``skew_s`` is infinite where the recording is the clock."""

    pane_s: int
    lateness_s: float
    skew_s: float


@dataclass(slots=True, eq=False)
class Pane:
    """What was taken for one slice, or seen of one source, in one pane."""

    sketch: Sketch = field(default_factory=Sketch)
    tally: Tally = field(default_factory=dict)
    coarse: dict[float, float] = field(default_factory=dict)

    def count(self, name: str, more: int) -> None:
        """Add ``more`` to the tally of ``name``."""
        if more:
            self.tally[name] = self.tally.get(name, 0) + more

    def to_bytes(self) -> bytes:
        """A header with the counts, then the sketch."""
        header = json.dumps({"tally": self.tally, "coarse": list(self.coarse.items())}).encode()
        return len(header).to_bytes(_HEADER_BYTES, "big") + header + self.sketch.to_bytes()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Pane":
        """Read ``to_bytes`` back; IntegrityError for anything else."""
        size = int.from_bytes(content[:_HEADER_BYTES], "big")
        try:
            header = json.loads(content[_HEADER_BYTES : _HEADER_BYTES + size])
            tally = {str(name): int(count) for name, count in header["tally"].items()}
            coarse = {float(value): float(error) for value, error in header["coarse"]}
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"these {len(content)} bytes are no pane: {error}") from error
        return cls(Sketch.from_bytes(content[_HEADER_BYTES + size :]), tally, coarse)


PaneKey = tuple[str, str, int]
"""Whose (``slice`` or ``source``), its name, and the number of the pane."""


class Panes:
    """The panes that can still be part of a window, and how far event time has come."""

    def __init__(self, rule: PaneRule, slices: tuple[str, ...], sources: tuple[str, ...]) -> None:
        self.rule = rule
        self.slices = slices
        self.watermarks: dict[str, float] = dict.fromkeys(sources, -math.inf)
        self.totals: dict[str, Tally] = {source: {} for source in sources}
        self.held: dict[PaneKey, Pane] = {}
        self.touched: set[PaneKey] = set()
        self.began_s: float | None = None

    @property
    def watermark_s(self) -> float:
        """The event time that all sources have reached; minus infinity while one has not begun."""
        return min(self.watermarks.values(), default=-math.inf)

    def pane(self, kind: str, name: str, number: int) -> Pane:
        """The pane, made if need be, and marked as changed."""
        key = (kind, name, number)
        self.touched.add(key)
        return self.held.setdefault(key, Pane())

    def advance_idle(self, source: str, until_s: float) -> None:
        """Let event time of a source that was read to its end go on without it."""
        self.watermarks[source] = max(self.watermarks[source], until_s)
        self._begin(self.watermark_s)

    def _begin(self, watermark_s: float) -> None:
        """Remember where event time began: the first watermark, not the lowest pane that came with it."""
        if self.began_s is None and math.isfinite(watermark_s):
            self.began_s = watermark_s

    def take(self, source: str, batch: Batch, now_s: float) -> None:
        """Sort a batch into its panes. ``now_s`` is the clock, seconds since 1970."""
        rule, times = self.rule, batch.time_s
        others = min((w for name, w in self.watermarks.items() if name != source), default=math.inf)
        ahead = times > now_s + rule.skew_s
        reached = np.concatenate(([self.watermarks[source]], np.where(ahead, -np.inf, times)))
        own = np.maximum.accumulate(reached)
        combined = np.minimum(own, others)
        numbers = np.floor(times / rule.pane_s).astype(np.int64)
        late = ~ahead & ((numbers + 1) * rule.pane_s + rule.lateness_s <= combined[:-1])
        # Where a line is counted that belongs to no open pane: the one that event time was in when it came.
        at = np.floor(np.where(np.isfinite(combined), combined, now_s) / rule.pane_s).astype(np.int64)
        arrival = np.where(ahead | late, at[:-1], numbers)
        known = batch.slice_index >= 0
        ones = np.ones(times.size, dtype=np.int64) if batch.weight is None else batch.weight
        for name, mask in (("lines", np.ones(times.size, dtype=bool)), ("late", late), ("skewed", ahead)):
            self._count_source(source, name, arrival[mask], ones[mask])
        self._count_source(source, "unknown", arrival[~known], ones[~known])
        self._count_source(source, "garbled", at[batch.garbled_at], np.ones(batch.garbled_at.size, dtype=np.int64))
        if batch.gaps:
            self._count_source(source, "gaps", at[:1], np.array([batch.gaps]))
        self.watermarks[source] = float(own[-1])
        if (known_s := combined[np.isfinite(combined)]).size:
            self._begin(float(known_s[0]))
        taken = known & ~ahead & ~late
        self._count_source(source, "taken", arrival[taken], ones[taken])
        for name, mask in (("late", known & late), ("skewed", known & ahead)):
            for index, number, rows in _groups(batch.slice_index, arrival, mask):
                self.pane("slice", self.slices[index], number).count(name, int(ones[rows].sum()))
        for index, number, rows in _groups(batch.slice_index, numbers, taken):
            self._fill(self.pane("slice", self.slices[index], number), batch, rows)

    def _fill(self, pane: Pane, batch: Batch, rows: NDArray[np.int64]) -> None:
        if batch.weight is None:
            pane.sketch.add_many(batch.latency_ms[rows])
            weight = None
        else:
            weight = batch.weight[rows]
            pane.sketch.add_counted(batch.latency_ms[rows].tolist(), weight.tolist())
            pane.coarse.update(batch.coarse)
        failed = batch.failed[rows]
        for name, mask in (("coded", failed != NO_CODE), ("errors", failed == 1)):
            pane.count(name, int(mask.sum() if weight is None else weight[mask].sum()))

    def _count_source(self, source: str, name: str, numbers: NDArray[np.int64], weight: NDArray[np.int64]) -> None:
        if not numbers.size:
            return
        total = self.totals[source]
        total[name] = total.get(name, 0) + int(weight.sum())
        for number in np.unique(numbers).tolist():
            self.pane("source", source, number).count(name, int(weight[numbers == number].sum()))

    def within(self, kind: str, name: str, start: int, end: int) -> list[Pane]:
        """The panes of a slice or a source with numbers from ``start`` up to, not including, ``end``."""
        found = (self.held.get((kind, name, number)) for number in range(start, end))
        return [pane for pane in found if pane is not None]

    def forget_before(self, number: int) -> None:
        """Let go of all panes below ``number``."""
        for key in [key for key in self.held if key[2] < number]:
            del self.held[key]
            self.touched.discard(key)

    @property
    def first_number(self) -> int | None:
        """The lowest pane that is held; None when none is."""
        return min((key[2] for key in self.held), default=None)


def _groups(
    index: NDArray[np.int64], numbers: NDArray[np.int64], mask: NDArray[np.bool_]
) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """(slice index, pane number, rows) of the rows in ``mask``, each group once, rows in their order."""
    rows = np.flatnonzero(mask)
    if not rows.size:
        return
    order = rows[np.lexsort((numbers[rows], index[rows]))]
    changes = np.flatnonzero((np.diff(index[order]) != 0) | (np.diff(numbers[order]) != 0)) + 1
    for group in np.split(order, changes):
        yield int(index[group[0]]), int(numbers[group[0]]), group
