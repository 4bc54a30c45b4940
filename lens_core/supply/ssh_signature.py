"""SSH signatures as `ssh-keygen -Y sign` writes them (OpenSSH's PROTOCOL.sshsig): what one says, before it is asked.

Only one spelling of a signature is read, the one that OpenSSH writes, so that nothing can be hidden in its armour.
Kinds of keys that OpenSSH would take and Lens does not (short RSA, DSA, certificates) are refused here, by name.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from lens_core.errors import IntegrityError

NAMESPACE = "lens-signoff"
"""What statements are signed under: a signature of a commit, a tag or a file is none of a statement."""

LEAST_RSA_BITS = 3072
KEY_KINDS = frozenset(
    {
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "ssh-rsa",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)

_WHERE = "the SSH signature"
_MAGIC, _VERSION = b"SSHSIG", 1
_HASHES = (b"sha256", b"sha512")
_ARMOUR = re.compile(rb"-----BEGIN SSH SIGNATURE-----\n([A-Za-z0-9+/=\n]+)\n-----END SSH SIGNATURE-----\n")
_WIDTH = 70
_MAX_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class SshSignature:
    """What an SSH signature says of itself: nobody has verified it yet. ``fingerprint`` is the key's, ``SHA256:…``."""

    kind: str
    fingerprint: str
    namespace: str


def parse(armoured: bytes) -> SshSignature:
    """What is in an armoured signature; IntegrityError for other bytes, and for keys that are too weak to count."""
    reader = _Reader(_unarmoured(armoured))
    if reader.take(len(_MAGIC)) != _MAGIC or reader.number() != _VERSION:
        raise IntegrityError(f"{_WHERE}: expected {_MAGIC.decode()} version {_VERSION}, saw something else")
    key, namespace, reserved, digest = reader.string(), reader.string(), reader.string(), reader.string()
    reader.string()  # the raw signature: ssh-keygen verifies it
    reader.at_end()
    if reserved or digest not in _HASHES:
        raise IntegrityError(f"{_WHERE}: expected SHA-256 or SHA-512 and nothing reserved, saw {digest!r}")
    kind = _kind(key)
    return SshSignature(kind, fingerprint(key), namespace.decode("utf-8", "replace"))


def armour(blob: bytes) -> bytes:
    """A signature's bytes in the armour that OpenSSH writes."""
    text = base64.b64encode(blob)
    lines = b"\n".join(text[at : at + _WIDTH] for at in range(0, len(text), _WIDTH))
    return b"-----BEGIN SSH SIGNATURE-----\n" + lines + b"\n-----END SSH SIGNATURE-----\n"


def fingerprint(key: bytes) -> str:
    """The fingerprint of a public key's bytes, as ``ssh-keygen -l`` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def _unarmoured(armoured: bytes) -> bytes:
    found = _ARMOUR.fullmatch(armoured) if len(armoured) <= _MAX_BYTES else None
    try:
        blob = base64.b64decode(found[1].replace(b"\n", b""), validate=True) if found else b""
    except binascii.Error:
        blob = b""
    if not blob or armour(blob) != armoured:
        raise IntegrityError(f"{_WHERE}: expected what `ssh-keygen -Y sign` writes, saw other bytes")
    return blob


def _kind(key: bytes) -> str:
    reader = _Reader(key)
    kind = reader.string().decode("ascii", "replace")
    if kind not in KEY_KINDS:
        raise IntegrityError(f"{_WHERE}: expected a key of {', '.join(sorted(KEY_KINDS))}, saw {kind!r}")
    if kind == "ssh-rsa":
        reader.string()  # the exponent
        bits = int.from_bytes(reader.string(), "big").bit_length()
        if bits < LEAST_RSA_BITS:
            raise IntegrityError(f"{_WHERE}: expected an RSA key of at least {LEAST_RSA_BITS} bits, saw {bits}")
    return kind


class _Reader:
    """Takes numbers and strings off SSH's bytes; IntegrityError where they end too soon."""

    def __init__(self, content: bytes) -> None:
        self._rest = content

    def number(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        return self.take(self.number())

    def take(self, count: int) -> bytes:
        if len(self._rest) < count:
            raise IntegrityError(f"{_WHERE}: expected {count} more bytes, saw {len(self._rest)}")
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken

    def at_end(self) -> None:
        if self._rest:
            raise IntegrityError(f"{_WHERE}: expected its end, saw {len(self._rest)} more bytes")
