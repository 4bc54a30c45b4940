"""Keys of the seal: the one that signs, from a file, the environment or an agent, and those that are trusted.

A signing key never lies in a repository: a file in a git work tree is refused, whatever git ignores there. Nothing
here prints, logs or shows a private key. The trust store is a folder of public keys, ``ed25519-<hex of the id>.pem``.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from lens_core.adapters.ssh_agent import agent_signer
from lens_core.errors import Conflict, IntegrityError, InvalidInput, Unavailable
from lens_core.supply.signatures import key_id, pem_of, public_key_of
from lens_core.supply.words import Signer

KEY_VARIABLE = "LENS_SIGNING_KEY"
AGENT_VARIABLE = "SSH_AUTH_SOCK"
_OWNER_ONLY = 0o600
_MAX_PEM = 16 * 1024


class PrivateKeySigner:
    """An Ed25519 key in memory; keeps the ``Signer`` protocol. Shows its id, never itself."""

    __slots__ = ("_key",)

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @property
    def public_key(self) -> bytes:
        """The 32 raw bytes of the public key."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """The 64 raw bytes of the signature."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"PrivateKeySigner({key_id(self.public_key)})"


def signer(file: Path | None, env: Mapping[str, str], agent: str | None = None) -> Signer:
    """The key that signs: ``file``, if one is named, else the key ``agent`` (a fingerprint), else LENS_SIGNING_KEY.

    InvalidInput when two are named or none is there, or when what is there cannot be used; Unavailable without the
    agent. Nothing is looked for in places that nobody named.
    """
    if file is not None and agent:
        raise InvalidInput("expected one signing key, saw a file and an agent's", "name one of them")
    if file is not None:
        return signer_from_file(file)
    if agent:
        place = env.get(AGENT_VARIABLE)
        if not place:
            raise InvalidInput(f"expected {AGENT_VARIABLE} to name an agent, saw nothing", "`eval $(ssh-agent)`")
        return agent_signer(Path(place), agent)
    if pem := env.get(KEY_VARIABLE):
        return signer_from_text(pem, f"the variable {KEY_VARIABLE}")
    raise InvalidInput(
        f"expected a signing key, saw none: no file, no agent's key, no {KEY_VARIABLE}",
        "make one with `lens keys new`, and name it",
    )


def signer_from_text(pem: str, where: str) -> Signer:
    """The key in a PEM text (PKCS 8); InvalidInput, which names ``where`` it stood and never the text, for another."""
    return _signer_of(pem.encode(), where)


def signer_from_file(file: Path) -> Signer:
    """The key in a PEM file (PKCS 8); InvalidInput unless only its owner can read it, and outside of any work tree."""
    _outside_of_git(file)
    try:
        number = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(number, "rb") as opened:
            found = os.fstat(number)
            content = opened.read(_MAX_PEM)
    except OSError as error:
        raise InvalidInput(f"expected a signing key in {file}: {error.strerror}", "name its file") from error
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISREG(found.st_mode) or mode & ~_OWNER_ONLY:
        raise InvalidInput(
            f"expected {file} to be a file of mode 0600, saw mode {mode:04o}",
            f"`chmod 600 {file}`; if others could read it, make a new key and distrust this one",
        )
    return _signer_of(content, str(file))


def new_key(file: Path) -> str:
    """Make a key, write it to ``file`` (which must not exist) with mode 0600, and give its id."""
    _outside_of_git(file)
    made = Ed25519PrivateKey.generate()
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    if file.exists():
        raise _there_already(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER_ONLY)
        with os.fdopen(number, "wb") as opened:
            opened.write(pem)
            opened.flush()
            os.fsync(number)
    except OSError as error:
        if file.exists():  # somebody was faster
            raise _there_already(file) from error
        raise InvalidInput(f"{file} cannot be written: {error.strerror}", "name a file in a folder of yours") from error
    return key_id(made.public_key().public_bytes_raw())


class TrustStore:
    """The public keys in ``folder`` whose signatures count here."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def trust(self, pem: bytes) -> str:
        """Trust the public key in ``pem`` from now on, and give its id; InvalidInput for what is none."""
        public = public_key_of(pem)
        place = self._folder / _file_name(public)
        part = place.with_name(f".{place.name}.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            part.write_bytes(pem_of(public))
            part.replace(place)
        except OSError as error:
            raise Unavailable(
                f"{place} cannot be written: {error.strerror}", "make room, or mend its rights"
            ) from error
        return key_id(public)

    def trusted(self) -> Mapping[str, bytes]:
        """The trusted keys, raw, by id; none without a folder. IntegrityError for a file that is no key, or another."""
        keys = {}
        for file in sorted(self._folder.glob("*.pem")):
            try:
                public = public_key_of(file.read_bytes())
            except OSError as error:
                raise Unavailable(f"{file} cannot be read: {error.strerror}", "mend its rights") from error
            except InvalidInput as error:
                raise IntegrityError(f"{file}: {error.message}", f"remove {file}") from error
            if file.name != _file_name(public):
                raise IntegrityError(
                    f"expected the key {_file_name(public)} under its own name, saw it in {file}",
                    "somebody put it there: remove it, and trust again the keys that you know",
                )
            keys[key_id(public)] = public
        return keys


def _there_already(file: Path) -> Conflict:
    return Conflict(f"expected no file {file}, saw one", "a key is never overwritten: name another file")


def _file_name(public: bytes) -> str:
    return key_id(public).replace(":", "-") + ".pem"


def _signer_of(pem: bytes, where: str) -> PrivateKeySigner:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:  # TypeError: it is encrypted. Neither's words are passed on
        said = "an encrypted one" if isinstance(error, TypeError) else "something else"
        raise InvalidInput(
            f"expected an Ed25519 private key as unencrypted PEM in {where}, saw {said}",
            "make one with `lens keys new`; keep an encrypted one in an ssh-agent",
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInput(f"expected an Ed25519 key in {where}, saw another kind", "make one with `lens keys new`")
    return PrivateKeySigner(key)


def _outside_of_git(file: Path) -> None:
    """InvalidInput for a file in a git work tree, wherever links lead."""
    for place in (file.absolute(), file.resolve()):
        for folder in place.parents:
            if (folder / ".git").exists():
                raise InvalidInput(
                    f"expected the signing key outside of every git work tree, saw {file} in that of {folder}",
                    "a key that lies in a repository gets published one day: keep it elsewhere",
                )
