"""The contestants: Lens, SQLite FTS5, bm25s and ripgrep, each behind the same small door.

``ask`` is what is timed. It gives back a function that says where the answer's places are; turning a
tool's own numbers into places is the harness's work, and is not timed.
"""

import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import bm25s

from bench.material import Chunk, Material
from lens_core.engine.analyzer import identifiers, split_identifier, stem, stems_of
from lens_core.engine.index import build_index
from lens_core.engine.question import STOP_WORDS
from lens_core.engine.search import open_index
from lens_core.errors import Unavailable
from lens_core.model import QUERY_CLASSES, Hit, Unit
from lens_core.quality import RECALL_DEPTH

Places = Callable[[], Sequence[Hit]]
"""Says where an answer's hits are, best first."""

_IN_WORDS = ("nl", "symwords")
_NAMES = ("sym", "ident")
_RIPGREP_TIMEOUT_S = 30
_RIPGREP_OPTIONS = ("--no-config", "--no-ignore", "--no-heading", "--color=never", "-F", "-n", "-H", "--null")


class Tool(Protocol):
    """A tool that has indexed the material and can be asked."""

    @property
    def classes(self) -> frozenset[str]:
        """The classes of question that it can answer at all."""

    def ask(self, query_class: str, text: str) -> Places:
        """Ask one question of a class that it can answer; at most 50 hits."""

    def close(self) -> None:
        """Let go of files and connections."""


def forget_words() -> None:
    """Empty the analyzer's caches, so that no tool builds with the words of the one before."""
    for cached in (stem, split_identifier, stems_of):
        cached.cache_clear()


def _plain_words(text: str) -> list[str]:
    return [word for name in identifiers(text) for word in split_identifier(name)]


def _asked_words(text: str) -> list[str]:
    """The distinct words of a question without stop words, unless it has no others."""
    every = list(dict.fromkeys(_plain_words(text)))
    return [word for word in every if stem(word) not in STOP_WORDS] or every


def _hit(unit: Unit) -> Hit:
    return Hit(unit.path, unit.start_line, unit.end_line, unit.name, "", "", 0.0)


def _hits(chunks: Sequence[Chunk], numbers: Iterable[int]) -> list[Hit]:
    return [_hit(chunks[number].unit) for number in numbers]


class LensTool:
    """The engine under test, in this process. It is not told the class of a question."""

    def __init__(self, material: Material, folder: Path) -> None:
        build_index(material.tree, folder / "lens")
        self._index = open_index(folder / "lens")

    @property
    def classes(self) -> frozenset[str]:
        """All of them."""
        return frozenset(QUERY_CLASSES)

    def ask(self, query_class: str, text: str) -> Places:
        """One search with its defaults."""
        found = self._index.search(text, limit=RECALL_DEPTH).hits
        return lambda: [
            Hit(hit.path, hit.start_line, hit.end_line, hit.symbol, hit.kind, hit.language, hit.score) for hit in found
        ]

    def close(self) -> None:
        """Nothing to let go of."""


