"""One loopback address in front of two servers: every request goes to the other one than the request before.

It alternates by request, not by connection, so that a client that keeps its connection alive meets both versions.
Nothing is tried again on the other side: that would hide a half that is down, which answers 502 here.
"""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import Final

import aiohttp
from aiohttp import web
from yarl import URL

from lens_core.adapters.api_requests import expect_loopback
from lens_core.errors import Unavailable

HALF: Final = "Lens-Half"
"""The header of each answer that names the half that was asked, ``old`` or ``new``."""
_NAMES: Final = ("old", "new")
_START_S: Final = 10.0
_TIMEOUT_S: Final = 30.0
# What belongs to one connection is not passed on (RFC 9110, 7.6.1); lengths are set anew.
_ONE_HOP: Final = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade", "content-length", "host",
})  # fmt: skip


@contextmanager
def half_fleet(old_url: str, new_url: str) -> Iterator[str]:
    """The address of a forwarder to both, from a thread, until the context ends; Unavailable when it cannot start."""
    fleet = _Fleet([expect_loopback(old_url), expect_loopback(new_url)])
    thread = threading.Thread(target=fleet.run, daemon=True, name="half-fleet")
    thread.start()
    try:
        yield fleet.url()
    finally:
        fleet.stop()
        thread.join()


class _Fleet:
    """The forwarder; lives in the event loop of its own thread."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._halves = cycle(zip(_NAMES, urls, strict=True))
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._url = ""

    def run(self) -> None:
        """The thread's work."""
        try:
            asyncio.run(self._serve())
        finally:
            self._ready.set()

    def url(self) -> str:
        """Where it listens, once it does."""
        self._ready.wait(_START_S)
        if not self._url:
            raise Unavailable("the forwarder of the half-fleet did not start", "run the drill again")
        return self._url

    def stop(self) -> None:
        """Ends the thread; may be called from any other."""
        if self._loop is not None and self._ended is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ended.set)

    async def _serve(self) -> None:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        connector = aiohttp.TCPConnector(
            limit=0, force_close=True
        )  # so that nothing is lost with a half's last failure
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:

            async def forward(request: web.BaseRequest) -> web.StreamResponse:
                return await self._forward(session, request)

            runner = web.ServerRunner(web.Server(forward), shutdown_timeout=1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
            [address] = runner.addresses
            self._url = f"http://127.0.0.1:{address[1]}"
            self._ready.set()
            await self._ended.wait()
            await runner.cleanup()

    async def _forward(self, session: aiohttp.ClientSession, request: web.BaseRequest) -> web.Response:
        half, url = next(self._halves)
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _ONE_HOP]
        where = URL(f"{url}{request.raw_path}", encoded=True)
        try:
            body = await request.read()
            async with session.request(
                request.method, where, headers=headers, data=body or None, allow_redirects=False
            ) as answer:
                content = await answer.read()
                passed = [(name, value) for name, value in answer.headers.items() if name.lower() not in _ONE_HOP]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return web.Response(status=502, headers={HALF: half}, text=f"the {half} half: {type(error).__name__}")
        response = web.Response(status=answer.status, reason=answer.reason, body=content)
        response.headers.clear()
        response.headers.extend([*passed, (HALF, half)])
        return response
