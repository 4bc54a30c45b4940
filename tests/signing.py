"""People with real SSH keys, and a signer that writes SSH signatures without a process for each: for many in a test."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from lens_core.signoff.words import Method, Signed
from lens_core.supply.ssh_signature import NAMESPACE, armour, fingerprint


def _string(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


@dataclass(frozen=True)
class Hand:
    """Somebody's key; keeps the ``StatementSigner`` port."""

    key: Ed25519PrivateKey
    namespace: str = NAMESPACE

    @property
    def blob(self) -> bytes:
        """The public key as SSH has it."""
        return _string(b"ssh-ed25519") + _string(self.key.public_key().public_bytes_raw())

    @property
    def line(self) -> str:
        """The public key as a file has it."""
        return self.key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()

    def sign(self, content: bytes, digest: str = "sha512") -> Signed:
        """Sign as ``ssh-keygen -Y sign`` does (PROTOCOL.sshsig)."""
        hashed = hashlib.new(digest, content).digest()
        about = _string(self.namespace.encode()) + _string(b"") + _string(digest.encode())
        raw = self.key.sign(b"SSHSIG" + about + _string(hashed))
        signature = _string(b"ssh-ed25519") + _string(raw)
        whole = b"SSHSIG" + (1).to_bytes(4, "big") + _string(self.blob) + about + _string(signature)
        return Signed(content, armour(whole), Method.SSH, fingerprint(self.blob))

    def write(self, file: Path) -> Path:
        """The private key in a file that only its owner reads."""
        file.touch(mode=0o600)
        file.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        return file


def hand(namespace: str = NAMESPACE) -> Hand:
    """A new key."""
    return Hand(Ed25519PrivateKey.generate(), namespace)


def allowed(file: Path, hands: dict[str, Hand], options: str = f'namespaces="{NAMESPACE}"') -> Path:
    """An allowed-signers file of these people."""
    lines = [f"{name} {options} {one.line}" for name, one in hands.items()]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file
