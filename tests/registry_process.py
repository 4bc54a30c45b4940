"""A real docker-registry of a test's own: its storage may be damaged, and its garbage collected."""

import os
import shutil
import socket
import subprocess
from contextlib import contextmanager

import httpx
import pytest

CONFIG = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: "{storage}"}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


class OwnRegistry:
    """A registry on a free port of loopback; ``storage`` is where its files lie."""

    def __init__(self, folder, port):
        self.url = f"http://127.0.0.1:{port}"
        self.storage = folder / "storage"
        self._config = folder / "config.yml"
        self._config.write_text(CONFIG.format(storage=self.storage, port=port))

    @contextmanager
    def running(self):
        """The process, while it answers."""
        process = subprocess.Popen(["docker-registry", "serve", self._config], stderr=subprocess.DEVNULL)
        try:
            transport = httpx.HTTPTransport(retries=10)  # its own pauses grow until the port listens
            with httpx.Client(transport=transport, trust_env=False) as client:
                client.get(f"{self.url}/v2/").raise_for_status()
            yield self
        finally:
            process.kill()
            process.wait()

    def collect_garbage(self):
        """Delete every manifest without a tag, and every blob without a manifest."""
        command = ["docker-registry", "garbage-collect", "-m", self._config]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def files(self):
        """Every file of the storage that holds bytes or a link."""
        return sorted(file for file in self.storage.rglob("*") if file.is_file())


def own_registry(folder):
    """A registry that is not started yet; skips where docker-registry is not installed, fails in CI."""
    if not shutil.which("docker-registry"):
        if os.environ.get("CI"):
            pytest.fail("docker-registry is not installed: run `make services`")
        pytest.skip("docker-registry is not installed: run `make services`")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return OwnRegistry(folder, port)
