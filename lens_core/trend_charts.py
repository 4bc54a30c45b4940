"""Trends and forecasts as figures: small multiples, a panel per slice, by the house rules of ``charts``.

Every sign has its words: a change point its date and effect, an early warning its heading, a forecast
its interval and what that rests on. A night without a value, and a date without a night, break the line.
"""

import math
import statistics
import textwrap
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import pairwise

import plotly.graph_objects as go

from lens_core.changes import Change, EarlyWarning, Trend, Watch
from lens_core.charts import (
    LINE,
    MARK,
    UNSEEN,
    axis_title,
    level_line,
    make_figure,
    nothing_drawn,
    panel_axes,
    panel_heading,
)
from lens_core.forecast import NOMINAL_COVERAGE, Forecast
from lens_core.series import Point, Series
from lens_core.trend_views import (
    FIRST_NIGHT,
    ahead_words,
    breach_words,
    change_words,
    interval_words,
    limit_words,
    newest_words,
    watch_words,
)
from lens_core.views import Unit, format_change, format_value, metric_title, unit_of

_COLUMNS = 3
_ROW_PIXELS = 250
_HEADING_LETTERS = 54
_HISTORY_NIGHTS = 45
_FAN = "rgba(59,130,196,0.22)"
_WARNING = "#E69F00"
_Part = dict[str, object]


def trend_with_changes(trends: Sequence[Trend], columns: int = _COLUMNS) -> go.Figure:
    """Each slice by night, with its change points (dated, with their effect) and early warnings (triangles).

    Every point carries its night id in ``customdata[0]``, its sample count in ``[1]``, its candidate in
    ``[2]``; a night with another candidate than the one before is a diamond.
    """
    if not any(trend.series.values for trend in trends):
        return _no_evidence("Change points and early warnings", [t.series for t in trends])
    metric = trends[0].series.metric
    signs = "┊ change point · △▽ early warning · ◇ another candidate"
    panels = [_trend_panel(trend) for trend in trends]
    return _panels(f"{axis_title(metric)} by night ({signs})", metric, panels, columns)


def forecast_fan(forecasts: Sequence[Forecast], columns: int = _COLUMNS) -> go.Figure:
    """Each slice's newest 45 nights and the nights ahead with their interval, the limit, and the chance of a breach.

    Where the interval is missing there is no band, and the heading says why.
    """
    if not any(forecast.series.values for forecast in forecasts):
        return _no_evidence("Forecast", [f.series for f in forecasts])
    metric = forecasts[0].series.metric
    panels = [_forecast_panel(forecast) for forecast in forecasts]
    signs = f"┄ forecast, band: {NOMINAL_COVERAGE * 100:.0f} % interval"
    return _panels(f"{axis_title(metric)}, the nights ahead ({signs})", metric, panels, columns)


def _no_evidence(title: str, series: Sequence[Series]) -> go.Figure:
    """A figure that says in words that nothing can be said."""
    if not series:
        return nothing_drawn(title, FIRST_NIGHT)
    return nothing_drawn(f"{title}: {metric_title(series[0].metric)}", "no night has measured this")


class _Panel:
    """What one panel holds, before it has its place: traces, shapes, notes, and the values that must be in sight."""

    def __init__(self, series: Series, *words: str) -> None:
        self.series = series
        lines = (line for text in words for line in textwrap.wrap(text, _HEADING_LETTERS))
        self.heading = "<br>".join([f"<b>{series.slice}</b>", *lines])
        self.traces: list[_Part] = []
        self.shapes: list[_Part] = []
        self.notes: list[_Part] = []
        self.in_sight = [] if series.limit is None else [series.limit.value]

    def draw(self, trace: _Part, values: Iterable[float | None]) -> None:
        """Add a trace of these values."""
        self.traces.append({"type": "scatter", "y": (drawn := list(values)), **trace})
        self.in_sight += [value for value in drawn if value is not None]

    def mark(self, day: date, words: str, colour: str) -> None:
        """An upright line at ``day`` with ``words`` at its top."""
        line = {"color": colour, "width": 1, "dash": "dot"}
        self.shapes.append({"type": "line", "x0": str(day), "x1": str(day), "y0": 0, "y1": 1, "line": line})
        # Right of the line, or left of it where the panel would cut the words off.
        points = self.series.points
        late = (day - points[0].night_date) > 0.6 * (points[-1].night_date - points[0].night_date)
        side = {"xanchor": "right", "xshift": -2} if late else {"xanchor": "left", "xshift": 2}
        # Each a line lower than the one before, so that neighbours can be read.
        height = 1 - 0.1 * (len(self.notes) % 5)
        note = {"text": words, "x": str(day), "y": height, "yanchor": "top", "showarrow": False, "font": {"size": 11}}
        self.notes.append(note | side)


