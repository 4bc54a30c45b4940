"""DataFrame → Figure: what is drawn, what is said, and how much of it."""

import json
from datetime import date, timedelta

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lens_core import charts
from lens_core.model import QUERY_CLASSES, Measurement, Metric, Verdict

_SLICES = [f"backend/python/s{i}" for i in range(12)]


def _samples(count: int = 1500) -> pd.DataFrame:
    latency = np.random.default_rng(1).lognormal(0.7, 0.4, count)
    return pd.DataFrame(
        {
            "question_id": [f"q{i}" for i in range(count)],
            "intended_s": np.arange(count) / 100,
            "latency_ms": latency,
            "status": [200] * count,
            "set_aside": [""] * count,
        }
    )


def _trend(nights: int, slices: list[str] = _SLICES, step: int = 1) -> pd.DataFrame:
    rows = [
        (
            *(pd.Timestamp(date(2026, 1, 1) + timedelta(days=night * step)), f"night-{night}", name, "p99_ms"),
            *(2.0 + night % 3, 1500, "FAIL" if night == 2 else "INCONCLUSIVE" if night == 1 else "PASS", "0.2.0"),
        )
        for night in range(nights)
        for name in slices
    ]
    columns = ["night_date", "night_id", "slice", "metric", "value", "sample_count", "verdict", "candidate"]
    return pd.DataFrame(rows, columns=columns)


def _words(figure: go.Figure) -> str:
    return " | ".join(note.text for note in figure.layout.annotations)


def _kilobytes(figure: go.Figure) -> float:
    return len(figure.to_json()) / 1000


def test_every_verdict_has_its_own_colour_and_symbol() -> None:
    """Colour is never the only sign of a verdict."""
    names = [*(verdict.name for verdict in Verdict), "OPEN"]
    assert list(charts.VERDICT_COLOURS) == names
    assert len(set(charts.VERDICT_COLOURS.values())) == len(names)
    assert len({charts.VERDICT_SYMBOLS[name] for name in names}) == len(names)


def test_the_heatmap_writes_a_symbol_into_each_cell_and_a_legend_in_words() -> None:
    """A cell can be read without its colour, and the title says what the symbols mean."""
    matrix = pd.DataFrame([["PASS", "FAIL"], ["INCONCLUSIVE", "PASS"]], index=["a", "b"], columns=["cpu_share", "new"])
    figure = charts.verdict_heatmap(matrix)
    assert [list(row) for row in figure.data[0].text] == [["✓", "✕"], ["?", "✓"]]
    for words in ("✓ PASS", "✕ FAIL", "? INCONCLUSIVE"):
        assert words in figure.layout.title.text
    assert "WAIVED" not in figure.layout.title.text
    colours = dict(figure.data[0].colorscale)
    assert set(colours.values()) <= set(charts.VERDICT_COLOURS.values())


def test_the_tail_is_marked_with_p95_p99_and_the_limit() -> None:
    """The three figures that the gate compares are lines with their names and values."""
    figure = charts.latency_ecdf(_samples(), 4.0, 5.5, 8.0)
    assert len(figure.layout.shapes) == 3
    assert _words(figure) == "P95: 4.00 ms | P99: 5.50 ms | limit 2 × P95: 8.00 ms"
    assert "n = 1,500" in figure.layout.title.text
    assert "(ms)" in figure.layout.xaxis.title.text


def test_the_slowest_queries_are_all_drawn_of_many() -> None:
    """Of 200,000 samples a few hundred points are drawn, the slowest among them."""
    samples = _samples(200_000)
    figure = charts.latency_ecdf(samples, None, None, None)
    drawn = figure.data[0].x
    assert len(drawn) <= 400
    slowest = np.sort(samples["latency_ms"].to_numpy())[-5:]
    assert np.allclose(np.sort(drawn)[-5:], slowest.astype(np.float32))
    assert not figure.layout.shapes


def test_samples_without_a_latency_are_counted_and_not_drawn_as_zero() -> None:
    """A lost answer is said in the title; it is no fast answer."""
    samples = _samples(100)
    samples.loc[:9, "latency_ms"] = np.nan
    samples.loc[:9, "status"] = 0
    figure = charts.latency_ecdf(samples, None, None, None)
    assert "n = 90, 10 without a latency are not drawn" in figure.layout.title.text
    assert min(figure.data[0].x) > 0
    assert "10 without a good answer" in charts.latency_over_time(samples).layout.title.text


def test_over_time_keeps_the_slowest_and_bounds_the_points() -> None:
    """However long a run was, the chart stays light and the slowest query stays on it."""
    samples = _samples(60_000)
    figure = charts.latency_over_time(samples)
    assert len(figure.data[0].x) <= 2001
    assert np.isclose(max(figure.data[0].y), samples["latency_ms"].max())
    assert figure.data[0].type == "scatter"


def test_rounds_set_aside_are_grey_and_no_part_of_the_tail() -> None:
    """What the machine spoiled is left out of the distribution, and shown for what it is over time."""
    samples = _samples(100)
    samples.loc[:9, ["latency_ms", "set_aside"]] = [900.0, "the control stalled for 40 ms"]
    ecdf, over_time = charts.latency_ecdf(samples, None, None, None), charts.latency_over_time(samples)
    assert max(ecdf.data[0].x) < 900
    assert "10 in rounds set aside are not drawn" in ecdf.layout.title.text
    assert [colour == charts.MARK for colour in over_time.data[0].marker.color] == [True] * 10 + [False] * 90
    assert "stalled for 40 ms" in over_time.data[0].text[0]


