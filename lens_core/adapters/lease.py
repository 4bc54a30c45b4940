"""One night at a time: an advisory file lock, which the kernel drops when its holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lens_core.errors import Conflict


class FileLease:
    """Keeps the ``Lease`` port. Held by the open file, so a SIGKILL releases it too."""

    def __init__(self, file: Path) -> None:
        self._file = file

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
                    f"a night is being run by process {holder}",
                    "wait for it, or end it",
                    blockers=[f"process {holder} holds {self._file}"],
                ) from error
            handle.truncate(0)
            handle.write(str(os.getpid()))
            handle.flush()
            yield
