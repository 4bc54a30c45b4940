"""The monitor's loop over fakes: ten recorded minutes, crashes at every write, silence, clocks that jump."""

from dataclasses import replace

import numpy as np
import pytest
from monitor_fakes import (
    RULES,
    FakeAlertLedger,
    FakeEventClock,
    FakeSource,
    batch_of,
    build_monitor,
    joined,
    seconds_of,
)
from traffic import PLANTED_CHANGES, RATE_PER_S, SLICES, START_S

from lens_core.errors import Conflict, Unavailable
from lens_core.monitor_view import health_of
from lens_core.panes import Batch


def heard(ledger):
    """(event, severity, seconds after the start) of every change, by subject."""
    found = {}
    for alert in ledger.alerts(also_resolved=True):
        for event, step in ledger.changes(alert.alert_id):
            at = round(step.changed_at.timestamp() - START_S)
            found.setdefault(alert.subject, []).append((event, step.severity.name, at))
    return {subject: sorted(steps, key=lambda s: s[2]) for subject, steps in found.items()}


def expected_ids(house):
    """The ids of all messages that were taken, in order."""
    return [message_id for _, message_id, _ in house.world.courier.notifier.taken]


def test_ten_minutes_make_exactly_the_planted_changes():
    """One slice is warned of, one escalates to an error, one to critical; all resolve, and nobody else speaks."""
    house = build_monitor([FakeSource(list(seconds_of()))])
    house.until_end()
    assert heard(house.world.ledger) == PLANTED_CHANGES
    assert len(expected_ids(house)) == len(set(expected_ids(house))) == 8


class Crash(BaseException):
    """The process is gone."""


class CrashingLedger:
    """Dies at its ``n``-th writing of a checkpoint, before or after it is on the disk."""

    def __init__(self, ledger, at, *, after):
        self.ledger, self.at, self.after, self.count = ledger, at, after, 0

    def __getattr__(self, name):
        return getattr(self.ledger, name)

    def advance(self, *arguments, **options):
        """Die, or do it."""
        self.count += 1
        if self.count == self.at and not self.after:
            raise Crash
        done = self.ledger.advance(*arguments, **options)
        if self.count == self.at:
            raise Crash
        return done


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after it"])
@pytest.mark.parametrize("at", range(1, 20))
def test_a_crash_at_any_write_changes_nothing_of_what_is_said(at, after):
    """Ended before or after any of its writes and started again, the monitor says the same, once."""
    ledger = FakeAlertLedger()
    batches = [joined(seconds_of()[start : start + 7]) for start in range(0, 600, 7)]
    house = build_monitor([FakeSource(batches)], CrashingLedger(ledger, at, after=after))
    with pytest.raises(Crash):
        house.until_end()
    again = build_monitor([FakeSource(batches)], ledger)
    again.until_end()
    assert heard(ledger) == PLANTED_CHANGES
    said = expected_ids(house) + expected_ids(again)
    assert len(said) == len(set(said)) == 8


def test_dying_again_and_again_changes_nothing_of_what_is_said():
    """A monitor that dies at every second write still says everything once."""
    ledger, said = FakeAlertLedger(), []
    for _ in range(100):
        house = build_monitor([FakeSource(list(seconds_of()))], CrashingLedger(ledger, 2, after=len(said) % 2 == 0))
        try:
            house.until_end()
        except Crash:
            said += expected_ids(house)
            continue
        said += expected_ids(house)
        break
    assert heard(ledger) == PLANTED_CHANGES
    assert len(said) == len(set(said)) == 8


class FailingLedger(CrashingLedger):
    """Says at its ``n``-th writing that it failed, although it may have succeeded."""

    def advance(self, *arguments, **options):
        """Fail, or do it."""
        try:
            return super().advance(*arguments, **options)
        except Crash:
            raise Unavailable("the disk is full") from None


@pytest.mark.parametrize("after", [False, True], ids=["not written", "written after all"])
def test_a_ledger_that_fails_is_owed_and_said(after):
    """What could not be recorded is recorded later, once, and until then the state is not ok."""
    ledger = FailingLedger(FakeAlertLedger(), 5, after=after)
    batches = [joined(seconds_of()[start : start + 30]) for start in range(0, 600, 30)]
    house = build_monitor([FakeSource(batches)], ledger)
    while ledger.count < 5:
        house.monitor.step()
    assert "the disk is full" in health_of(house.world.board.snapshot, 1000.0)["reasons"]
    house.until_end()
    assert heard(ledger) == PLANTED_CHANGES
    assert "the disk is full" not in health_of(house.world.board.snapshot, 1000.0)["reasons"]


