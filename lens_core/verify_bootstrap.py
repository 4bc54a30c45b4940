"""Joins what reading and verifying cuts needs, and nothing more: no ledger, no engine, no network."""

from collections.abc import Mapping
from pathlib import Path

from lens_core.adapters.cut_folder import CutFolder
from lens_core.adapters.keys import TrustStore
from lens_core.drills.judging import JUDGES
from lens_core.drills.reader import Drills
from lens_core.errors import InvalidInput
from lens_core.places import home_folder
from lens_core.releases import Releases
from lens_core.supply.signatures import key_id, public_key_of

RELEASES, DRILLS, TRUSTED = "releases", "drills", "keys/trusted"
"""Below the home folder: the finished cuts and drills, and the public keys that are believed."""


def open_releases(home: Path | None = None) -> Releases:
    """The cuts of a home folder, held against the keys that it trusts."""
    home = home_folder(home)
    return Releases(home / RELEASES, CutFolder, TrustStore(home / TRUSTED).trusted)


def open_drills(home: Path | None = None) -> Drills:
    """The drills of a home folder, held against the keys that it trusts."""
    home = home_folder(home)
    return Drills(home / DRILLS, CutFolder, TrustStore(home / TRUSTED).trusted, JUDGES)


def read_key(file: Path) -> Mapping[str, bytes]:
    """One public key from a PEM file, by its id; InvalidInput when it is none."""
    try:
        public = public_key_of(file.read_bytes())
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}", "name the PEM file of a public key") from error
    return {key_id(public): public}
