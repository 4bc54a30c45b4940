"""Trends and forecasts as figures and tables: every sign has its words, and nothing looks healthy by being empty."""

import math
from dataclasses import replace

import numpy as np
import pytest
from nights import noise, series, step

from lens_core import trend_views
from lens_core.changes import find_changes
from lens_core.forecast import forecast
from lens_core.series import Limit
from lens_core.trend_charts import forecast_fan, trend_with_changes


def _words(figure):
    return " | ".join(note.text.replace("<br>", " ") for note in figure.layout.annotations)


def _level(seed=1, nights=30):
    return 2.0 * np.exp(noise(seed, nights))


@pytest.fixture(scope="module")
def stepped():
    """A series with one step of a fifth, and a limit."""
    return series(step(1, 40, at=25, share=0.2), 2.8)


def test_a_change_point_is_a_line_with_its_date_and_effect(stepped):
    """The mark reads without a legend, and the hover says how long the level stood."""
    trend = find_changes(stepped)
    figure = trend_with_changes([trend])
    [change] = trend.changes
    day = f"{change.night_date.day} {change.night_date:%b}"
    assert f"{day} +" in _words(figure)
    uprights = [shape for shape in figure.layout.shapes if shape.x0 == str(change.night_date)]
    assert len(uprights) == 1
    hover = next(trace for trace in figure.data if trace.text)
    assert hover.text == (trend_views.change_words(change),)
    assert f"stood {change.standing_nights} nights" in hover.text[0]


def test_an_early_warning_is_a_triangle_in_its_direction():
    """Up for a rise, down for a fall, and the heading says since when."""
    values = step(3, 36, at=30, share=0.33)
    for drawn, symbol in ((values, "triangle-up-open"), (1 / values, "triangle-down-open")):
        figure = trend_with_changes([find_changes(series(drawn))])
        assert symbol in [trace.marker.symbol for trace in figure.data]
        assert "early warning since 2026-0" in _words(figure)


def test_each_night_carries_its_id_count_and_candidate():
    """A click leads to a night; the night with another candidate than before is a diamond."""
    candidates = ["0.1.0 aaa"] * 20 + ["0.2.0 bbb"] * 10
    line = trend_with_changes([find_changes(series(_level(), candidates=candidates))]).data[0]
    assert line.customdata[0] == ["2026-06-01.1", 1500, "0.1.0 aaa"]
    assert [place for place, symbol in enumerate(line.marker.symbol) if symbol == "diamond-open"] == [20]


def test_gaps_break_the_line_and_so_do_dates_without_a_night():
    """Neither a night without a value nor a missing date is bridged."""
    one = series([*_level(nights=12), None, 2.0])
    later = replace(one.points[-1], night_date=one.points[-1].night_date.replace(day=20))
    figure = trend_with_changes([find_changes(replace(one, points=(*one.points[:-1], later)))])
    line = figure.data[0]
    assert line.connectgaps is False
    assert [value is None for value in line.y] == [*[False] * 12, True, True, False]
    assert line.x[-2:] == (None, "2026-06-20")


def test_the_limit_is_in_sight_and_in_words(stepped):
    """Dashed across the panel, within its range, named in the heading with its sign."""
    for figure in (trend_with_changes([find_changes(stepped)]), forecast_fan([forecast(stepped)])):
        [limit] = [shape for shape in figure.layout.shapes if shape.y0 == 2.8]
        assert limit.line.dash == "dash"
        low, high = figure.layout.yaxis.range
        assert low < 2.8 < high
        assert "limit ≤ 2.80 ms" in _words(figure)


def test_a_fan_has_a_band_where_there_is_an_interval():
    """Seven nights ahead with a band as wide as the intervals; value, interval, n and chance in words."""
    made = forecast(series(_level(), 2.2))
    figure = forecast_fan([made])
    _, low, high, line = figure.data
    assert high.fill == "tonexty"
    assert list(low.y) == [one.low for one in made.steps]
    assert list(high.y) == [one.high for one in made.steps]
    assert list(line.x) == [str(one.night_date) for one in made.steps]
    words = _words(figure)
    assert f"in 7 nights {made.steps[-1].value:.2f} ms" in words
    assert f"(n = {made.steps[-1].residual_count})" in words
    assert f"breaks: {trend_views.breach_words(made)}" in words


