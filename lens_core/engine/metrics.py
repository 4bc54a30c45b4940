"""What the service counts about itself, for Prometheus."""

import time
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

STEP: Final = 1.1
FIRST_SECONDS: Final = 0.0001
LAST_SECONDS: Final = 10.0


def latency_buckets() -> tuple[float, ...]:
    """Upper bounds from 0.1 ms to 10 s in steps of 10 %, in seconds.

    A quantile read off neighbouring bounds is then at most 10 % too high, so a ratio of two quantiles is
    known to within a tenth. 122 buckets for each path are the price, which one scrape in 15 s does not feel.
    """
    bounds = [FIRST_SECONDS]
    while bounds[-1] < LAST_SECONDS:
        bounds.append(min(bounds[-1] * STEP, LAST_SECONDS))
    return tuple(float(f"{bound:.4g}") for bound in bounds)


class Metrics:
    """One registry per application, so that two applications in one process do not mix.

    ``lens_engine_request_seconds`` (histogram by path), ``lens_engine_requests_total`` (by path and status
    code), ``lens_engine_uptime_seconds`` and ``lens_engine_documents``.
    """

    content_type: Final = CONTENT_TYPE_LATEST

    def __init__(self, documents: int) -> None:
        self._registry = CollectorRegistry()
        self._started = time.monotonic()
        self._seconds = Histogram(
            "lens_engine_request_seconds",
            "Time from the first byte of a request to the last byte of its answer",
            ["path"],
            buckets=latency_buckets(),
            registry=self._registry,
        )
        self._requests = Counter(
            "lens_engine_requests", "Requests answered", ["path", "status"], registry=self._registry
        )
        uptime = Gauge("lens_engine_uptime_seconds", "Seconds since the start", registry=self._registry)
        uptime.set_function(self.uptime_seconds)
        Gauge("lens_engine_documents", "Chunks in the index", registry=self._registry).set(documents)

    def uptime_seconds(self) -> float:
        """Seconds since the application was made."""
        return time.monotonic() - self._started

    def observe(self, path: str, status: int, seconds: float) -> None:
        """Counts one request; ``path`` must be of a bounded set, the routes and ``other``."""
        self._seconds.labels(path).observe(seconds)
        self._requests.labels(path, str(status)).inc()

    def exposition(self) -> bytes:
        """Everything in the text format of Prometheus."""
        return generate_latest(self._registry)
