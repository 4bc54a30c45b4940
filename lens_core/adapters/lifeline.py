"""A process that must not outlive its parent holds a pipe to it: at its end, so ends the child."""

import os
import sys
import threading
from collections.abc import Callable


def die_with_parent(last_words: Callable[[], None] | None = None) -> None:
    """From now on, end this process at once when standard input closes (the parent died or let go)."""

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        if last_words is not None:
            last_words()
        os._exit(70)

    threading.Thread(target=wait, daemon=True, name="lifeline").start()
