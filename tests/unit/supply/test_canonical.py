"""One value has one sequence of bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_core.errors import IntegrityError, InvalidInput
from lens_core.supply import canonical

numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters(exclude_categories=("Cs",)))
values = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_what_is_encoded_is_decoded(value):
    """Every JSON value comes back from its canonical bytes, and has no others."""
    content = canonical.encode(value)
    assert canonical.decode(content) == value
    assert canonical.encode(canonical.decode(content)) == content


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (b'{"a":1,"a":1}', "the key 'a' occurs twice"),
        (b'{"a":{"b":1,"b":2}}', "the key 'b' occurs twice"),
        (b'{"a":NaN}', "NaN is no JSON"),
        (b"[Infinity]", "Infinity is no JSON"),
        (b"[-Infinity]", "-Infinity is no JSON"),
        (b"[1e999]", "inf"),
        (b'"\xff"', "utf-8"),
        (b'"\xed\xa0\x80"', "utf-8"),
        (b'"\\ud800"', "UTF-8"),
        (b'{"\\ud800":1}', "surrogates"),
        ('{"a":1}'.encode("utf-16"), "utf-8"),
        (b'\xef\xbb\xbf{"a":1}', "BOM"),
        (b'{"a": 1}', "at byte 5"),
        (b'{"b":1,"a":1}', "at byte 2"),
        (b'{"a":1}\n', "at byte 7"),
        (b'{"a":1}{', "Extra data"),
        (b"[1.0]", "at byte 2"),
        (b"[-0]", "at byte 1"),
        (b"[1e2]", "at byte 2"),
        (b'"\\u0061"', "at byte 1"),
        (b'"\\/"', "at byte 1"),
        (b"[9007199254740993]", "at byte 16"),
        (b"[" * 100_000, "recursion"),
        (b"1" * 5000, "inf"),
        (b"", "Expecting value"),
    ],
)
def test_everything_else_is_refused(content, seen):
    """Bytes that are not the canonical ones are refused with what is wrong with them."""
    with pytest.raises(IntegrityError, match=r"policy\.json: expected canonical JSON") as raised:
        canonical.decode(content, "policy.json")
    assert seen in raised.value.message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, {1: 2}, object(), "\ud800"])
def test_what_has_no_canonical_bytes_is_not_written(value):
    """NaN, large integers and what is no JSON are refused before anybody signs them."""
    with pytest.raises(InvalidInput, match="expected a value that canonical JSON can hold"):
        canonical.encode(value)
