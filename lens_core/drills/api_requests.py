"""The requests that a client of an OpenAPI document would send: every path, every parameter at and beyond its bounds.

The same document and samples give the same requests in the same order. Only reading methods are asked for; whoever
judges the answers sees which operations were never answered.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, islice, product
from typing import Any, Final

from lens_core.drills.openapi import Document, Operation, Schema
from lens_core.drills.schema_fit import alternatives
from lens_core.errors import InvalidInput

MOST: Final = 300
_READING: Final = ("get", "head")
_REFUSED: Final = ("post", "put", "delete")
_PATTERN_SAMPLE: Final = "user name"
_LONGEST: Final = 8192
_UNKNOWN: Final = "no_such_parameter"
_NOWHERE: Final = "/no-such-path"

Samples = Mapping[tuple[str, str], Sequence[str]]
"""(path, name of a parameter) → values that mean something to the service."""


@dataclass(frozen=True, slots=True, order=True)
class ApiRequest:
    """One request without a body: ``path`` as in the address, ``query`` as pairs, not yet escaped."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        asked = "&".join(f"{name}={value[:40]}" for name, value in self.query)
        return f"{self.method} {self.path}{'?' if asked else ''}{asked}"


def requests_of(document: Document, samples: Samples, most: int = MOST) -> tuple[ApiRequest, ...]:
    """At most ``most`` requests: what stands alone first, then pairs of valid values; InvalidInput as ``Document``."""
    made = [_Asker(document, each, samples) for each in document.operations.values() if each.method in _READING]
    paths = {path for path, _ in document.operations}
    refused = (
        ApiRequest(method.upper(), path)
        for path, method in product(sorted(paths), _REFUSED)
        if (path, method) not in document.operations
    )
    single = chain(_in_turn([asker.single() for asker in made]), refused, [ApiRequest("GET", _NOWHERE)])
    everything = chain(single, _in_turn([asker.pairs() for asker in made]))
    return tuple(islice(dict.fromkeys(everything), most))


def compat_requests(path: str, api_versions: Iterable[str], index_formats: Iterable[int]) -> tuple[ApiRequest, ...]:
    """What ``path`` (``/compat/check``) is asked: each version alone, together, and ones that cannot be."""
    apis = tuple(dict.fromkeys([*api_versions, *IMPOSSIBLE_APIS]))
    indexes = tuple(dict.fromkeys([*(str(number) for number in index_formats), *IMPOSSIBLE_INDEXES]))
    alone = [(("api_version", each),) for each in apis] + [(("index_version", each),) for each in indexes]
    both = [(("api_version", one), ("index_version", other)) for one, other in product(apis[:2], indexes[:2])]
    return tuple(ApiRequest("GET", path, query) for query in [(), *alone, *both])


IMPOSSIBLE_APIS: Final = ("0.1", "999.0", "1.999999", "-1", "one", "")
IMPOSSIBLE_INDEXES: Final = ("0", "999999", "-1", "one", "")


