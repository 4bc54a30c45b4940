"""Mergeable log-linear histogram of latencies, with a stated error at every quantile.

A bin holds all values that share exponent and leading mantissa bits of their float64: 128 bins an
octave by default, 1024 at the finer setting. The idea is HdrHistogram's (Tene 2012), read off the
bits that the number already has. A bin [a, b) is represented by 2ab / (a + b), from which no value
of the bin is further away than (b - a) / (b + a), relative to the value:

===========  ============  =================
resolution   bins/octave   relative error ≤
===========  ============  =================
STANDARD     128           1 / 257  (.389 %)
FINE         1024          1 / 2049 (.049 %)
===========  ============  =================

That holds at *every* quantile, and stays true after any number of merges: a merge adds integers,
so it is exact, associative and free of order. Quantiles interpolate linearly at rank p·(n-1)
(Hyndman & Fan 1996, type 7), as ``lens_core.latency`` and numpy do; both neighbours keep the bound,
so what lies between them does. Values below 2⁻¹⁰²² (subnormal) count as zero. Counts are exact up
to 2⁵³ values.
"""

import math
from collections.abc import Callable, Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from lens_core.sketch_bytes import MOST, decode, encode

MANTISSA_BITS = 52
_EXPONENTS = 0x7FF
_SMALLEST = 2.0**-1022
_BUFFERED = 4096
# As many as stay in the second-level cache while they are shifted and counted.
CHUNK = 1 << 16

Counter = Callable[[NDArray[np.float64], int], tuple[int, NDArray[np.int64]]]
"""Values and the bits to drop → the first bin and the counts from there on; ValueError for bad values."""


class Resolution(IntEnum):
    """How many leading mantissa bits tell one bin from the next."""

    STANDARD = 7
    FINE = 10

    @property
    def relative_error(self) -> float:
        """The largest relative distance of a quantile from the true one."""
        return 1.0 / ((2 << self.value) + 1)


def _refuse(values: NDArray[np.float64]) -> ValueError:
    bad = values[~(np.isfinite(values) & (values >= 0))]
    return ValueError(f"latencies must be finite and not negative, saw {bad[0]}")


def count_bins(values: NDArray[np.float64], shift: int) -> tuple[int, NDArray[np.int64]]:
    """Count contiguous ``values`` by their leading bits, with numpy alone: see ``Counter``.

    The bins of a chunk tell whether it holds anything bad, while it is in the cache: a sign bit makes
    the lowest negative, what is infinite or no number lies above the last exponent.
    """
    bits = values.view(np.int64)
    end = _EXPONENTS << (MANTISSA_BITS - shift)
    bins = np.empty(min(CHUNK, bits.size), dtype=np.int64)
    total = BinCounts()
    for start in range(0, bits.size, CHUNK):
        part = bits[start : start + CHUNK]
        here = bins[: part.size]
        np.right_shift(part, shift, out=here)
        lowest = int(here.min())
        if lowest < 0:
            latencies = values[start : start + CHUNK]
            if not (latencies >= 0).all():
                raise _refuse(latencies)
            np.right_shift((latencies + 0.0).view(np.int64), shift, out=here)  # -0.0 + 0.0 is 0.0
            lowest = int(here.min())
        here -= lowest
        counts = np.bincount(here)
        if lowest + counts.size > end:
            raise _refuse(values[start : start + CHUNK])
        total.absorb(lowest, counts)
    return total.first, total.counts


def _bin_of(value: float, shift: int) -> int:
    return int(np.float64(value + 0.0).view(np.int64)) >> shift


