"""The desk of the sign-off: says where a candidate stands, drafts statements, and records them, one by one.

``SignoffDesk.record`` is the only entrance of the ledger for what people state. Faces show and sign; whether a
statement counts is decided here, whatever they showed, from the bytes that were signed and nothing else.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lens_core.alerts import Message
from lens_core.errors import Conflict, InvalidInput, LensError, NotReady, SignoffRefused
from lens_core.model import Digest
from lens_core.monitor_ports import Courier
from lens_core.ports import Clock
from lens_core.signoff.approvals import refusals
from lens_core.signoff.break_glass import Review, reviews
from lens_core.signoff.readiness import readiness
from lens_core.signoff.statement import decode, encode
from lens_core.signoff.words import Act, Case, Method, Readiness, Recorded, Role, Signed, SignoffRules, Statement
from lens_core.signoff_ports import Kept, SignatureCheck, StatementLedger
from lens_core.signoff_statements import recorded, signer_faults

_TRIES = 5
"""How often a decision is made anew because somebody else's statement came first."""

_LOUD = {Act.BREAK_GLASS: "asked for", Act.COUNTERSIGN: "OPEN", Act.REVIEW: "reviewed"}
_WAIVED_FOR = timedelta(days=30)
"""Where nobody says for how long."""
_ANY_REASON = "is it possible?"


@dataclass(frozen=True, slots=True)
class DeskWorld:
    """What the desk asks of the world. ``qualification`` gathers all that is known of a version ("": the newest)."""

    ledger: StatementLedger
    clock: Clock
    qualification: Callable[[str], Case]
    signatures: SignatureCheck
    rules: SignoffRules
    courier: Courier
    nonce: Callable[[], str] = lambda: secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to state; see ``Statement``. ``hours``: for how long, where the act expires."""

    act: Act
    person: str
    role: Role | None
    reason: str
    refers: str = ""
    waived: Mapping[str, str] | None = None
    claims: Mapping[str, str] | None = None
    hours: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a candidate stands: all that is known of it, and what follows."""

    case: Case
    readiness: Readiness
    rules: SignoffRules

    def objections(self, act: Act, person: str, role: Role | None, refers: str = "") -> tuple[str, ...]:
        """Every reason why the person may not state this now, if nothing changes until they sign."""
        return self.objections_to(_draft(self, Asked(act, person, role, _ANY_REASON, refers), "0" * 32))

    def objections_to(self, statement: Statement) -> tuple[str, ...]:
        """Every reason why this very statement may not be recorded now, but for its signature."""
        return refusals(statement, self.case, self.readiness, self.rules, self.readiness.at)


class SignoffDesk:
    """The use cases of the sign-off."""

    def __init__(self, world: DeskWorld) -> None:
        self._world = world

    def standing(self, version: str = "") -> Standing:
        """Where a version stands ("": the newest); InvalidInput when there is none."""
        world = self._world
        case = world.qualification(version)
        return Standing(case, readiness(case, world.rules, world.clock.now()), world.rules)

    def readiness(self, version: str = "") -> Readiness:
        """Whether a version may be promoted, and everything that speaks for and against it."""
        return self.standing(version).readiness

    def statements(self, version: str = "") -> tuple[Recorded, ...]:
        """What people stated on a version, oldest first, each with why it is not believed today."""
        return self._world.qualification(version).statements

    def objections(self, act: Act, version: str, person: str, role: Role | None, refers: str = "") -> tuple[str, ...]:
        """Every reason why the person may not state this now."""
        return self.standing(version).objections(act, person, role, refers)

    def draft(  # noqa: PLR0913, PLR0917  (what a statement says)
        self,
        act: Act,
        version: str,
        person: str,
        role: Role | None,
        reason: str,
        refers: str = "",
        waived: Mapping[str, str] | None = None,
        claims: Mapping[str, str] | None = None,
        hours: float | None = None,
    ) -> bytes:
        """A statement about the dossier of now, to be signed and then recorded; NotReady without a cut."""
        return self.draft_on(self.standing(version), Asked(act, person, role, reason, refers, waived, claims, hours))

    def draft_on(self, standing: Standing, asked: Asked) -> bytes:
        """A statement about the dossier of ``standing``, whatever is there by now: its person was shown that one."""
        return encode(_draft(standing, asked, self._world.nonce()))

    def record(self, signed: Signed) -> Recorded:
        """Keep a statement, if it counts; SignoffRefused with every reason otherwise, and nothing is kept.

        The very same statement once more is no other one: what is recorded is given back, as long as its person has
        stated nothing on the candidate since.
        """
        statement = _read(signed)
        if faults := self._signer_faults(signed, statement):
            raise _refused(faults)
        candidate = Digest(statement.dossier.candidate)
        for _ in range(_TRIES):
            kept = self._world.ledger.statements(candidate)
            if again := _repeated(kept, signed):
                return self._recorded(again)
            try:
                now = self._decide(signed, statement, kept)
            except SignoffRefused:
                if len(self._world.ledger.statements(candidate)) == len(kept):
                    raise
                continue  # decided on more than was seen before it: this very statement may be among it
            messages = (_message(signed, statement),) if statement.act in _LOUD else ()
            try:
                self._world.ledger.record_statement(signed, statement, len(kept), now, messages)
            except Conflict:
                continue  # somebody was faster: what they stated may change the decision
            if messages:
                self._world.courier.send_due()
            return Recorded(statement, signed.digest, signed.key, signed.method, now)
        raise Conflict(
            f"others stated something on {statement.dossier.version} {_TRIES} times while this was decided",
            "try again: the same statement may be recorded once more",
        )

    def reviews(self) -> tuple[Review, ...]:
        """The reviews that uses of break-glass opened, of any candidate, and that nobody has closed; oldest first."""
        found = [self._recorded(kept) for kept in self._world.ledger.statements()]
        return tuple(review for review in reviews(found, self._world.rules) if review.open)

    def _decide(self, signed: Signed, statement: Statement, kept: tuple[Kept, ...]) -> datetime:
        """The moment at which the statement may be recorded; SignoffRefused when it may not."""
        world = self._world
        try:
            standing = self.standing(statement.dossier.version)
        except InvalidInput as error:
            raise _refused((f"candidate: {error.message}",)) from error
        now = standing.readiness.at
        faults = [
            *refusals(statement, standing.case, standing.readiness, world.rules, now),
            *_shared_key(signed, statement, kept),
        ]
        if faults:
            raise _refused(faults)
        return now

    def _signer_faults(self, signed: Signed, statement: Statement) -> tuple[str, ...]:
        world = self._world
        return signer_faults(signed, statement, world.signatures, world.rules.people, world.clock.now())

    def _recorded(self, kept: Kept) -> Recorded:
        return recorded(kept, self._world.signatures, self._world.rules.people)


