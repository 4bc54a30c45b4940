"""Trends, forecasts and backtests as words and tables, the same for command line, notebook, figure and portal.

What is not there is said: too few nights, a gap, an interval without enough errors behind it, a model
that is no better than carrying the last value forward.
"""

from collections.abc import Iterable

import pandas as pd

from lens_core.backtest import FEWEST_BLOCKS, Backtest, ModelScore, Skill
from lens_core.changes import Change, Trend, Watch
from lens_core.forecast import NOMINAL_COVERAGE, Forecast, Step
from lens_core.series import Series
from lens_core.views import NO_VALUE, format_change, format_count, format_share, format_value, metric_title

FIRST_NIGHT = "no night was judged yet: run `lens nightly-validation`"
_NOTHING = "–"


def series_words(series: Series) -> str:
    """How many nights the series has, and what is missing in it: ``31 nights, 2 without a value``."""
    words = [_counted(len(series.points), "night")]
    if series.gaps:
        words.append(f"{series.gaps} without a value")
    if series.skipped_dates:
        words.append(f"{_counted(series.skipped_dates, 'date')} between without a night")
    return ", ".join(words)


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def newest_words(series: Series) -> str:
    """The newest value with its unit, and its date when a newer night has none."""
    if series.newest is None:
        return NO_VALUE
    words = format_value(series.metric, series.newest.value)
    return words if series.newest is series.points[-1] else f"{words} on {series.newest.night_date}"


def limit_words(series: Series) -> str:
    """The limit with its sign and unit; ``no limit`` when no gate applies."""
    if series.limit is None:
        return "no limit"
    return f"{series.limit.sign} {format_value(series.metric, series.limit.value)}"


def change_words(change: Change) -> str:
    """When the level changed, by how much, how long it stood, and whether the candidate changed that night."""
    words = f"{change.night_date}: {format_change(change.effect)}, stood {_counted(change.standing_nights, 'night')}"
    if change.candidate_before != change.candidate_after:
        words += f", candidate {change.candidate_before} → {change.candidate_after}"
    return words


def watch_words(trend: Trend) -> str:
    """What the early warning says of the newest night."""
    if trend.absent:
        return trend.absent
    match trend.watch:
        case Watch.WARNED:
            last = trend.warnings[-1]
            return f"early warning since {last.onset_date}: {format_change(last.effect)}"
        case Watch.BLIND:
            return "cannot be told: the newest night has no value"
        case Watch.LEARNING:
            return "cannot be told: not enough nights before the newest"
        case Watch.QUIET:
            return "quiet"


def ahead_words(step: Step) -> str:
    """``in 7 nights``."""
    return f"in {_counted(step.nights_ahead, 'night')}"


def interval_words(metric: str, step: Step) -> str:
    """The interval of one night ahead, or why there is none."""
    if step.low is None or step.high is None:
        return f"no interval (n = {step.residual_count})"
    low, high = format_value(metric, step.low), format_value(metric, step.high)
    return f"{low} to {high} (n = {step.residual_count})"


def breach_words(forecast: Forecast) -> str:
    """How likely the limit breaks within the nights ahead, from how many stretches; or why that is not said."""
    if forecast.breach is None:
        return forecast.no_breach
    return f"{format_share(forecast.breach.probability)} (n = {forecast.breach.path_count})"


def training_words(forecast: Forecast) -> str:
    """What the forecast was trained on, and which models had to be left out."""
    words = f"{forecast.trained_nights} nights from {forecast.trained_from}"
    words += ", the last change" if forecast.changed else ""
    return words + (f"; without {', '.join(forecast.left_out)} (did not converge)" if forecast.left_out else "")


def trend_table(trends: Iterable[Trend]) -> pd.DataFrame:
    """A row per slice: newest value, limit, early warning, accepted changes (newest first), and the nights."""
    listed = list(trends)
    return pd.DataFrame(
        {
            "slice": [t.series.slice for t in listed],
            "newest": [newest_words(t.series) for t in listed],
            "limit": [limit_words(t.series) for t in listed],
            "early warning": [watch_words(t) for t in listed],
            "changes": [_changes_words(t) for t in listed],
            "nights": [series_words(t.series) for t in listed],
        }
    )


def _changes_words(trend: Trend) -> str:
    if trend.absent:
        return _NOTHING
    return "; ".join(change_words(change) for change in reversed(trend.changes)) or "none"


