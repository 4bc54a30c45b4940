"""The page of sign-off without a browser, before a real desk: what it says, and that a click is one statement."""

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import streamlit as st
from signing_off import NOW, PEOPLE, dossier_of, night, sha, three_nights, unsigned_case
from streamlit.testing.v1 import AppTest

from lens_core import portal_bootstrap
from lens_core.candidates import Known
from lens_core.errors import Unavailable
from lens_core.model import Verdict
from lens_core.signoff.words import Act, DrillCase, Method, Recorded, Role, Signed
from portal import reading, signing
from tests.portal.desk_stand import (
    ADA,
    BOB,
    CLEO,
    CUTTER,
    DAN,
    GUEST,
    ISSUER,
    VERSION,
    Stand,
    fill,
    forget,
    form_of,
    give,
    press,
    text_of,
    user,
)
from tests.portal.fake_lens import FakeLens

_APP = Path(__file__).parents[2] / "portal" / "app.py"
_DOSSIER = dossier_of(unsigned_case())
_TWO_NIGHTS = {"nights": three_nights()[:1] + three_nights()[2:]}


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    """A candidate that lacks its four approvals and nothing else; nothing is remembered from one test to the next."""
    made = Stand(tmp_path)
    monkeypatch.setattr(portal_bootstrap, "open_portal_signoff", lambda *_, **__: made.opened())
    monkeypatch.setattr(reading, "candidates", lambda: (Known(VERSION, "", "", None),))
    forget()
    yield made
    forget()


# --- what it says ---------------------------------------------------------------------------------


def test_the_page_says_whether_it_may_be_promoted_and_who_can_give_what_is_missing(stand: Stand) -> None:
    """State, blockers with who and how, nights, risk, plan and dossier are all on the page of a visitor."""
    text = text_of(stand.page())
    for words in (
        *("✕ 1.2.0 may not be promoted", "4 reasons against it", "bob@example.org", "lens approve"),
        *("3 of 3", "./?night=2026-11-26.1", "open alerts", "none is open"),
        *("5 % of the traffic", "24 h", str(_DOSSIER.digest), _DOSSIER.manifest),
        *("Nobody has stated anything", "lens check-signoff 1.2.0", "lens audit verify"),
    ):
        assert words in text, words
    assert "✓ 1.2.0 may be promoted" not in text


def test_four_people_in_four_roles_make_it_ready(stand: Stand) -> None:
    """Each of the four gives a reason and one click; then the page says that it may be promoted."""
    for email, role in ((ADA, Role.PLATFORM), (BOB, None), (CLEO, None), (DAN, None)):
        assert "✓ Recorded" in give(stand.page(email), Act.APPROVE, role=role)
    text = text_of(stand.page())
    assert "✓ 1.2.0 may be promoted" in text
    assert text.count("✓ holds") == len(Role)
    assert {one.statement.role for one in stand.held} == set(Role)
    assert all(one.method is Method.PORTAL and not one.fault for one in stand.held)


def test_the_audit_log_is_shown_with_its_head_and_what_happened_to_the_candidate(stand: Stand) -> None:
    """Who looks sees how long the log is, its head, whether it verifies, and who did what to this candidate."""
    give(stand.page(BOB), Act.APPROVE)
    text = text_of(stand.page())
    found = reading.audit()
    assert found.head in text
    assert "✓ as it was written" in text
    assert "statement.approve" in text
    with sqlite3.connect(stand.room.file) as ledger:
        [content] = ledger.execute("SELECT content FROM audit_entry WHERE number = 2").fetchone()
        ledger.execute("UPDATE audit_entry SET content = ? WHERE number = 2", (content.replace(b"bob", b"bot"),))
    text = text_of(stand.page())
    assert "✕ it does not verify" in text
    assert "✓ as it was written" not in text


def test_what_breaks_the_evidence_is_said(stand: Stand) -> None:
    """A night that does not advance takes the readiness away, the page names it, and nobody can approve."""
    stand.room.changes = {"nights": (*three_nights()[:2], night(0, Verdict.FAIL))}
    page = stand.page(BOB)
    text = text_of(page)
    assert "may not be promoted" in text
    assert "2026-11-26.1" in text
    assert page.button(form_of(page, Act.APPROVE).field("go")).disabled


def test_a_candidate_without_a_cut_that_verifies_cannot_be_signed(stand: Stand) -> None:
    """Without a cut there is nothing to sign, and no form."""
    stand.room.changes = {"cut": None}
    page = stand.page(BOB)
    assert "nothing that you could sign" in text_of(page)
    assert page.get("form") == []


