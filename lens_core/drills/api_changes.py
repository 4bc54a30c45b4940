"""What changed between two OpenAPI documents, and whom it breaks.

Two clients are looked at: an *old client on the new server*, as everyone who has not moved yet, and a *new client on
the old server*, as in a rollback and in a fleet of both. Breaking is what was promised and is taken back or means
something else now. What is only promised in addition breaks nobody; a new client must wait with it until no old server
is left, and the difference says so.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lens_core.drills.openapi import REMARKS, Document, Operation, Schema, token
from lens_core.drills.schema_fit import Fit, Kind, Misfit, Role

OLD_CLIENT: Final = "an old client on the new server"
NEW_CLIENT: Final = "a new client on the old server"
BOTH: Final = (OLD_CLIENT, NEW_CLIENT)
MEDIA: Final = "media type"
_NOTHING: Final[Schema] = {}


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One thing that is not as it was.

    ``place`` is a JSON pointer into the documents, with names of parameters for their numbers and ``*`` for every
    item. ``whom`` names who breaks; of an addition, who has to wait.
    """

    place: str
    kind: str
    breaking: bool
    whom: tuple[str, ...]
    why: str

    def __str__(self) -> str:
        return f"{self.place}: {self.kind}, {'breaks' if self.breaking else 'not yet for'} {self._named}: {self.why}"

    @property
    def _named(self) -> str:
        return " and ".join(self.whom)


def compare(old: Document, new: Document) -> tuple[Difference, ...]:
    """Every difference in what a client can see, sorted; InvalidInput for a part that cannot be read."""
    return tuple(sorted({*_operations(old, new), *_unread("", old.rest, new.rest)}))


def _operations(old: Document, new: Document) -> Iterator[Difference]:
    for key in sorted({*old.operations, *new.operations}):
        path, method = key
        place = f"/paths/{token(path)}/{method}"
        if key not in new.operations:
            yield _broken(place, Kind.REMOVED, f"{method.upper()} {path} is no longer there")
        elif key not in old.operations:
            yield _added(place, f"an old server does not know {method.upper()} {path}")
        else:
            yield from _Pair(old, new, place).differences(old.operations[key], new.operations[key])


