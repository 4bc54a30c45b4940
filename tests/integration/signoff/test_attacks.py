"""Attacks on the sign-off, seeded: each forges, twists or repeats something, and the desk refuses each with its reason.

The keys are real and ``ssh-keygen`` verifies every signature; only what is known of the candidate is made up. An attack
counts as accepted when it is recorded, or when anything about the candidate's readiness has changed after it.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from signing import HANDS, Room, hand
from signing_off import CANDIDATE, HOUR, NOW, PEOPLE, POLICIES, RELEASE, WHO, sha, unsigned_case

from lens_core.adapters.keys import PrivateKeySigner
from lens_core.adapters.portal_signatures import PortalSigner
from lens_core.errors import SignoffRefused
from lens_core.model import Digest
from lens_core.signoff.statement import decode, encode
from lens_core.signoff.words import Act, Method, Role, Signed, Statement
from lens_core.supply import canonical
from lens_core.supply.ssh_signature import armour

SEED, ATTEMPTS = 20261126, 1050
PORTAL, FALSE_PORTAL = (PrivateKeySigner(Ed25519PrivateKey.generate()) for _ in range(2))
EVE, LOST, OLD = hand(), hand(), hand()
CUTTER = "cut@example.org"
ROLES = tuple(Role)
CLAIMS = {"iss": "https://id.example.org", "email_verified": "true", "exp": "9999999999"}


@dataclass
class Attack:
    """What is sent to the desk at what time, and the codes of which at least one must be among the reasons."""

    signed: Signed
    codes: frozenset[str]
    clock: datetime = NOW


class Arena:
    """A room in which there is something to steal: approvals, a revoked one, and statements of elsewhere."""

    def __init__(self, folder, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  (seeded: the same attacks every time)
        self.room = Room(folder, portal=PORTAL)
        lines = self.room.allowed.read_text(encoding="utf-8")
        lines += f'{WHO[Role.QA]} namespaces="lens-signoff" {LOST.line}\n'
        lines += f'{WHO[Role.PRODUCT]} namespaces="lens-signoff",valid-before="20260101" {OLD.line}\n'
        self.room.allowed.write_text(lines, encoding="utf-8")
        self.room.revoked.write_text(LOST.line + "\n", encoding="utf-8")
        self.elsewhere = self._elsewhere()
        self.before = self._before()
        self.room.say(role=Role.PLATFORM)
        gone = HANDS[WHO[Role.SECURITY]].sign(self.room.draft(role=Role.SECURITY))
        taken = self.room.desk.record(gone)
        self.room.say(Act.REVOKE, None, WHO[Role.SECURITY], refers=taken.digest)
        self.revoked_approval = gone
        self.open = tuple(role for role in ROLES if role not in {Role.PLATFORM, Role.SECURITY})
        self.clean = {role: decode(self.room.draft(role=role)) for role in ROLES}

    def _elsewhere(self) -> dict[Role, Statement]:
        """Approvals of another candidate that is as good as this one."""
        other = replace(RELEASE, candidate=replace(CANDIDATE, digest=Digest(sha("their wheel"))))
        self.room.changes = {"cut": replace(unsigned_case().cut, release=other), "nights": ()}
        found = {role: decode(self.room.draft(role=role)) for role in ROLES}
        self.room.changes = {}
        return found

    def _before(self) -> dict[Role, list[Statement]]:
        """Statements that were drawn up before something was verified again."""
        good = unsigned_case()
        then = (
            {"drill": replace(good.drill, digest=sha("an older drill"))},
            {"findings": ("CVE-2026-9 pkg:pypi/thing@1.0",)},
            {"waivers": ("CVE-2026-9 pkg:pypi/thing@1.0 until 2026-12-01",)},
            {"policies": POLICIES | {"cut": sha("an older policy")}},
            {"nights": tuple(replace(one, record=sha(one.night.night_id)) for one in good.nights)},
        )
        found: dict[Role, list[Statement]] = {role: [] for role in ROLES}
        for changes in then:
            self.room.changes = changes
            for role in ROLES:
                found[role].append(decode(self.room.draft(role=role)))
        self.room.changes = {}
        return found

    def fresh(self, role: Role | None = None, **changes) -> Statement:
        """An approval that would count, but for what is changed."""
        statement = self.clean[role or self.random.choice(self.open)]
        nonce = self.random.randbytes(8).hex()
        return replace(statement, **{"nonce": nonce, **changes})

    @staticmethod
    def own(statement: Statement) -> Signed:
        """Signed by the very person whom it names."""
        return HANDS[statement.person].sign(encode(statement))


def attack(signed: Signed, *codes: str) -> Attack:
    """What is sent, and what it must be refused for."""
    return Attack(signed, frozenset(codes))


def tag_swap(arena: Arena) -> Attack:
    """The version stays, what lies under it is another: digests of the dossier are swapped."""
    name = arena.random.choice(["candidate", "image", "manifest"])
    statement = arena.fresh()
    other = replace(statement.dossier, **{name: sha(arena.random.randbytes(4).hex())})
    return attack(arena.own(replace(statement, dossier=other)), "candidate")


def another_version(arena: Arena) -> Attack:
    """A statement on a version that was never cut."""
    statement = arena.fresh()
    other = replace(statement.dossier, version=f"1.{arena.random.randrange(3, 99)}.0")
    return attack(arena.own(replace(statement, dossier=other)), "candidate")


def another_candidates_approval(arena: Arena) -> Attack:
    """A good approval of another candidate."""
    statement = replace(arena.elsewhere[arena.random.choice(arena.open)], nonce=arena.random.randbytes(8).hex())
    return attack(arena.own(statement), "candidate")


def replay(arena: Arena) -> Attack:
    """The very bytes of an approval that its person took back."""
    return attack(arena.revoked_approval, "replayed")


def replay_under_a_new_signature(arena: Arena) -> Attack:
    """The same bytes once more, signed anew with another hash."""
    kept = arena.revoked_approval
    return attack(HANDS[WHO[Role.SECURITY]].sign(kept.content, "sha256"), "replayed")


def reused_nonce(arena: Arena) -> Attack:
    """Another statement under the nonce of a recorded one."""
    nonce = decode(arena.room.ledger.statements()[0].signed.content).nonce
    return attack(arena.own(arena.fresh(nonce=nonce)), "replay")


def self_approval(arena: Arena) -> Attack:
    """Whoever cut the candidate approves it, in any role of theirs."""
    statement = arena.fresh(arena.random.choice(ROLES), person=CUTTER)
    return attack(arena.own(statement), "self_approval")


def two_roles(arena: Arena) -> Attack:
    """Who gave one role gives another that is theirs as well."""
    return attack(arena.own(arena.fresh(Role.QA, person=WHO[Role.PLATFORM])), "second_role")


def double_approval(arena: Arena) -> Attack:
    """A role that is given is given again."""
    return attack(arena.own(arena.fresh(Role.PLATFORM)), "double")


def role_spoofing(arena: Arena) -> Attack:
    """A role that is not theirs."""
    role = arena.random.choice(arena.open)
    holders = {person.name for person in PEOPLE if role in person.roles}
    person = arena.random.choice([one for one in WHO.values() if one not in holders])
    return attack(arena.own(arena.fresh(role, person=person)), "role")


def no_role(arena: Arena) -> Attack:
    """An approval in no role at all."""
    return attack(arena.own(replace(arena.fresh(), role=None)), "role")


def somebody_elses_name(arena: Arena) -> Attack:
    """Signed with one person's key under another's name."""
    statement = arena.fresh()
    hands = [one for name, one in HANDS.items() if name != statement.person]
    return attack(arena.random.choice(hands).sign(encode(statement)), "signature")


def unknown_key(arena: Arena) -> Attack:
    """A key that nobody allowed."""
    return attack(EVE.sign(encode(arena.fresh())), "signature")


def unknown_person(arena: Arena) -> Attack:
    """A name that lens.toml does not know, also such as a pattern or an option would be."""
    name = arena.random.choice(["eve@example.org", "*", "-h", "*@example.org", "!bob@example.org", "cleo@example.org "])
    return attack(EVE.sign(encode(arena.fresh(person=name))), "person")


def revoked_key(arena: Arena) -> Attack:
    """A key of theirs that was revoked."""
    return attack(LOST.sign(encode(arena.fresh(Role.QA))), "signature")


def expired_key(arena: Arena) -> Attack:
    """A key of theirs whose time is over."""
    return attack(OLD.sign(encode(arena.fresh(Role.PRODUCT))), "signature")


def stale(arena: Arena) -> Attack:
    """Drawn up before the evidence changed: a drill, findings, waivers, a policy, nights."""
    statement = arena.random.choice(arena.before[arena.random.choice(arena.open)])
    return attack(arena.own(replace(statement, nonce=arena.random.randbytes(8).hex())), "stale")


def expired(arena: Arena) -> Attack:
    """Over by the time it comes."""
    ago = timedelta(minutes=arena.random.randrange(61, 4000))
    statement = arena.fresh(at=NOW - ago, expires=NOW - ago + timedelta(minutes=60))
    return attack(arena.own(statement), "expired")


def too_long(arena: Arena) -> Attack:
    """For longer than an approval may hold, for ever, or ending before it began."""
    ends = [NOW + timedelta(hours=arena.random.randrange(73, 9000)), None, NOW - timedelta(seconds=1), NOW]
    return attack(arena.own(arena.fresh(expires=arena.random.choice(ends))), "expiry", "expired")


def of_the_future(arena: Arena) -> Attack:
    """Signed at a moment that has not come."""
    at = NOW + timedelta(minutes=arena.random.randrange(3, 9000))
    return attack(arena.own(arena.fresh(at=at, expires=at + HOUR)), "future")


def clock_set_back(arena: Arena) -> Attack:
    """The machine's clock is turned back before the newest entry of the log, and what is over would hold again."""
    clock = NOW - timedelta(minutes=arena.random.randrange(63, 240))
    statement = arena.fresh(at=clock, expires=clock + timedelta(minutes=30))
    return Attack(arena.own(statement), frozenset({"clock"}), clock)


