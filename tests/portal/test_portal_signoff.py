"""The page of sign-off without a browser: what it says, and that a click is one statement of the right person."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from lens_core import portal_bootstrap
from lens_core.candidates import Known
from lens_core.errors import Unavailable
from lens_core.portal_bootstrap import PortalSignoff
from lens_core.signoff.statement import decode
from lens_core.signoff.words import Act, Blocker, Glass, Method, Recorded, Role, Signed
from portal import reading, signing
from tests.portal.fake_desk import (
    BLOCKED,
    DOSSIER,
    ISSUER,
    NOW,
    PEOPLE,
    VERSION,
    FakeDesk,
    FakeSigner,
    named,
    user,
)
from tests.portal.fake_lens import FakeLens

_APP = Path(__file__).parents[2] / "portal" / "app.py"
_PAGE = "from portal.views import signoff\nsignoff.show()"
_AUTH = {
    "redirect_uri": "http://127.0.0.1:8501/oauth2callback",
    "cookie_secret": "of a test, and long enough for it",
    "client_id": "lens",
    "client_secret": "lens",
    "server_metadata_url": ISSUER + "/.well-known/openid-configuration",
}
_ACTS = {Act.APPROVE: "Approve", Act.REJECT: "Reject for good", Act.REVOKE: "Revoke", Act.COMMENT: "Comment"}


@dataclass
class Stand:
    """A desk, and people who look at its page."""

    desk: FakeDesk

    def page(self, email: str = "", *, auth: bool = True, **changes: object) -> AppTest:
        """The page as the one with this address sees it; nobody is signed in without one."""
        page = AppTest.from_string(_PAGE, default_timeout=30)
        if auth:
            page.secrets["auth"] = _AUTH
        if email:
            page.user = user(email, **changes)
        page.run()
        assert not page.exception, page.exception
        return page


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    """One candidate whose evidence is there and that nobody has approved; nothing is remembered between tests."""
    made = Stand(FakeDesk())
    opened = PortalSignoff(made.desk, FakeSigner(), PEOPLE, lambda: made.desk.now)
    monkeypatch.setattr(portal_bootstrap, "open_portal_signoff", lambda *_, **__: opened)
    monkeypatch.setattr(reading, "candidates", lambda: (Known(VERSION, "", "", None),))
    st.cache_data.clear()
    st.cache_resource.clear()
    yield made
    st.cache_data.clear()
    st.cache_resource.clear()


def _text(page: AppTest) -> str:
    assert not page.exception, page.exception
    html = [element.proto.body for element in page.get("html")]
    words = [element.value for kind in (page.markdown, page.error, page.warning, page.code) for element in kind]
    return "\n".join([*html, *words])


def _fill(page: AppTest, act: Act, reason: str = "I looked at all of it") -> None:
    """Fill in the form of ``act``."""
    key = _key(page, act)
    page.text_area(f"{key}.reason").input(reason)
    if act is Act.REJECT:
        page.checkbox(f"{key}.final").check()


def _key(page: AppTest, act: Act) -> str:
    form = page.session_state[f"signoff.form.{act}.{VERSION}"]
    assert isinstance(form, signing.Drawn)
    return form.key


def _press(page: AppTest, act: Act, key: str = "") -> str:
    """Press the form's button, also one that a browser would not let one press; give what the page says then."""
    reading.forget_standing()
    button = page.button(f"{key or _key(page, act)}.go")
    button.proto.disabled = False  # a client of one's own sends what it likes
    button.click().run()
    return _text(page)


def _do(page: AppTest, act: Act, reason: str = "I looked at all of it") -> str:
    _fill(page, act, reason)
    return _press(page, act)


