"""One of a kind at a time (a night, a monitor): an advisory file lock, which the kernel drops when its holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lens_core.errors import Conflict


class FileLease:
    """Keeps the ``Lease`` port. Held by the open file, so a SIGKILL releases it too.

    ``held`` says what goes on while somebody has it.
    """

    def __init__(self, file: Path, held: str = "a night is being run") -> None:
        self._file = file
        self._held = held

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the lease; Conflict names the process that has it."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a+") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                handle.seek(0)
                holder = handle.read().strip() or "unknown"
                raise Conflict(
                    f"{self._held} by process {holder}",
                    "wait for it, or end it",
                    blockers=[f"process {holder} holds {self._file}"],
                ) from error
            handle.truncate(0)
            handle.write(str(os.getpid()))
            handle.flush()
            yield
