"""What an SSH signature says, read from its bytes: one spelling, strong keys, nothing hidden."""

import base64

import pytest
from signing import hand

from lens_core.errors import IntegrityError
from lens_core.supply.ssh_signature import KEY_KINDS, armour, parse

ADA = hand()
SIGNED = ADA.sign(b"{}")


def string(content):
    """A string as SSH has it."""
    return len(content).to_bytes(4, "big") + content


def whole(key=ADA.blob, version=1, reserved=b"", digest=b"sha512", tail=b"", magic=b"SSHSIG"):
    """The bytes of a signature, with one part as it must not be."""
    parts = (key, b"lens-signoff", reserved, digest, b"raw")
    return armour(magic + version.to_bytes(4, "big") + b"".join(map(string, parts)) + tail)


def test_it_says_kind_fingerprint_and_namespace():
    """What ssh-keygen prints of a key is what is read here."""
    found = parse(SIGNED.signature)
    assert (found.kind, found.fingerprint, found.namespace) == ("ssh-ed25519", SIGNED.key, "lens-signoff")


@pytest.mark.parametrize("kind", sorted(KEY_KINDS - {"ssh-rsa"}))
def test_each_kind_that_counts_is_read(kind):
    """Ed25519, ECDSA and keys of tokens are taken for what they are."""
    assert parse(whole(string(kind.encode()) + string(b"point"))).kind == kind


@pytest.mark.parametrize(("bits", "counts"), [(1024, False), (3071, False), (3072, True), (4096, True)])
def test_rsa_counts_from_3072_bits(bits, counts):
    """A shorter RSA key is refused, whatever padding its number has."""
    number = (1 << (bits - 1)).to_bytes(bits // 8 + 2, "big")
    armoured = whole(string(b"ssh-rsa") + string(b"\1\0\1") + string(number))
    if counts:
        assert parse(armoured).kind == "ssh-rsa"
    else:
        with pytest.raises(IntegrityError, match=f"at least 3072 bits, saw {bits}"):
            parse(armoured)


@pytest.mark.parametrize(
    "armoured",
    [
        b"",
        SIGNED.signature[:-1],
        SIGNED.signature + b"\n",
        b"\n" + SIGNED.signature,
        SIGNED.signature.replace(b"\n", b"\r\n"),
        SIGNED.signature.replace(b"=", b""),
        b"-----BEGIN SSH SIGNATURE-----\n\n-----END SSH SIGNATURE-----\n",
        armour(base64.b64decode(b"AAAA")),
        armour(b"SSHSIG" + bytes(20_000)),
        whole(version=2),
        whole(magic=b"SSHSIH"),
        whole(reserved=b"x"),
        whole(digest=b"sha1"),
        whole(tail=b"x"),
        whole(string(b"ssh-dss") + string(b"point")),
        whole(string(b"ssh-ed25519-cert-v01@openssh.com") + string(b"point")),
        whole(string(b"ssh-rsa") + string(b"\1\0\1")),
        whole(b""),
    ],
)
def test_anything_else_is_refused(armoured):
    """Other armour, other versions, other hashes, weak kinds of key, and bytes after the end are no signature."""
    with pytest.raises(IntegrityError, match="the SSH signature: expected"):
        parse(armoured)
