"""Reads audit logs without the ledger's own code: a ledger by plain read-only SQLite, or a file that was exported.

An export has one entry a line, as canonical JSON: the entry's own bytes, its head, the key's id and the signature.
"""

import base64
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from lens_core.adapters.ledger_contents import contents
from lens_core.audit import Kept
from lens_core.errors import IntegrityError, InvalidInput, Unavailable

_ENTRIES = "SELECT number, content, head, key, signature FROM audit_entry ORDER BY number"
_NEWEST = _ENTRIES + " DESC"
_BEGIN = b'{"entry":'
_END = re.compile(
    rb',"head":"(sha256:[0-9a-f]{64})","key":"(ed25519:[0-9a-f]{64})","signature":"([A-Za-z0-9+/]{86}==)"\}\n'
)
# Of one length, whatever it holds: so it is found from the line's end, and a million lines are not searched.
_END_BYTES = len(b',"head":"sha256:","key":"ed25519:","signature":""}\n') + 64 + 64 + 88


@dataclass(frozen=True, slots=True)
class Reading:
    """A log as it stands at one moment, and what the ledger held then; ``held`` is None when it is no ledger's."""

    entries: Iterator[Kept]
    held: dict[str, str] | None


@contextmanager
def reading(file: Path) -> Iterator[Reading]:
    """Read a ledger or an export. InvalidInput when it is not there, Unavailable when it cannot be read."""
    if _is_ledger(file):
        with _ledger(file) as connection:
            yield Reading(_kept(connection, _ENTRIES), contents(lambda query: connection.execute(query).fetchall()))
        return
    try:
        with file.open("rb") as opened:
            yield Reading(_exported(opened, file.name), None)
    except OSError as error:
        raise _unreadable(file, error.strerror) from error


def _is_ledger(file: Path) -> bool:
    """Whether it is a database, as SQLite itself finds.

    Looking at its first bytes would be simpler, and would harm: a process that closes any handle of a file loses all
    its locks on it (POSIX), those of its open ledger as well. The next process that closes the ledger would then
    believe to be the last one, and take the journal away.
    """
    if not file.is_file():
        raise _unreadable(file, "there is no such file")
    try:
        if not file.stat().st_size:
            return False
        with closing(
            sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True, timeout=30)
        ) as connection:
            connection.execute("SELECT 1 FROM sqlite_master")
    except sqlite3.Error as error:
        return getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_NOTADB
    return True


def _connected(file: Path) -> sqlite3.Connection:
    address = f"file:{quote(str(file.absolute()))}?mode=ro"
    return sqlite3.connect(address, uri=True, isolation_level=None, timeout=30)


def _unreadable(file: Path, why: str | None) -> InvalidInput:
    return InvalidInput(f"{file} cannot be read: {why}", "name a ledger or an exported log")


@contextmanager
def newest_first(file: Path) -> Iterator[Iterator[Kept]]:
    """The entries of a ledger, the newest first; for who needs few of them."""
    with _ledger(file) as connection:
        yield _kept(connection, _NEWEST)


@contextmanager
def _ledger(file: Path) -> Iterator[sqlite3.Connection]:
    """One reading transaction: entries and tables are of the same moment, whoever writes meanwhile."""
    try:
        with closing(_connected(file)) as connection:
            connection.execute("BEGIN")
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'audit_entry'").fetchone():
                [(schema,)] = connection.execute("PRAGMA user_version").fetchall()
                raise InvalidInput(
                    f"expected an audit log in {file.name}, saw a ledger of schema {schema} without one",
                    "any `lens` command that opens it brings it up to date; its log begins then",
                )
            yield connection
    except sqlite3.Error as error:
        raise Unavailable(f"the ledger {file.name} cannot be read: {error}", "check the disk and the file") from error


def _kept(connection: sqlite3.Connection, query: str) -> Iterator[Kept]:
    for number, content, head, key, signature in connection.execute(query):
        # Tables of SQLite hold any type in any column: what is no bytes is no entry.
        bytes_of = (content if isinstance(content, bytes) else b"", signature if isinstance(signature, bytes) else b"")
        yield Kept(number, bytes_of[0], head, str(key), bytes_of[1])


def exported_line(kept: Kept) -> bytes:
    """One entry as a line of an export."""
    signature = base64.b64encode(kept.signature)
    return b'{"entry":%b,"head":"%b","key":"%b","signature":"%b"}\n' % (
        kept.content,
        kept.head.encode(),
        kept.key.encode(),
        signature,
    )


def _exported(opened: BinaryIO, name: str) -> Iterator[Kept]:
    for number, line in enumerate(opened, 1):
        found = _END.fullmatch(line, max(0, len(line) - _END_BYTES))
        if found is None or not line.startswith(_BEGIN):
            raise IntegrityError(
                f"{name}, line {number}: expected an entry of an audit log, saw {line[:60]!r}",
                "it was cut off or edited, or is no export: `lens audit export` makes one",
            )
        head, key, signature = found.groups()
        content = line[len(_BEGIN) : found.start()]
        yield Kept(number, content, head.decode(), key.decode(), base64.b64decode(signature))
