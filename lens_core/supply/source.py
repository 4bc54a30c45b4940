"""The list of a source tree: path → SHA-256 of every regular file. What scanners and measures must have seen."""

import hashlib
import json
from collections.abc import Mapping

import rfc8785

from lens_core.errors import IntegrityError


def write_source(files: Mapping[str, str]) -> bytes:
    """The list as canonical JSON (RFC 8785): ``{"files": {path: 64 hex digits}}``, paths with ``/``."""
    return rfc8785.dumps({"files": dict(files)})


def read_source(content: bytes) -> dict[str, str]:
    """Read what ``write_source`` wrote; IntegrityError when it is anything else, or holds no file."""
    try:
        files = json.loads(content)["files"]
        same = bool(files) and write_source(files) == content
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise IntegrityError(f"the list of source files cannot be read: {error}", "cut again") from error
    if not same:
        raise IntegrityError("expected a canonical list of source files with at least one file", "cut again")
    return dict(files)


def digest_of(content: bytes) -> str:
    """``sha256:<64 hex digits>`` of ``content``."""
    return "sha256:" + hashlib.sha256(content).hexdigest()
