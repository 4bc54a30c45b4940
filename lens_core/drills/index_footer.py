"""The footer at the end of tantivy's files, read without tantivy.

A file is its body, then a JSON object, then the length of that JSON and the magic number 1337, both as four bytes,
little-endian. The JSON names the tantivy that wrote the file, the index format, and the CRC-32 of the body. Measured
on files of tantivy 0.22.2, 0.24.0, 0.25.1 and 0.27.0; ``meta.json`` and ``.managed.json`` have no footer.
"""

import re
import struct
import zlib
from dataclasses import dataclass
from typing import Final

from lens_core.errors import IntegrityError

MAGIC: Final = 1337
_TAIL: Final = struct.Struct("<II")
_LONGEST: Final = 50_000
"""What tantivy itself takes for the longest footer, in bytes."""
_U32: Final = 2**32
_NUMBER: Final = rb"(0|[1-9][0-9]{0,9})"
_TEXT: Final = re.compile(
    rb'\{"version":\{"major":%b,"minor":%b,"patch":%b,"index_format_version":%b\},"crc":%b\}' % ((_NUMBER,) * 5)
)
_HINT: Final = "the file is cut off, damaged, or none of tantivy's"


@dataclass(frozen=True, slots=True)
class Footer:
    """``version`` of tantivy as (major, minor, patch), ``index_format`` as a number, ``crc`` of the body."""

    version: tuple[int, int, int]
    index_format: int
    crc: int

    def encode(self) -> bytes:
        """The footer's bytes, as tantivy writes them; ValueError for numbers that are no unsigned 32 bits."""
        numbers = (*self.version, self.index_format, self.crc)
        if not all(0 <= number < _U32 for number in numbers):
            raise ValueError(f"expected unsigned numbers of 32 bits, saw {numbers}")
        text = b'{"version":{"major":%d,"minor":%d,"patch":%d,"index_format_version":%d},"crc":%d}' % numbers
        return text + _TAIL.pack(len(text), MAGIC)

    def crc_holds(self, body: bytes) -> bool:
        """Whether ``body`` is what was written, as far as 32 bits can say."""
        return zlib.crc32(body) == self.crc


def split(content: bytes) -> tuple[bytes, Footer]:
    """The body and the footer of a file; IntegrityError when it does not end as tantivy ends one.

    Only the very bytes that ``Footer.encode`` gives are a footer. Whether the body is whole is not asked here.
    """
    if len(content) < _TAIL.size:
        raise IntegrityError(f"expected a footer, saw {len(content)} bytes", _HINT)
    length, magic = _TAIL.unpack_from(content, len(content) - _TAIL.size)
    if magic != MAGIC:
        raise IntegrityError(f"expected the magic number {MAGIC} at the end, saw {magic}", _HINT)
    start = len(content) - _TAIL.size - length
    if length > _LONGEST or start < 0:
        raise IntegrityError(f"expected a footer within the {len(content)} bytes, saw a length of {length}", _HINT)
    text = content[start : -_TAIL.size]
    found = _TEXT.fullmatch(text)
    numbers = [int(number) for number in found.groups()] if found else []
    if not numbers or max(numbers) >= _U32:
        raise IntegrityError(f"expected a footer with version and crc, saw {text[:80]!r}", _HINT)
    major, minor, patch, index_format, crc = numbers
    return content[:start], Footer((major, minor, patch), index_format, crc)


def sealed(body: bytes, footer: Footer) -> bytes:
    """A file of ``body`` whose footer is ``footer`` but for the CRC, which is made to hold: for drills and tests."""
    return body + Footer(footer.version, footer.index_format, zlib.crc32(body)).encode()
