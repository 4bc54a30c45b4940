"""The load generator's own process: an open loop that never waits for an answer before it sends.

Requests leave on a constant schedule computed before the run; latency counts from the *intended*
send time, so a service that stalls is charged for everyone who would have waited (coordinated
omission; Tene 2013). The schedule is cut into panes, each of which asks one of the services;
requests to the control go on all the time, between the others. Reads the plan as
one JSON line on standard input, writes one JSON document to the file named there, and ends when
standard input closes.
"""

import asyncio
import base64
import gc
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
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
_CONTROLS = ("noop", "work")
# When the control is due, as a share of the time between two searches. The spin before it takes a core from a
# search that still runs (at half of the time, every search of 3 ms and more was 3 ms longer), and
# the control itself must be done before the next spin begins.
_CONTROL_AT = 0.7


@dataclass(frozen=True, slots=True, order=True)
class _Send:
    """One request that is due ``due_s`` after the start. ``target`` is -1 for the control."""

    due_s: float
    pane: int
    target: int
    number: int


def schedule(plan: dict[str, Any]) -> Iterator[_Send]:
    """Every request of the plan in the order in which it is due."""
    return merge(_searches(plan), _controls(plan))


def _searches(plan: dict[str, Any]) -> Iterator[_Send]:
    seq = 0
    for pane, (target, first, count) in enumerate(plan["panes"]):
        for number in range(count):
            yield _Send(seq / plan["rate_per_s"], pane, target, first + number)
            seq += 1


def _controls(plan: dict[str, Any]) -> Iterator[_Send]:
    rate, period = plan["rate_per_s"], 1 / plan["control_rate_per_s"]
    end, number = 0.0, 0
    for pane, (_target, _first, count) in enumerate(plan["panes"]):
        end += count / rate
        while (due := number * period + _CONTROL_AT / rate) < end:
            yield _Send(due, pane, -1, number)
            number += 1


class OpenLoop:
    """One run against one or two services and a control."""

    def __init__(self, plan: dict[str, Any], client: aiohttp.ClientSession) -> None:
        self._plan = plan
        self._client = client
        self._services = [psutil.Process(service["pid"]) for service in plan["services"]]
        self._addresses = [f"{service['url']}/search" for service in plan["services"]]
        self._samples: list[list[Any]] = []
        self._control: list[list[Any]] = []
        self._bodies: dict[str, bytes] = {}
        self._rss: list[list[int]] = [[] for _ in self._services]

    async def _get(self, url: str, parameters: dict[str, str] | None = None) -> tuple[float, float, int, bytes]:
        sent = perf_counter()
        try:
            async with self._client.get(url, params=parameters) as response:
                body = await response.read()
                return sent, perf_counter(), response.status, body
        except (aiohttp.ClientError, TimeoutError, OSError):
            return sent, perf_counter(), 0, b""

    async def _search(self, send: _Send, start: float) -> None:
        questions = self._plan["questions"]
        question_id, text = questions[send.number % len(questions)]
        parameters = {"q": text, "limit": str(RECALL_DEPTH)}
        sent, done, status, body = await self._get(self._addresses[send.target], parameters)
        digest = hashlib.sha256(body).hexdigest()
        self._bodies.setdefault(digest, body)
        self._samples.append([send.pane, question_id, send.due_s, sent - start, done - start, status, digest])

    async def _ask_control(self, send: _Send, start: float) -> None:
        kind = _CONTROLS[send.number % len(_CONTROLS)]
        sent, done, status, _ = await self._get(f"{self._plan['control_url']}/{kind}")
        self._control.append([send.pane, kind, send.due_s, sent - start, done - start, status, ""])

    async def _send_all(self, sends: Iterator[_Send]) -> None:
        """Send everything on schedule and wait for the last answer."""
        start = perf_counter() + 0.05
        pending: set[asyncio.Task[None]] = set()
        for send in sends:
            intended = start + send.due_s
            if (ahead := intended - perf_counter() - _SPIN_S) > 0:
                await asyncio.sleep(ahead)
            while perf_counter() < intended:  # noqa: ASYNC110  (the spin; see above)
                await asyncio.sleep(0)
            ask = self._ask_control if send.target < 0 else self._search
            task = asyncio.create_task(ask(send, start))
            pending.add(task)
            task.add_done_callback(pending.discard)
        while pending:
            await asyncio.wait(pending)

    async def _watch_resources(self) -> None:
        # Sampling on a period waits for nothing that an Event could tell.
        while True:
            for service, seen in zip(self._services, self._rss, strict=True):
                seen.append(service.memory_info().rss)
            await asyncio.sleep(_RESOURCE_PERIOD_S)

    def _cpu_seconds(self) -> list[float]:
        return [used.user + used.system for used in (service.cpu_times() for service in self._services)]

    async def run(self) -> dict[str, Any]:
        """Warm up, forget it, then measure."""
        warmup = {**self._plan, "panes": [[t, 0, self._plan["warmup"]] for t in range(len(self._services))]}
        await self._send_all(schedule(warmup))
        self._samples.clear()
        self._control.clear()
        sends = list(schedule(self._plan))
        gc.collect()
        gc.disable()  # a collection in the generator would be charged to the service
        watch = asyncio.create_task(self._watch_resources())
        cpu_before = self._cpu_seconds()
        await self._send_all(iter(sends))
        cpu = [after - before for after, before in zip(self._cpu_seconds(), cpu_before, strict=True)]
        watch.cancel()
        return {
            "samples": sorted(self._samples, key=lambda sample: sample[2]),
            "control": sorted(self._control, key=lambda sample: sample[2]),
            "bodies": {digest: base64.b64encode(body).decode() for digest, body in self._bodies.items()},
            "usage": [{"cpu_seconds": used, "rss_bytes": seen} for used, seen in zip(cpu, self._rss, strict=True)],
        }


async def _main(plan: dict[str, Any]) -> None:
    timeout = aiohttp.ClientTimeout(total=plan["timeout_s"])
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as client:
        outcome = await OpenLoop(plan, client).run()
    await asyncio.to_thread(Path(plan["output"]).write_text, json.dumps(outcome))


if __name__ == "__main__":
    given = json.loads(sys.stdin.buffer.readline())
    die_with_parent()
    uvloop.run(_main(given))
