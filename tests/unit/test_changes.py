"""Early warnings and dated changes: what is found, what is not, and what is said when nothing can be."""

import math
import warnings

import numpy as np
import pytest
from nights import noise, series, step

from lens_core.changes import MIN_NIGHTS, Watch, find_changes, last_change_place


@pytest.mark.parametrize("seed", range(6))
def test_a_step_of_a_fifth_is_dated_within_one_night(seed):
    """One change, at the night it happened or beside it, with an effect near 20 %."""
    trend = find_changes(series(step(seed, 40, at=25, share=0.2)))
    [change] = trend.changes
    assert abs(change.place - 25) <= 1
    assert change.effect == pytest.approx(0.2, abs=0.06)
    assert change.night_id == trend.series.points[change.place].night_id
    assert change.standing_nights == 40 - change.place


@pytest.mark.parametrize("seed", range(6))
def test_a_single_spike_is_neither_a_change_nor_a_warning(seed):
    """However high one night is, a new level needs two, and the warning three."""
    values = step(seed, 40, at=40, share=0.0)
    values[25] *= 3
    trend = find_changes(series(values))
    assert (trend.changes, trend.warnings, trend.watch) == ((), (), Watch.QUIET)


def test_a_new_level_of_one_night_waits_for_its_second():
    """On the first night of a jump nothing is accepted; the second one dates it to the first."""
    values = [*([2.0, 2.02, 1.98] * 6), 4.0, 4.04]
    assert find_changes(series(values[:-1])).changes == ()
    [change] = find_changes(series(values)).changes
    assert (change.place, change.standing_nights) == (18, 2)


def test_a_change_below_five_percent_is_not_accepted():
    """However significant, 3 % is no change that anybody must look at; 8 % is."""
    small, large = (step(1, 60, at=30, share=share, spread=0.004) for share in (0.03, 0.08))
    assert find_changes(series(small)).changes == ()
    assert find_changes(series(small)).warnings == ()
    assert len(find_changes(series(large)).changes) == 1


def test_a_constant_series_has_no_changes_and_a_step_between_constants_has_one():
    """No spread at all divides nothing by zero, and warns of nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_changes(series([2.0] * 30)).changes == ()
        [change] = find_changes(series([2.0] * 15 + [3.0] * 15)).changes
    assert (change.place, change.effect) == (15, pytest.approx(0.5))


def test_a_warning_comes_before_long_and_names_its_onset_and_direction():
    """A lasting rise of a third is warned of within five nights; while its level is new the warning stands."""
    values = step(3, 36, at=30, share=0.33)
    trend = find_changes(series(values))
    [warning] = trend.warnings
    assert 31 <= warning.place <= 34
    assert warning.onset_date in [point.night_date for point in trend.series.points[29:32]]
    assert warning.effect == pytest.approx(0.33, abs=0.1)
    assert trend.watch is Watch.WARNED
    fall = find_changes(series(1 / values)).warnings
    assert [w.effect < 0 for w in fall] == [True]


def test_after_enough_nights_of_the_new_level_the_watch_is_quiet_again():
    """A warning is an event: the level it found is the next one's reference."""
    trend = find_changes(series(step(3, 60, at=30, share=0.33)))
    assert (len(trend.warnings), trend.watch) == (1, Watch.QUIET)


def test_false_alarms_are_rare_on_noise():
    """Over 1,200 nights of independent noise at most 8 warnings and 2 changes are raised."""
    trends = [find_changes(series(2 * np.exp(noise(seed, 60)))) for seed in range(20)]
    assert sum(len(t.warnings) for t in trends) <= 8
    assert sum(len(t.changes) for t in trends) <= 2


@pytest.mark.parametrize("values", [[], [2.0], [math.nan] * 20, [2.0] * (MIN_NIGHTS - 1), [None, *[2.0] * 7, None]])
def test_too_few_nights_say_so_and_are_never_quiet(values):
    """Nothing, one night, only gaps, and one night too few are each an absence with its count."""
    trend = find_changes(series(values))
    assert trend.absent.startswith("not enough nights")
    assert trend.watch is Watch.LEARNING
    assert last_change_place(np.log(np.array([v or math.nan for v in values], dtype=float))) == 0


def test_the_newest_night_is_not_quiet_when_it_has_no_value_or_nothing_before_it():
    """QUIET is said of a night that was compared with eight others, of no other."""
    values = [2.0] * MIN_NIGHTS
    assert find_changes(series(values)).watch is Watch.LEARNING
    assert find_changes(series([*values, 2.0])).watch is Watch.QUIET
    assert find_changes(series([*values, 2.0, None])).watch is Watch.BLIND


def test_zero_is_no_level_on_a_logarithmic_scale():
    """A series with a zero in it is refused whole, in words."""
    assert "no logarithm" in find_changes(series([0.0, *[1.0] * 20])).absent


def test_gaps_keep_their_place_and_do_not_move_a_date():
    """Two nights without a value before the step: it is still dated to the night it happened."""
    values = [2.0, 2.02, 1.98] * 8 + [2.6, 2.62, 2.58] * 4
    values[10] = values[11] = None
    [change] = find_changes(series(values)).changes
    assert change.place == 24


def test_a_change_says_whether_the_candidate_changed_that_night():
    """The night before the change and its own name their candidates; a gap between does not hide it."""
    values = [2.0, 2.02, 1.98] * 5 + [None] + [2.6, 2.62, 2.58] * 3
    candidates = ["0.1.0 aaa"] * 15 + ["0.2.0 bbb"] * 10
    [change] = find_changes(series(values, candidates=candidates)).changes
    assert (change.candidate_before, change.candidate_after) == ("0.1.0 aaa", "0.2.0 bbb")


@pytest.mark.parametrize("factor", [0.001, 1000.0])
def test_the_unit_of_a_metric_changes_nothing(factor):
    """Milliseconds or seconds: the same dates, the same effects."""
    values = step(2, 50, at=30, share=0.2)
    ours, theirs = find_changes(series(values)), find_changes(series(values * factor))
    assert [c.place for c in ours.changes] == [c.place for c in theirs.changes]
    assert [w.place for w in ours.warnings] == [w.place for w in theirs.warnings]
    assert [c.effect for c in ours.changes] == pytest.approx([c.effect for c in theirs.changes])
