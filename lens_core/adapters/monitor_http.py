"""``GET /health`` and ``GET /metrics`` from a thread, over the newest snapshot.

Whether a snapshot is stale is decided when it is asked for, by a clock that does not jump: a monitor that
hangs cannot go on saying that all is well.
"""

import http.server
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from lens_core.errors import Unavailable
from lens_core.monitor_ports import Snapshot
from lens_core.monitor_view import health_of

_OK, _NOT_OK = 200, 503
_SWITCH_S = 0.0005


class HealthBoard:
    """Keeps the ``Board`` port, and serves what it was given while ``serving``."""

    def __init__(self, host: str, port: int, monotonic_s: Callable[[], float]) -> None:
        self._host = host
        self._port = port
        self._monotonic_s = monotonic_s
        self._snapshot = Snapshot()
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(self))

    def publish(self, snapshot: Snapshot) -> None:
        """Show this one from now on."""
        self._snapshot = snapshot  # one reference, replaced at once: readers need no lock

    def health(self) -> dict[str, Any]:
        """What /health says now."""
        return health_of(self._snapshot, self._monotonic_s())

    @property
    def snapshot(self) -> Snapshot:
        """The newest."""
        return self._snapshot

    def metrics(self) -> bytes:
        """What /metrics says now."""
        return generate_latest(self._registry)

    @contextmanager
    def serving(self) -> Iterator[int]:
        """Answer until the context ends; yields the port. Unavailable when it cannot be had."""
        handler = type("_BoardHandler", (_Handler,), {"board": self})
        try:
            server = http.server.ThreadingHTTPServer((self._host, self._port), handler)
        except OSError as error:
            raise Unavailable(
                f"port {self._port} on {self._host} cannot be had: {error.strerror}",
                "end what listens there, or name another in monitor.port",
            ) from error
        server.daemon_threads = True
        # An answer takes the interpreter's lock a few times, and a thread that ingests gives it up only when this has
        # passed: at the default of 5 ms an answer takes tens of them.
        interval_s = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_S)
        with server:
            thread = threading.Thread(target=server.serve_forever, daemon=True, name="monitor-http")
            thread.start()
            try:
                yield int(server.server_address[1])
            finally:
                server.shutdown()
                thread.join()
                sys.setswitchinterval(interval_s)


class _Handler(http.server.BaseHTTPRequestHandler):
    """Two pages, read only."""

    board: HealthBoard
    protocol_version = "HTTP/1.1"
    server_version = "lens-monitor"
    sys_version = ""
    timeout = 10
    # Head and body in one packet: sent apart, the second waits 40 ms for the first to be acknowledged.
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer one of the two pages."""
        path = self.path.split("?", 1)[0]
        if path == "/health":
            health = self.board.health()
            self._answer(_OK if health["state"] == "ok" else _NOT_OK, "application/json", orjson.dumps(health))
        elif path == "/metrics":
            self._answer(_OK, CONTENT_TYPE_LATEST, self.board.metrics())
        else:
            self._answer(404, "application/json", b'{"error":"there are /health and /metrics"}')

    do_HEAD = do_GET  # noqa: N815  (the library looks for this name, and for those below)

    def _refuse(self) -> None:
        self.close_connection = True  # a body may follow that nobody reads
        self._answer(405, "application/json", b'{"error":"only GET and HEAD"}', ("Allow", "GET, HEAD"))

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _refuse  # noqa: N815

    def _answer(self, code: int, kind: str, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the library's name)
        """Say nothing: the terminal is for alerts."""


class _Collector:
    """The snapshot as Prometheus metrics; what is unknown is left out, not zero."""

    def __init__(self, board: HealthBoard) -> None:
        self._board = board

    def collect(self) -> Iterable[Metric]:
        """Every metric of the newest snapshot."""
        seen, health = self._board.snapshot, self._board.health()
        states = GaugeMetricFamily("lens_monitor_state", "1 for the state that /health says", labels=["state"])
        for state in ("ok", "degraded", "insufficient"):
            states.add_metric([state], float(health["state"] == state))
        yield states
        latency = GaugeMetricFamily("lens_window_latency_ms", "Quantiles of the window", labels=["slice", "quantile"])
        ratio = GaugeMetricFamily("lens_window_tail_ratio", "P99 / P95 of the window", labels=["slice"])
        samples = GaugeMetricFamily("lens_window_samples", "Samples in the window", labels=["slice"])
        errors = GaugeMetricFamily("lens_window_error_rate", "Share of errors in the window", labels=["slice"])
        state_of = GaugeMetricFamily("lens_window_state", "1 for the window's state", labels=["slice", "state"])
        for window in seen.windows:
            samples.add_metric([window.slice], window.sample_count)
            state_of.add_metric([window.slice, window.state.value], 1)
            for quantile in ("50", "90", "95", "99", "999"):
                if (value := getattr(window, f"p{quantile}_ms")) is not None:
                    latency.add_metric([window.slice, f"0.{quantile}"], value)
            if window.ratio is not None:
                ratio.add_metric([window.slice], window.ratio)
            if window.error_rate is not None:
                errors.add_metric([window.slice], window.error_rate)
        yield from (latency, ratio, samples, errors, state_of)
        alerts = GaugeMetricFamily(
            "lens_monitor_alert", "1 for each open alert", labels=["subject", "state", "severity"]
        )
        for alert in seen.alerts:
            alerts.add_metric([alert.subject, alert.state.value, alert.severity.name.lower()], 1)
        yield alerts
        yield from _source_metrics(seen)
        yield GaugeMetricFamily("lens_monitor_undelivered_messages", "Messages not delivered yet", seen.undelivered)
        yield CounterMetricFamily("lens_monitor_evaluations", "Evaluations since the start", seen.evaluations)
        yield GaugeMetricFamily("lens_monitor_evaluation_ms", "How long the last evaluation took", seen.evaluation_ms)


def _source_metrics(seen: Snapshot) -> Iterable[Metric]:
    lines = CounterMetricFamily("lens_monitor_lines", "Samples by what became of them", labels=["source", "fate"])
    good = GaugeMetricFamily("lens_monitor_source_up", "1 when the source has no fault", labels=["source"])
    for source in seen.sources:
        good.add_metric([source.name], float(not source.fault))
        for fate in ("taken", "late", "skewed", "garbled", "unknown"):
            lines.add_metric([source.name, fate], source.totals.get(fate, 0))
    return (lines, good)
