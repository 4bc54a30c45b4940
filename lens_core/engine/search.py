"""Answers questions from an opened index: verified on opening, ordered reproducibly, bounded in time.

Every question is asked of tantivy once (questions in words twice: of the chunks and of the scopes). The best
400 (1,000 for fragments) are then ranked again in Python: for words the score of the scope is added,
functions are preferred and tests put back, and for substrings the very case is preferred. The window is of
fixed size, so the pages of an answer concatenate whatever their size; ties are broken by document order,
that is by path and line.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import tantivy

from lens_core.engine import manifest
from lens_core.engine.catalogue import Catalogue, load_catalogue
from lens_core.engine.chunks import Chunk
from lens_core.engine.errors import BadRequest, IndexRefused
from lens_core.engine.languages import LANGUAGES
from lens_core.engine.question import MAX_CHARS, SUBSTRING, QueryBuilder, Question, understand
from lens_core.engine.store import SCOPES, chunk_schema, guarded, open_store, scope_schema

MAX_LIMIT: Final = 100
MAX_OFFSET: Final = 10_000
MAX_GLOB_CHARS: Final = 200
WINDOW: Final = 400
# Fragments match in any case, and the very case must come first even when the other cases are many.
FRAGMENT_WINDOW: Final = 1000
_SCOPES_ASKED: Final = 1000
_SCOPE_WEIGHT: Final = 0.5
_TEST_MALUS: Final = 8.0
_SAME_CASE_BONUS: Final = 500.0
_TEST: Final = "test"


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer: where (1-based lines, both ends inclusive), what, and ``1 / (1 + rank)`` as the score."""

    path: str
    start_line: int
    end_line: int
    symbol: str
    kind: str
    language: str
    score: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A page of hits; ``total`` counts all chunks that match, whatever the page."""

    query: str
    total: int
    limit: int
    offset: int
    hits: list[Hit]


@dataclass(frozen=True, slots=True)
class Filters:
    """What hits must be: of a language, definitions only, in files that match a glob."""

    language: str | None = None
    symbols: bool = False
    glob: str | None = None


class CodeIndex:
    """An index opened for searching. It never changes, and may be asked from any thread."""

    def __init__(self, chunks: tantivy.Index, scopes: tantivy.Index, described: manifest.Manifest) -> None:
        self.manifest = described
        self._chunks = chunks.searcher()
        self._scopes = scopes.searcher()
        self._scope_schema = scopes.schema
        self._build = QueryBuilder(chunks.schema)
        self.catalogue: Catalogue = load_catalogue(self._chunks)
        self.scope_count: int = self._scopes.num_docs

    def search(self, query: str, *, limit: int = 10, offset: int = 0, filters: Filters = Filters()) -> Answer:
        """The hits of ``query`` from rank ``offset``, at most ``limit`` of them, best first.

        Scores fall strictly. Raises ``BadRequest`` for an empty or overlong query and for a limit, offset,
        language or glob out of bounds.
        """
        query = query.encode("utf-8", "replace").decode()  # lone surrogates cannot go to tantivy, nor into JSON
        _check(query, limit, offset, filters)
        question = understand(query, self.catalogue.identifiers)
        total, ranked = self._rank(question, filters, offset + limit)
        hits = [
            _hit(self.catalogue.chunks[number], rank)
            for rank, number in enumerate(ranked[offset : offset + limit], start=offset)
        ]
        return Answer(query, total, limit, offset, hits)

    def outline(self, path: str) -> list[Chunk] | None:
        """The definitions of one indexed file in the order of their lines; None for an unknown file."""
        numbers = self.catalogue.outlines.get(path)
        return None if numbers is None else [self.catalogue.chunks[number] for number in numbers]

    def _rank(self, question: Question, filters: Filters, wanted: int) -> tuple[int, list[int]]:
        """How many chunks match, and the best of them as document numbers."""
        substring = self._build.substring(question.text)
        if question.kind == "exact" or (question.kind == "fragment" and substring is None and not question.terms):
            return self._verified(question, filters, substring)
        query = self._build.restrict(self._query(question), self._filter_queries(filters))
        window = FRAGMENT_WINDOW if question.kind == "fragment" else WINDOW
        result = _ask(self._chunks, query, max(window, wanted), count=True)
        scored = [(score, address.doc) for score, address in result.hits]
        best = self._rerank(question, scored[:window])
        return _count(result), best + [number for _, number in scored[window:]]

    def _query(self, question: Question) -> tantivy.Query:
        if question.kind == "words":
            return self._build.words(question, self.catalogue.identifiers, self.catalogue.vocabulary)
        other_cases = self.catalogue.symbols_in_other_case(question.text)
        if question.kind == "name":
            return self._build.name(question, other_cases)
        return self._build.fragment(question, other_cases)

    def _rerank(self, question: Question, scored: list[tuple[float, int]]) -> list[int]:
        catalogue, text = self.catalogue, question.text
        scopes = self._scope_scores(question) if question.kind == "words" else {}
        test_malus = 0.0 if _TEST in question.terms else _TEST_MALUS
        ranked: list[tuple[float, int]] = []
        for score, number in scored:
            bonus = 0.0
            if score >= SUBSTRING and text in catalogue.chunks[number].text:
                bonus = _SAME_CASE_BONUS
            if question.kind == "words":
                bonus += _SCOPE_WEIGHT * scopes.get(catalogue.scopes[number], 0.0)
                bonus += catalogue.merits[number] - test_malus * catalogue.is_test[number]
            ranked.append((-(score + bonus), number))
        return [number for _, number in sorted(ranked)]

    def _scope_scores(self, question: Question) -> dict[int, float]:
        """BM25 of the best scopes for the words of a question, by scope document."""
        terms = [
            (tantivy.Occur.Should, tantivy.Query.term_query(self._scope_schema, "words", word, index_option="freq"))
            for word in question.terms
        ]
        result = _ask(self._scopes, tantivy.Query.boolean_query(terms), _SCOPES_ASKED)
        return {address.doc: score for score, address in result.hits}

    def _verified(self, question: Question, filters: Filters, substring: tantivy.Query | None) -> tuple[int, list[int]]:
        """Every chunk that holds the text exactly: definitions of that name first, then by document."""
        catalogue, text = self.catalogue, question.text
        if substring is None:
            found = set(catalogue.containing(text))
            allowed = self._allowed(filters)
            numbers = sorted(found if allowed is None else found & allowed)
        else:
            query = self._build.restrict(substring, self._filter_queries(filters))
            result = _ask(self._chunks, query, max(1, len(catalogue.chunks)))
            candidates = sorted(address.doc for _, address in result.hits)
            numbers = [number for number in candidates if text in catalogue.chunks[number].text]
        numbers.sort(key=lambda number: catalogue.chunks[number].symbol != text)
        return len(numbers), numbers

    def _allowed(self, filters: Filters) -> set[int] | None:
        queries = self._filter_queries(filters)
        if not queries:
            return None
        query = self._build.restrict(tantivy.Query.all_query(), queries)
        result = _ask(self._chunks, query, max(1, len(self.catalogue.chunks)))
        return {address.doc for _, address in result.hits}

    def _filter_queries(self, filters: Filters) -> list[tantivy.Query]:
        queries: list[tantivy.Query] = []
        if filters.language is not None:
            queries.append(self._build.one_of("language", [filters.language]))
        if filters.symbols:
            queries.append(self._build.one_of("role", ["definition"]))
        if filters.glob is not None:
            queries.append(self._build.one_of("path", self.catalogue.paths(filters.glob)))
        return queries


def open_index(directory: Path) -> CodeIndex:
    """Verifies and opens an index; raises ``IndexRefused`` with what was expected, seen, and to be done."""
    described = manifest.verify(directory)
    chunks = open_store(directory, chunk_schema())
    scopes = open_store(directory / SCOPES, scope_schema())
    with guarded("read the stored documents", opening=True):
        index = CodeIndex(chunks, scopes, described)
    _expect_count("documents", described.document_count, len(index.catalogue.chunks))
    _expect_count("scopes", len(set(index.catalogue.scopes)), index.scope_count)
    return index


def _expect_count(what: str, expected: int, seen: int) -> None:
    if seen != expected:
        raise IndexRefused(f"expected {expected} {what}, saw {seen}", "build the index again with `lens index`")


def _check(query: str, limit: int, offset: int, filters: Filters) -> None:
    if not query.strip():
        raise BadRequest("expected a query, saw nothing but blanks", "ask for a name, a fragment or some words")
    if len(query) > MAX_CHARS:
        raise BadRequest(f"expected at most {MAX_CHARS} characters, saw {len(query)}", "shorten the query")
    if not 1 <= limit <= MAX_LIMIT:
        raise BadRequest(f"expected a limit from 1 to {MAX_LIMIT}, saw {limit}", "ask for fewer hits at a time")
    if not 0 <= offset <= MAX_OFFSET:
        raise BadRequest(f"expected an offset from 0 to {MAX_OFFSET}, saw {offset}", "narrow the question")
    if filters.language is not None and filters.language not in LANGUAGES:
        raise BadRequest(f"expected a language of {', '.join(LANGUAGES)}, saw {filters.language}", "choose one")
    if filters.glob is not None and not 0 < len(filters.glob) <= MAX_GLOB_CHARS:
        raise BadRequest(
            f"expected a glob of 1 to {MAX_GLOB_CHARS} characters, saw {len(filters.glob)}", "shorten the glob"
        )


def _ask(searcher: tantivy.Searcher, query: tantivy.Query, limit: int, *, count: bool = False) -> tantivy.SearchResult:
    with guarded("answer the question"):
        return searcher.search(query, limit=limit, count=count)


def _count(result: tantivy.SearchResult) -> int:
    return int(result.count or 0)  # type: ignore[attr-defined]  # the stub lacks it


def _hit(chunk: Chunk, rank: int) -> Hit:
    return Hit(chunk.path, chunk.start_line, chunk.end_line, chunk.symbol, chunk.kind, chunk.language, 1.0 / (1 + rank))
