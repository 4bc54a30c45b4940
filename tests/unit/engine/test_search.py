"""The laws of an answer: order, pages, tiers, filters."""

from itertools import pairwise

import pytest
import tantivy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lens_core.engine.catalogue import catalogue_of, compile_glob
from lens_core.engine.chunks import Chunk
from lens_core.engine.errors import BadRequest
from lens_core.engine.question import QueryBuilder, understand, weighty_terms
from lens_core.engine.search import Filters

QUERIES = st.one_of(
    st.sampled_from(
        ["user name", "getUserName", "item", "self", "r", "()", '"self."', '"e"', "the", "conf", "TOTAL", "a b c"]
    ),
    st.text(min_size=1, max_size=40).filter(lambda text: text.strip()),
    st.text(alphabet='abeIt_("$ \n', min_size=1, max_size=12).filter(lambda text: text.strip()),
)
LAWFUL = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def symbols(answer):
    """The symbols of the hits, in order."""
    return [hit.symbol for hit in answer.hits]


@LAWFUL
@given(query=QUERIES)
def test_scores_fall_strictly_and_hits_differ(code_index, query):
    """Scores fall strictly, no hit comes twice, and the total is no less than what is shown."""
    answer = code_index.search(query, limit=100)
    scores = [hit.score for hit in answer.hits]
    assert all(before > after > 0 for before, after in pairwise(scores))
    places = [(hit.path, hit.start_line, hit.end_line, hit.symbol) for hit in answer.hits]
    assert len(set(places)) == len(places)
    assert answer.total == len(answer.hits) or len(answer.hits) == 100


@LAWFUL
@given(query=QUERIES, size=st.integers(1, 7))
def test_pages_concatenate(code_index, query, size):
    """Pages of any size, put together, are the whole answer."""
    whole = code_index.search(query, limit=100).hits
    paged = []
    for offset in range(0, len(whole) + size, size):
        paged.extend(code_index.search(query, limit=size, offset=offset).hits)
    assert paged == whole


@LAWFUL
@given(text=st.text(min_size=1, max_size=12).filter(lambda text: text.strip()))
def test_quoted_answers_hold_the_text_whatever_it_is(code_index, text):
    """A quoted question is answered with exactly the chunks that hold it, case and blanks included."""
    answer = code_index.search(f'"{text}"', limit=100)
    expected = {
        (chunk.path, chunk.start_line, chunk.symbol) for chunk in code_index.catalogue.chunks if text in chunk.text
    }
    assert {(hit.path, hit.start_line, hit.symbol) for hit in answer.hits} == expected
    assert answer.total == len(expected)


@LAWFUL
@given(data=st.data(), number=st.integers(0, 30), length=st.integers(1, 9), quote=st.booleans())
def test_every_chunk_with_a_fragment_is_found(code_index, data, number, length, quote):
    """For any fragment of any chunk, every chunk that holds it is found, quoted or not."""
    chunks = code_index.catalogue.chunks
    text = chunks[number % len(chunks)].text
    start = data.draw(st.integers(0, max(0, len(text) - length)))
    fragment = text[start : start + length].strip()
    if not fragment or '"' in fragment:
        return
    if len(fragment) < 3 and any(character.isalnum() or character == "_" for character in fragment):
        quote = True  # one or two letters are looked up as words, not as substrings
    answer = code_index.search(f'"{fragment}"' if quote else fragment, limit=100)
    found = {(hit.path, hit.start_line, hit.symbol) for hit in answer.hits}
    assert {(chunk.path, chunk.start_line, chunk.symbol) for chunk in chunks if fragment in chunk.text} <= found


def test_a_name_gives_its_definitions_first(code_index):
    """A known name gives its definition, then chunks that hold it."""
    answer = code_index.search("Cart")
    assert symbols(answer)[0] == "Cart"
    assert ("web/client.ts", "block") in [(hit.path, hit.kind) for hit in answer.hits]


def test_a_name_in_another_case_is_found(code_index):
    """A name typed in lower case finds the definition."""
    assert symbols(code_index.search("httpclient"))[0] == "HttpClient"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("get user name", "getUserName"),
        ("fetch user name", "fetchUserName"),
        ("total price", "total_price"),
        ("parse header value", "parse_header_value"),
        ("Parses the value of a header.", "parse_header_value"),
        ("Returns the configuration directory", "read_conf_dir"),
        ("what does HttpClient do", "HttpClient"),
        ("handle click", "handleClick"),
    ],
)
def test_words_find_the_definition(code_index, query, expected):
    """Words find the definition whose name or related words they are."""
    assert symbols(code_index.search(query))[0] == expected


def test_the_very_case_comes_first(code_index):
    """Among fragments that differ in case, the one as typed is first."""
    first = code_index.search("AX_ITEM").hits[0]
    assert first.path == "shop/cart.py"


