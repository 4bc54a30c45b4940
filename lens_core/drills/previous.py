"""The previous versions of the engine: which there are, and exactly what stands for each.

``data/previous/versions.toml`` is parsed and written here and nowhere else. It names files beside it and
their SHA-256, never a place to download them from.
"""

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from lens_core.errors import InvalidInput

_VERSION = re.compile(r"\d{1,6}(\.\d{1,6}){1,2}((a|b|rc)\d{1,6})?")
_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHAPES = {
    "version": (_VERSION, "a version such as 0.9.0"),
    "commit": (_COMMIT, "40 hex digits"),
    "tantivy": (_VERSION, "a version such as 0.22.2"),
}
_SHA256_SHAPE = (_SHA256, "64 hex digits")
_FILE_SHAPE = (_FILENAME, "the name of a file beside versions.toml")
_ASIDES = {"commit": "  # pragma: allowlist secret (a commit)"}
_REPAIR = "see data/previous/make.py, which writes versions.toml"


@dataclass(frozen=True, slots=True)
class Previous:
    """One version of the engine that is out there; files lie beside ``versions.toml``, digests are SHA-256 in hex.

    ``commit`` is the commit of this repository that ``wheel`` was built from, ``lock`` the hashed
    requirements that it runs on, ``index`` an archive with an index that it wrote and its own answers.
    """

    version: str
    commit: str
    tantivy: str
    wheel: str
    wheel_sha256: str
    lock: str
    lock_sha256: str
    index: str
    index_sha256: str

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            pattern, meant = _SHAPES.get(name) or (_SHA256_SHAPE if name.endswith("_sha256") else _FILE_SHAPE)
            if not isinstance(value, str) or not pattern.fullmatch(value):
                raise InvalidInput(f"a previous version: expected {name} to be {meant}, saw {value!r}", _REPAIR)

    @property
    def tag(self) -> str:
        """The version as people write it: ``v0.9.0``."""
        return f"v{self.version}"


_NAMES = tuple(field.name for field in fields(Previous))


def parse_previous(text: str) -> tuple[Previous, ...]:
    """The versions in the order of the file, oldest first as ``make.py`` writes them.

    InvalidInput for text that is no TOML, an entry with other keys, a version that is named twice, or no
    version at all: a drill against nothing would say nothing.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"versions.toml is not TOML: {error}", _REPAIR) from error
    entries = document.get("previous")
    if document.keys() != {"previous"} or not isinstance(entries, list) or not entries:
        raise InvalidInput(f"expected [[previous]] entries only, saw {sorted(document) or 'nothing'}", _REPAIR)
    found = tuple(_entry(entry) for entry in entries)
    _refuse_twins([previous.version for previous in found])
    return found


def render_previous(known: Iterable[Previous]) -> str:
    """The text of ``versions.toml`` for these versions; ``parse_previous`` reads the same ones back."""
    blocks = ["# Written by data/previous/make.py: what is pinned of each earlier version of the engine."]
    for previous in known:
        values = asdict(previous)
        lines = [f'{name} = "{values[name]}"{_ASIDES.get(name, "")}' for name in _NAMES]
        blocks.append("\n".join(["[[previous]]", *lines]))
    return "\n\n".join(blocks) + "\n"


def with_previous(known: Sequence[Previous], new: Previous) -> tuple[Previous, ...]:
    """The versions with one more at the end, or with its entry replaced where it was registered already."""
    if any(previous.version == new.version for previous in known):
        return tuple(new if previous.version == new.version else previous for previous in known)
    return (*known, new)


def select_previous(known: Sequence[Previous], wanted: str = "") -> tuple[Previous, ...]:
    """The versions that ``wanted`` names, in the order of ``known``; all of them when it is empty.

    ``wanted`` separates by commas, and takes ``v0.9.0`` as well as ``0.9.0``. InvalidInput names what is
    not known, and what is: a version that was asked for is never silently left out.
    """
    names = [name.strip().removeprefix("v") for name in wanted.split(",")] if wanted.strip() else []
    versions = [previous.version for previous in known]
    unknown = sorted({name for name in names if name not in versions})
    if unknown:
        raise InvalidInput(
            f"expected previous versions among {', '.join(versions) or 'none'}, saw {', '.join(map(repr, unknown))}",
            "name versions of data/previous/versions.toml",
        )
    return tuple(previous for previous in known if not names or previous.version in names)


def _entry(entry: Any) -> Previous:
    if not isinstance(entry, dict) or entry.keys() != set(_NAMES):
        seen = sorted(entry) if isinstance(entry, dict) else entry
        raise InvalidInput(f"a previous version: expected the keys {', '.join(_NAMES)}, saw {seen}", _REPAIR)
    return Previous(**entry)


def _refuse_twins(versions: Sequence[str]) -> None:
    twins = sorted({version for version in versions if versions.count(version) > 1})
    if twins:
        raise InvalidInput(f"expected each previous version once, saw {', '.join(twins)} again", _REPAIR)
