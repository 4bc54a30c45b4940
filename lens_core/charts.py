"""DataFrame → plotly Figure, for the portal and the notebooks alike.

House rules: colour is never the only sign (a symbol or a word stands beside it), colours can be
told apart by colour-blind readers (Okabe and Ito), units stand in axis titles, a threshold is drawn
and labelled wherever there is a gate, backgrounds are transparent so that light and dark both work,
and no chart carries more points than an eye can use.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from lens_core.model import QUERY_CLASSES, Measurement
from lens_core.views import (
    OPEN,
    VERDICT_SYMBOLS,
    Unit,
    format_count,
    format_ms,
    format_value,
    metric_title,
    term_of,
    unit_of,
)

VERDICT_COLOURS = {
    "PASS": "#009E73",
    "WAIVED": "#56B4E9",
    "INCONCLUSIVE": "#E69F00",
    "ERROR": "#CC79A7",
    "FAIL": "#D55E00",
    OPEN: "#8C8C8C",
}
LINE = "#3B82C4"
LIMIT = "#D55E00"
MARK = "#8C8C8C"
_HELD_MARKS = (
    (("FAIL", "ERROR"), "x", LIMIT),
    (("INCONCLUSIVE",), "circle-open", VERDICT_COLOURS["INCONCLUSIVE"]),
)
"""How a trend marks the nights that did not advance."""
UNSEEN: dict[str, object] = {"type": "scatter", "mode": "markers", "x": [None], "y": [None], "hoverinfo": "skip"}
"""Gives a panel its axes where there is nothing to draw: plotly moves the words of one without to the first."""
_GRID = "rgba(128,128,128,0.25)"
_MAX_POINTS = 400
_MAX_DOTS = 2000
_OK = 200
"""The one HTTP status that counts as a good answer."""

TEMPLATE = go.layout.Template(
    layout={
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "Source Sans, system-ui, sans-serif", "size": 13, "color": "#31333F"},
        "title": {"x": 0, "xanchor": "left", "font": {"size": 16}},
        "margin": {"l": 64, "r": 24, "t": 56, "b": 48},
        "hoverlabel": {"align": "left"},
        "xaxis": {"gridcolor": _GRID, "linecolor": MARK, "zeroline": False, "automargin": True},
        "yaxis": {"gridcolor": _GRID, "linecolor": MARK, "zeroline": False, "automargin": True},
        "legend": {"orientation": "h", "y": -0.2},
        "showlegend": False,
    }
)


def make_figure(data: list[dict[str, object]], layout: dict[str, object]) -> go.Figure:
    """A figure by the house rules, from traces and a layout as plotly's JSON has them."""
    return go.Figure({"data": data, "layout": {"template": TEMPLATE, **layout}})


def nothing_drawn(title: str, words: str) -> go.Figure:
    """A chart without data says so in words; empty axes would look like a healthy zero."""
    note = {"text": words, "showarrow": False, "x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper"}
    hidden = {"visible": False}
    layout = {
        "title": {"text": title},
        "annotations": [note],
        "xaxis": hidden,
        "yaxis": hidden,
        "height": 220,
    }
    return make_figure([], layout)


def axis_title(name: str) -> str:
    """The axis title of the metric ``name``, with its unit."""
    words = {
        Unit.SCORE: " (0 to 1)",
        Unit.COUNT: " (count)",
        Unit.PLAIN: "",
        Unit.CHANGE: " (change, share)",
        Unit.SHARE: " (%)",
    }
    unit = unit_of(name)
    return metric_title(name) + words.get(unit, f" ({unit.value})")


def verdict_heatmap(matrix: pd.DataFrame) -> go.Figure:
    """Slices × gates (from ``views.verdict_matrix``) as coloured cells, each with its verdict's symbol."""
    if matrix.empty:
        return nothing_drawn("Verdicts", "no slice was asked for")
    names = list(VERDICT_SYMBOLS)
    steps = len(names)
    scale = [(edge / steps, VERDICT_COLOURS[name]) for i, name in enumerate(names) for edge in (i, i + 1)]
    cells = matrix.to_numpy()
    trace: dict[str, object] = {
        "type": "heatmap",
        "z": [[names.index(str(cell)) for cell in row] for row in cells],
        "x": [term_of(str(gate)).title for gate in matrix.columns],
        "y": [str(name) for name in matrix.index],
        "text": [[VERDICT_SYMBOLS[str(cell)] for cell in row] for row in cells],
        "texttemplate": "%{text}",
        "textfont": {"color": "#000000", "size": 14},
        "customdata": cells.tolist(),
        "hovertemplate": "%{y}<br>%{x}<br>%{customdata}<extra></extra>",
        "colorscale": scale,
        "zmin": -0.5,
        "zmax": steps - 0.5,
        "xgap": 2,
        "ygap": 2,
        "showscale": False,
    }
    shown = [name for name in names if (matrix == name).to_numpy().any()]
    legend = " · ".join(f"{VERDICT_SYMBOLS[name]} {name}" for name in shown)
    layout = {
        "title": {"text": f"Verdicts: {legend}"},
        "height": 260 + 28 * len(matrix),
        "xaxis": {"tickangle": -40, "showgrid": False},
        "yaxis": {"autorange": "reversed", "showgrid": False},
    }
    return make_figure([trace], layout)


