"""The cell ``api``: old clients on the new server, and new ones on the old, must get what they expect.

Judged from one observation: the OpenAPI documents of both versions, and the answers that both servers gave to the same
requests. The observation is canonical JSON::

    {"format": 1,
     "old": {"document": …}, "new": {"document": …},
     "exchanges": [{"by": ["old", "new", "golden", "compat"], "method": "GET", "path": "/search", "query": [["q", "x"]],
                    "old": {"code": 200, "media": "application/json", "body": "<key>"}, "new": …}],
     "bodies": {"<key>": {"value": …} or {"unreadable": "<why>"}}}

``by`` says whose request it is: one that the old document allows a client to try, one of the new document, a golden
question, a question about versions. ``code`` is 0 where there was no answer.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lens_core.drills.api_answers import FREE_FIELDS, OTHER_ANALYZER, RANK_BOUND, Comparison, Free, Promises, Seen
from lens_core.drills.api_changes import NEW_CLIENT, OLD_CLIENT, Difference, compare
from lens_core.drills.compat_rules import COMPAT, compat_differences
from lens_core.drills.openapi import Document, token
from lens_core.errors import InvalidInput
from lens_core.model import Verdict

CELL: Final = "api"
FORMAT: Final = 1
_SERVER_ERROR: Final = 500
_STATS: Final = "/stats"
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Allowed:
    """A breaking change that was agreed to: its exact place, and why it is right."""

    place: str
    reason: str

    def __post_init__(self) -> None:
        if not self.place or not self.reason.strip():
            raise InvalidInput(f"expected a place and a reason, saw {self.place!r}", "say why the change is allowed")


@dataclass(frozen=True, slots=True)
class CellAnswer:
    """What one cell says of one previous version; ``differences`` is everything that was found, breaking or not."""

    cell: str
    verdict: Verdict
    reason: str
    counts: Mapping[str, int] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and the answers of both servers."""

    by: frozenset[str]
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    old: Seen
    new: Seen

    def __str__(self) -> str:
        asked = "&".join(f"{name}={value[:40]}" for name, value in self.query)
        return f"{self.method} {self.path}{'?' if asked else ''}{asked}"


