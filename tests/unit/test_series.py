"""Which nights count, what is a gap, and where a limit comes from."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from nights import series

from lens_core.model import Answer, Candidate, Digest, Measurement, Metric, Night, NightState, Verdict
from lens_core.series import Limit, counted_nights, limits_of, read_series

_DIGEST = Digest("sha256:" + "a" * 64)
_NIGHT = Night(
    night_id="2026-11-24.1",
    night_date=date(2026, 11, 24),
    attempt=1,
    candidate=Candidate("0.1.0", _DIGEST, "c" * 40, dirty=False),
    baseline=None,
    policy_digest=_DIGEST,
    dataset_digest=_DIGEST,
    slices=("a/b/c", "d/e/f"),
    seed=7,
    duration_minutes=1.0,
    folder="",
    state=NightState.CLOSED,
    verdict=Verdict.PASS,
    reason="",
    opened_at=datetime(2026, 11, 24, tzinfo=UTC),
    closed_at=None,
)


def _night(day, attempt=1, **changes):
    night_id = f"2026-11-{day:02}.{attempt}"
    return replace(_NIGHT, night_id=night_id, night_date=date(2026, 11, day), attempt=attempt, **changes)


def _measured(value, slice_name="a/b/c"):
    return Measurement(slice_name, "x", (Metric("p99_ms", value, 100),), "")


def test_one_night_a_date_counts_the_one_over_most_slices_then_the_newest():
    """A night over fewer slices does not replace the full one, a later full one does."""
    nights = [_night(24, 3, slices=("a/b/c",)), _night(24, 2), _night(24, 1), _night(23)]
    assert [n.night_id for n in counted_nights(nights, 9)] == ["2026-11-23.1", "2026-11-24.2"]


def test_a_night_that_still_runs_does_not_count():
    """It has not said all yet; tomorrow it is a point of the trend."""
    assert counted_nights([_night(24, state=NightState.OPEN, verdict=None)], 9) == ()


def test_an_error_counts_where_its_date_has_nothing_better():
    """What it measured stands, until the same date has a night with a verdict, over however few slices."""
    failed = _night(24, 2, verdict=Verdict.ERROR)
    assert counted_nights([failed], 9) == (failed,)
    good = _night(24, 1, slices=("a/b/c",))
    assert counted_nights([failed, good], 9) == (good,)


def test_a_report_can_count_its_own_night_and_none_after_it():
    """The night that is being reported counts while it runs; later dates, and others of its date, do not."""
    running = _night(24, 2, state=NightState.OPEN, verdict=None)
    nights = [_night(25), running, _night(24, 1), _night(23)]
    assert [n.night_id for n in counted_nights(nights, 9, running)] == ["2026-11-23.1", "2026-11-24.2"]


def test_only_the_newest_nights_are_kept():
    """A trend is bounded, and what is cut off is its old end."""
    assert [n.night_date.day for n in counted_nights([_night(day) for day in range(1, 9)], 3)] == [6, 7, 8]


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_is_no_number_is_a_gap(value):
    """A night keeps its place without a value; a NaN or an infinity is not carried into the statistics."""
    nights = [_night(1), _night(2), _night(4)]
    measured = {"2026-11-01.1": [_measured(2.0)], "2026-11-02.1": [_measured(value)], "2026-11-04.1": [_measured(3.0)]}
    read = read_series(nights, measured, "p99_ms", "a/b/c")
    assert [p.value for p in read.points] == [2.0, None, 3.0]
    assert (read.gaps, read.skipped_dates, read.values) == (1, 1, (2.0, 3.0))
    assert math.isnan(read.logs()[1])


def test_a_latency_of_an_invalid_run_is_a_gap():
    """A run whose machine stalled says nothing of latency; what it found of quality stands."""
    metrics = (Metric("p99_ms", 2.0, 100), Metric("recall_at_50", 0.9, 100))
    measured = {"2026-11-01.1": [Measurement("a/b/c", "x", metrics, "", ("the machine stalled",))]}
    assert read_series([_night(1)], measured, "p99_ms", "a/b/c").values == ()
    assert read_series([_night(1)], measured, "recall_at_50", "a/b/c").values == (0.9,)


def test_a_series_begins_with_its_first_value():
    """Nights before a slice was ever measured are no gaps of it; a slice never measured has no points."""
    nights = [_night(1), _night(2)]
    assert len(read_series(nights, {"2026-11-02.1": [_measured(2.0)]}, "p99_ms", "a/b/c").points) == 1
    nothing = read_series(nights, {}, "p99_ms", "a/b/c")
    assert (nothing.points, nothing.newest, nothing.skipped_dates, nothing.gaps) == ((), None, 0, 0)


@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_zero_and_below_have_no_logarithm_and_say_so(bad):
    """The series refuses, with a count; nothing is dropped to make it fit."""
    one = series([1.0, bad, 2.0])
    assert one.not_on_log_scale == "1 of 3 nights have a value of zero or below: no logarithm"
    with pytest.raises(ValueError, match="no logarithm"):
        one.logs()


@pytest.mark.parametrize(
    ("sign", "broken"), [("≤", [False, False, True]), ("<", [False, True, True]), ("≥", [True, False, False])]
)
def test_a_limit_is_broken_as_its_gate_would(sign, broken):
    """On the limit itself the sign decides; a NaN never passes."""
    limit = Limit(2.0, sign)
    assert [limit.broken_by(value) for value in (1.9, 2.0, 2.1)] == broken
    assert limit.broken_by(math.nan)


def test_the_limit_of_a_latency_is_a_multiple_of_the_baselines_own_figure():
    """Without a baseline's figure there is no limit, rather than an invented one."""
    answers = [Answer("p99_vs_baseline", name, Verdict.PASS, "", 1.0, 1.1, sign="≤") for name in ("a/b/c", "d/e/f")]
    answers.append(Answer("tail_ratio", "a/b/c", Verdict.PASS, "", 1.5, 2.0, sign="≤"))
    assert limits_of("p99_ms", answers, [Measurement("a/b/c", "x", (Metric("baseline_p99_ms", 2.0, 100),), "")]) == {
        "a/b/c": Limit(2.2, "≤")
    }
    assert limits_of("p99_ms", answers) == {}
    assert limits_of("tail_ratio", answers) == {"a/b/c": Limit(2.0, "≤")}
