"""The desk: what is drafted, recorded, and refused with every reason. Its ledger and its signatures are real."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from signing import HANDS, Room, hand
from signing_off import HOUR, NOW, PEOPLE, RULES, WHO, codes, night, sha

from lens_core.adapters.keys import PrivateKeySigner
from lens_core.adapters.portal_signatures import PortalSigner
from lens_core.errors import Conflict, IntegrityError, InvalidInput, NotReady, SignoffRefused
from lens_core.model import Verdict
from lens_core.signoff.statement import decode, encode
from lens_core.signoff.words import Act, Method, Role, Scan, State
from lens_core.signoff_statements import recorded

PORTAL = PrivateKeySigner(Ed25519PrivateKey.generate())
CLAIMS = {"iss": "https://id.example.org", "email": "Cleo@Example.org", "email_verified": "true", "exp": "9999999999"}
WAIVED = {
    "vulnerability": "CVE-2026-1",
    "purl": "pkg:pypi/thing@1.0",
    "state": "not_affected",
    "grounds": "code_not_reachable",
}


@pytest.fixture
def room(tmp_path):
    """A desk at which nobody has stated anything."""
    return Room(tmp_path, portal=PORTAL)


def refused(room, signed):
    """The reasons for which the desk refuses; nothing was recorded."""
    before = room.ledger.statements()
    with pytest.raises(SignoffRefused) as caught:
        room.desk.record(signed)
    assert room.ledger.statements() == before
    return caught.value.blockers


def test_four_people_make_a_candidate_ready(room):
    """Evidence alone is not enough; with one approval by each role it is, and each names what it is about."""
    before = room.desk.readiness()
    assert (before.ready, codes(before)) == (False, ["approvals"] * 4)
    for role in Role:
        made = room.say(role=role)
        assert (made.statement.dossier, made.recorded_at, made.fault) == (before.dossier, NOW, "")
    after = room.desk.readiness()
    assert (after.ready, after.state) == (True, State.APPROVED)
    assert [one.person for one in after.approvals] == [WHO[role] for role in Role]
    assert [one.statement.person for one in room.desk.statements()] == [WHO[role] for role in Role]


def test_a_draft_is_about_now_and_lasts_as_long_as_it_may(room):
    """Time, dossier, words and end come from the desk; each draft has its own nonce."""
    one, other = decode(room.draft()), decode(room.draft())
    assert (one.at, one.expires, one.dossier) == (NOW, NOW + 72 * HOUR, room.desk.readiness().dossier)
    assert one.nonce != other.nonce
    assert decode(room.draft(hours=2)).expires == NOW + 2 * HOUR
    assert decode(room.draft(Act.COMMENT, hours=2)).expires is None
    assert decode(room.draft(Act.WAIVE, Role.SECURITY, waived=WAIVED)).expires == NOW + timedelta(days=30)
    with pytest.raises(InvalidInput, match="hours above 0"):
        room.draft(hours=0)


def test_without_a_cut_there_is_nothing_to_draft(room):
    """NotReady says what is missing."""
    room.changes = {"cut": None}
    with pytest.raises(NotReady, match="nothing to state anything on") as caught:
        room.draft()
    assert any("was not cut" in blocker for blocker in caught.value.blockers)


def test_the_same_statement_once_more_is_no_other_one(room):
    """A second try gives back what is recorded; once its person has said something else it is a replay."""
    signed = HANDS[WHO[Role.QA]].sign(room.draft())
    first = room.desk.record(signed)
    room.clock.moment += timedelta(minutes=5)
    assert room.desk.record(signed) == first
    assert len(room.ledger.statements()) == 1
    room.say(Act.REVOKE, None, refers=first.digest)
    assert "replayed: it was recorded at 2026-11-26 12:00:00 UTC" in refused(room, signed)[0]
    assert not room.desk.readiness().approvals[0].holds


def test_every_reason_is_named_at_once(room):
    """A statement that is wrong in several ways is refused for all of them."""
    room.changes = {"scan": None}
    reasons = refused(room, HANDS["cut@example.org"].sign(room.draft(person="cut@example.org", reason=" ")))
    assert {reason.partition(":")[0] for reason in reasons} == {"self_approval", "reason", "evidence"}


def test_objections_are_what_recording_would_say(room):
    """A face can show why something cannot be done before anybody signs it; a deed that can be done has none."""
    assert room.desk.objections(Act.APPROVE, "", WHO[Role.QA], Role.QA) == ()
    [reason] = room.desk.objections(Act.APPROVE, "", WHO[Role.QA], Role.SECURITY)
    assert reason.startswith("role: cleo@example.org does not hold the role security")
    assert refused(room, HANDS[WHO[Role.QA]].sign(room.draft(role=Role.SECURITY, person=WHO[Role.QA]))) == (reason,)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "malformed"),
        (b"{}", "malformed"),
        (b'{"act":"approve","act":"approve"}', "the key 'act' occurs twice"),
        (b"\xff", "malformed"),
        (b"[" * 100_000, "malformed"),
    ],
)
def test_what_is_no_statement_is_refused(room, content, why):
    """Bytes that are none are refused before anybody's signature is looked at."""
    [reason] = refused(room, HANDS[WHO[Role.QA]].sign(content))
    assert why in reason


