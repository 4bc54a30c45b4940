"""Bytes of a histogram: counts of consecutive bins, each told by how it differs from the one before.

Version 1 is the magic, the mantissa bits that tell bins apart, the number of the first filled bin and
how many bins follow it (both LEB128), a stream of bits for the counts, zeros up to a whole byte, and
CRC-32 of all that. In the stream a count is the zigzag difference d from the count c before it (0 at
first), Rice-coded with ``c.bit_length() // 2 + 1`` low bits: the noise of a count is about its root.
What would take more than 20 ones is 20 ones and 64 bits. A count of zero is followed by how many zeros
stand there, in Elias' gamma code. Equal histograms give equal bytes, on any machine.
"""

import zlib
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from lens_core.errors import IntegrityError

MOST = 1 << 53
"""So many values a histogram may hold: beyond, a float64 rank does not tell one from the next."""

_MAGIC = b"LSK\x01"
_SUM_BYTES = 4
_CONTINUES = 0x80
_WIDEST_SHIFT = 63
_EXPONENTS = 0x7FF
_MOST_ONES = 20
_ESCAPED_BITS = 64


def encode(mantissa_bits: int, first: int, counts: NDArray[np.int64]) -> bytes:
    """The bytes of ``counts`` of the bins from ``first`` on; empty bins at either end leave no trace."""
    filled = np.flatnonzero(counts)
    start, end = (int(filled[0]), int(filled[-1]) + 1) if filled.size else (0, 0)
    body = bytearray((*_MAGIC, mantissa_bits))
    _write(body, first + start if filled.size else 0)
    _write(body, end - start)
    bits: list[str] = []
    before, last = 0, start - 1
    for place, count in zip(filled.tolist(), counts[filled].tolist(), strict=True):
        if zeros := place - last - 1:
            bits += (_rice(0, before), "0" * (zeros.bit_length() - 1), f"{zeros:b}")
            before = 0
        bits.append(_rice(count, before))
        before, last = count, place
    stream = "".join(bits)
    size = -(-len(stream) // 8)
    body += int(stream.ljust(size * 8, "0") or "0", 2).to_bytes(size, "big")
    return bytes(body) + zlib.crc32(body).to_bytes(_SUM_BYTES, "little")


def decode(content: bytes, known: Collection[int]) -> tuple[int, int, NDArray[np.int64]]:
    """Mantissa bits, the first bin and the counts that ``encode`` was given.

    IntegrityError for anything else, also for mantissa bits that are not among the ``known``.
    """
    if content[: len(_MAGIC)] != _MAGIC:
        raise IntegrityError(f"expected a sketch of version 1, saw {content[: len(_MAGIC)].hex() or 'nothing'}")
    body = content[:-_SUM_BYTES]
    if zlib.crc32(body).to_bytes(_SUM_BYTES, "little") != content[-_SUM_BYTES:]:
        raise IntegrityError(f"these {len(content)} bytes of a sketch are damaged: their checksum differs")
    try:
        mantissa_bits = body[len(_MAGIC)]
        bin_count = _EXPONENTS << mantissa_bits if mantissa_bits in known else 0
        first, place = _read(body, len(_MAGIC) + 1)
        size, place = _read(body, place)
        counts = _counts(body[place:], size, at_most=bin_count - first)
    except (ValueError, IndexError, OverflowError) as error:
        raise IntegrityError(f"these {len(content)} bytes are no whole sketch: {error}") from error
    if encode(mantissa_bits, first, counts) != content:
        raise IntegrityError(f"these {len(content)} bytes are no sketch as it would be written")
    return mantissa_bits, first, counts


def _write(out: bytearray, number: int) -> None:
    while number >= _CONTINUES:
        out.append(number & 0x7F | _CONTINUES)
        number >>= 7
    out.append(number)


def _read(body: bytes, place: int) -> tuple[int, int]:
    number, shift = 0, 0
    while shift <= _WIDEST_SHIFT:
        byte = body[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < _CONTINUES:
            return number, place
        shift += 7
    raise ValueError("a number of more than 64 bits")


def _low_bits(before: int) -> int:
    return before.bit_length() // 2 + 1


def _rice(count: int, before: int) -> str:
    difference = count - before
    zigzag = difference << 1 if difference >= 0 else (-difference << 1) - 1
    low = _low_bits(before)
    ones = zigzag >> low
    if ones >= _MOST_ONES:
        return f"{'1' * _MOST_ONES}{zigzag:0{_ESCAPED_BITS}b}"
    return f"{'1' * ones}0{zigzag & (1 << low) - 1:0{low}b}"


def _counts(stream: bytes, size: int, at_most: int) -> NDArray[np.int64]:
    if size > at_most:
        raise ValueError(f"{size} bins, no more than {at_most} can follow")
    bits = f"{int.from_bytes(stream, 'big'):0{8 * len(stream)}b}"
    counts = np.zeros(size, dtype=np.int64)
    bin_number, total, before, place = 0, 0, 0, 0
    while bin_number < size:
        zero = bits.find("0", place, place + _MOST_ONES)
        if zero < 0:
            place += _MOST_ONES + _ESCAPED_BITS
            zigzag = int(bits[place - _ESCAPED_BITS : place], 2)
        else:
            ones, low = zero - place, _low_bits(before)
            place = zero + 1 + low
            zigzag = ones << low | int(bits[zero + 1 : place], 2)
        before += -(zigzag + 1 >> 1) if zigzag & 1 else zigzag >> 1
        if before:
            counts[bin_number] = before
            bin_number += 1
        else:
            one = bits.index("1", place)
            place = 2 * one - place + 1
            bin_number += int(bits[one:place], 2)
        total += before
        if before < 0 or total > MOST:
            raise ValueError(f"a count of {before} in a total of {total}")
    return counts