def forecast_table(forecasts: Iterable[Forecast]) -> pd.DataFrame:
    """A row per slice: newest value, the last night ahead with its interval, the chance of a breach, the training."""
    listed = list(forecasts)
    last = [f.steps[-1] if f.steps else None for f in listed]
    ahead = next((ahead_words(step) for step in last if step), "forecast")
    rows = list(zip(listed, last, strict=True))
    return pd.DataFrame(
        {
            "slice": [f.series.slice for f in listed],
            "newest": [newest_words(f.series) for f in listed],
            ahead: [format_value(f.series.metric, s.value) if s else f.absent for f, s in rows],
            f"{NOMINAL_COVERAGE:.0%} interval".replace("%", " %"): [
                interval_words(f.series.metric, s) if s else _NOTHING for f, s in rows
            ],
            "limit": [limit_words(f.series) for f in listed],
            "breaks by then": [breach_words(f) if s else _NOTHING for f, s in rows],
            "trained on": [training_words(f) if s else _NOTHING for f, s in rows],
        }
    )


def backtest_table(tested: Backtest) -> pd.DataFrame:
    """A row per model: its error by that of the last value, on how many forecasts, and what that is worth."""
    return pd.DataFrame(
        {
            "model": [score.model for score in tested.models],
            "error ÷ last value's": [_NOTHING if s.ratio is None else f"{s.ratio:.2f}" for s in tested.models],
            "forecasts": [f"{s.pair_count:,}" for s in tested.models],
            "blocks": [f"{s.block_count:,}" for s in tested.models],
            "in words": [skill_words(score) for score in tested.models],
        }
    )


def skill_words(score: ModelScore) -> str:
    """Whether the model beats the last value out of sample: a sentence that says so when it does not."""
    name = score.model
    if score.ratio is None:
        return f"{name} cannot be compared with last-value-naive: {_nothing_to_compare(score)}"
    counts = f"ratio {score.ratio:.2f}, {format_count(score.pair_count)} in {score.block_count} blocks"
    match score.skill:
        case Skill.BEATS:
            return f"{name} beats last-value-naive out of sample ({counts})"
        case Skill.UNPROVEN:
            return f"{name} does not provably beat last-value-naive out of sample ({counts}: within chance)"
        case Skill.UNTESTED:
            return f"{name} is not shown to beat last-value-naive ({counts}, {FEWEST_BLOCKS} blocks are needed)"
        case Skill.WORSE | Skill.NOTHING:
            return f"{name} does not beat last-value-naive out of sample ({counts})"


def _nothing_to_compare(score: ModelScore) -> str:
    return "the last value was never wrong" if score.pair_count else "no night came after a forecast of it"


def coverage_words(tested: Backtest) -> str:
    """What share of the intervals held, beside the nominal one."""
    coverage, nominal = tested.coverage, f"{NOMINAL_COVERAGE * 100:.0f} %"
    without = f"; {coverage.without:,} forecasts had no interval" if coverage.without else ""
    if coverage.share is None:
        return f"no {nominal} interval could be judged{without}"
    return f"the {nominal} interval held {format_share(coverage.share)} of {coverage.interval_count:,} nights{without}"


def brier_words(tested: Backtest) -> str:
    """The Brier score of the breach probability beside that of the rate known by then."""
    breach = tested.breach
    if breach.brier is None or breach.base_rate_brier is None:
        return "no breach probability could be judged: no limit applies, or too few nights"
    words = (
        f"Brier score {breach.brier:.3f}, of the base rate {breach.base_rate_brier:.3f} "
        f"(today's limit broke in {breach.broken:,} of {breach.forecast_count:,} stretches of {tested.nights} nights)"
    )
    if breach.broken in (0, breach.forecast_count):
        always = "never" if breach.broken == 0 else "always"
        return f"{words}: it {always} broke, so this says nothing of how breaches are told from calm"
    if breach.brier >= breach.base_rate_brier:
        return f"{words}: the probability is no better than the base rate"
    return words


def backtest_words(tested: Backtest) -> tuple[str, ...]:
    """The backtest in sentences: what it is of, coverage, Brier score, and the slices that it leaves out."""
    of = (
        f"{metric_title(tested.metric)}, {tested.nights} nights ahead from each past night, {len(tested.slices)} slices"
    )
    by_reason: dict[str, list[str]] = {}
    for name, reason in tested.absent:
        by_reason.setdefault(reason, []).append(name)
    left_out = (f"left out: {', '.join(names)} ({reason})" for reason, names in by_reason.items())
    return (of, coverage_words(tested), brier_words(tested), *left_out)
