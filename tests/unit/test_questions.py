"""Which questions are derived from a corpus, and that their answers are right."""

from dataclasses import replace

import pytest

from lens_core.model import QUERY_CLASSES
from lens_core.questions import (
    QuestionSet,
    SourceFile,
    derive_questions,
    first_sentence,
    held_out,
    is_test,
    split_name,
)
from lens_core.truth import read_python, strip


def source(path: str, text: str) -> SourceFile:
    """A file as the store reads it."""
    truth = read_python(path, text)
    return SourceFile(path, text, strip(text, truth.documentation_spans), truth.documented)


STORE = source(
    "store.py",
    '''"""Keeps things."""
LIMIT_BYTES = 10


class KeyStore:
    """Holds the keys of all tenants."""

    def load_key(self, name):
        """Read one key from the disk. Raises if it is gone.

        More words.
        """
        return decode_base64(name, LIMIT_BYTES)

    def __len__(self):
        """Count all the keys here.

        Always.
        """
        return 1

    def tiny(self):
        """Say something very short."""
''',
)
OTHER = source(
    "other.py",
    '''def load_key(name):
    """
    Read one key from the `disk`.
    """
    return decode_base64(name)


def announced():
    """This very sentence is leaked.

    Indeed.
    """
    # This very sentence is leaked, as a comment.


def proudly_unique():
    """Only this function says so in its first sentence.

    Indeed.
    """
    return plainword
''',
)
TESTS = source(
    "tests/test_store.py",
    '''def test_load_key():
    """Loading a key gives that key.

    Always.
    """
    assert decode_base64
''',
)
FILES = [STORE, OTHER, TESTS]


def asked(questions: QuestionSet, query_class: str) -> dict[str, tuple[str, ...]]:
    """The texts and answers of one class."""
    return {item.text: item.relevant for item in questions.questions if item.query_class == query_class}


@pytest.fixture(scope="module")
def everything() -> QuestionSet:
    """All questions that can be asked about the files."""
    return derive_questions(FILES, seed=1, per_class=1000)


def test_nl_asks_for_all_functions_of_the_sentence(everything: QuestionSet) -> None:
    """A first sentence has all functions that it documents as its answer."""
    assert asked(everything, "nl")["Read one key from the disk"] == (
        "other.py:1-5:load_key",
        "store.py:8-13:load_key",
    )


def test_nl_leaves_out_what_cannot_be_asked_fairly(everything: QuestionSet) -> None:
    """Tests, dunders, tiny functions, classes and sentences that the index still holds are not asked for."""
    assert set(asked(everything, "nl")) == {
        "Read one key from the disk",
        "Only this function says so in its first sentence",
    }


def test_nl_leaves_out_boilerplate() -> None:
    """A sentence that documents more than ten functions asks for none of them."""
    one = 'def f{}():\n    """Do the usual thing here.\n\n    x\n    """\n\n\n'
    ten, eleven = (source("a.py", "".join(one.format(n) for n in range(count))) for count in (10, 11))
    assert len(asked(derive_questions([ten], 1), "nl")["Do the usual thing here"]) == 10
    assert asked(derive_questions([eleven], 1), "nl") == {}


def test_sym_asks_for_all_definitions_of_the_name(everything: QuestionSet) -> None:
    """A name has all its definitions as its answer, whatever their kind and file."""
    found = asked(everything, "sym")
    assert found["load_key"] == ("other.py:1-5:load_key", "store.py:8-13:load_key")
    assert found["KeyStore"] == ("store.py:5-23:KeyStore",)


def test_symwords_asks_with_the_words_of_a_name(everything: QuestionSet) -> None:
    """A name of several words is asked for by its words; names of one word and dunders are not."""
    found = asked(everything, "symwords")
    assert found["key store"] == ("store.py:5-23:KeyStore",)
    assert set(found) == {"key store", "load key", "proudly unique", "test load key"}


