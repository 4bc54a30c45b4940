"""Records → DataFrame, and numbers → words."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime

import pandas as pd
import pytest

from lens_core import views
from lens_core.model import Answer, Candidate, Digest, Interval, Measurement, Metric, Night, NightState, Verdict

_DIGEST = Digest("sha256:" + "a" * 64)
_SMALL, _LARGE = "backend/python/small", "backend/python/large"


def _night(day: int, verdict: Verdict | None = Verdict.PASS, attempt: int = 1) -> Night:
    return Night(
        night_id=f"2026-11-{day:02d}.{attempt}",
        night_date=date(2026, 11, day),
        attempt=attempt,
        candidate=Candidate("0.2.0", _DIGEST, "c" * 40, dirty=False),
        baseline=None,
        policy_digest=_DIGEST,
        dataset_digest=_DIGEST,
        slices=(_SMALL, _LARGE),
        seed=7,
        duration_minutes=1.0,
        folder="nights/x/1",
        state=NightState.CLOSED if verdict else NightState.OPEN,
        verdict=verdict,
        reason="",
        opened_at=datetime(2026, 11, day, 2, tzinfo=UTC),
        closed_at=None,
    )


def _answer(verdict: Verdict, slice_name: str = _SMALL, gate: str = "tail_ratio", **rest: object) -> Answer:
    return Answer(gate, slice_name, verdict, str(rest.pop("reason", "why")), **rest)  # type: ignore[arg-type]


def _measured(slice_name: str, **values: float | None) -> Measurement:
    metrics = tuple(Metric(name, value, 0 if value is None else 1500) for name, value in values.items())
    return Measurement(slice_name, "corpus", metrics, str(_DIGEST))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("p99_ms", 2.3149, "2.31 ms"),
        ("p99_ms", 23.149, "23.1 ms"),
        ("p99_ms", 1204.2, "1,204 ms"),
        ("p99_ms", 0.0, "0.00 ms"),
        ("tail_ratio", 1.4242, "1.42×"),
        ("p95_vs_baseline", 1.031, "1.03×"),
        ("recall_at_50", 0.9531, "0.953"),
        ("recall_at_50_nl", 0.75, "0.750"),
        ("ndcg_at_10_vs_baseline", 0.021, "+2.1 %"),
        ("recall_at_50_vs_baseline", -0.0042, "−0.42 %"),
        ("cpu_share", 0.641, "64.1 %"),
        ("error_rate", 0.0007, "0.07 %"),
        ("error_rate", 0.0, "0.0 %"),
        ("rss_peak_mb", 512.34, "512.3 MB"),
        ("index_seconds", 12.0, "12.0 s"),
        ("vulnerabilities", 3.0, "3"),
        ("something_new", 12.3456, "12.35"),
    ],
)
def test_a_number_carries_its_unit(name: str, value: float, words: str) -> None:
    """The name of a metric decides how its value is written."""
    assert views.format_value(name, value) == words


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
@pytest.mark.parametrize("name", ["p99_ms", "recall_at_50", "error_rate", "vulnerabilities", "something_new"])
def test_an_absent_number_is_never_a_zero(name: str, value: float | None) -> None:
    """What was not measured reads ``no value``, whatever its unit."""
    assert views.format_value(name, value) == "no value"
    assert views.format_ms(value) == "no value"


def test_thresholds_and_counts_are_written_with_their_sign() -> None:
    """A threshold shows on which side of it one must be, a count its n."""
    assert views.format_threshold(Answer("tail_ratio", "", Verdict.PASS, "", threshold=2.0, sign="≤")) == "≤ 2.00×"
    assert views.format_threshold(Answer("recall_at_50", "", Verdict.PASS, "", threshold=0.85, sign="≥")) == "≥ 0.850"
    assert views.format_threshold(Answer("compatibility", "", Verdict.PASS, "")) == "no threshold"
    assert views.format_count(1500) == "n = 1,500"


def test_an_unknown_gate_is_called_by_its_own_name() -> None:
    """A gate that views has no words for is drawn under its name, and not left out."""
    assert views.term_of("licence_audit").title == "Licence audit"
    assert views.verdict_matrix([_answer(Verdict.FAIL, gate="licence_audit")], [_SMALL]).columns.tolist() == [
        "licence_audit"
    ]


def test_the_matrix_never_shows_silence_as_a_pass() -> None:
    """A slice, or a gate of a slice, that nobody answered is INCONCLUSIVE."""
    answers = [_answer(Verdict.PASS), _answer(Verdict.PASS, gate="cpu_share")]
    matrix = views.verdict_matrix([*answers, _answer(Verdict.PASS, _LARGE)], [_SMALL, _LARGE, "monorepo/mixed/large"])
    assert matrix.loc[_SMALL].tolist() == ["PASS", "PASS"]
    assert matrix.loc[_LARGE].tolist() == ["PASS", "INCONCLUSIVE"]
    assert matrix.loc["monorepo/mixed/large"].tolist() == ["INCONCLUSIVE", "INCONCLUSIVE"]


def test_the_matrix_of_no_answers_still_has_its_slices() -> None:
    """Without any answer every slice stands there, INCONCLUSIVE."""
    matrix = views.verdict_matrix([], [_SMALL, _LARGE])
    assert matrix.index.tolist() == [_SMALL, _LARGE]
    assert set(matrix.to_numpy().ravel()) == {"INCONCLUSIVE"}


def test_the_matrix_keeps_order_the_worst_answer_and_slices_nobody_expected() -> None:
    """Gates come in the order of the answers, night-wide ones stay out, and of two answers the worse counts."""
    answers = [
        _answer(Verdict.FAIL, gate="cpu_share"),
        _answer(Verdict.PASS, gate="cpu_share"),
        _answer(Verdict.PASS, gate="tail_ratio"),
        _answer(Verdict.PASS, "frontend/javascript/medium"),
        _answer(Verdict.FAIL, "", "vulnerabilities"),
    ]
    matrix = views.verdict_matrix(answers, [_SMALL])
    assert matrix.columns.tolist() == ["cpu_share", "tail_ratio"]
    assert matrix.index.tolist() == [_SMALL, "frontend/javascript/medium"]
    assert matrix.loc[_SMALL, "cpu_share"] == "FAIL"


def test_reasons_come_worst_first_and_leave_passes_out() -> None:
    """Reasons are ordered FAIL, ERROR, INCONCLUSIVE, WAIVED, and within one verdict as they were given."""
    order = (Verdict.WAIVED, Verdict.FAIL, Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.FAIL)
    frame = views.reasons([_answer(verdict, reason=str(i)) for i, verdict in enumerate(order)])
    assert frame["verdict"].tolist() == ["FAIL", "FAIL", "ERROR", "INCONCLUSIVE", "WAIVED"]
    assert frame["reason"].tolist() == ["1", "5", "4", "3", "0"]
    assert views.reasons([]).empty


def test_the_same_reason_of_many_slices_is_said_once() -> None:
    """One gate that says the same of two slices is one row that names both."""
    answers = [_answer(Verdict.WAIVED, name) for name in (_SMALL, _LARGE)]
    frame = views.reason_groups([*answers, _answer(Verdict.FAIL, reason="other")])
    assert frame["slices"].tolist() == [[_SMALL], [_SMALL, _LARGE]]
    assert views.reason_groups([]).empty


def test_the_frame_of_answers_keeps_absence() -> None:
    """An answer without a value is NaN in the frame, one without a slice is of the whole night."""
    frame = views.answers_frame([_answer(Verdict.ERROR, ""), _answer(Verdict.PASS, value=1.5, threshold=2.0)])
    assert frame["slice"].tolist() == ["whole night", _SMALL]
    assert math.isnan(frame["value"].iloc[0])
    assert frame["value"].iloc[1] == 1.5
    assert views.answers_frame([]).columns.tolist() == frame.columns.tolist()


@pytest.mark.parametrize(
    ("answered", "verdict"),
    [
        ([], Verdict.INCONCLUSIVE),
        ([_answer(Verdict.PASS)], Verdict.INCONCLUSIVE),
        ([_answer(Verdict.PASS), _answer(Verdict.PASS, _LARGE)], Verdict.PASS),
        ([_answer(Verdict.FAIL)], Verdict.FAIL),
    ],
)
def test_the_worst_answer_counts_and_silence_is_an_answer(answered: list[Answer], verdict: Verdict) -> None:
    """A verdict is recomputed as the worst of the answers and of the slices that have none."""
    assert views.recomputed_verdict(_night(24), answered) is verdict


def test_a_night_without_a_verdict_is_never_green() -> None:
    """An open night is OPEN, and a closed one without a verdict INCONCLUSIVE."""
    assert views.night_verdict(_night(24, None)) == "OPEN"
    assert views.night_verdict(replace(_night(24), verdict=None)) == "INCONCLUSIVE"
    assert views.night_verdict(_night(24, Verdict.WAIVED)) == "WAIVED"


def test_the_title_of_a_night_names_its_attempt() -> None:
    """A second attempt on one date cannot be mistaken for the first."""
    assert views.night_title(_night(4)) == "4 November 2026"
    assert views.night_title(_night(4, attempt=2)) == "4 November 2026, attempt 2"


def test_a_trend_is_ordered_and_shows_a_missing_slice_as_a_gap() -> None:
    """Oldest night first, attempts in order, and a slice that was not measured is NaN with no samples."""
    nights = [_night(24), _night(23, Verdict.FAIL), _night(23, attempt=2)]
    measured = {night.night_id: [_measured(_SMALL, p99_ms=2.0)] for night in nights}
    frame = views.trend_frame(nights, measured, ["p99_ms"])
    small = frame[frame["slice"] == _SMALL]
    assert small["night_id"].tolist() == ["2026-11-23.1", "2026-11-23.2", "2026-11-24.1"]
    assert small["verdict"].tolist() == ["FAIL", "PASS", "PASS"]
    large = frame[frame["slice"] == _LARGE]
    assert large["value"].isna().all()
    assert large["sample_count"].tolist() == [0, 0, 0]
    assert pd.api.types.is_datetime64_any_dtype(frame["night_date"])


def test_the_limit_of_a_latency_is_a_multiple_of_the_baseline_or_nothing() -> None:
    """P95 may be 1.1 times the P95 that the baseline had in the same night; without a baseline no limit is invented."""
    answers = [
        _answer(Verdict.PASS, name, gate, threshold=threshold)
        for name in (_SMALL, _LARGE)
        for gate, threshold in (("p95_vs_baseline", 1.1), ("tail_ratio", 2.0))
    ]
    assert views.latency_limits("p95_ms", answers, [_measured(_SMALL, baseline_p95_ms=2.0)]) == {
        _SMALL: pytest.approx(2.2)
    }
    assert views.latency_limits("p95_ms", answers) == {}
    assert views.latency_limits("p50_ms", answers) == {}
    assert views.latency_limits("tail_ratio", answers) == {_SMALL: 2.0, _LARGE: 2.0}


def test_the_latest_value_is_compared_with_the_median_before_it() -> None:
    """Change is against the nights before the newest; one night alone has no change."""
    nights = [_night(day) for day in (21, 22, 23, 24)]
    values = dict(zip((21, 22, 23, 24), (2.0, 4.0, 3.0, 6.0), strict=True))
    measured = {night.night_id: [_measured(_SMALL, p99_ms=values[night.night_date.day])] for night in nights}
    trend = views.trend_frame(nights, measured, ["p99_ms"])
    row = views.latest_frame(trend, "p99_ms", [_SMALL]).iloc[0]
    assert (row["value"], row["median"], row["change"], row["night_id"]) == (6.0, 3.0, 1.0, "2026-11-24.1")
    assert row["history"] == [2.0, 4.0, 3.0, 6.0]
    alone = views.latest_frame(trend[trend["night_id"] == "2026-11-21.1"], "p99_ms", [_SMALL, "unknown"])
    assert math.isnan(alone["change"].iloc[0])
    assert math.isnan(alone["value"].iloc[1])


def test_tables_for_people_hide_nothing() -> None:
    """A page's table gives reasons whole, names few slices, counts many, and carries thresholds with their signs."""
    reason = "a reason that is much longer than the fifty characters at which a table is cut off by default"
    failed = Answer("tail_ratio", "backend/python/small", Verdict.FAIL, reason, 2.5, 2.0, 1500, "", "≤")
    missing = [Answer("slice_present", f"s{i}", Verdict.INCONCLUSIVE, "missing") for i in range(5)]
    table = views.reason_table([failed, *missing])
    assert list(table["where"]) == ["backend/python/small", "5 slices"]
    page = views.Page(table)._repr_html_()
    assert reason in page
    assert "✕ FAIL" in page
    row = views.answer_table([failed]).iloc[0]
    assert (row["value"], row["threshold"], row["n"]) == ("2.50×", "≤ 2.00×", "1,500")


