"""What the engine says when it will not go on, split by who must act.

::

    EngineError(message, hint)
    ├── BadRequest      the caller must change the request              exit 2
    ├── Unavailable     the world failed (disk, port); try again        exit 4
    └── IndexRefused    the index is damaged, foreign or newer          exit 5
"""


class EngineError(Exception):
    """Base of all errors that the engine raises on purpose.

    ``message`` says what was expected and what was seen; ``hint`` says what to do about it.
    ``exit_code`` is what the command line ends with.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class BadRequest(EngineError):
    """The caller asked for something that cannot be: a missing directory, an empty query."""

    exit_code = 2


class Unavailable(EngineError):
    """The world failed underneath (a full disk, a taken port); trying again may help."""

    exit_code = 4


class IndexRefused(EngineError):
    """An index that must not be answered from; ``code`` names the reason for machines.

    Codes: ``missing``, ``foreign``, ``newer``, ``older``, ``schema``, ``analyzer``, ``damaged``.
    """

    exit_code = 5

    def __init__(self, message: str, hint: str = "", code: str = "damaged") -> None:
        super().__init__(message, hint)
        self.code = code