def test_stop_words_alone_still_ask_something(code_index):
    """A question of stop words only is not an empty one."""
    assert weighty_terms(["the", "if"]) == ("the", "if")
    assert code_index.search("if not").total > 0


@pytest.mark.parametrize(
    ("filters", "paths"),
    [
        (Filters(language="svelte"), {"web/Button.svelte"}),
        (Filters(glob="*.js"), {"web/legacy.js"}),
        (Filters(glob="web/*.ts"), {"web/client.ts"}),
        (Filters(glob="nowhere/**"), set()),
        (Filters(glob="web/**", language="javascript"), {"web/legacy.js"}),
    ],
)
@pytest.mark.parametrize("query", ["user label name", '"e"', '"use"', "(", "user"])
def test_filters_restrict(code_index, filters, paths, query):
    """Filters hold for every kind of question."""
    assert {hit.path for hit in code_index.search(query, limit=100, filters=filters).hits} <= paths


def test_filters_do_not_change_the_order(code_index):
    """Hits that a filter lets through keep their order among words-questions."""
    everything = [hit.path for hit in code_index.search("user name", limit=100).hits if hit.language == "typescript"]
    filtered = code_index.search("user name", limit=100, filters=Filters(language="typescript")).hits
    assert [hit.path for hit in filtered] == everything


def test_symbols_only(code_index):
    """With ``symbols`` no block is shown."""
    hits = code_index.search("import", limit=100, filters=Filters(symbols=True)).hits
    assert all(hit.kind != "block" for hit in hits)


@pytest.mark.parametrize(
    ("query", "arguments"),
    [
        ("", {}),
        (" \n", {}),
        ("x" * 513, {}),
        ("x", {"limit": 0}),
        ("x", {"limit": 101}),
        ("x", {"offset": -1}),
        ("x", {"offset": 10_001}),
        ("x", {"filters": Filters(language="cobol")}),
        ("x", {"filters": Filters(glob="")}),
        ("x", {"filters": Filters(glob="*" * 201)}),
    ],
)
def test_bounds(code_index, query, arguments):
    """What is out of bounds is refused with a message and a hint."""
    with pytest.raises(BadRequest, match="expected") as caught:
        code_index.search(query, **arguments)
    assert caught.value.hint


@pytest.mark.parametrize("query", ["\0", "\ud800", "a\0b", "é" * 512, "(" * 512, '"""', '""', "\u2028 x", "$" * 9, "İ"])
def test_odd_questions_are_answered(code_index, query):
    """Nothing that can be typed breaks a search."""
    assert code_index.search(query).total >= 0


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ('"a b"', "exact"),
        ('""', "fragment"),
        ("known", "name"),
        (" known ", "name"),
        ("unkno", "fragment"),
        ("a.known", "fragment"),
        ("two words", "words"),
        ("=>", "fragment"),
        ("+ -", "fragment"),
    ],
)
def test_questions_are_told_apart(raw, kind):
    """The class of a question follows from its text and the identifiers of the index."""
    assert understand(raw, {"known"}).kind == kind


def test_no_question_has_unbounded_terms():
    """The number of terms is bounded, and so is the time."""
    assert len(understand(" ".join(f"w{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(200))).terms) <= 24


def test_outline(code_index):
    """The outline of a file is its definitions in the order of their lines."""
    names = [chunk.symbol for chunk in code_index.outline("shop/cart.py")]
    assert names == ["Cart", "__init__", "total_price", "add_item", "parse_header_value", "fetchUserName"]
    assert code_index.outline("absent.py") is None


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("*.py", "a/b/c.py", True),
        ("a/*.py", "a/b/c.py", False),
        ("a/**/c.py", "a/b/c.py", True),
        ("a/**/c.py", "a/c.py", True),
        ("**", "a/b", True),
        ("a/**", "a/b/c", True),
        ("/a/b/", "a/b", True),
        ("**/**/b", "b", True),
        ("?.py", "a.py", True),
        ("[ab].py", "c.py", False),
        ("a", "a/b", False),
        ("a/b/c", "a/b", False),
    ],
)
def test_globs(glob, path, matches):
    """``*`` stays in a directory, ``**`` crosses them, a bare pattern is for the file name."""
    assert compile_glob(glob)(path) is matches


def test_other_cases_are_bounded():
    """A name with a hundred spellings asks for twenty of them."""
    spellings = {"".join(c.upper() if n >> i & 1 else c for i, c in enumerate("abcdefg")) for n in range(100)}
    chunks = [Chunk("a.py", "python", name, "function", 1, 1, (), name) for name in sorted(spellings)]
    assert len(catalogue_of(chunks).symbols_in_other_case("abcdefg")) == 20


def test_short_text_has_no_trigram():
    """Below three characters there is no substring query, and the builder says so."""
    builder = QueryBuilder(tantivy.SchemaBuilder().build())
    assert builder.substring("ab") is None