def test_two_monitors_cannot_write_to_one_ledger():
    """The second of two that began at the same checkpoint is refused, whatever it saw."""
    ledger = FakeAlertLedger()
    first = build_monitor([FakeSource(list(seconds_of()[:100]))], ledger)
    second = build_monitor([FakeSource(list(seconds_of()[:100]))], ledger)
    first.until_end()
    with pytest.raises(Conflict):
        second.until_end()


def test_health_is_ok_only_while_every_slice_has_enough_and_nothing_is_open():
    """Before the first evaluation, with few samples, and with an open alert it is something else."""
    source = FakeSource(list(seconds_of(planted=())))
    house = build_monitor([source])
    assert health_of(house.monitor.snapshot(), 1000.0)["state"] == "insufficient"
    states = []
    while source.place < 400:
        house.monitor.step()
        states.append(health_of(house.world.board.snapshot, 1000.0)["state"])
    assert set(states[:125]) == {"insufficient"}
    assert set(states[126:]) == {"ok"}


def test_an_open_alert_degrades_and_names_the_violation():
    """/health names slice, ratio, severity and since when."""
    house = build_monitor([FakeSource(list(seconds_of()[:220]))])
    house.until_end()
    health = health_of(house.world.board.snapshot, 1000.0)
    assert health["state"] == "degraded"
    assert [(v["slice"], v["severity"], v["since"]) for v in health["violations"]] == [
        (SLICES[1], "error", "2026-12-01T00:02:30+00:00"),
        (SLICES[2], "critical", "2026-12-01T00:02:00+00:00"),
    ]
    assert all(v["ratio"] > 2 for v in health["violations"])


def live(batches, **changes):
    """A monitor on a clock that stands at the start of the recording."""
    clock = FakeEventClock(moment_s=START_S, **changes)
    return build_monitor([FakeSource(batches)], clock=clock), clock


def play_live(house, clock, batches):
    """Let a second pass for each batch."""
    for batch in batches:
        house.world.sources[0].batches.append(batch)
        clock.pass_s(1)
        house.monitor.step()


def state_of(house, clock):
    """What /health says now."""
    return health_of(house.world.board.snapshot, clock.mono_s)


def test_silence_is_never_healthy_and_is_one_alert():
    """A source that stops turns the state away from ok, opens one alert, and resolves when data is back."""
    house, clock = live([])
    play_live(house, clock, seconds_of(planted=())[:200])
    assert state_of(house, clock)["state"] == "ok"
    for _ in range(400):
        clock.pass_s(1)
        house.monitor.step()
    assert state_of(house, clock)["state"] == "degraded"
    assert "log: no sample in 30 s" in " ".join(state_of(house, clock)["reasons"])
    assert heard(house.world.ledger) == {"log": [("open", "ERROR", 330)]}
    later = [replace(b, time_s=b.time_s + 400) for b in seconds_of(planted=())[200:500]]
    play_live(house, clock, later)
    assert heard(house.world.ledger)["log"][1][0] == "clear"
    assert state_of(house, clock)["state"] == "ok"


def test_a_monitor_that_never_saw_data_says_insufficient_and_sends_nothing():
    """Without a first line there is no health and no alert, however long it lasts."""
    house, clock = live([])
    for _ in range(600):
        clock.pass_s(1)
        house.monitor.step()
    assert state_of(house, clock)["state"] == "insufficient"
    assert expected_ids(house) == []


def test_a_source_that_fails_degrades_at_once():
    """What the source says of itself stands in the state before any evaluation notices."""
    house, clock = live([])
    play_live(house, clock, seconds_of(planted=())[:200])
    house.world.sources[0].fault = "access.log is missing"
    clock.pass_s(1)
    house.monitor.step()
    assert (state_of(house, clock)["state"], state_of(house, clock)["reasons"]) == (
        "degraded",
        ["access.log is missing"],
    )


