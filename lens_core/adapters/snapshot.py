"""A consistent copy of a SQLite file, taken while others read and write it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from lens_core.adapters.durable import sync_file
from lens_core.errors import Unavailable

_PAGES_AT_ONCE = 1000

Pages = Callable[[int, int], None]
"""Told how many pages are done, and of how many."""


def snapshot(file: Path, target: Path, on_pages: Pages = lambda _done, _of: None) -> None:
    """Copy the database ``file`` as it stands to ``target``, whole and on the disk before this returns.

    ``target`` is one file: it needs no WAL beside it. Unavailable when either cannot be read or written; nothing that
    is half a copy stays behind.
    """
    try:
        with closing(_opened(file)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(
                copy, pages=_PAGES_AT_ONCE, progress=lambda _state, left, of: on_pages(of - left, of), sleep=0
            )
            copy.execute("PRAGMA journal_mode = DELETE")
        sync_file(target)
    except (sqlite3.Error, OSError) as error:
        target.unlink(missing_ok=True)
        raise Unavailable(f"{file.name} cannot be copied to {target}: {error}", "make room, then try again") from error


def _opened(file: Path) -> sqlite3.Connection:
    # mode=ro: a file that is not there is an error, not an empty database.
    return sqlite3.connect(f"file:{file.absolute().as_uri().removeprefix('file:')}?mode=ro", uri=True, timeout=30)