def _refused(faults: Sequence[str]) -> SignoffRefused:
    return SignoffRefused(f"this statement does not count: {faults[0]}", "nothing was recorded", faults)


def _draft(standing: Standing, asked: Asked, nonce: str) -> Statement:
    now, dossier, rules = standing.readiness.at, standing.readiness.dossier, standing.rules
    if dossier is None:
        raise NotReady(
            f"there is no cut of {standing.readiness.version} that verifies, so there is nothing to state anything on",
            "`lens cut-rc` makes one",
            blockers=[str(blocker) for blocker in standing.readiness.blockers],
        )
    longest = {
        Act.APPROVE: rules.approval_ttl,
        Act.BREAK_GLASS: rules.break_glass_ttl,
        Act.COUNTERSIGN: rules.break_glass_ttl,
        Act.WAIVE: _WAIVED_FOR,
    }.get(asked.act)
    lasts = timedelta(hours=asked.hours) if asked.hours is not None and longest else longest
    if lasts is not None and lasts <= timedelta():
        raise InvalidInput(f"expected hours above 0, saw {asked.hours}")
    return Statement(
        act=asked.act,
        person=asked.person,
        role=asked.role,
        dossier=dossier,
        at=now,
        expires=now + lasts if lasts else None,
        reason=asked.reason.strip(),
        nonce=nonce,
        refers=asked.refers,
        claims=dict(asked.claims or {}),
        waived=dict(asked.waived or {}),
    )


def _read(signed: Signed) -> Statement:
    """What was signed; SignoffRefused for bytes that are no statement, or not the only ones that it has."""
    fault = ""
    try:
        statement = decode(signed.content)
        if encode(statement) == signed.content:
            return statement
        fault = "malformed: expected the one spelling of this statement, saw another"
    except LensError as error:
        fault = f"malformed: {error.message}"
    raise SignoffRefused("this is no statement", "draft it with Lens, then sign it", blockers=[fault])


def _repeated(kept: tuple[Kept, ...], signed: Signed) -> Kept | None:
    """The statement itself, if it is kept; SignoffRefused when its person has changed their word since."""
    found = next((one for one in kept if one.signed.digest == signed.digest), None)
    if found is None:
        return None
    newest = [one for one in kept if one.person == found.person][-1]
    if newest is not found:
        moment = f"{found.recorded_at:%Y-%m-%d %H:%M:%S} UTC"
        raise SignoffRefused(
            "this statement was recorded already, and its person has stated something else since",
            "sign a new one",
            blockers=[f"replayed: it was recorded at {moment}; {newest.act} of {newest.person} came after it"],
        )
    return found


def _shared_key(signed: Signed, statement: Statement, kept: tuple[Kept, ...]) -> list[str]:
    """Two people with one key are one person."""
    others = {k.person for k in kept if k.signed.key == signed.key and k.signed.method is Method.SSH}
    others.discard(statement.person)
    return [f"shared_key: key {signed.key} signed for {name} on this candidate already" for name in sorted(others)]


def _message(signed: Signed, statement: Statement) -> Message:
    """Break-glass is loud: whoever is told of alerts is told of it."""
    dossier = statement.dossier
    until = f"\nuntil {statement.expires:%Y-%m-%d %H:%M:%S} UTC" if statement.expires else ""
    body = (
        f"{statement.act} by {statement.person} at {statement.at:%Y-%m-%d %H:%M:%S} UTC: {statement.reason}{until}\n"
        f"candidate {dossier.version} {dossier.candidate}; statement {signed.digest}"
    )
    severity = "warning" if statement.act is Act.REVIEW else "critical"
    title = f"[BREAK-GLASS {_LOUD[statement.act]}] {dossier.version}"
    return Message(f"signoff-{signed.digest.removeprefix('sha256:')[:16]}", title, body, severity)
