r"""What stands where in a corpus, as parsers see it that the engine under test does not share.

**Definitions.** Python: every ``def``, ``async def`` and ``class`` that the standard library's ``ast``
finds, nested ones included; it starts at its ``def`` or ``class`` line (decorators stand before it).
TypeScript, JavaScript and the scripts of Svelte components: what the TypeScript compiler finds, read
once by ``data/definitions/extract.mjs`` and committed as offsets. Counted are classes, interfaces,
enums, type aliases, function declarations (nested ones and overload signatures too), methods, method
signatures, constructors (named ``constructor``), accessors of classes, class properties that are
initialised with a function, and at module or namespace level variables that are (their span is the
whole statement if that declares one variable only). Not counted are anonymous functions, functions
assigned to variables inside functions, and members of object literals. A TypeScript definition starts
at its first token (decorators and ``export`` belong to it, its JSDoc does not). A name is written as
in the source: ``#private``, ``'quoted'``, ``[computed]``.

**Stripping.** The indexed text has no documentation, for it would answer the questions that are made
from it. Docstrings of modules, classes and functions, and all ``/** … */`` comments, become spaces of
the same length: line numbers, columns and syntax stay as they were, a docstring keeps its quotes.

**Units.** Each line belongs to the innermost definition around it (of several on one line, to the one
that starts last). The lines outside all definitions form regions, which are cut into blocks of at most
60 lines; a block without a word character is dropped. Lines end at ``\n`` and count from 1.

Nothing is read from disk here: text in, values out.
"""

import ast
import inspect
import io
import json
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lens_core.errors import IntegrityError
from lens_core.model import Definition, Unit

TRUTH_RULES_VERSION = 1
"""Counted up with every change of the rules here or in ``questions``; part of every derived digest."""
BLOCK_LINES = 60
"""The longest block of lines outside definitions, in lines."""

_WORD = re.compile(r"\w")
_BLANKED = re.compile(r"[^\r\n]")
_JSDOC_MARGIN = re.compile(r"^[ \t]*\*?[ \t]?", re.MULTILINE)
_JSDOC_TAG = re.compile(r"^[ \t]*@\w.*\Z", re.MULTILINE | re.DOTALL)

Span = tuple[int, int]
"""A half-open range of code points of a file's text."""


@dataclass(frozen=True, slots=True)
class Documented:
    """A definition and what its docstring or JSDoc says, without margins and tags ("" when it has none)."""

    definition: Definition
    documentation: str


@dataclass(frozen=True, slots=True)
class FileTruth:
    """One file: its definitions in source order, and the spans of text that stripping blanks."""

    documented: tuple[Documented, ...]
    documentation_spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class OracleFile:
    """What the TypeScript compiler found in one file.

    ``comments`` are the spans of its ``/** … */``; ``definitions`` come with the index of their
    comment, or -1.
    """

    comments: tuple[Span, ...]
    definitions: tuple[tuple[Definition, int], ...]


@dataclass(frozen=True, slots=True)
class Oracle:
    """The committed definitions of a corpus, bound to the digests of the archives they were read from."""

    rules: int
    archives: Mapping[str, str]
    files: Mapping[str, OracleFile]