class _Pair:
    """One operation that both versions have."""

    def __init__(self, old: Document, new: Document, place: str) -> None:
        self._old = old
        self._new = new
        self._place = place

    def differences(self, old: Operation, new: Operation) -> Iterator[Difference]:
        """All of them, unsorted."""
        yield from self._parameters(old.parameters, new.parameters)
        yield from self._body(old.body, new.body)
        yield from self._responses(old.responses, new.responses)
        yield from _unread(self._place, old.rest, new.rest)

    def _parameters(
        self, old: Mapping[tuple[str, str], Schema], new: Mapping[tuple[str, str], Schema]
    ) -> Iterator[Difference]:
        for key in sorted({*old, *new}):
            place = f"{self._place}/parameters/{token(key[1])}"
            if key not in new:
                yield _broken(place, Kind.REMOVED, f"an old client sends it in the {key[0]}, a new server refuses it")
            elif key not in old and new[key].get("required"):
                yield _broken(place, Kind.REQUIRED, "an old client does not send what the new server requires")
            elif key not in old:
                yield _added(place, "an old server does not know it")
            else:
                yield from self._parameter(place, old[key], new[key])

    def _parameter(self, place: str, old: Schema, new: Schema) -> Iterator[Difference]:
        yield from self._required(place, old, new)
        one, other = old.get("schema", _NOTHING), new.get("schema", _NOTHING)
        yield from self._asked(f"{place}/schema", one, other)
        if not old.get("required"):
            for misfit in Fit(self._old, self._new, Role.REQUEST).defaults(one, other):
                yield Difference(f"{place}/schema{misfit.place}", misfit.kind, breaking=True, whom=BOTH, why=misfit.why)
        yield from _unread(place, old, new, {"name", "in", "required", "schema"})

    def _required(self, place: str, old: Schema, new: Schema) -> Iterator[Difference]:
        if new.get("required") and not old.get("required"):
            yield _broken(f"{place}/required", Kind.REQUIRED, "an old client may leave it out, the new server refuses")
        elif old.get("required") and not new.get("required"):
            yield _added(f"{place}/required", "an old server still requires it")

    def _body(self, old: Schema | None, new: Schema | None) -> Iterator[Difference]:
        place = f"{self._place}/requestBody"
        if old is not None and new is None:
            yield _broken(place, Kind.REMOVED, "an old client sends a body, a new server takes none")
        elif old is None and new is not None and new.get("required"):
            yield _broken(place, Kind.REQUIRED, "an old client sends no body, and the new server requires one")
        elif old is None and new is not None:
            yield _added(place, "an old server takes no body")
        elif old is not None and new is not None:
            yield from self._required(place, old, new)
            yield from self._content(place, old, new, Role.REQUEST)
            yield from _unread(place, old, new, {"content", "required"})

    def _responses(self, old: Mapping[str, Schema], new: Mapping[str, Schema]) -> Iterator[Difference]:
        for code in sorted({*old, *new}):
            place = f"{self._place}/responses/{code}"
            if code not in new:
                yield _broken(place, Kind.REMOVED, f"an old client was promised {code} for what it stands for")
            elif code not in old:
                yield _added(place, f"an old server does not answer {code}")
            else:
                yield from self._content(place, old[code], new[code], Role.ANSWER)
                yield from _unread(place, old[code], new[code], {"content"})

    def _content(self, place: str, old: Schema, new: Schema, role: Role) -> Iterator[Difference]:
        had, has = old.get("content", _NOTHING), new.get("content", _NOTHING)
        whom = BOTH if had.keys().isdisjoint(has) else (OLD_CLIENT,)
        for media in sorted({*had, *has}):
            here = f"{place}/content/{token(media)}"
            if media not in has:
                why = f"{media} was promised, now it is {', '.join(sorted(has)) or 'nothing'}"
                yield Difference(here, MEDIA, breaking=True, whom=whom, why=why)
            elif media not in had:
                yield _added(here, f"an old server does not speak {media}")
            else:
                one, other = had[media].get("schema", _NOTHING), has[media].get("schema", _NOTHING)
                yield from self._asked(here, one, other) if role is Role.REQUEST else self._answered(here, one, other)
                yield from _unread(here, had[media], has[media], {"schema"})

    def _asked(self, place: str, old: Schema, new: Schema) -> Iterator[Difference]:
        forward = Fit(self._old, self._new, Role.REQUEST).misfits(old, new)
        backward = Fit(self._new, self._old, Role.REQUEST).misfits(new, old)
        return _sides(place, forward, backward)

    def _answered(self, place: str, old: Schema, new: Schema) -> Iterator[Difference]:
        forward = Fit(self._new, self._old, Role.ANSWER).misfits(new, old)
        backward = Fit(self._old, self._new, Role.ANSWER).misfits(old, new)
        return _sides(place, forward, backward)


def _sides(place: str, forward: Sequence[Misfit], backward: Sequence[Misfit]) -> Iterator[Difference]:
    """``forward`` breaks the old client; what does not fit backward only is an addition that has to wait."""
    back = {(each.place, each.kind) for each in backward}
    for each in forward:
        whom = BOTH if (each.place, each.kind) in back else (OLD_CLIENT,)
        yield Difference(f"{place}{each.place}", each.kind, breaking=True, whom=whom, why=each.why)
    broken = {(each.place, each.kind) for each in forward}
    for each in backward:
        if (each.place, each.kind) not in broken:
            kind = Kind.ADDED if each.kind is Kind.REMOVED else each.kind
            why = f"with an old server, {each.why}"
            yield Difference(f"{place}{each.place}", kind, breaking=False, whom=(NEW_CLIENT,), why=why)


def _unread(
    place: str, old: Mapping[str, Any], new: Mapping[str, Any], read: Iterable[str] = ()
) -> Iterator[Difference]:
    """Members that are compared for equality only: what is not understood is not called harmless."""
    for name in sorted({*old, *new} - {*read, *REMARKS}):
        if not name.startswith("x-") and old.get(name) != new.get(name):
            why = f"it was {old.get(name)!r} and is {new.get(name)!r}, which nobody here understands"
            yield Difference(f"{place}/{token(name)}", Kind.UNREAD, breaking=True, whom=BOTH, why=why)


def _broken(place: str, kind: str, why: str) -> Difference:
    return Difference(place, kind, breaking=True, whom=(OLD_CLIENT,), why=why)


def _added(place: str, why: str) -> Difference:
    return Difference(place, Kind.ADDED, breaking=False, whom=(NEW_CLIENT,), why=why)
