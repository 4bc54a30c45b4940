"""Derives questions with known answers from a corpus: five classes, at most ``per_class`` of each.

==========  ==========================================  ================================================
class       text                                        relevant units
==========  ==========================================  ================================================
nl          first sentence of a function's docstring    all functions that are documented by it (≤ 10)
sym         a name, exactly                             all definitions of that name (≤ 30)
ident       an identifier, exactly                      all units that hold it as a whole token (≤ 30)
symwords    a name of two words or more, as words       all definitions whose name has those words (≤ 10)
substr      5–7 characters from inside an identifier    all units that hold it, in any case (≤ 30)
==========  ==========================================  ================================================

Relevance is exact: the limits drop a question whose answer is longer, they never cut an answer short.

- ``nl``: at least one such function spans 4 lines or more, is not in a test and is no dunder; the
  sentence has 4 words or more, and stands nowhere in the stripped corpus. Markup is cleaned away.
- ``sym``: plain names of 3 characters or more. ``symwords``: plain names, no dunders, split at case
  changes, digits and underscores, in lower case.
- ``ident``: ASCII identifiers of two words or more, as a single word may well be prose of a comment. A
  token is a maximal run of letters, digits, ``_`` and ``$``, wherever it stands, comments included.
- ``substr``: at most one cut from such an identifier of 8 characters or more, behind its first character;
  never a whole token of the corpus.

Which questions are taken depends on the seed alone: candidates are ordered by the SHA-256 of seed,
class and text, which no change of Python or of the other candidates can reshuffle.
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice

from lens_core.model import QUERY_CLASSES, Definition, Digest, Question, Unit
from lens_core.truth import TRUTH_RULES_VERSION, Documented, own_lines, unit_of

PER_CLASS = 300
"""How many questions of a class are enough: the confidence interval of its recall is ± .05 at worst."""
MAX_RELEVANT = 30
"""The longest answer of ``sym``, ``ident`` and ``substr``: it has to fit well into the first 50 hits."""
MAX_ALIKE = 10
"""A sentence or a split name that more definitions share is boilerplate, and asks for none of them."""

_SENTENCE_WORDS = 4
_PROBE_WORDS = 6
_FUNCTION_LINES = 4
_NAME_LENGTH = 3
_CUT_FROM_LENGTH = 8
_COMPOUND = 2

_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_TOKEN = re.compile(r"[\w$]+")
_DUNDER = re.compile(r"__\w+__")
_NAME_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_FUNCTIONS = frozenset({"function", "method", "constructor", "getter", "setter"})
_TEST_FOLDER = re.compile(r"(^|/)(tests?|__tests__|specs?)/")
_TEST_FILE = re.compile(r"(^|/)(test_[^/]*|conftest|[^/]*(_test|[.-](test|spec)))\.\w+$")

_MARKUP = (
    (re.compile(r"\{@(?:link|linkcode|linkplain|see)\s+[^}|\s]+\s*[|\s]\s*([^}]+)\}"), r"\1"),
    (re.compile(r"\{@\w+\s+([^}]+)\}"), r"\1"),
    (re.compile(r"!?\[([^\]]+)\]\([^)]*\)"), r"\1"),
    (re.compile(r":[\w:+-]+:`~[^`<]*?([^.`<]+)`"), r"\1"),
    (re.compile(r":[\w:+-]+:`([^`<]+?)(?:\s*<[^`>]*>)?`"), r"\1"),
    (re.compile(r"`([^`<]+?)\s*<[^`>]*>`_+"), r"\1"),
    (re.compile(r"`+"), ""),
    (re.compile(r"\*\*(?=\S)([^*]+)(?<=\S)\*\*"), r"\1"),
    (re.compile(r"</?(?:code|b|i|em|strong|p|br|a|pre|tt|li|ul|kbd|span)(?:\s[^>]*)?/?>"), ""),
    (re.compile(r"\s+"), " "),
)
# A full stop ends a sentence if a new one starts behind it, unless it belongs to an abbreviation.
_SENTENCE_END = re.compile(r"(?<!\be\.g)(?<!\bi\.e)(?<!\betc)(?<!\bvs)[.!?](?=\s+[\"'(A-Z\[{]|\s*$)")
_NOT_PROSE = re.compile(r"\s*(```|~~~|>>>|\.\. |[-*+=#|:]|\d+[.)]\s|@)")
# Where the prose of a first paragraph ends: an empty line, a list, an underline, a section, a fence.
_PROSE_END = re.compile(
    r"^[ \t]*($|[-*+] |\d+[.)] |[-=~^]{3}|```|>>> |\.\. |@|#"
    r"|(parameters|params|args|arguments|keyword arguments|returns?|yields?|raises|throws|attributes|examples?|usage"
    r"|notes?|warnings?|see also|deprecated|todo)[ \t]*(:|$))",
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a corpus: its text as published and as indexed, and its definitions."""

    path: str
    original: str
    stripped: str
    documented: tuple[Documented, ...]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A sentence that was stripped from ``path``: an index that knows it has seen the answers."""

    path: str
    sentence: str


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions by class (in the order of ``QUERY_CLASSES``), and all units of the corpus by place."""

    questions: tuple[Question, ...]
    units: tuple[Unit, ...]

    @property
    def digest(self) -> Digest:
        """Over the questions, the units and the version of the rules that made them."""
        content = json.dumps([TRUTH_RULES_VERSION, asdict(self)], sort_keys=True)
        return Digest(f"sha256:{hashlib.sha256(content.encode()).hexdigest()}")