def _panels(title: str, metric: str, panels: Sequence[_Panel], columns: int) -> go.Figure:
    columns = min(columns, len(panels))
    rows = math.ceil(len(panels) / columns)
    data: list[_Part] = []
    shapes: list[_Part] = []
    notes: list[_Part] = []
    layout: dict[str, object] = {
        "title": {"text": title},
        "height": 150 + _ROW_PIXELS * rows,
        "margin": {"t": 136, "l": 64, "r": 24, "b": 16},
        "shapes": shapes,
        "annotations": notes,
    }
    for place, panel in enumerate(panels):
        suffix = str(place + 1) if place else ""
        x, y = f"x{suffix}", f"y{suffix}"
        low, high = _in_sight(panel.in_sight)
        axes = panel_axes(place, rows, columns, suffix, high, metric)
        layout |= axes | {f"yaxis{suffix}": _part(axes, f"yaxis{suffix}") | {"range": [low, high]}}
        data += [trace | {"xaxis": x, "yaxis": y} for trace in panel.traces or [UNSEEN]]
        shapes += [shape | {"xref": x, "yref": f"{y} domain"} for shape in panel.shapes]
        notes += [note | {"xref": x, "yref": f"{y} domain"} for note in panel.notes]
        notes.append(panel_heading(panel.heading, suffix))
        if not panel.traces:  # empty axes would look like a healthy zero
            layout |= {f"xaxis{suffix}": _part(axes, f"xaxis{suffix}") | {"visible": False}}
            layout |= {f"yaxis{suffix}": _part(axes, f"yaxis{suffix}") | {"visible": False}}
        elif panel.series.limit is not None:
            shapes.append(level_line(panel.series.limit.value, suffix))
    return make_figure(data, layout)


def _part(axes: dict[str, object], name: str) -> _Part:
    part = axes[name]
    return part if isinstance(part, dict) else {}


