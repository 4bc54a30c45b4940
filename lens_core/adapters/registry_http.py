"""How a registry is spoken to: where to, with which credentials, how much is read, and what a failure means.

Plain http goes to this machine only. Credentials go to the registry itself, and to the token service that it
names, never along a redirect to another host. What is read is limited, also when the registry says otherwise.
"""

import hashlib
import ipaddress
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

import httpx

from lens_core.errors import IntegrityError, InvalidInput, Refused, Unavailable
from lens_core.model import Digest
from lens_core.supply.oci import parse_json

LARGEST_REPLY = 4 << 20
"""Bytes that are read of a manifest or a list: what the specification lets a manifest have."""

_TRIES = 4
_HOPS = 5
_WILL_PASS = frozenset({429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK, _BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN = 200, 400, 401, 403
_AGAIN = "see that the registry runs and is reached, then do the same again: what is there already is not sent twice"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Name and password (or token) of an account at the registry; the password is not shown."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the registry answered: HTTP code, headers, and the body, or its digest when it was only hashed."""

    code: int
    headers: httpx.Headers
    body: bytes = b""
    digest: Digest | None = None
    size_bytes: int = 0

    @property
    def claimed(self) -> str:
        """The digest in the header; empty when it has none, which the specification allows."""
        return str(self.headers.get("Docker-Content-Digest", ""))

    @property
    def next_page(self) -> str:
        """Where a list goes on (the ``Link`` header); empty at its end."""
        found = re.match(r'<([^>]+)>;\s*rel="?next"?', self.headers.get("Link", ""))
        return found[1] if found else ""

    def __str__(self) -> str:
        return f"HTTP {self.code} {self.body[:200].decode(errors='replace')!r}" if self.body else f"HTTP {self.code}"


class RegistryHttp:
    """One registry. ``url`` is its root (``https://host[:port]``), ``timeout_s`` holds for each wait.

    What passes by itself (a cut connection, HTTP 429 and 5xx) is tried four times, ``pause_s`` apart and then three
    times as long each; after that it is Unavailable. May be used from several threads.
    """

    def __init__(
        self, url: str, *, timeout_s: float, credentials: Credentials | None = None, pause_s: float = 0.2
    ) -> None:
        self._root = _root(url)
        self._at_home = _is_loopback(self._root)
        self._credentials = credentials
        self._pause_s = pause_s
        self._authorization = ""
        # A proxy is for the world outside: it could not reach what listens on this machine.
        self._client = httpx.Client(timeout=timeout_s, verify=_certificates(), trust_env=not self._at_home)

    @property
    def host(self) -> str:
        """Host and port, as a reference to an image begins."""
        return self._root.netloc.decode()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def answers(self) -> bool:
        """Whether the registry is there at all: tells a bad blob from a lost registry."""
        try:
            return self.ask("GET", "/v2/", once=True).code == _OK
        except (Unavailable, Refused, IntegrityError):
            return False

    def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        once: bool = False,
        limit: int = LARGEST_REPLY,
    ) -> Reply:
        """Ask and read the whole answer, at most ``limit`` bytes (IntegrityError beyond).

        ``path`` is absolute, or a whole URL that the registry gave. ``once`` is for what must not be repeated.
        Unavailable when no answer came, Refused when the registry does not let us.
        """

        def read(response: httpx.Response) -> Reply:
            return Reply(response.status_code, response.headers, _read(response, path, limit))

        return self._tried(method, path, headers or {}, content, read, 1 if once else _TRIES)

    def hash(self, path: str, headers: Mapping[str, str], limit: int) -> Reply:
        """Get and hash the body without keeping it; what is longer than ``limit`` bytes is read one byte further."""

        def read(response: httpx.Response) -> Reply:
            hasher, size = hashlib.sha256(), 0
            for part in response.iter_raw(1 << 18):
                hasher.update(part)
                size += len(part)
                if size > limit:
                    break
            digest = Digest("sha256:" + hasher.hexdigest())
            return Reply(response.status_code, response.headers, b"", digest, size)

        return self._tried("GET", path, headers, b"", read, _TRIES)

    def _tried(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        content: bytes,
        read: Callable[[httpx.Response], Reply],
        tries: int,
    ) -> Reply:
        for attempt in range(tries):
            last = attempt == tries - 1
            try:
                with self._send(method, path, headers, content) as response:
                    reply = read(response)
            except httpx.HTTPError as error:
                if last:
                    raise self._lost(method, path, error) from error
            else:
                if last or not _will_pass(reply):
                    return self._let_in(method, path, reply)
            time.sleep(self._pause_s * 3**attempt)
        raise AssertionError("the last attempt returns or raises")

    def location(self, reply: Reply) -> str:
        """The URL in the ``Location`` header, held to the same rules as a redirect."""
        where = reply.headers.get("Location", "")
        if not where:
            raise Unavailable(
                f"expected a Location from {self.host}, saw none", "this is no OCI registry: see its address"
            )
        return str(self._allowed(self._root.join(where)))

    @contextmanager
    def _send(self, method: str, path: str, headers: Mapping[str, str], content: bytes) -> Iterator[httpx.Response]:
        """Follow redirects and answer one challenge, then give the response with its body still to be read."""
        target, challenged = self._allowed(self._root.join(path)), False
        for _ in range(_HOPS):
            response = self._client.send(self._request(method, target, headers, content), stream=True)
            if response.status_code == _UNAUTHORIZED and not challenged and self._is_own(target):
                response.close()
                challenged = True
                if not self._answer(response.headers.get("WWW-Authenticate", "")):
                    break
            elif response.status_code in _REDIRECTS and method in {"GET", "HEAD"}:
                response.close()
                target = self._allowed(target.join(response.headers.get("Location", "")))
            else:
                try:
                    yield response
                finally:
                    response.close()
                return
        if challenged and response.status_code == _UNAUTHORIZED:
            raise self._denied(method, path, "HTTP 401")
        raise Unavailable(f"{method} {path} at {self.host}: more than {_HOPS} redirects", "see the registry's address")

    def _request(self, method: str, target: httpx.URL, headers: Mapping[str, str], content: bytes) -> httpx.Request:
        # A compressed answer would have another digest than the blob.
        sent = {"Accept-Encoding": "identity", **headers}
        if self._authorization and self._is_own(target):
            sent["Authorization"] = self._authorization
        return self._client.build_request(method, target, headers=sent, content=content)

    def _answer(self, challenge: str) -> bool:
        """Get what the challenge asks for (RFC 7235; the token flow of distribution); False when we cannot."""
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic" and self._credentials:
            before, self._authorization = self._authorization, _basic(self._credentials)
            return before != self._authorization
        if scheme.lower() != "bearer":
            return False
        asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        realm = self._allowed(self._root.join(asked.pop("realm", "")))
        headers = {"Authorization": _basic(self._credentials)} if self._credentials else {}
        wanted = {name: asked[name] for name in ("service", "scope") if name in asked}
        with self._client.stream("GET", realm, params=wanted, headers=headers) as response:
            body = _read(response, realm.path, LARGEST_REPLY)
        try:
            value = parse_json(body) if response.status_code == _OK else {}
            token = value.get("token") or value.get("access_token")
        except (ValueError, AttributeError):
            token = None
        if not isinstance(token, str) or not token.isprintable():
            return False
        self._authorization = f"Bearer {token}"
        return True

    def _allowed(self, target: httpx.URL) -> httpx.URL:
        """``target``, if it may be spoken to: https anywhere, this machine only when the registry is on it."""
        at_home = _is_loopback(target)
        if (target.scheme == "https" and not at_home) or (
            self._at_home and at_home and target.scheme in {"http", "https"}
        ):
            return target
        raise Refused(
            f"{self.host} sends us to {target.scheme}://{target.host}, expected https"
            + (" or this machine" if self._at_home else ""),
            "the registry's own configuration names that address: mend it there",
        )

    def _is_own(self, target: httpx.URL) -> bool:
        return (target.scheme, target.netloc) == (self._root.scheme, self._root.netloc)

    def _let_in(self, method: str, path: str, reply: Reply) -> Reply:
        if reply.code in {_UNAUTHORIZED, _FORBIDDEN}:
            raise self._denied(method, path, str(reply))
        return reply

    def _denied(self, method: str, path: str, seen: str) -> Refused:
        whose = f"user {self._credentials.user}" if self._credentials else "nobody in particular"
        return Refused(
            f"{self.host} does not let {whose} {method} {path}: {seen}",
            "give credentials that may pull and push this repository",
        )

    def _lost(self, method: str, path: str, error: httpx.HTTPError) -> Unavailable:
        return Unavailable(f"{method} {path} at {self.host}: {type(error).__name__} {error}".rstrip(), _AGAIN)


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust over https; reading them takes longer than a small push, so they are read once."""
    return httpx.create_ssl_context()


def _will_pass(reply: Reply) -> bool:
    """Whether to ask again: the server is busy, or another is writing the link to a blob that we saw there.

    docker-registry empties a link before it writes it, and does not know the blob in between.
    """
    return reply.code in _WILL_PASS or (reply.code == _BAD_REQUEST and b"MANIFEST_BLOB_UNKNOWN" in reply.body)


def _root(url: str) -> httpx.URL:
    """The registry's root; InvalidInput unless it is https, or http on this machine, and nothing but host and port."""
    try:
        root = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InvalidInput(
            f"expected the registry's URL, saw {url!r}: {error}", "e.g. https://registry.example"
        ) from error
    if root.userinfo or root.query or root.fragment or root.path not in {"", "/"} or not root.host:
        raise InvalidInput(
            f"expected scheme, host and port of the registry, saw {root.scheme}://{root.host}{root.path}",
            "credentials and repository are given apart from it",
        )
    if root.scheme != "https" and not (root.scheme == "http" and _is_loopback(root)):
        raise InvalidInput(f"expected https for a registry on another machine, saw {url}", "use its https address")
    return root


def _is_loopback(url: httpx.URL) -> bool:
    if url.host == "localhost":
        return True
    try:
        return ipaddress.ip_address(url.host).is_loopback
    except ValueError:
        return False


def _basic(credentials: Credentials) -> str:
    request = httpx.Request("GET", "http://localhost")
    auth = httpx.BasicAuth(credentials.user, credentials.password)
    return next(auth.auth_flow(request)).headers["Authorization"]


def _read(response: httpx.Response, path: str, limit: int) -> bytes:
    parts, size = [], 0
    for part in response.iter_raw():
        parts.append(part)
        size += len(part)
        if size > limit:
            raise IntegrityError(
                f"expected at most {limit:,} bytes from {path}, saw more", "this is no answer of a registry"
            )
    return b"".join(parts)
