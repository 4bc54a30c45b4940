"""Keys and signatures: what holds, what proves nothing, and what is no key."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from lens_core.errors import InvalidInput
from lens_core.supply.signatures import is_signed, key_id, pem_of, public_key_of
from study.cuts import SeededSigner
from study.mutants import GROUP_ORDER

SIGNER = SeededSigner(1)
PEM = pem_of(SIGNER.public_key)
FIELD = 2**255 - 19


def test_the_first_test_vector_of_the_rfc_holds():
    """RFC 8032, 7.1, test 1."""
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    signature = bytes.fromhex(
        # pragma: allowlist nextline secret (of the curve)
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert is_signed(public, signature, b"")
    assert not is_signed(public, signature, b"\0")


@pytest.mark.parametrize("times", range(1, 15))
def test_a_signature_has_one_form(times):
    """S + k L is the same scalar and no signature (RFC 8032, 5.1.7)."""
    signature = SIGNER.sign(b"a manifest")
    scalar = int.from_bytes(signature[32:], "little")
    assert is_signed(SIGNER.public_key, signature, b"a manifest")
    assert scalar < GROUP_ORDER
    other = signature[:32] + (scalar + times * GROUP_ORDER).to_bytes(32, "little")
    assert not is_signed(SIGNER.public_key, other, b"a manifest")


@pytest.mark.parametrize("length", [0, 63, 65])
def test_other_lengths_are_no_signatures(length):
    """Only 64 bytes can be a signature, only 32 a key."""
    signature = (SIGNER.sign(b"x") + b"\0")[:length]
    assert not is_signed(SIGNER.public_key, signature, b"x")
    assert not is_signed(SIGNER.public_key[:31], SIGNER.sign(b"x"), b"x")


@pytest.mark.parametrize(
    "y",
    [
        0,
        1,
        FIELD - 1,
        FIELD,
        FIELD + 1,
        2**255 - 1,
        # pragma: allowlist nextline secret (of the curve)
        int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
        # pragma: allowlist nextline secret (of the curve)
        int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
    ],
)
@pytest.mark.parametrize("sign", [0, 1])
def test_a_key_that_anybody_can_sign_with_is_none(y, sign):
    """Points of small order, and keys that are not canonical, are refused, whatever the library says."""
    public = (y | sign << 255).to_bytes(32, "little")
    everybodys = (1).to_bytes(32, "little") + bytes(32)  # R = identity, S = 0: holds for a key of order 1
    assert not is_signed(public, everybodys, b"anything")
    with pytest.raises(InvalidInput, match="only its owner"):
        public_key_of(pem_of(public))


def test_the_identity_is_a_key_that_the_library_takes():
    """Without the rule above, the identity as a key would hold everybody's signature over everything."""
    everybodys = (1).to_bytes(32, "little") + bytes(32)
    ed25519.Ed25519PublicKey.from_public_bytes((1).to_bytes(32, "little")).verify(everybodys, b"anything")


def test_a_public_key_is_read_back_from_its_pem():
    """PEM as the library and openssl write it is read; the id follows from the 32 bytes."""
    key = ed25519.Ed25519PublicKey.from_public_bytes(SIGNER.public_key)
    assert key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) == PEM
    assert public_key_of(PEM) == SIGNER.public_key
    assert public_key_of(PEM.replace(b"\n", b"\r\n")) == SIGNER.public_key
    assert key_id(SIGNER.public_key).startswith("ed25519:")


def _pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        PEM * 2,
        PEM[:-30],
        PEM.replace(b"PUBLIC", b"PRIVATE"),
        _pem(ec.generate_private_key(ec.SECP256R1())),
        _pem(x25519.X25519PrivateKey.generate()),
        ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        b"-----BEGIN PUBLIC KEY-----\n" + b"A" * 59 + b"\n-----END PUBLIC KEY-----\n",
        b"\xff" + PEM,
    ],
)
def test_what_is_no_public_key_is_refused(pem):
    """Other kinds of keys, private ones, several and broken ones are not taken for a public key."""
    with pytest.raises(InvalidInput, match="expected one Ed25519 public key"):
        public_key_of(pem)