def latency_ecdf(
    samples: pd.DataFrame, p95_ms: float | None, p99_ms: float | None, limit_ms: float | None
) -> go.Figure:
    """How many queries were slower than x, both axes logarithmic so that the tail is seen.

    Queries of rounds that were set aside are not drawn, but counted in the title. ``limit_ms`` is
    where the gate of the tail ratio puts the highest allowed P99 (2 × P95).
    """
    kept = samples[samples["set_aside"] == ""]
    latency = _finite(kept["latency_ms"])
    title = "How many queries took longer than x"
    if latency.size == 0:
        return nothing_drawn(title, "no query has a latency")
    ordered = np.sort(latency)
    ranks = _log_ranks(ordered.size)
    slower = 100 * (ordered.size - ranks) / ordered.size
    trace: dict[str, object] = {
        "type": "scatter",
        "mode": "lines",
        "x": ordered[ranks].astype(np.float32),
        "y": slower.astype(np.float32),
        "line": {"shape": "hv", "color": LINE, "width": 2},
        "hovertemplate": "%{y:.2f} % took at least %{x:.2f} ms<extra></extra>",
    }
    ratio = f"{limit_ms / p95_ms:g} × P95" if limit_ms and p95_ms else "limit"
    marks = (
        ("P95", p95_ms, MARK, "dot"),
        ("P99", p99_ms, MARK, "dash"),
        (f"limit {ratio}", limit_ms, LIMIT, "solid"),
    )
    drawn = [(name, x, colour, dash) for name, x, colour, dash in marks if x is not None and x > 0]
    missing, aside = len(kept) - latency.size, len(samples) - len(kept)
    note = f", {missing:,} without a latency are not drawn" if missing else ""
    note += f", {aside:,} in rounds set aside are not drawn" if aside else ""
    layout = {
        "title": {"text": f"{title} ({format_count(int(latency.size))}{note})"},
        "xaxis": {
            "type": "log",
            "title": {"text": "latency from intended send (ms)"},
            **_log_ticks(ordered, limit_ms),
        },
        "yaxis": {
            "type": "log",
            "title": {"text": "queries slower (%)"},
            "tickvals": _PERCENTS,
            "ticktext": _PERCENTS,
        },
        "height": 380,
        "shapes": [_upright(x, colour, dash) for _, x, colour, dash in drawn],
        "annotations": [_mark_words(name, x, place) for place, (name, x, _, _) in enumerate(drawn)],
    }
    return make_figure([trace], layout)


def _mark_words(name: str, x: float, place: int) -> dict[str, object]:
    """The words at an upright line; each a step lower than the one before, so that they never overlap."""
    corner = {"x": math.log10(x), "xanchor": "left", "xshift": 4, "yref": "paper", "y": 1 - 0.08 * place}
    return {"text": f"{name}: {format_ms(x)}", "showarrow": False, "yanchor": "top", **corner}


_PERCENTS = [100, 50, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01]


def _finite(values: "pd.Series[float]") -> npt.NDArray[np.float64]:
    numbers: npt.NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    kept: npt.NDArray[np.float64] = numbers[np.isfinite(numbers) & (numbers > 0)]
    return kept


def _log_ranks(count: int) -> npt.NDArray[np.int64]:
    """Ranks that are even on the logarithmic axis of what is slower: every one of the slowest is kept."""
    if count <= _MAX_POINTS:
        return np.arange(count)
    tail = np.unique(np.geomspace(1, count, _MAX_POINTS).astype(np.int64))
    return (count - tail)[::-1]


