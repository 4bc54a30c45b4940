"""The compatibility drill, judged: what cells saw of previous versions → answers, rollback-safety, one verdict.

A *cell* is one question about one previous version, an *observation* is what it saw, a *drill* all cells over all
previous versions. Judging is a pure function of the observations' bytes, so whoever has them can do it again.

A cell that crashed, hung, was skipped or left nothing is an ERROR; one that had nothing to ask about is INCONCLUSIVE
(first law). FAIL is a promise that does not hold: the candidate cannot read or migrate, contents differ, the API
breaks, a damaged index is accepted. A version that cannot go back in place, but goes back by its copy, is WAIVED
(``DrillRules.accept_copy_first``): it may advance, and is never green.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lens_core.errors import IntegrityError
from lens_core.model import Verdict
from lens_core.supply import canonical, shape
from lens_core.supply.source import digest_of

CELLS = (
    "read",
    "query_parity",
    "write",
    "merge",
    "migrate",
    "rollback",
    "roll_forward",
    "integrity",
    "analyzer",
    "api",
    "half_fleet",
)
"""Every cell, in the order in which people read them. All of them are answered, asked or not."""


class Ended(StrEnum):
    """How looking ended. Only DONE left facts to judge."""

    DONE = "done"
    CRASHED = "crashed"
    TIMED_OUT = "timed_out"
    SKIPPED = "skipped"


class RollbackSafe(StrEnum):
    """Whether the old version goes on with an index that the candidate has written into."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class DrillRules:
    """What a drill is judged by.

    ``cells`` must be answered for every version. Rankings are compared over the first ``top_k`` hits of at least
    ``min_questions`` questions. They must be the same, unless one of ``ranking_boundaries`` (versions of tantivy
    that changed ranking) lies between the two: then at most the share ``max_differing_share`` of questions may
    differ, with a mean rank agreement (0 to 1) of ``min_agreement`` or more. With ``accept_copy_first`` a
    version that cannot go back in place may still go back by a copy that was taken before the candidate wrote.
    """

    cells: tuple[str, ...] = CELLS
    top_k: int = 10
    min_questions: int = 20
    ranking_boundaries: tuple[str, ...] = ("0.26.0",)
    max_differing_share: float = 0.05
    min_agreement: float = 0.98
    accept_copy_first: bool = True


@dataclass(frozen=True, slots=True)
class Drilled:
    """An engine that took part: its version, its tantivy, and the SHA-256 (hex) of its wheel.

    Of a previous version also the digest of the index that was drilled, and whether that was ``built`` by it in
    this drill or ``archived`` by it before.
    """

    version: str
    tantivy: str
    wheel_sha256: str
    index_sha256: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """What one cell saw of one version: ``facts`` are JSON, and empty unless it ended DONE."""

    version: str
    cell: str
    ended: Ended
    said: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Canonical JSON."""
        return canonical.encode(
            {
                "version": self.version,
                "cell": self.cell,
                "ended": self.ended.value,
                "said": self.said,
                "facts": dict(self.facts),
            }
        )


@dataclass(frozen=True, slots=True)
class Found:
    """What a cell's judge makes of its facts.

    ``documents`` and ``questions`` were compared, ``differing`` of the questions (of the documents where there are
    none) came out otherwise; ``agreement`` (0 to 1) is how alike two rankings are. A judge of ``rollback`` also says
    whether going back is ``safe``, and whether the path by a copy is proven.
    """

    verdict: Verdict
    reason: str
    documents: int = 0
    questions: int = 0
    differing: int = 0
    agreement: float | None = None
    safe: RollbackSafe = RollbackSafe.UNKNOWN
    copy_first: bool = False


@dataclass(frozen=True, slots=True)
class DrillAnswer:
    """A cell's answer about a version; ``evidence`` is the digest of the observation, empty without one."""

    version: str
    cell: str
    verdict: Verdict
    reason: str
    evidence: str = ""
    documents: int = 0
    questions: int = 0
    differing: int = 0
    agreement: float | None = None


@dataclass(frozen=True, slots=True)
class Safety:
    """The way back from the candidate to one version: in place, or by a copy taken first; ``why`` in words."""

    version: str
    rollback_safe: RollbackSafe
    copy_first: bool
    why: str


