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
so what lies between them does. Values below 2⁻¹⁰²² (subnormal) count as zero.
"""

import math
from collections.abc import Callable, Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from lens_core.errors import IntegrityError

MANTISSA_BITS = 52
_EXPONENTS = 0x7FF
_BUFFERED = 4096
# As many as stay in the second-level cache while they are shifted and counted.
CHUNK = 1 << 16
_MAGIC = b"LSK\x01"
_CONTINUES = 0x80

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
    return ValueError(f"latencies must be finite and not negative, saw {bad[0] if bad.size else values[:1]}")


def count_bins(values: NDArray[np.float64], shift: int) -> tuple[int, NDArray[np.int64]]:
    """Count contiguous ``values`` by their leading bits, with numpy alone: see ``Counter``."""
    lowest, highest = float(values.min()), float(values.max())
    if not (lowest >= 0.0 and highest < math.inf):  # a NaN anywhere is both extremes
        raise _refuse(values)
    first, last = _bin_of(lowest, shift), _bin_of(highest, shift)
    counts = np.zeros(last - first + 1, dtype=np.int64)
    bits = (values if lowest > 0.0 else values + 0.0).view(np.int64)  # -0.0 + 0.0 is 0.0
    bins = np.empty(min(CHUNK, bits.size), dtype=np.int64)
    for start in range(0, bits.size, CHUNK):
        part = bits[start : start + CHUNK]
        here = bins[: part.size]
        np.right_shift(part, shift, out=here)
        here -= first
        counts += np.bincount(here, minlength=counts.size)
    return first, counts


def _bin_of(value: float, shift: int) -> int:
    return int(np.float64(value + 0.0).view(np.int64)) >> shift


class BinCounts:
    """Counts of consecutive bins; ``first`` is the number of the first."""

    def __init__(self) -> None:
        self.first = 0
        self.counts: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def absorb(self, first: int, counts: NDArray[np.int64]) -> None:
        """Add ``counts`` of the bins from ``first`` on, growing to hold them."""
        end = first + counts.size
        if not self.counts.size:
            self.first, self.counts = first, counts.copy()
            return
        low, high = min(self.first, first), max(self.first + self.counts.size, end)
        if high - low > self.counts.size:
            grown = np.zeros(high - low, dtype=np.int64)
            grown[self.first - low : self.first - low + self.counts.size] = self.counts
            self.first, self.counts = low, grown
        self.counts[first - self.first : end - self.first] += counts


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
        """Take in each value as often as its count says, e.g. the buckets of another histogram."""
        for value, count in zip(values, counts, strict=True):
            if count < 0 or not 0.0 <= value < math.inf:
                raise ValueError(f"expected a finite value and a count, neither negative, saw {value} × {count}")
            if count:
                self._held.absorb(_bin_of(value, self._shift), np.array([count], dtype=np.int64))

    def merge(self, other: "Sketch") -> None:
        """Take in everything that ``other`` holds, exactly; ValueError for another resolution."""
        if other.resolution is not self.resolution:
            raise ValueError(f"expected a sketch of {self.resolution.name} resolution, saw {other.resolution.name}")
        first, counts = other.bins()
        if counts.size:
            self._held.absorb(first, counts)

    @classmethod
    def merged(cls, sketches: Sequence["Sketch"], resolution: Resolution = Resolution.STANDARD) -> "Sketch":
        """A new sketch of everything that ``sketches`` hold; empty for none."""
        total = cls(resolution)
        for sketch in sketches:
            total.merge(sketch)
        return total

    def _flush(self) -> None:
        if self._buffer:
            values, self._buffer = self._buffer, []
            self.add_many(values)

    def bins(self) -> tuple[int, NDArray[np.int64]]:
        """The number of the first bin, and the counts of it and all that follow (int64, not to be changed)."""
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
        at_lower = _representatives(np.searchsorted(below, lower, side="right") + first, self._shift)
        at_upper = _representatives(np.searchsorted(below, upper, side="right") + first, self._shift)
        found: NDArray[np.float64] = at_lower + (at_upper - at_lower) * (ranks - lower)
        return found

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sketch):
            return NotImplemented
        return self.to_bytes() == other.to_bytes()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def to_bytes(self) -> bytes:
        """Version 1: magic, mantissa bits, first filled bin, how many bins follow, and their counts.

        Numbers are LEB128; a count of zero is followed by how many zeros stand there. Equal sketches
        give equal bytes.
        """
        first, counts = self.bins()
        filled = np.flatnonzero(counts)
        if not filled.size:
            return _MAGIC + bytes((self.resolution.value, 0, 0))
        start, end = int(filled[0]), int(filled[-1]) + 1
        out = bytearray(_MAGIC)
        out.append(self.resolution.value)
        _write(out, first + start)
        _write(out, end - start)
        before = start
        for place in filled.tolist():
            if place > before:
                out.append(0)
                _write(out, place - before)
            _write(out, int(counts[place]))
            before = place + 1
        return bytes(out)

    @classmethod
    def from_bytes(cls, content: bytes) -> "Sketch":
        """Read ``to_bytes`` back; IntegrityError for anything else."""
        if content[:4] != _MAGIC or len(content) < len(_MAGIC) + 1:
            raise IntegrityError(f"expected a sketch of version 1, saw {content[:5].hex() or 'nothing'}")
        try:
            made = cls(Resolution(content[4]))
            numbers = _Numbers(content, 5)
            first = numbers.read()
            made._held.absorb(first, numbers.counts(at_most=(_EXPONENTS << made.resolution.value) - first))
        except (ValueError, IndexError, OverflowError) as error:
            raise IntegrityError(f"these {len(content)} bytes are no whole sketch: {error}") from error
        return made


def _representatives(bins: NDArray[np.int64], shift: int) -> NDArray[np.float64]:
    """2ab / (a + b) of each bin [a, b): as far from a as from b, relative to either; 0 below 2⁻¹⁰²²."""
    low = (bins << shift).view(np.float64)
    octave = ((bins << shift) & (_EXPONENTS << MANTISSA_BITS)).view(np.float64)
    # Half the width of a bin, as a share of its middle; written so that nothing overflows near 2¹⁰²³.
    half = octave * (0.5 / (1 << (MANTISSA_BITS - shift)))
    with np.errstate(invalid="ignore"):  # 0/0 for the bin of zero, which the next line replaces
        middle = low + half * (low / (low + half))
    normal = bins >= 1 << (MANTISSA_BITS - shift)
    return np.where(normal, middle, 0.0)


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


def _write(out: bytearray, number: int) -> None:
    while number >= _CONTINUES:
        out.append(number & 0x7F | _CONTINUES)
        number >>= 7
    out.append(number)


class _Numbers:
    """Reads LEB128 numbers one after the other."""

    def __init__(self, content: bytes, start: int) -> None:
        self._content = content
        self._place = start

    def read(self) -> int:
        number, shift = 0, 0
        while True:
            byte = self._content[self._place]
            self._place += 1
            number |= (byte & 0x7F) << shift
            if byte < _CONTINUES:
                return number
            shift += 7

    def counts(self, at_most: int) -> NDArray[np.int64]:
        size = self.read()
        if size > at_most:
            raise ValueError(f"{size} bins, no more than {at_most} can follow")
        counts = np.zeros(size, dtype=np.int64)
        place = 0
        while place < size:
            number = self.read()
            if number:
                counts[place] = number
                place += 1
            else:
                place += self.read()
        if place != size or self._place != len(self._content):
            raise ValueError(f"{place} of {size} bins end at byte {self._place} of {len(self._content)}")
        return counts