class _Asker:
    """Asks for one operation."""

    def __init__(self, document: Document, operation: Operation, samples: Samples) -> None:
        self._method = operation.method.upper()
        self._path = operation.path
        self._names = [name for where, name in operation.parameters if where == "query"]
        self._required = {name for (_, name), said in operation.parameters.items() if said.get("required")}
        self._valid: dict[str, list[str]] = {}
        self._invalid: dict[str, list[str]] = {}
        for (where, name), said in operation.parameters.items():
            schema = tuple(alternatives(document, said.get("schema", {})))
            good, bad = _values(schema, list(samples.get((operation.path, name), ())))
            self._valid[name], self._invalid[name] = good, bad
            if where == "path":
                self._path = self._path.replace(f"{{{name}}}", good[0])

    def single(self) -> Iterator[ApiRequest]:
        """One thing at a time beside what is required."""
        yield self._request({})
        for name in self._names:
            if name in self._required:
                yield self._request({}, without=name)
            for value in chain(*_zipped(self._valid[name], self._invalid[name])):
                yield self._request({name: value})
            first = self._valid[name][0]
            yield ApiRequest(self._method, self._path, (*self._request({name: first}).query, (name, first)))
        yield self._request({_UNKNOWN: "1"})

    def pairs(self) -> Iterator[ApiRequest]:
        """Two valid values at a time."""
        for one, other in combinations(self._names, 2):
            for first, second in product(self._valid[one][:3], self._valid[other][:3]):
                yield self._request({one: first, other: second})

    def _request(self, given: Mapping[str, str], without: str = "") -> ApiRequest:
        needed = {name: self._valid[name][0] for name in self._names if name in self._required and name != without}
        query = {**needed, **given}
        order = [*self._names, *(name for name in query if name not in self._names)]
        return ApiRequest(self._method, self._path, tuple((name, query[name]) for name in order if name in query))


def _values(schemas: Sequence[Schema], samples: list[str]) -> tuple[list[str], list[str]]:
    """Values that the schemas take, never none, and values that they refuse."""
    good: list[str] = list(samples)
    bad: list[str] = []
    for schema in schemas:
        more, less = _of_one(schema)
        good.extend(more)
        bad.extend(less)
    if not good:
        good = [_PATTERN_SAMPLE]
    return list(dict.fromkeys(good)), [value for value in dict.fromkeys(bad) if value not in good]


def _of_one(schema: Schema) -> tuple[list[str], list[str]]:
    kind = schema.get("type")
    if "enum" in schema:
        names = [_text(value) for value in schema["enum"]]
        return names, ["no-such-value", "", *(name.upper() for name in names[:1])]
    if kind in {"integer", "number"}:
        return _numbers(schema, whole=kind == "integer")
    if kind == "boolean":
        return ["true", "false", "1", "0"], ["maybe", ""]
    if kind == "string":
        return _strings(schema)
    return [], []


def _numbers(schema: Schema, *, whole: bool) -> tuple[list[str], list[str]]:
    low, high = schema.get("minimum"), schema.get("maximum")
    good = [schema.get("default"), low, high]
    bad: list[Any] = ["x", "", "1.5" if whole else "1,5", "9" * 30]
    bad += [low - 1] if low is not None else []
    bad += [high + 1] if high is not None else []
    made = [_text(value) for value in good if value is not None]
    return made or ["1"], [_text(value) for value in bad]


def _strings(schema: Schema) -> tuple[list[str], list[str]]:
    shortest, longest = int(schema.get("minLength", 0)), schema.get("maxLength")
    good, bad = [_PATTERN_SAMPLE, "naïve 名前", "a" * max(1, shortest)], []
    if longest is not None and longest <= _LONGEST:
        good.append("a" * int(longest))
        bad.append("a" * (int(longest) + 1))
    if shortest > 0:
        bad.append("a" * (shortest - 1))
    if "pattern" in schema:
        bad.append(" \t ")
    fitting = [text for text in good if longest is None or shortest <= len(text) <= longest]
    if not fitting:
        raise InvalidInput(f"expected a string that fits {dict(schema)!r}, found none", "widen the bounds")
    return fitting, bad


def _text(value: Any) -> str:
    """A value as it stands in an address."""
    if value is None or isinstance(value, bool):
        return {None: "", True: "true", False: "false"}[value]
    return str(value)


def _zipped(one: Sequence[str], other: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for number in range(max(len(one), len(other))):
        yield (*one[number : number + 1], *other[number : number + 1])


def _in_turn(streams: Sequence[Iterator[ApiRequest]]) -> Iterator[ApiRequest]:
    """One of each stream in turn, so that a bound cuts all of them alike."""
    left = list(streams)
    while left:
        still = []
        for stream in left:
            if (each := next(stream, None)) is not None:
                yield each
                still.append(stream)
        left = still