def test_other_spellings_of_a_statement_are_refused(room):
    """A space, another order, a role that is false instead of empty: one statement has one spelling."""
    content = room.draft(Act.COMMENT, None)
    spaced, falsy = content.replace(b'":"', b'": "', 1), content.replace(b'"role":""', b'"role":false')
    assert falsy != content
    for other in (spaced, falsy):
        [reason] = refused(room, HANDS[WHO[Role.QA]].sign(other))
        assert reason.startswith("malformed: ")


def test_who_signed_is_asked_first(room):
    """Unknown people, other people's keys and claims without a portal are refused, whatever the statement says."""
    content = room.draft()
    [key] = refused(room, hand().sign(content))
    [unknown] = refused(room, HANDS[WHO[Role.QA]].sign(room.draft(person="eve@example.org")))
    [claims] = refused(room, HANDS[WHO[Role.QA]].sign(room.draft(claims=CLAIMS)))
    assert key.startswith("signature: key SHA256:")
    assert unknown == "person: [signoff] of lens.toml names nobody who is called eve@example.org"
    assert claims.startswith("claims: expected none")


def test_the_portal_speaks_for_whom_its_provider_verified(room):
    """Its signature counts with the claims of this very person inside, and not without."""
    signer = PortalSigner(PORTAL)
    made = room.desk.record(signer.sign(room.draft(claims=CLAIMS)))
    assert (made.method, dict(made.statement.claims)) == (Method.PORTAL, CLAIMS)
    wrong = {
        "expected an address of cleo@example.org, saw none": {},
        "expected an address of cleo@example.org, saw dan@example.org": CLAIMS | {"email": "dan@example.org"},
        "does not say that Cleo@Example.org is verified": CLAIMS | {"email_verified": "false"},
        "expected the provider": CLAIMS | {"iss": ""},
        "saw exp none": {name: value for name, value in CLAIMS.items() if name != "exp"},
        "saw exp 1000": CLAIMS | {"exp": "1000"},
        "saw exp soon": CLAIMS | {"exp": "soon"},
    }
    for why, claims in wrong.items():
        [reason] = refused(room, signer.sign(room.draft(Act.COMMENT, None, claims=claims)))
        assert reason.startswith("claims: ")
        assert why in reason


def test_somebody_without_an_address_signs_with_a_key_only(tmp_path):
    """The portal signs for nobody whose address is not known: it is no way of theirs."""
    people = tuple(replace(one, emails=()) for one in PEOPLE)
    room = Room(tmp_path, replace(RULES, people=people), PORTAL)
    reasons = refused(room, PortalSigner(PORTAL).sign(room.draft(claims=CLAIMS)))
    assert reasons[0] == "method: cleo@example.org may not sign by portal"
    assert room.say().method is Method.SSH