def test_a_hanging_monitor_is_stale():
    """The page says stale by a clock of its own, although nobody has published anything new."""
    house, clock = live([])
    play_live(house, clock, seconds_of(planted=())[:200])
    assert health_of(house.world.board.snapshot, clock.mono_s + 60)["state"] == "ok"
    stale = health_of(house.world.board.snapshot, clock.mono_s + 130)
    assert stale["state"] == "insufficient"
    assert "stale" in stale["reasons"][0]
    assert health_of(house.world.board.snapshot, float("nan"))["state"] == "insufficient"


def test_garbage_is_never_healthy():
    """When lines turn into garbage, the state says how many, and one alert opens for the source."""
    house, clock = live([])
    play_live(house, clock, seconds_of(planted=())[:200])
    garbage = Batch(garbled_at=np.zeros(100, dtype=np.int64))
    tick = [replace(b, garbled_at=np.zeros(100, dtype=np.int64)) for b in seconds_of(planted=())[200:400]]
    play_live(house, clock, [garbage, *tick])
    assert "could not be read" in " ".join(state_of(house, clock)["reasons"])
    assert state_of(house, clock)["state"] == "degraded"
    assert [step[0] for step in heard(house.world.ledger)["log"]] == ["open"]


@pytest.mark.parametrize(
    "useless",
    [Batch(garbled_at=np.zeros(100, dtype=np.int64)), batch_of([START_S + 90_000.0] * 100, [1.0] * 100)],
    ids=["garbage", "lines from the future"],
)
def test_a_source_of_nothing_but_useless_lines_is_evaluated_and_never_healthy(useless):
    """Lines that carry no believable time do not stop evaluation: the windows run out, and the state says so."""
    house, clock = live([])
    play_live(house, clock, seconds_of(planted=())[:200])
    before = len(house.world.listener.snapshots)
    play_live(house, clock, [useless] * 400)
    assert len(house.world.listener.snapshots) >= before + 10
    assert state_of(house, clock)["state"] != "ok"
    assert all(window["samples"] == 0 for window in state_of(house, clock)["slices"])
    opened = [step[0] for step in heard(house.world.ledger).get("log", [])]
    assert opened == (["open"] if useless.garbled_at.size else [])


@pytest.mark.parametrize("jump_s", [3600, -3600])
def test_a_jump_of_the_clock_is_said_and_makes_nothing_healthy(jump_s):
    """The state names the jump; samples that the jump makes late or early are counted, and no tick comes twice."""
    house, clock = live([])
    play_live(house, clock, seconds_of(planted=())[:200])
    clock.moment_s += jump_s
    states = []
    for batch in seconds_of(planted=())[200:500]:
        play_live(house, clock, [replace(batch, time_s=batch.time_s + jump_s)])
        states.append(state_of(house, clock)["state"])
    assert "ok" not in states
    assert f"the clock jumped by {jump_s:+d} s" in house.world.listener.words
    ticks = [s.evaluated_at for s in house.world.listener.snapshots]
    assert ticks == sorted(set(ticks))
    if jump_s < 0:
        assert house.monitor.snapshot().sources[0].totals["late"] > 0


def test_after_a_jump_only_events_make_the_clock_believed():
    """A clock that jumped forwards over a silent source drags no event time along, so nothing that follows is late."""
    house, clock = live([])
    play_live(house, clock, seconds_of(planted=())[:200])
    clock.moment_s += 3600
    for _ in range(60):
        clock.pass_s(1)
        house.monitor.step()
    clock.moment_s -= 3600
    play_live(house, clock, [replace(b, time_s=b.time_s + 60) for b in seconds_of(planted=())[200:260]])
    assert house.monitor.snapshot().sources[0].totals.get("late", 0) == 0


def test_a_long_absence_costs_few_evaluations_and_says_how_many_it_left_out():
    """Empty windows of a month are not evaluated one by one; what was open is still open, and the count is told."""
    month_s = 30 * 86_400
    later = [replace(b, time_s=b.time_s + month_s) for b in seconds_of(planted=())[:400]]
    house = build_monitor([FakeSource([*seconds_of()[:220], *later])])
    house.until_end()
    snapshot = house.monitor.snapshot()
    assert snapshot.evaluations < 60
    assert snapshot.skipped_ticks > month_s // 30 - 60
    steps = heard(house.world.ledger)
    assert steps[SLICES[2]][-1][0] == "clear"
    assert steps["log"][0][0] == "open"


