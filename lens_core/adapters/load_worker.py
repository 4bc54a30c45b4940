"""The load generator's own process: an open loop that never waits for an answer before it sends.

Requests leave on a constant schedule computed before the run; latency counts from the *intended*
send time, so a service that stalls is charged for everyone who would have waited (coordinated
omission; Tene 2013). Reads the plan as one JSON line on standard input, writes one JSON document
to the file named there, and ends when standard input closes.
"""

import asyncio
import base64
import gc
import hashlib
import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import aiohttp
import psutil
import uvloop

from lens_core.adapters.lifeline import die_with_parent
from lens_core.quality import RECALL_DEPTH

_RESOURCE_PERIOD_S = 0.25
# Timers of an event loop are a millisecond coarse, as coarse as what is measured: sleep until
# shortly before a send is due, then yield in a tight loop.
_SPIN_S = 0.002


class OpenLoop:
    """One run against one service."""

    def __init__(self, plan: dict[str, Any], client: aiohttp.ClientSession) -> None:
        self._plan = plan
        self._client = client
        self._service = psutil.Process(plan["pid"])
        self._samples: list[list[Any]] = []
        self._bodies: dict[str, bytes] = {}
        self._rss: list[int] = []

    async def _ask(self, seq: int, intended: float, start: float) -> None:
        question_id, text = self._plan["questions"][seq % len(self._plan["questions"])]
        sent = perf_counter()
        status, body = 0, b""
        try:
            parameters = {"q": text, "limit": str(RECALL_DEPTH)}
            async with self._client.get("/search", params=parameters) as response:
                body = await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            body = b""
        done = perf_counter()
        digest = hashlib.sha256(body).hexdigest()
        self._bodies.setdefault(digest, body)
        self._samples.append([seq, question_id, intended - start, sent - start, done - start, status, digest])

    async def _send_all(self, total: int) -> None:
        """Send ``total`` requests on schedule and wait for the last answer."""
        start = perf_counter() + 0.05
        pending: set[asyncio.Task[None]] = set()
        for seq in range(total):
            intended = start + seq / self._plan["rate_per_s"]
            if (ahead := intended - perf_counter() - _SPIN_S) > 0:
                await asyncio.sleep(ahead)
            while perf_counter() < intended:  # noqa: ASYNC110  (the spin; see above)
                await asyncio.sleep(0)
            task = asyncio.create_task(self._ask(seq, intended, start))
            pending.add(task)
            task.add_done_callback(pending.discard)
        while pending:
            await asyncio.wait(pending)

    async def _watch_resources(self) -> None:
        # Sampling on a period waits for nothing that an Event could tell.
        while True:
            self._rss.append(self._service.memory_info().rss)
            await asyncio.sleep(_RESOURCE_PERIOD_S)

    def _cpu_seconds(self) -> float:
        used = self._service.cpu_times()
        return used.user + used.system

    async def run(self) -> dict[str, Any]:
        """Warm up, forget it, then measure."""
        await self._send_all(self._plan["warmup"])
        self._samples.clear()
        gc.collect()
        gc.disable()  # a collection in the generator would be charged to the service
        watch = asyncio.create_task(self._watch_resources())
        cpu_before, wall_before = self._cpu_seconds(), perf_counter()
        await self._send_all(self._plan["total"])
        cpu, wall = self._cpu_seconds() - cpu_before, perf_counter() - wall_before
        watch.cancel()
        return {
            "samples": sorted(self._samples),
            "bodies": {digest: base64.b64encode(body).decode() for digest, body in self._bodies.items()},
            "cpu_seconds": cpu,
            "wall_seconds": wall,
            "rss_bytes": self._rss,
        }


async def _main(plan: dict[str, Any]) -> None:
    timeout = aiohttp.ClientTimeout(total=plan["timeout_s"])
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(plan["url"], connector=connector, timeout=timeout) as client:
        outcome = await OpenLoop(plan, client).run()
    await asyncio.to_thread(Path(plan["output"]).write_text, json.dumps(outcome))


if __name__ == "__main__":
    given = json.loads(sys.stdin.buffer.readline())
    die_with_parent()
    uvloop.run(_main(given))
