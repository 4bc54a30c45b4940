"""Statements signed and verified by ``ssh-keygen -Y``, as git does it: with keys that people have already.

Who may sign is the allowed-signers file (``man ssh-keygen``), reviewed as code is; moments in it without a zone are
UTC. Nothing goes through a shell, private keys never come here, and what is written down for ``ssh-keygen`` lies in a
folder that only this process's user can read, for as long as the call takes.
"""

import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from lens_core.errors import IntegrityError, InvalidInput, Unavailable
from lens_core.signoff.words import Method, Signed
from lens_core.supply.ssh_signature import NAMESPACE, parse

_TIMEOUT_S = 30.0
_SIGN_TIMEOUT_S = 300.0  # a person may have to type a passphrase or to touch a token
_OWNER_ONLY = 0o600


class SshSigner:
    """One person's key; keeps the ``StatementSigner`` port.

    ``key`` is a private key's file, or a public key's whose private half an ssh-agent holds; ``agent`` a fingerprint as
    ``ssh-add -l`` prints it. Exactly one of them is named.
    """

    def __init__(self, key: Path | None = None, agent: str = "") -> None:
        if (key is None) == (not agent):
            raise InvalidInput("expected one key to sign with, saw none or two", "name it with --key or --agent")
        self._key = key
        self._agent = agent

    def sign(self, content: bytes) -> Signed:
        """See ``StatementSigner``."""
        with TemporaryDirectory(prefix="lens-sign-") as folder:
            message = _written(Path(folder) / "statement", content)
            key = self._key or _written(Path(folder) / "key.pub", _public_key_of_agent(self._agent))
            # Its input is the terminal, not the statement: there it asks for a passphrase.
            command = ("-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(message))
            done = _run(command, timeout_s=_SIGN_TIMEOUT_S)
            signature = message.with_name("statement.sig")
            if done.returncode != 0 or not signature.exists():
                raise InvalidInput(
                    f"{self._agent or key} cannot sign: {_said(done)}",
                    "name a private key's file, or a public key's that an ssh-agent holds",
                )
            armoured = signature.read_bytes()
        try:
            return Signed(content, armoured, Method.SSH, parse(armoured).fingerprint)
        except IntegrityError as error:
            raise InvalidInput(error.message, "sign with another key: ssh-keygen -t ed25519") from error


class SshSignatures:
    """Verifies against the allowed signers, and a file of revoked keys where there is one."""

    def __init__(self, allowed_signers: Path, revoked_keys: Path | None = None) -> None:
        self._allowed = allowed_signers
        self._revoked = revoked_keys

    def fault(self, signed: Signed, person: str, at: datetime) -> str:
        """Why it is not ``person``'s signature by a key that was theirs at that time and is not revoked; or empty."""
        try:
            found = parse(signed.signature)
        except IntegrityError as error:
            return error.message
        if found.fingerprint != signed.key:
            return f"expected the signature of key {signed.key}, saw that of {found.fingerprint}"
        if found.namespace != NAMESPACE:
            return f"expected a signature under the namespace {NAMESPACE}, saw {found.namespace!r}"
        for file, what in ((self._allowed, "the allowed signers"), (self._revoked, "the revoked keys")):
            if file is not None and not file.is_file():
                return f"expected {what} in {file.name}, saw no such file"
        with TemporaryDirectory(prefix="lens-verify-") as folder:
            signature = _written(Path(folder) / "statement.sig", signed.signature)
            return self._fault(signature, signed, person, at)

    def _fault(self, signature: Path, signed: Signed, person: str, at: datetime) -> str:
        revoked = ("-r", str(self._revoked)) if self._revoked else ()
        if self._holds(signature, signed.content, person, at, revoked):
            return ""
        # It is refused; what follows only finds the words for it.
        alone = _run(("-Y", "check-novalidate", "-n", NAMESPACE, "-s", str(signature)), signed.content)
        if alone.returncode != 0:
            return f"the signature by key {signed.key} is not one over these bytes"
        if revoked and self._holds(signature, signed.content, person, at, ()):
            return f"key {signed.key} of {person} is revoked"
        command = ("-Y", "find-principals", *self._where(signature, at))
        owners = _run(command).stdout.decode(errors="replace").split()
        if not owners:
            return f"key {signed.key} was nobody's at {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC by {self._allowed.name}"
        return f"key {signed.key} is that of {', '.join(owners)}, not of {person}"

    def _holds(self, signature: Path, content: bytes, person: str, at: datetime, more: Sequence[str]) -> bool:
        where = self._where(signature, at)
        return _run(("-Y", "verify", "-I", person, "-n", NAMESPACE, *where, *more), content).returncode == 0

    def _where(self, signature: Path, at: datetime) -> tuple[str, ...]:
        moment = f"{at.astimezone(UTC):%Y%m%d%H%M%S}"  # UTC, because TZ says so: older versions know no Z
        return "-f", str(self._allowed), "-s", str(signature), "-O", f"verify-time={moment}"


def _public_key_of_agent(fingerprint: str) -> bytes:
    """The line of the agent's public key with this fingerprint."""
    listed = _run(("-L",), program="ssh-add")
    if listed.returncode != 0:
        raise Unavailable(f"the ssh-agent gives no keys: {_said(listed)}", "start one, and add the key with `ssh-add`")
    for line in listed.stdout.splitlines():
        shown = _run(("-l", "-f", "-"), line + b"\n").stdout.decode(errors="replace").split()
        if fingerprint in shown:
            return line + b"\n"
    raise InvalidInput(
        f"expected the ssh-agent to hold the key {fingerprint}, saw none such", "`ssh-add -l` lists them"
    )


def _written(file: Path, content: bytes) -> Path:
    number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER_ONLY)
    with os.fdopen(number, "wb") as opened:
        opened.write(content)
    return file


def _run(
    arguments: Sequence[str],
    given: bytes | None = None,
    *,
    program: str = "ssh-keygen",
    timeout_s: float = _TIMEOUT_S,
) -> "subprocess.CompletedProcess[bytes]":
    """The program's end; its input is this process's own where nothing is ``given``."""
    env = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    try:
        return subprocess.run(
            [program, *arguments], input=given, capture_output=True, check=False, timeout=timeout_s, env=env
        )
    except FileNotFoundError as error:
        raise Unavailable(f"{program} is not installed", "install OpenSSH's client, 8.9 or newer") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{program} did not end within {timeout_s:g} s", "try again") from error


def _said(done: "subprocess.CompletedProcess[bytes]") -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"it ended with code {done.returncode}"
