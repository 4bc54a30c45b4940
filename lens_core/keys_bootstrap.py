"""Joins the keys' adapters to what uses them: ``open_keys(home)``. A part of ``bootstrap``."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lens_core.adapters.keys import KEY_VARIABLE, TrustStore, new_key, signer, signer_from_file
from lens_core.config import load_settings
from lens_core.errors import InvalidInput
from lens_core.supply.signatures import pem_of
from lens_core.supply.words import Signer

_MAX_PEM = 16 * 1024


@dataclass(frozen=True, slots=True)
class OpenKeys:
    """The keys of a home folder, and ``signing_file``: where the user's own lies if they named no other."""

    store: TrustStore
    signing_file: Path

    def new(self, file: Path | None = None) -> tuple[Path, str]:
        """Make a signing key in ``file`` (else ``signing_file``) and trust it here; where it lies, and its id."""
        place = file or self.signing_file
        made = new_key(place)
        self.store.trust(pem_of(signer_from_file(place).public_key))
        return place, made

    def signer(self, file: Path | None = None, agent: str = "") -> Signer:
        """The key that is named, else the one in LENS_SIGNING_KEY, else ``signing_file``; InvalidInput without any."""
        named = file is not None or bool(agent) or bool(os.environ.get(KEY_VARIABLE))
        return signer(file if named or not self.signing_file.exists() else self.signing_file, os.environ, agent or None)

    def trusted(self) -> Mapping[str, bytes]:
        """The trusted public keys, raw, by id."""
        return self.store.trusted()

    def trust(self, file: Path) -> str:
        """Trust the public key in a PEM file; its id."""
        try:
            with file.open("rb") as opened:
                pem = opened.read(_MAX_PEM)
        except OSError as error:
            raise InvalidInput(f"{file} cannot be read: {error.strerror}", "name a public key's PEM file") from error
        return self.store.trust(pem)


def open_keys(home: Path | None = None) -> OpenKeys:
    """The keys of ``home``, else of the configured home folder: those that are trusted lie in ``keys/trusted``.

    The signing key lies with the user's own configuration, where no repository is.
    """
    own = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "lens" / "signing-key.pem"
    return OpenKeys(TrustStore((home or load_settings().home) / "keys" / "trusted"), own)
