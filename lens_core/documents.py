"""Records as JSON, for machines."""

import dataclasses
import json
from enum import Enum
from typing import Any

from lens_core.model import Digest


def json_text(value: Any) -> str:
    """Records as one JSON document: dataclasses as objects, enums and dates as words, absent values null."""
    return json.dumps(_jsonable(value), indent=1, ensure_ascii=False)


def _jsonable(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type | Digest):
        return {f.name: _jsonable(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value if isinstance(value, str) else value.name
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)
