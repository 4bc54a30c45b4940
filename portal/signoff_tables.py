"""What the sign-off page shows beside ``signoff_views``: stages, statements, the dossier and the audit log."""

from collections.abc import Iterable, Sequence

import pandas as pd

from lens_core.audit import Entry
from lens_core.signoff.words import Dossier, Plan, Recorded
from lens_core.signoff_views import moment, short, span

_KEY = 19
"""``SHA256:`` or ``ed25519:`` and the first digits of a key's name."""


def stages_frame(plan: Plan) -> pd.DataFrame:
    """A row per stage of the promotion, and one for the watch after it."""
    rows = [(f"{stage.percent:g} % of the traffic", span(stage.soak)) for stage in plan.stages]
    return pd.DataFrame([*rows, ("watch after it", span(plan.watch))], columns=["stage", "for at least"])


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


def entries_frame(entries: Iterable[Entry]) -> pd.DataFrame:
    """A row per entry of the audit log, newest first."""
    rows = [(str(one.number), moment(one.at), one.who, one.what, one.why) for one in reversed(list(entries))]
    return pd.DataFrame(rows, columns=["number", "when", "who", "what", "why"])


def dossier_lines(dossier: Dossier) -> str:
    """All that a statement is about, a line each, to be copied and compared."""
    lines = [f"{'dossier':15}{dossier.digest}"]
    for name, value in dossier.document().items():
        values = value if isinstance(value, list) else [value]
        lines += [f"{'' if number else name:15}{one or 'none'}" for number, one in enumerate(values or ["none"])]
    return "\n".join(lines)