def test_a_desk_that_cannot_tell_makes_no_page(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it cannot be told where the candidate stands, nothing is shown as if it could."""

    def locked(_version: str) -> None:
        raise Unavailable("the ledger is locked")

    monkeypatch.setattr(stand.desk, "standing", locked)
    page = AppTest.from_string("from portal.views import signoff\nsignoff.show()", default_timeout=30).run()
    assert len(page.exception) == 1
    assert "may be promoted" not in "".join(element.proto.body for element in page.get("html"))


# --- a click is one statement ---------------------------------------------------------------------


def test_a_click_signs_the_shown_dossier_for_the_person_with_the_providers_word(stand: Stand) -> None:
    """What is recorded names the person, the role, the dossier that was shown, the reason, and who vouched."""
    give(stand.page("daniel@example.org"), Act.APPROVE, "the numbers hold")
    [one] = stand.held
    made = one.statement
    assert (made.act, made.person, made.role) == (Act.APPROVE, DAN, Role.PRODUCT)
    assert (made.dossier, made.reason) == (_DOSSIER, "the numbers hold")
    assert (made.claims["iss"], made.claims["email"]) == (ISSUER, "daniel@example.org")
    assert made.claims["email_verified"] == "true"


def test_a_double_click_records_once(stand: Stand) -> None:
    """The second click on a form whose first one was recorded finds it recorded, and sends nothing."""
    page = stand.page(BOB)
    form = form_of(page, Act.APPROVE)
    assert "✓ Recorded" in give(page, Act.APPROVE)
    st.session_state["signoff.recorded"] = {form.key}
    signing.submit(form)
    told = signing.take_outcome()
    assert told
    assert told.words == "This form was recorded already, once."
    assert len(stand.held) == 1


def test_a_failure_is_told_and_the_second_try_is_the_same_statement(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the first try got through is not known, so the second one sends the very same bytes."""
    page = stand.page(BOB)
    fill(page, Act.APPROVE)
    sent: list[Signed] = []

    def lost(signed: Signed) -> Recorded:
        sent.append(signed)
        raise Unavailable("the ledger did not answer", "try again")

    with monkeypatch.context() as patched:
        patched.setattr(stand.desk, "record", lost)
        text = press(page, Act.APPROVE)
    assert "It is not known whether it was recorded" in text
    assert "the ledger did not answer" in text
    assert "✓ Recorded" in press(page, Act.APPROVE)
    assert [one.digest for one in stand.held] == [sent[0].digest]


def test_an_answer_that_was_lost_shows_as_recorded(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the first try did get through, the page says at once that the approval holds, and takes no second one."""
    page = stand.page(BOB)
    fill(page, Act.APPROVE)
    record = stand.desk.record

    def lost(signed: Signed) -> Recorded:
        record(signed)
        raise Unavailable("the ledger did not answer")

    with monkeypatch.context() as patched:
        patched.setattr(stand.desk, "record", lost)
        assert "✓ holds" in press(page, Act.APPROVE)
    assert page.button(form_of(page, Act.APPROVE).field("go")).disabled
    assert len(stand.held) == 1


def test_evidence_that_changed_after_the_form_was_drawn_is_not_signed(stand: Stand) -> None:
    """Nobody signs what they have not seen: the click is refused, names what changed, and the new form shows it."""
    page = stand.page(BOB)
    fill(page, Act.APPROVE)
    stand.room.changes = {"drill": DrillCase(sha("another drill"), Verdict.PASS, "all pass", "yes", copy_first=True)}
    text = press(page, Act.APPROVE)
    assert "the evidence changed after this form was drawn (drill" in text
    assert stand.held == ()
    assert str(form_of(page, Act.APPROVE).dossier.digest) in text
    assert form_of(page, Act.APPROVE).dossier != _DOSSIER
    assert "✓ Recorded" in give(page, Act.APPROVE)


# --- who may not ----------------------------------------------------------------------------------


def test_a_disabled_button_names_every_condition_that_is_not_met(stand: Stand) -> None:
    """Whoever cannot approve reads why: of the sign-in, of the evidence and of the person, all at once."""
    stand.room.changes = _TWO_NIGHTS
    page = stand.page(CUTTER, email_verified=False)
    assert page.button(form_of(page, Act.APPROVE).field("go")).disabled
    text = text_of(page)
    for words in ("is verified", "evidence: ", "self_approval: cut@example.org cut this candidate"):
        assert words in text, words


_WRONG: dict[str, tuple[str, dict[str, object], str]] = {
    "nobody whom lens.toml names": ("mallory@example.org", {}, "names nobody with the address mallory"),
    "another provider": (BOB, {"iss": "https://elsewhere.example"}, "of the configured provider"),
    "an address that is not verified": (BOB, {"email_verified": "true"}, "is verified"),
    "a sign-in that is over": (BOB, {"exp": int(NOW.timestamp())}, "sign in again"),
    "another role": (GUEST.name, {}, "guest@example.org does not hold the role security"),
    "signed out": (BOB, {"is_logged_in": False}, "nobody is signed in here"),
}


@pytest.mark.parametrize("act", [Act.APPROVE, Act.REJECT])
@pytest.mark.parametrize("wrong", _WRONG)
def test_the_person_is_who_is_signed_in_at_the_click(stand: Stand, wrong: str, act: Act) -> None:
    """Whoever the form was drawn for, it signs for the one who sends the click; a wrong one is refused and told why."""
    email, changes, words = _WRONG[wrong]
    page = stand.page(BOB)
    fill(page, act)
    page.user = user(email, **changes)
    text = press(page, act)
    assert "✕ Not recorded" in text
    assert words in text
    assert stand.held == ()


@pytest.mark.parametrize("act", [Act.APPROVE, Act.REJECT])
@pytest.mark.parametrize("wrong", [name for name in _WRONG if name != "signed out"])
def test_the_click_of_a_disabled_button_does_nothing(stand: Stand, wrong: str, act: Act) -> None:
    """A client of one's own that sends a click which the page does not offer gets nothing signed."""
    email, changes, _ = _WRONG[wrong]
    page = stand.page(email, **changes)
    assert page.button(form_of(page, act).field("go")).disabled
    assert "ecorded:" not in give(page, act)
    assert stand.held == ()


def test_who_cut_the_candidate_is_refused_by_the_desk(stand: Stand) -> None:
    """Also where somebody else's form was open: the cutter holds all roles, and approves none of them."""
    page = stand.page(BOB)
    fill(page, Act.APPROVE)
    page.user = user(CUTTER)
    assert "self_approval: cut@example.org cut this candidate" in press(page, Act.APPROVE)
    assert stand.held == ()


def test_a_role_that_was_taken_away_since_is_refused(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who loses their place in lens.toml loses it on the open page too, without a restart of the portal."""
    config = tmp_path / "lens.toml"
    config.write_text("one")
    monkeypatch.setenv("LENS_CONFIG", str(config))
    page = stand.page(BOB)
    fill(page, Act.APPROVE)
    config.write_text("one without bob")
    stand.people = tuple(person for person in PEOPLE if person.name != BOB)
    assert "names nobody with the address bob@example.org" in press(page, Act.APPROVE)
    assert stand.held == ()


def test_names_from_headers_of_requests_are_not_believed(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a header could name the user, anybody could be anybody: nothing is signed."""
    page = stand.page(BOB)
    fill(page, Act.APPROVE)
    asked = st.get_option
    monkeypatch.setattr(
        st, "get_option", lambda name: {"X-User": "email"} if name == "server.trustedUserHeaders" else asked(name)
    )
    assert "headers of requests may name the user here" in press(page, Act.APPROVE)
    assert stand.held == ()


def test_somebody_with_two_roles_chooses_one_and_has_no_second(stand: Stand) -> None:
    """One person is one of the four: once they approved in a role, the other one is closed to them."""
    page = stand.page(ADA)
    give(page, Act.APPROVE, role=Role.QA)
    assert [one.statement.role for one in stand.held] == [Role.QA]
    assert page.button(form_of(page, Act.APPROVE).field("go")).disabled
    assert "second_role: ada@example.org spoke as qa" in text_of(page)


# --- the other acts -------------------------------------------------------------------------------


def test_a_rejection_asks_for_a_reason_and_for_knowing_that_it_is_final(stand: Stand) -> None:
    """Without a reason, or without the tick, nothing is rejected; with both it is, and the page says so."""
    page = stand.page(CLEO)
    form = form_of(page, Act.REJECT)
    page.text_area(form.field("reason")).input("it loses results")
    assert "tick that you know it" in press(page, Act.REJECT)
    page.checkbox(form.field("final")).check()
    page.text_area(form.field("reason")).input("  ")
    assert "expected a reason, saw none" in press(page, Act.REJECT)
    assert stand.held == ()
    assert "rejected" in give(page, Act.REJECT, "it loses results")
    assert [one.statement.act for one in stand.held] == [Act.REJECT]
    assert "rejected" in {one.code for one in stand.room.desk.readiness("").blockers}


def test_an_approval_is_revoked_by_who_gave_it_only(stand: Stand) -> None:
    """One's own approval can be named and revoked; another person is not offered it."""
    give(stand.page(BOB), Act.APPROVE)
    assert "You have no approval of this candidate" in text_of(stand.page(CLEO))
    text = give(stand.page(BOB), Act.REVOKE, "I was wrong")
    revoked = stand.held[-1].statement
    assert (revoked.act, revoked.refers) == (Act.REVOKE, stand.held[0].digest)
    assert "✕ revoked on" in text
    assert "You have no approval of this candidate" in text


def test_anybody_whom_lens_toml_names_may_comment(stand: Stand) -> None:
    """A comment needs no role; it stands among the statements, as text."""
    text = give(stand.page(GUEST.name), Act.COMMENT, "<b>look</b> ![x](http://example.org/x.png)")
    assert "✓ Recorded" in text
    assert "&lt;b&gt;look&lt;/b&gt;" in text
    assert "<b>look</b>" not in text


# --- signing in -----------------------------------------------------------------------------------


def test_without_a_provider_the_page_names_the_command(stand: Stand) -> None:
    """Where nobody can sign in there is no form, and the command for one's own key stands there instead."""
    page = stand.page(auth=False)
    text = text_of(page)
    assert "no identity provider is configured" in text
    assert "lens approve 1.2.0 --role ROLE" in text
    assert page.get("form") == []


def test_somebody_who_is_not_signed_in_is_offered_to(stand: Stand) -> None:
    """A visitor reads everything, has no form, and is told by whom they can be signed in."""
    page = stand.page()
    assert [button.label for button in page.button] == ["Sign in with id.example.org"]
    assert page.get("form") == []


# --- break-glass ----------------------------------------------------------------------------------


def _open(stand: Stand) -> None:
    """Break-glass on a candidate that lacks a night: Bob asks, Cleo grants, each with their own key."""
    stand.room.changes = _TWO_NIGHTS
    asked = stand.room.say(Act.BREAK_GLASS, Role.SECURITY, reason="<b>the site</b> is down")
    stand.room.say(Act.COUNTERSIGN, Role.QA, refers=asked.digest)


def _frame() -> str:
    """What the frame around the pages says first: the words before those of the page."""
    reading.forget_standing()
    page = AppTest.from_file(str(_APP), default_timeout=30).run()
    assert not page.exception, page.exception
    bodies = [element.proto.body for element in page.get("html") if not element.proto.body.startswith("<style>")]
    return bodies[0]


@pytest.fixture
def framed(ledger: FakeLens, stand: Stand) -> Stand:
    """The desk, behind all pages."""
    return stand


def test_open_break_glass_is_said_before_everything_else(framed: Stand) -> None:
    """The frame of every page names candidate, end, people and reason while break-glass is open, as text."""
    _open(framed)
    first = _frame()
    assert "role='alert'" in first
    assert "BREAK-GLASS on 1.2.0 is open</strong> until 13:00 UTC" in first
    assert "Asked for by bob@example.org, granted by cleo@example.org: &lt;b&gt;the site&lt;/b&gt; is down" in first


def test_break_glass_that_nobody_reviewed_is_said_after_its_end_until_somebody_did(framed: Stand) -> None:
    """Its end does not make it forgotten; the review by a third person does."""
    _open(framed)
    framed.room.clock.moment += timedelta(hours=1)
    assert "is over, and nobody has reviewed it" in _frame()
    [review] = framed.desk.reviews()
    framed.room.say(Act.REVIEW, Role.PRODUCT, refers=review.request, reason="it was right")
    assert "GLASS" not in _frame()


def test_not_knowing_whether_it_is_open_is_said(framed: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk that cannot tell does not pass for one that has nothing to tell."""

    def locked() -> None:
        raise Unavailable("the ledger is locked")

    monkeypatch.setattr(framed.desk, "reviews", locked)
    assert "not known:</strong> the ledger is locked" in _frame()


def test_a_page_without_break_glass_says_nothing_of_it(framed: Stand) -> None:
    """Where nothing is open, nothing cries."""
    assert "GLASS" not in _frame()


def test_a_lifted_blocker_is_shown_as_lifted(stand: Stand) -> None:
    """Under break-glass the page says what is missing all the same, who asked, who granted, and until when."""
    _open(stand)
    text = text_of(stand.page())
    assert "lifted: break-glass by bob@example.org and cleo@example.org" in text
    assert "<strong>open</strong>" in text
    assert "its review by a third person is due" in text
    assert "✓ 1.2.0 may be promoted<" not in text
