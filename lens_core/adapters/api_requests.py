"""Sends requests to servers on this machine, and writes their answers down without ports and times."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from lens_core.drills.api_requests import ApiRequest
from lens_core.errors import InvalidInput
from lens_core.supply import canonical

_HOSTS: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_TIMEOUT_S: Final = 30.0
_JSON: Final = "application/json"
_UPTIME: Final = "uptime_seconds"
"""Of the moment: only that it is a number is written down."""
_TYPE_LINE: Final = "# TYPE "


def expect_loopback(url: str) -> str:
    """``url``, which must be of this machine; InvalidInput for any other: a drill asks nobody else."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in _HOSTS:
        raise InvalidInput(f"expected an http address of this machine, saw {url}", "drill against loopback only")
    return url


class Recorder:
    """Answers as they stand in an observation; each body once, in ``bodies``, under the SHA-256 of its value."""

    def __init__(self) -> None:
        self.bodies: dict[str, Any] = {}
        self._keys: dict[tuple[str, bytes], str] = {}  # two servers mostly send the same bytes: read them once

    def ask(self, client: httpx.Client, request: ApiRequest) -> dict[str, Any]:
        """The answer to one request; code 0 when there was none."""
        try:
            response = client.request(request.method, request.path, params=list(request.query))
        except httpx.HTTPError:
            return self.nothing()
        return self.note(response)

    def nothing(self) -> dict[str, Any]:
        """No answer at all."""
        return {"code": 0, "media": "", "body": self._keep({"value": None})}

    def note(self, response: httpx.Response) -> dict[str, Any]:
        """An answer that is there already."""
        media = response.headers.get("content-type", "").partition(";")[0].strip()
        raw = (media, response.content)
        if raw not in self._keys:
            self._keys[raw] = self._keep(_body(*raw))
        return {"code": response.status_code, "media": media, "body": self._keys[raw]}

    def _keep(self, body: dict[str, Any]) -> str:
        key = hashlib.sha256(canonical.encode(body)).hexdigest()
        self.bodies[key] = body
        return key


@contextmanager
def asking(url: str, *, keep_alive: bool = False) -> Iterator[httpx.Client]:
    """A client of one server on this machine: follows no redirects, and knows no proxies.

    Unless ``keep_alive``, each request has a connection of its own: a server that failed hangs up after its answer,
    and the next request must not be lost with it.
    """
    limits = httpx.Limits(max_keepalive_connections=1 if keep_alive else 0)
    with httpx.Client(base_url=expect_loopback(url), timeout=_TIMEOUT_S, trust_env=False, limits=limits) as client:
        yield client


def send(url: str, requests: Iterable[ApiRequest], recorder: Recorder) -> list[dict[str, Any]]:
    """The answers of one server, in the order of the requests."""
    with asking(url) as client:
        return [recorder.ask(client, request) for request in requests]


def document_of(url: str) -> Any:
    """What the server says at ``/openapi.json``; None when that is no JSON."""
    with asking(url) as client:
        try:
            response = client.get("/openapi.json")
        except httpx.HTTPError:
            return None
        return _body(_JSON, response.content).get("value") if response.status_code == httpx.codes.OK else None


def searches_counted(url: str) -> int | None:
    """How many requests for ``/search`` the server says it has answered; None when it does not say."""
    with asking(url) as client:
        try:
            response = client.get("/metrics")
        except httpx.HTTPError:
            return None
    lines = [line for line in response.text.splitlines() if line.startswith("lens_engine_requests_total{")]
    if response.status_code != httpx.codes.OK or "# TYPE lens_engine_requests_total counter" not in response.text:
        return None
    return sum(int(float(line.rpartition(" ")[2])) for line in lines if 'path="/search"' in line)


def _body(media: str, content: bytes) -> dict[str, Any]:
    if media == _JSON:
        return _json(content)
    if not content:
        return {"value": None}
    text = content.decode(errors="replace")
    families = sorted(line.removeprefix(_TYPE_LINE) for line in text.splitlines() if line.startswith(_TYPE_LINE))
    if families:  # of metrics, the names and kinds are the promise; the numbers are of the moment
        return {"value": dict(line.split(" ", 1) for line in families)}
    return {"value": text}


def _json(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
        if isinstance(value, dict) and type(value.get(_UPTIME)) in {int, float}:
            value[_UPTIME] = 0
        canonical.encode(value)
    except (ValueError, RecursionError, InvalidInput) as error:
        return {"unreadable": type(error).__name__}
    return {"value": value}
