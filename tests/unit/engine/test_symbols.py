"""Definitions: name, kind and exact span, as independent parsers see them."""

import ast
from pathlib import Path

import pytest

from lens_core.engine import analyzer, search, symbols
from lens_core.engine.symbols import definitions

PYTHON = """@decorate
@twice(1)
class A(Base):
    x = 1

    @property
    def size(self):
        def inner():
            return 1
        return inner()
        # a comment after the last statement

    async def run(self):
        pass


if True:
    def late(a,
             b):
        return a
# the end
"""

TYPESCRIPT = """@dec
export abstract class A<T> extends B {
  x = () => { return 1 };
  #p = function () {};
  constructor(a: number);
  constructor(a: any) { super() }
  get foo(): string { return "" }
  set foo(v) {}
  abstract bar(): void;
  @dec
  m(a): void {}
  [Symbol.iterator]() {}
}
export interface I {
  foo(): void;
  p: () => void;
}
declare function ov(a: string): void;
export function ov(a: any) {
  function inner() {}
  const closure = () => {};
  class Local { deep() {} }
}
/** comment */
export const f = async () => {
  return 1;
};
const g = () => 1,
  h = function () {};
namespace N.M { export type T = string }
declare module "foo" { }
export default function () {}
export enum E { A }
const C = class {};
A.prototype.z = () => {};
const o = { a() {}, b: () => {}, 'c-d': function () {} };
get(get);
class G { get() {} set() {} static get() {} }
"""


def spans(source, path):
    """Name, kind and lines of the definitions of a source text."""
    return [(item.name, item.kind, item.start_line, item.end_line) for item in definitions(source.encode(), path)]


def test_python_definitions():
    """Python definitions start at their keyword and end with their last statement, not a comment."""
    assert spans(PYTHON, "a.py") == [
        ("A", "class", 3, 14),
        ("size", "method", 7, 10),
        ("inner", "function", 8, 9),
        ("run", "method", 13, 14),
        ("late", "function", 18, 20),
    ]


@pytest.mark.parametrize("module", [ast, symbols, search, analyzer, pytest])
def test_python_agrees_with_ast(module):
    """On real modules, every definition that ``ast`` sees is seen, to the line, and no other."""
    source = Path(module.__file__).read_bytes()
    expected = {
        (node.name, node.lineno, node.end_lineno)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    assert {(item.name, item.start_line, item.end_line) for item in definitions(source, "m.py")} == expected


@pytest.mark.parametrize(
    "expected",
    [
        ("A", "class", 1, 13),
        ("x", "method", 3, 3),
        ("#p", "method", 4, 4),
        ("constructor", "constructor", 5, 5),
        ("constructor", "constructor", 6, 6),
        ("foo", "getter", 7, 7),
        ("foo", "setter", 8, 8),
        ("bar", "method", 9, 9),
        ("m", "method", 10, 11),
        ("[Symbol.iterator]", "method", 12, 12),
        ("I", "interface", 14, 17),
        ("foo", "method", 15, 15),
        ("ov", "function", 18, 18),
        ("ov", "function", 19, 23),
        ("inner", "function", 20, 20),
        ("Local", "class", 22, 22),
        ("deep", "method", 22, 22),
        ("f", "function", 25, 27),
        ("g", "function", 28, 28),
        ("h", "function", 29, 29),
        ("N.M", "namespace", 30, 30),
        ("T", "type", 30, 30),
        ("foo", "namespace", 31, 31),
        ("default", "function", 32, 32),
        ("E", "enum", 33, 33),
        ("C", "class", 34, 34),
        ("z", "function", 35, 35),
        ("a", "method", 36, 36),
        ("b", "method", 36, 36),
        ("c-d", "method", 36, 36),
        ("get", "method", 38, 38),
        ("set", "method", 38, 38),
    ],
)
def test_typescript_definitions(expected):
    """Each kind of TypeScript definition is found with its decorators and modifiers."""
    assert expected in spans(TYPESCRIPT, "a.ts")


def test_closures_bound_inside_a_function_do_not_count():
    """A ``const`` closure inside a function belongs to that function."""
    assert "closure" not in {name for name, *_ in spans(TYPESCRIPT, "a.ts")}


@pytest.mark.parametrize("suffix", ["js", "jsx", "mjs", "cjs"])
def test_javascript_definitions(suffix):
    """JavaScript reads the same, JSX included."""
    source = "class A { x = () => 1; m() { return <b/>; } }\nexport function* gen() {}\n"
    assert spans(source, f"a.{suffix}") == [
        ("A", "class", 1, 1),
        ("x", "method", 1, 1),
        ("m", "method", 1, 1),
        ("gen", "function", 2, 2),
    ]


def test_tsx_definitions():
    """TSX is parsed with its own grammar."""
    source = "export const App = () => (\n  <div>{f<string>(1)}</div>\n);\n"
    assert spans(source, "a.tsx") == [("App", "function", 1, 3)]


def test_svelte_lines_are_those_of_the_file():
    """A script region of a Svelte file keeps the line numbers of the file."""
    first = "<h1>function no() {}</h1>\n<script>\nfunction yes() {\n}\n</script>\n"
    second = "<p>é</p>\n<script module>function b() {}</script>"
    assert spans(first + second, "a.svelte") == [("yes", "function", 3, 4), ("b", "function", 7, 7)]


def test_parents_are_the_enclosing_names():
    """A definition knows what encloses it, outermost first."""
    found = {item.name: item.parents for item in definitions(PYTHON.encode(), "a.py")}
    assert found["inner"] == ("A", "size")
    assert found["late"] == ()


def test_broken_source_is_survived():
    """A file that does not parse yields what can be read of it and raises nothing."""
    assert ("ok", "function", 1, 2) in spans("def ok():\n    pass\n\nclass (((\n", "a.py")


def test_unknown_suffix_is_an_error():
    """A file of another language is not guessed at."""
    with pytest.raises(KeyError):
        definitions(b"", "a.rs")
