"""Heads of the audit log at an address on the network, which takes and gives them as JSON."""

import os
from collections.abc import Mapping, Sequence

import httpx

from lens_core.adapters.audit_anchors import anchor_line, parse_anchors
from lens_core.audit import Anchor
from lens_core.errors import IntegrityError, InvalidInput, Unavailable

TOKEN_VARIABLE = "LENS_AUDIT_TOKEN"  # noqa: S105  (the variable's name)
_MOST_BYTES = 512 * 1024 * 1024
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class HttpsAnchors:
    """An address that takes an anchor by POST and gives all, one a line, by GET. Keeps the ``AuditAnchors`` port.

    It must keep what it was sent once, however often the same head (``Idempotency-Key``) arrives. A token in
    LENS_AUDIT_TOKEN is sent along; it is never shown, nor is what stands in the address behind its path.
    """

    def __init__(self, url: str, timeout_s: float, env: Mapping[str, str] = os.environ) -> None:
        try:
            self._url = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise InvalidInput("expected an https:// address as an anchor, saw something else") from error
        if self._url.scheme != "https" and self._url.host not in _LOOPBACK:
            raise InvalidInput(f"expected an https:// address as an anchor, saw {self.name}", "heads travel encrypted")
        self._timeout_s = timeout_s
        token = env.get(TOKEN_VARIABLE)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    @property
    def name(self) -> str:
        """See ``AuditAnchors``: without user, password and query."""
        return str(self._url.copy_with(userinfo=b"", query=None, fragment=None))

    def keep(self, anchor: Anchor) -> None:
        """See ``AuditAnchors``."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": anchor.head}
        self._ask("POST", anchor_line(anchor), headers)

    def anchors(self) -> Sequence[Anchor]:
        """See ``AuditAnchors``."""
        return parse_anchors(self._ask("GET", None, {}), self.name)

    def _ask(self, method: str, content: bytes | None, headers: Mapping[str, str]) -> bytes:
        try:
            with (
                httpx.Client(timeout=self._timeout_s, follow_redirects=False) as client,
                client.stream(method, self._url, content=content, headers={**self._headers, **headers}) as answer,
            ):
                if not answer.is_success:
                    raise Unavailable(f"{self.name} answered {answer.status_code} to {method}", "look there")
                return self._body(answer)
        except httpx.HTTPError as error:
            raise Unavailable(f"{self.name} did not answer: {type(error).__name__}", "look there") from error

    def _body(self, answer: httpx.Response) -> bytes:
        body = bytearray()
        for part in answer.iter_bytes():
            body += part
            if len(body) > _MOST_BYTES:
                raise IntegrityError(f"{self.name} gave more than {_MOST_BYTES} bytes", "it is no place of anchors")
        return bytes(body)
