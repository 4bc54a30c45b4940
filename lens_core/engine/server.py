"""Runs the application on a socket: says when it is ready, and ends with its parent if told to."""

import contextlib
import gc
import json
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import uvicorn

from lens_core.engine.app import create_app
from lens_core.engine.errors import Unavailable
from lens_core.engine.search import open_index


def settle_garbage() -> None:
    """Takes the loaded index out of the collector's sight, and makes full collections rare.

    A full collection that walks the whole catalogue takes longer than a hundred searches: it would be the
    tail of the latency.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. ``Unavailable`` when the address cannot be had."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=512)
    except (OSError, OverflowError) as error:
        raise Unavailable(f"cannot listen on {host}:{port}: {error}", "choose another --port, or 0") from error


def announce(url: str, out: TextIO) -> None:
    """Prints the line that tells a parent process where to ask."""
    print(json.dumps({"event": "listening", "url": url, "pid": os.getpid()}), file=out, flush=True)


def serve_index(directory: Path, host: str, port: int, *, until_stdin_closes: bool) -> None:
    """Verifies and opens the index, then answers until a signal, or until standard input ends.

    Raises ``IndexRefused`` for an index not to be trusted and ``Unavailable`` for an address taken.
    """
    app = create_app(open_index(directory))
    listener = bind(host, port)
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        app,
        loop="auto",
        http="auto",
        access_log=False,
        log_level="warning",
        lifespan="off",
        timeout_graceful_shutdown=5,
    )
    server = AnnouncingServer(config, lambda: announce(url, sys.stdout))
    if until_stdin_closes:
        threading.Thread(target=_stop_at_end_of, args=(sys.stdin, server), daemon=True).start()
    settle_garbage()
    with listener, contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


class AnnouncingServer(uvicorn.Server):
    """A server that calls ``ready`` once it accepts connections."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts as uvicorn does, then says so."""
        await super().startup(sockets)
        if self.started:
            self._ready()


def _stop_at_end_of(stream: TextIO, server: uvicorn.Server) -> None:
    """Blocks until ``stream`` ends, then asks the server to stop."""
    with contextlib.suppress(OSError, ValueError):
        while stream.read(1024):
            pass
    server.should_exit = True