class BinCounts:
    """Counts of consecutive bins; ``first`` is the number of the first."""

    def __init__(self) -> None:
        self.first = 0
        self.counts: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def absorb(self, first: int, counts: NDArray[np.int64]) -> None:
        """Add ``counts`` of the bins from ``first`` on, growing to hold them."""
        place = first - self.first
        if not 0 <= place <= self.counts.size - counts.size:
            self._grow(first, first + counts.size)
            place = first - self.first
        _add(counts, self.counts, place)

    def _grow(self, first: int, end: int) -> None:
        held = self.counts
        low, high = (min(self.first, first), max(self.first + held.size, end)) if held.size else (first, end)
        self.counts = np.zeros(high - low, dtype=np.int64)
        self.counts[self.first - low :][: held.size] = held
        self.first = low

    def absorb_all(self, parts: Sequence[tuple[int, NDArray[np.int64]]]) -> None:
        """Add several runs of counts, growing at most once."""
        if parts:
            low = min(first for first, _ in parts)
            total = np.zeros(max(first + counts.size for first, counts in parts) - low, dtype=np.int64)
            for first, counts in parts:
                _add(counts, total, first - low)
            self.absorb(low, total)


def _add(counts: NDArray[np.int64], total: NDArray[np.int64], place: int) -> None:
    # += on a slice would write the slice back onto itself.
    part = total[place : place + counts.size]
    np.add(part, counts, out=part)


