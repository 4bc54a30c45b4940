"""What parsers see in a file, what stripping takes out of it, and how units divide it."""

import ast
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_core.errors import IntegrityError
from lens_core.model import Definition
from lens_core.truth import BLOCK_LINES, FileTruth, own_lines, parse_oracle, read_python, read_script, strip

PYTHON = '''"""Module words."""
import os


@decorator
class Shape:
    r"""A shape
    of some kind. \\d
    """

    side: int = 1

    def area(self):
        "One" "line."
        def inner():
            return 'kept text'
        return inner

    async def move(self): "Docs é"; return "ü"


def empty():
    """Only words."""
'''


def python_definitions(text: str) -> list[tuple[str, str, int, int]]:
    """Name, kind and lines of each definition."""
    found = [item.definition for item in read_python("a.py", text).documented]
    return [(item.name, item.kind, item.start_line, item.end_line) for item in found]


def stripped_python(text: str) -> str:
    """The text without its docstrings."""
    return strip(text, read_python("a.py", text).documentation_spans)


def without_docstrings(text: str) -> str:
    """The syntax tree, all docstrings made equal."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                first.value.value = ""
                first.value.kind = None
    return ast.dump(tree)


def test_python_definitions_are_those_of_ast() -> None:
    """Classes, methods and functions count, nested ones too, from their def line to their last line."""
    assert python_definitions(PYTHON) == [
        ("Shape", "class", 6, 19),
        ("area", "method", 13, 17),
        ("inner", "function", 15, 16),
        ("move", "method", 19, 19),
        ("empty", "function", 22, 23),
    ]


def test_python_documentation_is_that_of_ast() -> None:
    """A definition carries its docstring without indentation; one that has none carries nothing."""
    says = {item.definition.name: item.documentation for item in read_python("a.py", PYTHON).documented}
    assert says == {
        "Shape": "A shape\nof some kind. \\d",
        "area": "Oneline.",
        "inner": "",
        "move": "Docs é",
        "empty": "Only words.",
    }


def test_definitions_inside_statements_count() -> None:
    """Definitions inside if, try, with, for and match are found like any other."""
    text = "if x:\n  def a(): pass\ntry:\n  def b(): pass\nexcept E:\n  def c(): pass\nfor i in y:\n  def d(): pass\n"
    text += "match z:\n  case 1:\n    def e(): pass\n"
    assert [name for name, *_ in python_definitions(text)] == ["a", "b", "c", "d", "e"]


def test_stripping_python_takes_the_words_and_nothing_else() -> None:
    """Module, class and function docstrings are blank afterwards; other strings and the quotes stay."""
    stripped = stripped_python(PYTHON)
    for words in ("Module", "A shape", "of some kind", "One", "line.", "Docs", "Only"):
        assert words not in stripped
    for kept in ("'kept text'", '"ü"', '"   " "     "', 'r"""       \n', "@decorator"):
        assert kept in stripped


@pytest.mark.parametrize(
    "text",
    [
        PYTHON,
        "\ufeff" + PYTHON,
        PYTHON.replace("\n", "\r\n"),
        'def f():\n    ("a"\n     "b")\n',
        "def f():\n    'one \\\n    two'\n",
        "def f():\n    'one \\\r\n    two'\r\n",
        'def f():\n    """a \\\n b \\""" c"""\n    return 1\n',
        "def f(): 'é€😀'; g = 'é€😀'\n",
        "def f(é='€'): 'words'; return 'kept'\n",
        "class C:\n    u'words'\n    x = 1\n",
        "def f():\n    ''\n",
        "x = 1\n",
        "",
    ],
)
def test_stripping_python_keeps_lines_and_syntax(text: str) -> None:
    """Stripped text has the same length, line ends and syntax tree but for the docstrings' words."""
    stripped = stripped_python(text)
    assert len(stripped) == len(text)
    assert [match.start() for match in re.finditer("[\r\n]", stripped)] == [
        match.start() for match in re.finditer("[\r\n]", text)
    ]
    assert without_docstrings(stripped.removeprefix("\ufeff")) == without_docstrings(text.removeprefix("\ufeff"))
    words = [item.documentation for item in read_python("a.py", stripped).documented]
    assert not any(word.strip("\\\n ") for word in words)


def test_byte_order_mark_changes_nothing() -> None:
    """A file that begins with a byte order mark has the same definitions, and keeps its mark."""
    assert python_definitions("\ufeff" + PYTHON) == python_definitions(PYTHON)
    assert stripped_python("\ufeff" + PYTHON) == "\ufeff" + stripped_python(PYTHON)


def test_python_that_does_not_parse_has_no_definitions() -> None:
    """A file in another dialect is left as it is; its lines are still units."""
    assert read_python("a.py", "print 'x'\n") == FileTruth((), ())


_NAMES = st.sampled_from(["alpha", "beta", "gamma"])
_DOCS = st.sampled_from(['"""Some words."""', "'Other words.'", '"""Many\n\n    words é\n    """', ""])


@st.composite
def python_files(draw: st.DrawFn) -> str:
    """A Python file of random functions, classes, gaps and docstrings."""
    pieces = [draw(_DOCS), "\n"]
    for _ in range(draw(st.integers(0, 6))):
        doc = draw(_DOCS)
        name = draw(_NAMES)
        pieces.append(
            draw(
                st.sampled_from(
                    [
                        f"def {name}():\n    {doc or 'pass'}\n",
                        f"class {name}:\n    {doc or 'x = 1'}\n\n    def {name}(self):\n        {doc or 'pass'}\n",
                        f"x = 1; y = '{name}'\n" * draw(st.integers(1, 130)),
                        "\n" * draw(st.integers(1, 70)),
                        "# ---\n",
                    ]
                )
            )
        )
    return "".join(pieces)


