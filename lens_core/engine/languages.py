"""Which files the engine reads, and the tree-sitter grammar and query that each is read with.

A Svelte file is read as TypeScript after everything outside its ``<script>`` regions has been blanked
out byte by byte, so that line numbers stay those of the file.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath
from typing import Final

import tree_sitter_javascript
import tree_sitter_python
import tree_sitter_typescript
from tree_sitter import Language, Parser, Query

LANGUAGES: Final = ("python", "typescript", "javascript", "svelte")

_BY_SUFFIX: Final = {
    ".py": ("python", "python"),
    ".pyi": ("python", "python"),
    ".ts": ("typescript", "typescript"),
    ".mts": ("typescript", "typescript"),
    ".cts": ("typescript", "typescript"),
    ".tsx": ("typescript", "tsx"),
    ".js": ("javascript", "javascript"),
    ".jsx": ("javascript", "javascript"),
    ".mjs": ("javascript", "javascript"),
    ".cjs": ("javascript", "javascript"),
    ".svelte": ("svelte", "typescript"),
}

_SCRIPT: Final = re.compile(rb"<script\b[^>]*>(.*?)</script\s*>", re.DOTALL | re.IGNORECASE)
_NOT_NEWLINE: Final = re.compile(rb"[^\r\n]")

_PYTHON_QUERY: Final = """
(function_definition) @function
(class_definition) @class
"""

# Closures bound to a name inside a function are left out by `symbols`, not here: a query cannot say it.
_JAVASCRIPT_QUERY: Final = """
(class_declaration) @class
(function_declaration) @function
(generator_function_declaration) @function
(method_definition) @method
(variable_declarator name: (identifier)
  value: [(arrow_function) (function_expression) (generator_function) (class)]) @variable
(pair value: [(arrow_function) (function_expression) (generator_function)]) @property
(assignment_expression left: (member_expression)
  right: [(arrow_function) (function_expression) (generator_function) (class)]) @assigned
(export_statement value: [(function_expression) (generator_function) (class)]) @default
"""

_FIELD_QUERY: Final = {
    "javascript": "(field_definition value: [(arrow_function) (function_expression)]) @field",
    "typescript": """
(public_field_definition value: [(arrow_function) (function_expression)]) @field
(abstract_class_declaration) @class
(interface_declaration) @interface
(enum_declaration) @enum
(type_alias_declaration) @type
(function_signature) @function
(method_signature) @method
(abstract_method_signature) @method
(internal_module) @namespace
(module) @namespace
""",
}


@dataclass(frozen=True)
class Grammar:
    """A parser with the query that captures its definitions, capture name = kind of definition."""

    parser: Parser
    query: Query


def language_of(path: str | PurePath) -> str | None:
    """The language of a file by its suffix (one of ``LANGUAGES``), or None when it is not read."""
    found = _BY_SUFFIX.get(PurePath(path).suffix.lower())
    return found[0] if found else None


def grammar_of(path: str | PurePath) -> Grammar:
    """The grammar that a file is parsed with; ``KeyError`` for a file that is not read."""
    return _grammar(_BY_SUFFIX[PurePath(path).suffix.lower()][1])


@cache
def _grammar(name: str) -> Grammar:
    if name == "python":
        language = Language(tree_sitter_python.language())
        return Grammar(Parser(language), Query(language, _PYTHON_QUERY))
    if name == "javascript":
        language = Language(tree_sitter_javascript.language())
        return Grammar(Parser(language), Query(language, _JAVASCRIPT_QUERY + _FIELD_QUERY["javascript"]))
    pointer = tree_sitter_typescript.language_tsx() if name == "tsx" else tree_sitter_typescript.language_typescript()
    language = Language(pointer)
    return Grammar(Parser(language), Query(language, _JAVASCRIPT_QUERY + _FIELD_QUERY["typescript"]))


def parseable(source: bytes, language: str) -> bytes:
    """The bytes to hand to the parser: the same length and lines as ``source``."""
    if language != "svelte":
        return source
    parts: list[bytes] = []
    end = 0
    for match in _SCRIPT.finditer(source):
        parts.append(_NOT_NEWLINE.sub(b" ", source[end : match.start(1)]))
        parts.append(match.group(1))
        end = match.end(1)
    parts.append(_NOT_NEWLINE.sub(b" ", source[end:]))
    return b"".join(parts)
