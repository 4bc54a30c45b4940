"""The open loop against real servers: every request leaves, and is charged from when it should have."""

import json
import os

import pytest
from loopback import answering

from lens_core.adapters.load import OpenLoopLoad
from lens_core.errors import Unavailable
from lens_core.ports import LoadPlan


def plan(url, questions, total, **changes):
    """A quick plan."""
    values = {"rate_per_s": 400.0, "warmup": 3, "timeout_s": 5.0, "pid": os.getpid(), **changes}
    return LoadPlan(url=url, questions=tuple((q, q) for q in questions), total=total, **values)


def test_every_request_leaves_and_is_counted():
    """As many samples as were planned come back, in order, cycling through the questions."""
    with answering() as made:
        run = OpenLoopLoad().run(plan(f"http://127.0.0.1:{made.server_port}", ["a", "b", "c"], 20))
        assert [s.question_id for s in run.samples] == [("a", "b", "c")[i % 3] for i in range(20)]
        assert len(made.asked) == 23
    assert {s.status for s in run.samples} == {200}
    assert {json.loads(run.bodies[s.body])["q"] for s in run.samples} == {"a", "b", "c"}
    assert run.cpu_seconds >= 0
    assert run.rss_bytes


def test_latency_counts_from_the_intended_time():
    """Nothing is sent before it is due or answered before it is sent, and dues follow the schedule."""
    with answering() as made:
        run = OpenLoopLoad().run(plan(f"http://127.0.0.1:{made.server_port}", ["a"], 30))
    for sample in run.samples:
        assert sample.intended_s <= sample.sent_s <= sample.done_s
        assert sample.intended_s == pytest.approx(sample.seq / 400, abs=1e-9)


def test_failures_are_samples_too():
    """A server error keeps its status, a broken connection is status 0, and neither is dropped."""
    with answering() as made:
        run = OpenLoopLoad().run(plan(f"http://127.0.0.1:{made.server_port}", ["a", "fail", "drop"], 9, warmup=0))
    assert [s.status for s in run.samples] == [200, 500, 0] * 3


def test_nobody_listening_is_all_failures():
    """A service that is gone gives samples without answers, not a crash and not silence."""
    with answering() as made:
        url = f"http://127.0.0.1:{made.server_port}"
    run = OpenLoopLoad().run(plan(url, ["a"], 5, warmup=0))
    assert [s.status for s in run.samples] == [0] * 5


def test_a_service_that_died_is_unavailable():
    """Without a process to watch there is no measurement, and the error says what failed."""
    with answering() as made, pytest.raises(Unavailable, match="load generator failed"):
        OpenLoopLoad().run(plan(f"http://127.0.0.1:{made.server_port}", ["a"], 3, pid=2**22 - 1))
