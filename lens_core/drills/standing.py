"""What a candidate's drills come to: the one that covers every registered version, and what later ones say."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lens_core.drills.drill import DrillRules, RollbackSafe
from lens_core.drills.record import DrillRecord
from lens_core.model import Verdict


@dataclass(frozen=True, slots=True)
class Standing:
    """The verdict over all drills that count, and why. ``whole`` is the place of the whole drill among the records.

    ``held`` counts the answers of the worst drill that do not let anything advance, of ``asked``. Going back is as safe
    as the worst drill says.
    """

    verdict: Verdict
    reason: str
    held: int
    asked: int
    whole: int | None
    rollback_safe: RollbackSafe
    copy_first: bool


def standing(records: Sequence[DrillRecord], expected: Collection[str], rules: DrillRules) -> Standing | None:
    """What ``records`` (newest first, all of one wheel) say; None when no drill by ``rules`` covers all ``expected``.

    A later drill against some of the versions can only make the answer worse (first law); one that does not pass is an
    answer even when it covers few of them.
    """
    counted: list[DrillRecord] = []
    for place, record in enumerate(records):
        counted.append(record)
        if expected and set(expected) <= {one.version for one in record.previous} and record.rules == rules:
            return _judged(counted, place)
    if any(not record.verdict.advances for record in counted):
        return _judged(counted, None)
    return None


def _judged(records: Sequence[DrillRecord], whole: int | None) -> Standing:
    worst = max(records, key=lambda record: record.verdict.value)
    held = [answer for answer in worst.answers if not answer.verdict.advances]
    culprit = next((answer for answer in held if answer.verdict is worst.verdict), None)
    versions = ", ".join(one.version for one in worst.previous)
    reason = f"{len(worst.answers)} cells of {versions}; rollback-safe: {worst.rollback_safe}"
    if culprit is not None:
        reason = f"{culprit.version} {culprit.cell}: {culprit.reason}"
    safe = {record.rollback_safe for record in records}
    back = next((way for way in (RollbackSafe.NO, RollbackSafe.UNKNOWN) if way in safe), RollbackSafe.YES)
    copy_first = all(record.copy_first for record in records)
    return Standing(worst.verdict, reason, len(held), len(worst.answers), whole, back, copy_first)
