"""Forecasts, their intervals and the chance of a breach: laws, and what is said when there is nothing to say."""

import math
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from nights import noise, series, step

from lens_core import levels
from lens_core.backtest import backtest
from lens_core.errors import InvalidInput
from lens_core.forecast import (
    FEWEST_PATHS,
    MAX_HORIZON_NIGHTS,
    breach_probability,
    forecast,
    half_width,
    paths,
    residuals,
)
from lens_core.levels import ENSEMBLE, MODELS, NAIVE, walk
from lens_core.series import Limit


def _level(seed, nights):
    return 2.0 * np.exp(noise(seed, nights))


def test_the_forecast_of_a_constant_is_the_constant():
    """Every night ahead is 2.0, with an interval of no width; a model that cannot be fitted to it is named."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = forecast(series([2.0] * 30))
    assert [step.value for step in made.steps] == pytest.approx([2.0] * 7)
    assert [(step.low, step.high) for step in made.steps] == [pytest.approx((2.0, 2.0))] * 7
    assert set(made.models) | set(made.left_out) == set(MODELS)
    assert f"median of {levels.MEDIAN_NIGHTS}" in made.models


@pytest.mark.parametrize("factor", [0.001, 7.0])
def test_scaling_the_nights_scales_the_forecast(factor):
    """A metric in seconds is forecast as in milliseconds, interval included."""
    ours = forecast(series(_level(1, 30)))
    theirs = forecast(series(_level(1, 30) * factor))
    for our, their in zip(ours.steps, theirs.steps, strict=True):
        assert their.value == pytest.approx(our.value * factor, rel=1e-6)
        assert (their.low, their.high) == pytest.approx((our.low * factor, our.high * factor), rel=1e-6)


def test_the_same_nights_give_the_same_forecast():
    """Nothing is drawn by lot."""
    assert forecast(series(_level(1, 24), 2.2)) == forecast(series(_level(1, 24), 2.2))


def test_training_starts_after_the_last_accepted_change():
    """What was before a step of a third does not pull the forecast down."""
    made = forecast(series(step(1, 44, at=24, share=0.33)))
    assert made.changed
    assert made.trained_nights in (19, 20, 21)
    assert made.steps[-1].value == pytest.approx(2.66, rel=0.05)


def test_a_level_that_is_too_new_is_not_forecast():
    """Three nights after a change there is no forecast, and the date of the change is the reason."""
    made = forecast(series(step(1, 33, at=30, share=0.5), 9.0))
    assert made.steps == ()
    assert made.breach is None
    assert "since the change of 2026-07-01" in made.absent


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "not enough nights: 0"),
        ([2.0], "not enough nights: 1"),
        ([math.nan] * 20, "not enough nights: 0"),
        ([2.0] * 7, "not enough nights: 7"),
        ([*[2.0] * 20, *[None] * 7], "the newest 7 nights have no value"),
        ([*[2.0] * 20, 0.0], "no logarithm"),
    ],
)
def test_without_enough_evidence_there_is_no_forecast(values, words):
    """Nothing, one night, gaps only, one night too few, a stale series, a zero: an absence in words each."""
    made = forecast(series(values, 2.2))
    assert words in made.absent
    assert words in made.no_breach
    assert (made.steps, made.breach) == ((), None)


@pytest.mark.parametrize("nights", [0, -1, MAX_HORIZON_NIGHTS + 1])
def test_a_horizon_that_cannot_be_is_refused(nights):
    """The caller is told what can be asked for."""
    with pytest.raises(InvalidInput, match="1 to 30"):
        forecast(series([2.0] * 20), nights)
    with pytest.raises(InvalidInput, match="1 to 30"):
        backtest("p99_ms", [series([2.0] * 20)], nights)


def test_an_interval_without_enough_errors_is_not_there():
    """Ten nights have four errors one night ahead and none seven ahead: an interval there, none here."""
    made = forecast(series(_level(2, 10)))
    assert [step.residual_count for step in made.steps] == [5, 4, 3, 2, 1, 0, 0]
    assert [step.low is None for step in made.steps] == [False, False, True, True, True, True, True]
    assert all(step.low < step.value < step.high for step in made.steps[:2])


@pytest.mark.parametrize(("count", "rank"), [(3, None), (4, 4), (9, 8), (14, 12), (99, 80)])
def test_the_finite_sample_correction_is_that_of_split_conformal_prediction(count, rank):
    """The ⌈0.8 (n + 1)⌉-th smallest of n absolute errors; with three of them there is none."""
    errors = np.array([(-1) ** i * i for i in range(1, count + 1)], dtype=float)
    assert half_width(errors) == rank
    assert half_width(np.empty(0)) is None


def test_of_exchangeable_errors_the_interval_holds_its_nominal_share():
    """Over 3,000 draws of 14 errors and one to come 78 to 82 of 100 are held."""
    draws = np.random.default_rng(5).standard_t(3, (3000, 15))
    held = [abs(draw[-1]) <= half_width(draw[:-1]) for draw in draws]
    assert 0.78 <= np.mean(held) <= 0.82


def test_a_gap_makes_no_error_and_no_path():
    """Targets without a value are left out; a stretch with a gap in it is no evidence of calm."""
    known = np.array([0.0, 1.0, math.nan, 3.0, 4.0])
    reached = np.zeros(5)
    assert residuals(known, reached, 1).tolist() == [1.0, 3.0, 4.0]
    assert paths(known, reached, 2).tolist() == [[3.0, 4.0]]
    assert paths(known, reached, 9).shape == (0, 9)


def test_a_breach_is_never_certain():
    """A limit that nothing ever reached has a small probability, one that all broke no certainty."""
    low, high = (forecast(series(_level(1, 40), limit)).breach for limit in (9.0, 0.1))
    assert low.path_count == high.path_count == 40 - 4 - 7
    assert low.probability == pytest.approx(1 / 31)
    assert high.probability == pytest.approx(30 / 31)


@pytest.mark.parametrize("sign", ["≤", "≥"])
def test_a_wider_limit_never_breaks_more_probably(sign):
    """The probability falls as the limit moves away, for a ceiling as for a floor."""
    values = _level(3, 26)
    places = np.linspace(1.7, 2.4, 6)
    chances = [forecast(series(values, Limit(float(place), sign))).breach.probability for place in places]
    ordered = sorted(chances, reverse=sign == "≤")
    assert chances == ordered
    assert chances[0] != chances[-1]


def test_too_few_stretches_give_no_probability():
    """Below four stretches of seven nights the number is missing, and the count says why."""
    made = forecast(series(_level(1, 12), 2.2))
    assert made.breach is None
    assert made.no_breach == f"no probability (n = 1, {FEWEST_PATHS} needed)"
    assert breach_probability(np.zeros((FEWEST_PATHS - 1, 7)), 0.0, Limit(2.0)) is None
    assert forecast(series(_level(1, 30))).no_breach == "no limit applies"


def test_a_forecast_is_dated_and_as_long_as_asked():
    """Step by step from the night after the last one."""
    made = forecast(series(_level(1, 20)), nights=3)
    assert [(s.nights_ahead, str(s.night_date)) for s in made.steps] == [
        (1, "2026-06-21"),
        (2, "2026-06-22"),
        (3, "2026-06-23"),
    ]


def test_no_level_knows_what_comes_after_it():
    """The levels of the first nights are the same whatever follows, for each model and the ensemble."""
    logs = np.log(_level(4, 40))
    logs[[9, 17]] = math.nan
    whole = walk(logs)
    for cut in (8, 18, 31):
        part = walk(logs[:cut])
        for name in (*MODELS, ENSEMBLE, NAIVE):
            np.testing.assert_allclose(part.levels[name], whole.levels[name][:cut], rtol=1e-9, atol=1e-12)


def test_the_ensemble_is_the_mean_of_its_models():
    """Of the three, night by night, from the fifth night with a value on."""
    walked = walk(np.log(_level(4, 20)))
    mean = np.mean([walked.levels[name] for name in MODELS], axis=0)
    np.testing.assert_allclose(walked.levels[ENSEMBLE], mean)
    assert np.isnan(walked.levels[ENSEMBLE]).tolist() == [True] * 4 + [False] * 16


def test_a_model_that_raises_is_left_out_and_named(monkeypatch):
    """The ensemble goes on without it, and says which one it misses."""

    def fails(_known):
        raise np.linalg.LinAlgError

    monkeypatch.setitem(levels._MODELS, "local level", fails)
    made = forecast(series(_level(1, 30)))
    assert made.left_out == ("local level",)
    assert "local level" not in made.models
    assert made.steps[0].value == pytest.approx(2.0, rel=0.1)


def test_a_fit_that_did_not_converge_is_left_out_and_named(monkeypatch):
    """What statsmodels says of its own fit is heard, for both of its models; the median remains."""

    class Stuck:
        def __init__(self, *_arguments, **_options):
            pass

        def fit(self, **_options):
            return SimpleNamespace(mle_retvals=_Retvals(converged=False))

    monkeypatch.setattr("statsmodels.tsa.statespace.structural.UnobservedComponents", Stuck)
    monkeypatch.setattr("statsmodels.tsa.holtwinters.SimpleExpSmoothing", Stuck)
    made = forecast(series(_level(1, 30)))
    assert made.left_out == ("exponential smoothing", "local level")
    assert made.models == (f"median of {levels.MEDIAN_NIGHTS}",)
    assert math.log(made.steps[0].value) == pytest.approx(np.median(np.log(_level(1, 30)[-levels.MEDIAN_NIGHTS :])))


class _Retvals(dict):
    """What both models return of their optimizer, one as a mapping, one with an attribute."""

    success = False


@pytest.mark.parametrize(("error", "chance"), [(0.5, 1 / 6), (-0.5, 5 / 6)])
def test_a_floor_and_a_ceiling_break_on_their_own_side(error, chance):
    """Four stretches that went up break no floor, four that went down do."""
    errors = np.array([[0.0, error]] * 4)
    assert breach_probability(errors, 0.0, Limit(0.9, "≥")) == pytest.approx(chance)
    assert breach_probability(errors, 0.0, Limit(1.1, "≤")) == pytest.approx(1 - chance)
