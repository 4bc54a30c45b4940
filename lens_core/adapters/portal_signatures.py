"""Statements signed by the portal's own key, for people whom its identity provider knows."""

from collections.abc import Callable, Mapping
from datetime import datetime

from lens_core.adapters.ssh_signatures import SshSignatures
from lens_core.errors import LensError
from lens_core.signoff.words import Method, Person, Signed
from lens_core.supply.signatures import is_signed, key_id
from lens_core.supply.words import Signer

_DOMAIN = b"lens.signoff.portal/1\0"
"""Before what is signed, so that the key's signature of a statement is none of anything else."""


class PortalSigner:
    """The portal's key; keeps the ``StatementSigner`` port. Who is signed for stands in the statement's claims."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def sign(self, content: bytes) -> Signed:
        """See ``StatementSigner``."""
        key = key_id(self._signer.public_key)
        return Signed(content, self._signer.sign(_DOMAIN + content), Method.PORTAL, key)


class StatementSignatures:
    """Keeps the ``SignatureCheck`` port: people's own keys, and the portal's where it may sign.

    ``portal_keys`` gives the raw public keys of the portals of this home, by id; a LensError of it means that there is
    none to believe.
    """

    def __init__(
        self,
        ssh: SshSignatures,
        portal_keys: Callable[[], Mapping[str, bytes]] | None,
        people: tuple[Person, ...],
    ) -> None:
        self._ssh = ssh
        self._portal_keys = portal_keys
        self._people = {person.name: person for person in people}

    def fault(self, signed: Signed, person: str, at: datetime) -> str:
        """See ``SignatureCheck``."""
        if signed.method is Method.SSH:
            return self._ssh.fault(signed, person, at)
        if self._portal_keys is None:
            return "the portal may not sign here (signoff.portal_signs)"
        try:
            known = self._portal_keys()
        except LensError as error:
            return f"the portal's key cannot be used: {error.message}"
        public = known.get(signed.key)
        if public is None:
            return f"expected the signature of a key of the portal's ({', '.join(known) or 'none'}), saw {signed.key}"
        holds = is_signed(public, signed.signature, _DOMAIN + signed.content)
        return "" if holds else "the portal's signature is not one over these bytes"

    def method_allowed(self, person: str, method: Method) -> bool:
        """See ``SignatureCheck``. The portal signs for people whose addresses are known."""
        known = self._people.get(person)
        if known is None:
            return False
        return method is Method.SSH or (self._portal_keys is not None and bool(known.emails))