def edited(arena: Arena) -> Attack:
    """One byte of what was signed is another, wherever it stands."""
    signed = arena.own(arena.fresh())
    place = arena.random.randrange(len(signed.content))
    flipped = bytes([signed.content[place] ^ (1 << arena.random.randrange(8))])
    content = signed.content[:place] + flipped + signed.content[place + 1 :]
    return attack(replace(signed, content=content), "signature", "malformed", "person")


def edited_member(arena: Arena) -> Attack:
    """A member of the statement is another after it was signed."""
    statement = arena.fresh()
    signed = arena.own(statement)
    changes = arena.random.choice(
        [
            {"reason": "because"},
            {"expires": NOW + HOUR},
            {"at": NOW - HOUR},
            {"act": Act.COMMENT},
            {"dossier": replace(statement.dossier, findings=("nothing",))},
        ]
    )
    return attack(replace(signed, content=encode(replace(statement, **changes))), "signature")


def swapped_signature(arena: Arena) -> Attack:
    """The signature of another statement of the same person."""
    one, other = arena.own(arena.fresh(Role.QA)), arena.own(arena.fresh(Role.QA))
    return attack(replace(one, signature=other.signature), "signature")


def twisted_signature(arena: Arena) -> Attack:
    """One bit of the signature is another."""
    signed = arena.own(arena.fresh())
    place = arena.random.randrange(len(signed.signature))
    flipped = bytes([signed.signature[place] ^ (1 << arena.random.randrange(8))])
    return attack(
        replace(signed, signature=signed.signature[:place] + flipped + signed.signature[place + 1 :]), "signature"
    )


