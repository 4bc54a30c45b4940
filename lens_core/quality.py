"""Rank lists against known answers: Recall@50, nDCG@10, span coverage, paired comparison.

Recall@k and nDCG@k come from ``ir_measures`` (binary relevance, log2 discount; Järvelin &
Kekäläinen 2002); a question without an answer counts 0. What was *found* and *where it is said to
be* are judged apart: a hit names a unit by path and symbol (nearest start line decides between
namesakes), so a service that reports wrong lines fails span coverage and not recall.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import ir_measures
from ir_measures import R, nDCG

from lens_core.model import Definition, Hit, Unit

RECALL_DEPTH = 50
_LONGEST_BLOCK_HIT = 120
NDCG_DEPTH = 10
_RECALL = R @ RECALL_DEPTH
_NDCG = nDCG @ NDCG_DEPTH


@dataclass(frozen=True, slots=True)
class RankedAnswer:
    """What one question got: ranks (from 1) of the relevant units found, and how many there are."""

    question_id: str
    relevant_ranks: tuple[int, ...]
    relevant_total: int


@dataclass(frozen=True, slots=True)
class Score:
    """Recall@50 and nDCG@10 of one question."""

    recall_at_50: float
    ndcg_at_10: float


class UnitIndex:
    """Finds the unit that a hit names."""

    def __init__(self, units: Iterable[Unit]) -> None:
        self._named: dict[tuple[str, str], list[Unit]] = defaultdict(list)
        self._blocks: dict[str, list[Unit]] = defaultdict(list)
        self._definitions: dict[str, list[Unit]] = defaultdict(list)
        for unit in units:
            if unit.name:
                self._named[unit.path, unit.name].append(unit)
                self._definitions[unit.path].append(unit)
            else:
                self._blocks[unit.path].append(unit)

    def find(self, hit: Hit) -> tuple[str, ...]:
        """The ids of the units that ``hit`` names; empty when the truth knows no such place.

        A hit whose symbol the truth knows in that file names the definition of that name that starts
        nearest. Any other names places by its lines, as services cut what lies between definitions
        in their own ways: every block that it shares lines with, and the smallest definition around
        it. A hit longer than two blocks points at nothing in particular and names nothing.
        """
        named = self._named.get((hit.path, hit.symbol))
        if named:
            return (min(named, key=lambda u: abs(u.start_line - hit.start_line)).unit_id,)
        if hit.end_line - hit.start_line >= _LONGEST_BLOCK_HIT:
            return ()
        shared = [u.unit_id for u in self._blocks[hit.path] if _overlap(u, hit)]
        around = [
            u for u in self._definitions[hit.path] if u.start_line <= hit.start_line and hit.end_line <= u.end_line
        ]
        smallest = min(around, key=lambda u: u.end_line - u.start_line, default=None)
        return (*shared, *((smallest.unit_id,) if smallest else ()))


def _overlap(unit: Unit, hit: Hit) -> bool:
    return unit.start_line <= hit.end_line and hit.start_line <= unit.end_line


def rank_answer(question_id: str, relevant: Sequence[str], hits: Sequence[Hit], units: UnitIndex) -> RankedAnswer:
    """The ranks of the relevant units among ``hits``.

    A unit that is hit twice counts once, and a hit counts for one unit at most.
    """
    wanted = set(relevant)
    ranks = []
    for rank, hit in enumerate(hits, start=1):
        found = next((unit for unit in units.find(hit) if unit in wanted), None)
        if found is not None:
            wanted.discard(found)
            ranks.append(rank)
    return RankedAnswer(question_id, tuple(ranks), len(set(relevant)))


def score(answers: Sequence[RankedAnswer]) -> dict[str, Score]:
    """Recall@50 and nDCG@10 per question id; ids must be unique.

    Recomputable from the stored ranks alone: each list is rebuilt with a stand-in document per
    rank, scores falling with rank, so that no tie is left for a library to break.
    """
    qrels: list[ir_measures.Qrel] = []
    run: list[ir_measures.ScoredDoc] = []
    for answer in answers:
        found = set(answer.relevant_ranks)
        missed = answer.relevant_total - len(found)
        qrels += [ir_measures.Qrel(answer.question_id, f"r{rank}", 1) for rank in found]
        qrels += [ir_measures.Qrel(answer.question_id, f"missed{i}", 1) for i in range(missed)]
        run += [
            ir_measures.ScoredDoc(answer.question_id, f"r{rank}", -float(rank))
            for rank in range(1, max(found, default=0) + 1)
        ]
    values: dict[str, dict[object, float]] = {answer.question_id: {} for answer in answers}
    for metric in ir_measures.iter_calc([_RECALL, _NDCG], qrels, run):
        values[metric.query_id][metric.measure] = metric.value
    return {
        question_id: Score(found_values.get(_RECALL, 0.0), found_values.get(_NDCG, 0.0))
        for question_id, found_values in values.items()
    }


def mean(values: Iterable[float]) -> float | None:
    """The arithmetic mean; None of nothing."""
    listed = list(values)
    return sum(listed) / len(listed) if listed else None


def paired_change(candidate: Mapping[str, float], baseline: Mapping[str, float]) -> float | None:
    """Relative change of the mean over the questions that both answered; None when there are none.

    +0.02 means two percent better. None as well when the baseline's mean is zero.
    """
    shared = candidate.keys() & baseline.keys()
    before = mean(baseline[q] for q in sorted(shared))
    after = mean(candidate[q] for q in sorted(shared))
    return after / before - 1.0 if before and after is not None else None


@dataclass(frozen=True, slots=True)
class Coverage:
    """A share with its parts: ``good`` of ``total``, and up to five examples of what was not good."""

    good: int
    total: int
    examples: tuple[str, ...] = ()

    @property
    def share(self) -> float | None:
        """Good / total; None of nothing."""
        return self.good / self.total if self.total else None


class SpanTruth:
    """Where an independent parser saw definitions, and the lines of the files themselves."""

    def __init__(self, definitions: Sequence[Definition], files: Mapping[str, Sequence[str]]) -> None:
        self._spans: dict[tuple[str, str], set[tuple[int, int]]] = defaultdict(set)
        for definition in definitions:
            self._spans[definition.path, definition.name].add((definition.start_line, definition.end_line))
        self._definitions = definitions
        self._files = files

    def _is_valid(self, hit: Hit) -> bool:
        lines = self._files.get(hit.path)
        if lines is None or not 1 <= hit.start_line <= hit.end_line <= len(lines):
            return False
        if not hit.symbol:
            return True
        ends = {end for start, end in self._spans.get((hit.path, hit.symbol), ()) if start == hit.start_line}
        if ends:
            return hit.end_line in ends
        # A definition of a kind that the parser does not count (a member of an object literal, say):
        # its name must stand on its first line.
        return hit.symbol in lines[hit.start_line - 1]

    def hit_validity(self, hits: Iterable[Hit]) -> Coverage:
        """How many distinct hits point into the file, at the lines where their symbol really is."""
        distinct = {(hit.path, hit.start_line, hit.end_line, hit.symbol): hit for hit in hits}
        bad = [place for place, hit in distinct.items() if not self._is_valid(hit)]
        shown = tuple(f"{path}:{start}-{end} {symbol}".rstrip() for path, start, end, symbol in sorted(bad)[:5])
        return Coverage(len(distinct) - len(bad), len(distinct), shown)

    def definition_coverage(self, outlines: Mapping[str, Iterable[tuple[str, int, int]]]) -> Coverage:
        """How many of the parser's definitions the service lists with the same name and lines.

        ``outlines`` maps a path to the (name, start line, end line) that the service gives for it.
        """
        listed = {(path, *entry) for path, entries in outlines.items() for entry in entries}
        missing = [d for d in self._definitions if (d.path, d.name, d.start_line, d.end_line) not in listed]
        shown = tuple(f"{d.path}:{d.start_line}-{d.end_line} {d.name}" for d in missing[:5])
        return Coverage(len(self._definitions) - len(missing), len(self._definitions), shown)
