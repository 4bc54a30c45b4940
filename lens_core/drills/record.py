"""``drill.json``: what a drill was of, what it was judged by, and what was said; and the rules as they are kept."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from lens_core.drills.drill import DrillAnswer, Drilled, DrillRules, RollbackSafe, Safety, outcome_of, verdict_of
from lens_core.errors import IntegrityError
from lens_core.model import Verdict
from lens_core.supply import canonical, shape

RECORD = "drill.json"
OBSERVATIONS = "observations/"
_AT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class DrillRecord:
    """One drill: when, for whom, of which candidate (``commit`` is git's), against what, by which rules; what came out.

    ``dirty`` says that the working tree held changes that the candidate's wheel does not.
    """

    drilled_at: datetime
    drilled_by: str
    candidate: Drilled
    commit: str
    dirty: bool
    previous: tuple[Drilled, ...]
    rules: DrillRules
    answers: tuple[DrillAnswer, ...]
    ways_back: tuple[Safety, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst answer of all."""
        return verdict_of(self.answers)

    @property
    def rollback_safe(self) -> RollbackSafe:
        """YES when every previous version goes on with what the candidate wrote, NO when one does not."""
        said = [way.rollback_safe for way in self.ways_back]
        if RollbackSafe.NO in said:
            return RollbackSafe.NO
        return RollbackSafe.YES if said and set(said) == {RollbackSafe.YES} else RollbackSafe.UNKNOWN

    @property
    def copy_first(self) -> bool:
        """Whether the path by a copy is proven for every previous version."""
        return bool(self.ways_back) and all(way.copy_first for way in self.ways_back)

    def way_back(self, version: str) -> Safety:
        """The way back to a previous version: unknown for one that was not drilled."""
        unknown = Safety(version, RollbackSafe.UNKNOWN, copy_first=False, why="it was not drilled")
        return next((way for way in self.ways_back if way.version == version), unknown)

    def outcome(self, version: str) -> str:
        """What a version's cells come to, in words."""
        return outcome_of(version, self.answers, self.way_back(version))

    def encode(self) -> bytes:
        """Canonical JSON."""
        return canonical.encode(
            {
                "drilled_at": self.drilled_at.astimezone(UTC).strftime(_AT),
                "drilled_by": self.drilled_by,
                "candidate": asdict(self.candidate),
                "commit": self.commit,
                "dirty": self.dirty,
                "previous": [asdict(version) for version in self.previous],
                "rules": rules_json(self.rules),
                "answers": [{**asdict(answer), "verdict": answer.verdict.name} for answer in self.answers],
                "ways_back": [asdict(way) for way in self.ways_back],
            }
        )


def read_record(content: bytes) -> DrillRecord:
    """Read what ``encode`` wrote; IntegrityError for anything else."""
    names = [field.name for field in fields(DrillRecord)]
    document = shape.members(canonical.decode(content, RECORD), names, RECORD)
    try:
        return DrillRecord(
            drilled_at=datetime.strptime(document["drilled_at"], "%Y-%m-%dT%H:%M:%S%z"),
            drilled_by=document["drilled_by"],
            candidate=Drilled(**document["candidate"]),
            commit=document["commit"],
            dirty=document["dirty"],
            previous=tuple(Drilled(**item) for item in document["previous"]),
            rules=read_rules(document["rules"]),
            answers=tuple(_answer(item) for item in document["answers"]),
            ways_back=tuple(_way(item) for item in document["ways_back"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"{RECORD}: expected a drill, saw {error!r}", "drill again") from error


def rules_json(rules: DrillRules) -> dict[str, Any]:
    """The rules as JSON has them."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(rules).items()}


def read_rules(document: dict[str, Any]) -> DrillRules:
    """The rules of a record; TypeError for others than ``rules_json`` writes."""
    found: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in document.items()}
    return DrillRules(**found)


def observation_name(version: str, cell: str) -> str:
    """Where an observation lies in a drill's folder."""
    return f"{OBSERVATIONS}{version}/{cell}.json"


def evidence_of(
    files: dict[str, bytes], versions: Sequence[Drilled], rules: DrillRules
) -> dict[tuple[str, str], bytes]:
    """The observations among the files of a drill, by version and cell."""
    wanted = ((version.version, cell) for version in versions for cell in rules.cells)
    return {key: files[name] for key in wanted if (name := observation_name(*key)) in files}


def sealed_version(version: str, number: str) -> str:
    """What a drill's manifest is of: never a version that a cut's could be of, so that none passes for the other."""
    return f"{version}+drill.{number}"


def _answer(item: dict[str, Any]) -> DrillAnswer:
    return DrillAnswer(**{**item, "verdict": Verdict[item["verdict"]]})


def _way(item: dict[str, Any]) -> Safety:
    return Safety(**{**item, "rollback_safe": RollbackSafe(item["rollback_safe"])})