class Sketch:
    """A histogram that grows with what it is given. Not safe for several threads at once."""

    counter: Counter = staticmethod(count_bins)
    """How arrays are counted; ``lens_core.sketch_jit`` can put a compiled one in its place."""

    def __init__(self, resolution: Resolution = Resolution.STANDARD) -> None:
        self.resolution = resolution
        self._shift = MANTISSA_BITS - resolution.value
        self._held = BinCounts()
        self._buffer: list[float] = []

    def add(self, value: float) -> None:
        """Take in one value; ValueError for NaN, an infinite or a negative one."""
        if not 0.0 <= value < math.inf:
            raise ValueError(f"latencies must be finite and not negative, saw {value}")
        self._buffer.append(value)
        if len(self._buffer) >= _BUFFERED:
            self._flush()

    def add_many(self, values: Sequence[float] | NDArray[np.float64]) -> None:
        """Take in an array of any order; ValueError, and nothing taken in, when one of them is bad."""
        array = np.ascontiguousarray(values, dtype=np.float64).reshape(-1)
        if array.size:
            self._held.absorb(*type(self).counter(array, self._shift))

    def add_counted(self, values: Sequence[float], counts: Sequence[int]) -> None:
        """Take in each value as often as its count says, e.g. the buckets of another histogram.

        ValueError, and nothing taken in, when a value or a count is bad.
        """
        for value, count in zip(values, counts, strict=True):
            if not (0 <= count <= MOST and 0.0 <= value < math.inf):
                raise ValueError(f"expected a finite value and a count, neither negative, saw {value} × {count}")
        for value, count in zip(values, counts, strict=True):
            if count:
                self._held.absorb(_bin_of(value, self._shift), np.array([count], dtype=np.int64))

    def merge(self, other: "Sketch") -> None:
        """Take in everything that ``other`` holds, exactly; ValueError for another resolution."""
        first, counts = self._mergeable(other)
        if counts.size:
            self._held.absorb(first, counts)

    def _mergeable(self, other: "Sketch") -> tuple[int, NDArray[np.int64]]:
        if other.resolution is not self.resolution:
            raise ValueError(f"expected a sketch of {self.resolution.name} resolution, saw {other.resolution.name}")
        return other.bins()

    @classmethod
    def merged(cls, sketches: Sequence["Sketch"], resolution: Resolution = Resolution.STANDARD) -> "Sketch":
        """A new sketch of everything that ``sketches`` hold; empty for none."""
        total = cls(resolution)
        held = [total._mergeable(sketch) for sketch in sketches]
        total._held.absorb_all([(first, counts) for first, counts in held if counts.size])
        return total

    def _flush(self) -> None:
        values, self._buffer = self._buffer, []
        self.add_many(values)

    def bins(self) -> tuple[int, NDArray[np.int64]]:
        """The number of the first bin, and the counts of it and all that follow (int64, not to be changed)."""
        if self._buffer:
            self._flush()
        return self._held.first, self._held.counts

    @property
    def count(self) -> int:
        """How many values were taken in."""
        return int(self._held.counts.sum()) + len(self._buffer)

    @property
    def relative_error(self) -> float:
        """The largest relative distance of any quantile from the exact one."""
        return self.resolution.relative_error

    def values(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The representative of each bin that holds something, ascending, and how often it was seen."""
        first, counts = self.bins()
        filled = np.flatnonzero(counts)
        return _representatives(filled + first, self._shift), counts[filled]

    def quantile(self, p: float) -> float | None:
        """The value at rank p·(n-1); None when there is nothing, ValueError for a ``p`` outside of 0 to 1."""
        found = self.quantiles((p,))
        return None if found is None else float(found[0])

    def quantiles(self, ps: Sequence[float]) -> NDArray[np.float64] | None:
        """Values at the ranks p·(n-1), one per ``p``; None when there is nothing."""
        wanted = np.asarray(ps, dtype=np.float64)
        if not ((wanted >= 0) & (wanted <= 1)).all():
            raise ValueError(f"expected quantiles from 0 to 1, saw {list(ps)}")
        first, counts = self.bins()
        below = np.cumsum(counts)
        if not below.size or below[-1] == 0:
            return None
        ranks = wanted * (below[-1] - 1)
        lower = np.floor(ranks).astype(np.int64)
        upper = np.minimum(lower + 1, below[-1] - 1)
        places = np.searchsorted(below, np.concatenate((lower, upper)), side="right")
        at_lower, at_upper = _representatives(places + first, self._shift).reshape(2, -1)
        found: NDArray[np.float64] = at_lower + (at_upper - at_lower) * (ranks - lower)
        return found

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sketch):
            return NotImplemented
        return self.to_bytes() == other.to_bytes()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def to_bytes(self) -> bytes:
        """Everything it holds, in the versioned format of ``lens_core.sketch_bytes``; equal for equal sketches."""
        return encode(self.resolution.value, *self.bins())

    @classmethod
    def from_bytes(cls, content: bytes) -> "Sketch":
        """Read ``to_bytes`` back; IntegrityError for anything else."""
        mantissa_bits, first, counts = decode(content, tuple(Resolution))
        made = cls(Resolution(mantissa_bits))
        made._held.absorb(first, counts)
        return made


def _representatives(bins: NDArray[np.int64], shift: int) -> NDArray[np.float64]:
    """2ab / (a + b) of each bin [a, b): as far from a as from b, relative to either; 0 below 2⁻¹⁰²²."""
    bits = bins << shift
    low = bits.view(np.float64)
    octave = (bits & (_EXPONENTS << MANTISSA_BITS)).view(np.float64)
    # Half the width of a bin, as a share of its middle; written so that nothing overflows near 2¹⁰²³.
    half = octave * (0.5 / (1 << (MANTISSA_BITS - shift)))
    middle = low + half * (low / np.maximum(low + half, _SMALLEST))
    return np.where(low >= _SMALLEST, middle, 0.0)


def block_counts(
    values: NDArray[np.float64], blocks: NDArray[np.int64], count: int, resolution: Resolution
) -> tuple[int, NDArray[np.int64]]:
    """One histogram per block: the first bin's number, and counts of shape (``count``, bins).

    ``blocks`` says for each value which of the ``count`` histograms it belongs to. ValueError for bad values.
    """
    shift = MANTISSA_BITS - resolution.value
    array = np.ascontiguousarray(values, dtype=np.float64) + 0.0
    if not array.size:
        return 0, np.zeros((count, 0), dtype=np.int64)
    first, total = count_bins(array, shift)  # it refuses what is bad
    places = (array.view(np.int64) >> shift) - first + blocks * total.size
    return first, np.bincount(places, minlength=count * total.size).reshape(count, total.size)


def bin_edges(first: int, count: int, resolution: Resolution) -> NDArray[np.float64]:
    """The lower edges of ``count`` bins from number ``first`` on, and the upper edge of the last."""
    bins = np.arange(first, first + count + 1, dtype=np.int64)
    return (bins << (MANTISSA_BITS - resolution.value)).view(np.float64)
