"""Whether two servers answered the same request alike: codes, media types, the shape of JSON, and what stands in it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jsonschema_rs

from lens_core.drills.api_changes import BOTH, NEW_CLIENT, OLD_CLIENT, Difference
from lens_core.drills.openapi import Document, token
from lens_core.drills.schema_fit import Kind

_SERVER_ERROR: Final = 500
_HTTP_OK: Final = 200
_REDIRECT: Final = 300
RANKED: Final = ("/search", "/hits")
"""(path, pointer) of the one list whose order is a ranking."""
RANK_BOUND: Final = 3
"""How many places a hit may move between two versions of the search library."""
_HIT_KEY: Final = ("path", "start_line", "end_line")


@dataclass(frozen=True, slots=True)
class Free:
    """A field whose value may differ, and why. ``path`` is a regular expression, ``place`` a pointer with ``*``."""

    path: str
    place: str
    reason: str


FREE_FIELDS: Final = (
    Free("/search", "/hits/*/score", "scores belong to a version of the ranking; the cell query_parity judges ranks"),
    Free("/health", "/version", "it is the server's own"),
    Free("/health", "/uptime_seconds", "it is the server's own"),
    Free("/stats", "/api_version", "it is the server's own; /compat/check says what fits"),
    Free("/stats", "/engine_version", "it says who wrote the index"),
    Free("/stats", "/tantivy_version", "it says who wrote the index"),
    Free("/stats", "/index_format", "the cell read judges it"),
    Free("/stats", "/analyzer_fingerprint", "the cell analyzer judges it"),
    Free("/compat/check", "/*", "what it must say has rules of its own"),
    Free("/compat/check", "/reasons/*", "what it must say has rules of its own"),
    Free(".*", "/error/message", "it is for people"),
    Free(".*", "/error/hint", "it is for people"),
    Free(".*", "/error/details/*/problem", "it is for people"),
)
OTHER_ANALYZER: Final = (
    Free("/search", "/hits/*/*", "the two indexes were made by different analyzers"),
    Free("/search", "/hits", "the two indexes were made by different analyzers"),
    Free("/search", "/total", "the two indexes were made by different analyzers"),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer: ``code`` 0 when there was none, ``body`` what JSON it held, and whether it could be read."""

    code: int
    media: str
    body: Any
    readable: bool

    @property
    def succeeded(self) -> bool:
        """True for 2xx."""
        return _HTTP_OK <= self.code < _REDIRECT


