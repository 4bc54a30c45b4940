"""Joins what statements are signed and verified with: people's SSH keys, and the portal's own key."""

from dataclasses import dataclass
from pathlib import Path

from lens_core.adapters.git_source import GitSource
from lens_core.adapters.own_keys import PORTAL, key_folder, own_key, public_folder, public_keys
from lens_core.adapters.portal_signatures import PortalSigner, StatementSignatures
from lens_core.adapters.ssh_signatures import SshSignatures, SshSigner
from lens_core.config import Settings, load_settings
from lens_core.errors import InvalidInput
from lens_core.signoff.words import Person
from lens_core.signoff_ports import StatementSigner


def open_signatures(settings: Settings) -> StatementSignatures:
    """What tells who signed, by the files that the configuration names."""
    signoff, public = settings.signoff, public_folder(settings.home)
    revoked = settings.root / signoff.revoked_keys if signoff.revoked_keys else None
    ssh = SshSignatures(settings.root / signoff.allowed_signers, revoked)
    return StatementSignatures(
        ssh, (lambda: public_keys(PORTAL, public)) if signoff.portal_signs else None, people(settings)
    )


def open_portal_signer(home: Path | None = None, config: Path | None = None) -> StatementSigner:
    """The portal's own key, made at its first use."""
    settings = load_settings(home, config)
    folder = key_folder(settings.home, settings.audit.key_folder)
    return PortalSigner(own_key(PORTAL, folder, public_folder(settings.home)))


def people(settings: Settings) -> tuple[Person, ...]:
    """Whom the configuration names."""
    return settings.signoff.rules(()).people


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signs at this terminal, and with what."""

    root: Path
    people: tuple[Person, ...]

    def person(self, named: str = "") -> Person:
        """The person with that name or address; by default the one whom git's ``user.email`` names."""
        wanted = (named or GitSource(self.root).person()).casefold()
        for person in self.people:
            if wanted in {name.casefold() for name in (person.name, *person.emails)}:
                return person
        known = ", ".join(person.name for person in self.people) or "nobody"
        raise InvalidInput(
            f"[signoff] of lens.toml names nobody like {wanted or 'git (it has no user.email)'}: it names {known}",
            "say who you are with --person, or let somebody add you to lens.toml and to the allowed signers",
        )

    def signer(self, key: Path | None = None, agent: str = "") -> StatementSigner:
        """The key that is named; by default the one that git signs with (``user.signingkey``)."""
        if key is None and not agent:
            named = GitSource(self.root).signing_key()
            key = Path(named) if named and Path(named).is_file() else None
        return SshSigner(key, agent)


def open_signing(home: Path | None = None, config: Path | None = None) -> Signing:
    """Who may sign at this terminal."""
    settings = load_settings(home, config)
    return Signing(settings.root, people(settings))
