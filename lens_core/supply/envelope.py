"""DSSE version 1 (dead simple signing envelope) around an in-toto statement: sign, and open again.

DSSE leaves its own file malleable: padding bits of base64, keys that occur twice, junk signatures. Here an envelope
is canonical JSON (RFC 8785) with canonical base64 and exactly one signature, whose key id is ours; anything else is
refused, and the manifest binds its bytes besides.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from securesystemslib import dsse
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import Key, SSlibKey
from securesystemslib.signer import Signature as DsseSignature
from securesystemslib.signer import Signer as DsseSigner

from lens_core.errors import IntegrityError
from lens_core.supply import canonical, shape
from lens_core.supply.signatures import KEY_ID, is_signed, key_id
from lens_core.supply.words import Signer

PAYLOAD_TYPE = "application/vnd.in-toto+json"
_WHERE = "the envelope"
_HINT = "the envelope is not one that the signer wrote: do not believe what is in it"


def sign(payload: bytes, signer: Signer) -> bytes:
    """The bytes of an envelope around ``payload``, signed once."""
    envelope = dsse.Envelope(payload, PAYLOAD_TYPE, {})
    envelope.sign(_Signing(signer))
    return canonical.encode(envelope.to_dict())


@dataclass(frozen=True, slots=True)
class Enclosed:
    """What an envelope holds, before anybody has asked whether its signature does: ``key`` is the id that it names."""

    payload: bytes
    key: str
    signature: bytes


def open_envelope(content: bytes, keys: Mapping[str, bytes]) -> bytes:
    """The payload, if one of ``keys`` (raw public keys by id) signed it.

    IntegrityError for every other envelope, however slightly it differs from what ``sign`` writes.
    """
    found = parse(content)
    public = keys.get(found.key)
    if public is None:
        raise IntegrityError(f"{_WHERE}: expected the signature of {', '.join(keys)}, saw that of {found.key}", _HINT)
    envelope = dsse.Envelope(found.payload, PAYLOAD_TYPE, {found.key: DsseSignature(found.key, found.signature.hex())})
    missing = f"{_WHERE}: expected a signature of {found.key} over its payload, saw none that holds"
    # Lens asks first: it knows keys that prove nothing, which the library lets pass.
    if not is_signed(public, found.signature, envelope.pae()):
        raise IntegrityError(missing, _HINT)
    try:
        envelope.verify([_key(public)], 1)
    except VerificationError as error:
        raise IntegrityError(missing, _HINT) from error
    return found.payload


def parse(content: bytes) -> Enclosed:
    """What is in an envelope, signature not verified; IntegrityError for bytes that ``sign`` would not have written."""
    try:
        return _parsed(content)
    except IntegrityError as error:
        raise IntegrityError(error.message, error.hint or _HINT) from error


def _parsed(content: bytes) -> Enclosed:
    document = shape.members(canonical.decode(content, _WHERE), ("payload", "payloadType", "signatures"), _WHERE)
    shape.exactly(document["payloadType"], PAYLOAD_TYPE, f"{_WHERE}: payloadType")
    signatures = shape.items(document["signatures"], f"{_WHERE}: signatures")
    if len(signatures) != 1:
        raise IntegrityError(f"{_WHERE}: expected exactly one signature, saw {len(signatures)}")
    signature = shape.members(signatures[0], ("keyid", "sig"), f"{_WHERE}: the signature")
    return Enclosed(
        _base64(document["payload"], "payload"),
        shape.text(signature["keyid"], KEY_ID, f"{_WHERE}: keyid"),
        _base64(signature["sig"], "sig"),
    )


class _Signing(DsseSigner):
    """Hands one of our signers to the library."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    @property
    def public_key(self) -> Key:
        return _key(self._signer.public_key)

    @classmethod
    def from_priv_key_uri(cls, priv_key_uri: str, public_key: Key, secrets_handler: Any = None) -> DsseSigner:
        """Not used: keys come from ``lens_core.adapters.keys``."""
        raise NotImplementedError

    def sign(self, payload: bytes) -> DsseSignature:
        return DsseSignature(key_id(self._signer.public_key), self._signer.sign(payload).hex())


def _key(public: bytes) -> SSlibKey:
    return SSlibKey(key_id(public), "ed25519", "ed25519", {"public": public.hex()})


def _base64(value: Any, name: str) -> bytes:
    try:
        decoded = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise IntegrityError(f"{_WHERE}: {name}: expected base64, saw: {error}") from error
    if base64.b64encode(decoded).decode() != value:
        raise IntegrityError(f"{_WHERE}: {name}: expected canonical base64, saw bits or characters that mean nothing")
    return decoded
