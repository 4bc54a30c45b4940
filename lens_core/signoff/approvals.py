"""Approvals as they stand, and whether a further statement may be recorded: every reason why it may not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lens_core.signoff import break_glass, people, standing, waivers
from lens_core.signoff.dossier import difference
from lens_core.signoff.words import (
    Act,
    Approval,
    Case,
    Dossier,
    Method,
    Readiness,
    Recorded,
    Role,
    SignoffRules,
    Statement,
)

_FIRST_OTHERS = frozenset({"approvals", "grace"})
"""The blockers that an approval may precede; all other evidence comes first."""
_GIVES = frozenset({Act.APPROVE, Act.WAIVE, Act.BREAK_GLASS, Act.COUNTERSIGN})
"""Acts that bring a candidate nearer to its users: about the dossier of now, and never of one that was rejected."""


def approvals(case: Case, dossier: Dossier | None, rules: SignoffRules, now: datetime) -> tuple[Approval, ...]:
    """Every approval of the candidate, oldest first, and whether it holds for what is known now."""
    if case.cut is None:
        return ()
    candidate, clock = str(case.cut.release.candidate.digest), standing.clock_of(case, now)
    back = standing.taken_back(case.statements)
    return tuple(
        _approval(one, case.cut.release.cut_by, dossier, back.get(one.digest), rules, clock)
        for one in standing.of_candidate(case.statements, candidate, Act.APPROVE)
    )


def quorum(given: Sequence[Approval]) -> dict[Role, Approval]:
    """Approvals that hold, one for as many roles as can be, by different people with different keys."""
    holding = {role: [one for one in given if one.holds and one.role is role] for role in Role}
    return people.assign(holding, _same_hand)


def refusals(
    statement: Statement, case: Case, readiness: Readiness, rules: SignoffRules, now: datetime
) -> tuple[str, ...]:
    """Every reason why this statement may not be recorded now, each as ``code: words``; none when it may.

    ``readiness`` is that of ``case`` at ``now``. Whether the signature holds, and was made in a way that the person may
    use, must have been asked before.
    """
    if case.cut is None or readiness.dossier is None:
        return (f"candidate: {case.version} was not cut, so there is nothing to sign",)
    desk = _Desk(statement, case, readiness, readiness.dossier, rules, now)
    return tuple(
        dict.fromkeys((*desk.of_subject(), *desk.of_person(), *desk.of_words(), *desk.of_time(), *desk.of_act()))
    )


def _same_hand(one: Approval, other: Approval) -> bool:
    same_key = one.method is Method.SSH and other.method is Method.SSH and one.key == other.key
    return one.person == other.person or same_key


def _approval(
    one: Recorded,
    cut_by: str,
    dossier: Dossier | None,
    revoked: Recorded | None,
    rules: SignoffRules,
    clock: datetime,
) -> Approval:
    said, expires = one.statement, standing.ends(one, rules.approval_ttl)
    whys = [
        f"not believed: {one.fault}" if one.fault else "",
        f"revoked on {revoked.statement.at:%Y-%m-%d %H:%M} UTC: {revoked.statement.reason}" if revoked else "",
        standing.why_not_by(one, cut_by, rules),
        f"expired at {expires:%Y-%m-%d %H:%M} UTC" if clock >= expires else "",
        "it is of the future" if said.at > clock + rules.clock_skew else "",
        f"lapsed: {changed}" if dossier and (changed := difference(said.dossier, dossier)) else "",
        "" if dossier else "there is nothing that it is about",
    ]
    why = "; ".join(filter(None, whys))
    return Approval(
        role=said.role or Role.PLATFORM,
        person=said.person,
        at=said.at,
        expires=expires,
        holds=not why,
        why=why,
        reason=said.reason,
        digest=one.digest,
        method=one.method,
        key=one.key,
    )


@dataclass(frozen=True, slots=True)
class _Desk:
    """One statement before the desk: each method yields the reasons of one kind."""

    statement: Statement
    case: Case
    readiness: Readiness
    dossier: Dossier
    rules: SignoffRules
    now: datetime

    def of_subject(self) -> Iterator[str]:
        """It is about this candidate, and gives trust only for what is known now."""
        said, now = self.statement.dossier, self.dossier
        identity = ("version", "candidate", "image", "manifest")
        if wrong := [name for name in identity if getattr(said, name) != getattr(now, name)]:
            saw = ", ".join(f"{name} {getattr(said, name) or 'none'}" for name in wrong)
            yield f"candidate: this is about another candidate than {now.version} {now.candidate}: {saw}"
        elif self.statement.act in _GIVES and (changed := difference(said, now)):
            yield f"stale: what is known changed since this was drawn up: {changed}"

    def of_person(self) -> Iterator[str]:
        """Somebody whom ``lens.toml`` names, in a role of theirs, who did not cut what they let pass."""
        said, act = self.statement, self.statement.act
        person = people.person_named(self.rules, said.person)
        if person is None:
            yield f"unknown_person: {said.person} is not named in [signoff] of lens.toml"
            return
        if said.role is not None and said.role not in person.roles:
            held = ", ".join(person.roles) or "none"
            yield f"role: {said.person} does not hold the role {said.role} (theirs: {held})"
        if said.role is None and act not in {Act.REVOKE, Act.COMMENT}:
            yield f"role: {act} needs the role in which it is said"
        if act is Act.WAIVE and said.role not in {None, Role.SECURITY}:
            yield f"role: only {Role.SECURITY} waives, this was said as {said.role}"
        cut_by = self.case.cut.release.cut_by if self.case.cut else ""
        if act in {*_GIVES, Act.REVIEW} and people.did_cut(person, cut_by):
            yield f"self_approval: {said.person} cut this candidate ({cut_by or 'who did is not known'})"

    def of_words(self) -> Iterator[str]:
        """It says why, and no more than its act needs."""
        said, act = self.statement, self.statement.act
        if not said.reason.strip():
            yield f"reason: {act} needs a reason"
        if bool(said.refers) is not (act in {Act.REVOKE, Act.COUNTERSIGN, Act.REVIEW}):
            wanted = "nothing" if said.refers else "a statement"
            yield f"refers: expected {act} to refer to {wanted}, saw {said.refers or 'nothing'}"
        if act is Act.WAIVE:
            if fault := waivers.fault_of(said, self.clock):
                yield f"waived: {fault}"
        elif said.waived:
            yield f"waived: {act} waives nothing"
        if any(one.statement.nonce == said.nonce for one in self.case.statements):
            yield "replay: this statement was used before, draw up another"

    def of_time(self) -> Iterator[str]:
        """It was signed now, by a clock that can be believed, for as long as it may hold."""
        said, rules, now = self.statement, self.rules, self.now
        if said.at > now + rules.clock_skew:
            yield f"future: it says that it was signed at {said.at:%Y-%m-%d %H:%M:%S} UTC, now is {now:%H:%M:%S}"
        if any(blocker.code == "clock" for blocker in self.readiness.blockers):
            yield f"clock: the clock says {now:%Y-%m-%d %H:%M:%S} UTC, the audit log is further already"
        longest = self.longest
        if self.clock - said.at > min(longest or rules.approval_ttl, rules.approval_ttl):
            yield f"old: it was signed at {said.at:%Y-%m-%d %H:%M} UTC, draw up another"
        if longest is None:
            if said.expires is not None:
                yield f"expiry: {said.act} does not expire"
        elif said.expires is None or not said.at < said.expires <= said.at + longest:
            seen = f"{said.expires:%Y-%m-%d %H:%M} UTC" if said.expires else "none"
            yield f"expiry: expected an end within {longest} of {said.at:%Y-%m-%d %H:%M} UTC, saw {seen}"
        elif self.clock >= said.expires:
            yield f"expired: it ended at {said.expires:%Y-%m-%d %H:%M} UTC"

    def of_act(self) -> Iterator[str]:
        """What its act asks for besides."""
        if self.statement.act in _GIVES:
            yield from (f"rejected: {one.what}" for one in self.readiness.blockers if one.code == "rejected")
        match self.statement.act:
            case Act.APPROVE:
                yield from self._approve()
            case Act.REVOKE:
                yield from self._revoke()
            case Act.BREAK_GLASS:
                yield from self._break_glass()
            case Act.COUNTERSIGN:
                yield from self._countersign()
            case Act.REVIEW:
                yield from self._review()

    def _approve(self) -> Iterator[str]:
        said = self.statement
        for blocker in self.readiness.blockers:
            if blocker.code not in _FIRST_OTHERS and not blocker.lifted:
                yield f"evidence: {blocker.code}: {blocker}"
        for one in self.readiness.approvals:
            if one.person == said.person and one.role is not said.role:
                yield f"second_role: {said.person} spoke as {one.role} for this candidate, one person holds one role"
            elif one.holds and one.role is said.role:
                yield f"double: {one.role} is given by {one.person} until {one.expires:%Y-%m-%d %H:%M} UTC"

    def _revoke(self) -> Iterator[str]:
        target = self._referred()
        if target is None:
            yield f"refers: no statement on this candidate is {self.statement.refers or 'named'}"
        elif target.statement.act not in standing.REVOCABLE:
            final = "is final for this digest" if target.statement.act is Act.REJECT else "cannot be taken back"
            yield f"final: {target.statement.act} {final}"
        elif target.statement.person != self.statement.person:
            yield f"not_own: that is {target.statement.person}'s, everybody takes back their own"
        elif target.digest in standing.taken_back(self.case.statements):
            yield "double: it was taken back already"

    def _break_glass(self) -> Iterator[str]:
        standing_now = [one for one in self.readiness.blockers if not one.lifted]
        if not any(break_glass.may_lift(one, self.rules) for one in standing_now):
            yield "needless: nothing stands against this candidate that break-glass does without"
        for one in standing.of_candidate(self.case.statements, self.dossier.candidate, Act.BREAK_GLASS):
            if not break_glass.pending(self.case, self.dossier, one, self.rules, self.now):
                yield f"double: {one.statement.person} asked for it already ({one.digest})"

    def _countersign(self) -> Iterator[str]:
        target = self._referred()
        if target is None or target.statement.act is not Act.BREAK_GLASS:
            yield f"refers: nobody asked for break-glass on this candidate by {self.statement.refers or 'any name'}"
            return
        if target.statement.person == self.statement.person:
            yield "second_person: whoever asks for break-glass does not grant it"
        if why := break_glass.pending(self.case, self.dossier, target, self.rules, self.now):
            yield f"request: {why}"

    def _review(self) -> Iterator[str]:
        said = self.statement
        found = next(
            (
                one
                for one in break_glass.reviews(self.case.statements, self.rules)
                if said.refers in {one.request, one.countersign}
            ),
            None,
        )
        if found is None:
            yield f"refers: no break-glass of this candidate that was used is {said.refers or 'named'}"
        elif not found.open:
            yield f"double: {found.closed_by} reviewed it already"
        elif said.person in {found.requested_by, found.countersigned_by}:
            yield "third_person: whoever opened break-glass does not review it"

    def _referred(self) -> Recorded | None:
        """The statement that is referred to."""
        return next((one for one in self.case.statements if one.digest == self.statement.refers), None)

    @property
    def clock(self) -> datetime:
        """The later of the clock and the newest audit entry."""
        return standing.clock_of(self.case, self.now)

    @property
    def longest(self) -> timedelta | None:
        """For how long the act may hold; None for acts that do not expire."""
        match self.statement.act:
            case Act.APPROVE:
                return self.rules.approval_ttl
            case Act.WAIVE:
                return waivers.LONGEST
            case Act.BREAK_GLASS | Act.COUNTERSIGN:
                return self.rules.break_glass_ttl
            case _:
                return None
