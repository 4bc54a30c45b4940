"""The portal as a process, for a browser: started on a free port, and waited for until it answers."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
WAIT_MS = 30_000
_READY_WITHIN_S = 90


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def served(environment: Mapping[str, str], port: int, *options: str) -> Iterator[str]:
    """The address of a running portal."""
    streamlit = shutil.which("streamlit", path=str(Path(sys.executable).parent))
    assert streamlit
    server = subprocess.Popen(
        [streamlit, "run", "portal/serve.py", "--server.port", str(port), *options],
        cwd=ROOT,
        env=os.environ | environment | {"PYTHONPATH": str(ROOT)},
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(address, server)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def _wait_until_ready(address: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline:
        assert server.poll() is None, f"the portal ended with {server.returncode}"
        try:
            if httpx.get(f"{address}/health").json()["status"] == "ok":
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail(f"the portal did not answer /health within {_READY_WITHIN_S} s")