@given(python_files())
def test_units_divide_the_lines_that_say_something(text: str) -> None:
    """Each line with a word character is owned by exactly one unit, which is the innermost around it."""
    stripped = stripped_python(text)
    definitions = [item.definition for item in read_python("a.py", text).documented]
    units = own_lines("a.py", stripped, definitions)
    owned = [number for _, numbers in units for number in numbers]
    saying = {number for number, line in enumerate(stripped.split("\n"), start=1) if re.search(r"\w", line)}
    assert len(owned) == len(set(owned))
    assert saying <= set(owned)
    assert len({unit.unit_id for unit, _ in units}) == len(units)
    for unit, numbers in units:
        for number in numbers:
            assert unit.start_line <= number <= unit.end_line
            around = [d for d in definitions if d.start_line <= number <= d.end_line]
            narrowest = min(around, key=lambda d: (d.end_line - d.start_line, -d.start_line), default=None)
            assert unit.name == (narrowest.name if narrowest else "")


@given(python_files())
def test_stripping_any_file_keeps_lines_and_syntax(text: str) -> None:
    """Whatever the docstrings, stripping keeps every line number and the tree without docstrings."""
    stripped = stripped_python(text)
    assert stripped.count("\n") == text.count("\n")
    assert without_docstrings(stripped) == without_docstrings(text)
    assert stripped_python(stripped) == stripped


def test_blocks_are_cut_after_sixty_lines() -> None:
    """Lines outside definitions form blocks of at most 60 lines; one without a word is dropped."""
    text = "x\n" * 130 + "def f():\n  pass\n" + "\n# ---\n\n"
    units = own_lines("a.py", text, [Definition("a.py", 131, 132, "f", "function")])
    assert [(unit.start_line, unit.end_line, unit.name) for unit, _ in units] == [
        (1, BLOCK_LINES, ""),
        (61, 120, ""),
        (121, 130, ""),
        (131, 132, "f"),
    ]


def test_definitions_on_one_line_are_units_of_their_own() -> None:
    """Of two definitions on one line both are units; the line is owned by one of them only."""
    definitions = [Definition("a.ts", 1, 1, "f", "method"), Definition("a.ts", 1, 1, "g", "method")]
    units = own_lines("a.ts", "f(); g();\n", definitions)
    assert [(unit.unit_id, len(numbers)) for unit, numbers in units] == [("a.ts:1-1:f", 0), ("a.ts:1-1:g", 1)]


def test_same_place_and_name_is_one_unit() -> None:
    """A getter and a setter of one name on one line are one place to find."""
    definitions = [Definition("a.ts", 1, 1, "x", "getter"), Definition("a.ts", 1, 1, "x", "setter")]
    assert [unit.unit_id for unit, _ in own_lines("a.ts", "get x() {} set x(v) {}", definitions)] == ["a.ts:1-1:x"]


SCRIPT = "/** 😀 Adds two\n *  numbers.\n * @param a one\n */\nfunction add(a) { return '/** not */'; }\n"


def oracle(**changes: object) -> str:
    """Committed definitions of SCRIPT, right but for `changes`."""
    comment = SCRIPT.index("*/\nfunction") + 2
    file = {"comments": [0, comment], "definitions": [["add", "function", 5, 5, 0], ["none", "type", 5, 5, -1]]}
    return json.dumps({"rules": 1, "archives": {"a.tgz": "00"}, "files": {"a.ts": file}} | changes)


def test_script_offsets_count_code_points() -> None:
    """Offsets count code points, so that characters outside the basic plane shift nothing."""
    truth = read_script(SCRIPT, parse_oracle(oracle()).files["a.ts"])
    stripped = strip(SCRIPT, truth.documentation_spans)
    assert stripped.split("\n")[4] == SCRIPT.split("\n")[4]
    assert stripped.split("\n")[:4] == [re.sub(".", " ", line) for line in SCRIPT.split("\n")[:4]]


def test_jsdoc_says_what_stands_before_its_tags() -> None:
    """A JSDoc's words are its lines without margin, up to its first tag."""
    documented = read_script(SCRIPT, parse_oracle(oracle()).files["a.ts"]).documented
    assert [(item.definition.name, item.documentation) for item in documented] == [
        ("add", "😀 Adds two\n numbers."),
        ("none", ""),
    ]


@pytest.mark.parametrize("text", [" " + SCRIPT, SCRIPT.replace("one", ""), SCRIPT.replace("/**", "/* ", 1), ""])
def test_offsets_of_another_text_are_refused(text: str) -> None:
    """Committed offsets that do not fall on comments are of another text, and are never applied."""
    with pytest.raises(IntegrityError, match="expected a comment"):
        read_script(text, parse_oracle(oracle()).files["a.ts"])


@pytest.mark.parametrize("text", ["", "[]", "{}", oracle(files={"a.ts": {}}), oracle(files=[1]), oracle(rules="x")])
def test_what_are_no_definitions_is_refused(text: str) -> None:
    """Committed data of another form is an integrity error that says where to get it back."""
    with pytest.raises(IntegrityError) as caught:
        parse_oracle(text)
    assert "version control" in caught.value.hint