def wrong_namespace(arena: Arena) -> Attack:
    """The person's own signature, made for git or a file."""
    statement = arena.fresh()
    mine = replace(HANDS[statement.person], namespace=arena.random.choice(["git", "file", "lens", "lens-signoff "]))
    return attack(mine.sign(encode(statement)), "signature")


def false_fingerprint(arena: Arena) -> Attack:
    """A stranger's signature that names an honest key."""
    statement = arena.fresh()
    honest = arena.own(statement)
    return attack(replace(EVE.sign(honest.content), key=honest.key), "signature")


def not_canonical(arena: Arena) -> Attack:
    """The same statement in other bytes, signed as such."""
    statement = arena.fresh()
    content = encode(statement)
    other = arena.random.choice(
        [
            content + b"\n",
            b"\xef\xbb\xbf" + content,
            content.replace(b":", b": ", 1),
            content.replace(b'"act"', b'"\\u0061ct"'),
            b"[" + content + b"]",
        ]
    )
    return attack(HANDS[statement.person].sign(other), "malformed")


def duplicate_keys(arena: Arena) -> Attack:
    """A member that occurs twice: one for who reads it first, one for who reads it last."""
    statement = arena.fresh()
    content = encode(statement)
    role = arena.random.choice([one for one in ROLES if one is not statement.role])
    other = content.replace(b'"role":', f'"role":"{role}","role":'.encode(), 1)
    return attack(HANDS[statement.person].sign(other), "malformed")


