"""Whether every value that one JSON schema allows is one that another schema allows, and if not, where and why.

One side *gives* values, the other *takes* them: a server gives answers and a client takes them, a client gives
parameters and a server takes them. The answer is conservative: what cannot be decided (patterns, keywords that are not
read here) fits only when it is the same on both sides.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain
from typing import Any, Final

from lens_core.drills.openapi import REMARKS, Document, Schema, token
from lens_core.errors import InvalidInput

_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_READ: Final = frozenset({
    "type", "enum", "const", "anyOf", "oneOf", "allOf", "properties", "required", "additionalProperties", "items",
    "default", *_LOWER, *_UPPER, *REMARKS,
})  # fmt: skip
_KINDS: Final = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
_BUDGET: Final = 2_000
_HINT: Final = "serve the document that FastAPI makes, as it is"


class Kind(StrEnum):
    """What differs."""

    REMOVED = "removed"
    ADDED = "added"
    TYPE = "type"
    REQUIRED = "required"
    VALUES = "values"
    RANGE = "range"
    DEFAULT = "default"
    UNREAD = "unread"


class Role(StrEnum):
    """What the values are: in an answer every field that the taker knows must be given, in a request none too many."""

    ANSWER = "answer"
    REQUEST = "request"


@dataclass(frozen=True, slots=True, order=True)
class Misfit:
    """One reason why a value that is given is not taken. ``place`` is a pointer from the schema's own root."""

    place: str
    kind: Kind
    why: str


class Fit:
    """Compares schemas of two documents, in one role; cycles of references end."""

    def __init__(self, giver: Document, taker: Document, role: Role) -> None:
        self._giver = giver
        self._taker = taker
        self._role = role
        self._open: set[tuple[int, int]] = set()
        self._left = _BUDGET

    def misfits(self, given: Any, taken: Any) -> tuple[Misfit, ...]:
        """All of them, sorted; empty when everything given is taken. InvalidInput for a schema that cannot be read."""
        pair = (id(given), id(taken))
        if pair in self._open:
            return ()  # met again inside itself: it fits as long as nothing else says otherwise
        self._left -= 1
        if self._left < 0:
            raise InvalidInput("the schemas refer to each other too often to be compared", _HINT)
        self._open.add(pair)
        try:
            return tuple(sorted(set(self._alternatives(given, taken))))
        finally:
            self._open.discard(pair)

    def defaults(self, given: Any, taken: Any) -> Iterator[Misfit]:
        """The misfit when leaving the value out means another value to each side; null and nothing are the same."""
        one, other = self._giver.follow(given).get("default"), self._taker.follow(taken).get("default")
        if (type(one), one) != (type(other), other):
            yield Misfit("/default", Kind.DEFAULT, f"left out, it means {one!r} to one side and {other!r} to the other")

    def _alternatives(self, given: Any, taken: Any) -> Iterator[Misfit]:
        takers = tuple(alternatives(self._taker, taken))
        for one in alternatives(self._giver, given):
            likely = [other for other in takers if _same_type(one, other)]
            if not likely:
                seen, expected = _type_name(one), " or ".join(sorted({_type_name(other) for other in takers}))
                yield Misfit("", Kind.TYPE, f"{seen} is given where {expected or 'nothing'} is taken")
                continue
            yield from min((tuple(self._one(one, other)) for other in likely), key=len)

    def _one(self, one: Schema, other: Schema) -> Iterator[Misfit]:
        yield from _values(one, other)
        yield from _ranges(one, other)
        yield from _unread(one, other)
        if other.get("type") == "object":
            yield from self._fields(one, other)
        if "items" in other:
            yield from _below("*", self.misfits(one.get("items", True), other["items"]))

    def _fields(self, one: Schema, other: Schema) -> Iterator[Misfit]:
        has, knows = one.get("properties", {}), other.get("properties", {})
        sure, needed = set(one.get("required", ())), set(other.get("required", ()))
        for name in sorted({*has, *knows, *needed}):
            here = token(name)
            if name not in has and (name in needed or (self._role is Role.ANSWER and name in knows)):
                yield Misfit(f"/{here}", Kind.REMOVED, "it is expected and not given")
            elif name not in knows:
                yield from self._unknown(here, has.get(name, True), other)
            elif name in has:
                if name in needed and name not in sure:
                    yield Misfit(f"/{here}", Kind.REQUIRED, "it may be left out where it is required")
                if not (name in needed and name in sure):
                    yield from _below(here, self.defaults(has[name], knows[name]))
                yield from _below(here, self.misfits(has[name], knows[name]))
        yield from self._others(one, other)

    def _unknown(self, here: str, given: Any, other: Schema) -> Iterator[Misfit]:
        """A field that the taker does not name."""
        rest = other.get("additionalProperties", self._role is Role.ANSWER)
        if rest is False:
            yield Misfit(f"/{here}", Kind.ADDED, "it is given and not known")
        elif rest is not True:
            yield from _below(here, self.misfits(given, rest))

    def _others(self, one: Schema, other: Schema) -> Iterator[Misfit]:
        """Fields without a name, as in a map from names to numbers."""
        given, taken = one.get("additionalProperties", True), other.get("additionalProperties", True)
        if taken is False and given is not False and "additionalProperties" in one:
            yield Misfit("/*", Kind.ADDED, "fields of any name are given and not known")
        elif taken is not False and given is not False and not (given is True and taken is True):
            yield from _below("*", self.misfits(given, taken))
        elif given is False and isinstance(taken, Mapping) and self._role is Role.ANSWER:
            yield Misfit("/*", Kind.REMOVED, "fields of any name are expected and not given")


