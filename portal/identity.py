"""Who stands before a page, from what the identity provider said of them. Nothing here decides what they may do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lens_core.signoff.words import Person

KEPT = ("iss", "sub", "aud", "email", "email_verified", "auth_time", "iat", "exp")
"""The claims that go into a statement; further ones are nobody's business there."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at the page: ``claims`` as texts, and ``faults``, every reason why they cannot sign here.

    ``until`` is when the provider's word on them ends.
    """

    email: str = ""
    person: Person | None = None
    claims: Mapping[str, str] | None = None
    until: datetime | None = None
    faults: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether a provider has named them at all."""
        return bool(self.claims)

    def faults_at(self, now: datetime) -> tuple[str, ...]:
        """Every reason why they cannot sign at ``now``."""
        if self.until is None or now < self.until:
            return self.faults
        over = f"the sign-in ended {self.until:%Y-%m-%d %H:%M} UTC, as the provider said: sign in again"
        return (*self.faults, over)


NOBODY = Visitor(faults=("nobody is signed in here",))


def recognise(said: Mapping[str, object], issuers: Mapping[str, str], people: Sequence[Person]) -> Visitor:
    """The visitor whom ``said`` (Streamlit's user) tells of.

    ``issuers`` names the issuer of each configured provider: an address that another one vouches for is nobody's.
    """
    if said.get("is_logged_in") is not True:
        return NOBODY
    email = said.get("email")
    email = email if isinstance(email, str) else ""
    person = next((one for one in people if email.casefold() in map(str.casefold, one.emails)), None)
    until = _moment(said.get("exp"))
    faults = [*_issuer_faults(said, issuers), *_address_faults(said, email, person)]
    if until is None:
        faults.append("the provider does not say until when its word holds (exp)")
    return Visitor(email, person, _texts(said), until, tuple(faults))


def _issuer_faults(said: Mapping[str, object], issuers: Mapping[str, str]) -> list[str]:
    expected, seen = issuers.get(str(said.get("provider", "")), ""), str(said.get("iss", ""))
    if expected and seen.rstrip("/") == expected.rstrip("/"):
        return []
    return [f"expected the word of the configured provider ({expected or 'none'}), saw that of {seen or 'nobody'}"]


def _address_faults(said: Mapping[str, object], email: str, person: Person | None) -> list[str]:
    if not email:
        return ["the provider names no e-mail address: ask for the scope “email”"]
    faults = []
    if said.get("email_verified") is not True:  # a text "true" is no JSON true
        faults.append(f"the provider does not say that {email} is verified")
    if person is None:
        faults.append(f"lens.toml names nobody with the address {email} (signoff.people)")
    return faults


def _moment(said: object) -> datetime | None:
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    try:
        return datetime.fromtimestamp(said, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _texts(said: Mapping[str, object]) -> dict[str, str]:
    return {name: _text(said[name]) for name in KEPT if said.get(name) is not None}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
