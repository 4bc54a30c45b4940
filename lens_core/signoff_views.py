"""A candidate's readiness as tables and words: can it be promoted, if not why, and who can give what is missing."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd

from lens_core.signoff.words import Blocker, Level, Plan, Readiness, Risk, Role, Streak, Timeline

NONE_YET = "nobody yet"
_SHORT = 12


def headline(readiness: Readiness) -> str:
    """The answer in one line."""
    standing = [one for one in readiness.blockers if not one.lifted]
    if readiness.ready:
        lifted = len(readiness.blockers)
        return f"{readiness.version} may be promoted" + (f": break-glass lifts {lifted} blockers" if lifted else "")
    who = ", ".join(dict.fromkeys(one.who for one in standing))
    count = f"{len(standing)} blockers stand" if len(standing) != 1 else "1 blocker stands"
    return f"{readiness.version} may not be promoted: {count}. Who can give what is missing: {who}"


def blockers_frame(blockers: Sequence[Blocker]) -> pd.DataFrame:
    """A row per blocker: what is missing, who can give it and how, those that stand first."""
    rows = [
        (one.code, one.what + (f" (lifted: {one.lifted})" if one.lifted else ""), one.who, one.how)
        for one in sorted(blockers, key=lambda one: bool(one.lifted))
    ]
    return pd.DataFrame(rows, columns=["blocker", "why", "who can give it", "how"])


def approvals_frame(readiness: Readiness) -> pd.DataFrame:
    """A row per approval by role, those that hold first, and one for each role that nobody gave."""
    rows: list[tuple[str, ...]] = []
    for role in Role:
        given = [one for one in readiness.approvals if one.role is role]
        for one in sorted(given, key=lambda one: (not one.holds, -one.at.timestamp())):
            stands = "✓ holds" if one.holds else f"✕ {one.why or 'does not hold'}"
            rows.append((role.value, one.person, stands, moment(one.at), moment(one.expires), one.reason))
        if not given:
            rows.append((role.value, NONE_YET, "? missing", "", "", ""))
    return pd.DataFrame(rows, columns=["role", "person", "stands", "given", "until", "why"])


def factors_frame(risk: Risk) -> pd.DataFrame:
    """A row per factor, the heaviest first: its level, what it adds, what was measured, and what helps."""
    most = sum(2 * one.weight for one in risk.factors) or 1.0
    rows = [
        (
            one.name.replace("_", " "),
            one.level.name.lower(),
            f"{one.points / most:.2f}",
            one.said,
            one.mitigation if one.level is not Level.LOW else "",
        )
        for one in sorted(risk.factors, key=lambda one: -one.points)
    ]
    return pd.DataFrame(rows, columns=["factor", "level", "adds", "why", "what helps"])


def streak_lines(streak: Streak) -> tuple[tuple[str, str], ...]:
    """How far the nights are, by name."""
    counted = f": {', '.join(streak.nights)}" if streak.nights else ""
    broken = f"; {streak.broken_by}" if streak.broken_by and streak.passed < streak.wanted else ""
    lines = [
        ("nights", f"{streak.passed} of {streak.wanted} consecutive dates{counted}{broken}"),
        ("dates used", f"{streak.used} of {streak.allowed}" + ("; expired for good" if streak.expired else "")),
    ]
    if streak.retried:
        lines.append(("run again", f"{', '.join(streak.retried)}, after an ERROR"))
    return (*lines, ("chance", streak.chance_said))


def timeline_lines(timeline: Timeline) -> tuple[tuple[str, str], ...]:
    """The moments of a promotion, by name."""
    return (
        ("earliest", moment(timeline.earliest)),
        ("recommended", moment(timeline.recommended)),
        ("approvals", f"hold until {moment(timeline.approvals_until)}" if timeline.approvals_until else "incomplete"),
        ("streak", f"counts until {moment(timeline.streak_until)}" if timeline.streak_until else "incomplete"),
    )


def plan_line(plan: Plan | None) -> str:
    """What a promotion would do."""
    return plan.said if plan else "none: nothing is promoted at this risk"


def moment(at: datetime | None, absent: str = "not known yet") -> str:
    """A moment in UTC, in words."""
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else absent


def span(length: timedelta) -> str:
    """A length of time in hours, minutes or seconds: the largest that it is whole in."""
    seconds = int(length.total_seconds())
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def short(digest: str) -> str:
    """The first twelve digits of a digest."""
    return digest.removeprefix("sha256:")[:_SHORT]
