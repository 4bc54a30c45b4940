"""What a question is after, and the tantivy query that asks for it.

Four classes, told apart by the text alone and by what the index knows:

* ``exact``: in double quotes; a case-sensitive substring, verified against the stored text.
* ``name``: one token that is an identifier of the index; definitions of that name first, then chunks that
  hold the very identifier, then substrings, then chunks with all of its words.
* ``fragment``: one token that is no known identifier, or no word at all; substrings in any case.
* ``words``: several words; ranked over stemmed words.

Tiers stand apart by constant scores that no sum of lower tiers and BM25 can reach. The number of clauses is
bounded, so that no question is much slower than the others.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import tantivy

from lens_core.engine.analyzer import fold, identifiers, split_identifier, stem, stems_of
from lens_core.engine.thesaurus import RELATED
from lens_core.engine.vocabulary import Vocabulary

MAX_CHARS: Final = 512
_MAX_TERMS: Final = 24
_MAX_SUBSTRING_TRIGRAMS: Final = 40
_LITERAL_CHARS: Final = 24
_MAX_WORD_CHARS: Final = 100

SAME_SYMBOL: Final = 8000.0
OTHER_CASE_SYMBOL: Final = 4000.0
SAME_IDENTIFIER: Final = 2000.0
SUBSTRING: Final = 1000.0
SAME_WORDS_SYMBOL: Final = 3000.0
SAME_WORDS_IN_CODE: Final = 60.0
MENTIONED_SYMBOL: Final = 8.0

# Measured, see docs/engine-quality.md; so are the numbers in `search` and `catalogue`.
_WORD_WEIGHTS: Final = (("symbol_words", 1.0), ("body", 0.6), ("context", 0.6), ("path_words", 0.6))
_RELATED_WEIGHTS: Final = (("symbol_words", 0.3), ("body", 0.3))
_KIN_WEIGHTS: Final = (("symbol_words", 0.8), ("body", 0.2))
_JOINED_WEIGHTS: Final = (("symbol_words", 0.4), ("body", 0.4))
_QUOTED: Final = re.compile(r'"(.*\S.*)"', re.DOTALL)
_CODE: Final = re.compile(r"[(){}\[\];=<>.:!&|+*/%]")
_PLAIN: Final = re.compile(r"[\w\s]+")
_CODE_NAME: Final = re.compile(r"[a-z0-9][A-Z]|_|[a-zA-Z][0-9]|^[A-Z]{2}")

_STOP_WORDS: Final = """
a an the of to in on at for from by with as is are was be been it its this that these those and or not no if when then
than so do does did can could will would should may might must into out over under up down i you we they he she one
"""
STOP_WORDS: Final = frozenset(stem(word) for word in _STOP_WORDS.split())


@dataclass(frozen=True)
class Question:
    """A question as it was understood.

    ``text`` is what is looked for (without the quotes of an exact one), ``terms`` its weighty stems.
    """

    kind: str
    text: str
    terms: tuple[str, ...]


def understand(raw: str, known: Iterable[str] | None = None) -> Question:
    """Classifies a question; ``known`` holds identifiers of the index (anything with ``in``)."""
    raw = raw[:MAX_CHARS]
    if (quoted := _QUOTED.fullmatch(raw)) is not None:
        return Question("exact", quoted[1], ())
    text = raw.strip()
    names = identifiers(text)
    if not names:
        return Question("fragment", text, ())
    terms = weighty_terms(names)
    if len(text.split()) > 1:
        return Question("words", text, terms)
    if names[0] == text and known is not None and text in known:
        return Question("name", text, terms)
    return Question("fragment", text, terms)


def weighty_terms(names: Iterable[str]) -> tuple[str, ...]:
    """The distinct stems of a question without stop words, unless it has no others; at most 24."""
    every = list(dict.fromkeys(word for name in names for word in stems_of(name)))
    weighty = [word for word in every if word not in STOP_WORDS]
    return tuple((weighty or every)[:_MAX_TERMS])


class QueryBuilder:
    """Builds tantivy queries against the chunk schema."""

    def __init__(self, schema: tantivy.Schema) -> None:
        self._schema = schema

    def term(self, field: str, value: str, boost: float = 1.0) -> tantivy.Query:
        """One term, scored by BM25 times ``boost``."""
        query = tantivy.Query.term_query(self._schema, field, value, index_option="freq")
        return tantivy.Query.boost_query(query, boost)

    def constant(self, field: str, value: str, score: float) -> tantivy.Query:
        """One term with a fixed score."""
        query = tantivy.Query.term_query(self._schema, field, value, index_option="basic")
        return tantivy.Query.const_score_query(query, score)

    def substring(self, text: str, score: float = SUBSTRING) -> tantivy.Query | None:
        """Chunks holding ``text`` in any case, by trigram positions; None below three characters.

        Every third trigram, and the last, cover all characters. Beyond 120 characters only the first 120
        are looked for: a superset, for the caller to verify.
        """
        folded = fold(text)
        last = len(folded) - 3
        if last < 0:
            return None
        starts = [*range(0, last, 3), last][:_MAX_SUBSTRING_TRIGRAMS]
        parts: list[str | tuple[int, str]] = [(at, folded[at : at + 3]) for at in starts]
        if len(parts) == 1:
            return self.constant("trigrams", folded[:3], score)
        query = tantivy.Query.phrase_query(self._schema, "trigrams", parts)
        return tantivy.Query.const_score_query(query, score)

    def name(self, question: Question, other_cases: Iterable[str]) -> tantivy.Query:
        """The tiers of a known identifier; ``other_cases`` are symbols that differ in case only."""
        text = question.text
        clauses = [
            self.constant("symbol", text, SAME_SYMBOL),
            self.constant("identifiers", text, SAME_IDENTIFIER),
            self.term("identifiers", text),
            *(self.constant("symbol", other, OTHER_CASE_SYMBOL) for other in other_cases),
        ]
        return self._with_lower_tiers(clauses, question)

    def fragment(self, question: Question, other_cases: Iterable[str]) -> tantivy.Query:
        """The tiers of a token that is no known identifier."""
        clauses = [self.constant("symbol", other, OTHER_CASE_SYMBOL) for other in other_cases]
        return self._with_lower_tiers(clauses, question)

    def _with_lower_tiers(self, clauses: list[tantivy.Query], question: Question) -> tantivy.Query:
        substring = self.substring(question.text)
        if substring is not None:
            clauses.append(substring)
        if question.terms:
            every_word = [(tantivy.Occur.Must, self.any_field(word, _WORD_WEIGHTS[:3])) for word in question.terms]
            clauses.append(tantivy.Query.boolean_query(every_word))
        return _should(clauses)

    def words(self, question: Question, known: Iterable[str], vocabulary: Vocabulary) -> tantivy.Query:
        """Stemmed words over all fields, their relatives with less weight, mentioned names on top."""
        clauses = [self.term(field, word, weight) for word in question.terms for field, weight in _WORD_WEIGHTS]
        spelt = [word for name in identifiers(question.text) for word in split_identifier(name)]
        clauses.extend(self._relatives(question, spelt, vocabulary))
        phrase = " ".join(spelt)
        if len(phrase) <= _MAX_WORD_CHARS:
            # With punctuation it may be a piece of code: `], init` must not bring every `__init__` first.
            tier = SAME_WORDS_SYMBOL if _PLAIN.fullmatch(question.text) else SAME_WORDS_IN_CODE
            clauses.append(self.constant("symbol_phrase", phrase, tier))
        for name in dict.fromkeys(identifiers(question.text)[:_MAX_TERMS]):
            if _CODE_NAME.search(name) and name in known:
                clauses.append(self.constant("symbol", name, MENTIONED_SYMBOL))
                clauses.append(self.term("identifiers", name))
        literal = len(question.text) <= _LITERAL_CHARS or _CODE.search(question.text)
        substring = self.substring(question.text) if literal else None
        if substring is not None:
            clauses.append(substring)
        return _should(clauses)

    def _relatives(self, question: Question, spelt: list[str], vocabulary: Vocabulary) -> Iterator[tantivy.Query]:
        """Clauses for other words than those of a question: what code says, and what this index's names say."""
        related = dict.fromkeys(other for word in question.terms for other in RELATED.get(word, ()))
        extra = [other for other in related if other not in question.terms][:_MAX_TERMS]
        for field, weight in _RELATED_WEIGHTS:
            yield from (self.term(field, word, weight) for word in extra)
        for word in question.terms:
            kin = vocabulary.kin(word)
            for field, weight in _KIN_WEIGHTS if kin else ():
                # The best of them alone counts: ten words with one beginning are no more than one of them.
                yield tantivy.Query.disjunction_max_query([self.term(field, other, weight) for other in kin])
        for field, weight in _JOINED_WEIGHTS:
            yield from (self.term(field, word, weight) for word in vocabulary.joined(spelt[:_MAX_TERMS]))

    def any_field(self, word: str, weights: Iterable[tuple[str, float]]) -> tantivy.Query:
        """Chunks that hold a stem in any of the fields."""
        return _should([self.term(field, word, weight) for field, weight in weights])

    def restrict(self, query: tantivy.Query, filters: list[tantivy.Query]) -> tantivy.Query:
        """``query`` only where all ``filters`` match; they do not change the score."""
        if not filters:
            return query
        must = [(tantivy.Occur.Must, tantivy.Query.const_score_query(item, 0.0)) for item in filters]
        return tantivy.Query.boolean_query([*must, (tantivy.Occur.Must, query)])

    def one_of(self, field: str, values: list[str]) -> tantivy.Query:
        """Chunks whose raw ``field`` is one of ``values``; no values match nothing."""
        if not values:
            return tantivy.Query.empty_query()
        return tantivy.Query.term_set_query(self._schema, field, values)


def _should(queries: list[tantivy.Query]) -> tantivy.Query:
    if not queries:
        return tantivy.Query.empty_query()
    return tantivy.Query.boolean_query([(tantivy.Occur.Should, query) for query in queries])