def test_ident_answer_is_every_unit_that_holds_it(everything: QuestionSet) -> None:
    """An identifier's answer is each unit whose own lines hold it as a whole token, in that case."""
    found = asked(everything, "ident")
    assert found["LIMIT_BYTES"] == ("store.py:1-4:", "store.py:8-13:load_key")
    assert found["decode_base64"] == (
        "other.py:1-5:load_key",
        "store.py:8-13:load_key",
        "tests/test_store.py:1-6:test_load_key",
    )
    assert "plainword" not in found
    assert "Keeps" not in found


def test_substr_answer_is_every_unit_that_holds_it() -> None:
    """A substring's answer is each unit whose own lines hold it in any case; it is never a whole token."""
    for seed in range(20):
        questions = derive_questions(FILES, seed, 1000)
        texts = {unit.unit_id: own_text(unit.unit_id) for unit in questions.units}
        tokens = {token.lower() for text in texts.values() for token in text.replace("(", " ").split()}
        for cut, relevant in asked(questions, "substr").items():
            assert 5 <= len(cut) <= 7
            assert cut.lower() not in tokens
            assert set(relevant) == {unit for unit, text in texts.items() if cut.lower() in text.lower()}


def own_text(unit_id: str) -> str:
    """What a unit holds, read off the files by hand."""
    path, span, _ = unit_id.split(":")
    start, end = map(int, span.split("-"))
    lines = next(file for file in FILES if file.path == path).stripped.split("\n")
    if unit_id.endswith(":KeyStore"):  # the only unit here with others inside
        return "\n".join(lines[4:7] + lines[13:14] + lines[20:21])
    return "\n".join(lines[start - 1 : end])


def test_substr_is_never_a_whole_token() -> None:
    """A piece of an identifier that is itself a token of the corpus, in any case, is not asked for."""
    name = "openDoor_x"
    cuts = {name[start : start + size].upper() for size in (5, 6, 7) for start in range(1, len(name) - size + 1)}
    alone = derive_questions([source("a.py", f"{name} = 1\n")], 1)
    assert {cut.upper() for cut in asked(alone, "substr")} <= cuts
    assert asked(alone, "substr")
    tokens = " + ".join(sorted(cut for cut in cuts if cut.isidentifier()))
    for seed in range(20):
        questions = derive_questions([source("a.py", f"{name} = 1\n# {tokens}\n")], seed)
        assert not {cut.upper() for cut in asked(questions, "substr")} & cuts


def test_answers_longer_than_the_limit_are_not_asked_for() -> None:
    """An identifier in more than 30 units is dropped, for its answer would not fit a result page."""
    files = [source(f"f{n}.py", f"def f{n}():\n    use_me\n") for n in range(31)]
    assert "use_me" in asked(derive_questions(files[:30], 1, 1000), "ident")
    assert "use_me" not in asked(derive_questions(files, 1, 1000), "ident")


def test_questions_are_the_same_for_the_same_seed() -> None:
    """The same seed gives the same questions in the same order, however the files are ordered."""
    first = derive_questions(FILES, 5, 2)
    assert derive_questions(FILES[::-1], 5, 2) == first
    assert derive_questions(FILES[::-1], 5, 2).digest == first.digest


def test_questions_differ_between_seeds() -> None:
    """Another seed takes other questions, and the digest says so."""
    sets = [derive_questions(FILES, seed, 2) for seed in range(8)]
    assert len({questions.digest for questions in sets}) > 1
    assert len({tuple(asked(questions, "sym")) for questions in sets}) > 1


def test_question_keeps_its_id_between_seeds() -> None:
    """A question's id depends on what it asks alone, so that it can be followed over nights."""
    ids = [{item.text: item.question_id for item in derive_questions(FILES, seed, 1000).questions} for seed in (1, 2)]
    assert all(ids[0][text] == ids[1][text] for text in ids[0].keys() & ids[1].keys())