def derive_questions(files: Sequence[SourceFile], seed: int, per_class: int = PER_CLASS) -> QuestionSet:
    """At most ``per_class`` questions of each class about ``files``; the same for the same seed."""
    units: list[Unit] = []
    holders: dict[str, list[str]] = defaultdict(list)
    for file in sorted(files, key=lambda item: item.path):
        lines = file.stripped.split("\n")
        for unit, numbers in own_lines(file.path, file.stripped, (item.definition for item in file.documented)):
            units.append(unit)
            for token in {token for number in numbers for token in _TOKEN.findall(lines[number - 1])}:
                holders[token].append(unit.unit_id)
    definitions = [item.definition for file in files for item in file.documented]
    candidates = {
        "nl": _nl(files, seed),
        "sym": _sym(definitions, seed),
        "ident": _ident(holders, seed),
        "symwords": _symwords(definitions, seed),
        "substr": _substr(holders, seed),
    }
    questions = [question for name in QUERY_CLASSES for question in islice(candidates[name], per_class)]
    return QuestionSet(tuple(questions), tuple(units))


def held_out(files: Sequence[SourceFile], seed: int, count: int) -> tuple[HeldOut, ...]:
    """At most ``count`` sentences whose presence in an index proves that docstrings were indexed.

    Each stood, exactly so, on one line of its file's documentation, documents one function only, has
    6 words or more, and stands nowhere in the stripped corpus.
    """
    everything = "\n".join(file.stripped for file in files)
    originals = {file.path: file.original for file in files}
    found: list[HeldOut] = []
    sentences = _sentences(files)
    for sentence in _shuffled(sentences, seed, "held-out"):
        items = sentences[sentence]
        path = items[0].definition.path
        distinctive = len(items) == 1 and _words(sentence) >= _PROBE_WORDS and sentence in originals[path]
        if len(found) < count and distinctive and sentence not in everything:
            found.append(HeldOut(path, sentence))
    return tuple(found)


def first_sentence(documentation: str) -> str:
    """The first sentence of a docstring's prose without markup and full stop; "" if it starts otherwise."""
    paragraph = documentation.replace("\r", "").strip()
    if _NOT_PROSE.match(paragraph):
        return ""
    if end := _PROSE_END.search(paragraph):
        paragraph = paragraph[: end.start()]
    for pattern, replacement in _MARKUP:
        paragraph = pattern.sub(replacement, paragraph)
    end = _SENTENCE_END.search(paragraph)
    return paragraph[: end.start() if end else None].strip(" .:;")


def split_name(name: str) -> tuple[str, ...]:
    """The words of a name in lower case: ``parseHTTPHeader_v2`` has parse, http, header, v and 2."""
    return tuple(word.lower() for word in _NAME_WORD.findall(name))


def is_test(path: str) -> bool:
    """True for a file that, by its name or a folder's, holds tests."""
    return bool(_TEST_FOLDER.search(path) or _TEST_FILE.search(path))


