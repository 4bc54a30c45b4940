"""A Prometheus histogram over HTTP: what was counted between two scrapes, bucket by bucket.

The first scrape is only where counting begins. A counter that fell was reset: what it holds is new. Samples
are given the time of the scrape; one that comes after a long pause is a beginning again, because nobody can
tell when its samples happened, and the reading says that something is missing.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from lens_core.monitor_ports import EventClock, Position, Reading
from lens_core.panes import NO_CODE, UNKNOWN_SLICE, Batch

_LARGEST_BODY = 16 << 20

Counts = dict[str, dict[float, float]]
"""Slice → upper bound in milliseconds → cumulated count."""


@dataclass(frozen=True, slots=True)
class ScrapeFormat:
    """Which histogram to read. ``labels`` must match; ``slice_label`` names the slice when ``slice`` does not.

    ``unit_ms`` is how many milliseconds one unit of the histogram is (1000 for seconds).
    """

    metric: str
    unit_ms: float
    slice_label: str
    labels: Mapping[str, str]
    every_s: float
    timeout_s: float


class PrometheusSource:
    """Keeps the ``Source`` port over one URL, of one slice or of several told apart by a label."""

    def __init__(self, url: str, slice_name: str, form: ScrapeFormat, slices: Sequence[str], clock: EventClock) -> None:
        self._url = url
        self._slice = slice_name
        self._form = form
        self._index = {name: place for place, name in enumerate(slices)}
        self._clock = clock
        self._client = httpx.Client(timeout=form.timeout_s, follow_redirects=False)
        self._last: Counts = {}
        self._last_at_s = -math.inf
        self._due_s = -math.inf
        self._fault = "not scraped yet"

    @property
    def name(self) -> str:
        """The URL's host, port and path, and the slice: user, password and query are nobody's business."""
        url = httpx.URL(self._url)
        where = f"{url.host}:{url.port}{url.path}" if url.port else f"{url.host}{url.path}"
        return f"{where} ({self._slice})" if self._slice else where

    def resume(self, position: Position | None, *, from_start: bool) -> None:
        """See ``Source``. There is no start to go back to: counting begins with the first scrape."""
        if position is not None:
            self._last = {
                name: {float(bound): float(count) for bound, count in buckets}
                for name, buckets in position["counts"].items()
            }
            self._last_at_s = float(position["at_s"]) if position["at_s"] is not None else -math.inf

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def read(self) -> Reading:
        """See ``Source``: scrape when it is time, else nothing."""
        if time.monotonic() < self._due_s:
            return self._reading(Batch())
        self._due_s = time.monotonic() + self._form.every_s
        try:
            response = self._client.get(self._url)
            response.raise_for_status()
            if len(response.content) > _LARGEST_BODY:
                raise ValueError(f"{len(response.content):,} bytes are no metrics")  # noqa: TRY301
            seen = self._counts(response.text)
        except (httpx.HTTPError, ValueError) as error:
            self._fault = f"{self.name} cannot be scraped: {_reason(error)}"
            return self._reading(Batch())
        return self._reading(self._since_last(seen))

    def _counts(self, text: str) -> Counts:
        """The cumulated buckets; ValueError when the histogram is not there.

        A histogram without series counted nothing yet, which is no fault.
        """
        form, found, is_there = self._form, Counts(), False
        for family in text_string_to_metric_families(text):
            if family.name != form.metric:
                continue
            is_there = True
            for sample in family.samples:
                labels = sample.labels
                if not sample.name.endswith("_bucket") or any(labels.get(k) != v for k, v in form.labels.items()):
                    continue
                name = self._slice or labels.get(form.slice_label, "")
                buckets = found.setdefault(name, {})
                bound = float(labels["le"]) * form.unit_ms
                buckets[bound] = buckets.get(bound, 0.0) + float(sample.value)
        if not is_there:
            raise ValueError(f"no histogram {form.metric}")
        if any(not math.isfinite(count) or count < 0 for buckets in found.values() for count in buckets.values()):
            raise ValueError(f"{form.metric} has a count that is none")
        return found

    def _since_last(self, seen: Counts) -> Batch:
        now_s = self._clock.now().timestamp()
        paused = not 0 <= now_s - self._last_at_s <= 2 * self._form.every_s + self._form.timeout_s
        first, self._fault = not math.isfinite(self._last_at_s), ""
        rows = [] if paused else [row for name in seen for row in self._new_of(name, seen[name])]
        self._last, self._last_at_s = seen, now_s
        self._clock.follow(now_s)
        return Batch(
            time_s=np.full(len(rows), now_s),
            slice_index=np.array([row[0] for row in rows], dtype=np.int64),
            latency_ms=np.array([row[1] for row in rows], dtype=np.float64),
            failed=np.full(len(rows), NO_CODE, dtype=np.int64),
            weight=np.array([row[2] for row in rows], dtype=np.int64),
            coarse={row[1]: row[3] for row in rows},
            gaps=int(paused and not first),
        )

    def _new_of(self, name: str, cumulated: Mapping[float, float]) -> list[tuple[int, float, int, float]]:
        """(slice, middle in ms, how many are new, relative error) of each bucket that grew."""
        before = self._last.get(name, {})
        bounds = sorted(cumulated)
        # One bucket that fell, or other buckets than before: the process began again, all of it is new.
        if set(before) != set(bounds) or any(cumulated[bound] < before[bound] for bound in bounds):
            before = {}
        rows, below, lower = [], 0.0, 0.0
        for bound in bounds:
            grown = cumulated[bound] - before.get(bound, 0.0)
            new = round(grown - below)
            if new > 0:
                rows.append((self._index.get(name, UNKNOWN_SLICE), *_middle(lower, bound, new)))
            below, lower = grown, bound
        return rows

    def _reading(self, batch: Batch) -> Reading:
        counts: dict[str, Any] = {name: sorted(buckets.items()) for name, buckets in self._last.items()}
        at_s = self._last_at_s if math.isfinite(self._last_at_s) else None
        return Reading(batch, {"counts": counts, "at_s": at_s}, at_end=True, fault=self._fault)


def _middle(lower: float, upper: float, new: int) -> tuple[float, int, float]:
    """What stands for a bucket, and how far off it can be, relative to it.

    Nothing is known of the first bucket but its upper bound, and of the last but its lower one.
    """
    if math.isinf(upper):
        return lower, new, math.inf
    if lower <= 0:
        return upper / 2, new, math.inf
    return math.sqrt(lower * upper), new, math.sqrt(upper / lower) - 1


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"HTTP {error.response.status_code}"
    if isinstance(error, httpx.HTTPError):
        return type(error).__name__
    return str(error)
