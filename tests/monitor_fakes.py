"""Simulators of the live monitor's ports. The real ones keep the same contracts (tests/contract)."""

import functools
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from traffic import RATE_PER_S, SLICES, START_S, TEN_MINUTES, second_of

from lens_core.adapters.sender import drain
from lens_core.alerts import Watch, advance, message_of
from lens_core.errors import Conflict, IntegrityError, InvalidInput
from lens_core.findings import AlertKind, AlertRule, Finding, Says
from lens_core.monitor import Monitor, MonitorRules, MonitorWorld
from lens_core.monitor_ports import Delivery, Reading
from lens_core.panes import Batch, PaneRule
from lens_core.window import WindowRule

WALL = datetime(2026, 12, 1, tzinfo=UTC)


@dataclass
class FakeEventClock:
    """Stands still until it is moved; the monotonic time moves with it, unless only one of them is moved."""

    moment_s: float = WALL.timestamp()
    mono_s: float = 1000.0
    speed: float = 1.0
    is_replay: bool = False

    def now(self):
        """The moment that was set."""
        return datetime.fromtimestamp(self.moment_s, UTC)

    def follow(self, event_time_s):
        """A replay catches up with its events."""
        if self.is_replay:
            self.moment_s = max(self.moment_s, event_time_s)

    def monotonic_s(self):
        """Only forwards."""
        return self.mono_s

    def pass_s(self, seconds):
        """Time goes by."""
        self.moment_s += seconds
        self.mono_s += seconds


@dataclass
class FakeSource:
    """Hands out batches in order; the position is how many it handed out. ``fault`` makes it fail."""

    batches: list = field(default_factory=list)
    name: str = "log"
    fault: str = ""
    place: int = 0
    closed: bool = False

    def resume(self, position, *, from_start):
        """Go to a position, to the start or to the end."""
        self.place = position["place"] if position else 0 if from_start else len(self.batches)

    def read(self):
        """The next batch."""
        if self.fault or self.place >= len(self.batches):
            return Reading(Batch(), {"place": self.place}, at_end=True, fault=self.fault)
        self.place += 1
        return Reading(self.batches[self.place - 1], {"place": self.place}, at_end=self.place == len(self.batches))

    def close(self):
        """Let go."""
        self.closed = True


class FakeAlertLedger:
    """Keeps everything in memory, whole transactions at a time."""

    def __init__(self):
        self.kept_watches, self.kept_alerts, self.kept_changes = {}, {}, {}
        self.outbox, self.kept_panes, self.kept_checkpoint = {}, {}, None

    def advance(self, decide, now, targets, checkpoint=None, panes=None):
        """All or nothing."""
        last = self.kept_checkpoint.serial if self.kept_checkpoint else 0
        if checkpoint is not None and checkpoint.serial == last:
            return ()
        if checkpoint is not None and checkpoint.serial != last + 1:
            raise Conflict("another monitor wrote")
        watches, changes = decide(dict(self.kept_watches))
        if any((c.alert.alert_id, c.alert.change_count) in self.kept_changes for c in changes):
            raise IntegrityError("twice")
        for change in changes:
            self.kept_alerts[change.alert.alert_id] = change.alert
            self.kept_changes[change.alert.alert_id, change.alert.change_count] = (change.event, change.alert)
            if change.spoken:
                message = message_of(change)
                for target in targets:
                    self.outbox[message.message_id, target] = Delivery(
                        message, target, 0, delivered=False, next_attempt_at=now, last_error=""
                    )
        for watch in watches:
            self.kept_watches[watch.kind.value, watch.subject] = watch
            if watch.alert:
                self.kept_alerts[watch.alert.alert_id] = watch.alert
        if panes is not None:
            kept = {k: v for k, v in self.kept_panes.items() if panes.drop_before is None or k[2] >= panes.drop_before}
            self.kept_panes = kept | dict(panes.written)
        self.kept_checkpoint = checkpoint or self.kept_checkpoint
        return tuple(changes)

    def watches(self):
        """As they stand."""
        return dict(self.kept_watches)

    def alerts(self, *, also_resolved=False):
        """Newest first."""
        found = [a for a in self.kept_alerts.values() if also_resolved or a.is_open]
        return tuple(sorted(sorted(found, key=lambda a: a.alert_id), key=lambda a: a.opened_at, reverse=True))

    def changes(self, alert_id):
        """In order."""
        if alert_id not in self.kept_alerts:
            raise InvalidInput(f"there is no alert {alert_id}")
        return tuple(step for (name, _), step in sorted(self.kept_changes.items()) if name == alert_id)

    def checkpoint(self):
        """The last one."""
        return (self.kept_checkpoint, dict(self.kept_panes)) if self.kept_checkpoint else None

    def deliveries(self, *, pending=True):
        """In order."""
        return tuple(d for d in self.outbox.values() if not (pending and d.delivered))

    def begin_delivery(self, message_id, target, now):
        """Count it."""
        found = self._found(message_id, target)
        self.outbox[message_id, target] = replace(found, attempts=found.attempts + 1)

    def end_delivery(self, message_id, target, now, failure="", retry_s=0):
        """Delivered, or later."""
        found = replace(self._found(message_id, target), last_error=failure, delivered=not failure)
        if failure:
            found = replace(found, next_attempt_at=now + timedelta(seconds=retry_s))
        self.outbox[message_id, target] = found

    def _found(self, message_id, target):
        if (message_id, target) not in self.outbox:
            raise InvalidInput(f"there is no message {message_id}")
        return self.outbox[message_id, target]


