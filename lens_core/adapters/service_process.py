"""The service under test as processes of its own, started from the candidate's own code."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from time import perf_counter
from typing import Any

import httpx

from lens_core.errors import Unavailable
from lens_core.ports import Endpoint

_STOP_TIMEOUT_S = 10.0


class ServiceProcess:
    """Keeps the ``ServiceUnderTest`` port with the commands of ``[service]`` in ``lens.toml``."""

    def __init__(
        self, index: Sequence[str], serve: Sequence[str], index_timeout_s: float, start_timeout_s: float
    ) -> None:
        self._index = tuple(index)
        self._serve = tuple(serve)
        self._index_timeout_s = index_timeout_s
        self._start_timeout_s = start_timeout_s

    def index(self, code: Path, tree: Path, index: Path) -> float:
        """Run the index command in a neutral folder with ``code`` first on the module path."""
        index.parent.mkdir(parents=True, exist_ok=True)
        command = _fill(self._index, {"tree": tree, "index": index})
        started = perf_counter()
        try:
            done = subprocess.run(
                command,
                cwd=index.parent,
                env=_environment(code),
                capture_output=True,
                text=True,
                check=False,
                timeout=self._index_timeout_s,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"indexing {tree.name} did not end: {error}", "see [service] in lens.toml") from error
        if done.returncode != 0:
            seen = done.stderr.strip()[-1500:]
            raise Unavailable(f"indexing {tree.name} failed ({done.returncode}): {seen}", "see [service] in lens.toml")
        return perf_counter() - started

    @contextmanager
    def serve(self, code: Path, index: Path) -> Iterator[Endpoint]:
        """Start the service, wait until it says where it listens, and end it with the context."""
        command = _fill(self._serve, {"index": index})
        with (
            tempfile.TemporaryFile() as errors,
            subprocess.Popen(
                command,
                cwd=index.parent,
                env=_environment(code),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            ) as process,
        ):
            try:
                url = self._await_listening(process)
                if url is None:
                    errors.seek(0)
                    seen = errors.read()[-1500:].decode(errors="replace").strip()
                    raise Unavailable(f"the service did not start listening: {seen}", "see [service] in lens.toml")
                stats = self._get(url, "/stats")
                yield Endpoint(url, process.pid, str(stats.get("content_digest", "")))
            finally:
                _stop(process)

    def _await_listening(self, process: "subprocess.Popen[bytes]") -> str | None:
        """The address in the first JSON line that has one; None when the service ended or stayed silent."""
        if process.stdout is None:  # pragma: no cover  (PIPE was asked for)
            return None
        deadline = perf_counter() + self._start_timeout_s
        with DefaultSelector() as selector:
            selector.register(process.stdout, EVENT_READ)
            while selector.select(timeout=max(0.0, deadline - perf_counter())):
                line = process.stdout.readline()
                if not line:
                    return None
                if url := _listening_url(line):
                    return url
        return None

    def search_paths(self, endpoint: Endpoint, query: str) -> tuple[str, ...]:
        """Paths of the hits for one query."""
        hits = self._get(endpoint.url, "/search", {"q": query, "limit": "50"})["hits"]
        return tuple(hit["path"] for hit in hits)

    def outlines(self, endpoint: Endpoint, paths: Sequence[str]) -> dict[str, list[tuple[str, int, int]]]:
        """What the service lists for each path; a file that it does not know has no definitions."""
        listed: dict[str, list[tuple[str, int, int]]] = {}
        with httpx.Client(base_url=endpoint.url, timeout=30, trust_env=False) as client:
            for path in paths:
                response = client.get("/outline", params={"path": path})
                if response.status_code == httpx.codes.OK:
                    found = response.json()["definitions"]
                    listed[path] = [(d["name"], d["start_line"], d["end_line"]) for d in found]
        return listed

    def _get(self, url: str, path: str, parameters: Mapping[str, str] | None = None) -> dict[str, Any]:
        try:
            response = httpx.get(f"{url}{path}", params=parameters, timeout=30, trust_env=False)
            response.raise_for_status()
            answer: dict[str, Any] = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(f"the service did not answer {path}: {error}", "see its output") from error
        return answer


def _fill(command: Sequence[str], values: Mapping[str, Path]) -> list[str]:
    texts = {"python": sys.executable, **{name: str(path.absolute()) for name, path in values.items()}}
    return [part.format(**texts) for part in command]


def _environment(code: Path) -> dict[str, str]:
    # The candidate's code must win over an editable install of the working tree.
    return {**os.environ, "PYTHONPATH": str(code.absolute()), "PYTHONSAFEPATH": "1"}


def _listening_url(line: bytes) -> str | None:
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return str(said["url"]) if isinstance(said, dict) and said.get("event") == "listening" else None


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Let it end by itself first: closing its standard input is the agreed sign."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(timeout=_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