_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -262144;
CREATE VIRTUAL TABLE words USING fts5(symbol, context, path, body, content='', tokenize='porter unicode61');
CREATE VIRTUAL TABLE names USING fts5(symbol, body, tokenize="unicode61 remove_diacritics 0 tokenchars '_$'");
CREATE VIRTUAL TABLE parts USING fts5(body, content='', tokenize='trigram');
"""
_OPTIMIZE = "INSERT INTO {0}({0}) VALUES ('optimize')"
_WORDS = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY bm25(words, 10.0, 1.0, 1.0, 1.0) LIMIT ?"
_NAME = """
SELECT rowid FROM names WHERE names MATCH ?1
ORDER BY symbol = ?2 DESC, instr(' ' || body || ' ', ' ' || ?2 || ' ') > 0 DESC, bm25(names, 10.0, 1.0) LIMIT ?3
"""
_PART = "SELECT rowid FROM parts WHERE parts MATCH ? ORDER BY rank LIMIT ?"


class SqliteTool:
    """SQLite FTS5 in this process: one table of words, one of whole identifiers, one of trigrams."""

    def __init__(self, material: Material, folder: Path) -> None:
        self._chunks = material.chunks
        self._db = sqlite3.connect(folder / "fts5.db", isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._db.execute("BEGIN")
        for number, chunk in enumerate(material.chunks):
            unit = chunk.unit
            fields = (unit.name, " ".join(chunk.enclosing), unit.path, chunk.text)
            words = (" ".join(_plain_words(field)) for field in fields)
            self._db.execute(
                "INSERT INTO words(rowid, symbol, context, path, body) VALUES (?,?,?,?,?)", (number, *words)
            )
            names = (number, unit.name, " ".join(identifiers(chunk.text)))
            self._db.execute("INSERT INTO names(rowid, symbol, body) VALUES (?,?,?)", names)
            self._db.execute("INSERT INTO parts(rowid, body) VALUES (?,?)", (number, chunk.text))
        for table in ("words", "names", "parts"):
            self._db.execute(_OPTIMIZE.format(table))
        self._db.execute("COMMIT")

    @property
    def classes(self) -> frozenset[str]:
        """All of them."""
        return frozenset(QUERY_CLASSES)

    def ask(self, query_class: str, text: str) -> Places:
        """One statement on the table that suits the class."""
        quoted = '"' + text.replace('"', '""') + '"'
        if query_class in _IN_WORDS:
            terms = " OR ".join(f'"{word}"' for word in _asked_words(text))
            rows = self._db.execute(_WORDS, (terms or quoted, RECALL_DEPTH)).fetchall()
        elif query_class in _NAMES:
            rows = self._db.execute(_NAME, (quoted, text, RECALL_DEPTH)).fetchall()
        else:
            rows = self._db.execute(_PART, (quoted, RECALL_DEPTH)).fetchall()
        return lambda: _hits(self._chunks, (row[0] for row in rows))

    def close(self) -> None:
        """Close the database."""
        self._db.close()


# bm25s knows no fields: what counts for more stands in the document more often.
_SYMBOL_REPEATS = 5
_CONTEXT_REPEATS = 2
_MARK_REPEATS = 3


class Bm25sTool:
    """bm25s in this process, in memory: one index of stemmed words, one of whole identifiers."""

    def __init__(self, material: Material, folder: Path) -> None:
        self._chunks = material.chunks
        self._words = bm25s.BM25()
        self._words.index([self._stems(chunk) for chunk in material.chunks], show_progress=False)
        self._names = bm25s.BM25()
        self._names.index([self._tokens(chunk) for chunk in material.chunks], show_progress=False)

    @staticmethod
    def _stems(chunk: Chunk) -> list[str]:
        unit = chunk.unit
        context = chunk.enclosing * _CONTEXT_REPEATS
        fields = (*(unit.name,) * _SYMBOL_REPEATS, *context, unit.path, chunk.text)
        return [stem(word) for word in _plain_words(" ".join(fields))]

    @staticmethod
    def _tokens(chunk: Chunk) -> list[str]:
        return [*identifiers(chunk.text), *(f"def {chunk.unit.name}",) * _MARK_REPEATS]

    @property
    def classes(self) -> frozenset[str]:
        """All but fragments of words: there is no token for them."""
        return frozenset((*_IN_WORDS, *_NAMES))

    def ask(self, query_class: str, text: str) -> Places:
        """One retrieval from the index that suits the class; what scores nothing is no hit."""
        if query_class in _IN_WORDS:
            index, tokens = self._words, [stem(word) for word in _asked_words(text)]
        else:
            index, tokens = self._names, [text, f"def {text}"]
        depth = min(RECALL_DEPTH, len(self._chunks))
        numbers, scores = index.retrieve([tokens], k=depth, show_progress=False)
        found = [int(number) for number, score in zip(numbers[0], scores[0], strict=True) if score > 0]
        return lambda: _hits(self._chunks, found)

    def close(self) -> None:
        """Nothing to let go of."""


class RipgrepTool:
    """ripgrep, a process for each question; needs no index and does not rank."""

    def __init__(self, material: Material, folder: Path) -> None:
        self._program = ripgrep_program()
        self._material = material

    @property
    def classes(self) -> frozenset[str]:
        """What stands literally in the text."""
        return frozenset((*_NAMES, "substr"))

    @cached_property
    def _owners(self) -> dict[tuple[str, int], Unit]:
        return {(chunk.unit.path, line): chunk.unit for chunk in self._material.chunks for line in chunk.lines}

    def ask(self, query_class: str, text: str) -> Places:
        """Whole words for names, any case for fragments; hits are the chunks of the lines found, by path."""
        how = "-i" if query_class == "substr" else "-w"
        command = (self._program, *_RIPGREP_OPTIONS, how, "-e", text, ".")
        try:
            found = subprocess.run(
                command,
                cwd=self._material.tree,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=_RIPGREP_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"ripgrep took more than {_RIPGREP_TIMEOUT_S} s for {text!r}") from error
        if found.returncode not in {0, 1}:
            raise Unavailable(f"ripgrep failed on {text!r}: {found.stderr.decode(errors='replace').strip()}")
        return lambda: self._places(found.stdout)

    def _places(self, output: bytes) -> list[Hit]:
        lines = []
        for row in output.split(b"\n"):
            path, found, rest = row.partition(b"\0")
            if found:
                lines.append((path.decode().removeprefix("./"), int(rest.partition(b":")[0])))
        units = dict.fromkeys(self._owners[line] for line in sorted(lines) if line in self._owners)
        return [_hit(unit) for unit in units][:RECALL_DEPTH]

    def close(self) -> None:
        """Nothing to let go of."""


def ripgrep_program() -> str:
    """Where ``rg`` is; Unavailable when it is not on PATH."""
    found = shutil.which("rg")
    if found is None:
        raise Unavailable("ripgrep (rg) is not on PATH", "make services")
    return found


MAKERS: dict[str, Callable[[Material, Path], Tool]] = {
    "Lens": LensTool,
    "SQLite FTS5": SqliteTool,
    "bm25s": Bm25sTool,
    "ripgrep": RipgrepTool,
}
"""Every contestant by name, Lens first."""