def test_two_people_with_one_key_are_one_person(room):
    """A key that signed for somebody on this candidate signs for nobody else, though the file of signers says so."""
    both = HANDS[WHO[Role.QA]]
    line = f'dan@example.org namespaces="lens-signoff" {both.line}\n'
    room.allowed.write_text(room.allowed.read_text(encoding="utf-8") + line, encoding="utf-8")
    room.say(role=Role.QA)
    [reason] = refused(room, both.sign(room.draft(role=Role.PRODUCT)))
    assert reason.startswith("shared_key: ")
    assert "signed for cleo@example.org" in reason


def test_somebody_who_was_faster_is_seen(room, monkeypatch):
    """A statement that comes between the decision and its record is decided on too: of two for one role one is left."""
    signed = HANDS[WHO[Role.QA]].sign(room.draft())
    record = room.ledger.record_statement

    def beaten(*arguments):
        monkeypatch.setattr(room.ledger, "record_statement", record)
        room.say(role=Role.QA, person="ada@example.org")
        return record(*arguments)

    monkeypatch.setattr(room.ledger, "record_statement", beaten)
    with pytest.raises(SignoffRefused) as caught:
        room.desk.record(signed)
    assert caught.value.blockers[0].startswith("double: qa is given by ada@example.org")
    assert [kept.person for kept in room.ledger.statements()] == ["ada@example.org"]


def test_what_came_while_the_evidence_was_gathered_is_seen(room, monkeypatch):
    """A decision takes a while: a statement that is recorded after the case was read undoes it as well."""
    signed = HANDS[WHO[Role.QA]].sign(room.draft())
    gather, said = room.case, []

    def slowly(version):
        case = gather(version)
        if not said:
            said.append(True)
            monkeypatch.setattr(room, "case", gather)
            room.say(role=Role.QA, person="ada@example.org")
        return case

    monkeypatch.setattr(room, "case", slowly)
    with pytest.raises(SignoffRefused) as caught:
        room.desk.record(signed)
    assert caught.value.blockers[0].startswith("double: qa is given by ada@example.org")
    assert [kept.person for kept in room.ledger.statements()] == ["ada@example.org"]


def test_it_gives_up_rather_than_to_wait_for_ever(room, monkeypatch):
    """When others are always faster it says so: Conflict, and nothing is recorded."""

    def never(*arguments):
        raise Conflict("somebody was faster")

    monkeypatch.setattr(room.ledger, "record_statement", never)
    with pytest.raises(Conflict, match="5 times while this was decided"):
        room.desk.record(HANDS[WHO[Role.QA]].sign(room.draft()))


def test_break_glass_is_loud_and_reviewed(room):
    """Asking, granting and reviewing are told to everybody at once, and the review stays open until a third looks."""
    room.changes = {"nights": (night(1), night(0))}
    assert "nights" in codes(room.desk.readiness())
    asked = room.say(Act.BREAK_GLASS, Role.QA, reason="customers are down")
    assert room.desk.reviews() == ()
    granted = room.say(Act.COUNTERSIGN, Role.SECURITY, refers=asked.digest)
    glass = room.desk.readiness().glass
    assert glass is not None
    assert (glass.active, glass.until) == (True, NOW + HOUR)
    [review] = room.desk.reviews()
    assert (review.request, review.countersign) == (asked.digest, granted.digest)
    room.clock.moment += 2 * HOUR
    assert not room.desk.readiness().glass.active
    assert len(room.desk.reviews()) == 1
    room.say(Act.REVIEW, Role.PLATFORM, refers=asked.digest)
    assert room.desk.reviews() == ()
    assert room.courier.asked == 3
    with room.ledger._file.session() as session:
        told = session.connection().exec_driver_sql("SELECT title, severity, body FROM alert_outbox").all()
    assert [(title, severity) for title, severity, _ in told] == [
        ("[BREAK-GLASS asked for] 1.2.0", "critical"),
        ("[BREAK-GLASS OPEN] 1.2.0", "critical"),
        ("[BREAK-GLASS reviewed] 1.2.0", "warning"),
    ]
    assert "customers are down" in told[0][2]