def judge(observation: bytes, allowed: Sequence[Allowed] = (), *, rank_bound: int = RANK_BOUND) -> CellAnswer:
    """The verdict on one observation.

    Nothing asked, or a part of it, is INCONCLUSIVE; what cannot be read is ERROR, and so is an old server that does not
    answer; a breaking difference is FAIL, and WAIVED when all of them are ``allowed``.
    """
    if not observation:
        return CellAnswer(CELL, Verdict.INCONCLUSIVE, "nothing was asked")
    try:
        seen = _Observation(observation)
        found = tuple(seen.differences(rank_bound))
        gaps, counts = tuple(seen.gaps()), seen.counts()
    except (InvalidInput, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return CellAnswer(CELL, Verdict.ERROR, f"the observation cannot be read ({type(error).__name__}: {error})")
    agreed = {each.place for each in allowed}
    broken = [each for each in found if each.breaking]
    counts |= {"breaking": len(broken), "additive": len(found) - len(broken)}
    verdicts = [Verdict.FAIL if each.place not in agreed else Verdict.WAIVED for each in broken]
    verdicts += [Verdict.INCONCLUSIVE] * bool(gaps) + [Verdict.ERROR] * bool(seen.silent)
    verdict = Verdict.worst([Verdict.PASS, *verdicts])
    return CellAnswer(CELL, verdict, _reason(seen, found, gaps, allowed, counts), counts, found)


def _reason(
    seen: "_Observation",
    found: Sequence[Difference],
    gaps: Sequence[str],
    allowed: Sequence[Allowed],
    counts: Mapping[str, int],
) -> str:
    reasons = {each.place: each.reason for each in allowed}
    broken = [each for each in found if each.breaking]
    places = {each.place for each in broken}
    said = [str(each) for each in broken if each.place not in reasons]
    said += [f"the old server did not answer {each}" for each in seen.silent]
    said += gaps
    said += [f"{each.place}: allowed, {reasons[each.place]}" for each in broken if each.place in reasons]
    said += [f"{place} is allowed and does not differ" for place in sorted(reasons.keys() - places)]
    said = said or [f"{counts['requests']} requests, both servers keep the word of the old one"]
    said += [str(each) for each in found if not each.breaking]
    return "; ".join([*said[:_SHOWN], *([f"and {len(said) - _SHOWN} more"] if len(said) > _SHOWN else [])])


class _Observation:
    """What was seen, read once; raises whatever a part that is not as it should be raises."""

    def __init__(self, content: bytes) -> None:
        said = json.loads(content)
        if said["format"] != FORMAT:
            raise InvalidInput(f"expected an observation of format {FORMAT}, saw {said['format']!r}", "drill again")
        self.old, self.new = Document(said["old"]["document"]), Document(said["new"]["document"])
        self.exchanges = tuple(exchanges_of(said))
        self.silent = tuple(str(each) for each in self.exchanges if not each.old.code)
        self._compared = 0
        self._same = self._same_content()

    def differences(self, rank_bound: int) -> Iterator[Difference]:
        """From the documents, and from the answers: the latter once for each place, with the first request."""
        yield from compare(self.old, self.new)
        yield from compat_differences(self._compat(0), self._compat(1))
        first: dict[tuple[str, str, bool], Difference] = {}
        times: Counter[tuple[str, str, bool]] = Counter()
        comparison = Comparison(self._free(), rank_bound, shapes_only=not self._same)
        promised, own = Promises(self.old), Promises(self.new)
        for each in self.exchanges:
            for found in self._of_one(each, comparison, promised, own):
                key = (found.place, found.kind, found.breaking)
                first.setdefault(key, replace(found, why=f"{found.why} (first: {each})"))
                times[key] += 1
        yield from (
            replace(each, why=f"{each.why}, {times[key]} times" if times[key] > 1 else each.why)
            for key, each in sorted(first.items())
        )

    def _of_one(
        self, each: Exchange, comparison: Comparison, promised: Promises, own: Promises
    ) -> Iterator[Difference]:
        if not each.old.code:
            return
        place = f"/answers/{token(each.path)}/{each.new.code}"
        if each.by == {"new"}:
            yield from _forward_only(each, comparison, place)
        else:
            self._compared += self._same
            yield from comparison.answers(each.path, each.old, each.new)
            problem = promised.problem(each.method, each.path, each.new)
            if problem and not promised.problem(each.method, each.path, each.old):
                why = f"the new server's answer is not what the old document promises: {problem}"
                yield Difference(place, "promise", breaking=True, whom=(OLD_CLIENT,), why=why)
        if problem := own.problem(each.method, each.path, each.new):
            why = f"the new server does not keep its own document: {problem}"
            yield Difference(place, "own promise", breaking=True, whom=(NEW_CLIENT,), why=why)

    def gaps(self) -> Iterator[str]:
        """What was not asked, and so is not known. Call after ``differences``."""
        if not self.old.operations:
            yield "the old document has no operations"
        for what in ("old", "new", "golden", "compat"):
            if not any(what in each.by for each in self.exchanges):
                yield f"no request of the kind {what!r} was sent"
        answered = {(each.path, each.method.lower()) for each in self.exchanges if each.old.succeeded}
        for path, method in sorted(self.old.operations.keys() - answered):
            yield f"the old server never answered {method.upper()} {path} with success"
        if not self._same:
            yield "the two servers answered from different contents, so equal answers cannot be expected"

    def counts(self) -> dict[str, int]:
        """How much was looked at."""
        by = Counter(name for each in self.exchanges for name in each.by)
        asked = {f"by_{name}": by[name] for name in ("old", "new", "golden", "compat")}
        return {
            "operations": len(self.old.operations),
            "requests": len(self.exchanges),
            "answers_compared": self._compared,
            **asked,
        }

    def _compat(self, side: int) -> list[tuple[tuple[tuple[str, str], ...], Seen]]:
        found = [each for each in self.exchanges if "compat" in each.by and each.path == COMPAT]
        return [(each.query, (each.old, each.new)[side]) for each in found]

    def _free(self) -> tuple[Free, ...]:
        prints = {stats.get("analyzer_fingerprint") for stats in self._stats()}
        return (*FREE_FIELDS, *(OTHER_ANALYZER if len(prints) > 1 else ()))

    def _same_content(self) -> bool:
        digests = [stats.get("content_digest") for stats in self._stats()]
        return bool(digests) and None not in digests and digests[0] == digests[-1]

    def _stats(self) -> list[Mapping[str, Any]]:
        for each in self.exchanges:
            if each.path == _STATS and not each.query and each.method == "GET":
                return [seen.body if isinstance(seen.body, Mapping) else {} for seen in (each.old, each.new)]
        return []


def _forward_only(each: Exchange, comparison: Comparison, place: str) -> Iterator[Difference]:
    """A request that only a new client sends: the old server may refuse it, but not break, nor ignore what is asked."""
    if each.old.code >= _SERVER_ERROR and each.new.code < _SERVER_ERROR:
        why = f"the old server answers {each.old.code} to what only a new client asks"
        yield Difference(place, "code", breaking=True, whom=(NEW_CLIENT,), why=why)
    elif each.new.code >= _SERVER_ERROR or not each.new.code:
        why = f"the new server answers {each.new.code} to its own client"
        yield Difference(place, "code", breaking=True, whom=(NEW_CLIENT,), why=why)
    elif each.old.succeeded and each.new.succeeded and not comparison.agree(each.path, each.old, each.new):
        why = "the old server ignores what the new client asks, and answers something else with success"
        yield Difference(place, "value", breaking=True, whom=(NEW_CLIENT,), why=why)


def exchanges_of(said: Mapping[str, Any]) -> Iterable[Exchange]:
    """The exchanges of an observation; KeyError and the like for one that is none."""
    bodies = said["bodies"]
    for raw in said["exchanges"]:
        query = tuple((str(name), str(value)) for name, value in raw["query"])
        old, new = seen_of(raw["old"], bodies), seen_of(raw["new"], bodies)
        yield Exchange(frozenset(raw["by"]), raw["method"], raw["path"], query, old, new)


def seen_of(raw: Mapping[str, Any], bodies: Mapping[str, Any]) -> Seen:
    """One answer as it stands in an observation."""
    body = bodies[raw["body"]]
    return Seen(int(raw["code"]), str(raw["media"]), body.get("value"), "value" in body)
