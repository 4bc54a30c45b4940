"""What can happen to the files of an index, as values: which bytes then stand under which names.

The damages of the drill are those of disks and copies (flipped, cut off, missing, emptied, exchanged), found by the
engine's manifest; with ``redescribed`` the manifest is made to agree, so that another guard has to find them.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from lens_core.drills.index_integrity import MANIFEST, kind_of

DAMAGES: Final = ("flipped", "truncated", "missing", "empty", "swapped")
"""What is done to each kind of file; see ``damages``."""
_LOCK: Final = ".lock"

Put = Mapping[str, bytes | None]
"""File → its bytes afterwards, None where there is no such file any more."""


@dataclass(frozen=True, slots=True)
class Damage:
    """``kind`` of damage, done to ``file`` at ``place`` (words), and what it puts where."""

    kind: str
    file: str
    place: str
    put: Put

    def done_to(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """The files afterwards."""
        after = {**files, **self.put}
        return {name: content for name, content in after.items() if content is not None}


def damages(files: Mapping[str, bytes], other: Mapping[str, bytes]) -> Iterator[Damage]:
    """Every damage of ``DAMAGES`` to every file of an index; ``other`` is another index of the same schema.

    Bytes are flipped at the start, in the middle and at the end. A damage that changes nothing is left out.
    """
    for name in sorted(name for name in files if not name.endswith(_LOCK)):
        content = files[name]
        if not content:
            continue
        middle = len(content) // 2
        for place, at in (("first byte", 0), ("middle", middle), ("last byte", len(content) - 1)):
            yield Damage("flipped", name, place, {name: flipped(content, at)})
        yield Damage("truncated", name, "half", {name: content[:middle]})
        yield Damage("truncated", name, "one byte", {name: content[:-1]})
        yield Damage("missing", name, "", {name: None})
        yield Damage("empty", name, "", {name: b""})
        foreign = counterpart(name, other)
        if foreign is not None and other[foreign] != content:
            yield Damage("swapped", name, f"for another index's {kind_of(name)}", {name: other[foreign]})


def through_commands(every: Iterable[Damage]) -> tuple[tuple[str, Damage], ...]:
    """A sample for the engine's commands, each with the command: they cost a process each."""
    documents = {one.kind: one for one in every if one.file.endswith(".store")}
    pairs = (("search", "flipped"), ("search", "missing"), ("serve", "truncated"), ("serve", "swapped"))
    return tuple((door, documents[kind]) for door, kind in pairs if kind in documents)


def counterpart(name: str, other: Mapping[str, bytes]) -> str | None:
    """The first file of ``other`` in the same folder and of the same kind."""
    folder = name.rpartition("/")[0]
    same = (one for one in sorted(other) if one.rpartition("/")[0] == folder and kind_of(one) == kind_of(name))
    return next(same, None)


def flipped(content: bytes, at: int, mask: int = 1) -> bytes:
    """``content`` with the bits of ``mask`` inverted in its byte ``at``."""
    return content[:at] + bytes([content[at] ^ mask]) + content[at + 1 :]


def redescribed(files: Mapping[str, bytes], damage: Damage) -> Damage:
    """The same damage with a manifest that names the damaged files as they are now."""
    manifest = json.loads(files[MANIFEST])
    for name, content in damage.put.items():
        if content is None:
            manifest["files"].pop(name, None)
        elif name != MANIFEST:
            manifest["files"][name] = {"size_bytes": len(content), "crc32": zlib.crc32(content)}
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    return Damage(
        f"{damage.kind}, manifest rewritten", damage.file, damage.place, {**damage.put, MANIFEST: text.encode()}
    )