def foreign_members(arena: Arena) -> Attack:
    """A member too much, one too few, or another format."""
    statement = arena.fresh()
    document = canonical.decode(encode(statement))
    match arena.random.randrange(4):
        case 0:
            document["approved"] = True
        case 1:
            del document[arena.random.choice(sorted(document))]
        case 2:
            document["format"] = "lens.signoff/2"
        case _:
            document["dossier"].pop(arena.random.choice(sorted(document["dossier"])))
    return attack(HANDS[statement.person].sign(canonical.encode(document)), "malformed")


def unseen_characters(arena: Arena) -> Attack:
    """A reason that turns around or hides what a terminal shows of it."""
    statement = arena.fresh(reason="a good candidate")
    hidden = arena.random.choice(["\u202e", "\u200b", "\x1b[2J", "\x00", "\u2066"])
    document = canonical.decode(encode(statement))
    document["reason"] += hidden
    return attack(HANDS[statement.person].sign(canonical.encode(document)), "malformed")


def no_reason(arena: Arena) -> Attack:
    """An approval that says nothing."""
    return attack(arena.own(arena.fresh(reason=arena.random.choice(["", " ", "\n"]))), "reason")


def false_portal(arena: Arena) -> Attack:
    """Another portal's key, or the portal's own over other bytes."""
    statement = arena.fresh()
    content = encode(replace(statement, claims=CLAIMS | {"email": statement.person}))
    true = PortalSigner(PORTAL).sign(content)
    false = PortalSigner(FALSE_PORTAL).sign(content)
    twisted = replace(true, content=encode(replace(decode(content), reason="other")))
    return attack(arena.random.choice([false, replace(false, key=true.key), twisted]), "signature")


def portal_for_somebody_else(arena: Arena) -> Attack:
    """The portal signs what one person said under another's name, or without a word of its provider."""
    statement = arena.fresh()
    other = arena.random.choice([name for name in HANDS if name != statement.person])
    claims = arena.random.choice(
        [
            {},
            CLAIMS,
            CLAIMS | {"email": other},
            CLAIMS | {"email": statement.person, "email_verified": "false"},
            CLAIMS | {"email": statement.person, "iss": ""},
            CLAIMS | {"email": statement.person, "exp": "1000"},
        ]
    )
    return attack(PortalSigner(PORTAL).sign(encode(replace(statement, claims=claims))), "claims")


def swapped_method(arena: Arena) -> Attack:
    """An SSH signature as the portal's, or the portal's as an SSH one, or SSH with claims inside."""
    statement = arena.fresh()
    claimed = replace(statement, claims=CLAIMS | {"email": statement.person})
    ssh, portal = arena.own(statement), PortalSigner(PORTAL).sign(encode(claimed))
    chosen = [replace(ssh, method=Method.PORTAL), replace(portal, method=Method.SSH), arena.own(claimed)]
    return attack(arena.random.choice(chosen), "signature", "claims")


def weak_key(arena: Arena) -> Attack:
    """A signature that names a key of a kind that does not count, though its armour is whole."""
    kind = arena.random.choice([b"ssh-dss", b"ssh-ed25519-cert-v01@openssh.com", b"ecdsa-sha2-nistp192"])
    parts = (len(kind).to_bytes(4, "big") + kind, b"lens-signoff", b"", b"sha512", arena.random.randbytes(64))
    blob = b"SSHSIG" + (1).to_bytes(4, "big") + b"".join(len(p).to_bytes(4, "big") + p for p in parts)
    statement = arena.fresh()
    return attack(replace(arena.own(statement), signature=armour(blob)), "signature")


