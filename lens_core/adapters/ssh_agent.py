"""Signs with an Ed25519 key that an ssh-agent holds (draft-ietf-sshm-ssh-agent): the key itself never comes here."""

import base64
import hashlib
import socket
from collections.abc import Mapping
from pathlib import Path

from lens_core.errors import InvalidInput, Unavailable
from lens_core.supply.signatures import KEY_BYTES, SIGNATURE_BYTES, is_signed, key_id

TIMEOUT_S = 60.0
"""How long an agent may take: it may ask a person (``ssh-add -c``) or a token for a touch."""

_REQUEST_IDENTITIES, _IDENTITIES, _SIGN_REQUEST, _SIGN_RESPONSE = 11, 12, 13, 14
_MAX_ANSWER = 256 * 1024  # what OpenSSH's own client takes at most
_TYPE = b"ssh-ed25519"


class AgentSigner:
    """One key of an agent, chosen by its fingerprint; keeps the ``Signer`` protocol."""

    def __init__(self, agent: Path, public: bytes, timeout_s: float = TIMEOUT_S) -> None:
        self._agent = agent
        self._public = public
        self._timeout_s = timeout_s

    @property
    def public_key(self) -> bytes:
        """The 32 raw bytes of the public key."""
        return self._public

    def sign(self, message: bytes) -> bytes:
        """The agent's signature, verified; Unavailable when the agent gives none, or one that does not hold."""
        request = bytes([_SIGN_REQUEST]) + _string(_blob(self._public)) + _string(message) + bytes(4)
        answer = _asked(self._agent, request, self._timeout_s)
        kind, body = answer[:1], _Reader(answer[1:])
        if kind != bytes([_SIGN_RESPONSE]):
            raise Unavailable(
                f"expected a signature from the agent, saw message {kind.hex() or 'none'}",
                "it refused: confirm when it asks, or unlock it with `ssh-add -X`",
            )
        signature = _Reader(body.string())
        if signature.string() != _TYPE or not is_signed(self._public, raw := signature.string(), message):
            raise Unavailable("expected an Ed25519 signature from the agent that holds, saw none", "use another agent")
        return raw[:SIGNATURE_BYTES]


def agent_signer(agent: Path, fingerprint: str, timeout_s: float = TIMEOUT_S) -> AgentSigner:
    """The key of ``agent`` (its socket) with that fingerprint: ``SHA256:…`` as ``ssh-add -l`` prints, or a key id.

    InvalidInput names the keys that there are when it is not among them; Unavailable without an agent.
    """
    held = agent_keys(agent, timeout_s)
    for public in held.values():
        if fingerprint in {ssh_fingerprint(public), key_id(public)}:
            return AgentSigner(agent, public, timeout_s)
    raise InvalidInput(
        f"expected the agent to hold the Ed25519 key {fingerprint}, saw {', '.join(held) or 'none'}",
        "add it with `ssh-add`, and name it as `ssh-add -l` does",
    )


def agent_keys(agent: Path, timeout_s: float = TIMEOUT_S) -> Mapping[str, bytes]:
    """The Ed25519 keys that the agent holds, raw, by fingerprint."""
    answer = _asked(agent, bytes([_REQUEST_IDENTITIES]), timeout_s)
    if answer[:1] != bytes([_IDENTITIES]):
        raise Unavailable(f"expected the agent's keys, saw message {answer[:1].hex() or 'none'}", "use another agent")
    body = _Reader(answer[1:])
    keys = {}
    for _ in range(body.number()):
        blob, _comment = _Reader(body.string()), body.string()
        if blob.string() == _TYPE and len(public := blob.string()) == KEY_BYTES:
            keys[ssh_fingerprint(public)] = public
    return keys


def ssh_fingerprint(public: bytes) -> str:
    """The fingerprint of a raw Ed25519 key as OpenSSH prints it: ``SHA256:`` and base64 without padding."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(_blob(public)).digest()).decode().rstrip("=")


class _Reader:
    """Takes numbers and strings off the agent's bytes; Unavailable where they end too soon."""

    def __init__(self, content: bytes) -> None:
        self._rest = content

    def number(self) -> int:
        return int.from_bytes(self._take(4), "big")

    def string(self) -> bytes:
        return self._take(self.number())

    def _take(self, count: int) -> bytes:
        if len(self._rest) < count:
            raise Unavailable(f"expected {count} more bytes from the agent, saw {len(self._rest)}", "use another agent")
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken


def _asked(agent: Path, request: bytes, timeout_s: float) -> bytes:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(agent))
            connection.sendall(_string(request))
            length = int.from_bytes(_received(connection, 4), "big")
            if not 0 < length <= _MAX_ANSWER:
                raise Unavailable(f"expected at most {_MAX_ANSWER} bytes from the agent, saw {length}", "use another")
            return _received(connection, length)
    except OSError as error:
        raise Unavailable(
            f"the ssh-agent at {agent} does not answer ({error.strerror or error})",
            "start one with `eval $(ssh-agent)` and add the key with `ssh-add`",
        ) from error


def _received(connection: socket.socket, count: int) -> bytes:
    parts = b""
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if not part:
            raise Unavailable(f"expected {count} bytes from the agent, saw {len(parts)}", "it closed: look at its log")
        parts += part
    return parts


def _blob(public: bytes) -> bytes:
    return _string(_TYPE) + _string(public)


def _string(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content
