"""The control: a service that does nothing, or always the same, so that its stalls are the machine's.

``GET /noop`` answers at once, ``GET /work`` after a fixed piece of work. It runs in a process of its
own, says in one JSON line where it listens, and ends when standard input closes.
"""

import asyncio
import gc
import hashlib
import json
import os
import sys

import uvloop
from aiohttp import web

from lens_core.adapters.lifeline import die_with_parent

# About the processor time of one search: long enough to be interrupted as a search is.
_WORK_BYTES = bytes(512 * 1024)


async def _noop(_request: web.Request) -> web.Response:
    return web.Response(body=b"")


async def _work(_request: web.Request) -> web.Response:
    return web.Response(body=hashlib.sha256(_WORK_BYTES).digest())


async def _main() -> None:
    app = web.Application()
    app.add_routes([web.get("/noop", _noop), web.get("/work", _work)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    gc.collect()
    gc.freeze()
    gc.disable()  # it holds nothing that grows, and a collection would be taken for a stall
    [address] = runner.addresses
    said = {"event": "listening", "url": f"http://127.0.0.1:{address[1]}", "pid": os.getpid()}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    die_with_parent()
    uvloop.run(_main())
