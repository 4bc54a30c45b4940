"""Where signing keys come from, and what is refused as one."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from lens_core.adapters.keys import TrustStore, new_key, signer
from lens_core.errors import Conflict, IntegrityError, InvalidInput, Unavailable
from lens_core.supply.signatures import is_signed, key_id, pem_of
from study.cuts import SeededSigner


def private_pem(key, protection=None):
    """A private key as PKCS 8 in PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection or NoEncryption())


@pytest.fixture
def made(tmp_path):
    """A new key: its file and its id."""
    file = tmp_path / "own" / "key.pem"
    return file, new_key(file)


def test_a_new_key_signs_and_is_its_owners(made):
    """It is written with mode 0600 in a folder of mode 0700, and signs under the id that was told."""
    file, name = made
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    key = signer(file, {})
    assert key_id(key.public_key) == name
    assert is_signed(key.public_key, key.sign(b"x"), b"x")


def test_openssl_reads_a_new_key(made):
    """The file is PKCS 8 as openssl writes it, and openssl derives the same public key."""
    file, _ = made
    said = subprocess.run(["openssl", "pkey", "-in", str(file), "-pubout"], capture_output=True, check=True)
    assert said.stdout == pem_of(signer(file, {}).public_key)


def test_a_key_of_openssl_signs(tmp_path):
    """A key that openssl made is taken."""
    file = tmp_path / "key.pem"
    file.touch(mode=0o600)
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(file)], check=True, capture_output=True)
    file.chmod(0o600)
    key = signer(file, {})
    assert is_signed(key.public_key, key.sign(b"x"), b"x")


def test_a_key_is_never_overwritten(made):
    """A second key in the same file is refused, and the first stays."""
    file, name = made
    with pytest.raises(Conflict):
        new_key(file)
    assert key_id(signer(file, {}).public_key) == name


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o700, 0o602])
def test_a_key_that_others_can_read_is_refused(made, mode):
    """Every mode that gives more than 0600 is refused, with what to do."""
    file, _ = made
    file.chmod(mode)
    with pytest.raises(InvalidInput, match=f"saw mode {mode:04o}") as raised:
        signer(file, {})
    assert "chmod 600" in raised.value.hint


@pytest.mark.parametrize("mark", ["folder", "file"])
def test_a_key_in_a_repository_is_refused(tmp_path, mark):
    """In a work tree no key is made and none is read, a linked work tree and a link into one included."""
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True)
    if mark == "folder":
        subprocess.run(["git", "init", "-q", str(tree)], check=True)
    else:
        (tree / ".git").write_text("gitdir: elsewhere\n", encoding="utf-8")
    inside = tree / "deep" / "key.pem"
    with pytest.raises(InvalidInput, match="outside of every git work tree"):
        new_key(inside)
    assert not inside.exists()
    new_key(tmp_path / "key.pem")
    (tmp_path / "key.pem").rename(inside)
    (tmp_path / "link.pem").symlink_to(inside)
    for file in (inside, tmp_path / "link.pem", tmp_path / "tree" / ".." / "tree" / "deep" / "key.pem"):
        with pytest.raises(InvalidInput, match="outside of every git work tree"):
            signer(file, {})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no key",
        pem_of(SeededSigner(1).public_key),
        private_pem(ec.generate_private_key(ec.SECP256R1())),
        private_pem(ed25519.Ed25519PrivateKey.generate(), BestAvailableEncryption(b"secret")),
    ],
)
def test_what_is_no_signing_key_is_refused(tmp_path, content):
    """Empty files, public keys, other kinds and encrypted keys are refused, and their content is not repeated."""
    file = tmp_path / "key.pem"
    file.touch(mode=0o600)
    file.write_bytes(content)
    with pytest.raises(InvalidInput, match="expected an Ed25519") as raised:
        signer(file, {})
    told = raised.value.message + raised.value.hint
    assert raised.value.__cause__ is None
    assert not [line for line in content.decode().splitlines() if line and line in told]


def test_folders_and_missing_files_are_no_keys(tmp_path):
    """A folder, and a file that is not there, are refused by name."""
    for place in (tmp_path, tmp_path / "none.pem"):
        with pytest.raises(InvalidInput, match=str(place)):
            signer(place, {})


def test_the_environment_holds_a_key():
    """LENS_SIGNING_KEY is a PEM; an empty one is none."""
    key = ed25519.Ed25519PrivateKey.generate()
    found = signer(None, {"LENS_SIGNING_KEY": private_pem(key).decode()})
    assert found.public_key == key.public_key().public_bytes_raw()
    with pytest.raises(InvalidInput, match="expected a signing key, saw none"):
        signer(None, {"LENS_SIGNING_KEY": ""})
    with pytest.raises(InvalidInput, match="the variable LENS_SIGNING_KEY"):
        signer(None, {"LENS_SIGNING_KEY": "x"})


def test_a_named_file_comes_before_the_environment(made):
    """Who names a file gets that file's key; a file and an agent together are refused."""
    file, name = made
    other = private_pem(ed25519.Ed25519PrivateKey.generate()).decode()
    assert key_id(signer(file, {"LENS_SIGNING_KEY": other}).public_key) == name
    with pytest.raises(InvalidInput, match="saw a file and an agent's"):
        signer(file, {}, "SHA256:x")


def test_a_key_does_not_show_itself(made):
    """What a signer prints is its id."""
    file, name = made
    assert repr(signer(file, {})) == f"PrivateKeySigner({name})"
    assert not hasattr(signer(file, {}), "__dict__")


def test_trusted_keys_are_kept_by_id(tmp_path):
    """A key that was trusted is there afterwards, under its id; trusting it again changes nothing."""
    store = TrustStore(tmp_path / "keys" / "trusted")
    assert store.trusted() == {}
    one, two = SeededSigner(1), SeededSigner(2)
    for key in (one, two, one):
        assert store.trust(pem_of(key.public_key)) == key.key_id
    assert store.trusted() == {key.key_id: key.public_key for key in (one, two)}


def test_a_trusted_key_under_another_name_is_noticed(tmp_path):
    """A file that was exchanged for another key's, or that is no key, is refused instead of trusted."""
    store = TrustStore(tmp_path)
    store.trust(pem_of(SeededSigner(1).public_key))
    [file] = tmp_path.glob("*.pem")
    file.write_bytes(pem_of(SeededSigner(2).public_key))
    with pytest.raises(IntegrityError, match="under its own name"):
        store.trusted()
    file.write_bytes(b"no key")
    with pytest.raises(IntegrityError, match="expected one Ed25519 public key"):
        store.trusted()


def test_a_private_key_is_not_trusted(made, tmp_path):
    """Who hands over a private key is told so, and nothing is written."""
    file, _ = made
    with pytest.raises(InvalidInput):
        TrustStore(tmp_path / "trusted").trust(file.read_bytes())
    assert not (tmp_path / "trusted").exists()


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    """A key in a folder that is a file, and a trust store that is one, are errors with their place."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InvalidInput, match="cannot be written"):
        new_key(tmp_path / "file" / "key.pem")
    with pytest.raises(Unavailable, match="cannot be written"):
        TrustStore(Path(tmp_path / "file")).trust(pem_of(SeededSigner(1).public_key))
