"""A file of an index in one reading: its size, its CRC-32, and whether the footer that tantivy gave it holds.

tantivy ends its files with a JSON object that holds the CRC-32 of what stands before it, then the length of that
JSON and the number 1337, four bytes each, little-endian; and it does not look at that CRC when it opens them.
"""

import os
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

NO_FOOTER: Final = frozenset({"meta.json", ".managed.json"})
_MAGIC: Final = 1337
_TAIL: Final = struct.Struct("<II")
_LONGEST: Final = 256
_NUMBER: Final = rb"\d{1,10}"
_TEXT: Final = re.compile(
    rb'\{"version":\{"major":%b,"minor":%b,"patch":%b,"index_format_version":%b\},"crc":(%b)\}' % ((_NUMBER,) * 5)
)
_READ_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Reading:
    """``size_bytes`` and ``crc32`` of the whole file; ``fault`` says what is wrong with its footer, "" if nothing."""

    size_bytes: int
    crc32: int
    fault: str = ""


def read_file(path: Path) -> Reading:
    """Reads a file once; ``OSError`` when that fails."""
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - _LONGEST))
        found = _TEXT.fullmatch(text := _footer_text(stream.read()))
        stream.seek(0)
        body = _crc(stream, size - len(text) - _TAIL.size if found else 0, 0)
        whole = _crc(stream, size, body)
    if path.name in NO_FOOTER:
        return Reading(size, whole)
    if found is None:
        return Reading(size, whole, "expected a footer of tantivy, saw none")
    wanted = int(found[1])
    return Reading(size, whole, "" if wanted == body else f"expected the CRC-32 {wanted} of its footer, saw {body}")


def _footer_text(end: bytes) -> bytes:
    """The JSON in the last bytes of a file; ``b""`` when they are no footer."""
    if len(end) < _TAIL.size:
        return b""
    length, magic = _TAIL.unpack_from(end, len(end) - _TAIL.size)
    start = len(end) - _TAIL.size - length
    return end[start : -_TAIL.size] if magic == _MAGIC and start >= 0 else b""


def _crc(stream: BinaryIO, count: int, checksum: int) -> int:
    """``checksum`` carried on over at most ``count`` further bytes."""
    while count > 0 and (block := stream.read(min(count, _READ_BYTES))):
        checksum = zlib.crc32(block, checksum)
        count -= len(block)
    return checksum