def test_the_page_says_whether_it_may_be_promoted_and_who_can_give_what_is_missing(stand: Stand) -> None:
    """State, blockers with who and how, nights, risk, plan and dossier are all on the page of a visitor."""
    text = _text(stand.page())
    for words in (
        *("✕ 1.0.0-rc.1 may not be promoted", "4 reasons against it", "lens approve --role security"),
        *("3 of 3", "./?night=2026-11-24.1", "0.04 % within 7 nights", "1,200 lines changed", "cut smaller candidates"),
        *("5 % of the traffic", "48 h", "untouched copy", str(DOSSIER.digest), DOSSIER.manifest, "CVE-2026-0001"),
        *("Nobody has stated anything", "lens check-signoff 1.0.0-rc.1", "lens audit verify"),
    ):
        assert words in text, words
    assert "✓ 1.0.0-rc.1 may be promoted" not in text


def test_four_people_in_four_roles_make_it_ready(stand: Stand) -> None:
    """Each of the four approves in two steps: a reason, a click; then the page says that it may be promoted."""
    for email in ("pat@example.org", "quinn@example.org", "paula@example.org"):
        assert "✓ Recorded" in _do(stand.page(email), Act.APPROVE)
    reading.forget_standing()
    page = stand.page("sam@example.org")
    assert "✓ Recorded" in _do(page, Act.APPROVE)
    reading.forget_standing()
    text = _text(stand.page())
    assert "✓ 1.0.0-rc.1 may be promoted" in text
    assert text.count("✓ holds") == 4
    assert {one.statement.role for one in stand.desk.held} == set(Role)


def test_a_click_signs_the_shown_dossier_for_the_person_with_the_providers_word(stand: Stand) -> None:
    """What is recorded names the person, the role, the dossier that was shown, the reason, and who vouched."""
    _do(stand.page("paula@example.org"), Act.APPROVE, "the numbers hold")
    [made] = [one.statement for one in stand.desk.held]
    assert (made.act, made.person, made.role) == (Act.APPROVE, "paula@example.org", Role.PRODUCT)
    assert made.dossier == DOSSIER
    assert made.reason == "the numbers hold"
    assert made.claims["iss"] == ISSUER
    assert made.claims["email"] == "paula@example.org"
    assert made.claims["email_verified"] == "true"


def test_a_double_click_records_once(stand: Stand) -> None:
    """Two clicks on one drawn form are one statement, whichever of them the server finishes first."""
    page = stand.page("pat@example.org")
    _fill(page, Act.APPROVE)
    form = page.session_state[f"signoff.form.{Act.APPROVE}.{VERSION}"]
    assert "✓ Recorded" in _press(page, Act.APPROVE)
    assert len(stand.desk.held) == 1
    again = _second_click(stand, form)
    assert again.words == "This form was recorded already, once."
    assert len(stand.desk.seen) == 1


def _second_click(stand: Stand, form: signing.Drawn) -> signing.Outcome:
    """The callback of a button that was drawn before the first click was done."""
    st.session_state.clear()
    st.session_state["signoff.recorded"] = {form.key}
    signing.submit(form)
    told = signing.take_outcome()
    assert told
    return told


