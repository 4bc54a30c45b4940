"""Who may stand for which role, and whether enough different people do."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from lens_core.signoff.words import Person, Role, SignoffRules

Choice = TypeVar("Choice")


def person_named(rules: SignoffRules, name: str) -> Person | None:
    """The person of ``lens.toml`` with exactly this principal."""
    return next((person for person in rules.people if person.name == name), None)


def cutter(cut_by: str) -> frozenset[str]:
    """Every name of who cut a candidate, from ``Name <address>``; none when that says nothing."""
    name, _, address = cut_by.partition("<")
    return frozenset({_plain(name), _plain(address), _plain(cut_by)} - {""})


def did_cut(person: Person, cut_by: str) -> bool:
    """Whether ``person`` is who cut the candidate, by name or address. Case does not matter.

    Nobody can be told apart from a cutter who is not known, so then it is true of everyone (first law).
    """
    names = cutter(cut_by)
    return not names or not names.isdisjoint({_plain(known) for known in (person.name, *person.emails)})


def eligible(rules: SignoffRules, role: Role, cut_by: str | None) -> tuple[Person, ...]:
    """Those who hold the role and did not cut the candidate (None: nobody cut one)."""
    return tuple(
        person for person in rules.people if role in person.roles and (cut_by is None or not did_cut(person, cut_by))
    )


def whom(rules: SignoffRules, role: Role, cut_by: str | None) -> str:
    """For people: the role, and who can give it."""
    names = ", ".join(person.name for person in eligible(rules, role, cut_by))
    return f"{role}: {names or 'nobody who may is named in [signoff] of lens.toml'}"


def assign(options: Mapping[Role, Sequence[Choice]], clash: Callable[[Choice, Choice], bool]) -> dict[Role, Choice]:
    """One choice for as many roles as can be, no two of which clash. More options never fill fewer roles."""
    return _best(tuple(options), options, clash, {})


def _best(
    roles: tuple[Role, ...],
    options: Mapping[Role, Sequence[Choice]],
    clash: Callable[[Choice, Choice], bool],
    taken: dict[Role, Choice],
) -> dict[Role, Choice]:
    if not roles:
        return taken
    role, left = roles[0], roles[1:]
    best: dict[Role, Choice] = {}
    for choice in options[role]:
        if not any(clash(choice, other) for other in taken.values()):
            found = _best(left, options, clash, {**taken, role: choice})
            if len(found) == len(taken) + len(roles):
                return found
            best = max(best, found, key=len)
    return max(_best(left, options, clash, taken), best, key=len)


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip(" <>").casefold()
