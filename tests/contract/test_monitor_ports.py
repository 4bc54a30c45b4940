"""What the live monitor's ports owe, asked of the fakes and of the real adapters alike."""

import json
import os
from datetime import UTC, datetime, timedelta

import pytest
from loopback import receiving
from monitor_fakes import FakeAlertLedger, FakeEventClock, FakeNotifier, FakeSource, batch_of, violate

from lens_core.adapters.access_log import AccessLog
from lens_core.adapters.alert_ledger import SqlAlertLedger
from lens_core.adapters.clock import ReplayClock, SystemClock
from lens_core.adapters.log_lines import LineFormat, LineParser
from lens_core.adapters.notifier import AppriseNotifier, target_of
from lens_core.alerts import AlertEvent, Message, act
from lens_core.errors import Conflict, IntegrityError, InvalidInput
from lens_core.monitor_ports import Checkpoint, PaneChanges

both = pytest.mark.parametrize("kind", ["fake", "real"])
NOW = datetime(2026, 12, 1, tzinfo=UTC)
MESSAGE = Message("a.1.1", "[WARNING] a", "open at …\nopen since …; message a.1.1", "warning")


@both
def test_a_source_gives_every_line_once_from_any_position(kind, tmp_path):
    """Read from a position that it gave out, a source goes on exactly there; at its end it says so."""
    file = tmp_path / "access.log"
    rows = [{"time": 1_796_083_200 + n, "slice": "a", "latency_ms": n, "http_code": 200} for n in range(10)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    parser = LineParser(LineFormat("time", "slice", "latency_ms", "http_code"), ("a",))

    def source():
        if kind == "fake":
            return FakeSource([batch_of([row["time"]], [row["latency_ms"]]) for row in rows])
        return AccessLog(file, parser, portion_bytes=100)

    made = source()
    made.resume(None, from_start=True)
    seen, positions = [], []
    while True:
        reading = made.read()
        positions.append((len(seen) + reading.batch.time_s.size, reading.position))
        seen += reading.batch.latency_ms.tolist()
        if reading.at_end:
            break
    assert seen == list(range(10))
    made.close()
    for place, position in positions:
        again = source()
        again.resume(json.loads(json.dumps(position)), from_start=False)
        rest = []
        while not (reading := again.read()).at_end:
            rest += reading.batch.latency_ms.tolist()
        assert [*rest, *reading.batch.latency_ms.tolist()] == seen[place:]
        again.close()


@both
def test_an_event_clock_tells_utc_and_a_time_that_only_goes_forwards(kind):
    """Moments carry their zone, the monotonic time does not go back, and events do not turn a clock back."""
    for clock in (FakeEventClock(),) if kind == "fake" else (SystemClock(), ReplayClock(20.0)):
        clock.follow(1_796_083_200.0)
        first, mono_s = clock.now(), clock.monotonic_s()
        clock.follow(1_000_000_000.0)
        assert clock.now().tzinfo is UTC
        assert clock.now() >= first
        assert clock.monotonic_s() >= mono_s
        assert clock.speed > 0


def test_a_replays_clock_begins_with_its_first_event_and_is_never_behind_one():
    """The recording's time stands in 1970 until there is an event, then runs from there, and catches up."""
    clock = ReplayClock(20.0)
    assert clock.now() == datetime(1970, 1, 1, tzinfo=UTC)
    for moment in (1_796_083_200.0, 1_796_083_900.0):
        clock.follow(moment)
        assert clock.now() >= datetime.fromtimestamp(moment, UTC)


# --- the alert ledger ---------------------------------------------------------------------------------


def ledger(kind, folder):
    """A fresh one."""
    return FakeAlertLedger() if kind == "fake" else SqlAlertLedger(folder / "lens.db")


def person(event, until=None):
    """A decision: somebody does something to the alert of slice a."""

    def decide(watches):
        watch, change = act(watches["ratio", "a"], event, NOW, "mia", "why", until)
        return [watch], [change]

    return decide


def point(serial, **changes):
    """A checkpoint."""
    values = {
        "pane_s": 30,
        "positions": {"log": {"offset": serial, "identity": None}},
        "watermarks_s": {"log": 17.5, "other": None},
        "next_tick_s": 60,
        "totals": {"log": {"lines": 3}},
    }
    return Checkpoint(serial, **values | changes)


@both
def test_a_ledger_remembers_watches_alerts_changes_and_messages(kind, tmp_path):
    """What was decided comes back equal: the watch, its alert, the steps in order, a message for each target."""
    made = ledger(kind, tmp_path)
    [opened] = made.advance(violate(), NOW, ("x", "y"))
    made.advance(person(AlertEvent.SILENCE, NOW + timedelta(hours=1)), NOW, ("x",))
    [watch] = made.watches().values()
    assert (watch.violations, watch.episodes, watch.alert) == (1, 1, made.alerts()[0])
    assert watch.alert.silenced_until == NOW + timedelta(hours=1)
    steps = made.changes(opened.alert.alert_id)
    assert [(event, step.change_count, step.changed_by) for event, step in steps] == [
        ("open", 1, ""),
        ("silence", 2, "mia"),
    ]
    waiting = [(d.message.message_id[-3:], d.target) for d in made.deliveries()]
    assert waiting == [("1.1", "x"), ("1.1", "y"), ("1.2", "x")]


@both
def test_a_silenced_change_is_recorded_without_a_message(kind, tmp_path):
    """What happens under silence is in the history, and nothing of it goes out."""
    made = ledger(kind, tmp_path)
    made.advance(violate(), NOW, ())
    made.advance(person(AlertEvent.SILENCE, NOW + timedelta(hours=1)), NOW, ())
    [change] = made.advance(violate(2), NOW, ("x",))
    assert (change.event, change.spoken) == ("escalate", False)
    assert made.deliveries() == ()


@both
def test_a_resolved_alert_is_history(kind, tmp_path):
    """It is listed only when asked for, and its subject can open another one."""
    made = ledger(kind, tmp_path)
    made.advance(violate(), NOW, ())
    made.advance(person(AlertEvent.RESOLVE), NOW, ())
    assert made.alerts() == ()
    assert [a.state for a in made.alerts(also_resolved=True)] == ["resolved"]
    [change] = made.advance(violate(), NOW, ())
    assert change.alert.alert_id.endswith(".2")
    assert len(made.alerts(also_resolved=True)) == 2


@both
def test_a_decision_that_fails_leaves_nothing(kind, tmp_path):
    """When deciding raises, neither changes nor checkpoint nor panes are there."""
    made = ledger(kind, tmp_path)

    def refuse(_watches):
        raise Conflict("no")

    with pytest.raises(Conflict):
        made.advance(refuse, NOW, ("x",), point(1), PaneChanges({("slice", "a", 1): b"1"}, None))
    assert (made.watches(), made.alerts(), made.deliveries(), made.checkpoint()) == ({}, (), (), None)


@both
def test_the_same_change_is_not_recorded_twice(kind, tmp_path):
    """Somebody who decides on a stale state is refused, and nothing of it is written."""
    made = ledger(kind, tmp_path)
    stale = violate()({})
    made.advance(lambda _watches: stale, NOW, ("x",))
    with pytest.raises(IntegrityError):
        made.advance(lambda _watches: stale, NOW, ("x",), point(1))
    assert len(made.deliveries()) == 1
    assert made.checkpoint() is None


@both
def test_a_checkpoint_comes_back_with_its_panes(kind, tmp_path):
    """Positions, watermarks, counts and panes come back equal; changed panes replace, old ones are dropped."""
    made = ledger(kind, tmp_path)
    assert made.checkpoint() is None
    made.advance(
        lambda _w: ((), ()), NOW, (), point(1), PaneChanges({("slice", "a", 1): b"1", ("slice", "a", 2): b"2"}, None)
    )
    made.advance(lambda _w: ((), ()), NOW, (), point(2, skipped_ticks=5), PaneChanges({("slice", "a", 2): b"22"}, 2))
    assert made.checkpoint() == (point(2, skipped_ticks=5), {("slice", "a", 2): b"22"})


@both
def test_checkpoints_follow_one_another(kind, tmp_path):
    """The one that is there decides nothing again; one that leaves a gap comes from somebody else and is refused."""
    made = ledger(kind, tmp_path)
    assert len(made.advance(violate(), NOW, (), point(1))) == 1
    assert made.advance(violate(), NOW, (), point(1)) == ()
    assert made.watches()["ratio", "a"].violations == 1
    with pytest.raises(Conflict):
        made.advance(violate(), NOW, (), point(3))


@both
def test_a_delivery_is_pending_until_it_succeeds(kind, tmp_path):
    """Attempts are counted before they are made; a failure says why and when again; a success ends it."""
    made = ledger(kind, tmp_path)
    [change] = made.advance(violate(), NOW, ("x",))
    made.begin_delivery(change.message_id, "x", NOW)
    made.end_delivery(change.message_id, "x", NOW, "refused", 8)
    [waiting] = made.deliveries()
    assert (waiting.attempts, waiting.last_error, waiting.next_attempt_at) == (1, "refused", NOW + timedelta(seconds=8))
    made.begin_delivery(change.message_id, "x", NOW)
    made.end_delivery(change.message_id, "x", NOW)
    assert made.deliveries() == ()
    [done] = made.deliveries(pending=False)
    assert (done.delivered, done.attempts) == (True, 2)
    with pytest.raises(InvalidInput):
        made.begin_delivery("nobody", "x", NOW)
    with pytest.raises(InvalidInput):
        made.changes("nobody")


def test_an_alert_ledger_makes_a_file_that_both_ledgers_open(tmp_path):
    """Whichever ledger is first makes the tables of both, and another reader sees what was written."""
    SqlAlertLedger(tmp_path / "lens.db").advance(violate(), NOW, ("x",))
    assert len(SqlAlertLedger(tmp_path / "lens.db").alerts()) == 1


# --- the notifier -------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("refuses", [False, True])
def test_a_notifier_says_whether_the_target_took_it(kind, refuses, tmp_path):
    """Empty when it was taken, a reason when not; a target that nobody knows is a reason too."""
    with receiving(refuses=refuses) as server:
        url = f"json://127.0.0.1:{server.server_port}/hook"
        if kind == "fake":
            notifier, target = FakeNotifier(refusals=9 * refuses), "a"
        else:
            notifier, target = AppriseNotifier([url], tmp_path / "messages.log", 5), target_of(url)
        assert bool(notifier.deliver(target, MESSAGE, 1)) is refuses
        assert notifier.deliver("nobody", MESSAGE, 1)


def test_a_webhook_gets_text_severity_and_the_id_and_a_repeat_says_so(tmp_path):
    """The id is a header and stands in the text; a second attempt says that it may be a repeat."""
    with receiving() as server:
        url = f"json://127.0.0.1:{server.server_port}/hook"
        notifier = AppriseNotifier([url], tmp_path / "messages.log", 5)
        notifier.deliver(target_of(url), MESSAGE, 1)
        notifier.deliver(target_of(url), MESSAGE, 2)
        (first_id, first), (second_id, second) = server.taken
    assert first_id == second_id == MESSAGE.message_id
    assert (first["title"], first["type"], first["message"]) == (MESSAGE.title, "warning", MESSAGE.body)
    assert "may be a repeat of message a.1.1" in second["message"]


def test_the_console_is_a_file_that_takes_a_message_once(tmp_path):
    """console:// appends a line to messages.log, and not again what is there already."""
    notifier = AppriseNotifier(["console://"], tmp_path / "messages.log", 5)
    for attempt in (1, 2):
        assert notifier.deliver("console", MESSAGE, attempt) == ""
    other = Message("a.1.11", "t", "b; message a.1.11", "error")
    assert notifier.deliver("console", other, 1) == ""
    lines = (tmp_path / "messages.log").read_text().splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == ["a.1.1", "a.1.11"]
    broken = AppriseNotifier(["console://"], tmp_path / "nowhere" / "messages.log", 5)
    assert "cannot be written" in broken.deliver("console", MESSAGE, 1)


def test_secrets_come_from_the_environment_and_are_told_to_nobody(tmp_path, monkeypatch, capfd):
    """${NAME} is filled in; neither errors nor output nor the target's name hold the secret."""
    monkeypatch.setenv("LENS_TEST_HOOK", "hush-hush")
    template = "json://user:${LENS_TEST_HOOK}@127.0.0.1:1/${LENS_TEST_HOOK}?token=${LENS_TEST_HOOK}"
    notifier = AppriseNotifier([template], tmp_path / "messages.log", 1)
    said = notifier.deliver(target_of(template), MESSAGE, 1)
    out, err = capfd.readouterr()
    assert said == "json://127.0.0.1/… did not take it"
    assert "hush-hush" not in said + out + err + target_of(template)


@pytest.mark.parametrize(
    "template", ["nonsense", "no-such-scheme://secret", "json://${LENS_NOT_SET}/x", "slack://secret"]
)
def test_a_target_that_cannot_be_one_is_refused_before_it_is_needed(template, tmp_path):
    """The error names the entry and what to do, and not the URL."""
    os.environ.pop("LENS_NOT_SET", None)
    with pytest.raises(InvalidInput, match=r"monitor\.notify") as refused:
        AppriseNotifier([template], tmp_path / "messages.log", 1)
    assert "secret" not in refused.value.message + refused.value.hint
