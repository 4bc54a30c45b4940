"""The candidate's own engine with one planted fault: ``faulty_engine.py FAULT DELAY_S index|serve …``.

``none,0.0.4=tenth`` in place of FAULT gives release 0.0.4 the fault and all others none.

Every answer is given DELAY_S later than it could be. With a long delay, what the machine's scheduler
does to a run of a few seconds is small beside the service's own time, and only the planted fault shows.
"""

import asyncio
import itertools
import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from lens_core.engine import analyzer, cli, server
from lens_core.engine import app as engine_app

Change = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


def drop_every_tenth() -> Change:
    """Forget every tenth hit, counted over all answers."""
    count = itertools.count(1)
    return lambda hits: [hit for hit in hits if next(count) % 10]


def shift_lines() -> Change:
    """Say that everything stands three lines further down."""
    return lambda hits: [{**hit, "start_line": hit["start_line"] + 3, "end_line": hit["end_line"] + 3} for hit in hits]


def keep() -> Change:
    """Leave the hits alone."""
    return lambda hits: hits


class Faulty:
    """Wraps the engine's application: delays every search, and changes what it answers."""

    def __init__(self, application: Any, fault: str, delay_s: float) -> None:
        self._application = application
        self._change = {"drop": drop_every_tenth, "shift": shift_lines}.get(fault, keep)()
        self._delay_s = delay_s
        self._slow = fault == "slow"
        self._tenth = fault == "tenth"
        self._count = itertools.count(1)

    def _pause_s(self) -> float:
        """How long the next answer waits."""
        number = next(self._count)
        if self._slow and number % 25 == 0:
            return self._delay_s * 4
        return self._delay_s * 6 if self._tenth and number % 10 == 0 else self._delay_s

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer as the engine would, but for the fault."""
        # Leak probes are quoted; no question is. They come before the load and are nobody's latency.
        probe = b"q=%22" in scope.get("query_string", b"")
        if scope["type"] != "http" or scope["path"] != "/search" or probe:
            await self._application(scope, receive, send)
            return
        await asyncio.sleep(self._pause_s())
        messages: list[Any] = []

        async def collect(message: Any) -> None:
            messages.append(message)

        await self._application(scope, receive, collect)
        start, body = messages[0], b"".join(m.get("body", b"") for m in messages[1:])
        if start["status"] == 200:
            answer = json.loads(body)
            answer["hits"] = self._change(answer["hits"])
            body = json.dumps(answer).encode()
            headers = [(k, v) for k, v in start["headers"] if k != b"content-length"]
            start = {**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]}
        await send(start)
        await send({"type": "http.response.body", "body": body})


def forget_stemming() -> None:
    """Write an index whose words are not stemmed, under the fingerprint of one whose words are."""
    analyzer.fingerprint()  # computed once and kept: the forgery
    analyzer.stem = lambda word: word  # type: ignore[assignment]
    analyzer.stems_of.cache_clear()


def fault_of(faults: str, release: str) -> str:
    """The fault that is planted in a release."""
    common, *own = faults.split(",")
    return dict(item.split("=") for item in own).get(release, common)


def main() -> int:
    """Run the engine's own command line with the fault in place."""
    faults, delay, *arguments = sys.argv[1:]
    fault = fault_of(faults, version("lens"))  # of the unpacked candidate, which comes first on the path
    if fault == "unstemmed" and arguments[0] == "index":
        forget_stemming()
    server.create_app = lambda index: Faulty(engine_app.create_app(index), fault, float(delay))  # type: ignore[assignment]
    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