def alternatives(document: Document, part: Any, depth: int = 0) -> Iterator[Schema]:
    """``part`` as schemas of one type each (a type ``None`` for any), without ``anyOf``, ``oneOf`` and ``allOf``."""
    if depth > 32:  # noqa: PLR2004  (alternatives within alternatives, not fields within fields)
        raise InvalidInput("a schema is an alternative of itself", _HINT)
    here = document.follow(part)
    if "not" in here and here["not"] == {}:
        return
    for word in ("anyOf", "oneOf"):
        if word in here:
            base = {name: value for name, value in here.items() if name != word}
            for option in _list(here[word], word):
                yield from alternatives(document, _both(base, document.follow(option)), depth + 1)
            return
    if "allOf" in here:
        merged: Schema = {name: value for name, value in here.items() if name != "allOf"}
        for option in _list(here["allOf"], "allOf"):
            merged = _both(merged, document.follow(option))
        yield from alternatives(document, merged, depth + 1)
        return
    yield from _typed(here)


def _typed(here: Schema) -> Iterator[Schema]:
    allowed = [here["const"]] if "const" in here else here.get("enum")
    types = here.get("type")
    if types is None and allowed is not None:
        types = sorted({_kind_of(value) for value in _list(allowed, "enum")})
    elif types is None and "properties" in here:
        types = "object"
    for one in types if isinstance(types, list) else [types]:
        if allowed is None:
            yield {**here, "type": one}
            continue
        chosen = [value for value in _list(allowed, "enum") if one in {_kind_of(value), _wider(_kind_of(value))}]
        yield {**{name: value for name, value in here.items() if name != "const"}, "type": one, "enum": chosen}


def _both(one: Schema, other: Schema) -> Schema:
    """What both say; where they contradict, a member that fits only itself."""
    merged: dict[str, Any] = {**one}
    for name, value in other.items():
        if name == "properties" and name in one:
            merged[name] = {**one[name], **value}
        elif name == "required" and name in one:
            merged[name] = sorted({*one[name], *value})
        elif name in one and one[name] != value and name not in REMARKS and name != "default":
            merged[f"allOf {name}"] = [one[name], value]
        else:
            merged.setdefault(name, value)
    return merged


def _same_type(one: Schema, other: Schema) -> bool:
    return other.get("type") in {None, one.get("type"), _wider(one.get("type"))}


def _wider(name: Any) -> Any:
    return "number" if name == "integer" else name


def _kind_of(value: Any) -> str:
    return "null" if value is None else _KINDS.get(type(value), "unknown")


def _type_name(schema: Schema) -> str:
    return str(schema.get("type") or "anything")


def _values(one: Schema, other: Schema) -> Iterator[Misfit]:
    if "enum" not in other:
        return
    if "enum" not in one:
        yield Misfit("", Kind.VALUES, f"any {_type_name(one)} is given where only {_shown(other['enum'])} is taken")
        return
    odd = [value for value in one["enum"] if value not in other["enum"]]
    if odd:
        yield Misfit("", Kind.VALUES, f"{_shown(odd)} is given and not taken")


def _ranges(one: Schema, other: Schema) -> Iterator[Misfit]:
    beyond: Callable[[Any, Any], bool]
    for words, beyond in ((_LOWER, lambda a, b: a < b), (_UPPER, lambda a, b: a > b)):
        for word in words:
            taken, given = other.get(word), one.get(word)
            if not all(limit is None or (type(limit) in {int, float}) for limit in (taken, given)):
                raise InvalidInput(f"expected {word} to be a number, saw {given!r} and {taken!r}", _HINT)
            if taken is None or ("enum" in one and "enum" in other):
                continue
            if given is None or beyond(given, taken):
                yield Misfit(f"/{word}", Kind.RANGE, f"{_limit(given)} is given where {taken} is taken")


def _unread(one: Schema, other: Schema) -> Iterator[Misfit]:
    for word in sorted({*one, *other} - _READ):
        # A rule that only the giver keeps to (a pattern, a format) narrows what is given; the others must be equal.
        narrows = word in {"pattern", "format", "multipleOf", "uniqueItems"} and word not in other
        if not narrows and not word.startswith("x-") and one.get(word) != other.get(word):
            why = f"{one.get(word)!r} is given where {other.get(word)!r} is taken"
            yield Misfit(f"/{token(word)}", Kind.UNREAD, why)


def _below(name: str, found: Any) -> Iterator[Misfit]:
    return (replace(each, place=f"/{name}{each.place}") for each in found)


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidInput(f"expected {what} to be a list, saw {type(value).__name__}", _HINT)
    return value


def _limit(value: Any) -> str:
    return "no limit" if value is None else str(value)


def _shown(values: list[Any]) -> str:
    return ", ".join(chain((repr(value) for value in values[:6]), ["…"] if len(values) > 6 else []))  # noqa: PLR2004
