"""The open loop against real servers: every request leaves, and is charged from when it should have."""

import json
import os

import httpx
import pytest
from loopback import answering

from lens_core.adapters.control_process import ControlProcess
from lens_core.adapters.load import OpenLoopLoad
from lens_core.errors import Unavailable
from lens_core.ports import Endpoint, LoadPlan, Pane


@pytest.fixture(scope="module")
def control():
    """A real control."""
    with ControlProcess().serve() as url:
        yield url


def address(server):
    """Where a server listens."""
    return f"http://127.0.0.1:{server.server_port}"


def plan(urls, questions, panes, control, **changes):
    """A quick plan; a pane is (service, first question, count)."""
    values = {"rate_per_s": 400.0, "warmup": 3, "timeout_s": 5.0, "control_rate_per_s": 100.0}
    pid = changes.pop("pid", os.getpid())
    return LoadPlan(
        services=tuple(Endpoint(url, pid, "") for url in urls),
        panes=tuple(Pane(*pane) for pane in panes),
        questions=tuple((q, q) for q in questions),
        control_url=control,
        **{**values, **changes},
    )


def test_every_request_leaves_and_is_counted(control):
    """As many samples as were planned come back, in order, cycling through the questions."""
    with answering() as made:
        run = OpenLoopLoad().run(plan([address(made)], ["a", "b", "c"], [(0, 0, 20)], control))
        assert [s.question_id for s in run.samples] == [("a", "b", "c")[i % 3] for i in range(20)]
        assert len(made.asked) == 23
    assert {s.status for s in run.samples} == {200}
    assert {json.loads(run.bodies[s.body])["q"] for s in run.samples} == {"a", "b", "c"}
    [usage] = run.usage
    assert usage.cpu_seconds >= 0
    assert usage.rss_bytes


def test_two_services_take_turns_pane_by_pane(control):
    """Each pane asks its own service, from its own first question on, in one unbroken schedule."""
    with answering() as one, answering() as two:
        panes = [(0, 0, 4), (1, 0, 4), (1, 4, 4), (0, 4, 4)]
        run = OpenLoopLoad().run(plan([address(one), address(two)], list("abcdefgh"), panes, control, warmup=0))
        assert sorted(one.asked) == sorted(two.asked) == list("abcdefgh")
    assert [s.pane for s in run.samples] == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4
    assert [round(s.intended_s * 400) for s in run.samples] == list(range(16))
    assert len(run.usage) == 2


def test_the_control_is_asked_in_every_pane(control):
    """No-ops and work are asked in turn all along, at their own rate, between the other requests."""
    with answering() as made:
        panes = [(0, 0, 40), (0, 40, 40), (0, 80, 40)]
        run = OpenLoopLoad().run(plan([address(made)], ["a"], panes, control))
    assert [s.question_id for s in run.control] == ["noop", "work"] * 15
    assert [s.pane for s in run.control] == [0] * 10 + [1] * 10 + [2] * 10
    assert {s.status for s in run.control} == {200}
    assert not {s.intended_s for s in run.control} & {s.intended_s for s in run.samples}


def test_the_control_does_the_same_work_each_time(control):
    """Its no-op says nothing, its work gives one digest whenever it is asked."""
    assert httpx.get(f"{control}/noop").content == b""
    assert httpx.get(f"{control}/work").content == httpx.get(f"{control}/work").content != b""


def test_latency_counts_from_the_intended_time(control):
    """Nothing is sent before it is due or answered before it is sent, and dues follow the schedule."""
    with answering() as made:
        run = OpenLoopLoad().run(plan([address(made)], ["a"], [(0, 0, 30)], control))
    for place, sample in enumerate(run.samples):
        assert sample.intended_s <= sample.sent_s <= sample.done_s
        assert sample.intended_s == pytest.approx(place / 400, abs=1e-9)


def test_failures_are_samples_too(control):
    """A server error keeps its status, a broken connection is status 0, and neither is dropped."""
    with answering() as made:
        run = OpenLoopLoad().run(plan([address(made)], ["a", "fail", "drop"], [(0, 0, 9)], control, warmup=0))
    assert [s.status for s in run.samples] == [200, 500, 0] * 3


def test_nobody_listening_is_all_failures(control):
    """A service that is gone gives samples without answers, not a crash and not silence."""
    with answering() as made:
        url = address(made)
    run = OpenLoopLoad().run(plan([url], ["a"], [(0, 0, 5)], control, warmup=0))
    assert [s.status for s in run.samples] == [0] * 5


def test_a_service_that_died_is_unavailable(control):
    """Without a process to watch there is no measurement, and the error says what failed."""
    with answering() as made, pytest.raises(Unavailable, match="load generator failed"):
        OpenLoopLoad().run(plan([address(made)], ["a"], [(0, 0, 3)], control, pid=2**22 - 1))
