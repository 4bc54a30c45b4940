"""Panes → ``WindowSummary``: quantiles, the tail ratio with its interval, rates, and how far to trust them.

The interval is a delete-one-pane jackknife of log(P99 / P95) with Student's t: of four methods that were
tried on queueing data the one with the fewest false passes (docs/adr/0013). No evidence is never healthy:
too few samples, too many that could not be taken, lines known to be lost, or buckets so coarse that the
ratio may lie on either side of the limit all make a window *insufficient*.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from lens_core.confidence import Spread, estimate, log_quantiles_left_out, standard_error
from lens_core.panes import Pane, Panes
from lens_core.sketch import Sketch

_QUANTILES = (0.50, 0.90, 0.95, 0.99, 0.999)
_ALPHA = 0.025  # of either side
_FEWEST_PANES = 3


class WindowState(StrEnum):
    """What a window says. INSUFFICIENT is neither of the other two."""

    HEALTHY = "healthy"
    VIOLATED = "violated"
    INSUFFICIENT = "insufficient"


@dataclass(frozen=True, slots=True)
class WindowRule:
    """What windows are judged by; times in seconds, shares from 0 to 1."""

    window_s: int
    every_s: int
    ratio_above: float
    min_samples: int
    max_bad_share: float


@dataclass(frozen=True, slots=True)
class WindowSummary:
    """One slice over one window [start_s, end_s), seconds since 1970. None where there was nothing to tell.

    ``ratio_low`` and ``ratio_high`` are a 95 % interval from the panes; ``ratio_error`` is the largest relative
    error that the histogram's own resolution leaves. ``error_rate`` is None when a source names no codes.
    """

    slice: str
    start_s: float
    end_s: float
    state: WindowState
    reasons: tuple[str, ...]
    sample_count: int
    rate_per_s: float
    p50_ms: float | None = None
    p90_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    p999_ms: float | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    ratio_error: float = 0.0
    error_rate: float | None = None


def summarize_windows(panes: Panes, end_s: int, rule: WindowRule) -> tuple[WindowSummary, ...]:
    """Judge every slice over the window that ends at ``end_s``, a multiple of the pane."""
    pane_s = panes.rule.pane_s
    start, end = (end_s - rule.window_s) // pane_s, end_s // pane_s
    of_streams = _stream_reasons(panes, start, end, rule)
    return tuple(
        _summarize(name, panes.within("slice", name, start, end), of_streams, end_s, rule) for name in panes.slices
    )


def _summarize(
    slice_name: str, held: Sequence[Pane], of_streams: Sequence[str], end_s: int, rule: WindowRule
) -> WindowSummary:
    sketches = [pane.sketch for pane in held]
    total = Sketch.merged(sketches)
    count = total.count
    found = total.quantiles(_QUANTILES)
    p50, p90, p95, p99, p999 = (None,) * 5 if found is None else (float(value) for value in found)
    ratio = p99 / p95 if p95 and p99 is not None else None
    low, high = _interval(ratio, sketches) if ratio else (None, None)
    off = _ratio_error(held, p95, p99, total.relative_error)
    reasons = [*_reasons(held, count, ratio, off, rule), *of_streams]
    state = WindowState.HEALTHY
    if reasons or ratio is None:
        state = WindowState.INSUFFICIENT
    elif ratio > rule.ratio_above:
        state = WindowState.VIOLATED
    coded = _tally(held, "coded")
    return WindowSummary(
        slice=slice_name,
        start_s=end_s - rule.window_s,
        end_s=end_s,
        state=state,
        reasons=tuple(reasons),
        sample_count=count,
        rate_per_s=count / rule.window_s,
        p50_ms=p50,
        p90_ms=p90,
        p95_ms=p95,
        p99_ms=p99,
        p999_ms=p999,
        ratio=ratio,
        ratio_low=low,
        ratio_high=high,
        ratio_error=off if math.isfinite(off) else 1.0,
        error_rate=_tally(held, "errors") / coded if coded and coded == count else None,
    )


def _tally(held: Sequence[Pane], name: str) -> int:
    return sum([pane.tally.get(name, 0) for pane in held])


def _reasons(held: Sequence[Pane], count: int, ratio: float | None, off: float, rule: WindowRule) -> list[str]:
    reasons = []
    if count < rule.min_samples:
        reasons.append(f"{count:,} samples, at least {rule.min_samples:,} are needed")
    elif ratio is None:
        reasons.append("P95 is zero: the source's clock is too coarse")
    elif ratio * (1 - off) <= rule.ratio_above < ratio * (1 + off):
        reasons.append(
            f"insufficient resolution: the ratio {ratio:.3f} is known to within {off:.1%}, "
            f"so it may lie on either side of {rule.ratio_above:g}"
        )
    refused = _tally(held, "late") + _tally(held, "skewed")
    if refused > rule.max_bad_share * (refused + count):
        reasons.append(f"{refused:,} of {refused + count:,} samples came too late or from the future")
    return reasons


def _stream_reasons(panes: Panes, start: int, end: int, rule: WindowRule) -> list[str]:
    """What went wrong with whole sources: it may have hit any slice."""
    reasons = []
    for source in panes.watermarks:
        held = panes.within("source", source, start, end)
        garbled, lines = _tally(held, "garbled"), _tally(held, "lines")
        if garbled > rule.max_bad_share * (garbled + lines):
            reasons.append(f"{garbled:,} of {garbled + lines:,} lines of {source} could not be read")
        if _tally(held, "gaps"):
            reasons.append(f"lines of {source} were lost")
    return reasons


def _ratio_error(held: Sequence[Pane], p95: float | None, p99: float | None, sketch_error: float) -> float:
    """The largest relative error of P99 / P95 that buckets (of the source, and our own) can make."""
    coarse = {value: error for pane in held for value, error in pane.coarse.items()}
    if p95 is None or p99 is None:
        return 0.0
    at95 = (1 + sketch_error) * (1 + _error_at(coarse, p95)) - 1
    at99 = (1 + sketch_error) * (1 + _error_at(coarse, p99)) - 1
    return (1 + at99) * (1 + at95) - 1


def _error_at(coarse: dict[float, float], value: float) -> float:
    """The larger error of the two bucket middles around ``value``; 0 where samples were exact."""
    if not coarse:
        return 0.0
    middles = np.array(sorted(coarse))
    place = int(np.searchsorted(middles, value))
    around = middles[max(0, place - 1) : place + 1]
    return max(coarse[float(middle)] for middle in around)


def _interval(ratio: float, sketches: Sequence[Sketch]) -> tuple[float | None, float | None]:
    """A 95 % interval of P99 / P95; (None, None) from fewer than three panes that hold anything."""
    held = [bins for bins in (sketch.bins() for sketch in sketches) if bins[1].any()]
    if len(held) < _FEWEST_PANES:
        return None, None
    first = min(start for start, _ in held)
    counts = np.zeros((len(held), max(start + own.size for start, own in held) - first), dtype=np.int64)
    for row, (start, own) in zip(counts, held, strict=True):
        row[start - first : start - first + own.size] = own
    p95, p99 = (log_quantiles_left_out(first, counts, sketches[0].resolution, p) for p in (0.95, 0.99))
    with np.errstate(invalid="ignore"):
        spread = Spread(standard_error(p99 - p95), len(held), design_effect=1.0)
    if not math.isfinite(spread.standard_error):
        return None, None
    found = estimate(ratio, spread, _ALPHA)
    # P99 is never below P95, whatever the logarithm's normal approximation says.
    return max(1.0, found.low), found.high
