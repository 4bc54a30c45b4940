"""Latency by night: a table with sparklines first, the charts when they are asked for."""

import math
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from lens_core import charts
from lens_core.model import Night
from lens_core.views import format_count, format_value, latest_frame, metric_title, night_verdict
from portal import reading, tables

_METRICS = {"P50": "p50_ms", "P95": "p95_ms", "P99": "p99_ms", "P99÷P95": "tail_ratio"}
_MEANINGS = {
    "P50": "Half of the queries are faster than the P50. No gate is set on it.",
    "P95": "95 % of the queries are faster than the P95.",
    "P99": "99 % of the queries are faster than the P99.",
    "P99÷P95": "How far the slowest 1 % stand from the slowest 5 %.",
}


def show(night_page: st.Page) -> None:
    """Draw the page; ``night_page`` is where a point of a chart leads."""
    st.title("Latency trends", anchor=False)
    nights = reading.closed_nights()
    if not nights:
        st.markdown("No night has been judged yet: there is nothing to draw. Run one:")
        st.code("lens nightly-validation", language="bash")
        return
    label, slices, drawn = _controls(nights)
    metric = _METRICS[label]
    trend = reading.trend(nights)
    limits = reading.limits(nights[0], metric)
    newest = nights[0]
    st.markdown(f"{_MEANINGS[label]} {_limits_in_words(newest, limits)}")
    _table(trend, metric, slices, limits)
    if drawn:
        _charts(trend, metric, slices, limits, night_page)
    with st.expander("All values, a row per night"):
        _values(trend, metric, slices)
    with st.expander(f"The {len(nights)} nights drawn here, with their verdicts"):
        st.html(tables.nights_table(nights))


def _controls(nights: Sequence[Night]) -> tuple[str, list[str], bool]:
    names = list(dict.fromkeys(name for night in nights for name in night.slices))
    left, middle, right = st.columns([2, 3, 1], vertical_alignment="bottom")
    with left:
        label = st.segmented_control(
            "Measured", list(_METRICS), default="P99", required=True, key="metric", bind="query-params"
        )
    with middle:
        chosen = st.multiselect("Slices", names, key="slices", bind="query-params", placeholder="All slices")
    with right:
        drawn = st.toggle("Charts", key="charts", bind="query-params", help="A chart per slice, by night.")
    return label or "P99", [name for name in names if name in chosen] or names, drawn


def _limits_in_words(newest: Night, limits: dict[str, float]) -> str:
    if not limits:
        return "No limit is drawn: the newest night had no threshold that applies."
    return f"The limit is what the gates of night {newest.night_id} ({night_verdict(newest)}) allowed."


def _table(trend: pd.DataFrame, metric: str, slices: Sequence[str], limits: dict[str, float]) -> None:
    frame = latest_frame(trend, metric, slices)
    frame["limit"] = frame["slice"].map(limits).astype("float64")
    frame["room"] = 1 - frame["value"] / frame["limit"]
    number = "%.2f×" if metric == "tail_ratio" else "%.2f ms"
    history = frame["history"].map(lambda values: [value for value in values if math.isfinite(value)])
    config = st.column_config
    st.dataframe(
        frame.assign(history=history, change=frame["change"] * 100, room=frame["room"] * 100),
        hide_index=True,
        height="content",
        placeholder="no value",
        alt=f"{metric_title(metric)} of the newest night for each slice",
        column_order=["slice", "value", "history", "limit", "room", "median", "change", "sample_count"],
        column_config={
            "slice": config.TextColumn("Slice", pinned=True, width="medium"),
            "value": config.NumberColumn("Newest night", format=number),
            "history": config.LineChartColumn("Last 31 nights", width="medium", y_min=0),
            "limit": config.NumberColumn("Limit", format=number, help="No number: no gate applies."),
            "room": config.NumberColumn("Room to the limit", format="%.0f %%", help="Below 0 the limit is broken."),
            "median": config.NumberColumn("Median before", format=number, help="Of the up to 30 nights before."),
            "change": config.NumberColumn("Against median", format="%+.1f %%"),
            "sample_count": config.NumberColumn("Samples", format="localized"),
        },
    )


def _charts(
    trend: pd.DataFrame, metric: str, slices: Sequence[str], limits: dict[str, float], night_page: st.Page
) -> None:
    figure = charts.latency_trend(trend, metric, limits or None, slices)
    state = st.plotly_chart(
        charts.inked(figure, dark=st.context.theme.type == "dark"),
        theme=None,
        key="trend",
        on_select="rerun",
        selection_mode="points",
        config={"displayModeBar": False},
        alt=f"{metric_title(metric)} by night, a chart per slice; the table above says the same",
    )
    picked = {str(point["customdata"][0]) for point in state["selection"]["points"] if point.get("customdata")}
    if not picked:
        st.markdown("Click a point to get to its night. A gap is a night without a value.")
    for night_id in sorted(picked):
        st.page_link(night_page, label=f"Open night {night_id}", query_params={"night": night_id})


def _values(trend: pd.DataFrame, metric: str, slices: Sequence[str]) -> None:
    chosen = trend[(trend["metric"] == metric) & trend["slice"].isin(slices)]
    words = chosen.assign(words=[format_value(metric, value) for value in chosen["value"]])
    table = words.pivot_table(index="night_id", columns="slice", values="words", aggfunc="first").reindex(
        columns=list(slices)
    )
    st.dataframe(table.sort_index(ascending=False), height=400, placeholder="no value")
    st.markdown(f"Fewest samples behind one of these values: {format_count(int(chosen['sample_count'].min()))}.")
