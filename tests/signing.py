"""People with real SSH keys at a real desk: only what is known of the candidate is made up.

``Hand`` writes SSH signatures without a process for each, so that a test can make many.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from fakes import FakeClock
from signing_off import NOW, PEOPLE, RULES, WHO, unsigned_case

from lens_core.adapters.portal_signatures import StatementSignatures
from lens_core.adapters.signoff_ledger import SqlStatements
from lens_core.adapters.ssh_signatures import SshSignatures
from lens_core.errors import InvalidInput
from lens_core.signoff.statement import decode
from lens_core.signoff.words import Act, Case, Method, Recorded, Role, Signed, SignoffRules
from lens_core.signoff_desk import DeskWorld, SignoffDesk
from lens_core.signoff_statements import recorded
from lens_core.supply.signatures import key_id
from lens_core.supply.ssh_signature import NAMESPACE, armour, fingerprint
from lens_core.supply.words import Signer


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


HANDS = {person.name: hand() for person in PEOPLE}
"""The key of everybody in ``signing_off``."""


class Silent:
    """A courier that counts how often it was asked to send."""

    def __init__(self) -> None:
        self.asked = 0

    def send_due(self) -> str:
        """Count."""
        self.asked += 1
        return ""


class Room:
    """A desk with a real ledger and real signatures; ``changes`` is what differs from the good case."""

    def __init__(self, folder: Path, rules: SignoffRules = RULES, portal: Signer | None = None) -> None:
        self.rules = rules
        self.clock = FakeClock(NOW)
        self.courier = Silent()
        self.allowed = allowed(folder / "allowed_signers", HANDS)
        self.revoked = folder / "revoked_keys"
        self.revoked.touch()
        self.file = folder / "home" / "lens.db"
        self.ledger = SqlStatements(self.file, targets=("jsons://told",))
        self.changes: dict[str, object] = {}
        keys = {key_id(portal.public_key): portal.public_key} if portal else {}
        self.check = StatementSignatures(SshSignatures(self.allowed, self.revoked), lambda: keys, rules.people)

    @property
    def desk(self) -> SignoffDesk:
        """The desk, opened anew."""
        world = DeskWorld(self.ledger, self.clock, self.case, self.check, self.rules, self.courier)
        return SignoffDesk(world)

    def case(self, version: str = "") -> Case:
        """The good case, as it was changed, with what the ledger holds."""
        good = unsigned_case(**self.changes)
        if version not in {"", good.version}:
            raise InvalidInput(f"there is no release {version}")
        candidate = good.cut.release.candidate.digest if good.cut else None
        kept = self.ledger.statements(candidate) if candidate else ()
        return replace(good, statements=tuple(recorded(one, self.check, self.rules.people) for one in kept))

    def draft(self, act: Act = Act.APPROVE, role: Role | None = Role.QA, person: str = "", **other: object) -> bytes:
        """A statement of whoever holds the role, about what is known now."""
        said = {"reason": "I looked at all of it", **other}
        who = person or WHO[role or Role.QA]
        return self.desk.draft(act, "", who, role, **said)  # type: ignore[arg-type]  # by name

    def say(self, act: Act = Act.APPROVE, role: Role | None = Role.QA, person: str = "", **other: object) -> Recorded:
        """Draft, sign with the person's own key, and record."""
        content = self.draft(act, role, person, **other)
        return self.desk.record(HANDS[decode(content).person].sign(content))
