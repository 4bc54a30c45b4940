"""The cell ``half_fleet``: while half of the servers are old and half are new, a client must get one service.

Judged from one observation, canonical JSON::

    {"format": 1,
     "questions": ["…"],
     "alone": [{"old": {"code": 200, "media": "application/json", "body": "<key>"}, "new": …}, …],
     "mixed": [[{"half": "old", "code": …, "media": …, "body": …}, …], …],
     "counted": {"old": 12, "new": 12},
     "bodies": {"<key>": {"value": …} or {"unreadable": "<why>"}}}

``alone`` is what each side answers to a question by itself, ``mixed`` what came through the one address in front of
both, question by question, with the half that the forwarder says it asked. ``counted`` is how many searches each
server itself counted meanwhile.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lens_core.drills.api_answers import RANK_BOUND, Seen, moved
from lens_core.drills.api_drill import CellAnswer, seen_of
from lens_core.errors import InvalidInput
from lens_core.model import Verdict

CELL: Final = "half_fleet"
FORMAT: Final = 1
HALVES: Final = ("old", "new")
LEAST_SHARE: Final = 1 / 3
"""Of the questions that each half must really have answered."""
_SERVER_ERROR: Final = 500
_SHOWN: Final = 5
_UNREADABLE: Final = (InvalidInput, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)


def judge(observation: bytes, *, rank_bound: int = RANK_BOUND) -> CellAnswer:
    """The verdict on one observation.

    Nothing asked is INCONCLUSIVE. What cannot be read is ERROR, and so is a run in which not both halves served, or the
    servers counted otherwise than the forwarder: it was no half-fleet. An answer that neither side gives alone, one
    that failed, and two halves that do not agree are FAIL.
    """
    if not observation:
        return CellAnswer(CELL, Verdict.INCONCLUSIVE, "nothing was asked")
    try:
        seen = _Run(observation)
        wrong, unproven = tuple(seen.wrong(rank_bound)), tuple(seen.unproven())
        counts = seen.counts()
    except _UNREADABLE as error:
        return CellAnswer(CELL, Verdict.ERROR, f"the observation cannot be read ({type(error).__name__}: {error})")
    if not counts["asked"]:
        return CellAnswer(CELL, Verdict.INCONCLUSIVE, "nothing was asked", counts)
    verdict = Verdict.worst([Verdict.PASS, *[Verdict.FAIL] * bool(wrong), *[Verdict.ERROR] * bool(unproven)])
    said = [*wrong, *unproven]
    shown = [*said[:_SHOWN], *([f"and {len(said) - _SHOWN} more"] if len(said) > _SHOWN else [])]
    served = f"{counts['asked']} answers, {counts['old']} of the old half and {counts['new']} of the new, all agree"
    return CellAnswer(CELL, verdict, "; ".join(shown) or served, {**counts, "wrong": len(wrong)})


class _Run:
    """What was seen, read once."""

    def __init__(self, content: bytes) -> None:
        said = json.loads(content)
        if said["format"] != FORMAT:
            raise InvalidInput(f"expected an observation of format {FORMAT}, saw {said['format']!r}", "drill again")
        bodies = said["bodies"]
        self._questions = said["questions"]
        if not isinstance(self._questions, list) or not all(isinstance(each, str) for each in self._questions):
            raise InvalidInput("expected questions as texts", "drill again")
        self._alone = [{half: seen_of(pair[half], bodies) for half in HALVES} for pair in said["alone"]]
        self._mixed = [[(str(raw["half"]), seen_of(raw, bodies)) for raw in answers] for answers in said["mixed"]]
        if not len(self._questions) == len(self._alone) == len(self._mixed):
            raise InvalidInput("expected as many answers as questions", "drill again")
        self._counted: Mapping[str, Any] = said["counted"]
        self._served = Counter(half for answers in self._mixed for half, _ in answers)

    def wrong(self, rank_bound: int) -> Iterator[str]:
        """What a client would notice."""
        for question, alone, mixed in zip(self._questions, self._alone, self._mixed, strict=True):
            yield from _odd_answers(question, alone, mixed)
            if not mixed:
                yield f"{question!r}: it was not asked of both together"
            for why in _disagreement(alone["old"], alone["new"], rank_bound):
                yield f"{question!r}: the halves do not agree, {why}"

    def unproven(self) -> Iterator[str]:
        """Why this was no half-fleet."""
        asked = self._served.total()
        if unknown := asked - sum(self._served[half] for half in HALVES):
            yield f"of {unknown} of {asked} answers nobody says which half they are of"
        for half in HALVES:
            counted = self._counted[half]
            if type(counted) is not int:
                yield f"the {half} server did not say how many searches it counted"
            elif counted != self._served[half]:
                yield f"the forwarder asked the {half} server {self._served[half]} times, which counted {counted}"
            elif counted < asked * LEAST_SHARE:
                yield f"the {half} half served {counted} of {asked}, expected at least a third"

    def counts(self) -> dict[str, int]:
        """How much was asked, and of whom."""
        return {
            "questions": len(self._questions),
            "asked": self._served.total(),
            **{half: self._served[half] for half in HALVES},
        }


def _disagreement(old: Seen, new: Seen, rank_bound: int) -> Iterator[str]:
    """Codes and hits only: what else an answer has is compared by the cell ``api``."""
    if old.code != new.code:
        yield f"one answers {old.code or 'nothing'} and one {new.code or 'nothing'}"
    elif old.succeeded:
        yield from (why for _, why in moved(old.body["hits"], new.body["hits"], rank_bound))


def _odd_answers(question: str, alone: Mapping[str, Seen], mixed: list[tuple[str, Seen]]) -> Iterator[str]:
    for half, seen in mixed:
        if seen.code >= _SERVER_ERROR or not seen.code:
            yield f"{question!r}: {seen.code or 'no answer'} from the {half} half"
        elif seen not in alone.values():
            yield f"{question!r}: an answer that neither version gives alone, from the {half} half"
        elif seen != alone.get(half, seen):
            yield f"{question!r}: the {half} half answered as only the other version does alone"
