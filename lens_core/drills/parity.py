"""Two versions' answers to the same questions: the same matches, and rankings as alike as the rules want them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lens_core.drills.drill import Drilled, DrillRules, Found
from lens_core.model import Verdict

_NUMBER = re.compile(r"\d+")
_Facts = Mapping[str, Any]


def rank_agreement(before: Sequence[str], after: Sequence[str]) -> float:
    """How alike two rankings are, 0 to 1: the mean overlap of their first 1, 2, … n hits (average overlap).

    Two empty rankings agree; hits at the top weigh most. Webber, Moffat and Zobel, 2010, section 3.
    """
    depth = max(len(before), len(after))
    if not depth:
        return 1.0
    shares = [len(set(before[:n]) & set(after[:n])) / n for n in range(1, depth + 1)]
    return sum(shares) / depth


def crosses_boundary(before: str, after: str, boundaries: Sequence[str]) -> bool:
    """Whether one of ``boundaries`` lies between two versions of tantivy, either way."""
    low, high = sorted((_version(before), _version(after)))
    return any(low < _version(boundary) <= high for boundary in boundaries)


def compare_answers(
    before: Sequence[_Facts], after: Sequence[_Facts], previous: Drilled, candidate: Drilled, rules: DrillRules
) -> Found:
    """Two versions' answers to the same questions: what matches must be the same, rankings within the rules."""
    count = len(before)
    if count != len(after):
        return Found(Verdict.ERROR, f"{count} questions were put to one version, {len(after)} to the other")
    if count < rules.min_questions:
        return Found(Verdict.INCONCLUSIVE, f"{count} questions, {rules.min_questions} are needed", questions=count)
    pairs = list(zip(before, after, strict=True))
    odd = sum((one["total"], one["all"]) != (other["total"], other["all"]) for one, other in pairs)
    tops = [(one["hits"][: rules.top_k], other["hits"][: rules.top_k]) for one, other in pairs]
    agreement = sum(rank_agreement(one, other) for one, other in tops) / count
    differing = sum(one != other for one, other in tops)
    if not any(one["total"] for one in before):
        return Found(Verdict.INCONCLUSIVE, f"none of {count} questions has an answer", questions=count)
    words = f"{count} questions: {odd} with other matches, {differing} with another top {rules.top_k}"
    if odd:
        return Found(Verdict.FAIL, words, questions=count, differing=max(odd, differing), agreement=agreement)
    verdict = Verdict.PASS
    if differing and crosses_boundary(previous.tantivy, candidate.tantivy, rules.ranking_boundaries):
        within = differing <= rules.max_differing_share * count and agreement >= rules.min_agreement
        words += f", rank agreement {agreement:.4f}; tantivy's ranking changed between {previous.tantivy} and "
        words += f"{candidate.tantivy}, at most {rules.max_differing_share:.0%} may differ"
        verdict = Verdict.PASS if within else Verdict.FAIL
    elif differing:
        words += f", rank agreement {agreement:.4f}; no change of ranking is declared"
        verdict = Verdict.FAIL
    return Found(verdict, words, questions=count, differing=differing, agreement=agreement)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in _NUMBER.findall(text)[:3])