def test_every_class_is_limited_and_every_answer_exists(everything: QuestionSet) -> None:
    """Ids are unique, classes stand in order and within their limit, and answers are units of the corpus."""
    limited = derive_questions(FILES, 1, 2)
    assert all(len(asked(limited, name)) == 2 for name in QUERY_CLASSES)
    order = [QUERY_CLASSES.index(item.query_class) for item in everything.questions]
    assert order == sorted(order)
    assert len({item.question_id for item in everything.questions}) == len(everything.questions)
    known = {unit.unit_id for unit in everything.units}
    assert all(item.relevant and set(item.relevant) <= known for item in everything.questions)


def test_no_files_give_no_questions() -> None:
    """Nothing to ask about is an empty set, not an error."""
    assert derive_questions([], 1) == QuestionSet((), ())


def test_held_out_sentences_cannot_be_in_a_stripped_index() -> None:
    """A leak probe stood on one line of one function's documentation, and stands nowhere after stripping."""
    probes = held_out(FILES, 1, 10)
    assert {(probe.path, probe.sentence) for probe in probes} == {
        ("other.py", "Only this function says so in its first sentence"),
        ("tests/test_store.py", "Loading a key gives that key"),
    }


def test_held_out_is_limited() -> None:
    """No more leak probes are given than asked for."""
    more = replace(OTHER, path="more.py")
    assert held_out([OTHER, more], 1, 10) == ()  # two functions share each sentence
    assert len(held_out(FILES, 1, 0)) == 0


@pytest.mark.parametrize(
    ("documentation", "sentence"),
    [
        ("Reads a key. Then more.", "Reads a key"),
        ("Reads a key\nfrom disk.\n\nMore.", "Reads a key from disk"),
        ("Reads, e.g. A or i.e. B, at v1.2 speed. Next", "Reads, e.g. A or i.e. B, at v1.2 speed"),
        ("See {@link Foo.bar | the bar} and {@link Baz}.", "See the bar and Baz"),
        ("Takes `x` and ``y`` or **z**.", "Takes x and y or z"),
        ("Uses :meth:`~a.b` or :ref:`that one <label>`.", "Uses b or that one"),
        ("Like [the docs](https://example.org/x) say.", "Like the docs say"),
        ("A <code>tag</code> of type Promise<void>.", "A tag of type Promise<void>"),
        ("Is it so? Yes.", "Is it so"),
        ("Adds a thing\nParameters:\n    thing: the thing", "Adds a thing"),
        ("Adds a thing\nParameters\n----------\nthing", "Adds a thing"),
        ("Adds these:\n- one\n- two", "Adds these"),
        ("Parameters:\n    thing: the thing", ""),
        (">>> doctest()", ""),
        ("- a list", ""),
        ("", ""),
    ],
)
def test_first_sentence_is_prose(documentation: str, sentence: str) -> None:
    """The first sentence comes without markup and sections, and is empty where there is no prose."""
    assert first_sentence(documentation) == sentence


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("parseHTTPHeader_v2", ("parse", "http", "header", "v", "2")),
        ("IServerVersions", ("i", "server", "versions")),
        ("__init__", ("init",)),
        ("MAX_BYTES", ("max", "bytes")),
        ("Fp64LowPart", ("fp", "64", "low", "part")),
        ("setLngLat", ("set", "lng", "lat")),
    ],
)
def test_names_split_into_words(name: str, words: tuple[str, ...]) -> None:
    """Names split at case changes, digits and underscores."""
    assert split_name(name) == words


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tests/a.py", True),
        ("src/__tests__/a.ts", True),
        ("src/a.test.ts", True),
        ("src/a.spec.tsx", True),
        ("pkg/test_a.py", True),
        ("pkg/a_test.py", True),
        ("conftest.py", True),
        ("pkg/testing.py", False),
        ("pkg/latest.py", False),
        ("src/contest/a.ts", False),
    ],
)
def test_tests_are_known_by_their_names(path: str, *, expected: bool) -> None:
    """A file is a test if its own or a folder's name says so."""
    assert is_test(path) is expected
