"""The backtest: it praises what is better than carrying the last value forward, and says when nothing is."""

import math

import numpy as np
import pytest
from nights import noise, series

from lens_core import trend_views
from lens_core.backtest import COMPARED, Skill, backtest
from lens_core.levels import ENSEMBLE


def _score(tested, model=ENSEMBLE):
    return next(score for score in tested.models if score.model == model)


@pytest.fixture(scope="module")
def calm():
    """Two slices of independent noise around a level, over fifty nights, with a limit that sometimes breaks."""
    return backtest("p99_ms", [series(2 * np.exp(noise(seed, 50)), 2.15, name=f"a/b/{seed}") for seed in (1, 2)])


@pytest.fixture(scope="module")
def wandering():
    """Two slices that walk at random: the last value is the best there is."""
    values = [2 * np.exp(np.cumsum(noise(seed, 50, 0.02))) for seed in (3, 4)]
    return backtest("p99_ms", [series(one, 1.0, name=f"a/b/{seed}") for seed, one in enumerate(values)])


def test_around_a_level_every_model_beats_the_last_value(calm):
    """On white noise the error is about 1/√2 of the naive one, and the words say that it is proven."""
    assert [score.skill for score in calm.models] == [Skill.BEATS] * len(COMPARED)
    assert 0.65 <= _score(calm).ratio <= 0.85
    assert _score(calm).gain >= _score(calm).gain_at_least > 0
    assert "ensemble beats last-value-naive out of sample (ratio 0." in trend_views.skill_words(_score(calm))


def test_on_a_random_walk_nothing_beats_the_last_value_and_it_says_so(wandering):
    """The sentence names the model, the ratio, and on how many forecasts it rests."""
    score = _score(wandering)
    assert score.skill is Skill.WORSE
    assert trend_views.skill_words(score) == (
        f"ensemble does not beat last-value-naive out of sample (ratio {score.ratio:.2f}, "
        f"n = {score.pair_count:,} in {score.block_count} blocks)"
    )
    assert all(one.skill is not Skill.BEATS for one in wandering.models)


def test_the_interval_holds_about_its_nominal_share_around_a_level(calm):
    """Of the 80 % intervals 72 to 90 of 100 held; forecasts without one are counted apart."""
    assert 0.72 <= calm.coverage.share <= 0.90
    assert calm.coverage.without > 0
    assert f"of {calm.coverage.interval_count:,} nights" in trend_views.coverage_words(calm)


def test_a_breach_is_scored_beside_the_base_rate(calm):
    """Both Brier scores are shares between 0 and 1, of the same stretches, some of which broke the limit."""
    breach = calm.breach
    assert 0 < breach.broken < breach.forecast_count
    assert 0 < breach.brier < 0.5
    assert 0 < breach.base_rate_brier < 0.5
    words = trend_views.brier_words(calm)
    assert ("no better than the base rate" in words) == (breach.brier >= breach.base_rate_brier)


def test_a_limit_that_always_broke_proves_nothing(wandering):
    """The score of a foregone conclusion is small, and the words say what it is not worth."""
    assert wandering.breach.broken == wandering.breach.forecast_count > 0
    assert "it always broke, so this says nothing" in trend_views.brier_words(wandering)


@pytest.mark.parametrize(
    ("values", "words"),
    [([], "not enough nights: 0"), ([2.0] * 8, "not enough nights: 8"), ([0.0] * 20, "no logarithm")],
)
def test_a_slice_with_too_little_is_named_and_nothing_is_claimed(values, words):
    """Without forecasts there is no ratio, no coverage and no Brier score."""
    tested = backtest("p99_ms", [series(values, 2.2)])
    assert tested.slices == ()
    assert words in tested.absent[0][1]
    assert _score(tested).skill is Skill.NOTHING
    assert (_score(tested).ratio, tested.coverage.share, tested.breach.brier) == (None, None, None)
    said = " ".join(trend_views.backtest_words(tested))
    assert "left out: backend/python/small" in said
    assert "no 80 % interval could be judged" in said
    assert "cannot be compared" in trend_views.skill_words(_score(tested))


def test_of_nothing_nothing_is_claimed():
    """No series at all is a backtest that says so."""
    tested = backtest("p99_ms", [])
    assert {score.skill for score in tested.models} == {Skill.NOTHING}


def test_a_constant_has_nothing_to_beat():
    """Where the last value was never wrong a ratio would divide by zero; it is not there."""
    score = _score(backtest("p99_ms", [series([2.0] * 14)]))
    assert (score.skill, score.ratio) == (Skill.NOTHING, None)
    assert "was never wrong" in trend_views.skill_words(score)


def test_a_few_nights_prove_no_skill():
    """Smaller errors over two blocks of nights are not called better."""
    values = [2.0, 2.1] * 9
    score = _score(backtest("p99_ms", [series(values)]))
    assert score.ratio < 1
    assert score.skill is Skill.UNTESTED
    assert "is not shown to beat" in trend_views.skill_words(score)


def test_a_night_that_never_came_is_not_scored():
    """Gaps among the targets lower the count of forecasts and break no arithmetic."""
    values = 2 * np.exp(noise(5, 24))
    whole = backtest("p99_ms", [series(values)])
    values[[14, 19]] = math.nan
    gapped = backtest("p99_ms", [series(values)])
    assert 0 < _score(gapped).pair_count < _score(whole).pair_count
    assert math.isfinite(_score(gapped).ratio)
