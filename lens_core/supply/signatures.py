"""Ed25519 (RFC 8032) as the seal uses it: raw keys of 32 bytes, raw signatures of 64 bytes, ids of keys.

A key's id is ``ed25519:`` and the SHA-256 of its 32 bytes in hex. Public keys travel as PEM
(SubjectPublicKeyInfo, RFC 8410), which ``openssl`` reads; nothing else is taken for one.
"""

import base64
import binascii
import hashlib
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lens_core.errors import InvalidInput

KEY_BYTES = 32
SIGNATURE_BYTES = 64
KEY_ID = re.compile(r"ed25519:[0-9a-f]{64}")

_DER_PREFIX = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: OID 1.3.101.112, 32 bytes of key
_PEM = re.compile(
    r"-----BEGIN PUBLIC KEY-----\r?\n([A-Za-z0-9+/]{58,60}={0,2})\r?\n-----END PUBLIC KEY-----\s*", re.ASCII
)
_FIELD = 2**255 - 19
# Points of order 1, 2, 4 and 8: with one of them as key, anybody's signature is valid. By y, the sign left out.
_SMALL_ORDER = {
    0,
    1,
    _FIELD - 1,
    # pragma: allowlist nextline secret (a point of the curve)
    int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
    # pragma: allowlist nextline secret (a point of the curve)
    int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
}


def key_id(public: bytes) -> str:
    """The id of a raw public key: ``ed25519:<64 hex digits>``."""
    return "ed25519:" + hashlib.sha256(public).hexdigest()


def is_signed(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether ``signature`` is the key's over ``message``; an S of L or above is none (RFC 8032, 5.1.7)."""
    if len(public) != KEY_BYTES or len(signature) != SIGNATURE_BYTES or _is_weak(public):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def public_key_of(pem: bytes) -> bytes:
    """The 32 raw bytes in a PEM file; InvalidInput for other keys, private ones, and keys that prove nothing."""
    found = _PEM.fullmatch(pem.decode("ascii", errors="replace"))
    try:
        der = base64.b64decode(found[1], validate=True) if found else b""
    except binascii.Error:
        der = b""
    if len(der) != len(_DER_PREFIX) + KEY_BYTES or not der.startswith(_DER_PREFIX):
        raise InvalidInput(
            "expected one Ed25519 public key as PEM, saw something else",
            "a public key is what `lens keys show` prints, or `openssl pkey -pubout`",
        )
    public = der[len(_DER_PREFIX) :]
    if _is_weak(public):
        raise InvalidInput(
            "expected an Ed25519 key that only its owner can sign with, saw a point of small order or not canonical",
            "do not trust who gave it to you",
        )
    return public


def pem_of(public: bytes) -> bytes:
    """A raw public key as PEM, one line break at its end."""
    text = base64.b64encode(_DER_PREFIX + public).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n".encode()


def _is_weak(public: bytes) -> bool:
    y = int.from_bytes(public, "little") & (2**255 - 1)
    return y >= _FIELD or y in _SMALL_ORDER
