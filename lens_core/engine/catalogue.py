"""The chunks of an opened index in memory, in document order, and what can be asked of them at once.

An index of 15,000 chunks takes some 30 MB. In return no question reads the document store, which would
decompress blocks at unpredictable moments, and substrings are verified against the text itself.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import translate
from functools import lru_cache
from typing import Final

import tantivy

from lens_core.engine.analyzer import identifiers
from lens_core.engine.chunks import Chunk
from lens_core.engine.index import scope_key
from lens_core.engine.vocabulary import Vocabulary

FUNCTION_KINDS = frozenset({"function", "method", "constructor", "getter", "setter"})
_FUNCTION: Final = 6.0
_PRIVATE: Final = -1.0
_SPECIAL: Final = -2.0
_NO_DEFINITION: Final = -2.0
_SPECIAL_NAME: Final = re.compile(r"__(?!init__)\w+__")
_TEST_PATH: Final = re.compile(
    r"(^|/)(tests?|__tests__|specs?)/|(^|/)(test_[^/]*|conftest|[^/]*(_test|[.-](test|spec)))\.\w+$"
)
_TEST_NAME: Final = re.compile(r"test(?![a-z])")


@dataclass
class Catalogue:
    """``chunks[n]`` is the chunk of tantivy document n, ``scopes[n]`` the document of its scope.

    ``merits[n]`` is what its kind and name add to its score for a question in words; see ``merit``.
    """

    chunks: list[Chunk] = field(default_factory=list)
    scopes: list[int] = field(default_factory=list)
    merits: list[float] = field(default_factory=list)
    is_test: list[bool] = field(default_factory=list)
    outlines: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    by_symbol: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    cases: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    identifiers: set[str] = field(default_factory=set)
    vocabulary: Vocabulary = field(default_factory=Vocabulary)

    def symbols_in_other_case(self, name: str) -> list[str]:
        """At most 20 symbols that equal ``name`` but for the case of letters."""
        return [symbol for symbol in self.cases.get(name.lower(), ())[:21] if symbol != name][:20]

    def paths(self, glob: str) -> list[str]:
        """The indexed files whose path matches ``glob``; see ``compile_glob``."""
        pattern = compile_glob(glob)
        return [path for path in self.outlines if pattern(path)]

    def containing(self, text: str) -> list[int]:
        """The chunks whose text holds ``text`` exactly, by looking at every one of them."""
        return [number for number, chunk in enumerate(self.chunks) if text in chunk.text]


def load_catalogue(searcher: tantivy.Searcher) -> Catalogue:
    """Reads every stored document of a one-segment index."""
    return catalogue_of(
        chunk_of(searcher.doc(tantivy.DocAddress(0, number)).to_dict()) for number in range(searcher.num_docs)
    )


def catalogue_of(chunks: Iterable[Chunk]) -> Catalogue:
    """The catalogue of chunks that come in document order."""
    catalogue = Catalogue()
    scope_numbers: dict[tuple[str, str], int] = {}
    for number, chunk in enumerate(chunks):
        key = scope_key(chunk.path, chunk.parents, chunk.symbol, chunk.kind)
        catalogue.chunks.append(chunk)
        catalogue.scopes.append(scope_numbers.setdefault(key, len(scope_numbers)))
        catalogue.merits.append(merit(chunk))
        catalogue.is_test.append(is_test(chunk))
        outline = catalogue.outlines[chunk.path]
        if chunk.is_definition:
            outline.append(number)
            if chunk.symbol not in catalogue.by_symbol:
                catalogue.cases[chunk.symbol.lower()].append(chunk.symbol)
            catalogue.by_symbol[chunk.symbol].append(number)
        catalogue.identifiers.update(identifiers(chunk.text))
    catalogue.identifiers.update(catalogue.by_symbol)
    catalogue.vocabulary = Vocabulary(catalogue.by_symbol)
    return catalogue


def merit(chunk: Chunk) -> float:
    """People who ask in words are mostly after functions, public ones rather than special methods."""
    if not chunk.is_definition:
        return _NO_DEFINITION
    worth = _FUNCTION if chunk.kind in FUNCTION_KINDS else 0.0
    if _SPECIAL_NAME.fullmatch(chunk.symbol):
        return worth + _SPECIAL
    private = chunk.symbol.startswith(("_", "#")) and not chunk.symbol.startswith("__")
    return worth + _PRIVATE if private else worth


def is_test(chunk: Chunk) -> bool:
    """Whether a chunk tests the code rather than being it, by its path or its name."""
    return bool(_TEST_PATH.search(chunk.path) or _TEST_NAME.match(chunk.symbol))


def chunk_of(stored: dict[str, list[object]]) -> Chunk:
    """A chunk from the stored fields of its document; KeyError names a field that was not stored."""
    scope = bytes(stored["scope"][0]).decode()  # type: ignore[call-overload]
    return Chunk(
        path=str(stored["path"][0]),
        language=str(stored["language"][0]),
        symbol=str(stored["symbol"][0]),
        kind=str(stored["kind"][0]),
        start_line=int(str(stored["start_line"][0])),
        end_line=int(str(stored["end_line"][0])),
        parents=tuple(scope.split("\n")) if scope else (),
        text=bytes(stored["text"][0]).decode(),  # type: ignore[call-overload]
    )


@lru_cache(maxsize=256)
def compile_glob(glob: str) -> "GlobMatch":
    """A predicate on paths: ``*`` and ``?`` stay within a directory, ``**`` crosses them.

    A glob without ``/`` is matched against the file name alone.
    """
    parts = tuple(glob.strip("/").split("/"))
    if len(parts) == 1 and parts[0] != "**":
        parts = ("**", *parts)
    collapsed = tuple(part for at, part in enumerate(parts) if part != "**" or at == 0 or parts[at - 1] != "**")
    return GlobMatch(collapsed)


class GlobMatch:
    """Matches a path segment by segment, in time bounded by segments × parts: no regex can blow up."""

    def __init__(self, parts: tuple[str, ...]) -> None:
        self._parts = [None if part == "**" else re.compile(translate(part)) for part in parts]

    def __call__(self, path: str) -> bool:
        """Whether the whole path matches."""
        reachable = {0}
        for segment in path.split("/"):
            reachable = self._skip(reachable)
            reachable = {
                at + (part is not None)
                for at in reachable
                if at < len(self._parts) and ((part := self._parts[at]) is None or part.match(segment))
            }
        return len(self._parts) in self._skip(reachable)

    def _skip(self, reachable: set[int]) -> set[int]:
        """A ``**`` may stand for no directory at all."""
        return reachable | {at + 1 for at in reachable if at < len(self._parts) and self._parts[at] is None}