def revoke_somebody_elses(arena: Arena) -> Attack:
    """Taking back what another person approved, or what nobody stated."""
    kept = arena.room.ledger.statements()[0]
    refers = arena.random.choice([kept.signed.digest, sha("nothing")])
    statement = replace(arena.fresh(Role.QA), act=Act.REVOKE, role=None, expires=None, refers=refers)
    return attack(arena.own(statement), "not_own", "refers")


def waive_without_the_role(arena: Arena) -> Attack:
    """Waiving is security's; nobody else waives, and nothing is waived along with an approval."""
    waived = {"vulnerability": "CVE-2026-1", "purl": "pkg:pypi/a@1", "state": "false_positive", "grounds": ""}
    act = arena.random.choice([Act.WAIVE, Act.APPROVE])
    return attack(arena.own(arena.fresh(Role.QA, act=act, waived=waived)), "role", "waived")


def needless_break_glass(arena: Arena) -> Attack:
    """Granting what nobody asked for, alone, or reviewing what was never opened."""
    act = arena.random.choice([Act.COUNTERSIGN, Act.REVIEW])
    expires = NOW + HOUR if act is Act.COUNTERSIGN else None
    refers = arena.random.choice(["", sha("nothing"), arena.room.ledger.statements()[0].signed.digest])
    statement = arena.fresh(Role.QA, act=act, refers=refers, expires=expires)
    return attack(arena.own(statement), "refers", "request")


KINDS: tuple[Callable[[Arena], Attack], ...] = (
    tag_swap,
    another_version,
    another_candidates_approval,
    replay,
    replay_under_a_new_signature,
    reused_nonce,
    self_approval,
    two_roles,
    double_approval,
    role_spoofing,
    no_role,
    somebody_elses_name,
    unknown_key,
    unknown_person,
    revoked_key,
    expired_key,
    stale,
    expired,
    too_long,
    of_the_future,
    clock_set_back,
    edited,
    edited_member,
    swapped_signature,
    twisted_signature,
    wrong_namespace,
    false_fingerprint,
    not_canonical,
    duplicate_keys,
    foreign_members,
    unseen_characters,
    no_reason,
    false_portal,
    portal_for_somebody_else,
    swapped_method,
    weak_key,
    revoke_somebody_elses,
    waive_without_the_role,
    needless_break_glass,
)


def attempts(arena: Arena) -> Iterator[tuple[str, Attack]]:
    """Each kind in turn, so often that there are enough."""
    for number in range(ATTEMPTS):
        kind = KINDS[number % len(KINDS)]
        yield kind.__name__, kind(arena)


@pytest.fixture
def arena(tmp_path):
    """The same attacks every time."""
    return Arena(tmp_path, SEED)


def test_no_attack_is_accepted(arena):
    """1,200 seeded attempts of 39 kinds: none is recorded, none changes anything, each is refused for its reason."""
    before = arena.room.ledger.statements(), arena.room.desk.readiness()
    tried: Counter[str] = Counter()
    for name, one in attempts(arena):
        arena.room.clock.moment = one.clock
        with pytest.raises(SignoffRefused) as caught:
            arena.room.desk.record(one.signed)
        said = {reason.partition(":")[0] for reason in caught.value.blockers}
        assert said & one.codes, f"{name}: refused for {caught.value.blockers}, not for {sorted(one.codes)}"
        tried[name] += 1
    arena.room.clock.moment = NOW
    assert sum(tried.values()) == ATTEMPTS
    assert min(tried.values()) >= 25
    assert (arena.room.ledger.statements(), arena.room.desk.readiness()) == before


def test_what_the_attacks_change_is_all_that_is_wrong_with_them(arena):
    """What they start from is accepted: so it is the attack that is refused, and not the statement."""
    for role in arena.open:
        assert arena.room.desk.record(arena.own(arena.fresh(role))).fault == ""
    claimed = arena.fresh(Role.SECURITY, claims=CLAIMS | {"email": WHO[Role.SECURITY]})
    assert arena.room.desk.record(PortalSigner(PORTAL).sign(encode(claimed))).method is Method.PORTAL
    assert arena.room.desk.readiness().ready
