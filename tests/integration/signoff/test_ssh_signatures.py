"""Statements signed and verified by the real ssh-keygen."""

import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from signing import allowed, hand

from lens_core.adapters.ssh_signatures import SshSignatures, SshSigner
from lens_core.errors import InvalidInput, Unavailable
from lens_core.signoff.words import Method, Signed

AT = datetime(2026, 11, 26, 12, tzinfo=UTC)
CONTENT = b'{"a":1}'
ADA, BOB, EVE = hand(), hand(), hand()


@pytest.fixture
def signers(tmp_path):
    """Ada and Bob may sign."""
    return allowed(tmp_path / "allowed_signers", {"ada@example.org": ADA, "bob@example.org": BOB})


def made(folder, kind, *more):
    """The file of a new key of ssh-keygen's."""
    file = folder / f"{kind}-key"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *more, "-N", "", "-f", str(file)], check=True)
    return file


@pytest.mark.parametrize(("kind", "more"), [("ed25519", ()), ("ecdsa", ()), ("rsa", ("-b", "3072"))])
def test_each_kind_of_key_signs_and_verifies(tmp_path, kind, more):
    """A key's file signs through ssh-keygen, and its owner's name verifies."""
    key = made(tmp_path, kind, *more)
    signers = tmp_path / "allowed_signers"
    signers.write_text(f"ada@example.org {key.with_suffix('.pub').read_text()}", encoding="utf-8")
    signed = SshSigner(key).sign(CONTENT)
    assert (signed.content, signed.method) == (CONTENT, Method.SSH)
    assert SshSignatures(signers).fault(signed, "ada@example.org", AT) == ""


def test_a_short_rsa_key_does_not_sign(tmp_path):
    """RSA of 2048 bits is refused by name although ssh-keygen takes it."""
    with pytest.raises(InvalidInput, match="RSA key of at least 3072 bits, saw 2048"):
        SshSigner(made(tmp_path, "rsa", "-b", "2048")).sign(CONTENT)


def test_a_key_of_an_agent_signs(signers):
    """The private half may lie in an agent: the key is named by its fingerprint, or by its public half's file."""
    with tempfile.TemporaryDirectory(prefix="lens-agent-") as short:
        place = Path(short) / "agent"
        with subprocess.Popen(["ssh-agent", "-D", "-a", str(place)], stdout=subprocess.PIPE) as running:
            running.stdout.readline()  # it prints where it listens once it does
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("SSH_AUTH_SOCK", str(place))
                subprocess.run(["ssh-add", "-q", str(ADA.write(Path(short) / "id"))], check=True)
                public = Path(short) / "ada.pub"
                public.write_text(ADA.line, encoding="utf-8")
                for signer in (SshSigner(agent=ADA.sign(b"").key), SshSigner(public)):
                    assert SshSignatures(signers).fault(signer.sign(CONTENT), "ada@example.org", AT) == ""
                with pytest.raises(InvalidInput, match="expected the ssh-agent to hold the key SHA256:nobody"):
                    SshSigner(agent="SHA256:nobody").sign(CONTENT)
            running.terminate()


def test_without_an_agent_or_a_key_it_says_what_to_do(tmp_path, monkeypatch):
    """No agent is Unavailable; no file, two keys or none are the caller's to change."""
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "none"))
    with pytest.raises(Unavailable, match="ssh-agent gives no keys"):
        SshSigner(agent="SHA256:x").sign(CONTENT)
    with pytest.raises(InvalidInput, match="cannot sign"):
        SshSigner(tmp_path / "no-such-key").sign(CONTENT)
    with pytest.raises(InvalidInput, match="expected one key"):
        SshSigner()
    with pytest.raises(InvalidInput, match="expected one key"):
        SshSigner(tmp_path, "SHA256:x")


def test_without_ssh_keygen_nothing_is_believed(signers, tmp_path, monkeypatch):
    """A machine without OpenSSH says so: it verifies nothing rather than everything."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="ssh-keygen is not installed"):
        SshSignatures(signers).fault(ADA.sign(CONTENT), "ada@example.org", AT)


def test_what_python_signs_is_what_ssh_keygen_signs(tmp_path, signers):
    """The tests' own signer writes the very bytes of ssh-keygen (Ed25519 has one signature for one message)."""
    assert ADA.sign(CONTENT) == SshSigner(ADA.write(tmp_path / "id")).sign(CONTENT)


@pytest.mark.parametrize(
    ("signed", "person", "why"),
    [
        (ADA.sign(CONTENT), "bob@example.org", "is that of ada@example.org, not of bob@example.org"),
        (EVE.sign(CONTENT), "ada@example.org", "was nobody's at 2026-11-26 12:00 UTC"),
        (hand("git").sign(CONTENT), "ada@example.org", "under the namespace lens-signoff, saw 'git'"),
        (Signed(b"{}", ADA.sign(CONTENT).signature, Method.SSH, ADA.sign(b"").key), "ada@example.org", "not one over"),
        (Signed(CONTENT, ADA.sign(CONTENT).signature, Method.SSH, "SHA256:x"), "ada@example.org", "of key SHA256:x"),
        (Signed(CONTENT, b"-----BEGIN", Method.SSH, "SHA256:x"), "ada@example.org", "saw other bytes"),
        (ADA.sign(CONTENT), "*", "is that of ada@example.org, not of *"),
        (ADA.sign(CONTENT), "-h", "is that of ada@example.org, not of -h"),
    ],
)
def test_each_wrong_signature_says_what_is_wrong(signers, signed, person, why):
    """A signature that does not count is told apart: whose key it is, what it is over, under which name."""
    assert why in SshSignatures(signers).fault(signed, person, AT)


def test_a_key_holds_for_its_time(tmp_path):
    """valid-after and valid-before of the file are held against the moment that is asked about, in UTC."""
    options = 'valid-after="20261126",valid-before="20261127"'
    check = SshSignatures(allowed(tmp_path / "allowed_signers", {"ada@example.org": ADA}, options))
    signed = ADA.sign(CONTENT)
    assert check.fault(signed, "ada@example.org", AT) == ""
    for other in (datetime(2026, 11, 25, 23, 59, 59, tzinfo=UTC), datetime(2026, 11, 27, 0, 0, 1, tzinfo=UTC)):
        assert "was nobody's at" in check.fault(signed, "ada@example.org", other)


def test_a_revoked_key_signs_nothing(tmp_path, signers):
    """A key in the file of revoked keys counts no more, whenever it signed; others still do."""
    revoked = tmp_path / "revoked"
    revoked.write_text(ADA.line + "\n", encoding="utf-8")
    check = SshSignatures(signers, revoked)
    assert "of ada@example.org is revoked" in check.fault(ADA.sign(CONTENT), "ada@example.org", AT)
    assert check.fault(BOB.sign(CONTENT), "bob@example.org", AT) == ""


def test_missing_files_let_nobody_sign(tmp_path, signers):
    """Without the allowed signers, or without the revoked keys that are configured, nothing is believed."""
    signed = ADA.sign(CONTENT)
    assert "the allowed signers" in SshSignatures(tmp_path / "none").fault(signed, "ada@example.org", AT)
    assert "the revoked keys" in SshSignatures(signers, tmp_path / "none").fault(signed, "ada@example.org", AT)


def test_nothing_is_left_lying_about(tmp_path, signers, monkeypatch):
    """What was written for ssh-keygen is gone afterwards."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    signed = SshSigner(ADA.write(tmp_path / "id")).sign(CONTENT)
    assert SshSignatures(signers).fault(signed, "ada@example.org", AT) == ""
    assert not list((tmp_path / "temporary").iterdir())
