"""A drill as tables: every answer, and the way back to every version."""

import pandas as pd

from lens_core.drills.record import DrillRecord
from lens_core.model import Verdict

ANSWER_COLUMNS = ("version", "cell", "verdict", "reason", "documents", "questions", "differing", "agreement")
CELL_WORDS = {
    "read": "read",
    "query_parity": "query parity",
    "write": "write in place",
    "merge": "merge",
    "migrate": "migrate",
    "rollback": "roll back",
    "roll_forward": "roll forward",
    "integrity": "integrity",
    "analyzer": "analyzer",
    "api": "API",
    "half_fleet": "half-fleet",
}
"""How people name the cells."""


def answer_frame(record: DrillRecord) -> pd.DataFrame:
    """One row for each cell of each version, in their order; columns ANSWER_COLUMNS, verdicts by their names."""
    rows = [
        {name: getattr(answer, name) for name in ANSWER_COLUMNS} | {"verdict": answer.verdict.name}
        for answer in record.answers
    ]
    return pd.DataFrame(rows, columns=list(ANSWER_COLUMNS))


def way_back_frame(record: DrillRecord) -> pd.DataFrame:
    """One row for each version: its tantivy, what it comes to, whether it is rollback-safe, and why."""
    rows = []
    for version in record.previous:
        way = record.way_back(version.version)
        rows.append(
            {
                "version": version.version,
                "tantivy": version.tantivy,
                "index": version.origin or "none",
                "comes to": record.outcome(version.version),
                "rollback-safe": way.rollback_safe.value,
                "copy first": "proven" if way.copy_first else "not proven",
                "why": way.why,
            }
        )
    return pd.DataFrame(rows, columns=["version", "tantivy", "index", "comes to", "rollback-safe", "copy first", "why"])


def held_frame(record: DrillRecord) -> pd.DataFrame:
    """What does not pass, worst first: version, cell as people name it, verdict and why."""
    held = [answer for answer in record.answers if answer.verdict is not Verdict.PASS]
    rows = [
        (answer.version, CELL_WORDS.get(answer.cell, answer.cell), answer.verdict.name, answer.reason)
        for answer in sorted(held, key=lambda answer: -answer.verdict.value)
    ]
    return pd.DataFrame(rows, columns=["version", "cell", "verdict", "why"])
