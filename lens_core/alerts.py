"""Alerts: a table of states, and what one evaluation does to what is watched.

Every accepted event is one ``Change`` with the next number of its alert; a change that is spoken becomes
exactly one message. What people do (acknowledge, silence, resolve) and what windows do go through the same
table. A window that is *insufficient* neither opens, escalates nor resolves: it holds the count of
violations where it is, and lets the count of clean evaluations begin again.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum, StrEnum

from lens_core.errors import Conflict
from lens_core.findings import AlertKind, AlertRule, Finding, Says


class Severity(Enum):
    """How bad it is, in order. Within one alert it never falls."""

    WARNING = 1
    ERROR = 2
    CRITICAL = 3


class AlertState(StrEnum):
    """Where an alert stands. OPEN and ESCALATED wait for a person; RESOLVED is an end."""

    OPEN = "open"
    ESCALATED = "escalated"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    RESOLVED = "resolved"


class AlertEvent(StrEnum):
    """What can happen to an alert. ESCALATE, WAKE and CLEAR come from evaluations, the others from people."""

    ESCALATE = "escalate"
    WAKE = "wake"
    CLEAR = "clear"
    ACKNOWLEDGE = "acknowledge"
    SILENCE = "silence"
    RESOLVE = "resolve"


_NO_WORD = re.compile(r"[^A-Za-z0-9]+")
_ENDS = {AlertEvent.CLEAR: AlertState.RESOLVED, AlertEvent.RESOLVE: AlertState.RESOLVED}
TABLE: Mapping[AlertState, Mapping[AlertEvent, AlertState]] = {
    AlertState.OPEN: {
        AlertEvent.ESCALATE: AlertState.ESCALATED,
        AlertEvent.ACKNOWLEDGE: AlertState.ACKNOWLEDGED,
        AlertEvent.SILENCE: AlertState.SILENCED,
        **_ENDS,
    },
    AlertState.ESCALATED: {
        AlertEvent.ESCALATE: AlertState.ESCALATED,
        AlertEvent.ACKNOWLEDGE: AlertState.ACKNOWLEDGED,
        AlertEvent.SILENCE: AlertState.SILENCED,
        **_ENDS,
    },
    # Somebody knows, so the same severity is not said again; a higher one is.
    AlertState.ACKNOWLEDGED: {
        AlertEvent.ESCALATE: AlertState.ESCALATED,
        AlertEvent.SILENCE: AlertState.SILENCED,
        **_ENDS,
    },
    AlertState.SILENCED: {
        AlertEvent.ESCALATE: AlertState.SILENCED,
        AlertEvent.WAKE: AlertState.OPEN,
        AlertEvent.ACKNOWLEDGE: AlertState.ACKNOWLEDGED,
        AlertEvent.SILENCE: AlertState.SILENCED,
        **_ENDS,
    },
    AlertState.RESOLVED: {},
}
BY_PEOPLE = (AlertEvent.ACKNOWLEDGE, AlertEvent.SILENCE, AlertEvent.RESOLVE)


@dataclass(frozen=True, slots=True)
class Alert:
    """One episode. ``change_count`` is the number of its last change; times in UTC."""

    alert_id: str
    kind: AlertKind
    subject: str
    state: AlertState
    severity: Severity
    opened_at: datetime
    changed_at: datetime
    change_count: int
    reason: str
    worst_ratio: float | None = None
    silenced_until: datetime | None = None
    changed_by: str = ""

    @property
    def is_open(self) -> bool:
        """True until it is resolved."""
        return self.state is not AlertState.RESOLVED


@dataclass(frozen=True, slots=True)
class Watch:
    """What is remembered of one subject between evaluations. ``episodes`` counts its alerts so far.

    ``armed`` says that the subject was clean once: a source that never delivered cannot fall silent.
    """

    kind: AlertKind
    subject: str
    violations: int = 0
    clean: int = 0
    armed: bool = False
    episodes: int = 0
    alert: Alert | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One step of an alert, as it stands after it. ``before`` is None for the first."""

    alert: Alert
    event: str
    before: AlertState | None
    spoken: bool

    @property
    def message_id(self) -> str:
        """Unique for the change, and the same however often it is derived or sent again."""
        return f"{self.alert.alert_id}.{self.alert.change_count}"


@dataclass(frozen=True, slots=True)
class Message:
    """What goes out for a change. ``severity`` is its name in lower case."""

    message_id: str
    title: str
    body: str
    severity: str


def move(alert: Alert, event: AlertEvent) -> AlertState:
    """The state after ``event``; Conflict, and nothing changed, when the table has no such step."""
    after = TABLE[alert.state].get(event)
    if after is None:
        raise Conflict(
            f"alert {alert.alert_id} is {alert.state}: it cannot {event}",
            "`lens alerts list --all` shows how it came there",
            blockers=[f"{alert.alert_id} is {alert.state} since {alert.changed_at:%Y-%m-%d %H:%M:%S} UTC"],
        )
    return after


def _changed(alert: Alert, event: AlertEvent, at: datetime, reason: str, by: str = "") -> Change:
    """Take one step. While an alert is silenced, only people and its waking are heard."""
    after = move(alert, event)
    spoken = event in BY_PEOPLE or event is AlertEvent.WAKE or alert.state is not AlertState.SILENCED
    moved = replace(
        alert, state=after, changed_at=at, change_count=alert.change_count + 1, reason=reason, changed_by=by
    )
    if after is not AlertState.SILENCED:
        moved = replace(moved, silenced_until=None)
    return Change(moved, event.value, alert.state, spoken)


