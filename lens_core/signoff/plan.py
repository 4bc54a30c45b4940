"""What a promotion would look like, and when it may happen."""

from collections.abc import Mapping
from datetime import timedelta

from lens_core.signoff.words import (
    Approval,
    DrillCase,
    Level,
    Plan,
    Risk,
    Role,
    SignoffRules,
    Stage,
    Streak,
    Timeline,
)


def plan(risk: Risk, drill: DrillCase | None, rules: SignoffRules, *, lifted: bool) -> Plan | None:
    """The rollout that the risk makes; None for a high one, unless break-glass ``lifted`` it: then the slowest."""
    if risk.level is Level.HIGH and not lifted:
        return None
    level = Level.MEDIUM if risk.level is Level.HIGH else risk.level
    rule = rules.plans.get(level.name.lower())
    if rule is None:
        return None
    copy_first = drill is None or drill.rollback_safe != "yes"
    stages = ", ".join(_stage(stage) for stage in rule.stages)
    copied = "; a copy of the index is taken first, going back is by it" if copy_first else ""
    how = (
        "high risk, lifted by break-glass: as for medium" if risk.level is Level.HIGH else f"{level.name.lower()} risk"
    )
    return Plan(rule.stages, rule.watch, copy_first, f"{how}: {stages}, then watched for {_span(rule.watch)}{copied}")


def timeline(streak: Streak, given: Mapping[Role, Approval], rules: SignoffRules) -> Timeline:
    """The moments; those that hang on nights or approvals which are not there are None."""
    earliest = streak.ended_at + rules.grace if streak.ended_at else None
    return Timeline(
        earliest=earliest,
        recommended=earliest + rules.recommended_after if earliest else None,
        approvals_until=min(one.expires for one in given.values()) if len(given) == len(Role) else None,
        streak_until=streak.until,
    )


def _stage(stage: Stage) -> str:
    return f"{stage.percent:g} %" + (f" for {_span(stage.soak)}" if stage.soak else "")


def _span(span: timedelta) -> str:
    minutes = span / timedelta(minutes=1)
    return f"{minutes / 60:g} h" if minutes >= 60 else f"{minutes:g} min"  # noqa: PLR2004  (minutes of an hour)
