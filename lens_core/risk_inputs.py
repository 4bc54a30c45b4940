"""What the risk of a candidate is computed from: each factor's measured value, larger is riskier, and it in words.

A factor without data has no value, and the words say what is missing; what that means is the rules' business. What
streak and drill say is measured by the sign-off itself.
"""

from collections.abc import Sequence

from lens_core.alerts import Alert, AlertState, Severity
from lens_core.changes import STANDING_NIGHTS, Trend, Watch
from lens_core.forecast import HORIZON_NIGHTS, Forecast
from lens_core.model import Answer
from lens_core.signoff.words import Measured
from lens_core.supply.look import Look

_CRITICAL_COUNTS = 3
_LATE_NIGHTS = 7
"""A change of level counts as one of late when it began within so many nights."""
_UNBOUNDED = ("_vs_baseline",)


def trend_input(trends: Sequence[Trend]) -> Measured:
    """The share of slices of which a latency got worse within the last nights, or is warned of now."""
    by_slice: dict[str, list[Trend]] = {}
    for trend in trends:
        if not trend.absent:
            by_slice.setdefault(trend.series.slice, []).append(trend)
    if not by_slice:
        why = next((trend.absent for trend in trends), "no night was measured")
        return Measured("trend", None, f"no slice has a trend yet: {why}")
    worse = sorted(name for name, of_slice in by_slice.items() if any(map(_got_worse, of_slice)))
    said = f"{len(worse)} of {len(by_slice)} slices got slower of late"
    return Measured("trend", len(worse) / len(by_slice), said + (f": {', '.join(worse)}" if worse else ""))


def _got_worse(trend: Trend) -> bool:
    newest = len(trend.series.points) - 1
    late = [one for one in trend.changes if one.effect > 0 and newest - one.place < _LATE_NIGHTS]
    warned = trend.watch is Watch.WARNED and bool(trend.warnings) and trend.warnings[-1].effect > 0
    return warned or any(one.standing_nights >= STANDING_NIGHTS for one in late)


def forecast_input(forecasts: Sequence[Forecast]) -> Measured:
    """The highest probability that a latency gate breaks within the next nights."""
    judged = [(one.breach.probability, one) for one in forecasts if one.breach is not None]
    if not judged:
        why = next((one.absent or one.no_breach for one in forecasts), "no night was measured")
        return Measured("forecast", None, f"no slice has a forecast yet: {why}")
    probability, worst = max(judged, key=lambda pair: pair[0])
    where = f"{worst.series.slice} {worst.series.metric}"
    said = f"{probability:.0%} that {where} breaks its limit within {HORIZON_NIGHTS} nights, the highest of all"
    return Measured("forecast", probability, said)


def margin_input(answers: Sequence[Answer]) -> Measured:
    """The share of its limit that the tightest gate of a night uses, by the worst that the interval allows.

    Of a floor below 1 it is the share of the room above it. Relative changes that must not be below a value have no
    scale, and are left out.
    """
    used = [(share, one) for one in answers if one.slice and (share := _used(one)) is not None]
    if not used:
        return Measured("margin", None, "no gate of a night was measured")
    share, tightest = max(used, key=lambda pair: pair[0])
    said = f"{tightest.slice} {tightest.gate} uses {share:.0%} of its limit, the most of all gates"
    return Measured("margin", share, said)


def _used(answer: Answer) -> float | None:
    if answer.value is None or answer.threshold is None:
        return None
    if answer.sign in ("≤", "<"):
        worst = answer.interval.high if answer.interval else answer.value
        return worst / answer.threshold if answer.threshold > 0 else None
    if answer.gate.endswith(_UNBOUNDED) or answer.gate == "slice_present" or answer.threshold >= 1:
        return None
    worst = answer.interval.low if answer.interval else answer.value
    return (1 - worst) / (1 - answer.threshold)


def alerts_input(alerts: Sequence[Alert] | None) -> Measured:
    """Open alerts of the live monitor that nobody silenced; a critical one counts three. None: nothing is watched."""
    if alerts is None:
        return Measured("open_alerts", None, "the live monitor has watched nothing yet")
    open_ones = [one for one in alerts if one.is_open and one.state is not AlertState.SILENCED]
    critical = sum(one.severity is Severity.CRITICAL for one in open_ones)
    value = len(open_ones) + (_CRITICAL_COUNTS - 1) * critical
    names = ", ".join(one.subject for one in open_ones[:3])
    said = f"{len(open_ones)} open alerts, {critical} critical" + (f": {names}" if names else "")
    return Measured("open_alerts", float(value), said)


def change_input(before: str, lines: int | None) -> Measured:
    """Lines changed since the version ``before`` (empty when there is none)."""
    if not before:
        return Measured("change_size", None, "there is no earlier version to compare with: all of it is new")
    if lines is None:
        return Measured("change_size", None, f"git here does not know the commits of this version and of {before}")
    return Measured("change_size", float(lines), f"{lines:,} lines changed since {before}")


def advisory_inputs(look: Look | None) -> tuple[Measured, Measured]:
    """Waivers that the candidate needs, and vulnerabilities that are known of it, waived ones included."""
    if look is None:
        said = "nobody has asked the advisory sources about this candidate"
        return Measured("waivers", None, said), Measured("vulnerabilities", None, said)
    known = len(look.waived) + len(look.findings)
    waived, found = f"{len(look.waived)} needed", f"{known} known, {len(look.waived)} of them waived"
    return Measured("waivers", float(len(look.waived)), waived), Measured("vulnerabilities", float(known), found)
