"""Lines of JSON → columns. What cannot be read is counted, and where it stood is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson

from lens_core.panes import NO_CODE, UNKNOWN_SLICE, Batch

# Seconds since 1970 up to the year 5138: milliseconds in their place are told apart.
_LATEST_S = 1e11
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class LineFormat:
    """Names of the fields. Without a name for ``http_code``, errors are not counted."""

    time: str
    slice: str
    latency_ms: str
    http_code: str


class LineParser:
    """Reads ``{"time": …, "slice": …, "latency_ms": …, "http_code": …}``, one object a line.

    The time is ISO 8601 with its zone, or seconds since 1970. A field that is missing, of another type or
    out of range makes the line garbled: a guess would be no evidence.
    """

    def __init__(self, fields: LineFormat, slices: Sequence[str]) -> None:
        self._fields = fields
        self._index = {name: place for place, name in enumerate(slices)}

    def parse(self, lines: Sequence[bytes], garbled: int = 0) -> Batch:
        """Read lines in their order; ``garbled`` more that the caller could not cut stand before them."""
        times: list[float] = []
        slices: list[int] = []
        latencies: list[float] = []
        failed: list[int] = []
        garbled_at = [0] * garbled
        loads, row_of, index = orjson.loads, self._row, self._index.get
        for line in lines:
            if not line:
                continue
            try:
                time_s, name, latency_ms, bad = row_of(loads(line))
            except (ValueError, TypeError, KeyError):
                garbled_at.append(len(times))
                continue
            times.append(time_s)
            slices.append(index(name, UNKNOWN_SLICE))
            latencies.append(latency_ms)
            failed.append(bad)
        return Batch(
            time_s=np.array(times, dtype=np.float64),
            slice_index=np.array(slices, dtype=np.int64),
            latency_ms=np.array(latencies, dtype=np.float64),
            failed=np.array(failed, dtype=np.int64),
            garbled_at=np.array(garbled_at, dtype=np.int64),
        )

    def _row(self, row: Any) -> tuple[float, str, float, int]:
        fields = self._fields
        moment, name, latency_ms = row[fields.time], row[fields.slice], row[fields.latency_ms]
        if type(moment) is str:
            seen = datetime.fromisoformat(moment)
            if seen.tzinfo is None:
                raise ValueError("a time without its zone")
            moment = seen.timestamp()
        if type(moment) not in (int, float) or type(latency_ms) not in (int, float) or type(name) is not str:
            raise TypeError("a field of another type")
        if not (0 < moment < _LATEST_S and 0 <= latency_ms < float("inf")):
            raise ValueError("a number out of range")
        if not fields.http_code:
            return float(moment), name, float(latency_ms), NO_CODE
        code = row[fields.http_code]
        if type(code) is not int:
            raise TypeError("a code of another type")
        return float(moment), name, float(latency_ms), int(code >= _SERVER_ERROR or code == 0)
