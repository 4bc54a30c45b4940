"""What stands before what, each rule shown on a tree made for it."""

import pytest

from lens_core.engine.catalogue import catalogue_of, is_test, merit
from lens_core.engine.chunks import Chunk
from lens_core.engine.index import build_index
from lens_core.engine.search import FRAGMENT_WINDOW, WINDOW, open_index


@pytest.fixture
def index_of(make_tree, tmp_path):
    """Builds and opens an index of the given sources."""

    def build(sources):
        build_index(make_tree(tmp_path / "tree", sources), tmp_path / "index")
        return open_index(tmp_path / "index")

    return build


def first(opened, query):
    """Path and symbol of the best hit."""
    hit = opened.search(query).hits[0]
    return hit.path, hit.symbol


def test_a_quoted_question_minds_the_case(code_index):
    """In quotes, another case is another text."""
    assert code_index.search('"getUserName"').total == 1
    assert code_index.search('"getusername"').total == 0


def test_a_fragment_in_the_very_case_comes_first(index_of):
    """Of two chunks that hold a fragment, the one in the very case is first, whatever the order of files."""
    opened = index_of({"a.py": "x = ABCXYZQ\n", "b.py": "x = abcxyzq\n"})
    assert first(opened, "bcxyz") == ("b.py", "")
    assert first(opened, "BCXYZ") == ("a.py", "")


def test_a_name_in_words_beats_comments_that_spell_it(index_of):
    """A name with the words of the question stands before sixty comments that hold them literally."""
    comments = "".join(f"def f{n}():\n    # test case\n    pass\n" for n in range(60))
    assert first(index_of({"a.py": comments, "b.py": "def test_case():\n    pass\n"}), "test case") == (
        "b.py",
        "test_case",
    )


def test_a_piece_of_code_is_no_name(index_of):
    """Punctuation tells a piece of code from a name spelt in words."""
    inits = "".join(f"class C{n}:\n    def __init__(self):\n        pass\n" for n in range(60))
    opened = index_of({"a.py": inits, "b.py": "x = [1], init\n"})
    assert first(opened, "], init") == ("b.py", "")


def test_a_short_piece_of_code_in_the_very_case_comes_first(index_of):
    """A fragment with a blank in it is looked for as it stands, the very case first."""
    opened = index_of({"a.py": "x = conq(1)\n" * 3, "b.py": "x = Conq(1)\n"})
    assert first(opened, "= Con") == ("b.py", "")


def test_every_character_of_a_fragment_counts(index_of):
    """A text that agrees at both ends of a fragment only does not hold it."""
    opened = index_of({"a.py": "x = 'abc12345fgh'\n"})
    assert opened.search("abcdefghfgh").total == 0
    assert opened.search("abc12345fg").total == 1


def test_a_method_belongs_where_its_class_speaks_of_it(index_of):
    """Of two methods alike, the one in the class about the subject is first."""
    method = "    def load(self, source):\n        return self.take(source)\n"
    subject = "    def other(self):\n        return self.invoice + invoice_total(self.invoice)\n"
    plain = "    def other(self):\n        return self.thing + thing_sum(self.thing)\n"
    opened = index_of({"a.py": "class A:\n" + method + plain, "b.py": "class B:\n" + method + subject})
    hits = [(hit.path, hit.symbol) for hit in opened.search("Load the source of an invoice").hits]
    assert hits.index(("b.py", "load")) < hits.index(("a.py", "load"))


def test_the_very_words_of_a_name_come_first(index_of):
    """A name with exactly the words of the question beats one that repeats them."""
    opened = index_of(
        {
            "a.py": "def get_name_get_name():\n    return get_name_get_name(name, get)\n",
            "b.py": "class Long:\n    def getName(self):\n" + "        self.x = compute(1)\n" * 30,
        }
    )
    assert first(opened, "get name") == ("b.py", "getName")


def test_a_known_name_beats_its_mentions(index_of):
    """A definition stands before a chunk that speaks of nothing but its name."""
    mentions = "def target_target():\n    target(target)\n"
    definition = "def target():\n" + "    self.x = compute(1)\n" * 60
    assert first(index_of({"a.py": mentions, "b.py": definition}), "target") == ("b.py", "target")


