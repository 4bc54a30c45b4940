"""What a server must say to ``/compat/check``: yes to its own versions, no to impossible ones, yes to old clients."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lens_core.drills.api_answers import Seen
from lens_core.drills.api_changes import NEW_CLIENT, OLD_CLIENT, Difference
from lens_core.drills.api_requests import IMPOSSIBLE_APIS, IMPOSSIBLE_INDEXES
from lens_core.drills.openapi import token

COMPAT: Final = "/compat/check"
_PLACE: Final = f"/answers/{token(COMPAT)}"
Asked = Sequence[tuple[tuple[tuple[str, str], ...], Seen]]
"""(query, answer) of one server."""


def compat_differences(old: Asked, new: Asked) -> Iterator[Difference]:
    """Where an answer is not what the versions of both servers demand.

    The new server must take the old API version. Of a version that only the other server has it is not known what is
    right, as an old server cannot know a newer one; such answers are compared by nobody.
    """
    of_old, of_new = _own(old), _own(new)
    if of_old is None or of_new is None:
        return
    yield from _one(old, {of_old[0]}, of_old[1], NEW_CLIENT, "old")
    yield from _one(new, {of_new[0], of_old[0]}, of_new[1], OLD_CLIENT, "new")


def _own(asked: Asked) -> tuple[str, str] | None:
    """The API version and the index format that a server says it has."""
    for query, seen in asked:
        if not query and isinstance(seen.body, Mapping):
            return str(seen.body.get("api_version")), str(seen.body.get("index_format"))
    return None


def _one(asked: Asked, apis: set[str], index: str, whom: str, side: str) -> Iterator[Difference]:
    for query, seen in asked:
        said = seen.body.get("compatible") if isinstance(seen.body, Mapping) else None
        expected = _expected(dict(query), apis, index)
        shown = "&".join(f"{name}={value}" for name, value in query) or "no version"
        if expected is not None and said is not expected:
            why = f"to {shown} the {side} server must say {expected}, and says {said}"
            yield Difference(f"{_PLACE}/200/compatible", "value", breaking=True, whom=(whom,), why=why)
        elif said is False and not _reasons(seen.body):
            why = f"to {shown} the {side} server says no and gives no reason"
            yield Difference(f"{_PLACE}/200/reasons", "value", breaking=True, whom=(whom,), why=why)


def _expected(query: Mapping[str, str], apis: set[str], index: str) -> bool | None:
    """True, False, or None when it is not known."""
    known = []
    if (api := query.get("api_version")) is not None:
        known.append(True if api in apis else False if api in IMPOSSIBLE_APIS else None)
    if (asked := query.get("index_version")) is not None:
        known.append(True if asked == index else False if asked in IMPOSSIBLE_INDEXES else None)
    if False in known:
        return False
    return None if None in known else True


def _reasons(body: Mapping[str, Any]) -> bool:
    reasons = body.get("reasons")
    return isinstance(reasons, list) and bool(reasons)
