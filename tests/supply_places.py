"""Where tests find the container engine and the registry; without them a laptop skips and CI fails."""

import os
import shutil
from pathlib import Path

import httpx
import pytest

_SOCKET = Path(__file__).parents[1] / "data/home/services/docker.sock"


def docker_host() -> str:
    """The engine's URL: ``DOCKER_HOST``, else the socket of ``make services``."""
    host = os.environ.get("DOCKER_HOST") or f"unix://{_SOCKET}"
    if host.startswith("unix://") and not Path(host.removeprefix("unix://")).exists():
        _without("no container engine answers: run `make services`")
    return host


def registry_url() -> str:
    """The registry's URL; it is asked whether it answers."""
    url = "http://127.0.0.1:5000"
    try:
        httpx.get(f"{url}/v2/", trust_env=False, timeout=5).raise_for_status()
    except httpx.HTTPError:
        _without("no registry answers: run `make services`")
    return url


def _without(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def debian_or_skip() -> None:
    """Goes on only where a base can be made of Debian packages: apt with Debian's keys, gpgv, dpkg-deb."""
    tools = all(shutil.which(tool) for tool in ("apt-get", "gpgv", "dpkg-deb"))
    if not tools or not Path("/usr/share/keyrings/debian-archive-keyring.gpg").is_file():
        _without("this is no Debian with apt, gpgv and debian-archive-keyring")
