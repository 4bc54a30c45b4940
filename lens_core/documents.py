"""Records as JSON, for machines."""

import dataclasses
import json
from enum import Enum
from typing import Any

from lens_core.model import Digest


def json_text(value: Any) -> str:
    """Records as one JSON document: dataclasses as objects, enums and dates as words, absent values null."""
    return json.dumps(plain(value), indent=1, ensure_ascii=False)


def plain(value: Any) -> Any:
    """What JSON has for a record: objects for dataclasses, words for enums, dates and digests."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type | Digest):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value if isinstance(value, str) else value.name
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)
