"""The sender: in order, again and again until it is taken, alone, and honest about repeats."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from loopback import receiving
from monitor_fakes import FakeEventClock, FakeNotifier, violate
from places import PROJECT

from lens_core.adapters.alert_ledger import SqlAlertLedger
from lens_core.adapters.notifier import target_of
from lens_core.adapters.sender import SenderProcess, drain, due, main
from lens_core.alerts import AlertEvent, Message, act
from lens_core.monitor_ports import Delivery

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def delivery(name, target="a", wait_s=0.0, attempts=0):
    """A message that is due in so many seconds."""
    due_at = NOW + timedelta(seconds=wait_s)
    return Delivery(
        Message(name, "t", "b", "error"), target, attempts, delivered=False, next_attempt_at=due_at, last_error=""
    )


@pytest.mark.parametrize(
    ("deliveries", "expected"),
    [
        ((), []),
        ((delivery("1"), delivery("2")), ["1"]),
        ((delivery("1", wait_s=5), delivery("2")), []),
        ((delivery("1", "a", 5), delivery("2", "b"), delivery("3", "b")), ["2"]),
        ((delivery("1", wait_s=3600),), ["1"]),
    ],
    ids=["nothing", "in order", "none overtakes", "targets apart", "a clock turned back"],
)
def test_what_is_due(deliveries, expected):
    """Of each target the first that was not taken, once its time has come; no wait outlasts the longest."""
    assert [d.message.message_id for d in due(deliveries, NOW, 60)] == expected


@pytest.fixture
def ledger(tmp_path):
    """A ledger with two messages for target a: opened, resolved."""
    made = SqlAlertLedger(tmp_path / "lens.db")
    made.advance(violate(), NOW, ("a",))

    def resolve(watches):
        watch, change = act(watches["ratio", "a"], AlertEvent.RESOLVE, NOW, "mia", "why")
        return [watch], [change]

    made.advance(resolve, NOW, ("a",))
    return made


def test_a_failed_delivery_waits_twice_as_long_each_time(ledger):
    """1, 2, 4, … seconds up to the longest wait, never given up, and then all arrive in order."""
    notifier, clock, waits = FakeNotifier(refusals=7), FakeEventClock(), []
    while ledger.deliveries():
        drain(ledger, notifier, clock.now, 1, 20)
        if waiting := ledger.deliveries():
            waits.append((waiting[0].next_attempt_at - clock.now()).total_seconds())
            clock.pass_s(waits[-1])
    assert waits == [1, 2, 4, 8, 16, 20, 20]
    assert [(m[-3:], attempt) for _, m, attempt in notifier.taken] == [("1.1", 8), ("1.2", 1)]


@pytest.fixture
def hook(tmp_path, monkeypatch):
    """A webhook on loopback, and the environment of a sender for it; two messages wait in the ledger."""
    with receiving() as server:
        url = f"json://127.0.0.1:{server.server_port}/hook"
        monkeypatch.setenv("LENS_MONITOR__NOTIFY", json.dumps([url]))
        server.ledger = SqlAlertLedger(tmp_path / "lens.db")
        for times in (1, 2):
            server.ledger.advance(violate(times), NOW, (target_of(url),))
        yield server


def wait_until(holds):
    """Look again and again until it holds; an error when it never does."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def test_a_sender_delivers_what_waits_and_ends(hook, tmp_path):
    """Started by the courier, it outlives nothing: it delivers in order, records it, and its process ends."""
    courier = SenderProcess(tmp_path, PROJECT / "lens.toml", hook.ledger, 300)
    courier.send_due()
    courier.send_due()
    assert courier._started is not None
    assert os.getsid(courier._started.pid) == courier._started.pid
    assert courier._started.wait(timeout=60) == 0
    assert [message_id[-3:] for message_id, _ in hook.taken] == ["1.1", "1.2"]
    assert hook.ledger.deliveries() == ()
    started = courier._started
    courier.send_due()
    assert courier._started is started


def test_while_one_sends_nobody_else_does(hook, tmp_path):
    """With the lock held, neither a courier starts a sender nor a sender sends."""
    with (tmp_path / "outbox.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        courier = SenderProcess(tmp_path, PROJECT / "lens.toml", hook.ledger, 300)
        courier.send_due()
        assert courier._started is None
        assert main(tmp_path, PROJECT / "lens.toml") == 0
    assert hook.taken == []
    assert main(tmp_path, PROJECT / "lens.toml") == 0
    assert len(hook.taken) == 2


def test_a_sender_that_dies_after_delivering_repeats_and_says_so(hook, tmp_path):
    """Killed between a delivery and its record, the same id goes out again, with the words that it may be a repeat."""
    held, go_on = threading.Event(), threading.Event()

    def hold():
        if not held.is_set():
            held.set()
            go_on.wait(60)

    hook.on_message = hold
    command = [sys.executable, "-m", "lens_core.adapters.sender", str(tmp_path), str(PROJECT / "lens.toml")]
    with subprocess.Popen(command) as sender:
        wait_until(held.is_set)
        sender.send_signal(signal.SIGKILL)
    go_on.set()
    wait_until(lambda: len(hook.taken) == 1)
    assert main(tmp_path, PROJECT / "lens.toml") == 0
    [(first, _), (again, body), _] = hook.taken
    assert first == again
    assert f"may be a repeat of message {first}" in body["message"]


def test_a_sender_without_its_settings_says_why(tmp_path):
    """It ends with the exit code of the error, and the error goes into sender.log."""
    assert main(tmp_path, tmp_path / "nowhere.toml") == 2


def test_a_sender_that_fails_is_said_and_not_started_again_at_once(hook, tmp_path):
    """A broken configuration does not cost a process a second; what hinders delivery is said until it works."""
    courier = SenderProcess(tmp_path, tmp_path / "nowhere.toml", hook.ledger, 300)
    assert courier.send_due() == ""
    first = courier._started
    assert first.wait(timeout=60) == 2
    assert "code 2" in courier.send_due()
    assert courier._started is first
    assert "expected the configuration" in (tmp_path / "sender.log").read_text()