def _log_ticks(ordered: npt.NDArray[np.float64], limit_ms: float | None) -> dict[str, object]:
    """Ticks at 1, 2 and 5 of each decade, written plainly."""
    low, high = float(ordered[0]), max(float(ordered[-1]), limit_ms or 0.0)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
    inside = [tick for tick in ticks if low * 0.5 <= tick <= high * 2]
    return {"tickvals": inside, "ticktext": [f"{tick:g}" for tick in inside]}


def _upright(x: float, colour: str, dash: str) -> dict[str, object]:
    line = {"color": colour, "dash": dash, "width": 1.5}
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper", "line": line}


def latency_over_time(samples: pd.DataFrame) -> go.Figure:
    """Each query's latency by when it was due: bursts, pauses and drift are seen here first.

    Of more than 2,000 queries all of the slowest 1 % are drawn, and an even pick of the rest. Queries
    of rounds that were set aside, because the control stalled in them, are grey.
    """
    title = "Latency over the run"
    good = samples[np.isfinite(samples["latency_ms"].to_numpy(dtype="float64", na_value=np.nan))]
    if good.empty:
        return nothing_drawn(title, "no query has a latency")
    drawn = _thin(good)
    failed, aside = drawn["status"].to_numpy() != _OK, drawn["set_aside"].to_numpy() != ""
    trace: dict[str, object] = {
        "type": "scatter",
        "mode": "markers",
        "x": drawn["intended_s"].to_numpy(dtype=np.float32),
        "y": drawn["latency_ms"].to_numpy(dtype=np.float32),
        "text": (drawn["question_id"].astype(str) + drawn["set_aside"].map(_aside_words)).tolist(),
        "marker": {
            "size": np.where(failed, 9, 4).tolist(),
            "color": np.where(failed, LIMIT, np.where(aside, MARK, LINE)).tolist(),
            "symbol": np.where(failed, "x", np.where(aside, "circle-open", "circle")).tolist(),
            "opacity": 0.7,
            "line": {"width": 0},
        },
        "hovertemplate": "%{text}<br>due at %{x:.1f} s<br>%{y:.2f} ms<extra></extra>",
    }
    words = format_count(len(good)) if len(drawn) == len(good) else f"{len(drawn):,} of {len(good):,} queries"
    errors = int((samples["status"] != _OK).sum())
    lost = f"; {errors:,} without a good answer, ✕ where they have a latency" if errors else ""
    lost += "; ○ in rounds set aside" if aside.any() else ""
    layout = {
        "title": {"text": f"{title} ({words}{lost})"},
        "xaxis": {"title": {"text": "due, seconds from the start"}},
        "yaxis": {
            "title": {"text": "latency (ms)"},
            "type": "log",
            **_log_ticks(np.sort(_finite(good["latency_ms"])), None),
        },
        "height": 320,
    }
    return make_figure([trace], layout)


def _aside_words(why: str) -> str:
    return f"<br>set aside: {why}" if why else ""


