"""The forms in which the person who is signed in approves, rejects, revokes and comments."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from lens_core.signoff.words import Act, Approval, Dossier, Role
from lens_core.signoff_desk import Standing
from portal import reading, signing, tables
from portal.identity import Visitor

_OUTCOMES = {
    True: ("✓ Recorded", "PASS"),
    False: ("✕ Not recorded", "FAIL"),
    None: ("! It is not known whether it was recorded: look below", "ERROR"),
}


def _outcome() -> None:
    """Say what came of the last click."""
    told = signing.take_outcome()
    if told is None:
        return
    title, verdict = _OUTCOMES[told.recorded]
    st.html(f"<div role='status'>{tables.headline(verdict, title, (escape(told.words),), 3)}</div>")
    if told.reasons:
        st.html(tables.notes("Why", told.reasons))


def show(standing: Standing) -> None:
    """Draw the forms, or say what is missing before somebody can use them."""
    readiness = standing.readiness
    st.subheader("Your word", anchor="word")
    _outcome()
    providers = signing.providers()
    if not providers:
        st.markdown(
            "Nobody can sign in at this portal: no identity provider is configured (`[auth]` in Streamlit's "
            "`secrets.toml`). Sign with your own SSH key instead:"
        )
        st.code(f"lens approve {readiness.version} --role ROLE --reason WHY", language="bash")
        return
    who = signing.visitor()
    if not who.known:
        _sign_in(providers, readiness.version)
        return
    _who(who)
    faults = who.faults_at(reading.now())
    if readiness.dossier is None:
        st.markdown("There is no cut that verifies, so there is nothing that you could sign.")
        return
    _approve(standing, readiness.dossier, who, faults)
    with st.expander("Reject, for good"):
        _reject(standing, readiness.dossier, who, faults)
    with st.expander("Revoke what you approved"):
        _revoke(standing, readiness.dossier, who, faults)
    with st.expander("Comment"):
        _comment(standing, readiness.dossier, who, faults)


def _sign_in(providers: dict[str, str], version: str) -> None:
    st.markdown("Sign in to approve, reject, revoke or comment here. You come back to the first page.")
    for name, issuer in providers.items():
        if st.button(f"Sign in with {signing.host(issuer)}", key=f"sign-in.{name}"):
            st.login(None if name == "default" else name)
    st.markdown("Or sign with your own SSH key:")
    st.code(f"lens approve {version} --role ROLE --reason WHY", language="bash")


def _who(who: Visitor) -> None:
    person = who.person
    held = ", ".join(person.roles) if person and person.roles else "no role"
    name = f"{escape(person.name)} ({escape(held)})" if person else "nobody whom lens.toml names"
    issuer = (who.claims or {}).get("iss", "")
    left, right = st.columns([4, 1], vertical_alignment="center")
    with left:
        rows = (
            ("You are", f"<strong>{name}</strong>"),
            ("Signed in as", escape(who.email or "no address")),
            ("By", escape(issuer or "nobody")),
        )
        st.html(tables.facts_list(rows))
    with right:
        st.button("Sign out", on_click=st.logout)


def _approve(standing: Standing, dossier: Dossier, who: Visitor, faults: Sequence[str]) -> None:
    roles = who.person.roles if who.person else ()
    form = signing.drawn(Act.APPROVE, dossier)
    unmet = {role: _unmet(Act.APPROVE, standing, who, role, faults) for role in roles}
    open_roles = [role for role in roles if not unmet[role]]
    with st.form(form.key, border=True):
        _about(f"Approve {dossier.version}", dossier)
        if len(roles) > 1:
            st.radio("As", open_roles or roles, format_func=str, key=form.field("role"), horizontal=True)
        elif roles:
            st.session_state[form.field("role")] = roles[0]
        _reason(form)
        words = f"Approve as {roles[0]}" if len(roles) == 1 else "Approve"
        _button(words, form, disabled=not open_roles)
        if not open_roles:
            _why_not(unmet.get(roles[0], ()) if roles else (*faults, "you hold no role, so you can only comment"))


def _reject(standing: Standing, dossier: Dossier, who: Visitor, faults: Sequence[str]) -> None:
    roles = who.person.roles if who.person else ()
    form = signing.drawn(Act.REJECT, dossier)
    unmet = _unmet(Act.REJECT, standing, who, roles[0], faults) if roles else (*faults, "you hold no role")
    with st.form(form.key, border=False):
        _about(f"Reject {dossier.version}", dossier)
        if roles:
            st.radio("As", roles, format_func=str, key=form.field("role"), horizontal=True)
        _reason(form)
        st.checkbox("I know that nobody can take this back: the digest is rejected for good", key=form.field("final"))
        _button("Reject for good", form, disabled=bool(unmet))
        _why_not(unmet)


def _revoke(standing: Standing, dossier: Dossier, who: Visitor, faults: Sequence[str]) -> None:
    own = {
        one.digest: one
        for one in standing.readiness.approvals
        if who.person and one.person == who.person.name and one.holds
    }
    if not own:
        st.markdown("You have no approval of this candidate that holds.")
        return
    form = signing.drawn(Act.REVOKE, dossier)
    with st.form(form.key, border=False):
        _about(f"Revoke an approval of {dossier.version}", dossier)
        st.radio("Which", list(own), format_func=lambda digest: _named(own[digest]), key=form.field("refers"))
        _reason(form)
        unmet = _unmet(Act.REVOKE, standing, who, None, faults, next(iter(own)))
        _button("Revoke", form, disabled=bool(unmet))
        _why_not(unmet)


def _named(approval: Approval) -> str:
    return f"as {approval.role}, {approval.at:%Y-%m-%d %H:%M} UTC"


def _comment(standing: Standing, dossier: Dossier, who: Visitor, faults: Sequence[str]) -> None:
    form = signing.drawn(Act.COMMENT, dossier)
    unmet = _unmet(Act.COMMENT, standing, who, None, faults)
    with st.form(form.key, border=False):
        _about(f"Comment on {dossier.version}", dossier)
        _reason(form, "Comment")
        _button("Comment", form, disabled=bool(unmet))
        _why_not(unmet)


def _unmet(
    act: Act, standing: Standing, who: Visitor, role: Role | None, faults: Sequence[str], refers: str = ""
) -> tuple[str, ...]:
    """Every reason why this person cannot do this now: those of the sign-in, then the desk's own."""
    if who.person is None:
        return tuple(faults)
    return (*faults, *standing.objections(act, who.person.name, role, refers))


def _about(title: str, dossier: Dossier) -> None:
    st.html(
        f"<p><strong>{escape(title)}</strong></p>"
        f"<p class='lens-links'>You sign dossier <code class='lens-digest'>{dossier.digest}</code>, and nothing else: "
        f"<a href='#dossier'>what is in it</a>.</p>"
    )


def _reason(form: signing.Drawn, label: str = "Reason") -> None:
    st.text_area(label, key=form.field("reason"), height=80, max_chars=2000, placeholder="In a sentence, why")


def _button(words: str, form: signing.Drawn, *, disabled: bool) -> None:
    st.form_submit_button(
        words, type="primary", key=form.field("go"), on_click=signing.submit, args=(form,), disabled=disabled
    )


def _why_not(unmet: Sequence[str]) -> None:
    if unmet:
        st.html(tables.notes("This cannot be done now, because", unmet))