@dataclass
class FakeNotifier:
    """Remembers what it took; refuses as often as ``refusals`` says."""

    refusals: int = 0
    taken: list = field(default_factory=list)

    def deliver(self, target, message, attempt):
        """Take it, or not."""
        if target not in ("a", "b"):
            return "no such target"
        if self.refusals:
            self.refusals -= 1
            return "refused"
        self.taken.append((target, message.message_id, attempt))
        return ""


@dataclass
class InlineCourier:
    """Delivers at once, in this process."""

    ledger: object
    notifier: FakeNotifier = field(default_factory=FakeNotifier)

    def send_due(self):
        """Drain."""
        drain(self.ledger, self.notifier, lambda: WALL, 1, 60)
        return ""


@dataclass
class FakeBoard:
    """Remembers the newest snapshot."""

    snapshot: object = None

    def publish(self, snapshot):
        """Show it."""
        self.snapshot = snapshot


@dataclass
class FakeListener:
    """Remembers what it heard."""

    snapshots: list = field(default_factory=list)
    changes: list = field(default_factory=list)
    words: list = field(default_factory=list)

    def evaluated(self, snapshot):
        """An evaluation."""
        self.snapshots.append(snapshot)

    def changed(self, change):
        """A change."""
        self.changes.append(change)

    def noticed(self, words):
        """Something else."""
        self.words.append(words)


RULES = MonitorRules(
    window=WindowRule(300, 30, 2.0, 3000, 0.05),
    pane=PaneRule(30, 5, 60),
    alert=AlertRule(2.0, 3.0, 3, 3, 1.9, 4),
    idle_after_s=10,
    clock_jump_s=5,
    poll_s=0.01,
)


@dataclass
class MonitorHouse:
    """A monitor over fakes."""

    monitor: Monitor
    world: MonitorWorld

    def until_end(self):
        """Step until all is read."""
        self.monitor.step()
        while not self.monitor.is_at_end:
            self.monitor.step()


def build_monitor(sources, ledger=None, clock=None, rules=RULES, slices=SLICES):
    """A monitor over fakes that began at the start of its sources; a replay unless a clock is given."""
    ledger = ledger or FakeAlertLedger()
    world = MonitorWorld(
        sources=sources,
        slices=slices,
        ledger=ledger,
        clock=clock or FakeEventClock(moment_s=0, is_replay=True),
        wall=FakeEventClock(),
        courier=InlineCourier(ledger),
        board=FakeBoard(),
        rules=rules if clock else replace(rules, pane=replace(rules.pane, skew_s=float("inf"))),
        targets=("a",),
        listener=FakeListener(),
    )
    monitor = Monitor(world)
    monitor.resume(from_start=True)
    return MonitorHouse(monitor, world)


def batch_of(times, latencies, index=0, **changes):
    """A batch of one slice, without codes unless they are given."""
    count = len(times)
    values = {
        "time_s": np.asarray(times, dtype=float),
        "slice_index": np.full(count, index, dtype=np.int64),
        "latency_ms": np.asarray(latencies, dtype=float),
        "failed": np.zeros(count, dtype=np.int64),
    }
    return Batch(**{**values, **changes})


def joined(batches):
    """One batch of several, lines in their order."""
    parts = {
        name: np.concatenate([getattr(b, name) for b in batches])
        for name in ("time_s", "slice_index", "latency_ms", "failed")
    }
    before = np.cumsum([0, *(b.time_s.size for b in batches)])
    garbled = [b.garbled_at + start for b, start in zip(batches, before[:-1], strict=True)]
    return Batch(**parts, garbled_at=np.concatenate(garbled))


@functools.cache
def seconds_of(count=600, planted=TEN_MINUTES):
    """The recorded traffic, a batch a second, lines in order of time."""
    batches = []
    for second in range(count):
        parts = []
        for index, name in enumerate(SLICES):
            offsets, latencies = second_of(name, second, RATE_PER_S, planted)
            parts.append(batch_of(START_S + second + offsets + index / 1000, latencies, index))
        whole = joined(parts)
        order = np.argsort(whole.time_s, kind="stable")
        batches.append(batch_of(whole.time_s[order], whole.latency_ms[order], slice_index=whole.slice_index[order]))
    return tuple(batches)


def violate(times=1, says=Says.VIOLATED):
    """A decision: slice a is violated so many times in a row."""

    def decide(watches):
        watch, changes = watches.get(("ratio", "a"), Watch(AlertKind.RATIO, "a")), []
        for number in range(times):
            at_s = WALL.timestamp() + 30 * (watch.violations + number)
            watch, made = advance(watch, Finding(AlertKind.RATIO, "a", says, "because", ratio=2.5), at_s, RULES.alert)
            changes += made
        return [watch], changes

    return decide