def _thin(samples: pd.DataFrame) -> pd.DataFrame:
    if len(samples) <= _MAX_DOTS:
        return samples
    tail = samples.nlargest(min(_MAX_DOTS // 2, max(1, len(samples) // 100)), "latency_ms")
    step = math.ceil(len(samples) / (_MAX_DOTS - len(tail)))
    return samples.loc[tail.index.union(samples.index[::step])]


def quality_by_class(measurements: Sequence[Measurement], floors: Mapping[str, float] | None = None) -> go.Figure:
    """Recall@50 of each slice: a panel for all queries and one per query class, each with its floor.

    ``floors`` maps a gate (``recall_at_50``, ``recall_at_50_nl``) to its threshold.
    """
    names = ["recall_at_50", *(f"recall_at_50_{kind}" for kind in QUERY_CLASSES)]
    if not measurements:
        return nothing_drawn("Recall@50 by query class", "no slice was measured")
    known = {name: floor for name, floor in (floors or {}).items() if name in names}
    values = [item.get(name).value for item in measurements for name in names]
    lowest = min([0.9, *known.values(), *(value for value in values if value is not None)])
    data, shapes, notes = [], [], []
    layout: dict[str, object] = {
        "title": {"text": "Recall@50 by query class, 0 to 1 (✕ below its floor, no mark: no value)"},
        "height": 190 + 24 * len(measurements),
        "margin": {"t": 104, "l": 64, "r": 24, "b": 40},
        "yaxis": {"autorange": "reversed", "type": "category"},
    }
    for place, name in enumerate(names):
        suffix = str(place + 1) if place else ""
        start, end = place / len(names), (place + 1) / len(names)
        floor = known.get(name)
        data.append(_quality_dots(measurements, name, floor, suffix))
        notes.append(_panel_words(term_of(name).label + ("" if floor is None else f"<br>floor {floor:g}"), suffix))
        axis = {
            "domain": [start + 0.012, end - 0.012],
            "range": [lowest - 0.04, 1.02],
            "nticks": 4,
            "anchor": "y",
        }
        layout[f"xaxis{suffix}"] = axis
        if floor is not None:
            shapes.append(_upright(floor, LIMIT, "solid") | {"xref": f"x{suffix}"})
    return make_figure(data, layout | {"shapes": shapes, "annotations": notes})


def _quality_dots(
    measurements: Sequence[Measurement], name: str, floor: float | None, suffix: str
) -> dict[str, object]:
    """One panel's dots: a slice below ``floor`` is an ✕ in another colour."""
    metrics = [item.get(name) for item in measurements]
    below = [floor is not None and metric.value is not None and metric.value < floor for metric in metrics]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [metric.value for metric in metrics],
        "y": [item.slice for item in measurements],
        "xaxis": f"x{suffix}",
        "customdata": [metric.sample_count for metric in metrics],
        "marker": {
            "size": 9,
            "color": [LIMIT if low else LINE for low in below],
            "symbol": ["x" if low else "circle" for low in below],
        },
        "hovertemplate": f"%{{y}}<br>{metric_title(name)}: %{{x:.3f}}<br>n = %{{customdata}}<extra></extra>",
    }


def _panel_words(words: str, suffix: str) -> dict[str, object]:
    """A heading above the panel whose axes end in ``suffix``."""
    place = {
        "xref": f"x{suffix} domain",
        "x": 0,
        "xanchor": "left",
        "yref": "paper",
        "y": 1,
        "yanchor": "bottom",
    }
    return {"text": words, "showarrow": False, "align": "left", **place}


def latency_trend(
    trend: pd.DataFrame,
    metric: str,
    thresholds: Mapping[str, float] | float | None = None,
    slices: Sequence[str] | None = None,
    columns: int = 3,
) -> go.Figure:
    """Small multiples, a panel per slice: ``metric`` by night, with the threshold of its gate.

    ``trend`` comes from ``views.trend_frame``; ``thresholds`` is one number for all slices or one
    per slice. Every point carries its night id in ``customdata[0]`` and its sample count in
    ``customdata[1]``; nights that did not advance are marked. At most 400 nights are drawn.
    """
    chosen = trend[trend["metric"] == metric]
    names = list(slices) if slices is not None else list(dict.fromkeys(chosen["slice"]))
    if chosen.empty or not names:
        return nothing_drawn(metric_title(metric), "no night has measured this")
    columns = min(columns, len(names))
    rows = math.ceil(len(names) / columns)
    data: list[dict[str, object]] = []
    shapes: list[dict[str, object]] = []
    notes: list[dict[str, object]] = []
    layout: dict[str, object] = {
        "title": {"text": f"{axis_title(metric)} by night (✕ FAIL or ERROR, ○ INCONCLUSIVE)"},
        "height": 110 + 205 * rows,
        "margin": {"t": 96, "l": 64, "r": 24, "b": 8},
        "shapes": shapes,
        "annotations": notes,
    }
    by_slice = dict(list(chosen.groupby("slice", sort=False)))
    for place, name in enumerate(names):
        part = by_slice.get(name, chosen.iloc[:0]).tail(_MAX_POINTS)
        threshold = thresholds.get(name) if isinstance(thresholds, Mapping) else thresholds
        suffix = str(place + 1) if place else ""
        layout |= panel_axes(place, rows, columns, suffix, _top(part["value"], threshold), metric)
        data += _trend_lines(part, metric, suffix)
        newest = part["value"].iloc[-1] if len(part) else None
        notes.append(_newest_heading(name, newest, threshold, metric, suffix))
        if threshold is not None:
            shapes.append(level_line(threshold, suffix))
    return make_figure(data, layout)


def _top(values: "pd.Series[float]", threshold: float | None) -> float:
    """The end of the value axis: the threshold is always in sight."""
    finite = values[np.isfinite(values)]
    return 1.12 * max([threshold or 0.0, *finite.nlargest(1).tolist()]) or 1.0


def panel_axes(place: int, rows: int, columns: int, suffix: str, top: float, metric: str) -> dict[str, object]:
    """The two axes of panel ``place`` of ``rows`` × ``columns``: dates, and ``metric`` from 0 to ``top``."""
    row, column = divmod(place, columns)
    width, height = 1 / columns, 1 / rows
    left, upper = column * width, 1 - row * height
    side, below = 0.035 * (columns > 1), 0.34 * height * (rows > 1)
    share = {"tickformat": ".0%"} if unit_of(metric) in (Unit.SHARE, Unit.CHANGE) else {}
    return {
        f"xaxis{suffix}": {
            "type": "date",
            "domain": [left + side / 2, left + width - side / 2],
            "anchor": f"y{suffix}",
            "nticks": 4,
            "tickformat": "%d %b",
        },
        f"yaxis{suffix}": {
            "domain": [upper - height + below, upper],
            "anchor": f"x{suffix}",
            "range": [0, top],
            "nticks": 4,
            "title": {"text": unit_of(metric).value, "standoff": 4},
            **share,
        },
    }


def _trend_lines(part: pd.DataFrame, metric: str, suffix: str) -> list[dict[str, object]]:
    """The line of one slice, and the marks of the nights that did not advance."""
    if part.empty:
        return [UNSEEN | {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}]
    line = {"mode": "lines+markers", "line": {"color": LINE, "width": 1.5}}
    traces = [_trend_trace(part, metric, suffix) | line]
    for verdicts, symbol, colour in _HELD_MARKS:
        held = part[part["verdict"].isin(verdicts)]
        if not held.empty:
            marks = {"mode": "markers", "marker": {"size": 8, "color": colour, "symbol": symbol}}
            traces.append(_trend_trace(held, metric, suffix) | marks)
    return traces


def _trend_trace(part: pd.DataFrame, metric: str, suffix: str) -> dict[str, object]:
    return {
        "type": "scatter",
        **_dates(part["night_date"]),
        "y": part["value"].to_numpy(dtype=np.float32),
        "xaxis": f"x{suffix}",
        "yaxis": f"y{suffix}",
        "connectgaps": False,
        "customdata": part[["night_id", "sample_count", "verdict", "candidate"]].to_numpy().tolist(),
        "marker": {"size": 4, "color": LINE, "symbol": "circle"},
        "hovertemplate": "night %{customdata[0]}<br>%{y:.3g} "
        + unit_of(metric).value
        + "<br>n = %{customdata[1]:,}<br>night: %{customdata[2]}, candidate %{customdata[3]}<extra></extra>",
    }


def _dates(dates: "pd.Series[pd.Timestamp]") -> dict[str, object]:
    """Start and step when there is a night on each date (a tenth of the bytes), else each date."""
    days = dates.dt.strftime("%Y-%m-%d")
    if len(dates) > 1 and (dates.diff().dropna() == pd.Timedelta(days=1)).all():
        return {"x0": days.iloc[0], "dx": 86_400_000}
    return {"x": days.tolist()}


def _newest_heading(
    name: str, newest: float | None, threshold: float | None, metric: str, suffix: str
) -> dict[str, object]:
    """Above the panel, in two lines so that a narrow page holds them: the slice; its newest value and limit."""
    limit = "" if threshold is None else f", limit {format_value(metric, threshold)} ╌"
    return panel_heading(f"<b>{name}</b><br>{format_value(metric, newest)}{limit}", suffix)


def panel_heading(text: str, suffix: str) -> dict[str, object]:
    """``text`` above the panel whose axes end in ``suffix``."""
    place = {"xref": f"x{suffix} domain", "x": 0, "xanchor": "left", "yref": f"y{suffix} domain", "y": 1}
    look = {"align": "left", "font": {"size": 12}, "yanchor": "bottom", "yshift": 2}
    return {"text": text, "showarrow": False, **look, **place}


def level_line(threshold: float, suffix: str) -> dict[str, object]:
    """A dashed line across the panel at ``threshold``: what a gate allows."""
    line = {"color": LIMIT, "width": 1.5, "dash": "dash"}
    ends = {
        "x0": 0,
        "x1": 1,
        "xref": f"x{suffix} domain",
        "y0": threshold,
        "y1": threshold,
        "yref": f"y{suffix}",
    }
    return {"type": "line", "line": line, **ends}


def inked(figure: go.Figure, *, dark: bool) -> go.Figure:
    """``figure`` with its words in the ink of a dark or a light page; returns the same figure."""
    return figure.update_layout(font_color="#E8EAED" if dark else "#31333F")
