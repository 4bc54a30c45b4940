"""What one evaluation says of a slice or of a source: ``WindowSummary`` or panes → ``Finding``."""

from dataclasses import dataclass
from enum import StrEnum

from lens_core.panes import Panes
from lens_core.window import WindowState, WindowSummary


class AlertKind(StrEnum):
    """A slice whose tail ratio is too high, or a source that is silent or unreadable."""

    RATIO = "ratio"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class AlertRule:
    """When alerts open, escalate and resolve. Counts are evaluations in a row."""

    ratio_above: float
    critical_above: float
    escalate_after: int
    resolve_after: int
    resolve_below: float
    silent_after: int


class Says(StrEnum):
    """What one evaluation says of one subject. NEAR is below the limit, but not clearly."""

    VIOLATED = "violated"
    NEAR = "near"
    CLEAN = "clean"
    INSUFFICIENT = "insufficient"


@dataclass(frozen=True, slots=True)
class Finding:
    """An evaluation of one subject: what it says, whether it is grave, and in words with numbers why."""

    kind: AlertKind
    subject: str
    says: Says
    reason: str
    grave: bool = False
    ratio: float | None = None


def find_ratio(window: WindowSummary, rule: AlertRule) -> Finding:
    """What a window says of its slice's tail ratio."""
    ratio = window.ratio
    if window.state is WindowState.INSUFFICIENT or ratio is None:
        says = Says.INSUFFICIENT
    elif window.state is WindowState.VIOLATED:
        says = Says.VIOLATED
    else:
        says = Says.CLEAN if ratio < rule.resolve_below else Says.NEAR
    grave = ratio is not None and ratio > rule.critical_above
    return Finding(AlertKind.RATIO, window.slice, says, _ratio_words(window, rule), grave, ratio)


def _ratio_words(window: WindowSummary, rule: AlertRule) -> str:
    if window.ratio is None or window.p95_ms is None or window.p99_ms is None:
        return "; ".join(window.reasons) or "no samples"
    words = f"P99/P95 {window.ratio:.2f} (limit {rule.ratio_above:g}"
    if window.ratio_low is not None and window.ratio_high is not None:
        words += f", 95 % interval {window.ratio_low:.2f} to {window.ratio_high:.2f}"
    words += f"): P99 {window.p99_ms:.4g} ms, P95 {window.p95_ms:.4g} ms from {window.sample_count:,} samples"
    return words + ("; insufficient: " + "; ".join(window.reasons) if window.reasons else "")


def find_source(panes: Panes, source: str, end_s: int, max_bad_share: float, condition: str) -> Finding:
    """What the last pane before ``end_s`` says of a source: silent, unreadable, or clean.

    ``condition`` is what the source says of itself, for the reason only.
    """
    pane_s = panes.rule.pane_s
    end = end_s // pane_s
    tally = next((pane.tally for pane in panes.within("source", source, end - 1, end)), {})
    lines, garbled = tally.get("lines", 0), tally.get("garbled", 0)
    says, reason = Says.CLEAN, f"{lines:,} samples in {pane_s} s"
    if garbled > max_bad_share * (garbled + lines):
        says, reason = Says.VIOLATED, f"{garbled:,} of {garbled + lines:,} lines in {pane_s} s could not be read"
    elif not lines:
        says, reason = Says.VIOLATED, f"no sample in {pane_s} s ({condition})"
    return Finding(AlertKind.SOURCE, source, says, reason)
