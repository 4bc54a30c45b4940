"""Who takes part in the race for percentiles, and what each is asked to do."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from datasketches import req_floats_sketch
from ddsketch import DDSketch
from ddsketch.pb.proto import DDSketchProto
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

from bench.turns import MS_PER_S, NS_PER_S, US_PER_S, Contestant, Row
from lens_core.sketch import Resolution, Sketch
from lens_core.sketch_jit import count_compiled

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)
FLOOR = "x.sum(), the read floor"
NUMPY_ONLY = "Lens, numpy only"
COMPILED = "Lens, compiled"
LENS = "Lens"
PANDAS = "pandas quantile"
HDR = "HdrHistogram_py"
DD = "DDSketch"
EMPTY = "empty loop"
HDR_LOOP = f"{HDR} loop, 3 digits"
DD_COARSE = f"{DD} .01"
NAIVE = "naive: filter and sort again"

_WINDOW_S, _PANE_S, _RATE_PER_S, _SLICES = 300, 30, 1000, 12
_HIGHEST_US = 60_000_000
_US_PER_MS = 1000.0
_MERGES = 100

Values = NDArray[np.float64]


class CompiledSketch(Sketch):
    """A sketch as ``sketch_jit.install`` makes all of them."""

    counter = staticmethod(count_compiled)


def latencies(count: int, seed: int) -> Values:
    """Lognormal milliseconds, σ = .8, median 20."""
    return np.random.default_rng(seed).lognormal(3.0, 0.8, count)


def _hdr(digits: int) -> Any:
    return HdrHistogram(1, _HIGHEST_US, digits, b64_wrap=False)


def _each(call: Callable[[Any], object], items: Iterable[Any]) -> None:
    for item in items:
        call(item)


def _sketched(kind: type[Sketch], resolution: Resolution, values: Values) -> Sketch:
    made = kind(resolution)
    made.add_many(values)
    return made


def _req(values: NDArray[np.float32]) -> Any:
    made = req_floats_sketch(12)
    made.update(values)
    return made


def bulk(count: int, looped: int) -> dict[str, Contestant]:
    """Five quantiles of ``count`` samples, in milliseconds.

    Loops are given ``looped`` of the samples, without the query, and extrapolated.
    Each is handed the samples as it likes them best: pandas and polars their own series, HdrHistogram whole
    microseconds and DDSketch floats in a list, REQ 32-bit floats.
    """
    x = latencies(count, seed=1)
    # Compiling is no part of a run.
    count_compiled(x, 45)
    series, frame, singles = pd.Series(x), pl.DataFrame({"ms": x}), x.astype(np.float32)
    floats = x[:looped].tolist()
    whole = [int(value * _US_PER_MS) for value in floats]
    few = [pl.col("ms").quantile(p, interpolation="linear").alias(f"{p}") for p in QUANTILES]
    ranks = sorted({int(p * (count - 1)) + above for p in QUANTILES for above in (0, 1)})

    def lens(kind: type[Sketch], resolution: Resolution) -> Contestant:
        return Contestant(lambda _: _sketched(kind, resolution, x).quantiles(QUANTILES), MS_PER_S)

    def loop(call: Callable[[Any], Callable[[Any], object]], make: Callable[[], Any], items: list[Any]) -> Contestant:
        remark = f"from {len(items):,} samples"
        return Contestant(lambda made: _each(call(made), items), MS_PER_S * count / len(items), make, remark)

    return {
        FLOOR: Contestant(lambda _: x.sum(), MS_PER_S),
        COMPILED: lens(CompiledSketch, Resolution.STANDARD),
        NUMPY_ONLY: lens(Sketch, Resolution.STANDARD),
        f"{COMPILED}, FINE": lens(CompiledSketch, Resolution.FINE),
        f"{NUMPY_ONLY}, FINE": lens(Sketch, Resolution.FINE),
        "polars, 5 quantiles": Contestant(lambda _: frame.select(few), MS_PER_S),
        "numpy quantile": Contestant(lambda _: np.quantile(x, QUANTILES), MS_PER_S),
        "numpy partition": Contestant(lambda _: np.partition(x, ranks), MS_PER_S),
        PANDAS: Contestant(lambda _: series.quantile(QUANTILES), MS_PER_S),
        "REQ k=12": Contestant(lambda _: _req(singles).get_quantiles(QUANTILES), MS_PER_S),
        f"{DD} .01 loop": loop(lambda made: made.add, partial(DDSketch, 0.01), floats),
        HDR_LOOP: loop(lambda made: made.record_value, partial(_hdr, 3), whole),
    }


def single(count: int) -> dict[str, Contestant]:
    """Nanoseconds to take in one sample, of ``count`` in a loop; the loop itself is a contestant."""
    floats = latencies(count, seed=2).tolist()
    whole = [int(value * _US_PER_MS) for value in floats]
    scale = NS_PER_S / count

    def lens(made: Any) -> None:
        _each(made.add, floats)
        made.bins()  # what is left in the buffer belongs to the price

    def empty(_: object) -> None:
        for _value in floats:
            pass

    def batches(made: Any) -> None:
        _each(made.add_many, in_batches)

    in_batches = np.split(np.array(floats), range(_RATE_PER_S, count, _RATE_PER_S))
    return {
        EMPTY: Contestant(empty, scale),
        "list.append, the floor": Contestant(lambda made: _each(made.append, floats), scale, list),  # type: ignore[attr-defined]
        f"{LENS}, batches of {_RATE_PER_S:,}": Contestant(batches, scale, Sketch),
        LENS: Contestant(lens, scale, Sketch),
        DD_COARSE: Contestant(lambda made: _each(made.add, floats), scale, partial(DDSketch, 0.01)),  # type: ignore[attr-defined]
        "REQ k=12": Contestant(lambda made: _each(made.update, floats), scale, partial(req_floats_sketch, 12)),  # type: ignore[attr-defined]
        f"{HDR}, 3 digits": Contestant(lambda made: _each(made.record_value, whole), scale, partial(_hdr, 3)),  # type: ignore[attr-defined]
    }


class Kept:
    """Two of each kind of sketch, of ``count`` samples each."""

    def __init__(self, count: int) -> None:
        one, two = latencies(count, seed=3), latencies(count, seed=4)
        self.pairs: dict[str, tuple[Any, Any]] = {
            LENS: (_sketched(Sketch, Resolution.STANDARD, one), _sketched(Sketch, Resolution.STANDARD, two)),
            f"{LENS}, FINE": (_sketched(Sketch, Resolution.FINE, one), _sketched(Sketch, Resolution.FINE, two)),
        }
        pair: tuple[Any, Any]
        for alpha in (0.01, 0.001):
            pair = DDSketch(alpha), DDSketch(alpha)
            for made, values in zip(pair, (one, two), strict=True):
                _each(made.add, values.tolist())
            self.pairs[f"{DD} {alpha:g}".replace(" 0.", " .")] = pair
        for digits in (2, 3):
            pair = _hdr(digits), _hdr(digits)
            for made, values in zip(pair, (one, two), strict=True):
                _each(made.record_value, (values * _US_PER_MS).astype(int).tolist())
            self.pairs[f"{HDR}, {digits} digits"] = pair
        self._thin = (one.astype(np.float32), two.astype(np.float32))
        self.pairs["REQ k=12"] = (_req(self._thin[0]), _req(self._thin[1]))

    def merges(self) -> dict[str, Contestant]:
        """Microseconds to merge one of each pair into the other, of a hundred merges in a row."""
        scale = US_PER_S / _MERGES

        def repeated(merge: Callable[[Any], object], other: Any) -> Contestant:
            return Contestant(lambda _: _each(merge, (other,) * _MERGES), scale)

        made = {}
        for name, (into, other) in self.pairs.items():
            made[name] = repeated(into.add if name.startswith(HDR) else into.merge, other)
        # It grows with what it takes in: a fresh one each time.
        fresh = partial(_req, self._thin[0])
        other = self.pairs["REQ k=12"][1]
        made["REQ k=12"] = Contestant(lambda into: _each(into.merge, (other,) * _MERGES), scale, fresh)  # type: ignore[attr-defined]
        return made

    def sizes(self) -> tuple[Row, ...]:
        """Serialized bytes of the second of each pair."""
        rows = []
        for name, (_, made) in self.pairs.items():
            if name.startswith(LENS):
                content = made.to_bytes()
            elif name.startswith(DD):
                content = DDSketchProto.to_proto(made).SerializeToString()  # type: ignore[no-untyped-call]
            else:
                content = made.encode() if name.startswith(HDR) else made.serialize()
            rows.append(Row(name, (float(len(content)),), "compressed by zlib" if name.startswith(HDR) else ""))
        return tuple(rows)


def window() -> tuple[int, dict[str, Contestant]]:
    """How many samples five minutes hold, and five quantiles of each of twelve slices, in milliseconds."""
    count = _WINDOW_S * _RATE_PER_S
    values = latencies(count, seed=5)
    second = np.arange(count) / _RATE_PER_S
    slice_number = np.random.default_rng(6).integers(0, _SLICES, count)
    pane = (second // _PANE_S).astype(int)
    panes = [
        [
            _sketched(Sketch, Resolution.STANDARD, values[(slice_number == s) & (pane == p)])
            for p in range(_WINDOW_S // _PANE_S)
        ]
        for s in range(_SLICES)
    ]
    records = list(zip(second.tolist(), slice_number.tolist(), values.tolist(), strict=True))
    frame = pd.DataFrame({"slice": slice_number, "second": second, "ms": values})

    def naive(_: object) -> None:
        for wanted in range(_SLICES):
            ordered = sorted(ms for at, s, ms in records if s == wanted and at >= 0.0)
            _each(ordered.__getitem__, [int(p * (len(ordered) - 1)) for p in QUANTILES])

    def masks(_: object) -> None:
        for wanted in range(_SLICES):
            np.quantile(values[(slice_number == wanted) & (second >= 0.0)], QUANTILES)

    def lens(_: object) -> None:
        for some in panes:
            Sketch.merged(some).quantiles(QUANTILES)

    return count, {
        LENS: Contestant(lens, MS_PER_S),
        "numpy masks": Contestant(masks, MS_PER_S),
        "pandas groupby": Contestant(
            lambda _: frame[frame["second"] >= 0.0].groupby("slice")["ms"].quantile(np.array(QUANTILES)), MS_PER_S
        ),
        NAIVE: Contestant(naive, MS_PER_S),
    }
