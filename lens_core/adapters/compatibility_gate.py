"""The gate ``compatibility`` of a night: what the candidate's latest drill says, if that still stands."""

from datetime import datetime
from pathlib import Path

from lens_core.drill_reader import Drills
from lens_core.model import Answer, Candidate, Verdict
from lens_core.supply.source import digest_of


class CompatibilityGate:
    """Keeps the ``NightGate`` port. A drill of another wheel, or one that does not verify, is no evidence."""

    name = "compatibility"

    def __init__(self, drills: Drills) -> None:
        self._drills = drills

    def answer(self, candidate: Candidate, folder: Path, now: datetime) -> Answer:
        """See ``NightGate``. The seal of the drill is kept in the night's folder."""
        places = self._drills.places(candidate.version)
        if not places:
            return self._say(Verdict.INCONCLUSIVE, f"{candidate.version} was not drilled (`lens compat-drill`)")
        found = self._drills.verify(places[-1])
        record = found.record
        if record is None or not found.stands:
            return self._say(Verdict.ERROR, f"the drill {places[-1].name} does not verify: {found.faults[0]}")
        if record.candidate.wheel_sha256 != candidate.digest.hex:
            return self._say(Verdict.INCONCLUSIVE, f"the latest drill of {candidate.version} is one of another wheel")
        seal = (places[-1] / "manifest.json").read_bytes()
        (folder / "drill-manifest.json").write_bytes(seal)
        held = [answer for answer in record.answers if not answer.verdict.advances]
        versions = ", ".join(one.version for one in record.previous)
        worst = next((a for a in held if a.verdict is record.verdict), None)
        reason = (
            f"{worst.version} {worst.cell}: {worst.reason}" if worst else f"{len(record.answers)} cells of {versions}"
        )
        return Answer(
            self.name, "", record.verdict, reason, float(len(held)), 0.0, len(record.answers), digest_of(seal), "≤"
        )

    def _say(self, verdict: Verdict, reason: str) -> Answer:
        return Answer(self.name, "", verdict, reason)
