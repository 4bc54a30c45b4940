"""What the statements of a candidate come to before anybody judges them: which are believed, which were taken back.

What takes trust away counts even when its key was revoked since; what gives trust must be believed today.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from lens_core.signoff import people
from lens_core.signoff.words import Act, Case, Recorded, SignoffRules

REVOCABLE = frozenset({Act.APPROVE, Act.WAIVE, Act.BREAK_GLASS, Act.COUNTERSIGN})


def clock_of(case: Case, now: datetime) -> datetime:
    """The moment by which things expire: never before the newest entry of the audit log, whatever the clock says."""
    return max(now, case.audit_at) if case.audit_at else now


def of_candidate(statements: Sequence[Recorded], candidate: str, act: Act) -> tuple[Recorded, ...]:
    """The statements of one act about exactly this digest, as they were recorded."""
    return tuple(one for one in statements if one.statement.act is act and one.statement.dossier.candidate == candidate)


def taken_back(statements: Sequence[Recorded]) -> Mapping[str, Recorded]:
    """The revoke of each statement that its own person took back, by the digest of what was taken back."""
    persons = {one.digest: one.statement.person for one in statements if one.statement.act in REVOCABLE}
    return {
        one.statement.refers: one
        for one in statements
        if one.statement.act is Act.REVOKE and persons.get(one.statement.refers) == one.statement.person
    }


def ends(one: Recorded, longest: timedelta) -> datetime:
    """When a statement is over: as it says, and never later than ``longest`` after it was signed and recorded."""
    latest = min(one.statement.at, one.recorded_at) + longest
    return min(latest, one.statement.expires) if one.statement.expires else one.statement.at


def why_not_by(one: Recorded, cut_by: str, rules: SignoffRules) -> str:
    """Why this person may not say this of this candidate today; empty when they may."""
    said = one.statement
    person = people.person_named(rules, said.person)
    if person is None:
        return f"{said.person} is not named in lens.toml"
    if said.role is None or said.role not in person.roles:
        return f"{said.person} does not hold the role {said.role or 'that it needs'}"
    if people.did_cut(person, cut_by):
        return f"{said.person} cut the candidate"
    return ""
