"""Takes decoded JSON for what it should be, member by member, or says what it is instead."""

import re
from collections.abc import Sequence
from typing import Any

from lens_core.errors import IntegrityError

HEX_SHA256 = re.compile(r"[0-9a-f]{64}")


def members(value: Any, names: Sequence[str], where: str) -> dict[str, Any]:
    """``value``, if it is an object with exactly the members ``names``; IntegrityError otherwise."""
    if not isinstance(value, dict) or value.keys() != set(names):
        seen = sorted(value) if isinstance(value, dict) else type(value).__name__
        raise IntegrityError(f"{where}: expected an object with exactly {', '.join(sorted(names))}, saw {seen}")
    return value


def items(value: Any, where: str) -> list[Any]:
    """``value``, if it is an array with something in it; IntegrityError otherwise."""
    if not isinstance(value, list) or not value:
        seen = "an empty one" if value == [] else type(value).__name__
        raise IntegrityError(f"{where}: expected an array that is not empty, saw {seen}")
    return value


def text(value: Any, pattern: re.Pattern[str], where: str) -> str:
    """``value``, if it is a string that ``pattern`` matches whole; IntegrityError otherwise."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise IntegrityError(f"{where}: expected text like {pattern.pattern}, saw {value!r}")
    return value


def exactly(value: Any, wanted: Any, where: str) -> None:
    """IntegrityError unless ``value`` is ``wanted``, type included (True is not 1)."""
    if type(value) is not type(wanted) or value != wanted:
        raise IntegrityError(f"{where}: expected {wanted!r}, saw {value!r}")


def whole(value: Any, where: str) -> int:
    """``value``, if it is an integer of at least 0; IntegrityError otherwise."""
    if type(value) is not int or value < 0:
        raise IntegrityError(f"{where}: expected a whole number of at least 0, saw {value!r}")
    return value
