"""The cell ``integrity``: what an engine did with damaged copies of an index → whether it can be trusted with them.

An observation is JSON::

    {"control": {"open": TRY, "search": TRY, "serve": TRY}, "findings": ["…"], "tries": [TRY, …]}

``control`` is the index untouched, ``findings`` what ``index_integrity`` says of it. A TRY is ``{"door", "kind",
"file", "place", "outcome", …}``: ``door`` is ``open`` (the engine's own opening), ``search`` or ``serve`` (its
commands, in a process of their own); ``outcome`` is ``refused`` (with ``reason``, and ``at``: ``open`` or
``answer``), ``answered`` (with ``same``: contents and answers equal those of the control), ``failed`` (an error
that nobody meant), ``crashed`` or ``hung``.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lens_core.drills.drill import Found
from lens_core.drills.index_damage import DAMAGES
from lens_core.drills.index_integrity import FILE_KINDS, MANAGED, MANIFEST, META, kind_of
from lens_core.model import Verdict

DOORS: Final = ("open", "search", "serve")
_OUTCOMES: Final = frozenset({"refused", "answered", "failed", "crashed", "hung"})
_MAY_BE_HARMLESS: Final = frozenset({META, MANAGED, MANIFEST})
"""JSON holds words that no answer depends on. Of other files no bytes may change unseen: equal answers to a few
questions do not prove that every answer is equal."""
_EXPECTED: Final = "every damage refused with a reason"
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class IntegrityAnswer:
    """The verdict, what was expected and seen, the faults one by one, and the damages that did no harm."""

    verdict: Verdict
    expected: str
    seen: str
    faults: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()


def judge_integrity(observation: Any) -> IntegrityAnswer:
    """The answer of the cell; nothing tried is INCONCLUSIVE, and what cannot be understood is ERROR."""
    if not observation:
        return IntegrityAnswer(Verdict.INCONCLUSIVE, _EXPECTED, "nothing was tried")
    try:
        control, findings, tries = observation["control"], observation["findings"], observation["tries"]
        outcomes = [_outcome(one) for one in (*tries, *control.values())]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return IntegrityAnswer(Verdict.ERROR, "an observation of damaged indexes", f"something else: {error!r}")
    if findings:
        return IntegrityAnswer(Verdict.ERROR, "an index that is whole to begin with", _some(list(map(str, findings))))
    useless = [door for door in DOORS if not _answers(control.get(door))]
    if useless:
        seen = f"no answer from it through {', '.join(useless)}: refusals then prove nothing"
        return IntegrityAnswer(Verdict.INCONCLUSIVE, "answers from the index as it was", seen)
    return _judge(tries, Counter(outcomes)["refused"])


def integrity(facts: Mapping[str, Any], *_about: object) -> Found:
    """The ``Judge`` of the cell in a drill: ``documents`` are the damages that were tried, ``differing`` the faults."""
    answer = judge_integrity(facts)
    tried = len(facts.get("tries", ()))
    return Found(answer.verdict, f"expected {answer.expected}, saw {answer.seen}", tried, differing=len(answer.faults))


def _judge(tries: Sequence[Mapping[str, Any]], refused: int) -> IntegrityAnswer:
    faults = tuple(_words(one) for one in tries if not (_refused(one) or _harmless(one)))
    harmless = tuple(_words(one) for one in tries if _harmless(one))
    if faults:
        return IntegrityAnswer(Verdict.FAIL, _EXPECTED, f"{len(faults)} not: {_some(faults)}", faults, harmless)
    if untried := _untried(tries):
        return IntegrityAnswer(Verdict.INCONCLUSIVE, _EXPECTED, f"not tried: {_some(untried)}", (), harmless)
    seen = f"{refused} of {len(tries)} refused, {len(harmless)} harmless (contents and answers equal)"
    return IntegrityAnswer(Verdict.PASS, _EXPECTED, seen, (), harmless)


def _outcome(one: Mapping[str, Any]) -> str:
    """The outcome of a try that says all it must; KeyError or ValueError otherwise."""
    outcome = one["outcome"]
    if outcome not in _OUTCOMES or one["door"] not in DOORS or not all(type(one[k]) is str for k in ("kind", "file")):
        raise ValueError(f"no try of ours: {dict(one)!r:.120}")
    if outcome == "answered" and type(one["same"]) is not bool:
        raise ValueError(f"expected same to be true or false, saw {one['same']!r}")
    return str(outcome)


def _answers(control: Mapping[str, Any] | None) -> bool:
    return control is not None and control["outcome"] == "answered" and control["same"] is True


def _refused(one: Mapping[str, Any]) -> bool:
    """Refused on opening and with a reason; who opens it first has answered other questions from it."""
    return one["outcome"] == "refused" and one.get("at") == "open" and bool(str(one.get("reason") or "").strip())


def _harmless(one: Mapping[str, Any]) -> bool:
    return one["outcome"] == "answered" and one["same"] is True and kind_of(one["file"]) in _MAY_BE_HARMLESS


def _untried(tries: Sequence[Mapping[str, Any]]) -> list[str]:
    tried = {(one["kind"], kind_of(one["file"])) for one in tries if one["door"] == DOORS[0]}
    wanted = [(damage, kind) for kind in FILE_KINDS for damage in DAMAGES]
    doors = {one["door"] for one in tries}
    return [
        *(f"{damage} {kind}" for damage, kind in wanted if (damage, kind) not in tried),
        *(f"damage through {door}" for door in DOORS if door not in doors),
    ]


def _words(one: Mapping[str, Any]) -> str:
    more = str(one.get("reason") or "") if one["outcome"] in {"failed", "refused"} else ""
    if one["outcome"] == "answered":
        more = "contents and answers as before" if one["same"] else "otherwise than before"
    seen = f"{one['outcome']} {more}".strip()
    return " ".join(f"{one['kind']} {one['file']} {one.get('place') or ''}".split()) + f" ({one['door']}): {seen}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return "; ".join(names[:_SHOWN]) + more
