"""Fencing tokens: whoever takes a lease gets a higher number than all before, and only the highest may write.

A file lock tells that its holder lives. It does not tell that nobody else believes to hold it: a process that was
stopped for an hour, or whose lock's file was removed, wakes up and goes on writing. Its token gives it away.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlmodel import Session

from lens_core.adapters.audit_log import Trail
from lens_core.adapters.audit_rows import LeaseRow
from lens_core.adapters.lease import FileLease
from lens_core.adapters.ledger_file import LedgerFile
from lens_core.ports import Clock

NIGHT = "night"
"""The lease that nights are run under."""


class SqlLeases:
    """The tokens, on the ledger's file."""

    def __init__(self, file: Path, trail: Trail | None = None) -> None:
        self._file = LedgerFile(file, trail)

    def take(self, name: str, holder: str, now: datetime) -> int:
        """Take the lease, whoever held it; the token of its new holder."""
        with self._file.bookkeeping() as session:
            token = current_token(session, name) + 1
            session.merge(LeaseRow(name=name, token=token, holder=holder, taken_at=now))
            return token


class FencedLease:
    """Keeps the ``NightLease`` port: a file lock, and under it a token that outlives it."""

    def __init__(self, lock: FileLease, leases: SqlLeases, name: str, clock: Clock) -> None:
        self._lock = lock
        self._leases = leases
        self._name = name
        self._clock = clock

    @contextmanager
    def hold(self) -> Iterator[int]:
        """See ``NightLease``."""
        with self._lock.hold():
            holder = f"process {os.getpid()} on {socket.gethostname()}"
            yield self._leases.take(self._name, holder, self._clock.now())


def current_token(session: Session, name: str) -> int:
    """The token of the lease as it stands; 0 when nobody ever took it."""
    row = session.get(LeaseRow, name)
    return 0 if row is None else row.token
