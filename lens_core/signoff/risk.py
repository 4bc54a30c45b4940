"""The risk of a candidate: named factors with measured inputs; what is not known counts against it."""

import math
from collections.abc import Sequence

from lens_core.signoff.words import DrillCase, Factor, FactorRule, Level, Measured, Risk, SignoffRules, Streak

STREAK, ROLLBACK_SAFETY = "streak", "rollback_safety"


def inputs(measured: Sequence[Measured], streak: Streak, drill: DrillCase | None) -> tuple[Measured, ...]:
    """The inputs with those that the sign-off itself knows best: what the streak lacks, and the way back."""
    missing = streak.wanted - streak.passed
    own = {STREAK: Measured(STREAK, float(missing), f"{missing} of {streak.wanted} nights are missing")}
    if drill is None or drill.fault:
        own[ROLLBACK_SAFETY] = Measured(ROLLBACK_SAFETY, None, "no drill that can be believed")
    elif drill.rollback_safe == "yes":
        own[ROLLBACK_SAFETY] = Measured(ROLLBACK_SAFETY, 0.0, "earlier versions go on with what it wrote")
    elif drill.copy_first:
        own[ROLLBACK_SAFETY] = Measured(ROLLBACK_SAFETY, 1.0, "going back needs the copy that is taken first")
    else:
        own[ROLLBACK_SAFETY] = Measured(ROLLBACK_SAFETY, 2.0, "no way back is proven")
    return (*(one for one in measured if one.factor not in own), *own.values())


def assess(measured: Sequence[Measured], rules: SignoffRules) -> Risk:
    """Judge every factor of the rules, and all of them together.

    The score is the weighted share of the points (0 low, 1 medium, 2 high). A factor that nobody looked at is high, and
    makes the whole high; one that was looked at and had no data counts as its rule says.
    """
    absent = [rule.name for rule in rules.factors if all(one.factor != rule.name for one in measured)]
    factors = tuple(_factor(rule, [one for one in measured if one.factor == rule.name]) for rule in rules.factors)
    whole = sum(2 * factor.weight for factor in factors)
    score = sum(factor.points for factor in factors) / whole if whole else 1.0
    decisive = [
        factor.name
        for factor, rule in zip(factors, rules.factors, strict=True)
        if rule.decisive and factor.level is Level.HIGH
    ]
    if not factors or absent or decisive or score >= rules.high_at:
        level = Level.HIGH
    else:
        level = Level.MEDIUM if score >= rules.medium_at else Level.LOW
    return Risk(level, score, factors, _reason(factors, absent, decisive, score, rules))


def _factor(rule: FactorRule, seen: Sequence[Measured]) -> Factor:
    """One factor; of two inputs under one name the worse counts."""
    if not seen:
        level, worst = Level.HIGH, Measured(rule.name, None, "nobody looked at it")
    else:
        level, worst = max(((_level(rule, one), one) for one in seen), key=lambda pair: pair[0].value)
    return Factor(rule.name, level, rule.weight, rule.weight * level.value, worst.value, worst.said, rule.mitigation)


def _level(rule: FactorRule, one: Measured) -> Level:
    if one.value is None:
        return Level.HIGH if rule.without_data == "high" else Level.MEDIUM
    if not math.isfinite(one.value) or one.value >= rule.high_at:
        return Level.HIGH
    return Level.MEDIUM if one.value >= rule.medium_at else Level.LOW


def _reason(
    factors: Sequence[Factor], absent: Sequence[str], decisive: Sequence[str], score: float, rules: SignoffRules
) -> str:
    if not factors:
        return "no factor is named in [signoff] of lens.toml, so nothing is known"
    if absent:
        return f"nobody looked at {', '.join(absent)}"
    if decisive:
        said = [f"{factor.name}: {factor.said}" for factor in factors if factor.name in decisive]
        return f"high by {'; '.join(said)}"
    raised = [f"{factor.name} {factor.level.name.lower()}" for factor in factors if factor.level is not Level.LOW]
    return (
        f"score {score:.2f} (medium from {rules.medium_at:g}, high from {rules.high_at:g}): "
        f"{', '.join(raised) or 'every factor is low'}"
    )