def test_abbreviations_are_understood(index_of):
    """A spoken word finds the abbreviation that code writes for it."""
    opened = index_of({"a.py": "def fn():\n    return env\n", "b.py": "def other():\n    return vat\n"})
    assert first(opened, "the environment it uses") == ("a.py", "fn")


def test_pages_past_the_window_go_on(index_of):
    """Beyond the window that is ranked again the answer goes on without a gap or a repetition."""
    count = max(WINDOW, FRAGMENT_WINDOW) + 120
    opened = index_of({"a.py": "".join(f"def load_{n}():\n    return some_thing\n" for n in range(count))})
    for query in ("load some thing", "ome_thi", "some_thing"):
        seen = [
            hit.start_line for at in range(0, count, 100) for hit in opened.search(query, limit=100, offset=at).hits
        ]
        assert len(seen) == len(set(seen)) == count


def test_a_spelling_is_named_once():
    """A symbol defined twice is one spelling."""
    chunks = [Chunk("a.py", "python", "Abc", "function", n, n, (), "Abc") for n in (1, 2)]
    assert catalogue_of(chunks).symbols_in_other_case("abc") == ["Abc"]


def test_a_longer_or_shorter_word_of_a_name_is_understood(index_of):
    """What this index's names make of a word is found, though no table knows it."""
    opened = index_of({"a.py": "def other():\n    return vat\n", "b.py": "def accum():\n    return total\n"})
    assert first(opened, "the accumulator of it") == ("b.py", "accum")


def test_kin_count_once(index_of):
    """Many words with one beginning are no more than the best of them: the word itself beats their sum."""
    kin = "def accumx_accumy_accumz_accumv_accumw():\n    return 1\n"
    opened = index_of({"a.py": kin, "b.py": "def accum():\n    return 1\n"})
    assert first(opened, "the accum of it") == ("b.py", "accum")


def test_two_words_are_understood_as_one(index_of):
    """Words that a name spells as one are found apart."""
    opened = index_of({"a.py": "def other():\n    return vat\n", "b.py": "def shapefile():\n    return box\n"})
    assert first(opened, "one shape file of it") == ("b.py", "shapefile")


def test_tests_stand_behind_what_they_test(index_of):
    """A test of a function stands behind it, by path or by name, unless tests are asked for."""
    body = "    invoice = load(source)\n    return invoice.total\n"
    sources = {
        "a/tests/checks.py": "def invoice_total(source):\n" + body,
        "b.py": "def test_invoice_total(source):\n" + body,
        "c.py": "def total_of(source):\n" + body,
    }
    opened = index_of(sources)
    assert first(opened, "the total of an invoice") == ("c.py", "total_of")
    assert first(opened, "the test of an invoice total") == ("b.py", "test_invoice_total")


@pytest.mark.parametrize(
    ("path", "symbol", "expected"),
    [
        ("a/tests/b.py", "run", True),
        ("a/__tests__/b.ts", "run", True),
        ("a/b.spec.ts", "run", True),
        ("a/conftest.py", "run", True),
        ("a/b.py", "test_run", True),
        ("a/b.ts", "testRun", True),
        ("a/b.py", "testing_is_on", False),
        ("a/latest.py", "run", False),
        ("contest/b.py", "attest", False),
    ],
)
def test_what_a_test_is(path, symbol, expected):
    """A path or a name tells a test; words that merely hold the letters do not."""
    assert is_test(Chunk(path, "python", symbol, "function", 1, 1, (), "x")) is expected


def test_merits_fall_from_public_functions_to_blocks():
    """Public functions before private ones, those before special methods, then other definitions, then blocks."""
    names = [("run", "method"), ("_run", "method"), ("__eq__", "method"), ("Run", "class"), ("", "block")]
    merits = [merit(Chunk("a.py", "python", symbol, kind, 1, 1, (), "x")) for symbol, kind in names]
    assert merits == sorted(merits, reverse=True)
    assert len(set(merits)) == len(merits)
    constructor = Chunk("a.py", "python", "__init__", "method", 1, 1, (), "x")
    assert merit(constructor) == merits[0]