def test_every_metric_is_listed_with_its_count() -> None:
    """A metric that was not measured says so instead of showing a number."""
    measured = Measurement("s", "c", (Metric("p99_ms", 2.5, 1500), Metric("tail_ratio", None, 0)), "")
    table = views.metric_table(measured)
    assert list(table["value"]) == ["2.50 ms", views.NO_VALUE]
    assert list(table["n"]) == ["1,500", "0"]


def test_how_sure_a_slice_is_stands_in_one_row() -> None:
    """Each ratio with its bounds, the count, blocks and power; what was set aside and why; whether the run is valid."""
    interval = Interval(1.3, 1.5, 0.98, 0.87, 30, 1.1)
    metrics = (Metric("tail_ratio", 1.4, 1500, interval), Metric("set_aside_share", 0.25, 40))
    measured = [Measurement(_SMALL, "c", metrics, ""), Measurement(_LARGE, "c", (), "", ("the machine stalled",))]
    aside = {_SMALL: {3: "the control stalled for 5 ms", 9: "the control did not answer"}}
    table = views.sureness_table(measured, aside)
    small, large = (dict(zip(table.columns, table.loc[name], strict=True)) for name in (_SMALL, _LARGE))
    assert (small["n"], small["blocks"], small["P99÷P95"]) == ("1,500", "30", "1.4 (1.3–1.5)")
    assert (small["power"], small["P95÷base"], small["valid"]) == ("87%", "·", "yes")
    assert small["set aside"] == "25.0 %: the control stalled for 5 ms, and 1 more"
    assert (large["P99÷P95"], large["valid"]) == ("·", "no")


def test_rounds_set_aside_are_listed_or_said_to_be_none() -> None:
    """A table without rows would look as if nothing had been looked at."""
    assert views.set_aside_table({7: "stalled"}).to_numpy().tolist() == [["7", "stalled"]]
    assert views.set_aside_table({})["why"].tolist() == ["the control never stalled"]
