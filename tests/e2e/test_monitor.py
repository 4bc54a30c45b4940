"""`lens monitor` as its users run it: a log that is written and rotated, a webhook, SIGKILL, /health, `lens alerts`."""

import contextlib
import itertools
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from loopback import receiving
from places import PROJECT
from traffic import PLANTED_CHANGES, RATE_PER_S, SLICES, START_S, TEN_MINUTES, lines_of

from lens_core import cli

FEEDER = Path(__file__).with_name("feeder.py")
PATIENCE_S = 120


@pytest.fixture
def receiver():
    """A webhook on loopback that remembers what it took."""
    with receiving() as server:
        yield server


class House:
    """A home folder, a log folder, and the commands over them."""

    def __init__(self, folder, receiver, capsys):
        self.capsys = capsys
        self.logs, self.home = folder / "logs", folder / "home"
        self.logs.mkdir()
        self.log = self.logs / "access.log"
        self.environment = {
            **os.environ,
            "LENS_CONFIG": str(PROJECT / "lens.toml"),
            "LENS_HOME": str(self.home),
            "LENS_TEST_HOOK": f"127.0.0.1:{receiver.server_port}/hook",
            "LENS_MONITOR__NOTIFY": '["json://${LENS_TEST_HOOK}"]',
            "LENS_MONITOR__PORT": "0",
            "LENS_MONITOR__POLL_S": "0.02",
            "LENS_MONITOR__SLICES": json.dumps(SLICES),
        }

    def write_all(self):
        """The whole recording at once."""
        with self.log.open("wb") as handle:
            for second in range(600):
                handle.writelines(lines_of(second, SLICES, RATE_PER_S, TEN_MINUTES))

    def start(self, *options):
        """A monitor in a process of its own."""
        command = [sys.executable, "-m", "lens_core.cli", "monitor", "--source", str(self.log), *options]
        return subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self, *arguments):
        """A command in this process; its exit code and output."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                cli.main(arguments)
        said = self.capsys.readouterr()
        return ended.value.code or 0, said.out + said.err

    def feed(self, speed):
        """Start the feeder."""
        return subprocess.Popen([sys.executable, str(FEEDER), str(self.logs), str(speed), "120"])

    def pending(self):
        """How many messages wait in the ledger."""
        with contextlib.closing(sqlite3.connect(self.home / "lens.db", timeout=30)) as connection:
            try:
                [(count,)] = connection.execute("SELECT count(*) FROM alert_outbox WHERE delivered_at IS NULL")
            except sqlite3.OperationalError:
                return 0
            return count


@pytest.fixture
def house(tmp_path, receiver, capsys):
    """A fresh house."""
    return House(tmp_path, receiver, capsys)


def wait_until(holds):
    """Look again and again until it holds; an error when it never does."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def said(taken):
    """(event, severity, seconds after the start) by slice, as the messages say it."""
    found = {}
    for _, body in taken:
        event, moment = re.match(r"(\w+) at [\d-]+ 00:(\d\d:\d\d) UTC", body["message"]).groups()
        minutes, seconds = moment.split(":")
        subject = body["title"].rpartition(" ")[2]
        found.setdefault(subject, []).append((event, int(minutes) * 60 + int(seconds)))
    return found


EXPECTED = {name: [(event, at) for event, _, at in steps] for name, steps in PLANTED_CHANGES.items()}


def assert_exactly_the_planted(house, receiver):
    """Every planted change was received once, in the order of its alert, and the ledger knows the same."""
    assert said(receiver.taken) == EXPECTED
    ids = [message_id for message_id, _ in receiver.taken]
    assert len(ids) == len(set(ids)) == 8
    assert not [body for _, body in receiver.taken if "repeat" in body["message"]]
    _, out = house.run("alerts", "list", "--all", "--json")
    listed = json.loads(out)
    assert listed["undelivered_messages"] == 0
    steps = {
        alert["subject"]: [(s["event"], s["severity"].upper(), round(_seconds(s["at"]))) for s in alert["changes"]]
        for alert in listed["alerts"]
    }
    assert steps == PLANTED_CHANGES


def _seconds(moment):
    minutes, seconds = moment[14:19].split(":")
    return int(minutes) * 60 + int(seconds)


def end(process, number=signal.SIGTERM):
    """End it by a signal; its exit code and last words."""
    process.send_signal(number)
    out, _ = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out


def test_ten_minutes_through_a_rotated_log_say_exactly_what_was_planted(house, receiver):
    """At 60 times the speed, over four rotations: a warning, an error, a critical one, each resolved, once each."""
    feeder = house.feed(60)
    wait_until(house.log.exists)
    monitor = house.start("--speed", "60")
    assert feeder.wait(timeout=PATIENCE_S) == 0
    wait_until(lambda: len(receiver.taken) >= 8)
    wait_until(lambda: house.pending() == 0)
    code, out = end(monitor)
    assert code == 0, out
    assert_exactly_the_planted(house, receiver)


KILL_POINTS = ("an evaluation", "a request", "a pending message", "the start", "a request")


def kill_at(point, house, receiver, monitor, fed):
    """Wait for the point and kill the monitor there; False when all was said before it came."""
    if point == "the start":
        # Its first words come before it reads on: it dies in the backlog.
        monitor.stdout.readline()
    elif point == "an evaluation":
        for line in monitor.stdout:
            if "samples" in line:
                break
    elif point == "a request":
        receiver.arrived.clear()
        wait_until(lambda: receiver.arrived.is_set() or (fed() and len(receiver.taken) >= 8))
    else:
        wait_until(lambda: house.pending() or (fed() and len(receiver.taken) >= 8))
    monitor.kill()
    monitor.communicate()


