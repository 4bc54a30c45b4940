"""A snapshot → what /health says and what a terminal shows."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from lens_core.alerts import Alert
from lens_core.monitor_ports import Snapshot
from lens_core.window import WindowState, WindowSummary


def health_of(seen: Snapshot, now_mono_s: float) -> dict[str, Any]:
    """``ok`` only with enough evidence for every slice and nothing open; ``degraded`` outweighs ``insufficient``."""
    bad = [f"{alert.subject}: {alert.state} {alert.severity.name.lower()}" for alert in seen.alerts]
    bad += [f"{window.slice}: {window.ratio:.2f}" for window in seen.windows if window.state is WindowState.VIOLATED]
    bad += [source.fault for source in seen.sources if source.fault]
    bad += [f"messages are not delivered: {seen.delivery_fault}"] if seen.delivery_fault else []
    unsure = list(seen.faults)
    if seen.evaluated_mono_s is None:
        unsure.append("nothing was evaluated yet")
    elif not now_mono_s - seen.evaluated_mono_s <= seen.stale_after_s:
        unsure.append(f"stale: the last evaluation was {now_mono_s - seen.evaluated_mono_s:.0f} s ago")
    thin = [window for window in seen.windows if window.state is WindowState.INSUFFICIENT]
    unsure += [f"{window.slice}: {'; '.join(window.reasons)}" for window in thin]
    state = "degraded" if bad else "insufficient" if unsure or not seen.windows else "ok"
    return {
        "state": state,
        "reasons": [*bad, *unsure],
        "violations": [_violation(window, seen.alerts) for window in seen.windows if _concerns(window, seen.alerts)],
        "alerts": [_alert(alert) for alert in seen.alerts],
        "slices": [_window(window) for window in seen.windows],
        "sources": [
            {
                "name": source.name,
                "state": source.fault or ("read to its end" if source.at_end else "being read"),
                "event_time": _moment(source.watermark_s),
                **{name: source.totals.get(name, 0) for name in ("taken", "late", "skewed", "garbled", "unknown")},
            }
            for source in seen.sources
        ],
        "evaluated_at": seen.evaluated_at.isoformat() if seen.evaluated_at else None,
        "evaluations": seen.evaluations,
        "skipped_ticks": seen.skipped_ticks,
        "undelivered_messages": seen.undelivered,
    }


def _of(window: WindowSummary, alerts: Sequence[Alert]) -> Alert | None:
    return next((alert for alert in alerts if alert.subject == window.slice), None)


def _concerns(window: WindowSummary, alerts: Sequence[Alert]) -> bool:
    return window.state is WindowState.VIOLATED or _of(window, alerts) is not None


def _violation(window: WindowSummary, alerts: Sequence[Alert]) -> dict[str, Any]:
    alert = _of(window, alerts)
    return {
        "slice": window.slice,
        "ratio": window.ratio,
        "ratio_interval_95": [window.ratio_low, window.ratio_high],
        "samples": window.sample_count,
        "severity": alert.severity.name.lower() if alert else None,
        "since": alert.opened_at.isoformat() if alert else None,
        "alert": alert.alert_id if alert else None,
    }


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.alert_id,
        "kind": alert.kind.value,
        "subject": alert.subject,
        "state": alert.state.value,
        "severity": alert.severity.name.lower(),
        "since": alert.opened_at.isoformat(),
        "reason": alert.reason,
    }


def _window(window: WindowSummary) -> dict[str, Any]:
    return {
        "slice": window.slice,
        "state": window.state.value,
        "reasons": list(window.reasons),
        "samples": window.sample_count,
        "rate_per_s": window.rate_per_s,
        "error_rate": window.error_rate,
        "p50_ms": window.p50_ms,
        "p90_ms": window.p90_ms,
        "p95_ms": window.p95_ms,
        "p99_ms": window.p99_ms,
        "p999_ms": window.p999_ms,
        "ratio": window.ratio,
        "ratio_interval_95": [window.ratio_low, window.ratio_high],
        "ratio_error": window.ratio_error,
    }


def _moment(time_s: float | None) -> str | None:
    return None if time_s is None or not math.isfinite(time_s) else datetime.fromtimestamp(time_s, UTC).isoformat()


def progress_line(seen: Snapshot) -> str:
    """One line an evaluation: how many slices say what, the worst ratio, what is open and what is not well."""
    counts = {state: sum(w.state is state for w in seen.windows) for state in WindowState}
    worst = max((w for w in seen.windows if w.ratio is not None), key=lambda w: w.ratio or 0.0, default=None)
    samples = sum(w.sample_count for w in seen.windows)
    parts = [
        f"{seen.evaluated_at:%Y-%m-%d %H:%M:%S}" if seen.evaluated_at else "not evaluated",
        "  ".join(f"{count} {state}" for state, count in counts.items()),
        f"{samples:,} samples",
    ]
    if worst is not None:
        parts.append(f"worst P99/P95 {worst.ratio:.2f} {worst.slice}")
    if seen.alerts:
        parts.append(f"{len(seen.alerts)} open")
    parts += [source.fault for source in seen.sources if source.fault]
    return "  ·  ".join([*parts, *seen.faults])