def test_after_a_restart_the_backlog_is_read_before_the_clock_counts():
    """Lines of the time in which the monitor was down are evaluated at their own time, not taken for late."""
    ledger = FakeAlertLedger()
    clock = FakeEventClock(moment_s=START_S + 100)
    build_monitor([FakeSource(list(seconds_of()[:100]))], ledger, clock).until_end()
    clock.pass_s(1000)
    house = build_monitor([FakeSource(list(seconds_of()))], ledger, clock)
    house.until_end()
    assert heard(ledger) == PLANTED_CHANGES
    assert house.monitor.snapshot().sources[0].totals.get("late", 0) == 0


def test_other_sources_begin_other_windows():
    """Panes of another source are not mixed into the windows of this one; open alerts stay open."""
    ledger = FakeAlertLedger()
    build_monitor([FakeSource(list(seconds_of()[:220]))], ledger).until_end()
    house = build_monitor([FakeSource(list(seconds_of(planted=())[:60]), name="other")], ledger)
    house.until_end()
    assert house.monitor.snapshot().windows[0].sample_count <= 60 * RATE_PER_S
    assert len(ledger.alerts()) == 2
    assert "windows begin anew" in house.world.listener.words[0]


def test_the_checkpoint_is_written_at_the_end_of_a_run(tmp_path):
    """A run that was asked to stop leaves its position, so the next one reads nothing twice and misses nothing."""
    ledger = FakeAlertLedger()
    house = build_monitor([FakeSource(list(seconds_of()[:17]))], ledger)
    house.monitor.run(StopAtEnd(house), until_end=True)
    assert ledger.kept_checkpoint.positions == {"log": {"place": 17}}
    assert house.world.sources[0].closed
    again = build_monitor([FakeSource(list(seconds_of()))], ledger)
    again.until_end()
    assert heard(ledger) == PLANTED_CHANGES
    assert again.monitor.snapshot().sources[0].totals["taken"] == 600 * RATE_PER_S * len(SLICES)


class StopAtEnd:
    """An event that nobody sets and nobody waits for."""

    def __init__(self, house):
        self.house = house

    def is_set(self):
        """Never."""
        return False

    def wait(self, _seconds):
        """Not for long."""
        return False


def test_a_failing_target_is_tried_again_in_order():
    """No message overtakes one that its target has not taken; all arrive, none twice."""
    house = build_monitor([FakeSource(list(seconds_of()))])
    house.world.courier.notifier.refusals = 1
    house.until_end()
    assert expected_ids(house) == []  # the clock of the courier stands still, so its wait is not over
    assert [d.attempts for d in house.world.ledger.deliveries()] == [1] + [0] * 7


def test_rules_are_what_the_tests_take_them_for():
    """The fakes' rules are those of the specification."""
    assert (RULES.window.window_s, RULES.window.every_s, RULES.alert.escalate_after) == (300, 30, 3)


def test_yesterdays_file_is_never_todays_health():
    """Traffic that is far behind the clock is evaluated, and the state says that it tells nothing of now."""
    clock = FakeEventClock(moment_s=START_S + 86_400)
    house = build_monitor([FakeSource(list(seconds_of(planted=())[:400]))], clock=clock)
    house.until_end()
    health = state_of(house, clock)
    assert health["state"] == "insufficient"
    assert "behind the clock" in health["reasons"][0]


def test_messages_that_nobody_takes_degrade_the_state():
    """An alert that cannot be delivered is a fault of its own: it stands in /health."""
    house = build_monitor([FakeSource(list(seconds_of()[:130]))])
    house.world.courier.send_due = lambda: "the sender ended with code 2"
    house.until_end()
    assert "messages are not delivered: the sender ended with code 2" in state_of(house, house.world.clock)["reasons"]


def test_a_checkpoint_that_cannot_be_written_at_the_end_is_an_error():
    """Whoever ends the monitor hears that its last position is not recorded, and its sources are closed."""
    house = build_monitor([FakeSource(list(seconds_of()[:5]))], FailingLedger(FakeAlertLedger(), 1, after=False))
    with pytest.raises(Unavailable, match="the disk is full"):
        house.monitor.run(StopAtEnd(house), until_end=True)
    assert house.world.sources[0].closed
