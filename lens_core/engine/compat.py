"""Whether a caller and an index of given versions can work with this engine, and why not."""

import re
from dataclasses import dataclass
from typing import Final

from lens_core.engine.store import INDEX_FORMAT

API_VERSION: Final = "1.0"
_VERSION: Final = re.compile(r"v?(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?")


@dataclass(frozen=True)
class Compatibility:
    """The answer: ``reasons`` is empty exactly when ``compatible``."""

    compatible: bool
    reasons: list[str]
    api_version: str
    index_format: int


def check(api_version: str | None, index_version: str | None) -> Compatibility:
    """Compares a caller's API version (``1`` or ``1.0``) and an index format with what this engine has.

    The major number of the API must be equal, and its minor number not newer; the index format must be
    equal. What is not given is not compared, and what is no version is not compatible.
    """
    reasons: list[str] = []
    if api_version is not None:
        reasons.extend(_api_reasons(api_version))
    if index_version is not None:
        match = _VERSION.fullmatch(index_version)
        if match is None:
            reasons.append(f"index_version: expected a number such as {INDEX_FORMAT}, saw {index_version!r}")
        elif int(match[1]) != INDEX_FORMAT:
            relation = "newer" if int(match[1]) > INDEX_FORMAT else "older"
            reasons.append(f"index_version: expected {INDEX_FORMAT}, saw {match[1]}, which is {relation}; index again")
    return Compatibility(not reasons, reasons, API_VERSION, INDEX_FORMAT)


def _api_reasons(api_version: str) -> list[str]:
    match = _VERSION.fullmatch(api_version)
    if match is None:
        return [f"api_version: expected a version such as {API_VERSION}, saw {api_version!r}"]
    major, minor = (int(part) for part in API_VERSION.split("."))
    if int(match[1]) != major:
        return [f"api_version: expected {major}.x, saw {api_version}"]
    if int(match[2] or 0) > minor:
        return [f"api_version: expected at most {API_VERSION}, saw {api_version}, which is newer"]
    return []
