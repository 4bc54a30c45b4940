"""A histogram scraped from a real server: what is new between two scrapes, resets, pauses and failures."""

import http.server
import json
import math
import threading
from contextlib import contextmanager

import pytest
from monitor_fakes import FakeEventClock
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from lens_core.adapters.prometheus_source import PrometheusSource, ScrapeFormat
from lens_core.engine.metrics import Metrics, latency_buckets

NAN = b'lens_engine_request_seconds_bucket{path="/search",le="1"} NaN\n'
FORM = ScrapeFormat("lens_engine_request_seconds", 1000.0, "slice", {"path": "/search"}, 1e-9, 5.0)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        """Whatever was put there."""
        code, body = self.server.page()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Be quiet."""


@contextmanager
def scraped(page, form=FORM, slice_name="a"):
    """A source over a server on loopback that answers with ``page``."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.page = page
        threading.Thread(target=server.serve_forever, daemon=True).start()
        clock = FakeEventClock()
        url = f"http://user:secret@127.0.0.1:{server.server_port}/metrics?token=secret"  # pragma: allowlist secret
        source = PrometheusSource(url, slice_name, form, ("a", "b"), clock)
        source.resume(None, from_start=False)
        yield source, clock
        source.close()
        server.shutdown()


def engine(*seconds):
    """The engine's own metrics after requests of these durations."""
    made = Metrics(1)
    for value in seconds:
        made.observe("/search", 200, value)
    return made


def rows(reading):
    """(latency, weight) of a batch."""
    return list(zip(reading.batch.latency_ms.tolist(), reading.batch.weight.tolist(), strict=True))


def test_the_first_scrape_is_a_baseline_and_the_next_gives_what_is_new():
    """Requests before the first scrape are not counted; later ones are, within their bucket, at the scrape's time."""
    metrics = engine(0.010, 0.020)
    with scraped(lambda: (200, metrics.exposition())) as (source, clock):
        assert rows(source.read()) == []
        metrics.observe("/search", 200, 0.050)
        metrics.observe("/search", 200, 0.050)
        metrics.observe("/health", 200, 9.0)
        seen = source.read()
        [(latency, weight)] = rows(seen)
        assert weight == 2
        assert latency == pytest.approx(50, rel=0.05)
        assert seen.batch.coarse[latency] == pytest.approx(math.sqrt(1.1) - 1, rel=0.01)
        assert seen.batch.time_s.tolist() == [clock.moment_s]
        assert (seen.fault, seen.batch.gaps, seen.batch.failed.tolist()) == ("", 0, [-1])
        assert rows(source.read()) == []


def test_a_service_that_nobody_asked_yet_has_no_fault_and_loses_nothing():
    """Its histogram has no series: that is a baseline of nothing, so the first requests are counted."""
    metrics = engine()
    with scraped(lambda: (200, metrics.exposition())) as (source, _):
        assert source.read().fault == ""
        metrics.observe("/search", 200, 0.01)
        assert [weight for _, weight in rows(source.read())] == [1]


def test_a_counter_that_was_reset_counts_from_nothing():
    """After a restart of the service, what its counters hold is new, and nothing is negative."""
    pages = [engine(*[0.01] * 5), engine(0.01, 0.01)]
    with scraped(lambda: (200, pages[0].exposition())) as (source, _):
        source.read()
        pages.pop(0)
        assert [weight for _, weight in rows(source.read())] == [2]


def test_a_long_pause_is_a_beginning_again():
    """Samples of a time that nobody saw are not put into one pane: they are left out, and said to be lost."""
    metrics = engine(0.01)
    form = ScrapeFormat(FORM.metric, 1000.0, "slice", FORM.labels, 1e-9, 5.0)
    with scraped(lambda: (200, metrics.exposition()), form) as (source, clock):
        source.read()
        metrics.observe("/search", 200, 0.01)
        clock.pass_s(60)
        seen = source.read()
        assert (rows(seen), seen.batch.gaps) == ([], 1)
        metrics.observe("/search", 200, 0.01)
        assert [weight for _, weight in rows(source.read())] == [1]


def test_counting_goes_on_from_a_position():
    """A monitor that was ended between two scrapes counts what came in between, once."""
    metrics = engine(0.01)
    with scraped(lambda: (200, metrics.exposition())) as (source, clock):
        position = json.loads(json.dumps(source.read().position))
        metrics.observe("/search", 200, 0.01)
        again = PrometheusSource(source._url, "a", FORM, ("a", "b"), clock)
        again.resume(position, from_start=False)
        assert [weight for _, weight in rows(again.read())] == [1]
        again.close()


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ((503, b"down"), "HTTP 503"),
        ((200, b"<html>"), "cannot be scraped"),
        ((200, b""), "no histogram"),
        ((200, b"# TYPE lens_engine_request_seconds histogram\n" + NAN), "a count that is none"),
        ((200, b"x" * (17 << 20)), "bytes are no metrics"),
    ],
)
def test_a_failing_scrape_is_a_fault_and_no_data(page, words):
    """Errors, other pages, empty ones and huge ones are said in the reading, without secrets; the next one may do."""
    pages = [page]
    with scraped(lambda: pages[0]) as (source, _):
        seen = source.read()
        assert words in seen.fault
        assert "secret" not in seen.fault + source.name
        assert seen.batch.time_s.size == 0
        pages[0] = (200, engine(0.01).exposition())
        assert source.read().fault == ""


def test_a_server_that_is_gone_is_a_fault():
    """A refused connection is said, not raised."""
    gone = PrometheusSource("http://127.0.0.1:1/metrics", "a", FORM, ("a",), FakeEventClock())
    assert "ConnectError" in gone.read().fault
    gone.close()


def test_slices_are_told_apart_by_their_label():
    """One URL serves several slices; a label that is on no list is unknown."""
    registry = CollectorRegistry()
    histogram = Histogram("h_seconds", "h", ["slice", "path"], registry=registry, buckets=latency_buckets())
    for name in ("a", "b", "other"):
        histogram.labels(name, "/search").observe(0.01)
    form = ScrapeFormat("h_seconds", 1000.0, "slice", {"path": "/search"}, 1e-9, 5.0)
    with scraped(lambda: (200, generate_latest(registry)), form, slice_name="") as (source, _):
        source.read()
        for name in ("b", "other", "other"):
            histogram.labels(name, "/search").observe(0.01)
        seen = source.read().batch
        assert sorted(zip(seen.slice_index.tolist(), seen.weight.tolist(), strict=True)) == [(-1, 2), (1, 1)]


def test_the_ends_of_a_histogram_are_of_unknown_width():
    """What fell into the first or the last bucket has no known error: a ratio from there cannot be judged."""
    metrics = engine(0.01)
    with scraped(lambda: (200, metrics.exposition())) as (source, _):
        source.read()
        metrics.observe("/search", 200, 0.00001)
        metrics.observe("/search", 200, 60.0)
        seen = source.read().batch
        assert seen.latency_ms.tolist() == pytest.approx([0.05, 10_000])
        assert set(seen.coarse.values()) == {math.inf}


def test_between_two_scrapes_there_is_nothing_to_read():
    """A source that is not due gives an empty batch at once."""
    form = ScrapeFormat(FORM.metric, 1000.0, "slice", FORM.labels, 3600.0, 5.0)
    asked = []
    with scraped(lambda: asked.append(1) or (200, engine(0.01).exposition()), form) as (source, _):
        source.read()
        assert source.read().batch.time_s.size == 0
        assert len(asked) == 1