def test_killed_at_any_point_nothing_is_said_twice_and_nothing_is_lost(house, receiver):
    """SIGKILL at evaluations, amid deliveries, with messages pending and in the backlog: still once each."""
    feeder = house.feed(60)
    wait_until(house.log.exists)
    for point in KILL_POINTS:
        kill_at(point, house, receiver, house.start("--speed", "60"), lambda: feeder.poll() is not None)
    monitor = house.start("--speed", "60")
    monitor.stdout.readline()
    assert feeder.wait(timeout=PATIENCE_S) == 0
    wait_until(lambda: len(receiver.taken) >= 8)
    wait_until(lambda: house.pending() == 0)
    assert end(monitor)[0] == 0
    assert_exactly_the_planted(house, receiver)


def test_a_monitor_that_is_killed_while_the_webhook_answers_delivers_once(house, receiver):
    """The monitor dies while the receiver still holds the request: its sender ends the delivery and records it."""
    house.write_all()
    monitor = house.start("--speed", "20")
    counter = itertools.count()

    def on_message():
        if next(counter) == 0:
            monitor.kill()
            monitor.wait()

    receiver.on_message = on_message
    wait_until(lambda: len(receiver.taken) >= 8)
    monitor.communicate()
    wait_until(lambda: house.pending() == 0)
    # Another run finds nothing that is left to be said; without an evaluation of its own it calls nothing ok.
    assert house.run("monitor", "--source", str(house.log), "--speed", "20", "--until-end")[0] == 1
    assert_exactly_the_planted(house, receiver)


def get(port, path):
    """A page: code and body."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as answer:  # nosec B310 (our own port)
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_live_log_is_watched_and_people_deal_with_its_alerts(house, receiver):
    """/health and /metrics of a recording that ends in the middle, one monitor a home; ack, silence, resolve, list."""
    with house.log.open("wb") as handle:
        for second in range(240):
            handle.writelines(lines_of(second, SLICES, RATE_PER_S, TEN_MINUTES))
    monitor = house.start("--speed", "1")
    first = monitor.stdout.readline()
    port = int(re.search(r"port (\d+)", first)[1])
    wait_until(lambda: len(receiver.taken) >= 4)
    code, body = get(port, "/health")
    health = json.loads(body)
    assert (code, health["state"]) == (503, "degraded")
    assert {(v["slice"], v["severity"]) for v in health["violations"]} == {
        (SLICES[1], "error"),
        (SLICES[2], "critical"),
    }
    code, metrics = get(port, "/metrics")
    assert code == 200
    assert f'lens_window_tail_ratio{{slice="{SLICES[2]}"}} 4.0' in metrics
    refused = house.run("monitor", "--source", str(house.log), "--speed", "1")
    assert refused[0] == 3
    assert f"by process {monitor.pid}" in refused[1]
    assert end(monitor)[0] == 0
    assert house.run("alerts", "ack", "backend-python-large", "--by", "mia", "--reason", "on it")[0] == 0
    assert house.run("alerts", "silence", "backend-python-medium", "--by", "mia", "--minutes", "5")[0] == 0
    assert house.run("alerts", "resolve", "backend-python-medium", "--by", "mia")[0] == 2
    assert house.run("alerts", "resolve", "backend-python-medium", "--by", "mia", "--reason", "known")[0] == 0
    assert house.run("alerts", "ack", receiver.taken[1][0].rpartition(".")[0], "--by", "mia")[0] == 3
    wait_until(lambda: len(receiver.taken) >= 7)
    assert [body["title"].split("]")[0] for _, body in receiver.taken[4:]] == [
        "[ACKNOWLEDGED",
        "[SILENCED",
        "[RESOLVED",
    ]
    _, listed = house.run("alerts", "list")
    assert "acknowledged" in listed
    assert "backend-python-medium" not in listed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("monitor",), "expected a source"),
        (("monitor", "--source", "x.log", "--speed", "0"), "speed above 0"),
        (("monitor", "--source", "nobody/knows/it=http://127.0.0.1:1/metrics"), "none of the slices"),
        (("monitor", "--source", "ftp://x"), "expected a file"),
        (("monitor", "--source", "http://127.0.0.1:1/metrics", "--speed", "2"), "cannot be replayed"),
        (("monitor", "--source", "x.log", "--source", "x.log"), "named twice"),
        (("alerts", "ack", "nobody", "--by", "mia"), "no open alert"),
        (("alerts", "silence", "nobody", "--by", "mia", "--minutes", "0"), "minutes"),
    ],
)
def test_a_wrong_request_exits_with_2_and_says_what_to_change(house, arguments, words):
    """The caller's mistakes are named, without a traceback."""
    code, out = house.run(*arguments)
    assert (code, words in out, "Traceback" in out) == (2, True, False), out


def test_without_alerts_there_is_nothing_to_list(house):
    """No alert is no error."""
    assert house.run("alerts", "list") == (0, "no open alert\n")
    assert json.loads(house.run("alerts", "list", "--json")[1]) == {"alerts": [], "undelivered_messages": 0}


def test_the_recording_begins_on_a_tick():
    """The planted times are multiples of the evaluation's interval."""
    assert START_S % 30 == 0