def test_a_chart_of_nothing_says_so() -> None:
    """Empty axes would look like a healthy zero: without data there is a sentence."""
    nothing = _samples(0)
    figures = (
        charts.latency_ecdf(nothing, None, None, None),
        charts.latency_over_time(nothing),
        charts.quality_by_class([]),
        charts.latency_trend(_trend(3), "p50_ms"),
        charts.verdict_heatmap(pd.DataFrame()),
    )
    for figure in figures:
        assert len(figure.data) == 0
        assert _words(figure)


def test_quality_draws_a_panel_per_class_with_its_floor() -> None:
    """Each class has its own panel and floor; below it the mark changes shape, and absence is no mark."""
    values = {"recall_at_50": 0.9, "recall_at_50_nl": 0.7, "recall_at_50_sym": None}
    measured = Measurement("a/b/c", "x", tuple(Metric(name, value, 300) for name, value in values.items()), "")
    figure = charts.quality_by_class([measured], {"recall_at_50_nl": 0.75, "cpu_share": 0.7})
    assert len(figure.data) == 1 + len(QUERY_CLASSES)
    assert len(figure.layout.shapes) == 1
    assert "floor 0.75" in _words(figure)
    assert [trace.marker.symbol for trace in figure.data[:2]] == [("circle",), ("x",)]
    assert figure.data[2].x == (None,)


def test_a_trend_draws_a_panel_per_slice_with_its_limit() -> None:
    """Twelve slices are twelve panels, each with name, newest value, and threshold in sight."""
    figure = charts.latency_trend(_trend(14), "p99_ms", dict.fromkeys(_SLICES, 5.5))
    axes = [key for key in figure.layout.to_plotly_json() if key.startswith("yaxis")]
    assert len(axes) == 12
    assert len(figure.layout.shapes) == 12
    assert all(figure.layout[axis].range[1] > 5.5 for axis in axes)
    assert _words(figure).count("limit 5.50 ms") == 12
    assert "(ms)" in figure.layout.title.text


def test_a_slice_without_a_night_keeps_its_panel() -> None:
    """Its axes are there, without which plotly would write its heading over the first panel."""
    figure = charts.latency_trend(_trend(4, _SLICES[:1]), "p99_ms", None, _SLICES[:2])
    assert [trace.xaxis for trace in figure.data if trace.y[0] is None] == ["x2"]
    assert f"<b>{_SLICES[1]}</b><br>no value" in _words(figure)


def test_each_point_of_a_trend_carries_its_night() -> None:
    """A click on a point can lead to its night, and the hover says how many samples it stands on."""
    figure = charts.latency_trend(_trend(4), "p99_ms", 5.0, _SLICES[:1])
    line = figure.data[0]
    assert [point[0] for point in line.customdata] == ["night-0", "night-1", "night-2", "night-3"]
    assert "n = %{customdata[1]" in line.hovertemplate


def test_nights_that_did_not_advance_are_marked_by_shape() -> None:
    """FAIL is an ✕ and INCONCLUSIVE a ring, so that the marks can be told apart without colour."""
    figure = charts.latency_trend(_trend(4), "p99_ms", None, _SLICES[:1])
    marks = {trace.marker.symbol: [point[0] for point in trace.customdata] for trace in figure.data[1:]}
    assert marks == {"x": ["night-2"], "circle-open": ["night-1"]}


def test_a_night_without_a_value_is_a_gap() -> None:
    """The line breaks where nothing was measured: it is neither bridged nor drawn as zero."""
    trend = _trend(4)
    trend.loc[trend["night_id"] == "night-2", "value"] = np.nan
    line = charts.latency_trend(trend, "p99_ms", None, _SLICES[:1]).data[0]
    assert np.isnan(line.y[2])
    assert line.connectgaps is False


def test_missing_dates_are_not_squeezed_together() -> None:
    """Nights on every date are start and step; with a date left out each keeps its own date."""
    daily = charts.latency_trend(_trend(4), "p99_ms", None, _SLICES[:1]).data[0]
    assert (daily.x0, daily.dx, daily.x) == ("2026-01-01", 86_400_000, None)
    weekly = charts.latency_trend(_trend(4, step=7), "p99_ms", None, _SLICES[:1]).data[0]
    assert weekly.x == ("2026-01-01", "2026-01-08", "2026-01-15", "2026-01-22")


def test_figures_stay_light() -> None:
    """180 nights of twelve slices, and a run of 15,000 queries, stay within what a page can send."""
    assert _kilobytes(charts.latency_trend(_trend(180), "p99_ms", 5.0)) < 220
    assert _kilobytes(charts.latency_ecdf(_samples(15_000), 4.0, 5.5, 8.0)) < 20
    assert _kilobytes(charts.latency_over_time(_samples(15_000))) < 120
    assert all(len(trace.customdata) <= 400 for trace in charts.latency_trend(_trend(500), "p99_ms").data)


def test_words_take_the_ink_of_the_page() -> None:
    """On a dark page the words are light, on a light one dark; backgrounds are left to the page."""
    figure = charts.latency_trend(_trend(2), "p99_ms")
    assert charts.inked(figure, dark=True).layout.font.color == "#E8EAED"
    assert charts.inked(figure, dark=False).layout.font.color == "#31333F"
    assert json.loads(figure.to_json())["layout"]["template"]["layout"]["paper_bgcolor"] == "rgba(0,0,0,0)"