def _nl(files: Sequence[SourceFile], seed: int) -> Iterator[Question]:
    everything = "\n".join(file.stripped for file in files)
    sentences = _sentences(files)
    for sentence in _shuffled(sentences, seed, "nl"):
        definitions = [item.definition for item in sentences[sentence]]
        asked = len(definitions) <= MAX_ALIKE and any(map(_worth_asking, definitions))
        if asked and _words(sentence) >= _SENTENCE_WORDS and sentence not in everything:
            yield _question("nl", sentence, map(_unit_id, definitions))


def _sentences(files: Sequence[SourceFile]) -> Mapping[str, list[Documented]]:
    found: dict[str, list[Documented]] = defaultdict(list)
    for file in files:
        for item in file.documented:
            if item.documentation and item.definition.kind in _FUNCTIONS:
                found[first_sentence(item.documentation)].append(item)
    found.pop("", None)
    return found


def _worth_asking(definition: Definition) -> bool:
    long_enough = definition.end_line - definition.start_line + 1 >= _FUNCTION_LINES
    return long_enough and not is_test(definition.path) and not _DUNDER.fullmatch(definition.name)


def _words(sentence: str) -> int:
    return len(re.findall(r"\w+", sentence))


def _sym(definitions: Iterable[Definition], seed: int) -> Iterator[Question]:
    named: dict[str, set[str]] = defaultdict(set)
    for definition in definitions:
        if len(definition.name) >= _NAME_LENGTH and _IDENTIFIER.fullmatch(definition.name):
            named[definition.name].add(_unit_id(definition))
    for name in _shuffled(named, seed, "sym"):
        if len(named[name]) <= MAX_RELEVANT:
            yield _question("sym", name, named[name])


def _symwords(definitions: Iterable[Definition], seed: int) -> Iterator[Question]:
    named: dict[str, set[str]] = defaultdict(set)
    for definition in definitions:
        words = split_name(definition.name)
        if (
            len(words) >= _COMPOUND
            and _IDENTIFIER.fullmatch(definition.name)
            and not _DUNDER.fullmatch(definition.name)
        ):
            named[" ".join(words)].add(_unit_id(definition))
    for text in _shuffled(named, seed, "symwords"):
        if len(named[text]) <= MAX_ALIKE:
            yield _question("symwords", text, named[text])


def _ident(holders: Mapping[str, Sequence[str]], seed: int) -> Iterator[Question]:
    for token in _shuffled(filter(_is_code, holders), seed, "ident"):
        if len(holders[token]) <= MAX_RELEVANT:
            yield _question("ident", token, holders[token])


def _substr(holders: Mapping[str, Sequence[str]], seed: int) -> Iterator[Question]:
    # What consists of token characters only can stand only inside one token: the tokens are the text.
    tokens = sorted(holders)
    lowered = [token.lower() for token in tokens]
    whole = set(lowered)
    asked: set[str] = set()
    identifiers = [token for token in tokens if len(token) >= _CUT_FROM_LENGTH and _is_code(token)]
    for token in _shuffled(identifiers, seed, "substr"):
        cut = _cut(token, seed)
        if cut.lower() in whole or cut.lower() in asked:
            continue
        asked.add(cut.lower())
        units = {
            unit
            for holder, text in zip(tokens, lowered, strict=True)
            if cut.lower() in text
            for unit in holders[holder]
        }
        if len(units) <= MAX_RELEVANT:
            yield _question("substr", cut, units)


def _is_code(token: str) -> bool:
    return bool(_IDENTIFIER.fullmatch(token)) and len(split_name(token)) >= _COMPOUND


def _cut(token: str, seed: int) -> str:
    numbers = hashlib.sha256(f"{seed}\0cut\0{token}".encode()).digest()
    length = 5 + numbers[0] % 3
    start = 1 + numbers[1] % (len(token) - length)
    return token[start : start + length]


def _shuffled(texts: Iterable[str], seed: int, purpose: str) -> list[str]:
    return sorted(texts, key=lambda text: hashlib.sha256(f"{seed}\0{purpose}\0{text}".encode()).digest())


def _question(query_class: str, text: str, units: Iterable[str]) -> Question:
    key = hashlib.sha256(f"{query_class}\0{text}".encode()).hexdigest()[:12]
    return Question(f"{query_class}-{key}", query_class, text, tuple(sorted(set(units))))


def _unit_id(definition: Definition) -> str:
    return unit_of(definition.path, definition.start_line, definition.end_line, definition.name).unit_id
