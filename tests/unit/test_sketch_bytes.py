"""The bytes of a histogram: nothing is lost in them, and nothing else is taken for them."""

import zlib

import numpy as np
import pytest
from latencies import DISTRIBUTIONS, drawn, filled

from lens_core.errors import IntegrityError
from lens_core.sketch import Resolution, Sketch

QUANTILES = (0.0, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0)


def sealed(body):
    """``body`` with its right checksum, as somebody who knows the format would forge it."""
    return body + zlib.crc32(body).to_bytes(4, "little")


@pytest.mark.parametrize("resolution", list(Resolution))
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_bytes_hold_all_of_it(name, resolution):
    """A sketch read back from its bytes equals the one written, quantiles included."""
    made = filled(drawn(name, 2000), resolution)
    read = Sketch.from_bytes(made.to_bytes())
    assert read == made
    assert read.resolution is resolution
    assert read.quantiles(QUANTILES).tolist() == made.quantiles(QUANTILES).tolist()


def test_an_empty_sketch_has_bytes():
    """Nothing survives being written and read."""
    for resolution in Resolution:
        read = Sketch.from_bytes(Sketch(resolution).to_bytes())
        assert (read.count, read.resolution) == (0, resolution)


def test_bytes_do_not_depend_on_the_way_there():
    """The same samples give the same bytes, merged or not, and whatever space was grown before."""
    values = drawn("exponential", 1000)
    grown = Sketch.merged([filled(values[:300]), filled(values[300:])])
    grown.add_counted([1e-200, 1e200], [0, 0])
    assert grown.to_bytes() == filled(values).to_bytes()


@pytest.mark.parametrize("name", ["lognormal", "exponential", "pareto", "weibull", "slow path"])
def test_ten_million_latencies_fit_in_four_kilobytes(name):
    """At the default resolution ten million samples of a latency-like distribution take at most 4096 bytes."""
    made = Sketch()
    for seed in range(10):
        made.add_many(drawn(name, 1_000_000, seed))
    assert made.count == 10_000_000
    assert len(made.to_bytes()) <= 4096


def test_the_first_version_can_still_be_read():
    """Bytes written by the first version of the format give the samples that were written then."""
    written = bytes.fromhex("4c534b010700c98608880007fbfe207fc600f1e0590dbbfe")
    assert Sketch.from_bytes(written) == filled([0.0, 0.5, 1.0, 1.0, 200.0])


def forged(bits, first=b"\x05", size=b"\x01", head=b"LSK\x01\x07"):
    """A sketch of any ``bits``, with a right checksum. From none to one is 100, from one to none 01 and how many."""
    stream = int(bits.ljust(-(-len(bits) // 8) * 8, "0") or "0", 2).to_bytes(-(-len(bits) // 8), "big")
    return sealed(head + first + size + stream)


def test_a_forgery_can_be_a_sketch():
    """What the next test forges is refused for its fault, not for the way it is forged."""
    made = Sketch.from_bytes(forged("100" + "01011" + "100", first=b"\x80\x08", size=b"\x05"))
    assert made.bins()[0] == 1024
    assert made.bins()[1].tolist() == [1, 0, 0, 0, 1]


ESCAPED = "1" * 20 + "{:064b}"
FOREIGN = {
    "nothing": b"",
    "too short": b"LSK",
    "magic only": b"LSK\x01",
    "checksum only": sealed(b""),
    "no resolution": sealed(b"LSK\x01"),
    "a newer version": forged("100", head=b"LSK\x02\x07"),
    "something else": b"PAR1" + bytes(40),
    "an unknown resolution": forged("100", head=b"LSK\x01\x08"),
    "an absurd resolution": forged("100", head=b"LSK\x01\xff"),
    "no bins, but a first one": forged("", size=b"\x00"),
    "only zeros": forged("00" + "011", size=b"\x03"),
    "zeros beyond the end": forged("100" + "01" + "00101", size=b"\x03"),
    "a run without a length": forged("100" + "01" + "000", size=b"\x03"),
    "fewer bins than said": forged("100" + "100", size=b"\x09"),
    "more bins than said": forged("100" + "100"),
    "a number written too long": forged("100", first=b"\x85\x00"),
    "a number without an end": forged("100", first=b"\x80" * 5000),
    "a number that is cut": forged("", first=b"", size=b"\x80"),
    "a count escaped without need": forged(ESCAPED.format(2)),
    "a cut escape": forged("1" * 24),
    "a negative count": forged("01"),
    "more than can be counted": forged(ESCAPED.format((1 << 54) + 2)),
    "more than 64 bits can hold": forged(ESCAPED.format((1 << 64) - 2)),
    "too many together": forged(ESCAPED.format(1 << 54) + "0" + "0" * 27, size=b"\x02"),
    "the bin of infinity": forged("100", first=b"\x80\xff\x0f"),
    "more bins than there are": forged("100", size=b"\xff" * 8 + b"\x7f"),
    "a wrong checksum": forged("100")[:-1] + b"\x00",
    "trailing bytes": forged("100") + b"\x00",
    "trailing bytes under the checksum": forged("100" + "0" * 13),
    "trailing bits": forged("10000001"),
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN.keys())
def test_what_is_no_sketch_is_refused(content):
    """Foreign, newer, forged and overlong bytes raise IntegrityError, and nothing else."""
    with pytest.raises(IntegrityError, match=r"sketch of version 1|damaged|no whole sketch|no sketch as it would"):
        Sketch.from_bytes(content)


@pytest.mark.parametrize("name", ["lognormal", "with zeros", "huge range"])
def test_any_truncation_is_noticed(name):
    """Whichever byte the content ends at, reading it raises IntegrityError."""
    content = filled(drawn(name, 300)).to_bytes()
    for end in range(len(content)):
        with pytest.raises(IntegrityError):
            Sketch.from_bytes(content[:end])


def test_any_damaged_byte_is_noticed():
    """Whichever byte is changed, and to whatever, reading raises IntegrityError that says what is wrong."""
    content = filled(drawn("with zeros", 20)).to_bytes()
    for place, byte in enumerate(content):
        for other in set(range(256)) - {byte}:
            with pytest.raises(IntegrityError, match="damaged" if place >= 4 else "version 1"):
                Sketch.from_bytes(content[:place] + bytes((other,)) + content[place + 1 :])


def test_forged_bytes_are_refused_or_make_a_sound_sketch():
    """Any byte changed under a right checksum raises IntegrityError, or gives a sketch that works."""
    body = filled(drawn("with zeros", 20)).to_bytes()[:-4]
    sound = 0
    for place in range(len(body)):
        for other in range(256):
            try:
                made = Sketch.from_bytes(sealed(body[:place] + bytes((other,)) + body[place + 1 :]))
            except IntegrityError:
                continue
            sound += 1
            values, counts = made.values()
            assert counts.sum() == made.count > 0
            assert (np.diff(made.quantiles((0.0, 0.5, 1.0))) >= 0).all()
            assert np.isfinite(values).all()
    assert sound > len(body)
