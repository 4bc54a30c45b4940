"""The risk: factors become levels, and what is not known counts against the candidate."""

import math
from dataclasses import replace

import pytest
from signing_off import RULES, sha, unsigned_case

from lens_core.model import Verdict
from lens_core.signoff.plan import plan
from lens_core.signoff.risk import assess, inputs
from lens_core.signoff.streak import streak
from lens_core.signoff.words import DrillCase, FactorRule, Level, Measured

RULE = FactorRule("alerts", 2, 1, 3, "resolve them")
DECISIVE = FactorRule("way_back", 1, 1, 2, "copy first", decisive=True, without_data="high")
BOTH = replace(RULES, factors=(RULE, DECISIVE))


def risk_of(rules=BOTH, **values):
    """The risk of these inputs."""
    return assess([Measured(name, value, f"{name} {value}") for name, value in values.items()], rules)


@pytest.mark.parametrize(
    ("alerts", "way_back", "level", "score"),
    [
        (0, 0, Level.LOW, 0.0),
        (0.99, 0, Level.LOW, 0.0),
        (1, 0, Level.MEDIUM, 2 / 6),
        (0, 1, Level.LOW, 1 / 6),
        (3, 0, Level.HIGH, 4 / 6),
        (0, 2, Level.HIGH, 2 / 6),
        (1, 1, Level.MEDIUM, 3 / 6),
        (None, 0, Level.MEDIUM, 2 / 6),
        (0, None, Level.HIGH, 2 / 6),
        (math.nan, 0, Level.HIGH, 4 / 6),
        (-math.inf, 0, Level.HIGH, 4 / 6),
    ],
)
def test_inputs_become_a_level(alerts, way_back, level, score):
    """Points are weighted; a decisive factor decides; no data, and what is no number, raise the risk."""
    seen = risk_of(alerts=alerts, way_back=way_back)
    assert (seen.level, seen.score) == (level, pytest.approx(score))


def test_a_factor_that_nobody_looked_at_is_high_and_makes_all_of_it_high():
    """Leaving a measurement out is no way to a lower risk."""
    seen = risk_of(way_back=0)
    assert seen.level is Level.HIGH
    assert seen.factors[0].level is Level.HIGH
    assert seen.reason == "nobody looked at alerts"


def test_without_factors_nothing_is_known():
    """A table without factors makes no candidate safe."""
    assert risk_of(replace(RULES, factors=()), alerts=0).level is Level.HIGH


def test_of_two_inputs_under_one_name_the_worse_counts():
    """A second, better look does not hide the first."""
    seen = assess([Measured("alerts", 5, "five"), Measured("alerts", 0, "none"), Measured("way_back", 0, "")], BOTH)
    assert seen.factors[0].said == "five"
    assert seen.factors[0].level is Level.HIGH


def test_a_factor_says_what_was_measured_and_what_to_do():
    """People see the input, its weight, its share and the mitigation."""
    factor = risk_of(alerts=1, way_back=0).factors[0]
    assert (factor.name, factor.value, factor.said, factor.weight, factor.points, factor.mitigation) == (
        "alerts",
        1,
        "alerts 1",
        2,
        2,
        "resolve them",
    )


@pytest.mark.parametrize(
    ("drill", "value"),
    [
        (None, None),
        (DrillCase(sha("d"), Verdict.PASS, "", "yes", copy_first=True), 0.0),
        (DrillCase(sha("d"), Verdict.WAIVED, "", "no", copy_first=True), 1.0),
        (DrillCase(sha("d"), Verdict.PASS, "", "unknown", copy_first=True), 1.0),
        (DrillCase(sha("d"), Verdict.WAIVED, "", "no", copy_first=False), 2.0),
        (DrillCase(sha("d"), Verdict.PASS, "", "yes", copy_first=True, fault="a byte changed"), None),
    ],
)
def test_the_way_back_comes_from_the_drill_whatever_else_was_said(drill, value):
    """The sign-off takes the way back and the missing nights from its own evidence, not from whoever gathers."""
    case = unsigned_case()
    nights = streak(case.nights[:2], str(case.cut.release.candidate.digest), case.policies, RULES, case.audit_at)
    told = (Measured("rollback_safety", 0.0, "trust me"), Measured("streak", 0.0, "all there"))
    seen = {one.factor: one.value for one in inputs(told, nights, drill)}
    assert seen["rollback_safety"] == value
    assert seen["streak"] == 3 - nights.passed


def test_the_risk_sets_the_stages():
    """Low and medium have their plan, high has none; lifted by break-glass it gets the slowest."""
    drill = DrillCase(sha("d"), Verdict.PASS, "", "yes", copy_first=True)
    low, medium, high = (risk_of(alerts=n, way_back=0) for n in (0, 1, 3))
    assert plan(low, drill, RULES, lifted=False).stages == RULES.plans["low"].stages
    slow = plan(medium, drill, RULES, lifted=False)
    assert slow.stages == RULES.plans["medium"].stages
    assert slow.said == "medium risk: 5 % for 2 h, 25 % for 4 h, 100 % for 12 h, then watched for 48 h"
    assert plan(high, drill, RULES, lifted=False) is None
    assert plan(high, drill, RULES, lifted=True).stages == slow.stages
    assert not slow.copy_first


def test_a_way_back_by_the_copy_is_part_of_the_plan():
    """Where the old version does not go on with what the candidate wrote, a copy is taken first."""
    drill = DrillCase(sha("d"), Verdict.WAIVED, "", "no", copy_first=True)
    seen = plan(risk_of(alerts=0, way_back=1), drill, RULES, lifted=False)
    assert seen.copy_first
    assert "a copy of the index is taken first" in seen.said
    assert plan(risk_of(alerts=0, way_back=1), None, RULES, lifted=False).copy_first