def _in_sight(values: Sequence[float]) -> tuple[float, float]:
    """The ends of a value axis that shows all of ``values`` with some air, and nothing below zero for them."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    air = max(0.2 * (high - low), 0.04 * abs(high)) or 1.0
    return (max(0.0, low - air) if low >= 0 else low - air), high + air


def _trend_panel(trend: Trend) -> _Panel:
    said = watch_words(trend)
    if not trend.absent and trend.watch is not Watch.WARNED:
        said = f"early warning: {said}"
    panel = _Panel(trend.series, _newest_and_limit(trend.series), said)
    _draw_nights(panel, trend.series.points)
    _draw_levels(panel, trend)
    for change in trend.changes:
        panel.mark(change.night_date, f"{_day(change.night_date)} {format_change(change.effect)}", MARK)
    if trend.changes:
        _draw_change_hovers(panel, trend.changes)
    for warning in trend.warnings:
        _draw_warning(panel, warning)
    return panel


def _newest_and_limit(series: Series) -> str:
    return newest_words(series) + ("" if series.limit is None else f", limit {limit_words(series)} ╌")


def _draw_nights(panel: _Panel, points: Sequence[Point]) -> None:
    """The nights as a line that breaks at gaps and at dates without a night; nothing for no night."""
    if not points:
        return
    row: list[Point | None] = []
    for before, point in zip([None, *points], points, strict=False):
        if before is not None and point.night_date - before.night_date > timedelta(days=1):
            row.append(None)
        row.append(point)
    drawn = [p if p is not None else Point(points[0].night_date, "", None, 0, "") for p in row]
    changed = {b.night_id for a, b in pairwise(points) if a.candidate != b.candidate}
    unit = unit_of(panel.series.metric).value if unit_of(panel.series.metric) is not Unit.CHANGE else ""
    trace: _Part = {
        "mode": "lines+markers",
        "x": [None if p is None else str(p.night_date) for p in row],
        "connectgaps": False,
        "customdata": [[p.night_id, p.sample_count, p.candidate] for p in drawn],
        "line": {"color": LINE, "width": 1.5},
        "marker": {
            "size": [8 if p.night_id in changed else 4 for p in drawn],
            "symbol": ["diamond-open" if p.night_id in changed else "circle" for p in drawn],
            "color": LINE,
        },
        "hovertemplate": f"night %{{customdata[0]}}<br>%{{y:.4g}} {unit}<br>n = %{{customdata[1]:,}}"
        "<br>candidate %{customdata[2]}<extra></extra>",
    }
    panel.draw(trace, [None if p is None else p.value for p in row])


def _draw_levels(panel: _Panel, trend: Trend) -> None:
    """The median of each stretch between changes, as a thin grey line."""
    points = trend.series.points
    edges = [0, *(change.place for change in trend.changes), len(points)]
    for start, end in pairwise(edges) if trend.changes else ():
        middle = statistics.median(p.value for p in points[start:end] if p.value is not None)
        line: _Part = {"mode": "lines", "line": {"color": MARK, "width": 1.5}, "hoverinfo": "skip"}
        line["x"] = [str(points[start].night_date), str(points[end - 1].night_date)]
        panel.draw(line, [middle, middle])


def _draw_change_hovers(panel: _Panel, changes: Sequence[Change]) -> None:
    """What a label has no room for (how long it stood, which candidate) on a bar at the night of the change."""
    values = {p.night_date: p.value for p in panel.series.points}
    trace: _Part = {
        "mode": "markers",
        "x": [str(change.night_date) for change in changes],
        "text": [change_words(change) for change in changes],
        "marker": {"size": 11, "symbol": "line-ns-open", "color": MARK},
        "hovertemplate": "change point<br>%{text}<extra></extra>",
    }
    panel.draw(trace, [values[change.night_date] for change in changes])


def _draw_warning(panel: _Panel, warning: EarlyWarning) -> None:
    point = panel.series.points[warning.place]
    trace: _Part = {
        "mode": "markers",
        "x": [str(warning.raised_date)],
        "marker": {
            "size": 11,
            "symbol": "triangle-up-open" if warning.effect > 0 else "triangle-down-open",
            "color": _WARNING,
            "line": {"width": 2},
        },
        "hovertemplate": f"early warning of {warning.raised_date}<br>about {format_change(warning.effect)} "
        f"since {warning.onset_date}<extra></extra>",
    }
    panel.draw(trace, [point.value])


def _forecast_panel(forecast: Forecast) -> _Panel:
    series = forecast.series
    if not forecast.steps:
        panel = _Panel(series, _newest_and_limit(series), forecast.absent)
        _draw_nights(panel, series.points[-_HISTORY_NIGHTS:])
        return panel
    last = forecast.steps[-1]
    value = format_value(series.metric, last.value)
    chance = f"limit {limit_words(series)} breaks: {breach_words(forecast)}" if series.limit else forecast.no_breach
    panel = _Panel(
        series,
        f"{ahead_words(last)} {value}; {interval_words(series.metric, last)}",
        chance,
    )
    _draw_nights(panel, series.points[-_HISTORY_NIGHTS:])
    _draw_fan(panel, forecast)
    if forecast.changed and forecast.trained_from is not None:
        panel.mark(forecast.trained_from, f"trained from {_day(forecast.trained_from)}", MARK)
    return panel


def _draw_fan(panel: _Panel, forecast: Forecast) -> None:
    banded = [step for step in forecast.steps if step.low is not None and step.high is not None]
    if banded:
        edge: _Part = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
        edge["x"] = [str(step.night_date) for step in banded]
        panel.draw(edge, [step.low for step in banded])
        panel.draw(edge | {"fill": "tonexty", "fillcolor": _FAN}, [step.high for step in banded])
    metric = forecast.series.metric
    trace: _Part = {
        "mode": "lines+markers",
        "x": [str(step.night_date) for step in forecast.steps],
        "text": [f"{format_value(metric, s.value)}<br>{interval_words(metric, s)}" for s in forecast.steps],
        "line": {"color": LINE, "width": 1.5, "dash": "dash"},
        "marker": {"size": 4, "symbol": "circle-open", "color": LINE},
        "hovertemplate": "%{x|%d %b}, forecast<br>%{text}<extra></extra>",
    }
    panel.draw(trace, [step.value for step in forecast.steps])


def _day(day: date) -> str:
    return f"{day.day} {day:%b}"
