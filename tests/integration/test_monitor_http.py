"""/health and /metrics from the real server: quick while the monitor ingests, exact, read only, on loopback."""

import http.client
import json
import socket
import threading
import time
from dataclasses import replace

import pytest
from monitor_fakes import FakeSource, build_monitor, seconds_of
from prometheus_client.parser import text_string_to_metric_families

from lens_core.adapters.monitor_http import HealthBoard
from lens_core.errors import Unavailable
from lens_core.monitor_ports import Snapshot


@pytest.fixture
def board():
    """A board that nothing was published on."""
    return HealthBoard("127.0.0.1", 0, time.monotonic)


def ask(port, path, method="GET", body=None):
    """The answer to one request: code, headers, body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body=body)
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def test_before_anything_is_known_it_says_insufficient(board):
    """A monitor that has just been started answers 503 and why."""
    with board.serving() as port:
        code, headers, body = ask(port, "/health")
    health = json.loads(body)
    assert (code, health["state"], health["reasons"]) == (503, "insufficient", ["nothing was evaluated yet"])
    assert headers["Content-Type"] == "application/json"
    assert headers["Cache-Control"] == "no-store"


def test_a_healthy_snapshot_is_200_and_grows_stale_by_itself():
    """200 only while the snapshot is fresh by a clock of the server's own."""
    house = build_monitor([FakeSource(list(seconds_of(planted=())[:400]))])
    house.until_end()
    moment = [1000.0]
    board = HealthBoard("127.0.0.1", 0, lambda: moment[0])
    board.publish(house.monitor.snapshot())
    with board.serving() as port:
        assert ask(port, "/health")[0] == 200
        moment[0] += 1000
        code, _, body = ask(port, "/health")
    assert (code, json.loads(body)["state"]) == (503, "insufficient")


def test_metrics_can_be_parsed_and_tell_what_health_tells():
    """Quantiles, ratios, counts and states by slice and source, in Prometheus' format."""
    house = build_monitor([FakeSource(list(seconds_of()[:240]))])
    house.until_end()
    board = HealthBoard("127.0.0.1", 0, lambda: 1000.0)
    board.publish(house.monitor.snapshot())
    with board.serving() as port:
        text = ask(port, "/metrics")[2].decode()
    found = {family.name: family.samples for family in text_string_to_metric_families(text)}
    assert {s.labels["state"] for s in found["lens_monitor_state"] if s.value} == {"degraded"}
    assert {s.labels["quantile"] for s in found["lens_window_latency_ms"]} == {"0.50", "0.90", "0.95", "0.99", "0.999"}
    taken = [s.value for s in found["lens_monitor_lines"] if s.labels["fate"] == "taken"]
    assert taken == [240 * 100]
    assert {s.labels["severity"] for s in found["lens_monitor_alert"]} == {"error", "critical"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_changed_over_http(board, method):
    """Every method but GET and HEAD is refused, with or without a body, and the connection is not reused."""
    with board.serving() as port:
        code, headers, _ = ask(port, "/health", method, body=b"x" * 100)
        assert (code, headers["Allow"]) == (405, "GET, HEAD")
        assert ask(port, "/health")[0] == 503


def test_other_paths_and_heads(board):
    """An unknown path is 404, a query is ignored, HEAD has the headers and no body."""
    with board.serving() as port:
        assert ask(port, "/")[0] == 404
        assert ask(port, "/health?x=1")[0] == 503
        code, headers, body = ask(port, "/health", "HEAD")
        assert (code, body) == (503, b"")
        assert int(headers["Content-Length"]) > 0


def test_it_listens_where_it_was_told_to_and_nowhere_else(board):
    """Bound to loopback, the port is free on other addresses; a taken port is an error in words."""
    with board.serving() as port:
        with socket.socket() as other:
            other.bind(("127.0.0.2", port))
        taken = HealthBoard("127.0.0.1", port, time.monotonic)
        with pytest.raises(Unavailable, match=f"port {port}"), taken.serving():
            pass


def test_it_answers_while_the_monitor_ingests(board):
    """Twenty requests are answered by a monitor that never runs out of lines."""

    class Endless(FakeSource):
        def read(self):
            """Another second."""
            self.batches.append(replace(batch, time_s=batch.time_s + len(self.batches)))
            return super().read()

    batch = seconds_of()[0]
    house = build_monitor([Endless()])
    enough = threading.Event()

    def work():
        while not enough.is_set():
            house.monitor.step()
            board.publish(house.monitor.snapshot())

    thread = threading.Thread(target=work)
    with board.serving() as port:
        thread.start()
        answers = [ask(port, "/health")[0] for _ in range(20)]
        enough.set()
        thread.join()
    assert answers == [503] * 20


def test_a_client_that_says_nothing_holds_up_nobody(board):
    """A connection that is opened and left alone does not keep others from their answer."""
    with board.serving() as port, socket.create_connection(("127.0.0.1", port)):
        assert ask(port, "/health")[0] == 503


def test_a_snapshot_replaces_the_last_one(board):
    """What was published last is what is shown."""
    board.publish(Snapshot(faults=("one",)))
    board.publish(Snapshot(faults=("two",)))
    assert board.health()["reasons"][0] == "two"