def test_nobody_grants_or_reviews_their_own_break_glass(room):
    """Two people open it, and the third is neither of them."""
    room.changes = {"nights": (night(1), night(0))}
    asked = room.say(Act.BREAK_GLASS, Role.QA)
    own = room.draft(Act.COUNTERSIGN, Role.QA, refers=asked.digest)
    assert refused(room, HANDS[WHO[Role.QA]].sign(own))[0].startswith("second_person: ")
    room.say(Act.COUNTERSIGN, Role.SECURITY, refers=asked.digest)
    for role in (Role.QA, Role.SECURITY):
        own = room.draft(Act.REVIEW, role, refers=asked.digest)
        assert refused(room, HANDS[WHO[role]].sign(own))[0].startswith("third_person: ")


def test_a_waiver_is_held_against_the_rules_of_waivers(room):
    """What the VEX file would not honour is refused here with its words; what it would is recorded."""
    bad = HANDS[WHO[Role.SECURITY]].sign(room.draft(Act.WAIVE, Role.SECURITY, waived=WAIVED | {"purl": "thing"}))
    assert "expected a purl as ref" in refused(room, bad)[0]
    assert room.say(Act.WAIVE, Role.SECURITY, waived=WAIVED).statement.waived == WAIVED


def test_a_rejection_is_final(room):
    """Nobody takes it back, and nobody approves after it."""
    rejected = room.say(Act.REJECT, Role.PRODUCT, reason="it loses data")
    assert room.desk.readiness().state is State.REJECTED
    assert refused(room, HANDS[WHO[Role.QA]].sign(room.draft()))[0].startswith("rejected: dan@example.org")
    back = room.draft(Act.REVOKE, None, WHO[Role.PRODUCT], refers=rejected.digest)
    assert refused(room, HANDS[WHO[Role.PRODUCT]].sign(back))[0].startswith("final: ")


def test_what_was_recorded_lapses_with_its_key_and_its_person(room):
    """A key that is revoked, a line that is gone, a person who is not named: said, and the approval holds no more."""
    for role in Role:
        room.say(role=role)
    room.revoked.write_text(HANDS[WHO[Role.QA]].line + "\n", encoding="utf-8")
    after = room.desk.readiness()
    [lapsed] = [one for one in after.approvals if not one.holds]
    assert (after.ready, lapsed.person) == (False, WHO[Role.QA])
    assert "is revoked" in lapsed.why
    room.revoked.write_text("", encoding="utf-8")
    assert room.desk.readiness().ready
    fewer = replace(RULES, people=tuple(one for one in PEOPLE if one.name != WHO[Role.PRODUCT]))
    room.rules = fewer
    assert "names nobody who is called dan@example.org" in room.desk.readiness().approvals[-1].why


def test_a_row_that_says_something_else_than_its_statement_is_no_statement(room):
    """Act, person and candidate of a row are those of the signed bytes, or reading it is an IntegrityError."""
    room.say()
    [kept] = room.ledger.statements()
    for other in ({"act": Act.COMMENT}, {"person": "dan@example.org"}, {"candidate": sha("x")}):
        with pytest.raises(IntegrityError, match="expected statement sha256:"):
            recorded(replace(kept, **other), room.check, RULES.people)
    swapped = replace(kept.signed, content=encode(replace(decode(kept.signed.content), reason="other")))
    assert "not one over these bytes" in recorded(replace(kept, signed=swapped), room.check, RULES.people).fault


def test_what_changed_lapses_approvals_by_itself(room):
    """A look at advisories that fails blocks; when it is mended by a waiver the approvals of before do not hold."""
    for role in Role:
        room.say(role=role)
    room.changes = {"waivers": ("CVE-2026-1 pkg:pypi/thing@1.0 until 2026-12-26 bob@example.org",)}
    after = room.desk.readiness()
    assert not any(one.holds for one in after.approvals)
    assert all("the waivers changed" in one.why for one in after.approvals)
    room.changes = {"scan": Scan(NOW - 80 * HOUR, Verdict.PASS, "old")}
    assert codes(room.desk.readiness()) == ["scan"]
