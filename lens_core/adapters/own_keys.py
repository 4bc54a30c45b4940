"""Keys that Lens makes for itself, to sign its audit log and what people state in the portal.

A private key lies with the user's own configuration, never in the home folder: whoever copies or edits the ledger
does not get it along. Its public half is written to ``keys/own`` of the home, where everybody can read it. It is no
trusted key there: it signs no candidates.
"""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from lens_core.adapters.keys import new_key, signer_from_file, signer_from_text
from lens_core.errors import IntegrityError, InvalidInput, Unavailable
from lens_core.supply.signatures import key_id, pem_of, public_key_of
from lens_core.supply.words import Signer

AUDIT, PORTAL = "audit", "portal"


def key_folder(home: Path, named: str = "", env: Mapping[str, str] = os.environ) -> Path:
    """Where the private keys of ``home`` lie: in the folder ``named``, else in the user's own configuration."""
    if named:
        return Path(named).expanduser()
    own = Path(env.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "lens"
    return own / ("keys-" + hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12])


def public_folder(home: Path) -> Path:
    """Where the public halves of the own keys of ``home`` lie."""
    return home / "keys" / "own"


def own_key(name: str, folder: Path, public: Path | None = None, env: Mapping[str, str] = os.environ) -> Signer:
    """The key ``name``: from the variable ``LENS_<NAME>_KEY``, else from ``folder``, where it is made at first use.

    Its public half is written to the folder ``public``, if one is named. InvalidInput for a key that cannot be used.
    """
    variable = f"LENS_{name.upper()}_KEY"
    if pem := env.get(variable):
        found = signer_from_text(pem, f"the variable {variable}")
    else:
        file = folder / f"{name}.pem"
        if not _is_there(file):
            _make(file)
        found = signer_from_file(file)
    if public is not None:
        _publish(name, found.public_key, public)
    return found


def public_keys(name: str, public: Path) -> Mapping[str, bytes]:
    """The public halves of all keys called ``name`` that this home has had, raw, by id.

    IntegrityError for a file that is no key, Unavailable for one that cannot be read.
    """
    keys = {}
    for file in sorted(public.glob(f"{name}*.pem")):
        try:
            key = public_key_of(file.read_bytes())
        except OSError as error:
            raise Unavailable(f"{file} cannot be read: {error.strerror}", "mend its rights") from error
        except InvalidInput as error:
            raise IntegrityError(f"{file}: {error.message}", f"restore {file} from a backup") from error
        keys[key_id(key)] = key
    return keys


def _is_there(file: Path) -> bool:
    try:
        return file.exists()
    except OSError as error:
        raise InvalidInput(
            f"{file} cannot be read: {error.strerror}", "name a folder of yours in key_folder of [audit]"
        ) from error


def _make(file: Path) -> None:
    """Made beside its place and linked into it whole: two that start at once end up with the same key."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=file.parent) as beside:
            fresh = Path(beside) / file.name
            new_key(fresh)
            file.hardlink_to(fresh)
    except FileExistsError:
        return
    except OSError as error:
        raise InvalidInput(
            f"{file} cannot be written: {error.strerror}", "name a folder of yours in key_folder of [audit]"
        ) from error


def _publish(name: str, key: bytes, public: Path) -> None:
    """The first one is called after the key, later ones (of other people, or of a new machine) after their ids too."""
    if key_id(key) in public_keys(name, public):
        return
    places = public / f"{name}.pem", public / f"{name}-{key_id(key).partition(':')[2][:12]}.pem"
    try:
        public.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=public) as beside:
            part = Path(beside) / name
            part.write_bytes(pem_of(key))
            for place in places:
                with suppress(FileExistsError):  # somebody was faster
                    place.hardlink_to(part)
                    return
    except OSError as error:
        raise Unavailable(f"{public} cannot be written: {error.strerror}", "make room, or mend its rights") from error