def advance(watch: Watch, finding: Finding, at_s: float, rule: AlertRule) -> tuple[Watch, tuple[Change, ...]]:
    """What one evaluation at ``at_s`` (event time, seconds since 1970) does to a subject."""
    at = datetime.fromtimestamp(at_s, UTC)
    says = finding.says
    watch = replace(watch, armed=watch.armed or says is Says.CLEAN)
    if says is Says.VIOLATED:
        watch = replace(watch, violations=watch.violations + 1, clean=0)
    elif says is Says.INSUFFICIENT:
        watch = replace(watch, clean=0)
    else:
        watch = replace(watch, violations=0, clean=watch.clean + 1 if says is Says.CLEAN else 0)
    if watch.alert and says is Says.VIOLATED and finding.ratio is not None:
        worst = max(finding.ratio, watch.alert.worst_ratio or 0.0)
        watch = replace(watch, alert=replace(watch.alert, worst_ratio=worst))
    change = _by_finding(watch, finding, at, rule)
    changes = () if change is None else (change,)
    if change is not None:
        watch = _standing(watch, change)
    alert = watch.alert
    if alert and alert.state is AlertState.SILENCED and alert.silenced_until and at >= alert.silenced_until:
        woken = _changed(alert, AlertEvent.WAKE, at, f"no longer silenced and still open: {finding.reason}")
        watch, changes = _standing(watch, woken), (*changes, woken)
    return watch, changes


def _standing(watch: Watch, change: Change) -> Watch:
    """The watch after a change; a resolved alert is let go, and the count of violations begins again."""
    episodes = watch.episodes + (change.before is None)
    if change.alert.is_open:
        return replace(watch, alert=change.alert, episodes=episodes)
    return replace(watch, alert=None, violations=0, clean=0)


def _by_finding(watch: Watch, finding: Finding, at: datetime, rule: AlertRule) -> Change | None:
    alert = watch.alert
    if finding.says is Says.VIOLATED:
        severity = _severity(watch, finding, rule)
        if alert is None:
            return _opened(watch, finding, severity, at, rule)
        if severity.value > alert.severity.value:
            return _changed(replace(alert, severity=severity), AlertEvent.ESCALATE, at, finding.reason)
    elif finding.says is Says.CLEAN and alert is not None:
        enough = 1 if finding.kind is AlertKind.SOURCE else rule.resolve_after
        if watch.clean >= enough:
            return _changed(alert, AlertEvent.CLEAR, at, finding.reason)
    return None


def _severity(watch: Watch, finding: Finding, rule: AlertRule) -> Severity:
    if finding.kind is AlertKind.SOURCE:
        return Severity.ERROR
    if watch.violations < rule.escalate_after:
        return Severity.WARNING
    return Severity.CRITICAL if finding.grave else Severity.ERROR


def _opened(watch: Watch, finding: Finding, severity: Severity, at: datetime, rule: AlertRule) -> Change | None:
    if finding.kind is AlertKind.SOURCE and not (watch.armed and watch.violations >= rule.silent_after):
        return None
    slug = _NO_WORD.sub("-", finding.subject).strip("-")
    if finding.kind is AlertKind.SOURCE:
        slug = f"source-{slug}"
    alert = Alert(
        # The time makes it unique among ledgers, the ordinal within one.
        alert_id=f"{slug}.{at:%Y%m%dT%H%M%S}.{watch.episodes + 1}",
        kind=finding.kind,
        subject=finding.subject,
        state=AlertState.OPEN,
        severity=severity,
        opened_at=at,
        changed_at=at,
        change_count=1,
        reason=finding.reason,
        worst_ratio=finding.ratio,
    )
    return Change(alert, "open", None, spoken=True)


def act(
    watch: Watch, event: AlertEvent, at: datetime, by: str, reason: str, until: datetime | None = None
) -> tuple[Watch, Change]:
    """What a person does to the open alert of a subject; Conflict when it cannot be done."""
    alert = watch.alert
    if alert is None or event not in BY_PEOPLE:
        raise Conflict(f"{watch.subject} has no open alert", "`lens alerts list` shows what is open")
    words = reason or alert.reason
    change = _changed(alert, event, at, words, by)
    if event is AlertEvent.SILENCE:
        change = replace(change, alert=replace(change.alert, silenced_until=until))
    return _standing(watch, change), change


def message_of(change: Change) -> Message:
    """The one message of a change; its id is in the text, so that a reader can tell a repeat too."""
    alert = change.alert
    word = {"open": alert.severity.name, "clear": "RESOLVED", "wake": f"STILL {alert.severity.name}"}.get(
        change.event, alert.severity.name if change.event == "escalate" else alert.state.upper()
    )
    by = f" by {alert.changed_by}" if alert.changed_by else ""
    lines = [f"{change.event}{by} at {alert.changed_at:%Y-%m-%d %H:%M:%S} UTC: {alert.reason}"]
    if alert.silenced_until is not None:
        lines.append(f"silenced until {alert.silenced_until:%Y-%m-%d %H:%M:%S} UTC")
    lines.append(f"open since {alert.opened_at:%Y-%m-%d %H:%M:%S} UTC; message {change.message_id}")
    return Message(change.message_id, f"[{word}] {alert.subject}", "\n".join(lines), alert.severity.name.lower())
