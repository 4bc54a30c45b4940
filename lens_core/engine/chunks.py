"""Cuts a file into the pieces that are indexed: its definitions, and blocks of the lines in between.

Every line belongs to the innermost definition that covers it, or else to a block of at most 60 lines
that no definition covers; so the texts of the chunks partition the file. Two exceptions, both chosen so
that nothing becomes unfindable: a definition that is left without any line of its own (several on one
line) carries its own source text as well, and a block without a single word character is dropped.
"""

import re
from dataclasses import dataclass
from typing import Final

from lens_core.engine.languages import language_of
from lens_core.engine.symbols import Definition, definitions

BLOCK_LINES: Final = 60
BLOCK_KIND: Final = "block"
_WORD: Final = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One indexed piece of a file; ``start_line`` and ``end_line`` are 1-based and inclusive.

    ``text`` holds only the lines that no inner definition owns, whereas the span is the whole one.
    """

    path: str
    language: str
    symbol: str
    kind: str
    start_line: int
    end_line: int
    parents: tuple[str, ...]
    text: str

    @property
    def is_definition(self) -> bool:
        """Whether this is a definition rather than a block of lines between definitions."""
        return self.kind != BLOCK_KIND


def chunk_file(source: bytes, path: str) -> list[Chunk]:
    """The chunks of one UTF-8 file in the order of their first line, outer before inner.

    Raises ``UnicodeDecodeError`` for other encodings and ``KeyError`` for a suffix that is not read.
    """
    source.decode("utf-8")
    language = language_of(path)
    if language is None:
        raise KeyError(path)
    lines = [line.decode("utf-8").rstrip("\r") for line in source.split(b"\n")]
    found = definitions(source, path)
    owners = _owners(found, len(lines))
    owned: dict[int, list[str]] = {}
    for line, owner in zip(lines, owners, strict=True):
        if owner >= 0:
            owned.setdefault(owner, []).append(line)
    chunks = [_definition_chunk(path, language, item, owned.get(number), source) for number, item in enumerate(found)]
    chunks.extend(_blocks(path, language, lines, owners))
    chunks.sort(key=lambda chunk: (chunk.start_line, -chunk.end_line))
    return chunks


def _owners(found: list[Definition], count: int) -> list[int]:
    """For each line the number of its innermost definition, or -1."""
    owners = [-1] * count
    for number, item in enumerate(found):
        span = range(item.start_line - 1, min(item.end_line, count))
        owners[span.start : span.stop] = [number] * len(span)
    return owners


def _definition_chunk(path: str, language: str, item: Definition, lines: list[str] | None, source: bytes) -> Chunk:
    text = (
        "\n".join(lines)
        if lines is not None
        else source[item.start_byte : item.end_byte].decode("utf-8", "replace").replace("\r\n", "\n")
    )
    return Chunk(path, language, item.name, item.kind, item.start_line, item.end_line, item.parents, text)


def _blocks(path: str, language: str, lines: list[str], owners: list[int]) -> list[Chunk]:
    blocks: list[Chunk] = []
    start = 0
    while start < len(lines):
        end = start
        while end < len(lines) and owners[end] < 0 and end - start < BLOCK_LINES:
            end += 1
        text = "\n".join(lines[start:end])
        if _WORD.search(text):
            blocks.append(Chunk(path, language, "", BLOCK_KIND, start + 1, end, (), text))
        start = max(end, start + 1)
    return blocks
