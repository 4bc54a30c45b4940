"""What the live monitor asks of the world, as Protocols, and the values that cross these borders."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from lens_core.alerts import Alert, Change, Message, Watch
from lens_core.panes import Batch, PaneKey, Tally
from lens_core.window import WindowSummary

Position = Mapping[str, Any]
"""Where a source was read to, as plain JSON; only the source itself knows what it means."""


class EventClock(Protocol):
    """The time of day, and a time that only goes forwards."""

    @property
    def speed(self) -> float:
        """Seconds of event time in a second; 1 but for a replay."""

    @property
    def is_replay(self) -> bool:
        """True where the recording is the clock: nothing in it is ahead of time."""

    def now(self) -> datetime:
        """The present moment in UTC; in a replay, in the recording's time."""

    def follow(self, event_time_s: float) -> None:
        """Know of an event at this time. A replay's clock begins there, and is never behind it."""

    def monotonic_s(self) -> float:
        """Seconds since some moment; no jump of the time of day moves it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one look at a source gave.

    ``position`` is where it continues after this batch. ``at_end`` says that there was no more to read.
    ``fault`` says in words why there is nothing (missing, refused, failing); empty when all is well.
    """

    batch: Batch
    position: Position
    at_end: bool
    fault: str = ""


class Source(Protocol):
    """Something that latencies are read from, portion by portion, from any position that it gave out."""

    @property
    def name(self) -> str:
        """What it is called in states, metrics and alerts."""

    def resume(self, position: Position | None, *, from_start: bool) -> None:
        """Continue at ``position``; without one, at the end of what is there, or with ``from_start`` at its start."""

    def read(self) -> Reading:
        """The next portion, in bounded time and memory. What goes wrong is said in the reading, not raised."""

    def close(self) -> None:
        """Let go of files and connections."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything that the monitor needs to go on as if it had never stopped, but the panes.

    Times in seconds since 1970. ``next_tick_s`` is None before the first sample. ``empty_ticks`` counts
    evaluations in a row over windows that held nothing; ``skipped_ticks`` those that were left out since.
    ``serial`` counts checkpoints: the next one must follow the last, or somebody else wrote.
    """

    serial: int
    pane_s: int
    positions: Mapping[str, Position]
    watermarks_s: Mapping[str, float | None]
    next_tick_s: int | None
    totals: Mapping[str, Tally]
    empty_ticks: int = 0
    skipped_ticks: int = 0


@dataclass(frozen=True, slots=True)
class PaneChanges:
    """Panes to be written, as bytes, and the number below which all are dropped."""

    written: Mapping[PaneKey, bytes]
    drop_before: int | None


Watches = Mapping[tuple[str, str], Watch]
"""By kind and subject."""
Decide = Callable[[Watches], tuple[Sequence[Watch], Sequence[Change]]]
"""From what is watched to what has changed of it. Pure: it may be asked again."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one target. ``attempts`` counts the ones that began before this one."""

    message: Message
    target: str
    attempts: int
    delivered: bool
    next_attempt_at: datetime
    last_error: str


class AlertLedger(Protocol):
    """What is remembered of alerts, messages and the monitor. Every method is one short transaction."""

    def advance(
        self,
        decide: Decide,
        now: datetime,
        targets: Sequence[str],
        checkpoint: Checkpoint | None = None,
        panes: PaneChanges | None = None,
    ) -> tuple[Change, ...]:
        """Decide on the watches as they stand, and record what comes of it, all or nothing.

        That is the changes, a message for each that is spoken and each of ``targets``, and the checkpoint. A
        checkpoint that is there already decides nothing again. Conflict for one that does not follow the last,
        IntegrityError for a change that is there.
        """

    def watches(self) -> Watches:
        """Everything that is watched."""

    def alerts(self, *, also_resolved: bool = False) -> tuple[Alert, ...]:
        """Newest first."""

    def changes(self, alert_id: str) -> tuple[tuple[str, Alert], ...]:
        """Event and state after it of every change of an alert, in order."""

    def checkpoint(self) -> tuple[Checkpoint, Mapping[PaneKey, bytes]] | None:
        """What the last ``advance`` with a checkpoint left; None before the first."""

    def deliveries(self, *, pending: bool = True) -> tuple[Delivery, ...]:
        """In the order in which they are to go out; only those not delivered, unless asked."""

    def begin_delivery(self, message_id: str, target: str, now: datetime) -> None:
        """Record that an attempt begins."""

    def end_delivery(self, message_id: str, target: str, now: datetime, failure: str = "", retry_s: float = 0) -> None:
        """Record that it was delivered, or why not and in how many seconds it is tried again."""


class Notifier(Protocol):
    """Carries one message to one target."""

    def deliver(self, target: str, message: Message, attempt: int) -> str:
        """Empty when the target took it, else why not (without secrets). A second attempt says that it is one."""


class Courier(Protocol):
    """Sees to it that messages go out, in a process that outlives this one."""

    def send_due(self) -> str:
        """Start sending when something is due and nobody is sending; in words what hinders it, else empty."""


class MonitorLease(Protocol):
    """One monitor at a time."""

    def hold(self) -> AbstractContextManager[None]:
        """Hold the lease; Conflict when another living process holds it."""


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """One source as it stands. ``fault`` is empty when all is well; totals count since the first start."""

    name: str
    fault: str
    at_end: bool
    watermark_s: float | None
    totals: Tally


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that /health and /metrics tell, at one moment.

    ``evaluated_mono_s`` is the monotonic moment of the last evaluation, None before the first;
    ``stale_after_s`` how long after it (in real seconds) the snapshot is no longer believed.
    """

    windows: tuple[WindowSummary, ...] = ()
    alerts: tuple[Alert, ...] = ()
    sources: tuple[SourceHealth, ...] = ()
    faults: tuple[str, ...] = ()
    evaluated_at: datetime | None = None
    evaluated_mono_s: float | None = None
    stale_after_s: float = 0.0
    evaluations: int = 0
    skipped_ticks: int = 0
    undelivered: int = 0
    delivery_fault: str = ""
    evaluation_ms: float = 0.0


class Board(Protocol):
    """Shows the newest snapshot to whoever asks."""

    def publish(self, snapshot: Snapshot) -> None:
        """Show this one from now on."""
