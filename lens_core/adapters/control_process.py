"""The control as a process of its own."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lens_core.adapters.listening import listening

_START_TIMEOUT_S = 30.0


class ControlProcess:
    """Keeps the ``Control`` port with ``lens_core.adapters.control_server``."""

    @contextmanager
    def serve(self) -> Iterator[str]:
        """Run it until the context ends; Unavailable when it does not start."""
        command = [sys.executable, "-m", "lens_core.adapters.control_server"]
        with listening(command, name="the control", timeout_s=_START_TIMEOUT_S, hint="run the night again") as child:
            yield child.url
