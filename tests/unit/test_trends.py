"""Trends and forecasts over a house of fakes: the service, the command line, and the cells of the report."""

import json
import re
from datetime import timedelta

import numpy as np
import pytest
from fakes import SLICES, build_house
from places import PROJECT

from lens_core import bootstrap, cli, trends_cli
from lens_core.errors import InvalidInput
from lens_core.model import NightState, Verdict
from lens_core.night import NightRequest

NIGHTS = 12


def run_nights(house, count):
    """Run ``count`` nights, one a date, each a little different."""
    for place in range(count):
        house.load.latencies_ms = tuple(np.random.default_rng(place).lognormal(0.7, 0.3, 200))
        house.lens.nightly_validation(NightRequest(0.06))
        house.clock.moment += timedelta(days=1)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A house with twelve nights over two slices; tests only read it."""
    made = build_house(tmp_path_factory.mktemp("home"))
    run_nights(made, NIGHTS)
    return made


@pytest.fixture
def call(monkeypatch, capsys):
    """Call the command in this process over a house; exit code, output and errors."""

    def called(house, *arguments):
        monkeypatch.setattr(trends_cli, "open_lens", lambda: house.lens)
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return called


def test_a_series_has_a_point_a_night_with_the_gates_limit(house):
    """Values, ids and counts are the ledger's; the tail ratio carries the gate's 2.0, the P99 no limit."""
    ratio = house.lens.series("tail_ratio")
    assert [one.slice for one in ratio] == list(SLICES)
    first = ratio[0]
    assert [p.night_id for p in first.points] == [n.night_id for n in reversed(house.lens.nights())]
    newest = house.lens.measurements(first.points[-1].night_id)[0].get("tail_ratio")
    assert (first.points[-1].value, first.points[-1].sample_count) == (newest.value, newest.sample_count)
    assert (first.limit.value, first.limit.sign) == (2.0, "≤")
    assert [one.limit for one in house.lens.series("p99_ms")] == [None, None]


def test_a_series_can_end_at_a_night(house):
    """So that a night's report shows what was known that night."""
    third = house.lens.nights()[-3]
    assert len(house.lens.series("p99_ms", through=third.night_id)[0].points) == 3


@pytest.mark.parametrize(("arguments", "words"), [(("p99",), "p99_ms"), (("p99_ms", ("a/b/c",)), SLICES[0])])
def test_what_nobody_knows_is_refused_with_what_is_known(house, arguments, words):
    """A mistyped metric or slice is no empty trend."""
    with pytest.raises(InvalidInput) as refused:
        house.lens.trends(*arguments)
    assert words in refused.value.hint


def test_a_slice_of_the_catalogue_that_was_never_measured_is_named(tmp_path):
    """An absent slice is a series without points: it says that there are not enough nights."""
    house = build_house(tmp_path)
    house.lens.nightly_validation(NightRequest(0.05, repo_types=("backend",)))
    by_slice = {trend.series.slice: trend.absent for trend in house.lens.trends("p99_ms")}
    assert by_slice[SLICES[1]] == "not enough nights: 0 with a value, 8 are needed"
    assert by_slice[SLICES[0]] == "not enough nights: 1 with a value, 8 are needed"


def test_a_partial_night_does_not_take_the_other_slices_limits(tmp_path):
    """The limit of a slice is that of the newest night that was bound to it."""
    house = build_house(tmp_path)
    run_nights(house, 1)
    house.lens.nightly_validation(NightRequest(0.05, repo_types=("backend",)))
    assert [one.limit.value for one in house.lens.series("tail_ratio")] == [2.0, 2.0]


def test_a_night_that_broke_is_a_gap(tmp_path):
    """A night that could measure nothing keeps its place in the row, without a value."""
    house = build_house(tmp_path)
    run_nights(house, 1)
    house.service.fails_to_index = True
    house.builder.source = "two"
    assert house.lens.nightly_validation(NightRequest(0.05)).verdict is Verdict.ERROR
    points = house.lens.series("p99_ms")[0].points
    assert [p.value is None for p in points] == [False, True]