class Comparison:
    """Compares answers field by field; ``free`` may differ in value, never in type.

    With ``shapes_only``, as of two servers with different contents, all values are free.
    """

    def __init__(self, free: Sequence[Free], rank_bound: int = RANK_BOUND, *, shapes_only: bool = False) -> None:
        self._free = tuple(free)
        self._rank_bound = rank_bound
        self._shapes_only = shapes_only

    def answers(self, path: str, old: Seen, new: Seen) -> Iterator[Difference]:
        """What an old client meets, with places from ``/answers/<path>``."""
        place = f"/answers/{token(path)}"
        if new.code >= _SERVER_ERROR or not new.code:
            seen = f"answers {new.code}" if new.code else "does not answer"
            yield _broken(f"{place}/{old.code}", "code", f"the new server {seen}, the old one {old.code}")
        elif old.code != new.code and not self._shapes_only:
            why = f"the old server answers {old.code}, the new one {new.code}"
            takes_more = old.code >= _SERVER_ERROR or (new.succeeded and not old.succeeded)
            yield Difference(
                f"{place}/{old.code}", "code", not takes_more, (NEW_CLIENT,) if takes_more else (OLD_CLIENT,), why
            )
        elif old.code == new.code and (old.media != new.media or old.readable != new.readable):
            why = f"it was {_described(old)} and is {_described(new)}"
            yield _broken(f"{place}/{old.code}", "media type", why)
        elif old.code == new.code:
            for pointer, kind, breaking, why in self._value(path, "", old.body, new.body):
                whom = (OLD_CLIENT,) if kind == Kind.REMOVED else BOTH if breaking else (NEW_CLIENT,)
                yield Difference(f"{place}/{old.code}{pointer}", kind, breaking, whom, why)

    def agree(self, path: str, old: Seen, new: Seen) -> bool:
        """True when nothing breaks between the two."""
        return not any(each.breaking for each in self.answers(path, old, new))

    def _value(self, path: str, place: str, old: Any, new: Any) -> Iterator[tuple[str, str, bool, str]]:
        if _type(old) != _type(new):
            yield place, Kind.TYPE, True, f"it was of type {_type(old)} and is of type {_type(new)}"
        elif isinstance(old, Mapping):
            yield from self._object(path, place, old, new)
        elif isinstance(old, list) and self._is_free(path, place):
            if old and new:
                yield from self._value(path, f"{place}/*", old[0], new[0])
        elif isinstance(old, list) and (path, place) == RANKED:
            yield from self._ranked(path, place, old, new)
        elif isinstance(old, list):
            if len(old) != len(new):
                yield place, "value", True, f"it had {len(old)} items and has {len(new)}"
            for one, other in zip(old, new, strict=False):
                yield from self._value(path, f"{place}/*", one, other)
        elif old != new and not self._is_free(path, place):
            yield place, "value", True, f"it was {_short(old)} and is {_short(new)}"

    def _object(
        self, path: str, place: str, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Iterator[tuple[str, str, bool, str]]:
        for name in sorted({*old, *new}):
            here = f"{place}/{token(name)}"
            if name not in new:
                yield here, Kind.REMOVED, True, "the old server's answer has it, the new one's has not"
            elif name not in old:
                yield here, Kind.ADDED, False, "the new server's answer has it, the old one's has not"
            else:
                yield from self._value(path, here, old[name], new[name])

    def _ranked(self, path: str, place: str, old: list[Any], new: list[Any]) -> Iterator[tuple[str, str, bool, str]]:
        for kind, why in moved(old, new, self._rank_bound):
            yield place, kind, True, why
        now = {_hit(hit): hit for hit in new}
        for hit in old:
            if _hit(hit) in now:
                yield from self._value(path, f"{place}/*", hit, now[_hit(hit)])

    def _is_free(self, path: str, place: str) -> bool:
        return self._shapes_only or any(
            re.fullmatch(each.path, path) and _matches(each.place, place) for each in self._free
        )


def moved(old: Sequence[Any], new: Sequence[Any], bound: int) -> Iterator[tuple[str, str]]:
    """Where two rankings of the same question part: (kind, why).

    Hits are the same when they are at the same place. Sets must be equal but for the last ``bound`` ranks, where the
    page is cut, and no hit may stand more than ``bound`` ranks elsewhere.
    """
    if len(old) != len(new):
        yield "hits", f"there were {len(old)} hits and are {len(new)}"
        return
    was, now = ({_hit(hit): rank for rank, hit in enumerate(hits)} for hits in (old, new))
    for key in sorted({*was, *now}):
        if key not in was or key not in now:
            rank = was.get(key, now.get(key, 0))
            if rank < len(old) - bound:
                yield "hits", f"{':'.join(key)} at rank {rank + 1} is a hit of one side only"
        elif abs(was[key] - now[key]) > bound:
            yield "ranks", f"{':'.join(key)} moved from rank {was[key] + 1} to {now[key] + 1}"


class Promises:
    """What a document says that an answer looks like, asked of real answers."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._validators: dict[tuple[str, str, str, str], jsonschema_rs.Validator | None] = {}

    def problem(self, method: str, path: str, seen: Seen) -> str:
        """What the first thing is that the document does not promise; empty when it says nothing of this answer."""
        operation = self._document.operations.get((path, method.lower()))
        if operation is None or str(seen.code) not in operation.responses or not seen.readable:
            return ""
        content = operation.responses[str(seen.code)].get("content", {})
        if content and seen.media not in content:
            return f"{seen.media or 'nothing'} where {', '.join(sorted(content))} is promised"
        key = (path, method, str(seen.code), seen.media)
        if key not in self._validators:
            self._validators[key] = self._validator(content.get(seen.media, {}).get("schema"))
        validator = self._validators[key]
        error = None if validator is None else next(validator.iter_errors(seen.body), None)
        return "" if error is None else f"{error.message[:160]} at /{'/'.join(str(p) for p in error.instance_path)}"

    def _validator(self, schema: Any) -> jsonschema_rs.Validator | None:
        if schema in (None, {}) or self._document.follow(schema).get("type") == "string":
            return None  # text has no fields; what it holds is compared with the other server's
        whole = {"components": dict(self._document.root.get("components", {})), **schema}
        return jsonschema_rs.Draft202012Validator(whole, retriever=_never)


def _never(uri: str) -> Any:
    """Nothing is fetched."""
    raise LookupError(f"{uri} is not part of the document")


def _broken(place: str, kind: str, why: str) -> Difference:
    return Difference(place, kind, breaking=True, whom=(OLD_CLIENT,), why=why)


def _described(seen: Seen) -> str:
    return f"{seen.media or 'no media type'}{'' if seen.readable else ' that cannot be read'}"


def _type(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    kinds = {int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return kinds.get(type(value), "unknown")


def _matches(pattern: str, place: str) -> bool:
    wanted, seen = pattern.split("/"), place.split("/")
    return len(wanted) == len(seen) and all(one in {"*", other} for one, other in zip(wanted, seen, strict=True))


def _hit(hit: Any) -> tuple[str, ...]:
    return tuple(str(hit.get(name)) for name in _HIT_KEY) if isinstance(hit, Mapping) else (str(hit),)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"  # noqa: PLR2004  (a line of a report)
