"""Chunks partition a file."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lens_core.engine.chunks import BLOCK_LINES, chunk_file

LINES = st.lists(
    st.sampled_from(["x = 1", "", "class A:", "    y = 2", "    def f(self):", "        return 3", "# !!", "def g():"]),
    max_size=200,
)


@settings(deadline=None)
@given(LINES)
def test_texts_partition_the_lines(lines):
    """Each line with a word in it stands in the text of exactly one chunk."""
    source = "\n".join(f"{line}  # n{at}" for at, line in enumerate(lines))
    chunks = chunk_file(source.encode(), "a.py")
    for at in range(len(lines)):
        assert sum(f"# n{at}\n" in chunk.text + "\n" for chunk in chunks) == 1


@settings(deadline=None)
@given(LINES)
def test_spans_hold_their_text(lines):
    """Spans lie in the file, blocks are of bounded length, and own lines lie in the span."""
    chunks = chunk_file("\n".join(lines).encode(), "a.py")
    for chunk in chunks:
        assert 1 <= chunk.start_line <= chunk.end_line <= max(1, len(lines))
        span = lines[chunk.start_line - 1 : chunk.end_line]
        assert all(line in span for line in chunk.text.split("\n"))
        if not chunk.is_definition:
            assert len(span) <= BLOCK_LINES


def test_outer_text_leaves_out_inner_lines():
    """A class spans all of itself, but its text is without its methods."""
    chunks = chunk_file(b"class A:\n    x = 1\n    def f(self):\n        return x\n", "a.py")
    outer, inner = chunks
    assert (outer.symbol, outer.start_line, outer.end_line, outer.text) == ("A", 1, 4, "class A:\n    x = 1")
    assert (inner.symbol, inner.parents, inner.text) == ("f", ("A",), "    def f(self):\n        return x")


def test_definitions_on_one_line_all_carry_text():
    """A definition that owns no line of its own carries its source, so that it can be found."""
    chunks = chunk_file(b"class A { f() { return needle } }\n", "a.js")
    assert [(chunk.symbol, "needle" in chunk.text) for chunk in chunks] == [("A", True), ("f", True)]


def test_blocks_without_words_are_dropped():
    """Blank lines and punctuation make no chunk."""
    assert chunk_file(b"\n\n}\n---\n", "a.js") == []


def test_long_gaps_are_cut_into_blocks():
    """Lines between definitions are cut every 60 lines."""
    chunks = chunk_file("\n".join(f"x{n} = 1" for n in range(130)).encode(), "a.py")
    assert [(chunk.start_line, chunk.end_line) for chunk in chunks] == [(1, 60), (61, 120), (121, 130)]


def test_carriage_returns_are_no_part_of_the_text():
    """Windows line ends do not reach the text."""
    (chunk,) = chunk_file(b"a = 1\r\nb = 2\r\n", "a.py")
    assert chunk.text == "a = 1\nb = 2\n"


def test_other_encodings_and_languages_are_errors():
    """The caller decides what to skip: here it is an error."""
    with pytest.raises(UnicodeDecodeError):
        chunk_file(b"\xff\xfe", "a.py")
    with pytest.raises(KeyError):
        chunk_file(b"", "a.txt")
