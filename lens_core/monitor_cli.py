"""``lens monitor`` and ``lens alerts``: a face over ``Monitor`` and ``AlertDesk``."""

import getpass
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Annotated, Any

import typer
from rich.table import Table

from lens_core import terminal
from lens_core.alerts import Alert, Change, message_of
from lens_core.errors import InvalidInput
from lens_core.monitor_bootstrap import open_desk, open_monitor
from lens_core.monitor_ports import Snapshot
from lens_core.monitor_view import health_of, progress_line

_NOT_WELL = 1
_SIGNS = {"WARNING": "yellow", "ERROR": "magenta", "CRITICAL": "bold red"}

alerts_app = typer.Typer(no_args_is_help=True, help="The live monitor's alerts: list, acknowledge, silence, resolve.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
AlertRef = Annotated[str, typer.Argument(metavar="ALERT", help="An alert's id, or a beginning that only it has.")]
By = Annotated[str, typer.Option(help="Who does it. Default: the name that you are logged in with.")]
Reason = Annotated[str, typer.Option(help="Why: it goes into the message and stays with the alert.")]


class _Terminal:
    """A line an evaluation and a line a change, or JSON for both."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def _say(self, words: str, **document: Any) -> None:
        typer.echo(json.dumps(document, ensure_ascii=False) if self._as_json else words)
        sys.stdout.flush()

    def evaluated(self, snapshot: Snapshot) -> None:
        """How everything stands after an evaluation."""
        self._say(progress_line(snapshot), evaluation=health_of(snapshot, snapshot.evaluated_mono_s or 0.0))

    def changed(self, change: Change) -> None:
        """What an alert did."""
        message = message_of(change)
        quiet = "" if change.spoken else "  (silenced: nothing was sent)"
        self._say(
            f"! {message.title}  {message.body.splitlines()[0]}{quiet}",
            change={"message_id": message.message_id, "event": change.event, "spoken": change.spoken}
            | _alert_record(change.alert),
        )

    def noticed(self, words: str) -> None:
        """Something else."""
        self._say(f"- {words}", notice=words)


@contextmanager
def _stopped_by_signals() -> Iterator[Event]:
    """An event that Ctrl-C and SIGTERM set: the step at hand is finished and the checkpoint written."""
    stop = Event()
    before = {
        number: signal.signal(number, lambda _number, _frame: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def monitor(
    *,
    source: Annotated[
        list[str] | None, typer.Option(help="An access log, a URL of metrics, or slice=URL. Again for more.")
    ] = None,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="At the first start, read the log from its beginning.")
    ] = False,
    speed: Annotated[
        float | None, typer.Option(help="A replay: the log is a recording, or is written this many times faster.")
    ] = None,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="End once all was read; exit code 1 unless the state is ok then.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Watch live traffic: windows by slice, alerts that escalate and resolve, /health and /metrics on port 3000."""
    listener = _Terminal(as_json=as_json)
    opened = open_monitor(listener, tuple(source or ()), speed)
    with _stopped_by_signals() as stop, opened.lease.hold(), opened.board.serving() as port:
        opened.monitor.resume(from_start=from_start or opened.is_replay)
        listener.noticed(f"watching; /health and /metrics on port {port}, Ctrl-C ends it")
        opened.monitor.run(stop, until_end=until_end)
    if until_end and not stop.is_set() and opened.board.health()["state"] != "ok":
        raise typer.Exit(_NOT_WELL)


@alerts_app.command("list")
def alerts_list(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also what is resolved, with every change.")] = False,
    as_json: Json = False,
) -> None:
    """List the open alerts, newest first, and how many messages wait to be delivered."""
    desk = open_desk()
    found = desk.alerts(also_resolved=everything)
    waiting = desk.undelivered()
    if as_json:
        records = [
            _alert_record(alert)
            | ({"changes": [_step(*step) for step in desk.history(alert.alert_id)]} if everything else {})
            for alert in found
        ]
        typer.echo(json.dumps({"alerts": records, "undelivered_messages": waiting}, indent=1, ensure_ascii=False))
        return
    if not found:
        typer.echo("no alerts" if everything else "no open alert")
    else:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for heading in ("alert", "state", "severity", "since (UTC)", "why"):
            table.add_column(heading, overflow="fold")
        for alert in found:
            style = _SIGNS[alert.severity.name] if alert.is_open else "dim"
            since = f"{alert.opened_at:%Y-%m-%d %H:%M:%S}"
            table.add_row(
                alert.alert_id, alert.state.value, alert.severity.name.lower(), since, alert.reason, style=style
            )
        terminal.console().print(table, markup=False)
    if waiting:
        typer.echo(f"{waiting} messages wait to be delivered")


@alerts_app.command("ack")
def alerts_ack(ref: AlertRef, *, by: By = "", reason: Reason = "", as_json: Json = False) -> None:
    """Acknowledge: the same severity is not said again, a higher one is."""
    _told(open_desk().acknowledge(ref, by or getpass.getuser(), reason), as_json=as_json)


@alerts_app.command("silence")
def alerts_silence(
    ref: AlertRef,
    *,
    minutes: Annotated[float, typer.Option(help="For how long.")] = 60.0,
    by: By = "",
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Silence for a while: changes are recorded and not sent; at its end it speaks if it is still open."""
    _told(open_desk().silence(ref, by or getpass.getuser(), reason, minutes), as_json=as_json)


@alerts_app.command("resolve")
def alerts_resolve(ref: AlertRef, *, by: By = "", reason: Reason = "", as_json: Json = False) -> None:
    """Resolve by hand, with a reason. If it is violated again, another alert opens."""
    if not reason.strip():
        raise InvalidInput("expected a reason, saw none", "say with --reason why it is over")
    _told(open_desk().resolve(ref, by or getpass.getuser(), reason), as_json=as_json)


def _told(change: Change, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_alert_record(change.alert), ensure_ascii=False))
    else:
        message = message_of(change)
        typer.echo(f"{message.title}  {message.body.splitlines()[0]}")


def _alert_record(alert: Alert) -> dict[str, Any]:
    until = alert.silenced_until
    return {
        "alert": alert.alert_id,
        "kind": alert.kind.value,
        "subject": alert.subject,
        "state": alert.state.value,
        "severity": alert.severity.name.lower(),
        "opened_at": alert.opened_at.isoformat(),
        "changed_at": alert.changed_at.isoformat(),
        "silenced_until": until.isoformat() if until else None,
        "worst_ratio": alert.worst_ratio,
        "by": alert.changed_by,
        "reason": alert.reason,
    }


def _step(event: str, alert: Alert) -> dict[str, Any]:
    return {
        "event": event,
        "state": alert.state.value,
        "severity": alert.severity.name.lower(),
        "at": alert.changed_at.isoformat(),
        "by": alert.changed_by,
        "reason": alert.reason,
    }
