"""How text becomes tokens: the same functions read a file when indexing and a question when searching.

Tokens are made here, in Python, and handed to tantivy joined by blanks, for its ``whitespace`` tokenizer;
so no tokenizer has to be registered, and the index can be opened by any program. What this module does to
text is part of the index format: ``fingerprint`` digests its description *and* its behaviour, and an
index whose manifest names another fingerprint is refused, because it would silently miss hits.
"""

import hashlib
import re
from functools import cache, lru_cache
from typing import Final

import Stemmer

ANALYZER_VERSION: Final = 1
MAX_TOKEN_CHARS: Final = 100

_IDENTIFIER: Final = re.compile(r"[^\W\d][\w$]*|\$[\w$]*|\d\w*")
_PART: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[^\W_a-zA-Z0-9]+")
_SPACES: Final = {character: chr(0x2400 + character) for character in range(0x21)}
_PROBE: Final = (
    "class HTTPServer2: def get_userNames(self, $scope, _privé): return parse_url('A b\tc') "
    "# İstanbul STRASSE naïve 日本語 utf8 XMLHttpRequest running studies"
)


@cache
def _stemmer() -> "Stemmer.Stemmer":
    return Stemmer.Stemmer("english", 0)


@lru_cache(maxsize=1 << 17)
def stem(word: str) -> str:
    """The English stem of a lower-case word (Snowball, through PyStemmer)."""
    return str(_stemmer().stemWord(word))


@lru_cache(maxsize=1 << 17)
def split_identifier(name: str) -> tuple[str, ...]:
    """The lower-case words of an identifier: ``getUserName2`` gives ``get user name 2``."""
    return tuple(part.lower() for part in _PART.findall(name))


@lru_cache(maxsize=1 << 17)
def stems_of(name: str) -> tuple[str, ...]:
    """The stemmed words of an identifier or of plain text without blanks."""
    return tuple(stem(part)[:MAX_TOKEN_CHARS] for part in split_identifier(name))


def identifiers(text: str) -> list[str]:
    """Every whole identifier (and number) of a text, case kept, in order.

    An identifier with a ``$`` is followed by its parts without it, so that ``scope`` finds ``$scope``.
    """
    found: list[str] = []
    for name in _IDENTIFIER.findall(text):
        found.append(name[:MAX_TOKEN_CHARS])
        if "$" in name:
            found.extend(part[:MAX_TOKEN_CHARS] for part in name.split("$") if part)
    return found


def words(text: str) -> list[str]:
    """The stemmed words of a text, identifiers split at case changes, underscores and digits."""
    found: list[str] = []
    for name in _IDENTIFIER.findall(text):
        found.extend(stems_of(name))
    return found


def trigrams(text: str) -> list[str]:
    """Every three successive characters of the lower-cased text, in order; blanks made visible.

    The n-th token stands at position n, so a run of them is a substring; see ``fold``.
    """
    folded = fold(text)
    return [folded[at : at + 3] for at in range(len(folded) - 2)]


def fold(text: str) -> str:
    """The text lower-cased, with every blank and control character replaced by a visible symbol.

    tantivy's whitespace tokenizer splits at ASCII blanks, so a token must not hold any.
    """
    return text.lower().translate(_SPACES)


@cache
def fingerprint() -> str:
    """``sha256:…`` over the description of this analyzer and what it makes of a fixed text."""
    description = "\n".join(
        [
            f"analyzer {ANALYZER_VERSION}",
            f"identifier {_IDENTIFIER.pattern}",
            f"part {_PART.pattern}",
            f"stemmer english {Stemmer.version()}",
            f"max token {MAX_TOKEN_CHARS}",
            " ".join(identifiers(_PROBE)),
            " ".join(words(_PROBE)),
            " ".join(trigrams(_PROBE)),
        ]
    )
    return "sha256:" + hashlib.sha256(description.encode()).hexdigest()
