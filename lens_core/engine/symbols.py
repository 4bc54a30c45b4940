"""Definitions of a source file, exact to the line, by tree-sitter.

What counts, and where it starts and ends (1-based, both ends inclusive):

* **Python**: every ``def``, ``async def`` and ``class``, nested ones too. A definition starts on the line
  of its ``def``, ``async`` or ``class`` keyword, *not* of its first decorator: as ``ast`` says ``lineno``.
* **TypeScript and JavaScript**: classes (abstract ones too), interfaces, enums, type aliases,
  namespaces, function declarations at any depth, overload signatures, methods, constructors, accessors,
  method signatures, class properties that hold a function. A definition starts at its first decorator or
  modifier (``export``, ``declare``, ``abstract``) and without its leading comment: as the TypeScript
  compiler says ``getStart()``.
* ``const f = () => …`` (or a function or class expression) outside of any function is named ``f``. It
  spans the whole statement, ``export`` included; when one statement declares several, each spans its
  own declarator.
* Outside of any function, ``{ name: function … }`` and ``a.name = function …`` count as well, named
  ``name``. Closures bound to a name inside a function do not count.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tree_sitter import Node, QueryCursor

from lens_core.engine.languages import grammar_of, language_of, parseable

_WRAPPERS: Final = frozenset({"export_statement", "ambient_declaration"})
_FUNCTIONS: Final = frozenset(
    {
        "arrow_function",
        "function_declaration",
        "function_expression",
        "generator_function",
        "generator_function_declaration",
        "method_definition",
    }
)
_PYTHON_COMPOUND: Final = frozenset(
    {
        "block",
        "case_clause",
        "class_definition",
        "decorated_definition",
        "elif_clause",
        "else_clause",
        "except_clause",
        "except_group_clause",
        "finally_clause",
        "for_statement",
        "function_definition",
        "if_statement",
        "match_statement",
        "try_statement",
        "while_statement",
        "with_statement",
    }
)
_BOUND: Final = frozenset({"variable", "property", "assigned"})


@dataclass(frozen=True, slots=True)
class Definition:
    """One definition: its name, kind and exact span, and the names of what encloses it."""

    name: str
    kind: str
    start_line: int
    end_line: int
    parents: tuple[str, ...]
    start_byte: int
    end_byte: int


def definitions(source: bytes, path: str) -> list[Definition]:
    """All definitions of a file, outermost first, in the order of their start.

    ``path`` only chooses the grammar, by its suffix; ``KeyError`` when the engine does not read it.
    """
    grammar = grammar_of(path)
    text = parseable(source, language_of(path) or "")
    tree = grammar.parser.parse(text)
    captures = QueryCursor(grammar.query).captures(tree.root_node)
    found = [
        located
        for capture, nodes in captures.items()
        for node in nodes
        if (located := _locate(capture, node)) is not None
    ]
    found.sort(key=lambda item: (item.start_byte, -item.end_byte))
    return list(_with_parents(found))


def _locate(capture: str, node: Node) -> Definition | None:
    if capture in _BOUND and _inside_function(node):
        return None
    name = _name(capture, node)
    if not name:
        return None
    first, last = _extent(capture, node)
    end_row, end_column = last.end_point
    # A node that ends at column 0 ended with the newline of the line before.
    end_line = end_row if end_column == 0 and end_row > first.start_point[0] else end_row + 1
    return Definition(
        name=name,
        kind=_kind(capture, node, name),
        start_line=first.start_point[0] + 1,
        end_line=end_line,
        parents=(),
        start_byte=first.start_byte,
        end_byte=last.end_byte,
    )


def _inside_function(node: Node) -> bool:
    above = node.parent
    while above is not None:
        if above.type in _FUNCTIONS:
            return True
        above = above.parent
    return False


def _name(capture: str, node: Node) -> str:
    if capture == "default":
        value = node.child_by_field_name("value")
        inner = value.child_by_field_name("name") if value is not None else None
        return _text(inner) or "default"
    if capture == "assigned":
        left = node.child_by_field_name("left")
        return _text(left.child_by_field_name("property")) if left is not None else ""
    field = {"property": "key"}.get(capture, "name")
    named = node.child_by_field_name(field) or node.child_by_field_name("property")
    return _text(named).strip("\"'") if named is not None else ""


def _text(node: Node | None) -> str:
    if node is None or node.text is None:
        return ""
    return node.text.decode("utf-8", "replace")


def _extent(capture: str, node: Node) -> tuple[Node, Node]:
    """The first and the last node of the definition that ``node`` belongs to."""
    whole = node
    if capture == "variable":
        statement = node.parent
        if statement is None or sum(child.type == node.type for child in statement.named_children) > 1:
            return node, node
        whole = statement
    elif (
        capture in {"assigned", "namespace"} and node.parent is not None and node.parent.type == "expression_statement"
    ):
        whole = node.parent
    while whole.parent is not None and whole.parent.type in _WRAPPERS:
        whole = whole.parent
    first = whole
    if whole.type in _PYTHON_COMPOUND:
        return whole, _last_statement(whole)
    while (before := first.prev_sibling) is not None and before.type == "decorator":
        first = before
    return first, whole


def _last_statement(node: Node) -> Node:
    """The node that a Python definition really ends with: the grammar adds the comments after it."""
    while node.type in _PYTHON_COMPOUND:
        inner = [child for child in node.named_children if child.type != "comment"]
        if not inner:
            break
        node = inner[-1]
    return node


def _kind(capture: str, node: Node, name: str) -> str:
    if capture == "method":
        if name == "constructor":
            return "constructor"
        words = {child.type for child in node.children}
        if "get" in words and name != "get":
            return "getter"
        return "setter" if "set" in words and name != "set" else "method"
    if capture in {"variable", "assigned", "default"}:
        value = node.child_by_field_name("value") or node.child_by_field_name("right")
        return "class" if value is not None and value.type == "class" else "function"
    if capture in {"field", "property"}:
        return "method"
    return capture


def _with_parents(found: list[Definition]) -> Iterator[Definition]:
    """The definitions with the names around them; a Python function in a class becomes a method."""
    around: list[Definition] = []
    for item in found:
        while around and around[-1].end_byte < item.end_byte:
            around.pop()
        inside = around[-1] if around and around[-1].end_byte >= item.end_byte else None
        method = item.kind == "function" and inside is not None and inside.kind == "class"
        placed = Definition(
            item.name,
            "method" if method else item.kind,
            item.start_line,
            item.end_line,
            tuple(outer.name for outer in around),
            item.start_byte,
            item.end_byte,
        )
        yield placed
        around.append(placed)
