"""The service as a process: it says when it is ready, answers, and ends with its parent."""

import json
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest


@contextmanager
def serving(index_directory, *more):
    """A service process and its first line; it is ended and its pipes are closed in any case."""
    command = [sys.executable, "-m", "lens_core.engine", "serve", "--index", str(index_directory), *more]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait(timeout=20)
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()


def test_it_serves_until_stdin_closes(index_directory):
    """The ready line names a URL that answers at once; the end of standard input ends the process cleanly."""
    with serving(index_directory, "--until-stdin-closes") as (process, ready):
        assert ready["event"] == "listening"
        assert ready["pid"] == process.pid
        answer = httpx.get(ready["url"] + "/search", params={"q": "getUserName"})
        assert answer.json()["hits"][0]["symbol"] == "getUserName"
        assert httpx.get(ready["url"] + "/health").json()["status"] == "ok"
        process.stdin.close()
        assert process.wait(timeout=20) == 0


def test_a_signal_ends_it(index_directory):
    """SIGTERM ends the process without being asked twice."""
    with serving(index_directory) as (process, _ready):
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) in {0, -signal.SIGTERM}


def test_a_taken_port_is_refused(index_directory):
    """A port that somebody else has is an error with a hint, not a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "lens_core.engine", "serve", "--index", str(index_directory), "--port", port]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 4
    assert "hint:" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("raw", [b"GET /search?q=\xff HTTP/1.1\r\nHost: x\r\n\r\n", b"nonsense\r\n\r\n"])
def test_raw_bytes_never_cause_a_server_error(index_directory, raw):
    """Bytes that no client library would send are answered below 500."""
    with serving(index_directory) as (_process, ready):
        host, port = ready["url"].removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(raw)
            status = int(connection.recv(4096).split()[1])
    assert status < 500