def parse_oracle(text: str) -> Oracle:
    """Read the JSON that ``data/definitions/make.py`` wrote; IntegrityError when it is not of that form."""
    try:
        document = json.loads(text)
        return Oracle(
            rules=int(document["rules"]),
            archives=dict(document["archives"]),
            files={path: _oracle_file(path, entry) for path, entry in document["files"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(
            f"expected committed definitions, saw something else ({error!r})",
            "restore data/definitions from version control",
        ) from error


def _oracle_file(path: str, entry: Mapping[str, Any]) -> OracleFile:
    offsets = [int(offset) for offset in entry["comments"]]
    definitions = tuple(
        (Definition(path, int(start), int(end), str(name), str(kind)), int(comment))
        for name, kind, start, end, comment in entry["definitions"]
    )
    return OracleFile(tuple(zip(offsets[::2], offsets[1::2], strict=True)), definitions)


def read_script(text: str, oracle: OracleFile) -> FileTruth:
    """The truth of one TypeScript, JavaScript or Svelte file: ``oracle``'s offsets applied to its text."""
    for start, end in oracle.comments:
        if not (text.startswith("/**", start) and text.startswith("*/", end - 2)):
            raise IntegrityError(
                f"expected a comment at characters {start} to {end}, saw {text[start : start + 20]!r}",
                "the committed definitions are of another text: run data/definitions/make.py",
            )
    documented = tuple(
        Documented(definition, _jsdoc(text[slice(*oracle.comments[comment])]) if comment >= 0 else "")
        for definition, comment in oracle.definitions
    )
    return FileTruth(documented, oracle.comments)


def _jsdoc(comment: str) -> str:
    body = _JSDOC_MARGIN.sub("", comment.removeprefix("/**").removesuffix("*/"))
    return _JSDOC_TAG.sub("", body).strip()


def read_python(path: str, text: str) -> FileTruth:
    """The truth of one Python file. A file that this Python cannot parse has no definitions."""
    body = text.removeprefix("\ufeff")
    try:
        tree = ast.parse(body)
    except (SyntaxError, ValueError):
        return FileTruth((), ())
    lines = body.split("\n")
    starts = _line_starts(lines, len(text) - len(body))
    documented: list[Documented] = []
    spans: list[Span] = []
    for node, parent in _scopes(tree, None):
        docstring = _docstring(node)
        if docstring is not None:
            spans.extend(_docstring_spans(docstring[0], text, lines, starts))
        if not isinstance(node, ast.Module):
            says = inspect.cleandoc(docstring[1]) if docstring is not None else ""
            documented.append(Documented(_python_definition(path, node, parent), says))
    documented.sort(key=lambda item: (item.definition.start_line, -item.definition.end_line))
    return FileTruth(tuple(documented), tuple(sorted(spans)))


_Scope = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _scopes(node: ast.AST, parent: ast.AST | None) -> Iterator[tuple[_Scope, ast.AST | None]]:
    pending: list[tuple[ast.AST, ast.AST | None]] = [(node, parent)]
    while pending:
        node, parent = pending.pop()
        # Expressions hold no definitions, and are most of a tree.
        if isinstance(node, ast.expr):
            continue
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, parent
        pending.extend((child, node) for child in ast.iter_child_nodes(node))


def _python_definition(
    path: str, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, parent: ast.AST | None
) -> Definition:
    kind = "class" if isinstance(node, ast.ClassDef) else "method" if isinstance(parent, ast.ClassDef) else "function"
    return Definition(path, node.lineno, node.end_lineno or node.lineno, node.name, kind)


def _docstring(node: _Scope) -> tuple[ast.Constant, str] | None:
    first = node.body[0] if node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return first.value, first.value.value
    return None


def _line_starts(lines: Sequence[str], offset: int) -> list[int]:
    starts = []
    for line in lines:
        starts.append(offset)
        offset += len(line) + 1
    return starts


def _docstring_spans(node: ast.Constant, text: str, lines: Sequence[str], starts: Sequence[int]) -> Iterator[Span]:
    # A docstring can be several literals side by side ("a" "b"), so its tokens are looked at.
    start = starts[node.lineno - 1] + _code_points(lines[node.lineno - 1], node.col_offset)
    last = (node.end_lineno or node.lineno) - 1
    end = starts[last] + _code_points(lines[last], node.end_col_offset or 0)
    # Brackets let literals that stand on several lines be one expression.
    segment = f"({text[start:end]})"
    segment_starts = _line_starts(segment.split("\n"), start - 1)
    for token in tokenize.generate_tokens(io.StringIO(segment, newline="\n").readline):
        if token.type == tokenize.STRING:
            yield from _content_spans(token.string, segment_starts[token.start[0] - 1] + token.start[1])


def _code_points(line: str, utf8_column: int) -> int:
    return utf8_column if line.isascii() else len(line.encode()[:utf8_column].decode())


def _content_spans(literal: str, offset: int) -> Iterator[Span]:
    prefix = len(literal) - len(literal.lstrip("rRuUbBfF"))
    quotes = 3 if literal[prefix:].startswith(('"""', "'''")) else 1
    start, end = prefix + quotes, len(literal) - quotes
    if quotes == 1:
        # Between single quotes a line ends only behind a backslash, which therefore has to stay.
        for match in re.finditer(r"\\\r?\n", literal[start:end]):
            yield offset + start, offset + prefix + quotes + match.start()
            start = prefix + quotes + match.end()
    yield offset + start, offset + end


def strip(text: str, spans: Iterable[Span]) -> str:
    """``text`` with everything but line ends inside ``spans`` (sorted, apart) turned into spaces."""
    pieces = []
    done = 0
    for start, end in spans:
        pieces += [text[done:start], _BLANKED.sub(" ", text[start:end])]
        done = end
    return "".join([*pieces, text[done:]])


def own_lines(path: str, text: str, definitions: Iterable[Definition]) -> tuple[tuple[Unit, tuple[int, ...]], ...]:
    """The units of one stripped file, each with the numbers of the lines that are its own.

    Together the units own each line that has a word character exactly once. A definition whose lines
    all belong to others (one of two on one line) is a unit that owns none.
    """
    lines = text.split("\n")
    # Enclosing definitions first, so that what stands inside them is painted over them.
    spans = sorted({(item.start_line, -item.end_line, item.name) for item in definitions})
    units = [unit_of(path, start, -negative_end, name) for start, negative_end, name in spans]
    owner = [-1] * (len(lines) + 1)
    for index, unit in enumerate(units):
        owner[unit.start_line : unit.end_line + 1] = [index] * (unit.end_line + 1 - unit.start_line)
    owned: list[list[int]] = [[] for _ in units]
    for number in range(1, len(lines) + 1):
        if owner[number] >= 0:
            owned[owner[number]].append(number)
    found = [(unit, tuple(numbers)) for unit, numbers in zip(units, owned, strict=True)]
    found += [(unit_of(path, block[0], block[-1], ""), tuple(block)) for block in _blocks(lines, owner)]
    return tuple(sorted(found, key=lambda item: (item[0].start_line, -item[0].end_line, item[0].unit_id)))


def _blocks(lines: Sequence[str], owner: Sequence[int]) -> Iterator[range]:
    number = 1
    while number <= len(lines):
        end = number
        while end <= len(lines) and owner[end] < 0 and end - number < BLOCK_LINES:
            end += 1
        if any(_WORD.search(line) for line in lines[number - 1 : end - 1]):
            yield range(number, end)
        number = max(end, number + 1)


def unit_of(path: str, start_line: int, end_line: int, name: str) -> Unit:
    """The unit at these lines; its id says what and where it is, and is unique in a corpus."""
    return Unit(f"{path}:{start_line}-{end_line}:{name}", path, start_line, end_line, name)
