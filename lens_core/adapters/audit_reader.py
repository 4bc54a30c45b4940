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

MAGIC = b"SQLite format 3\0"
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
    try:
        with file.open("rb") as opened:
            is_ledger = opened.read(len(MAGIC)) == MAGIC
            opened.seek(0)
            if not is_ledger:
                yield Reading(_exported(opened, file.name), None)
                return
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}", "name a ledger or an exported log") from error
    with _ledger(file) as connection:
        yield Reading(_kept(connection, _ENTRIES), contents(lambda query: connection.execute(query).fetchall()))


@contextmanager
def newest_first(file: Path) -> Iterator[Iterator[Kept]]:
    """The entries of a ledger, the newest first; for who needs few of them."""
    with _ledger(file) as connection:
        yield _kept(connection, _NEWEST)


@contextmanager
def _ledger(file: Path) -> Iterator[sqlite3.Connection]:
    """One reading transaction: entries and tables are of the same moment, whoever writes meanwhile."""
    try:
        address = f"file:{quote(str(file.absolute()))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=30)) as connection:
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
