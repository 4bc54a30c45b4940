"""The gate ``compatibility`` of a night: what the candidate's drills say, if they still stand.

It takes a drill against *every* registered version, by the rules in force; a later one against some of them can
only make the answer worse (first law).
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from lens_core.drills.drill import DrillRules
from lens_core.drills.reader import Drills
from lens_core.drills.record import DrillRecord
from lens_core.drills.standing import Standing, standing
from lens_core.model import Answer, Candidate, Verdict
from lens_core.supply.source import digest_of


class CompatibilityGate:
    """Keeps the ``NightGate`` port. ``expected`` are the versions that a candidate must have been drilled against."""

    name = "compatibility"

    def __init__(self, drills: Drills, expected: Sequence[str], rules: DrillRules) -> None:
        self._drills = drills
        self._expected = frozenset(expected)
        self._rules = rules

    def answer(self, candidate: Candidate, folder: Path, now: datetime) -> Answer:
        """See ``NightGate``. The seals of the drills are kept in the night's folder."""
        records: list[DrillRecord] = []
        seals: list[bytes] = []
        for place in reversed(self._drills.places(candidate.version)):
            found = self._drills.verify(place)
            if found.record is None or not found.stands:
                return self._say(Verdict.ERROR, f"the drill {place.name} does not verify: {found.faults[0]}")
            if found.record.candidate.wheel_sha256 != candidate.digest.hex:
                continue  # one of another wheel of this version is no evidence
            records.append(found.record)
            seals.append((place / "manifest.json").read_bytes())
            (folder / f"drill-{place.name}-manifest.json").write_bytes(seals[-1])
            if (said := standing(records, self._expected, self._rules)) and said.whole is not None:
                return self._judged(said, digest_of(seals[said.whole]))
        if said := standing(records, self._expected, self._rules):
            return self._judged(said, "")
        missing = ", ".join(sorted(self._expected)) or "any version: none is registered"
        return self._say(
            Verdict.INCONCLUSIVE, f"{candidate.version} was not drilled against all of {missing} (`lens compat-drill`)"
        )

    def _judged(self, said: Standing, evidence: str) -> Answer:
        return Answer(self.name, "", said.verdict, said.reason, float(said.held), 0.0, said.asked, evidence, "≤")

    def _say(self, verdict: Verdict, reason: str) -> Answer:
        return Answer(self.name, "", verdict, reason)