def test_a_failure_is_told_and_the_second_try_is_the_same_statement(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the first try got through is not known, so the second one sends the very same bytes."""
    page = stand.page("pat@example.org")
    _fill(page, Act.APPROVE)
    sent: list[Signed] = []

    def lost(signed: Signed) -> Recorded:
        sent.append(signed)
        raise Unavailable("the ledger did not answer", "try again")

    with monkeypatch.context() as patched:
        patched.setattr(stand.desk, "record", lost)
        text = _press(page, Act.APPROVE)
    assert "It is not known whether it was recorded" in text
    assert "the ledger did not answer" in text
    assert "✓ Recorded" in _press(page, Act.APPROVE)
    assert stand.desk.seen == sent


def test_an_answer_that_was_lost_shows_as_recorded(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the first try did get through, the page says at once that the approval holds, and takes no second one."""
    page = stand.page("pat@example.org")
    _fill(page, Act.APPROVE)
    record = stand.desk.record

    def lost(signed: Signed) -> Recorded:
        record(signed)
        raise Unavailable("the ledger did not answer")

    with monkeypatch.context() as patched:
        patched.setattr(stand.desk, "record", lost)
        assert "✓ holds" in _press(page, Act.APPROVE)
    assert page.button(f"{_key(page, Act.APPROVE)}.go").disabled
    assert len(stand.desk.held) == 1


def test_evidence_that_changed_after_the_form_was_drawn_is_not_signed(stand: Stand) -> None:
    """Nobody signs what they have not seen: the click is refused, names what changed, and the new form shows it."""
    page = stand.page("pat@example.org")
    _fill(page, Act.APPROVE)
    stand.desk.dossier = replace(DOSSIER, drill=named("another drill"))
    text = _press(page, Act.APPROVE)
    assert "the evidence changed after this form was drawn (drill)" in text
    assert stand.desk.seen == []
    assert str(stand.desk.dossier.digest) in text
    assert "✓ Recorded" in _do(page, Act.APPROVE)


def test_a_disabled_button_names_every_condition_that_is_not_met(stand: Stand) -> None:
    """Whoever cannot approve reads why: of the sign-in, of the evidence and of the person, all at once."""
    stand.desk.evidence = (BLOCKED,)
    stand.desk.cutter = "pat@example.org"
    page = stand.page("pat@example.org", email_verified=False)
    text = _text(page)
    assert page.button(f"{_key(page, Act.APPROVE)}.go").disabled
    for words in ("is verified", "evidence_first: 2 of 3 nights", "self_approval: pat@example.org cut"):
        assert words in text, words


_WRONG: dict[str, tuple[str, dict[str, object], str]] = {
    "nobody whom lens.toml names": ("mallory@example.org", {}, "names nobody with the address mallory"),
    "no role": ("guest@example.org", {}, "guest@example.org does not hold"),
    "another provider": ("pat@example.org", {"iss": "https://elsewhere.example"}, "of the configured provider"),
    "an address that is not verified": ("pat@example.org", {"email_verified": "true"}, "is verified"),
    "a sign-in that is over": ("pat@example.org", {"exp": int(NOW.timestamp())}, "sign in again"),
    "signed out": ("pat@example.org", {"is_logged_in": False}, "nobody is signed in here"),
}


@pytest.mark.parametrize("act", [Act.APPROVE, Act.REJECT])
@pytest.mark.parametrize("wrong", _WRONG)
def test_the_person_is_who_is_signed_in_at_the_click(stand: Stand, wrong: str, act: Act) -> None:
    """Whoever the form was drawn for, it signs for the one who sends the click; a wrong one is refused and told why."""
    email, changes, words = _WRONG[wrong]
    page = stand.page("pat@example.org")
    _fill(page, act)
    page.user = user(email, **changes)
    text = _press(page, act)
    assert "✕ Not recorded" in text
    assert words in text
    assert stand.desk.held == []


@pytest.mark.parametrize("act", [Act.APPROVE, Act.REJECT])
@pytest.mark.parametrize("wrong", [name for name in _WRONG if name != "signed out"])
def test_the_click_of_a_disabled_button_does_nothing(stand: Stand, wrong: str, act: Act) -> None:
    """A client of one's own that sends a click which the page does not offer gets nothing signed."""
    email, changes, words = _WRONG[wrong]
    page = stand.page(email, **changes)
    assert page.button(f"{_key(page, act)}.go").disabled
    assert words.partition(" does not hold")[0] in _do(page, act)
    assert stand.desk.seen == []


def test_names_from_headers_of_requests_are_not_believed(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a header could name the user, anybody could be anybody: nothing is signed."""
    page = stand.page("pat@example.org")
    _fill(page, Act.APPROVE)
    asked = st.get_option
    monkeypatch.setattr(
        st, "get_option", lambda name: {"X-User": "email"} if name == "server.trustedUserHeaders" else asked(name)
    )
    assert "headers of requests may name the user here" in _press(page, Act.APPROVE)
    assert stand.desk.held == []


def test_a_role_that_was_taken_away_since_is_refused(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who loses a role in lens.toml loses it on the open page too, without a restart of the portal."""
    config = tmp_path / "lens.toml"
    config.write_text("one")
    monkeypatch.setenv("LENS_CONFIG", str(config))
    page = stand.page("pat@example.org")
    _fill(page, Act.APPROVE)
    config.write_text("one without pat")
    emptied = PortalSignoff(stand.desk, FakeSigner(), PEOPLE[1:], lambda: NOW)
    monkeypatch.setattr(portal_bootstrap, "open_portal_signoff", lambda *_, **__: emptied)
    assert "names nobody with the address pat@example.org" in _press(page, Act.APPROVE)
    assert stand.desk.held == []


def test_somebody_with_two_roles_chooses_one_and_has_no_second(stand: Stand) -> None:
    """One person is one of the four: once they approved in a role, the other one is closed to them."""
    page = stand.page("sam@example.org")
    page.radio(f"{_key(page, Act.APPROVE)}.role").set_value(Role.QA)
    _do(page, Act.APPROVE)
    assert [one.statement.role for one in stand.desk.held] == [Role.QA]
    assert page.button(f"{_key(page, Act.APPROVE)}.go").disabled
    assert "one_role: sam@example.org approved as qa already" in _text(page)


def test_a_rejection_asks_for_a_reason_and_for_knowing_that_it_is_final(stand: Stand) -> None:
    """Without a reason, or without the tick, nothing is rejected; with both it is, and the page says so."""
    page = stand.page("quinn@example.org")
    page.text_area(f"{_key(page, Act.REJECT)}.reason").input("it loses results")
    assert "tick that you know it" in _press(page, Act.REJECT)
    page.checkbox(f"{_key(page, Act.REJECT)}.final").check()
    page.text_area(f"{_key(page, Act.REJECT)}.reason").input("  ")
    assert "expected a reason, saw none" in _press(page, Act.REJECT)
    assert stand.desk.held == []
    page.text_area(f"{_key(page, Act.REJECT)}.reason").input("it loses results")
    text = _press(page, Act.REJECT)
    assert "quinn@example.org rejected it" in text
    assert [one.statement.act for one in stand.desk.held] == [Act.REJECT]


def test_an_approval_is_revoked_by_who_gave_it_only(stand: Stand) -> None:
    """One's own approval can be named and revoked; another person is not offered it."""
    _do(stand.page("pat@example.org"), Act.APPROVE)
    reading.forget_standing()
    assert "You have no approval of this candidate" in _text(stand.page("quinn@example.org"))
    page = stand.page("pat@example.org")
    text = _do(page, Act.REVOKE, "I was wrong")
    revoked = stand.desk.held[-1].statement
    assert (revoked.act, revoked.refers) == (Act.REVOKE, stand.desk.held[0].digest)
    assert "✕ revoked by themself" in text
    assert "You have no approval of this candidate" in text


def test_a_lifted_blocker_is_shown_as_lifted(stand: Stand) -> None:
    """Under break-glass the page says what is missing all the same, who asked, who granted, and until when."""
    stand.desk.glass = Glass(
        *("pat@example.org", "sam@example.org", "the site is down", NOW, NOW + timedelta(hours=1)),
        active=True,
        review="open: somebody else must review it",
    )
    text = _text(stand.page())
    assert "may be promoted under break-glass" in text
    assert "lifted: break-glass" in text
    assert "<strong>open</strong>" in text
    assert "somebody else must review it" in text
    assert "✓ 1.0.0-rc.1 may be promoted<" not in text


def test_anybody_whom_lens_toml_names_may_comment(stand: Stand) -> None:
    """A comment needs no role; it stands among the statements, as text."""
    text = _do(stand.page("guest@example.org"), Act.COMMENT, "<b>look</b> ![x](http://example.org/x.png)")
    assert "✓ Recorded" in text
    assert "&lt;b&gt;look&lt;/b&gt;" in text
    assert "<b>look</b>" not in text


def test_without_a_provider_the_page_names_the_command(stand: Stand) -> None:
    """Where nobody can sign in there is no form, and the command for one's own key stands there instead."""
    page = stand.page(auth=False)
    text = _text(page)
    assert "no identity provider is configured" in text
    assert "lens approve 1.0.0-rc.1 --role ROLE" in text
    assert page.get("form") == []


def test_somebody_who_is_not_signed_in_is_offered_to(stand: Stand) -> None:
    """A visitor reads everything, has no form, and is told by whom they can be signed in."""
    page = stand.page()
    assert [button.label for button in page.button] == ["Sign in with id.example.org"]
    assert page.get("form") == []


def test_a_candidate_without_a_cut_that_verifies_cannot_be_signed(stand: Stand) -> None:
    """Without a dossier there is nothing to sign, and no form."""
    stand.desk.dossier = None
    stand.desk.evidence = (Blocker("cut", "the cut does not verify", "a release manager", "lens cut-rc"),)
    page = stand.page("pat@example.org")
    assert "nothing that you could sign" in _text(page)
    assert page.get("form") == []


def test_a_desk_that_cannot_tell_makes_no_page(stand: Stand) -> None:
    """When readiness cannot be told nothing is shown as if it were: the error goes to the frame around the pages."""
    stand.desk.broken = Unavailable("the ledger is locked")
    page = AppTest.from_string(_PAGE, default_timeout=30).run()
    assert len(page.exception) == 1
    assert "may be promoted" not in "".join(element.proto.body for element in page.get("html"))


def _granted(desk: FakeDesk, fault: str = "") -> Recorded:
    """Break-glass that somebody granted for an hour."""
    content = desk.draft(Act.COUNTERSIGN, VERSION, "sam@example.org", None, "<b>the site</b> is down", named("asked"))
    made = replace(decode(content), expires=NOW + timedelta(hours=1))
    return Recorded(made, named("granted"), "key", Method.SSH, NOW, fault)


def _frame(desk: FakeDesk, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the frame around the pages says first: the words before those of the page."""
    opened = PortalSignoff(desk, FakeSigner(), PEOPLE, lambda: desk.now)
    monkeypatch.setattr(portal_bootstrap, "open_portal_signoff", lambda *_, **__: opened)
    page = AppTest.from_file(str(_APP), default_timeout=30).run()
    assert not page.exception, page.exception
    bodies = [element.proto.body for element in page.get("html") if not element.proto.body.startswith("<style>")]
    return bodies[0]


def test_open_break_glass_is_said_before_everything_else(ledger: FakeLens, monkeypatch: pytest.MonkeyPatch) -> None:
    """The frame of every page names candidate, end, person and reason while break-glass is open, as text."""
    first = _frame(FakeDesk(open_reviews=[_granted(FakeDesk())]), monkeypatch)
    assert "role='alert'" in first
    assert "BREAK-GLASS on 1.0.0-rc.1 is open</strong> until 13:00 UTC" in first
    assert "Granted by sam@example.org: &lt;b&gt;the site&lt;/b&gt; is down" in first


def test_break_glass_that_nobody_reviewed_is_said_after_its_end(
    ledger: FakeLens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end does not make it forgotten."""
    desk = FakeDesk(open_reviews=[_granted(FakeDesk())], now=NOW + timedelta(hours=1))
    assert "is over, and nobody has reviewed it" in _frame(desk, monkeypatch)


def test_break_glass_that_is_not_believed_opens_nothing(ledger: FakeLens, monkeypatch: pytest.MonkeyPatch) -> None:
    """A grant with a signature that does not hold is told as one, not as open."""
    first = _frame(FakeDesk(open_reviews=[_granted(FakeDesk(), "its key was revoked")]), monkeypatch)
    assert "it opens nothing: its key was revoked" in first
    assert "is open" not in first


def test_not_knowing_whether_it_is_open_is_said(ledger: FakeLens, monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk that cannot tell does not pass for one that has nothing to tell."""
    assert "not known:</strong> the ledger is locked" in _frame(
        FakeDesk(broken=Unavailable("the ledger is locked")), monkeypatch
    )


def test_a_page_without_break_glass_says_nothing_of_it(ledger: FakeLens, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is open, nothing cries."""
    assert "GLASS" not in _frame(FakeDesk(), monkeypatch)
