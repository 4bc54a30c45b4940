"""Joins adapters to the live monitor: ``open_monitor`` and ``open_desk``. The other half of ``bootstrap``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lens_core.adapters.access_log import AccessLog
from lens_core.adapters.alert_ledger import SqlAlertLedger
from lens_core.adapters.clock import ReplayClock, SystemClock
from lens_core.adapters.lease import FileLease
from lens_core.adapters.log_lines import LineFormat, LineParser
from lens_core.adapters.monitor_http import HealthBoard
from lens_core.adapters.notifier import AppriseNotifier, target_of
from lens_core.adapters.prometheus_source import PrometheusSource, ScrapeFormat
from lens_core.adapters.sender import SenderProcess
from lens_core.alert_desk import AlertDesk
from lens_core.audit_bootstrap import trail_of
from lens_core.catalogue import parse_catalogue
from lens_core.config import MonitorSettings, Settings, load_settings
from lens_core.errors import InvalidInput
from lens_core.findings import AlertRule
from lens_core.monitor import Listener, Monitor, MonitorRules, MonitorWorld
from lens_core.monitor_ports import EventClock, Source
from lens_core.panes import PaneRule
from lens_core.window import WindowRule

_PROJECT = Path(__file__).resolve().parent.parent
_URL = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class OpenMonitor:
    """A monitor that is ready to run, the page that it shows, and the lease that it must hold."""

    monitor: Monitor
    board: HealthBoard
    lease: FileLease
    is_replay: bool


def open_monitor(listener: Listener, sources: Sequence[str] = (), speed: float | None = None) -> OpenMonitor:
    """Join everything that the monitor needs. ``speed`` makes it a replay.

    InvalidInput when a setting, a source or a target cannot be used; Unavailable without the ledger.
    """
    settings = load_settings()
    wanted = settings.monitor
    named = tuple(sources) or wanted.sources
    if not named:
        raise InvalidInput("expected a source, saw none", "name a log or a URL with --source, or in monitor.sources")
    if speed is not None and not 0 < speed < float("inf"):
        raise InvalidInput(f"expected a speed above 0, saw {speed}")
    clock: EventClock = SystemClock() if speed is None else ReplayClock(speed)
    slices = wanted.slices or _catalogue_slices(settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    ledger = SqlAlertLedger(settings.home / "lens.db", trail_of(settings))
    # Finds what is wrong with a target before it is needed.
    notifier = AppriseNotifier(wanted.notify, settings.home / "messages.log", wanted.notify_timeout_s)
    board = HealthBoard(wanted.host, wanted.port, clock.monotonic_s)
    world = MonitorWorld(
        sources=_sources(named, wanted, slices, clock),
        slices=slices,
        ledger=ledger,
        clock=clock,
        wall=SystemClock(),
        courier=SenderProcess(settings.home, settings.config, ledger, wanted.retry_most_s),
        board=board,
        rules=_rules(wanted, is_replay=clock.is_replay),
        targets=notifier.targets,
        listener=listener,
    )
    lease = FileLease(settings.home / "monitor.lock", "a monitor of this home is being run")
    return OpenMonitor(Monitor(world), board, lease, clock.is_replay)


def open_desk() -> AlertDesk:
    """Open the ledger for what people do with alerts."""
    settings = load_settings()
    ledger = SqlAlertLedger(settings.home / "lens.db", trail_of(settings))
    courier = SenderProcess(settings.home, settings.config, ledger, settings.monitor.retry_most_s)
    # Their names only: the secrets in the environment are the monitor's, whoever lists or acknowledges needs none.
    targets = tuple(target_of(template) for template in settings.monitor.notify)
    return AlertDesk(ledger, SystemClock(), courier, targets)


def _catalogue_slices(settings: Settings) -> tuple[str, ...]:
    own = settings.root / "data" / "slices.toml"
    file = own if own.exists() else _PROJECT / "data" / "slices.toml"
    try:
        catalogue = parse_catalogue(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(
            "expected data/slices.toml, saw no such file", "name the slices in monitor.slices, or work in a clone"
        ) from error
    return tuple(str(corpus.slice) for corpus in catalogue.corpora)


def _rules(wanted: MonitorSettings, *, is_replay: bool) -> MonitorRules:
    return MonitorRules(
        window=WindowRule(
            wanted.window_s, wanted.every_s, wanted.ratio_above, wanted.min_samples, wanted.max_bad_share
        ),
        # In a replay the recording is the clock: nothing in it is ahead of time.
        pane=PaneRule(wanted.every_s, wanted.lateness_s, float("inf") if is_replay else wanted.skew_s),
        alert=AlertRule(
            ratio_above=wanted.ratio_above,
            critical_above=wanted.critical_above,
            escalate_after=wanted.escalate_after,
            resolve_after=wanted.resolve_after,
            resolve_below=wanted.ratio_above * wanted.resolve_below_share,
            silent_after=wanted.silent_after,
        ),
        idle_after_s=wanted.idle_after_s,
        clock_jump_s=wanted.clock_jump_s,
        poll_s=wanted.poll_s,
    )


def _sources(
    named: Sequence[str], wanted: MonitorSettings, slices: tuple[str, ...], clock: EventClock
) -> tuple[Source, ...]:
    fields, histogram = wanted.access_log, wanted.prometheus
    parser = LineParser(LineFormat(fields.time, fields.slice, fields.latency_ms, fields.http_code), slices)
    form = ScrapeFormat(
        histogram.metric,
        histogram.unit_ms,
        histogram.slice_label,
        histogram.labels,
        histogram.every_s,
        histogram.timeout_s,
    )
    files = [Path(name).name for name in named if "://" not in name]
    made: list[Source] = []
    for name in named:
        if "://" not in name:
            file = Path(name)
            # Two logs of one name in two folders are told apart by their paths.
            made.append(AccessLog(file, parser, name if files.count(file.name) > 1 else file.name))
            continue
        slice_name, _, url = name.partition("=") if not name.startswith(_URL) else ("", "", name)
        if not url.startswith(_URL):
            raise InvalidInput(f"expected a file, an http URL or slice=URL as a source, saw {name.split('://')[0]}://…")
        if slice_name and slice_name not in slices:
            raise InvalidInput(f"{slice_name} is none of the slices that are watched", f"they are {', '.join(slices)}")
        if clock.is_replay:
            raise InvalidInput("a histogram over HTTP cannot be replayed", "leave out --speed, or name a recorded log")
        made.append(PrometheusSource(url, slice_name, form, slices, clock))
    if len({source.name for source in made}) != len(made):
        raise InvalidInput("one source is named twice", "name each once")
    return tuple(made)
