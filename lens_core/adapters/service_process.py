"""The service under test as processes of its own, started from the candidate's own code."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx

from lens_core.adapters.listening import listening
from lens_core.errors import Unavailable
from lens_core.ports import Endpoint


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
        with listening(
            command,
            name="the service",
            timeout_s=self._start_timeout_s,
            hint="see [service] in lens.toml",
            folder=index.parent,
            environment=_environment(code),
        ) as child:
            stats = self._get(child.url, "/stats")
            yield Endpoint(child.url, child.pid, str(stats.get("content_digest", "")))

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
