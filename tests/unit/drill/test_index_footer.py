"""tantivy's footer is read to the byte, and nothing else is taken for one."""

import struct
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lens_core.drills.index_footer import Footer, sealed, split
from lens_core.errors import IntegrityError

# The very bytes that tantivy 0.22.2 and 0.27.0 put at the end of a file.
BY_0_22 = (
    b'{"version":{"major":0,"minor":22,"patch":0,"index_format_version":6},"crc":78098698}T\x00\x00\x009\x05\x00\x00'
)
BY_0_27 = (
    b'{"version":{"major":0,"minor":27,"patch":0,"index_format_version":7},"crc":1422726633}V\x00\x00\x009\x05\x00\x00'
)
U32 = st.integers(0, 2**32 - 1)
FOOTERS = st.builds(Footer, st.tuples(U32, U32, U32), U32, U32)


def test_the_footers_of_real_files_are_read():
    """Version, format and CRC are those that stand there, and encoding gives the same bytes."""
    assert split(b"body" + BY_0_22) == (b"body", Footer((0, 22, 0), 6, 78098698))
    assert split(BY_0_27) == (b"", Footer((0, 27, 0), 7, 1422726633))
    assert Footer((0, 27, 0), 7, 1422726633).encode() == BY_0_27


@given(st.binary(max_size=300), FOOTERS)
def test_what_was_written_is_read_back(body, footer):
    """Any body and any footer come back, whatever the body ends with."""
    assert split(body + footer.encode()) == (body, footer)


@given(st.one_of(st.binary(max_size=400), st.binary(max_size=50).map(lambda some: some + struct.pack("<II", 5, 1337))))
@example(b"")
@example(struct.pack("<II", 0, 1337))
@example(struct.pack("<II", 2**32 - 1, 1337))
def test_arbitrary_bytes_are_refused_or_end_in_what_encode_writes(content):
    """The parser ends with a footer or an IntegrityError, and accepts nothing that ``encode`` would not write."""
    try:
        body, footer = split(content)
    except IntegrityError:
        return
    assert body + footer.encode() == content


@given(st.binary(min_size=1, max_size=60), FOOTERS, st.data())
def test_a_flipped_bit_is_never_read_as_the_same_file(body, footer, data):
    """Whichever bit is flipped: no footer, another footer, or a body that its CRC no longer fits."""
    content = sealed(body, footer)
    at = data.draw(st.integers(0, 8 * len(content) - 1))
    flipped = bytearray(content)
    flipped[at // 8] ^= 1 << at % 8
    try:
        seen, found = split(bytes(flipped))
    except IntegrityError:
        return
    assert found != split(content)[1] or not found.crc_holds(seen)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"crc":', b'"crc": '),
        (b'"crc":78098698', b'"crc":1,"crc":78098698'),
        (b'"crc":78098698', b'"crc":078098698'),
        (b'"crc":78098698', b'"crc":-78098698'),
        (b'"crc":78098698', b'"crc":4294967296'),
        (b'"crc":78098698', b'"crc":7.8e7'),
        (b'"patch":0', b'"patch":null'),
        (b'"patch":0,', b""),
    ],
    ids=["blank", "twice", "leading zero", "negative", "33 bits", "float", "null", "less"],
)
def test_json_that_tantivy_does_not_write_is_no_footer(before, after):
    """A JSON reader would let some of these pass; whoever wrote them was not tantivy."""
    text = BY_0_22[:-8].replace(before, after)
    with pytest.raises(IntegrityError, match="version and crc"):
        split(b"body" + text + struct.pack("<II", len(text), 1337))


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        (struct.pack("<II", 84, 1338), "magic number 1337 at the end, saw 1338"),
        (struct.pack(">II", 84, 1337), "magic number"),
        (struct.pack("<II", 85, 1337), "saw a length of 85"),
        (struct.pack("<II", 2**31, 1337), "within"),
        (b"", "magic number"),
    ],
    ids=["magic", "big-endian", "too long", "huge", "none"],
)
def test_a_wrong_tail_is_no_footer(tail, words):
    """Another magic number or a length that leads elsewhere is refused with what was seen."""
    with pytest.raises(IntegrityError, match=words):
        split(BY_0_22[:-8] + tail)


def test_the_crc_is_that_of_the_body():
    """``crc_holds`` is CRC-32 of everything before the footer, nothing of the footer."""
    body, footer = split(sealed(b"some body", Footer((0, 27, 0), 7, 0)))
    assert footer.crc == zlib.crc32(b"some body")
    assert footer.crc_holds(body)
    assert not footer.crc_holds(b"some bodY")


def test_numbers_that_fit_no_footer_are_not_written():
    """What could not be read back is no footer."""
    with pytest.raises(ValueError, match="unsigned"):
        Footer((0, 0, -1), 7, 0).encode()
    with pytest.raises(ValueError, match="32 bits"):
        Footer((0, 0, 0), 7, 2**32).encode()
