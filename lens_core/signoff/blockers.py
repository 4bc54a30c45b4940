"""Every reason against a promotion, from everything that is known: what is missing, and who can give it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from lens_core.signoff import approvals, people, standing
from lens_core.signoff.dossier import NEEDED
from lens_core.signoff.words import Act, Approval, Blocker, Case, Level, Person, Risk, Role, SignoffRules, Streak

_RELEASE, _NIGHTLY, _OPERATOR = "release manager", "scheduler", "whoever runs this machine"


def evidence_blockers(case: Case, streak: Streak, risk: Risk, rules: SignoffRules, now: datetime) -> Iterator[Blocker]:
    """What machines show: the cut, its gates, the drill, the nights, the scan, the risk, the log."""
    yield from _cut(case)
    yield from _cut_gates(case)
    yield from _drill(case)
    yield from _nights(case, streak)
    yield from _scan(case, rules, now)
    if risk.level is Level.HIGH:
        mend = "; ".join(factor.mitigation for factor in risk.factors if factor.level is Level.HIGH)
        yield Blocker("risk", f"the risk is high: {risk.reason}", _RELEASE, mend or "name factors in lens.toml")
    yield from _log(case, rules, now)
    yield from _grace(streak, rules, now)


def people_blockers(case: Case, given: Sequence[Approval], rules: SignoffRules) -> Iterator[Blocker]:
    """What people say: who may speak, who approved, who rejected."""
    cut_by = case.cut.release.cut_by if case.cut else None
    yield from _people(case, cut_by, rules)
    yield from _approvals(case, cut_by, given, rules)
    candidate = str(case.cut.release.candidate.digest) if case.cut else ""
    for one in standing.of_candidate(case.statements, candidate, Act.REJECT):
        said = one.statement
        doubt = f"; this statement is not believed today ({one.fault}), but a rejection stays" if one.fault else ""
        yield Blocker(
            "rejected",
            f"{said.person} ({said.role}) rejected it on {said.at:%Y-%m-%d %H:%M} UTC: {said.reason}{doubt}",
            _RELEASE,
            "cut another candidate: a rejection is final for the digest",
        )


def _cut(case: Case) -> Iterator[Blocker]:
    if case.cut is None:
        how = f"lens cut-rc --version {case.version}"
        yield Blocker("cut", f"{case.version} was not cut: there is nothing to promote", _RELEASE, how)
        return
    release, again = case.cut.release, "find out who changed it, and cut the next version"
    if case.cut.faults:
        yield Blocker("cut", f"the cut does not verify: {_some(case.cut.faults)}", _RELEASE, again)
    if release.version != case.version:
        yield Blocker("cut", f"the cut is of {release.version}, not of {case.version}", _RELEASE, again)
    if release.candidate.dirty:
        yield Blocker("cut", "it was cut with changes that its commit does not have", _RELEASE, "commit, and cut again")
    if absent := [name for name in NEEDED if not case.cut.files.get(name)]:
        yield Blocker(
            "cut", f"the cut holds no {', no '.join(absent)}", _RELEASE, "cut the next version with all parts"
        )


def _cut_gates(case: Case) -> Iterator[Blocker]:
    answers = case.cut.answers if case.cut else ()
    if not case.policies.get("cut"):
        yield Blocker("cut_gates", "there is no policy of cuts to judge by", _OPERATOR, "put [cut] back into lens.toml")
    if not answers:
        yield Blocker("cut_gates", "no gate of a cut has answered", _RELEASE, f"lens cut-rc --version {case.version}")
    for answer in answers:
        if not answer.verdict.advances:
            what = f"{answer.gate} is {answer.verdict.name}: {answer.reason}"
            yield Blocker(
                "cut_gates", what, _RELEASE, f"lens verify release {case.version} shows it; mend it, cut again"
            )


def _drill(case: Case) -> Iterator[Blocker]:
    again = f"lens compat-drill --version {case.version}"
    if not case.policies.get("drill"):
        yield Blocker("drill", "there are no rules of drills to judge by", _OPERATOR, "put [drill] back into lens.toml")
    if case.drill is None:
        yield Blocker("drill", "it was not drilled: nobody knows whether earlier indexes open", _RELEASE, again)
    elif case.drill.fault:
        yield Blocker("drill", f"the drill is not believed: {case.drill.fault}", _RELEASE, again)
    elif not case.drill.verdict.advances:
        yield Blocker("drill", f"the drill is {case.drill.verdict.name}: {case.drill.reason}", _RELEASE, again)


def _nights(case: Case, streak: Streak) -> Iterator[Blocker]:
    if streak.passed < streak.wanted:
        seen = f"{streak.passed} of {streak.wanted} consecutive nights"
        broken = f"; the streak was broken: {streak.broken_by}" if streak.broken_by else ""
        how = f"lens nightly-validation --version {case.version}, on each of the next dates"
        yield Blocker("nights", f"{seen}{broken}", _NIGHTLY, how)
    if streak.expired:
        what = f"{streak.used} dates were tried of the {streak.allowed} that one digest may, without a streak in them"
        yield Blocker("expired", what, _RELEASE, "mend it and cut another candidate: this digest is over for good")


def _scan(case: Case, rules: SignoffRules, now: datetime) -> Iterator[Blocker]:
    again, scan = f"lens check-signoff {case.version} --rescan", case.scan
    if scan is None:
        yield Blocker("scan", "no advisory source was asked about it", Role.SECURITY, again)
        return
    if scan.at > now + rules.clock_skew:
        yield Blocker("scan", f"the newest look at advisories is of the future: {_at(scan.at)}", Role.SECURITY, again)
    if standing.clock_of(case, now) - scan.at >= rules.scan_ttl:
        what = f"the newest look at advisories is of {_at(scan.at)}, older than {rules.scan_ttl}"
        yield Blocker("scan", what, Role.SECURITY, again)
    if not scan.verdict.advances:
        how = f"{again}, after packages were upgraded and cut again, or waived by name (`lens waive`)"
        yield Blocker("scan", f"advisories say {scan.verdict.name}: {scan.reason}", Role.SECURITY, how)


def _log(case: Case, rules: SignoffRules, now: datetime) -> Iterator[Blocker]:
    look = "lens audit verify says which entry; restore what was before it (`lens restore`)"
    if case.audit:
        yield Blocker("audit", f"the audit log is not believed: {case.audit}", _OPERATOR, look)
    if case.audit_at is None:
        yield Blocker("audit", "the audit log is empty: nothing says who did what", _OPERATOR, look)
    elif now < case.audit_at - rules.clock_skew:
        what = f"the clock says {_at(now)}, but the newest entry of the audit log is of {_at(case.audit_at)}"
        yield Blocker("clock", what, _OPERATOR, "set the clock right")


def _grace(streak: Streak, rules: SignoffRules, now: datetime) -> Iterator[Blocker]:
    """Also while nights are missing: the time after a night that nobody has seen has not passed."""
    if streak.ended_at is None:
        what = f"the {rules.grace} after the last night have not begun"
        yield Blocker("grace", what, _NIGHTLY, "the nights first")
    elif now < (over := streak.ended_at + rules.grace):
        yield Blocker(
            "grace", f"the {rules.grace} after the last night are not over", "time", f"wait until {_at(over)}"
        )


def _people(case: Case, cut_by: str | None, rules: SignoffRules) -> Iterator[Blocker]:
    name_them = "name them in [[signoff.people]] of lens.toml"
    if not case.policies.get("signoff"):
        yield Blocker("people", "there are no rules of sign-offs to judge by", _OPERATOR, "put [signoff] back")
    if cut_by is not None and not people.cutter(cut_by):
        yield Blocker(
            "people", "who cut the candidate is not known, so nobody can be told apart", _RELEASE, "cut again"
        )
        return
    may: Mapping[Role, Sequence[Person]] = {role: people.eligible(rules, role, cut_by) for role in Role}
    nobody = [role for role in Role if not may[role]]
    for role in nobody:
        yield Blocker("people", f"nobody who may holds the role {role}", _OPERATOR, name_them)
    found = people.assign(may, lambda one, other: one.name == other.name)
    if not nobody and len(found) < len(Role):
        what = f"four roles need four different people who did not cut it, these are enough for {len(found)}"
        yield Blocker("people", what, _OPERATOR, name_them)


def _approvals(case: Case, cut_by: str | None, given: Sequence[Approval], rules: SignoffRules) -> Iterator[Blocker]:
    held = approvals.quorum(given)
    for role in Role:
        if role in held:
            continue
        own = [one for one in given if one.role is role]
        holding = next((one for one in own if one.holds), None)
        if holding:
            seen = f"{holding.person}'s does not count beside the other approvals: four roles, four people, four keys"
        elif own:
            seen = f"{own[-1].person}'s does not hold: {own[-1].why}"
        else:
            seen = "nobody gave it"
        how = f"lens approve {case.version} --role {role}"
        yield Blocker("approvals", f"no approval by {role}: {seen}", people.whom(rules, role, cut_by), how)


def _some(texts: Sequence[str]) -> str:
    shown = 5
    more = f"; and {len(texts) - shown} more" if len(texts) > shown else ""
    return "; ".join(texts[:shown]) + more


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
