"""What is measured for the risk: larger is riskier, and what has no data says so."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from nights import noise, series, step

from lens_core.alerts import Alert, AlertState, Severity
from lens_core.changes import find_changes
from lens_core.findings import AlertKind
from lens_core.forecast import Breach, Forecast
from lens_core.model import Answer, Interval, Verdict
from lens_core.risk_inputs import advisory_inputs, alerts_input, change_input, forecast_input, margin_input, trend_input
from lens_core.series import Limit
from lens_core.supply.look import Look

NOW = datetime(2026, 11, 26, tzinfo=UTC)
FLAT, RISING = 2.0 + noise(1, 30, 0.01), step(2, 30, 25, 0.5, 0.02)
LOOK = Look(NOW, Verdict.WAIVED, "", ("a",), ("b", "c"), "sha256:0")
ALERT = Alert("a.1", AlertKind.RATIO, "backend/python/small", AlertState.OPEN, Severity.ERROR, NOW, NOW, 1, "slow")


def trends(*values):
    """A trend for each series of values, each of a slice of its own."""
    return [find_changes(series(each, name=f"s{number}")) for number, each in enumerate(values)]


def answer(gate, value, threshold, sign, interval=None):
    """What a gate says of a slice."""
    return Answer(gate, "s", Verdict.PASS, "", value, threshold, 100, sign=sign, interval=interval)


def test_a_slice_that_got_slower_of_late_counts():
    """One of two is a half, and it is named."""
    said = trend_input(trends(FLAT, RISING))
    assert (said.value, "s1" in said.said) == (0.5, True)


@pytest.mark.parametrize("values", [FLAT, step(3, 40, 10, 0.5, 0.02), step(4, 30, 25, -0.4, 0.02)])
def test_old_changes_and_better_ones_do_not_count(values):
    """A level that was left a month ago is not of late, and getting faster is no risk."""
    assert trend_input(trends(values)).value == 0.0


@pytest.mark.parametrize("given", [[], trends([1.0, 2.0])])
def test_too_few_nights_are_no_data(given):
    """Nothing to say is not zero."""
    assert trend_input(given).value is None
    assert forecast_input([Forecast(one.series, absent=one.absent) for one in given]).value is None


def test_the_highest_probability_counts():
    """Of several series the one that most probably breaks its limit, by its name."""
    given = [
        Forecast(series([1.0], name=f"s{number}"), breach=Breach(Limit(2.0), 7, probability, 10))
        for number, probability in enumerate((0.1, 0.8, 0.3))
    ]
    said = forecast_input([*given, Forecast(series([1.0]))])
    assert (said.value, "s1" in said.said) == (0.8, True)


@pytest.mark.parametrize(
    ("one", "share"),
    [
        (answer("tail_ratio", 1.0, 2.0, "≤"), 0.5),
        (answer("tail_ratio", 1.0, 2.0, "≤", Interval(0.9, 1.9, 0.98, 0.9, 30, 1.0)), 0.95),
        (answer("cpu_share", 0.35, 0.7, "<"), 0.5),
        (answer("recall_at_50", 0.925, 0.85, "≥"), 0.5),
        (answer("recall_at_50", 1.0, 0.85, "≥"), 0.0),
        (answer("ndcg_at_10_vs_baseline", 0.02, 0.02, "≥"), None),
        (answer("slice_present", 1.0, 1.0, "≥"), None),
        (answer("tail_ratio", None, 2.0, "≤"), None),
    ],
)
def test_the_margin_is_a_share_of_the_limit(one, share):
    """By the worst that the interval allows; a relative change has no scale, and is left out."""
    assert margin_input([one]).value == (None if share is None else pytest.approx(share))


def test_the_tightest_gate_counts():
    """Answers of the whole night are no margins."""
    given = [answer("a", 1.0, 2.0, "≤"), answer("b", 1.8, 2.0, "≤"), replace(answer("c", 2.0, 2.0, "≤"), slice="")]
    said = margin_input(given)
    assert (said.value, "b uses 90%" in said.said) == (pytest.approx(0.9), True)


def test_alerts_count_by_how_bad_they_are():
    """A critical one is three; who silenced one has seen it; a resolved one is over."""
    critical = replace(ALERT, severity=Severity.CRITICAL)
    quiet = [replace(ALERT, state=state) for state in (AlertState.SILENCED, AlertState.RESOLVED)]
    assert alerts_input([ALERT, critical, *quiet]).value == 4.0
    assert (alerts_input([]).value, alerts_input(None).value) == (0.0, None)


def test_a_change_is_counted_in_lines():
    """Without an earlier version, or without git, nobody knows."""
    assert change_input("1.0.0", 12).value == 12.0
    assert change_input("", None).value is None
    assert change_input("1.0.0", None).value is None


def test_waivers_and_vulnerabilities_are_counted():
    """What is waived is known as well."""
    assert [one.value for one in advisory_inputs(LOOK)] == [1.0, 3.0]
    assert [one.value for one in advisory_inputs(None)] == [None, None]
