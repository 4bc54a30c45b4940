"""The slice catalogue: what it holds, what it selects, and what it refuses."""

from pathlib import Path

import pytest

from lens_core.catalogue import belongs, parse_catalogue
from lens_core.errors import InvalidInput

CATALOGUE = parse_catalogue((Path(__file__).parents[2] / "data" / "slices.toml").read_text(encoding="utf-8"))
NAMES = [
    "backend/typescript/small",
    "backend/typescript/medium",
    "backend/typescript/large",
    "backend/python/small",
    "backend/python/medium",
    "backend/python/large",
    "frontend/typescript/small",
    "frontend/typescript/medium",
    "frontend/typescript/large",
    "frontend/javascript/medium",
    "monorepo/typescript/large",
    "monorepo/mixed/large",
]
ENTRY = """
format = 1
[[corpus]]
slice = "backend/python/small"
name = "one"
version = "1.0"
licence = "MIT"
include = ["src"]
exclude = ["static"]
[[corpus.archive]]
ecosystem = "npm"
name = "@scope/one"
version = "1.0"
filename = "one-1.0.tgz"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
"""


def test_catalogue_lists_the_twelve_slices() -> None:
    """The committed catalogue has exactly the twelve slices of the specification, in its order."""
    assert [str(corpus.slice) for corpus in CATALOGUE.corpora] == NAMES


def test_catalogue_names_no_place_to_download_from() -> None:
    """Nothing in the committed catalogue is an address: registries are asked for at run time."""
    text = (Path(__file__).parents[2] / "data" / "slices.toml").read_text(encoding="utf-8")
    assert not [word for word in ("://", "registry.", "pythonhosted") if word in text]


def test_no_words_select_everything() -> None:
    """Without restriction, all corpora are selected in catalogue order."""
    assert CATALOGUE.select() == CATALOGUE.corpora


def test_selected_corpora_match_in_every_dimension() -> None:
    """A selection restricts each dimension that has words, and keeps the catalogue's order."""
    chosen = CATALOGUE.select(["frontend", "backend"], ["typescript"], ["large", "small"])
    assert [str(corpus.slice) for corpus in chosen] == [NAMES[0], NAMES[2], NAMES[6], NAMES[8]]


@pytest.mark.parametrize(
    ("words", "combination"),
    [
        ((["frontend"], ["python"], []), "frontend/python/*"),
        ((["backend", "monorepo"], [], ["small"]), "monorepo/*/small"),
        ((["backend"], ["python", "mixed"], ["large"]), "backend/mixed/large"),
        (([], ["javascript"], ["large"]), "*/javascript/large"),
    ],
)
def test_combination_without_corpus_is_refused(words: tuple[list[str], list[str], list[str]], combination: str) -> None:
    """A combination that no corpus stands for is an error that names it and lists what exists."""
    with pytest.raises(InvalidInput) as caught:
        CATALOGUE.select(*words)
    assert combination in caught.value.message
    assert all(name in caught.value.hint for name in NAMES)


@pytest.mark.parametrize(
    ("words", "known"),
    [((["web"], [], []), "backend, frontend"), (([], ["rust"], []), "mixed"), (([], [], ["huge"]), "medium")],
)
def test_unknown_word_is_refused(words: tuple[list[str], list[str], list[str]], known: str) -> None:
    """A word outside the vocabulary is an error that lists the vocabulary."""
    with pytest.raises(InvalidInput) as caught:
        CATALOGUE.select(*words)
    assert known in caught.value.hint


def test_entry_is_read_completely() -> None:
    """All fields of an entry arrive in the corpus."""
    (corpus,) = parse_catalogue(ENTRY).corpora
    assert (corpus.name, corpus.version, corpus.licence, corpus.note) == ("one", "1.0", "MIT", "")
    assert (corpus.include, corpus.exclude) == (("src",), ("static",))
    assert corpus.archives[0].filename == "one-1.0.tgz"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("format = 1", "format = 2", "format = 1"),
        ("format = 1", "format = ", "not TOML"),
        ("backend/python/small", "backend/python", "type/language/size"),
        ("backend/python/small", "backend/cobol/small", "cobol"),
        ('licence = "MIT"', "licence = 3", "licence"),
        ('licence = "MIT"', 'license = "MIT"', "unknown key 'license'"),
        ('include = ["src"]', 'include = ["../src"]', "include"),
        ('include = ["src"]', "include = []", "at least one folder"),
        ('include = ["src"]', 'include = "src"', "list of folders"),
        ('ecosystem = "npm"', 'ecosystem = "cpan"', "cpan"),
        ("one-1.0.tgz", "../one-1.0.tgz", "filename"),
        ("one-1.0.tgz", "one-1.0.rar", "filename"),
        ("0000000000", "xyz", "sha256"),
        ("[[corpus.archive]]", "[corpus.other]", "unknown key"),
    ],
)
def test_wrong_entry_is_refused(old: str, new: str, says: str) -> None:
    """A wrong catalogue is an error that says what is wrong, never a catalogue with less in it."""
    with pytest.raises(InvalidInput, match=r"corpus|catalogue") as caught:
        parse_catalogue(ENTRY.replace(old, new, 1))
    assert says in caught.value.message


def test_catalogue_without_corpora_is_refused() -> None:
    """A catalogue of nothing is an error."""
    with pytest.raises(InvalidInput, match="at least one"):
        parse_catalogue("format = 1")


def test_slice_stands_once() -> None:
    """Two corpora cannot stand for one slice."""
    with pytest.raises(InvalidInput, match="more than once"):
        parse_catalogue(ENTRY + ENTRY.replace("format = 1", "").replace("one-1.0", "two-1.0"))


def test_digest_follows_what_decides_the_files() -> None:
    """The digest changes with a pin, and does not change with a note or a comment."""
    digest = parse_catalogue(ENTRY).digest
    noted = "# a comment" + ENTRY.replace('licence = "MIT"', 'licence = "MIT"\nnote = "x"')
    assert parse_catalogue(noted).digest == digest
    for old, new in (("0000", "1111"), ('["src"]', '["lib"]'), ('["static"]', "[]"), ("small", "medium")):
        assert parse_catalogue(ENTRY.replace(old, new, 1)).digest != digest


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("src/a.py", True),
        ("src/deep/a.py", True),
        ("src/a.ts", False),
        ("lib/a.py", False),
        ("srcs/a.py", False),
        ("src/static/a.py", False),
        ("src/static.py", True),
    ],
)
def test_file_belongs_by_folder_and_language(path: str, *, expected: bool) -> None:
    """A file belongs to a corpus if its folder is included, not excluded, and its suffix is the language's."""
    assert belongs(parse_catalogue(ENTRY).corpora[0], path) is expected


def test_type_declarations_belong_to_no_corpus() -> None:
    """A .d.ts file declares and does not define, so it is left out."""
    corpus = CATALOGUE.corpora[0]
    assert belongs(corpus, "src/a.ts")
    assert not belongs(corpus, "src/a.d.ts")
