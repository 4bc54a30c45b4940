"""How a click becomes one signed statement. Who may state what is the desk's decision, whatever a page shows.

A form remembers the dossier that was drawn beside it: a click signs that one or nothing. What was signed for a form is
kept with it, so that a double click, or a second try after a failure, records the same statement once.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from lens_core.errors import InvalidInput, LensError, Refused, SignoffRefused
from lens_core.signoff import statement as statements
from lens_core.signoff.words import Act, Dossier, Role, Signed
from portal import reading
from portal.identity import Visitor, recognise

_METADATA = "/.well-known/openid-configuration"
_SIGNED, _OUTCOME = "signoff.signed", "signoff.outcome"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A form as it was drawn: what it is about, and the dossier that stood beside it."""

    key: str
    act: Act
    dossier: Dossier

    def field(self, name: str) -> str:
        """The key of one of its widgets."""
        return f"{self.key}.{name}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a click: told on the next drawing of the page, once. ``recorded`` is None when nobody knows."""

    recorded: bool | None
    words: str
    reasons: tuple[str, ...] = ()


def providers() -> dict[str, str]:
    """The configured providers with their issuers; none when nobody can sign in here."""
    try:
        section = st.secrets.get("auth", {})
    except StreamlitSecretNotFoundError:
        return {}
    named = {name: part for name, part in section.items() if isinstance(part, Mapping) and "client_id" in part}
    found = ({"default": section} if "client_id" in section else {}) | named
    # OpenID Connect Discovery: the address of the metadata is the issuer's, and this path.
    return {name: str(part.get("server_metadata_url", "")).removesuffix(_METADATA) for name, part in found.items()}


def visitor() -> Visitor:
    """Who looks at the page now."""
    said = st.user.to_dict()
    known = recognise(said, providers(), reading.people())
    if known.known and st.get_option("server.trustedUserHeaders"):
        fault = "headers of requests may name the user here (server.trustedUserHeaders), so no name is believed"
        return Visitor(known.email, known.person, known.claims, known.until, (*known.faults, fault))
    return known


def drawn(act: Act, dossier: Dossier) -> Drawn:
    """The form for ``act``: the one of before as long as the dossier is the same and nothing was recorded with it."""
    slot = f"signoff.form.{act}.{dossier.version}"
    kept = st.session_state.get(slot)
    if isinstance(kept, Drawn) and kept.dossier == dossier and kept.key not in _recorded_keys():
        return kept
    fresh = Drawn(f"signoff.{secrets.token_hex(8)}", act, dossier)
    st.session_state[slot] = fresh
    return fresh


def take_outcome() -> Outcome | None:
    """What came of the last click, once."""
    told = st.session_state.pop(_OUTCOME, None)
    return told if isinstance(told, Outcome) else None


def submit(form: Drawn) -> None:
    """Sign and record what was filled into ``form``: the callback of its button."""
    try:
        st.session_state[_OUTCOME] = _record(form)
    except Refused as error:
        _forget(form)  # what is tried again is another statement, of another time
        st.session_state[_OUTCOME] = Outcome(recorded=False, words=error.message, reasons=error.blockers)
    except LensError as error:
        recorded = False if isinstance(error, InvalidInput) else None
        hint = (error.hint,) if error.hint else ()
        st.session_state[_OUTCOME] = Outcome(recorded, error.message, hint)
    finally:
        reading.forget_standing()


def _record(form: Drawn) -> Outcome:
    if form.key in _recorded_keys():  # the second of a double click
        return Outcome(recorded=True, words="This form was recorded already, once.")
    state = st.session_state
    reason = str(state.get(form.field("reason")) or "").strip()
    if not reason:
        raise InvalidInput("expected a reason, saw none", "say in a sentence why")
    if form.act is Act.REJECT and not state.get(form.field("final")):
        raise InvalidInput("a rejection is final for this digest", "tick that you know it")
    role, refers = state.get(form.field("role")), str(state.get(form.field("refers")) or "")
    asked = (form.key, role, refers, reason)
    kept: dict[tuple[object, ...], Signed] = state.setdefault(_SIGNED, {})
    if asked not in kept:
        kept[asked] = _signed(form, role, refers, reason)
    recorded = reading.desk().record(kept[asked])
    _recorded_keys().add(form.key)
    who = recorded.statement.person
    return Outcome(recorded=True, words=f"Recorded: {form.act} by {who}, statement {recorded.digest}.")


def _signed(form: Drawn, role: Role | None, refers: str, reason: str) -> Signed:
    who = visitor()
    faults = who.faults_at(reading.now())
    if faults or who.person is None:
        raise SignoffRefused("this sign-in cannot sign", blockers=faults)
    content = reading.desk().draft(
        form.act, form.dossier.version, who.person.name, role, reason, refers=refers, claims=who.claims
    )
    made = statements.decode(content)
    if made.dossier != form.dossier:
        changed = ", ".join(form.dossier.changes(made.dossier))
        raise SignoffRefused(
            f"the evidence changed after this form was drawn ({changed}): nothing was signed",
            "look at what is there now, then decide again",
        )
    return reading.portal_signer().sign(content)


def _forget(form: Drawn) -> None:
    kept = st.session_state.get(_SIGNED, {})
    for asked in [asked for asked in kept if asked[0] == form.key]:
        del kept[asked]


def _recorded_keys() -> set[str]:
    keys: set[str] = st.session_state.setdefault("signoff.recorded", set())
    return keys


def host(issuer: str) -> str:
    """What an issuer is called on a button."""
    return urlsplit(issuer).netloc or issuer
