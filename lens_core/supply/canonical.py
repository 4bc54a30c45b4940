"""Canonical JSON (RFC 8785): one value has one sequence of bytes, and no other is taken for it."""

import json
from typing import Any

import rfc8785

from lens_core.errors import IntegrityError, InvalidInput

_SHOWN = 40
_SAFE = 2**53
_HINT = "other bytes than were written: get the file again from where it was made"


def encode(value: Any) -> bytes:
    """The canonical bytes of a JSON value; InvalidInput for what has none (NaN, integers of 2**53 and above)."""
    try:
        return rfc8785.dumps(value)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"expected a value that canonical JSON can hold, saw: {error}") from error


def decode(content: bytes, what: str = "the document") -> Any:
    """The value whose canonical bytes ``content`` are; ``what`` names it in the message.

    IntegrityError for everything else: invalid UTF-8, invalid JSON, a key that occurs twice, NaN and infinities, and
    bytes that differ from the canonical ones of their own value.
    """
    try:
        value = json.loads(
            content.decode("utf-8"), object_pairs_hook=_unique, parse_int=_number, parse_constant=_no_constant
        )
        canonical = rfc8785.dumps(value)
    except (ValueError, RecursionError) as error:  # UnicodeError, JSONDecodeError and rfc8785's are ValueErrors
        raise IntegrityError(f"{what}: expected canonical JSON, saw: {error}", _HINT) from error
    if canonical != content:
        place = _first_difference(content, canonical)
        raise IntegrityError(
            f"{what}: expected canonical JSON, saw {content[place : place + _SHOWN]!r} at byte {place} "
            f"where {canonical[place : place + _SHOWN]!r} belongs",
            _HINT,
        )
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in made if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} occurs twice")
    return made


def _number(text: str) -> int | float:
    """JSON's numbers are doubles: a whole one that an integer cannot safely stand for stays one."""
    number = float(text)
    return int(text) if abs(number) < _SAFE else number


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _first_difference(one: bytes, other: bytes) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
