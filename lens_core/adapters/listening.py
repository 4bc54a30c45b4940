"""Child processes that say in one JSON line where they listen, and end when their standard input closes."""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from time import perf_counter

from lens_core.errors import Unavailable

_STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Listener:
    """A child that listens."""

    url: str
    pid: int


@contextmanager
def listening(
    command: Sequence[str],
    *,
    name: str,
    timeout_s: float,
    hint: str,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Listener]:
    """Run ``command`` until the context ends; Unavailable when it does not come to listen in ``timeout_s``."""
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        try:
            url = _await_listening(process, timeout_s)
            if url is None:
                errors.seek(0)
                seen = errors.read()[-1500:].decode(errors="replace").strip()
                raise Unavailable(f"{name} did not start listening: {seen or 'it said nothing'}", hint)
            yield Listener(url, process.pid)
        finally:
            _stop(process)


def _await_listening(process: "subprocess.Popen[bytes]", timeout_s: float) -> str | None:
    """The address in the first JSON line that has one; None when the child ended or stayed silent."""
    if process.stdout is None:  # pragma: no cover  (PIPE was asked for)
        return None
    deadline = perf_counter() + timeout_s
    with DefaultSelector() as selector:
        selector.register(process.stdout, EVENT_READ)
        while selector.select(timeout=max(0.0, deadline - perf_counter())):
            line = process.stdout.readline()
            if not line:
                return None
            if url := _listening_url(line):
                return url
    return None


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
