"""The live monitor's loop: read, sort into panes, evaluate what is due, record it all at once, show it.

Everything is decided in event time, so reading the same lines again after a crash, in whatever portions,
decides the same. What an evaluation changes is recorded in one transaction together with the position that
it was read to: a change is never made twice and never lost.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from typing import Protocol

from lens_core.alerts import Change, Watch, advance
from lens_core.errors import Unavailable
from lens_core.findings import AlertKind, AlertRule, Finding, Says, find_ratio, find_source
from lens_core.monitor_ports import (
    AlertLedger,
    Board,
    Checkpoint,
    Courier,
    EventClock,
    PaneChanges,
    Reading,
    Snapshot,
    Source,
    SourceHealth,
    Watches,
)
from lens_core.panes import Pane, PaneKey, PaneRule, Panes
from lens_core.window import WindowRule, WindowSummary, summarize_windows

_LOOK_AT_LEDGER_S = 0.5
_MANY_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class MonitorRules:
    """Everything that the monitor goes by. ``idle_after_s`` is in real seconds, also in a replay."""

    window: WindowRule
    pane: PaneRule
    alert: AlertRule
    idle_after_s: float
    clock_jump_s: float
    poll_s: float


class Listener(Protocol):
    """Hears of every evaluation and every change, e.g. a terminal."""

    def evaluated(self, snapshot: Snapshot) -> None:
        """An evaluation was recorded."""

    def changed(self, change: Change) -> None:
        """An alert changed, and that is recorded."""

    def noticed(self, words: str) -> None:
        """Something else that a person should know."""


@dataclass(frozen=True, slots=True)
class MonitorWorld:
    """What the monitor stands on. ``wall`` is the machine's clock also when ``clock`` is a replay's."""

    sources: Sequence[Source]
    slices: tuple[str, ...]
    ledger: AlertLedger
    clock: EventClock
    wall: EventClock
    courier: Courier
    board: Board
    rules: MonitorRules
    targets: tuple[str, ...]
    listener: Listener


@dataclass(frozen=True, slots=True)
class _Evaluation:
    tick_s: int
    windows: tuple[WindowSummary, ...]
    findings: tuple[Finding, ...]


class Monitor:
    """One run of the monitor; at most one at a time for a ledger."""

    def __init__(self, world: MonitorWorld) -> None:
        self._world = world
        self._panes = Panes(world.rules.pane, world.slices, tuple(source.name for source in world.sources))
        self._readings: dict[str, Reading] = {}
        self._next_tick_s: int | None = None
        self._empty_ticks = 0
        self._skipped_ticks = 0
        self._owed: list[_Evaluation] = []
        self._last: _Evaluation | None = None
        self._evaluated_mono_s: float | None = None
        self._evaluations = 0
        self._evaluation_ms = 0.0
        self._watches: Watches = {}
        self._undelivered = 0
        self._delivery_fault = ""
        mono_s = world.clock.monotonic_s()
        self._moved_mono_s = {source.name: mono_s for source in world.sources}
        self._looked_mono_s = -math.inf
        self._clock_at = (world.clock.now().timestamp(), mono_s)
        self._clock_is_trusted = True
        self._jump: tuple[str, float] | None = None
        self._ledger_fault = ""
        self._serial = 0

    # --- beginning and end ----------------------------------------------------------------------

    def resume(self, *, from_start: bool) -> None:
        """Go on where the last run's checkpoint is, else begin: at the end of the sources, or at their start."""
        world, names = self._world, {source.name for source in self._world.sources}
        stored = world.ledger.checkpoint()
        positions = {} if stored is None else stored[0].positions
        for source in world.sources:
            source.resume(positions.get(source.name), from_start=from_start)
        if stored is None:
            return
        checkpoint, panes = stored
        self._serial = checkpoint.serial
        for name, tally in checkpoint.totals.items():
            if name in names:
                self._panes.totals[name].update(tally)
        if set(checkpoint.positions) != names or checkpoint.pane_s != world.rules.pane.pane_s:
            # Event time of other sources, or panes of another size: nothing of it can be part of these windows.
            world.listener.noticed("other sources or another evaluation interval than before: windows begin anew")
            return
        self._restore(checkpoint, panes)

    def _restore(self, checkpoint: Checkpoint, panes: Mapping[PaneKey, bytes]) -> None:
        for name, reached_s in checkpoint.watermarks_s.items():
            if reached_s is not None:
                self._panes.watermarks[name] = reached_s
                self._world.clock.follow(reached_s)
        self._panes.held.update((key, Pane.from_bytes(content)) for key, content in panes.items())
        self._next_tick_s = checkpoint.next_tick_s
        self._empty_ticks, self._skipped_ticks = checkpoint.empty_ticks, checkpoint.skipped_ticks

    def run(self, stop: Event, *, until_end: bool = False) -> None:
        """Work until ``stop`` is set, or until every source was read to its end; leave a checkpoint.

        Unavailable when the checkpoint cannot be written at the end; while running, it is tried again.
        """
        try:
            while not stop.is_set():
                busy = self.step()
                if until_end and self.is_at_end:
                    break
                if not busy:
                    stop.wait(self._world.rules.poll_s)
            self._record()
            if self._ledger_fault:
                raise Unavailable(self._ledger_fault, "nothing is lost: the next run reads from the last checkpoint on")
            self._world.courier.send_due()
        finally:
            for source in self._world.sources:
                source.close()

    @property
    def is_at_end(self) -> bool:
        """True when every source says that there is no more to read, and nothing is owed to the ledger."""
        readings = [self._readings.get(source.name) for source in self._world.sources]
        return all(reading is not None and reading.at_end for reading in readings) and not self._owed

    # --- one step -------------------------------------------------------------------------------

    def step(self) -> bool:
        """Read a portion of every source, and do what is due; False when there was nothing to read."""
        self._watch_clock()
        busy = False
        if not self._owed:
            for source in self._world.sources:
                busy |= self._take(source.name, source.read())
            self._evaluate()
        if self._owed:
            self._record()
        self._look_at_ledger()
        self._world.board.publish(self.snapshot())
        return busy

    def _watch_clock(self) -> None:
        """Compare the clock with one that cannot jump; after a jump, only events make it believed again."""
        clock = self._world.clock
        now_s, mono_s = clock.now().timestamp(), clock.monotonic_s()
        before_s, before_mono_s = self._clock_at
        self._clock_at = (now_s, mono_s)
        jump_s = (now_s - before_s) - (mono_s - before_mono_s)
        if clock.is_replay or abs(jump_s) <= self._world.rules.clock_jump_s:
            return
        self._clock_is_trusted = False
        words = f"the clock jumped by {jump_s:+.0f} s"
        self._jump = (words, mono_s + self._world.rules.window.window_s)
        self._world.listener.noticed(words)

    def _take(self, name: str, reading: Reading) -> bool:
        world, panes, batch = self._world, self._panes, reading.batch
        now_s, mono_s = world.clock.now().timestamp(), world.clock.monotonic_s()
        before_s = panes.watermarks[name]
        seen = batch.time_s.size > 0 or batch.garbled_at.size > 0
        if seen or batch.gaps:
            panes.take(name, batch, now_s)
        self._readings[name] = reading
        reached_s = panes.watermarks[name]
        if reached_s > before_s:
            world.clock.follow(reached_s)
            self._clock_is_trusted |= abs(now_s - reached_s) <= world.rules.pane.skew_s
            # Garbage and lines from the future do not count: a source of nothing else would hold event time for ever.
            self._moved_mono_s[name] = mono_s
        idle_s = mono_s - self._moved_mono_s[name]
        if reading.at_end and self._clock_is_trusted and idle_s >= world.rules.idle_after_s and now_s > 0:
            panes.advance_idle(name, now_s - world.rules.idle_after_s * world.clock.speed)
        return seen

    def _evaluate(self) -> None:
        """Evaluate every tick that the watermark has passed, in order."""
        rules, panes = self._world.rules, self._panes
        every_s = rules.window.every_s
        if self._next_tick_s is None and panes.began_s is not None:
            self._next_tick_s = (math.floor(panes.began_s / every_s) + 1) * every_s
        while self._next_tick_s is not None and self._next_tick_s + rules.pane.lateness_s <= panes.watermark_s:
            began_s = self._world.clock.monotonic_s()
            tick_s = self._next_tick_s
            first = panes.first_number
            windows = summarize_windows(panes, tick_s, rules.window)
            findings = [find_ratio(window, rules.alert) for window in windows]
            for name, reading in self._readings.items():
                share, said = rules.window.max_bad_share, reading.fault or "its end was reached"
                findings.append(find_source(panes, name, tick_s, share, said))
            self._owed.append(_Evaluation(tick_s, windows, tuple(findings)))
            self._evaluation_ms = (self._world.clock.monotonic_s() - began_s) * 1000
            self._next_tick_s = tick_s + every_s
            panes.forget_before((self._next_tick_s - rules.window.window_s) // rules.pane.pane_s)
            is_empty = first is None or first * rules.pane.pane_s >= tick_s
            self._empty_ticks = self._empty_ticks + 1 if is_empty else 0
            self._skip_empty()

    def _skip_empty(self) -> None:
        """Leave out ticks over windows that hold nothing, once more of them can change nothing.

        A monitor that was down for a week, or a line from far away, must not cost a thousand evaluations.
        """
        rules = self._world.rules
        if self._next_tick_s is None or self._empty_ticks <= rules.alert.silent_after + rules.alert.resolve_after:
            return
        every_s = rules.window.every_s
        last_s = math.floor((self._panes.watermark_s - rules.pane.lateness_s) / every_s) * every_s
        if (first := self._panes.first_number) is not None:
            last_s = min(last_s, first * rules.pane.pane_s)
        if last_s > self._next_tick_s:
            self._skipped_ticks += (last_s - self._next_tick_s) // every_s
            self._next_tick_s = last_s

    # --- recording and showing ------------------------------------------------------------------

    def _decide(self, watches: Watches) -> tuple[Sequence[Watch], Sequence[Change]]:
        """What the evaluations that are owed do to what is watched. Pure but for what it is given."""
        state = dict(watches)
        changes: list[Change] = []
        for evaluation in self._owed:
            for finding in evaluation.findings:
                key = (finding.kind.value, finding.subject)
                watch = state.get(key, Watch(finding.kind, finding.subject))
                state[key], made = advance(watch, finding, evaluation.tick_s, self._world.rules.alert)
                changes += made
        return [watch for key, watch in state.items() if watches.get(key) != watch], changes

    def _record(self) -> None:
        """Write what is owed with the checkpoint, in one transaction; keep owing it when that fails."""
        world, panes, owed = self._world, self._panes, self._owed
        drop_before = None
        if self._next_tick_s is not None:
            drop_before = (self._next_tick_s - world.rules.window.window_s) // world.rules.pane.pane_s
        written = {key: panes.held[key].to_bytes() for key in panes.touched}
        checkpoint = Checkpoint(
            serial=self._serial + 1,
            pane_s=world.rules.pane.pane_s,
            positions={name: reading.position for name, reading in self._readings.items()},
            watermarks_s={name: s if math.isfinite(s) else None for name, s in panes.watermarks.items()},
            next_tick_s=self._next_tick_s,
            totals=panes.totals,
            empty_ticks=self._empty_ticks,
            skipped_ticks=self._skipped_ticks,
        )
        try:
            changes = world.ledger.advance(
                self._decide, world.wall.now(), world.targets, checkpoint, PaneChanges(written, drop_before)
            )
        except Unavailable as error:
            self._ledger_fault = error.message
            return
        self._ledger_fault = ""
        self._serial += 1
        panes.touched.clear()
        self._owed = []
        self._looked_mono_s = -math.inf
        if owed:
            self._last = owed[-1]
            self._evaluations += len(owed)
            self._evaluated_mono_s = world.clock.monotonic_s()
            self._look_at_ledger()
            world.listener.evaluated(self.snapshot())
        for change in changes:
            world.listener.changed(change)

    def _look_at_ledger(self) -> None:
        """See what people did to alerts and how messages fare, now and then, and have due ones sent."""
        mono_s = self._world.clock.monotonic_s()
        if mono_s - self._looked_mono_s < _LOOK_AT_LEDGER_S:
            return
        self._looked_mono_s = mono_s
        try:
            self._watches = self._world.ledger.watches()
            waiting = self._world.ledger.deliveries()
            self._undelivered = len(waiting)
            refused = next((d.last_error for d in waiting if d.attempts >= _MANY_ATTEMPTS), "")
            self._delivery_fault = self._world.courier.send_due() or refused
        except Unavailable as error:
            self._ledger_fault = error.message

    def snapshot(self) -> Snapshot:
        """All there is to show at this moment."""
        world, last = self._world, self._last
        window = world.rules.window
        faults = [self._ledger_fault] if self._ledger_fault else []
        behind_s = world.clock.now().timestamp() - self._panes.watermark_s
        longest_s = 3 * window.every_s + world.rules.idle_after_s
        if not world.clock.is_replay and last is not None and behind_s > longest_s:
            # What is read may be yesterday's: it says nothing of now.
            faults.append(f"event time is {behind_s:.0f} s behind the clock")
        if self._jump is not None and world.clock.monotonic_s() <= self._jump[1]:
            faults.append(self._jump[0])
        if not self._clock_is_trusted:
            faults.append("no event has confirmed the clock since it jumped")
        alerts = sorted((watch.alert for watch in self._watches.values() if watch.alert), key=lambda a: a.opened_at)
        return Snapshot(
            windows=last.windows if last else (),
            alerts=tuple(alerts),
            sources=tuple(self._source_health(source.name) for source in world.sources),
            faults=tuple(faults),
            evaluated_at=None if last is None else datetime.fromtimestamp(last.tick_s, UTC),
            evaluated_mono_s=self._evaluated_mono_s,
            stale_after_s=3 * window.every_s / world.clock.speed + world.rules.idle_after_s,
            evaluations=self._evaluations,
            skipped_ticks=self._skipped_ticks,
            undelivered=self._undelivered,
            delivery_fault=self._delivery_fault,
            evaluation_ms=self._evaluation_ms,
        )

    def _source_health(self, name: str) -> SourceHealth:
        reading = self._readings.get(name)
        fault = "" if reading is None else reading.fault
        watch = self._watches.get((AlertKind.SOURCE.value, name))
        after = self._world.rules.alert.silent_after
        if not fault and watch and watch.armed and watch.violations >= after and self._last:
            finding = next((f for f in self._last.findings if f.subject == name), None)
            fault = f"{name}: {finding.reason}" if finding and finding.says is Says.VIOLATED else ""
        reached_s = self._panes.watermarks[name]
        return SourceHealth(
            name=name,
            fault=fault,
            at_end=reading is not None and reading.at_end,
            watermark_s=reached_s if math.isfinite(reached_s) else None,
            totals=dict(self._panes.totals[name]),
        )
