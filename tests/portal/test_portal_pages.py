"""The pages, run without a browser, on nights of every kind."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lens_core.errors import IntegrityError, Unavailable
from lens_core.model import Candidate, Verdict
from portal import reading
from tests.portal import fake_lens
from tests.portal.fake_lens import NEWEST, SLICES, FakeLens, add_night, night_of, seeded, spoiled

_APP = Path(__file__).parents[2] / "portal" / "app.py"
_TRENDS = """
import streamlit as st
from portal.views import last_night, trends
trends.show(st.Page(last_night.show, default=True))
"""


def _night_page(**asked: str) -> AppTest:
    page = AppTest.from_file(str(_APP), default_timeout=30)
    for name, value in asked.items():
        page.query_params[name] = value
    return page.run()


def _trends_page(**asked: str) -> AppTest:
    page = AppTest.from_string(_TRENDS, default_timeout=30)
    for name, value in asked.items():
        page.query_params[name] = value
    return page.run()


def _text(page: AppTest) -> str:
    """Everything that the page says, errors of the script included."""
    assert not page.exception, page.exception
    html = [element.proto.body for element in page.get("html") if not element.proto.body.startswith("<style>")]
    words = [element.value for kind in (page.markdown, page.error, page.warning, page.code) for element in kind]
    titles = [element.value for kind in (page.title, page.subheader) for element in kind]
    return "\n".join([*html, *words, *titles])


def test_an_empty_ledger_says_how_to_run_the_first_night(ledger: FakeLens) -> None:
    """Without a night the page says so, never that something passed, and names the command."""
    text = _text(_night_page())
    assert "No night yet" in text
    assert "lens nightly-validation" in text
    assert "PASS" not in text


def test_a_green_night_says_pass_and_what_it_is_bound_to(ledger: FakeLens) -> None:
    """A night that passed is said to pass, with candidate, digest, commit, seed and policy beside it."""
    night = night_of(NEWEST)
    add_night(ledger, night)
    text = _text(_night_page())
    assert "✓ PASS: night of 24 November 2026" in text
    for bound in (
        str(night.candidate.digest),
        night.candidate.commit,
        "20261124",
        str(night.policy_digest),
        "0.25 min",
    ):
        assert bound in text
    assert "Every gate that was asked has passed." in text
    assert "DIRTY" not in text


def test_a_failed_night_names_the_worst_reason_first(ledger: FakeLens) -> None:
    """FAIL comes before ERROR, ERROR before INCONCLUSIVE, and what is waived comes last."""
    add_night(ledger, night_of(NEWEST, Verdict.FAIL), spoiled)
    reasons = next(
        e.proto.body for e in _night_page().get("html") if "Answers that are not a plain PASS" in e.proto.body
    )
    places = [reasons.index(words) for words in ("2.31 is not ≤ 2", "cpu_share", "at least 30 are needed", "waived:")]
    assert places == sorted(places)
    assert "12 slices" in reasons


def test_twelve_slices_stand_in_the_matrix(ledger: FakeLens) -> None:
    """All twelve slices of the night have a row, each with a link to its answers."""
    add_night(ledger, night_of(NEWEST))
    matrix = next(e.proto.body for e in _night_page().get("html") if "lens-matrix" in e.proto.body)
    for name in SLICES:
        assert f">{name}</a>" in matrix
    assert matrix.count("<tr>") == len(SLICES) + 2


def test_a_slice_that_nobody_answered_for_is_inconclusive(ledger: FakeLens) -> None:
    """A slice without measurement and answers is shown as INCONCLUSIVE in words, not as a blank or a pass."""
    add_night(ledger, night_of(NEWEST, Verdict.INCONCLUSIVE), slices=SLICES[1:])
    page = _night_page(slice=SLICES[0])
    matrix = next(e.proto.body for e in page.get("html") if "lens-matrix" in e.proto.body)
    row = next(part for part in matrix.split("<tr") if f">{SLICES[0]}</a>" in part)
    assert "v-PASS" not in row
    assert row.count("? no answer") == row.count("<td")
    assert "**No answer**" in _text(page)


def test_a_verdict_better_than_its_answers_is_called_out(ledger: FakeLens) -> None:
    """When the ledger says PASS above a failed answer, the page tells the reader not to trust it."""
    add_night(ledger, night_of(NEWEST, Verdict.PASS), spoiled)
    assert "Do not trust this verdict" in _text(_night_page())


def test_an_error_night_says_what_broke(ledger: FakeLens) -> None:
    """A night that crashed says ERROR with its reason, and does not let the candidate advance."""
    add_night(ledger, night_of(NEWEST, Verdict.ERROR), lambda _: [], slices=())
    text = _text(_night_page())
    assert "! ERROR" in text
    assert "the kernel of backend/python/large died in cell 3" in text
    assert "It does not advance." in text
    assert "No gate has answered." in text


def test_an_open_night_has_no_verdict_yet(ledger: FakeLens) -> None:
    """While a night runs the page says that there is no verdict, even when all answers so far pass."""
    add_night(ledger, night_of(NEWEST, None), slices=SLICES[:3], files=False)
    text = _text(_night_page())
    assert "OPEN" in text
    assert "no verdict yet" in text
    assert "lets it advance" not in text
    assert "No file was recorded" in text


def test_a_dirty_working_tree_is_said_loudly(ledger: FakeLens) -> None:
    """A candidate built from uncommitted changes gets an error box, not a footnote."""
    clean = night_of(NEWEST)
    dirty = replace(clean, candidate=replace(clean.candidate, dirty=True))
    add_night(ledger, dirty)
    assert any("DIRTY" in box.value for box in _night_page().error)


def test_a_night_of_fewer_slices_says_that_it_is_not_full(ledger: FakeLens) -> None:
    """A night over two slices cannot be mistaken for a full one."""
    add_night(ledger, night_of(NEWEST, slices=SLICES[:2]), slices=SLICES[:2])
    assert "2 of the 12 slices" in _night_page().warning[0].value


def test_an_unknown_night_is_refused_and_no_other_is_shown(ledger: FakeLens) -> None:
    """An address that names no night gets an error, not silently the verdict of another night."""
    add_night(ledger, night_of(NEWEST))
    text = _text(_night_page(night="2020-01-01"))
    assert "No night “2020-01-01” in this ledger" in text
    assert "lens-verdict" not in text


@pytest.mark.parametrize("asked", ["2026-11-20", "2026-11-20.1"])
def test_an_older_night_is_chosen_by_date_or_by_id(
    tmp_path: Path, serve_ledger: Callable[[FakeLens], None], asked: str
) -> None:
    """The address of a night shows that night, whether it names the date or the id."""
    serve_ledger(seeded(tmp_path, 14, files=False))
    assert "night of 20 November 2026" in _text(_night_page(night=asked))


def test_choosing_a_slice_shows_value_threshold_count_reason_and_evidence(ledger: FakeLens) -> None:
    """A chosen slice shows every answer with all that is needed to doubt it."""
    add_night(ledger, night_of(NEWEST, Verdict.FAIL), spoiled)
    page = _night_page()
    page.selectbox(key="slice").select("backend/python/large").run()
    table = next(e.proto.body for e in page.get("html") if "Answers for backend/python/large" in e.proto.body)
    for words in ("2.31×", "≤ 2.00×", "1,500", "2.31 is not ≤ 2", "no value"):
        assert words in table
    page.toggle(key="draw").set_value(True).run()
    assert len(page.get("plotly_chart")) == 2
    assert "n = 1,500" in _text(page)


def test_lost_samples_do_not_hide_the_answers(ledger: FakeLens, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the samples are gone the page says so, and still shows answers and evidence."""
    add_night(ledger, night_of(NEWEST))

    def gone(*_: str) -> None:
        raise IntegrityError("samples.parquet is missing")

    monkeypatch.setattr(ledger, "samples", gone)
    text = _text(_night_page(slice=SLICES[0], draw="true"))
    assert "samples.parquet is missing" in text
    assert f"Answers for {SLICES[0]}" in text
    assert "Files that the verdict rests on" in text


