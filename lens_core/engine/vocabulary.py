"""The words that an index's own names are made of, and which of them a word of a question may stand for.

Stemming brings ``parsing`` to ``parse``, but people also write "configuration" for ``config``, "normalise"
for ``normalizer`` and "file name" for ``filename``. What one repository means by that can be read off its
own names: words that continue one another, or that two words of the question make together.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from lens_core.engine.analyzer import stem, stems_of

_MIN_SHORTER: Final = 3
_MIN_CONTINUED: Final = 4
_MAX_KIN: Final = 8
_MAX_SCANNED: Final = 64


class Vocabulary:
    """The distinct stems of all names of an index."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._known = {word for name in names for word in stems_of(name)}
        self._sorted = sorted(self._known)

    def kin(self, word: str) -> tuple[str, ...]:
        """Words of names that begin ``word`` or that it begins, nearest in length first; at most 8."""
        found = [word[:end] for end in range(_MIN_SHORTER, len(word)) if word[:end] in self._known]
        if len(word) >= _MIN_CONTINUED:
            start = bisect_left(self._sorted, word)
            for other in self._sorted[start : start + _MAX_SCANNED]:
                if not other.startswith(word):
                    break
                if other != word:
                    found.append(other)
        found.sort(key=lambda other: (abs(len(other) - len(word)), other))
        return tuple(found[:_MAX_KIN])

    def joined(self, words: Sequence[str]) -> tuple[str, ...]:
        """Words of names that two successive ``words`` (as written, in lower case) spell together."""
        pairs = (stem(left + right) for left, right in pairwise(words))
        return tuple(dict.fromkeys(pair for pair in pairs if pair in self._known))