Judge = Callable[[Mapping[str, Any], Drilled, Drilled, DrillRules], Found]
"""Judges a cell's facts about (previous version, candidate); what it cannot make sense of raises, and is an ERROR."""

Evidence = Mapping[tuple[str, str], bytes]
"""The bytes of observations by (version, cell)."""


def judge(
    evidence: Evidence,
    previous: Sequence[Drilled],
    candidate: Drilled,
    rules: DrillRules,
    judges: Mapping[str, Judge],
) -> tuple[tuple[DrillAnswer, ...], tuple[Safety, ...]]:
    """Every cell of the rules about every previous version, and the way back to each; versions in their order."""
    answers: list[DrillAnswer] = []
    ways: list[Safety] = []
    for version in previous:
        way = Safety(version.version, RollbackSafe.UNKNOWN, copy_first=False, why="nobody tried to go back")
        for cell in rules.cells:
            content = evidence.get((version.version, cell))
            found = _judge_cell(content, cell, version, candidate, rules, judges)
            answers.append(_answer(found, version.version, cell, content))
            if cell == "rollback":
                way = Safety(version.version, found.safe, found.copy_first, found.reason)
        ways.append(way)
    return tuple(answers), tuple(ways)


def verdict_of(answers: Sequence[DrillAnswer]) -> Verdict:
    """The worst answer; nothing drilled is INCONCLUSIVE."""
    return Verdict.worst(answer.verdict for answer in answers)


def outcome_of(version: str, answers: Sequence[DrillAnswer], way: Safety) -> str:
    """What a version's cells come to, in words: ``read, write and go back``, ``read and migrate only`` or else."""
    verdict = verdict_of([answer for answer in answers if answer.version == version])
    if not verdict.advances:
        return {"FAIL": "not compatible", "ERROR": "not known: cells failed"}.get(verdict.name, "not known")
    return {
        RollbackSafe.YES: "read, write and go back",
        RollbackSafe.NO: "read and migrate only: write to a copy",
        RollbackSafe.UNKNOWN: "read and migrate; going back is not known",
    }[way.rollback_safe]


def read_observation(content: bytes, what: str = "the observation") -> Observation:
    """Read what ``Observation.encode`` wrote; IntegrityError for anything else."""
    document = shape.members(canonical.decode(content, what), ("version", "cell", "ended", "said", "facts"), what)
    try:
        ended = Ended(document["ended"])
    except ValueError as error:
        raise IntegrityError(f"{what}: {error}", "drill again") from error
    if not isinstance(document["facts"], dict):
        raise IntegrityError(f"{what}: expected facts, saw {document['facts']!r}", "drill again")
    return Observation(document["version"], document["cell"], ended, document["said"], document["facts"])


def _judge_cell(
    content: bytes | None,
    cell: str,
    version: Drilled,
    candidate: Drilled,
    rules: DrillRules,
    judges: Mapping[str, Judge],
) -> Found:
    if content is None:
        return Found(Verdict.ERROR, "not asked: there is no observation")
    try:
        seen = read_observation(content)
        if (seen.version, seen.cell) != (version.version, cell):
            return Found(Verdict.ERROR, f"the observation is of {seen.cell} of {seen.version}")
        if seen.ended is not Ended.DONE:
            return Found(Verdict.ERROR, f"{seen.ended.value.replace('_', ' ')}: {seen.said or 'it said nothing'}")
        if cell not in judges:
            return Found(Verdict.ERROR, "nobody here can judge this cell")
        return judges[cell](seen.facts, version, candidate, rules)
    except (IntegrityError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        return Found(Verdict.ERROR, f"the observation cannot be judged: {type(error).__name__}: {error}")


def _answer(found: Found, version: str, cell: str, content: bytes | None) -> DrillAnswer:
    return DrillAnswer(
        version=version,
        cell=cell,
        verdict=found.verdict,
        reason=found.reason,
        evidence="" if content is None else digest_of(content),
        documents=found.documents,
        questions=found.questions,
        differing=found.differing,
        agreement=found.agreement,
    )
