"""How fast the live monitor reads, evaluates, records and answers, with its real parts, on this machine.

``python bench/monitor.py [LINES]``: a log of twelve slices in a temporary folder, one core's time; /health is asked
all the while. Nothing here is asserted anywhere: it is a stopwatch.
"""

import http.client
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from lens_core.adapters.access_log import AccessLog
from lens_core.adapters.alert_ledger import SqlAlertLedger
from lens_core.adapters.clock import ReplayClock, SystemClock
from lens_core.adapters.log_lines import LineFormat, LineParser
from lens_core.adapters.monitor_http import HealthBoard
from lens_core.alerts import Change
from lens_core.findings import AlertRule
from lens_core.monitor import Monitor, MonitorRules, MonitorWorld
from lens_core.monitor_ports import Snapshot
from lens_core.panes import PaneRule, Panes
from lens_core.window import WindowRule, summarize_windows

SLICES = tuple(f"backend/python/{number}" for number in range(12))
RATE_PER_S = 100
WINDOW = WindowRule(300, 30, 2.0, 3000, 0.002)
PANES = PaneRule(30, 5.0, float("inf"))
START_S = 1_796_083_200


def write_log(file: Path, lines: int) -> None:
    """Lines of all slices in turn, lognormal latencies, times as ISO 8601."""
    rng = np.random.default_rng(7)
    latencies = rng.lognormal(3.0, 0.5, lines)
    step_s = 1 / (RATE_PER_S * len(SLICES))
    moments = np.datetime_as_string(
        np.datetime64(START_S, "s") + (np.arange(lines) * step_s * 1e6).astype("timedelta64[us]"), timezone="UTC"
    )
    with file.open("w", encoding="utf-8") as handle:
        for number in range(lines):
            name = SLICES[number % len(SLICES)]
            handle.write(
                f'{{"time":"{moments[number]}","slice":"{name}","latency_ms":{latencies[number]:.3f},"http_code":200}}\n'
            )


class _Quiet:
    """Counts evaluations and keeps how long they took."""

    def __init__(self) -> None:
        self.evaluation_ms: list[float] = []

    def evaluated(self, snapshot: Snapshot) -> None:
        """One more."""
        self.evaluation_ms.append(snapshot.evaluation_ms)

    def changed(self, change: Change) -> None:
        """Nothing."""

    def noticed(self, words: str) -> None:
        """Nothing."""


class _NoCourier:
    def send_due(self) -> str:
        """Nothing is sent."""
        return ""


def ask_all_the_while(port: int, stop: threading.Event, waits_ms: list[float]) -> None:
    """Ask for /health again and again, and keep how long each answer took."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    while not stop.wait(0.005):
        began = time.perf_counter()
        connection.request("GET", "/health")
        connection.getresponse().read()
        waits_ms.append((time.perf_counter() - began) * 1000)


def ingest(folder: Path, lines: int) -> None:
    """Read the whole log with everything that the monitor does beside."""
    file = folder / "access.log"
    write_log(file, lines)
    listener, waits_ms, stop = _Quiet(), list[float](), threading.Event()
    clock = ReplayClock(1.0)
    board = HealthBoard("127.0.0.1", 0, clock.monotonic_s)
    parser = LineParser(LineFormat("time", "slice", "latency_ms", "http_code"), SLICES)
    world = MonitorWorld(
        sources=[AccessLog(file, parser)],
        slices=SLICES,
        ledger=SqlAlertLedger(folder / "lens.db"),
        clock=clock,
        wall=SystemClock(),
        courier=_NoCourier(),
        board=board,
        rules=MonitorRules(WINDOW, PANES, AlertRule(2.0, 3.0, 3, 3, 1.9, 4), 10, 5, 0.2),
        targets=(),
        listener=listener,
    )
    monitor = Monitor(world)
    monitor.resume(from_start=True)
    with board.serving() as port:
        asking = threading.Thread(target=ask_all_the_while, args=(port, stop, waits_ms))
        asking.start()
        wall_s, cpu_s = time.perf_counter(), time.thread_time()
        monitor.step()
        while not monitor.is_at_end:
            monitor.step()
        wall_s, cpu_s = time.perf_counter() - wall_s, time.thread_time() - cpu_s
        stop.set()
        asking.join()
    print(f"ingest      {lines / cpu_s:>10,.0f} samples/s of CPU, {lines / wall_s:,.0f} of wall time ({lines:,} lines)")
    middle_ms, most_ms = np.median(waits_ms), max(waits_ms)
    print(
        f"/health     {middle_ms:>10.1f} ms in the middle, {most_ms:.1f} ms at most ({len(waits_ms)} asked the while)"
    )


def evaluate(repeats: int = 200) -> None:
    """Twelve slices of 30,000 samples each."""
    panes = Panes(PANES, SLICES, ("log",))
    rng = np.random.default_rng(7)
    for name in SLICES:
        for number in range(10):
            pane = panes.pane("slice", name, START_S // 30 + number)
            pane.sketch.add_many(rng.lognormal(3.0, 0.5, RATE_PER_S * 30))
    took_ms = []
    for _ in range(repeats):
        began = time.thread_time()
        summarize_windows(panes, START_S + 300, WINDOW)
        took_ms.append((time.thread_time() - began) * 1000)
    print(
        f"evaluation  {np.median(took_ms):>10.2f} ms of CPU for 12 slices with intervals ({min(took_ms):.2f} at least)"
    )
    began = time.thread_time()
    written = [pane.to_bytes() for pane in panes.held.values()]
    each_us = (time.thread_time() - began) / len(written) * 1e6
    print(f"checkpoint  {each_us:>10.0f} µs a pane, {sum(map(len, written)) / len(written):,.0f} bytes; 24 a tick")


def main() -> None:
    """Measure both."""
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 720_000
    evaluate()
    with tempfile.TemporaryDirectory(prefix="lens-bench-") as folder:
        ingest(Path(folder), lines)


if __name__ == "__main__":
    main()