def test_without_an_interval_there_is_no_band_and_the_heading_says_so():
    """Nine nights have errors for one night ahead only: the band ends there."""
    figure = forecast_fan([forecast(series(_level(nights=9), 2.2))])
    assert [len(trace.x) for trace in figure.data] == [9, 1, 1, 7]
    assert "no interval (n = 0)" in _words(figure)
    assert "no probability (n = 0, 4 needed)" in _words(figure)


def test_a_forecast_trained_after_a_change_shows_from_where(stepped):
    """The first night of the present level is marked with its date."""
    assert "trained from 2" in _words(forecast_fan([forecast(stepped)]))


@pytest.mark.parametrize("draw", [trend_with_changes, forecast_fan])
def test_no_evidence_is_a_figure_that_says_so(draw):
    """No night, no value, too few nights: words, and never empty axes."""
    compute = find_changes if draw is trend_with_changes else forecast
    assert "run `lens nightly-validation`" in _words(draw([]))
    assert _words(draw([compute(series([]))])) == "no night has measured this"
    figure = draw([compute(series(_level(), 2.8)), compute(series([], 2.8, name="a/b/c")), compute(series([2.0] * 3))])
    assert "<b>a/b/c</b> no value, limit ≤ 2.80 ms ╌ not enough nights: 0 with a value, 8 are needed" in _words(figure)
    assert "not enough nights: 3 with a value" in _words(figure)
    assert figure.layout.xaxis2.visible is figure.layout.yaxis2.visible is False
    assert len([shape for shape in figure.layout.shapes if shape.y0 == 2.8]) == 1
    assert {trace.xaxis for trace in figure.data} == {"x", "x2", "x3"}


def test_figures_of_half_a_year_stay_light():
    """180 nights of twelve slices, with changes, within what a page can send."""
    trends = [find_changes(series(step(seed, 180, at=90, share=0.2), 2.8)) for seed in range(12)]
    assert len(trend_with_changes(trends).to_json()) < 240_000


def test_the_trend_table_says_what_is_missing():
    """Newest value with its date when it is old, gaps, skipped dates and the limit in words."""
    one = series([*_level(nights=12), None], Limit(2.5, "<"))
    [row] = trend_views.trend_table([find_changes(one)]).to_dict("records")
    assert row["newest"].endswith("ms on 2026-06-12")
    assert row["limit"] == "< 2.50 ms"
    assert row["early warning"] == "cannot be told: the newest night has no value"
    assert row["nights"] == "13 nights, 1 without a value"
    [row] = trend_views.trend_table([find_changes(series([math.nan]))]).to_dict("records")
    assert (row["newest"], row["changes"], row["limit"]) == ("no value", "–", "no limit")


def test_a_changed_candidate_is_named_with_the_change():
    """Whoever reads the date reads what was released that night."""
    candidates = ["0.1.0 aaa"] * 15 + ["0.2.0 bbb"] * 9
    trend = find_changes(series([2.0, 2.02, 1.98] * 5 + [2.6, 2.62, 2.58] * 3, candidates=candidates))
    [row] = trend_views.trend_table([trend]).to_dict("records")
    assert row["changes"] == "2026-06-16: +30.0 %, stood 9 nights, candidate 0.1.0 aaa → 0.2.0 bbb"


def test_the_forecast_table_names_a_model_that_was_left_out():
    """What the number rests on stands beside it."""
    made = forecast(series(_level(), 2.2))
    [row] = trend_views.forecast_table([replace(made, left_out=("local level",))]).to_dict("records")
    assert row["trained on"] == "30 nights from 2026-06-01; without local level (did not converge)"
    assert row["80 % interval"].endswith(f"(n = {made.steps[-1].residual_count})")
    [row] = trend_views.forecast_table([forecast(series([2.0]))]).to_dict("records")
    assert row["forecast"] == "not enough nights: 1 with a value, 8 are needed"
    assert row["breaks by then"] == "–"
