"""A real desk behind the portal's page, with real ledger, log and keys; what is known of the candidate is made up."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import streamlit as st
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from signing import Room
from signing_off import NOW, PEOPLE, RULES
from streamlit.testing.v1 import AppTest

from lens_core.adapters.keys import PrivateKeySigner
from lens_core.adapters.portal_signatures import PortalSigner
from lens_core.audit_bootstrap import OpenAudit
from lens_core.portal_bootstrap import PortalSignoff
from lens_core.signoff.words import Act, Person, Recorded, Role, SignoffRules
from lens_core.signoff_desk import SignoffDesk
from lens_core.signoff_ports import StatementSigner
from portal import reading, signing

VERSION = "1.2.0"
ISSUER = "https://id.example.org"
GUEST = Person("guest@example.org", (), ("guest@example.org",))
ADA, BOB, CLEO, DAN, CUTTER = (person.name for person in PEOPLE)
PORTAL_RULES = replace(RULES, people=(*PEOPLE, GUEST))
AUTH = {
    "redirect_uri": "http://127.0.0.1:8501/oauth2callback",
    "cookie_secret": "of a test, and long enough for it",  # pragma: allowlist secret (opens nothing)
    "client_id": "lens",
    "client_secret": "lens",  # pragma: allowlist secret (opens nothing)
    "server_metadata_url": ISSUER + "/.well-known/openid-configuration",
}
_PAGE = "from portal.views import signoff\nsignoff.show()"


class Stand:
    """A desk, and people who look at its page. Whatever a test puts in place of ``desk`` is what the page gets."""

    def __init__(self, folder: Path, rules: SignoffRules = PORTAL_RULES) -> None:
        key = PrivateKeySigner(Ed25519PrivateKey.generate())
        self.room = Room(folder, rules, portal=key)
        self.desk: SignoffDesk = self.room.desk
        self.signer: StatementSigner = PortalSigner(key)
        self.people = rules.people

    def opened(self) -> PortalSignoff:
        """What the bootstrap would give."""
        audit = OpenAudit(self.room.file.parent, ())
        return PortalSignoff(self.desk, self.signer, self.people, self.room.clock.now, audit)

    @property
    def held(self) -> tuple[Recorded, ...]:
        """What the ledger holds, oldest first."""
        return self.room.desk.statements("")

    def page(self, email: str = "", *, auth: bool = True, **changes: object) -> AppTest:
        """The page as the one with this address sees it; nobody is signed in without one."""
        page = AppTest.from_string(_PAGE, default_timeout=30)
        if auth:
            page.secrets["auth"] = AUTH
        if email:
            page.user = user(email, **changes)
        reading.forget_standing()
        page.run()
        assert not page.exception, page.exception
        return page


def user(email: str, /, **changes: object) -> dict[str, object]:
    """What Streamlit tells of somebody who signed in five minutes ago, for an hour."""
    return {
        "is_logged_in": True,
        "provider": "default",
        "iss": ISSUER,
        "sub": f"subject of {email}",
        "email": email,
        "email_verified": True,
        "iat": int((NOW - timedelta(minutes=5)).timestamp()),
        "exp": int((NOW + timedelta(minutes=55)).timestamp()),
        **changes,
    }


def text_of(page: AppTest) -> str:
    """Everything that the page says."""
    assert not page.exception, page.exception
    html = [element.proto.body for element in page.get("html")]
    words = [element.value for kind in (page.markdown, page.error, page.warning, page.code) for element in kind]
    return "\n".join([*html, *words])


def form_of(page: AppTest, act: Act) -> signing.Drawn:
    """The form that was drawn for an act."""
    form = page.session_state[f"signoff.form.{act}.{VERSION}"]
    assert isinstance(form, signing.Drawn)
    return form


def fill(page: AppTest, act: Act, reason: str = "I looked at all of it", role: Role | None = None) -> None:
    """Fill in the form of an act."""
    form = form_of(page, act)
    page.text_area(form.field("reason")).input(reason)
    if act is Act.REJECT:
        page.checkbox(form.field("final")).check()
    if role:
        page.radio(form.field("role")).set_value(role)


def press(page: AppTest, act: Act) -> str:
    """Press the form's button, also one that a browser would not let one press; give what the page says then."""
    reading.forget_standing()
    button = page.button(form_of(page, act).field("go"))
    button.proto.disabled = False  # a client of one's own sends what it likes
    button.click().run()
    return text_of(page)


def give(page: AppTest, act: Act, reason: str = "I looked at all of it", role: Role | None = None) -> str:
    """Fill in the form and press its button."""
    fill(page, act, reason, role)
    return press(page, act)


def forget() -> None:
    """Nothing is remembered from one test to the next."""
    st.cache_data.clear()
    st.cache_resource.clear()
