"""Recorded traffic with planted violations: the same lines every time, drawn from quantile functions, not by chance.

A slice has ``rate_per_s`` samples a second. A calm second has a tail ratio of about 1.3; in a planted span the
slowest 3 % are so much slower that P99/P95 of a window that holds enough of them becomes what was asked for.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

START_S = 1_796_083_200  # 2026-12-01 00:00 UTC, a multiple of 30 s


@dataclass(frozen=True)
class Planted:
    """From ``start_s`` to ``end_s`` after the start, the slowest ``share`` of a slice takes ``ratio`` × P95."""

    slice: str
    start_s: int
    end_s: int
    ratio: float
    share: float = 0.03


SLICES = ("backend/python/small", "backend/python/medium", "backend/python/large", "frontend/javascript/medium")
RATE_PER_S = 25
"""A window of five minutes has 7,500 samples; 3,000 are there after two."""

TEN_MINUTES = (
    # More than 1 % of a window is slow from 120 s (a window is then two minutes long) to 360 s: critical.
    Planted(SLICES[2], 60, 180, 4.0),
    # From 150 s to 390 s: an error.
    Planted(SLICES[1], 90, 210, 2.6),
    # From 450 s on; then so much is slow that P95 is slow too, so it stays two violations: a warning.
    Planted(SLICES[0], 330, 440, 2.4),
    Planted(SLICES[0], 480, 510, 2.4, share=0.6),
)
PLANTED_CHANGES = {
    SLICES[2]: [("open", "WARNING", 120), ("escalate", "CRITICAL", 180), ("clear", "CRITICAL", 450)],
    SLICES[1]: [("open", "WARNING", 150), ("escalate", "ERROR", 210), ("clear", "ERROR", 480)],
    SLICES[0]: [("open", "WARNING", 450), ("clear", "WARNING", 570)],
}
"""(event, severity, seconds after the start) of every change that the ten minutes make: three clean ones resolve."""


def body_ms(shares):
    """A calm distribution by its quantile function: 10 ms at the median, 20 ms at P95, 26 ms at P99."""
    return np.interp(shares, (0.0, 0.5, 0.95, 0.99, 1.0), (4.0, 10.0, 20.0, 26.0, 30.0))


def second_of(name, second, rate_per_s, planted):
    """(offset in the second, latency in ms) of each sample of one slice in one second, in order of time.

    The shares run through a fixed lattice, so that every stretch of time has every quantile.
    """
    number = second * rate_per_s + np.arange(rate_per_s)
    shares = (number * 0.6180339887498949) % 1.0
    latencies = body_ms(shares)
    for plant in planted:
        if plant.slice == name and plant.start_s <= second < plant.end_s:
            latencies = np.where(shares > 1 - plant.share, 20.0 * plant.ratio, latencies)
    return np.arange(rate_per_s) / rate_per_s, latencies


def lines_of(second, slices, rate_per_s, planted, start_s=START_S):
    """The log's lines of one second, slices in turn, as bytes."""
    rows = []
    for place, name in enumerate(slices):
        offsets, latencies = second_of(name, second, rate_per_s, planted)
        for offset, latency in zip(offsets.tolist(), latencies.tolist(), strict=True):
            rows.append((offset + place / 1000, name, latency))
    rows.sort()
    return [
        json.dumps(
            {
                "time": datetime.fromtimestamp(start_s + second + offset, UTC).isoformat(),
                "slice": name,
                "latency_ms": round(latency, 3),
                "http_code": 200,
            }
        ).encode()
        + b"\n"
        for offset, name, latency in rows
    ]