def test_only_what_did_not_pass_leaves_the_rest_out(ledger: FakeLens) -> None:
    """With the switch on, slices and gates that all passed are gone from the matrix."""
    worst = (SLICES[3], "cpu_share")
    add_night(
        *(ledger, night_of(NEWEST, Verdict.FAIL)),
        lambda answers: [replace(a, verdict=Verdict.FAIL) if (a.slice, a.gate) == worst else a for a in answers],
    )
    matrix = next(e.proto.body for e in _night_page(only="true").get("html") if "lens-matrix" in e.proto.body)
    assert matrix.count("<td") == 1
    assert f">{SLICES[3]}</a>" in matrix
    assert "CPU" in matrix


def test_text_of_the_ledger_is_never_markup(ledger: FakeLens) -> None:
    """A version, a reason or a slice that holds HTML is shown as text."""
    evil = "<img src=x onerror=alert(1)>"
    night = night_of(
        NEWEST, Verdict.FAIL, reason=evil, candidate=Candidate(evil, fake_lens.digest_of(""), evil, dirty=False)
    )
    add_night(ledger, night, lambda answers: [replace(answers[0], verdict=Verdict.FAIL, reason=evil)])
    html = "".join(element.proto.body for element in _night_page(slice=SLICES[0]).get("html"))
    assert "<img" not in html
    assert "&lt;img" in html


