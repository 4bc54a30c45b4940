"""The exception tree: expected outcomes are values, broken promises are exceptions.

::

    LensError(message, hint)
    ├── InvalidInput      the caller must change the request       exit 2
    ├── Refused           policy says no; carries ``blockers``     exit 3
    │   ├── Conflict      somebody else holds it, or did it first
    │   ├── NotReady      evidence is missing
    │   └── SignoffRefused  a statement that does not count
    ├── Unavailable       the world failed; trying again may help  exit 4
    └── IntegrityError    evidence does not match its digest       exit 5
        └── BrokenChain   the audit log is not what was written

A failed gate is no exception: it is an Answer (``lens_core.model``). Adapters translate foreign
exceptions with ``raise … from``; nothing above them names another library's errors.
"""

from collections.abc import Sequence


class LensError(Exception):
    """Base of all errors that Lens raises on purpose.

    ``message`` says what was expected and what was seen; ``hint`` says what to do about it.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidInput(LensError):
    """The caller must change the request."""

    exit_code = 2


class Refused(LensError):
    """Policy says no; ``blockers`` names every reason."""

    exit_code = 3

    def __init__(self, message: str, hint: str = "", blockers: Sequence[str] = ()) -> None:
        super().__init__(message, hint)
        self.blockers = tuple(blockers)


class Conflict(Refused):
    """Somebody else holds what was asked for, or has done it already."""


class NotReady(Refused):
    """Evidence is missing or does not pass; ``blockers`` names all of it."""


class SignoffRefused(Refused):
    """A statement that does not count: who signed it, what it is about, or when, is not what it must be."""


class Unavailable(LensError):
    """The world failed (network, process, disk); trying again may help."""

    exit_code = 4


class IntegrityError(LensError):
    """Bytes do not match the digest that they are bound to."""

    exit_code = 5


class BrokenChain(IntegrityError):
    """The audit log is not what was written."""