@pytest.mark.parametrize("command", ["trends", "forecast"])
def test_an_empty_ledger_says_how_to_begin(tmp_path, call, command):
    """No night yet is no error, and names the command for the first; as JSON it is empty."""
    house = build_house(tmp_path)
    code, out, _ = call(house, command)
    assert (code, "lens nightly-validation" in out) == (0, True)
    code, out, _ = call(house, command, "--json")
    assert (code, json.loads(out)) == (0, [] if command == "trends" else {"forecasts": [], "backtest": None})


def test_trends_are_printed_with_their_words(house, call):
    """Each slice with its newest value and unit, early warning and changes."""
    code, out, _ = call(house, "trends", "--metric", "tail_ratio")
    assert code == 0
    for words in (*SLICES, "Tail ratio", "≤ 2.00×", "12 nights", "early warning"):
        assert words in out
    assert SLICES[1] not in call(house, "trends", "--slice", SLICES[0])[1]


def test_a_forecast_is_printed_with_its_backtest(house, call):
    """The nights ahead, what the interval rests on, and in words how the models stand to the last value."""
    code, out, _ = call(house, "forecast", "--metric", "tail_ratio", "--nights", "2", "--backtest")
    assert code == 0
    for words in ("in 2 nights", "80 % interval", "breaks by then", "last-value-naive", "the 80 % interval", "Brier"):
        assert words in out
    assert re.search(r"\d+\.\d+ % \(n = \d+\)", out)


def test_both_commands_speak_json(house, call):
    """Programs get dates as words and absent numbers as null, never NaN."""
    trends = json.loads(call(house, "trends", "--json")[1])
    assert trends[0]["series"]["points"][0]["night_id"] == "2026-11-24.1"
    assert trends[0]["watch"] in ("quiet", "warned")
    document = json.loads(call(house, "forecast", "--backtest", "--json")[1], parse_constant=pytest.fail)
    assert len(document["forecasts"][0]["steps"]) == 7
    assert document["forecasts"][0]["steps"][6]["low"] is None
    assert document["backtest"]["nights"] == 7


@pytest.mark.parametrize("command", ["trends", "forecast"])
def test_a_page_is_whole_and_needs_no_network(house, call, tmp_path, command):
    """The figure's program is in the page; nothing else is left in the folder, and the old page is replaced."""
    page = tmp_path / "page.html"
    page.write_text("old")
    code, out, _ = call(house, command, "--html", str(page))
    assert (code, str(page) in out.replace("\n", "")) == (0, True)
    text = page.read_text()
    assert "Plotly.newPlot" in text
    assert "<script src=" not in text
    assert SLICES[0] in text
    assert list(tmp_path.iterdir()) == [page]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("trends", "--metric", "nope"), "p99_ms"),
        (("trends", "--slice", "nope"), SLICES[0]),
        (("forecast", "--nights", "0"), "1 to 30"),
        (("trends", "--html", "/nowhere/page.html"), "cannot be written"),
    ],
)
def test_a_wrong_request_exits_with_2_and_says_what_to_change(house, call, arguments, words):
    """The caller's mistakes are named on standard error."""
    code, _, err = call(house, *arguments)
    assert (code, words in err) == (2, True)


@pytest.mark.parametrize("count", [1, 9])
def test_the_cells_of_the_report_run_over_an_open_night(tmp_path, monkeypatch, count):
    """With one night only, and with nine, the report's cells come to their end while the night still runs."""
    house = build_house(tmp_path)
    run_nights(house, count - 1)
    monkeypatch.setattr(bootstrap, "open_lens", lambda _home, _config: house.lens)
    cells = json.loads((PROJECT / "notebooks" / "nightly_report.ipynb").read_text())["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    seen = {}

    def report(night_id):
        assert house.lens.night(night_id).state is NightState.OPEN
        exec("\n".join([sources[0], f"night_id = {night_id!r}", *sources[1:-1]]), seen)  # noqa: S102  (as a kernel does)

    work = house.notebooks._work
    monkeypatch.setattr(
        house.notebooks, "_work", lambda name, night_id: report(night_id) if name == "report" else work(name, night_id)
    )
    house.lens.nightly_validation(NightRequest(0.06))
    assert len(seen["p99_trends"][0].series.points) == count
    absent = {trend.absent for trend in seen["ratio_trends"]} | {made.absent for made in seen["ratio_forecasts"]}
    assert absent == ({"not enough nights: 1 with a value, 8 are needed"} if count == 1 else {""})