def test_a_ledger_that_cannot_be_read_is_told_with_what_to_do(ledger: FakeLens) -> None:
    """A reading that fails is an error box with the hint, not a traceback and not an empty page."""
    ledger.broken = Unavailable("the ledger is locked", "stop the other writer")
    text = _text(_night_page())
    assert "the ledger is locked" in text
    assert "stop the other writer" in text


def test_trends_of_an_empty_ledger_say_how_to_begin(ledger: FakeLens) -> None:
    """Without a closed night the trends page names the command instead of drawing an empty chart."""
    add_night(ledger, night_of(NEWEST, None), files=False)
    assert "lens nightly-validation" in _text(_trends_page())


def test_trends_land_on_a_table_of_twelve_and_draw_on_demand(
    tmp_path: Path, serve_ledger: Callable[[FakeLens], None]
) -> None:
    """The table of all slices comes first; the heavy chart is drawn only when it is asked for."""
    serve_ledger(seeded(tmp_path, 8, files=False))
    page = _trends_page()
    assert list(page.dataframe[0].value["slice"]) == list(SLICES)
    assert not page.get("plotly_chart")
    page.toggle(key="charts").set_value(True).run()
    assert len(page.get("plotly_chart")) == 1
    assert not page.exception


def test_metric_slices_and_charts_of_the_trends_come_from_the_address(
    tmp_path: Path, serve_ledger: Callable[[FakeLens], None]
) -> None:
    """Everything that was chosen on the trends page can be sent to somebody as an address."""
    serve_ledger(seeded(tmp_path, 4, files=False))
    page = _trends_page(metric="P99÷P95", slices="backend/python/small", charts="true")
    frame = page.dataframe[0].value
    assert list(frame["slice"]) == ["backend/python/small"]
    assert frame["limit"].tolist() == [2.0]
    assert len(page.get("plotly_chart")) == 1


def test_a_trend_reads_each_closed_night_once(tmp_path: Path, serve_ledger: Callable[[FakeLens], None]) -> None:
    """Looking at the trends again reads no night again, and a new night costs one reading of it."""
    lens = seeded(tmp_path, 30, files=False)
    serve_ledger(lens)
    _trends_page()
    assert sorted(lens.measured) == sorted(night.night_id for night in lens.held_nights)
    lens.measured.clear()
    _trends_page(metric="P95")
    assert lens.measured == []
    add_night(lens, night_of(NEWEST + timedelta(days=1)), files=False)
    reading.nights.clear()
    assert not _trends_page().exception
    assert lens.measured == ["2026-11-25.1"]
