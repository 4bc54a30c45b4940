"""What the sign-off page shows as tables: frames of words, one for each thing that one can ask about a readiness."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd

from lens_core.signoff.words import Blocker, Dossier, Level, Plan, Readiness, Recorded, Risk, Role, Timeline

NONE_YET = "nobody yet"
_KEY = 12


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


def blockers_frame(blockers: Sequence[Blocker]) -> pd.DataFrame:
    """A row per blocker: what is missing, who can give it and how, those that stand first."""
    rows = [
        (one.code, f"lifted: {one.lifted}" if one.lifted else "blocks", one.what, one.who, one.how)
        for one in sorted(blockers, key=lambda one: bool(one.lifted))
    ]
    return pd.DataFrame(rows, columns=["what", "stands", "why", "who can give it", "how"])


def approvals_frame(readiness: Readiness) -> pd.DataFrame:
    """A row per role and approval, a row for each role that nobody has given; only one that holds counts."""
    rows: list[tuple[str, ...]] = []
    for role in Role:
        given = [one for one in readiness.approvals if one.role is role]
        for one in sorted(given, key=lambda one: (not one.holds, -one.at.timestamp())):
            stands = "✓ holds" if one.holds else f"✕ {one.why or 'does not hold'}"
            until = moment(one.expires)
            rows.append(
                (role.value, one.person, stands, moment(one.at), until, one.method.value, one.reason, short(one.digest))
            )
        if not any(one.holds for one in given):
            rows.append((role.value, NONE_YET, "? missing", "", "", "", "", ""))
    columns = ["role", "person", "stands", "given", "until", "signed by", "why", "statement"]
    return pd.DataFrame(rows, columns=columns)


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


def stages_frame(plan: Plan) -> pd.DataFrame:
    """A row per stage of the promotion, and one for the watch after it."""
    rows = [(f"{stage.percent:g} % of the traffic", span(stage.soak)) for stage in plan.stages]
    return pd.DataFrame([*rows, ("watch after it", span(plan.watch))], columns=["stage", "for at least"])


def timeline_rows(timeline: Timeline) -> tuple[tuple[str, str], ...]:
    """The moments of a promotion by name."""
    return (
        ("Promotion, earliest", moment(timeline.earliest)),
        ("Promotion, recommended from", moment(timeline.recommended)),
        ("Approvals hold until", moment(timeline.approvals_until)),
        ("Nights count until", moment(timeline.streak_until)),
    )


def statements_frame(recorded: Sequence[Recorded]) -> pd.DataFrame:
    """A row per statement, newest first; one that is not believed says why."""
    rows = [
        (
            moment(one.recorded_at),
            one.statement.act.value,
            one.statement.person,
            one.statement.role.value if one.statement.role else "",
            f"✕ not believed: {one.fault}" if one.fault else "✓ signed",
            f"{one.method.value}, {one.key[:_KEY]}…",
            one.statement.reason,
            short(one.digest),
        )
        for one in reversed(recorded)
    ]
    columns = ["recorded", "act", "person", "role", "signature", "key", "why", "statement"]
    return pd.DataFrame(rows, columns=columns)


def dossier_lines(dossier: Dossier) -> str:
    """All that a statement is about, a line each, to be copied and compared."""
    lines = [f"{'dossier':14}{dossier.digest}"]
    for name, value in dossier.document().items():
        values = value if isinstance(value, list) else [value]
        lines += [f"{name if not number else '':14}{one or '–'}" for number, one in enumerate(values or ["none"])]
    return "\n".join(lines)


def short(digest: str) -> str:
    """The first twelve digits of a digest."""
    return digest.removeprefix("sha256:")[:12]
