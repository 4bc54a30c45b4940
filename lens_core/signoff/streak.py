"""The streak: consecutive dates with one counted night each, all of one digest, policy, data set and slice list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

from lens_core.gates import verdict_of
from lens_core.model import Verdict
from lens_core.signoff.chance import chance
from lens_core.signoff.words import NightCase, SignoffRules, Streak

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Date:
    """What the full nights of one date come to: ``counted`` stands for it, or ``red`` breaks the streak.

    With neither the date has no night that counts (``why``); ``pending`` says that one of them still runs.
    """

    day: date
    counted: NightCase | None
    closed: datetime
    red: str
    why: str
    pending: bool
    retried: tuple[str, ...]


def streak(
    nights: Sequence[NightCase], candidate: str, policies: Mapping[str, str], rules: SignoffRules, now: datetime
) -> Streak:
    """How far the nights of a candidate have come; nights of others, and over fewer slices, say nothing here.

    Once complete, its nights are the first ones of the run: later green nights keep it fresh and change nothing of what
    was signed. It ends with a later night that does not advance, or when its newest night is too old.
    """
    full = sorted(
        (case for case in nights if str(case.night.candidate.digest) == candidate and _is_full(case, rules)),
        key=lambda case: (case.night.night_date, case.night.attempt),
    )
    dates = [
        _judged(day, list(attempts), policies, rules, now)
        for day, attempts in groupby(full, key=lambda case: case.night.night_date)
    ]
    run, broken_by = _run(dates, rules, now)
    complete = len(run) >= rules.nights
    counted = [one.counted for one in run[: rules.nights] if one.counted is not None]
    probability, said = chance([case for case in full if not _foreign(case, policies)], rules)
    return Streak(
        passed=len(counted),
        wanted=rules.nights,
        nights=tuple(case.night.night_id for case in counted),
        used=len(dates),
        allowed=rules.max_nights,
        expired=_expired(dates, run, rules),
        broken_by=broken_by,
        retried=tuple(name for one in dates for name in one.retried),
        ended_at=run[rules.nights - 1].closed if complete else None,
        chance=probability,
        chance_said=said,
        until=run[-1].closed + rules.max_streak_age if complete else None,
    )


def _is_full(case: NightCase, rules: SignoffRules) -> bool:
    """A night over fewer slices may stand beside the full one: it is neither counted nor held against it."""
    return bool(rules.slices) and set(case.night.slices) == set(rules.slices)


def _foreign(case: NightCase, policies: Mapping[str, str]) -> str:
    """Why this night says nothing under the rules of now; empty when it does."""
    night = case.night
    if case.fault:
        return f"is not believed: {case.fault}"
    if night.verdict is None or night.closed_at is None:
        return "was not judged yet"
    if night.candidate.dirty:
        return "ran with changes that the commit does not have"
    if str(night.policy_digest) != policies.get("night"):
        return "was judged by another gate policy than today's"
    if str(night.dataset_digest) != policies.get("dataset"):
        return "ran on another data set than today's"
    return ""


def _uncounted(case: NightCase, policies: Mapping[str, str], rules: SignoffRules, now: datetime) -> str:
    """Why a night cannot stand for its date; empty when it can."""
    night = case.night
    if foreign := _foreign(case, policies):
        return foreign
    if night.closed_at is None or night.opened_at.astimezone(UTC).date() != night.night_date:
        return f"was opened at {night.opened_at:%Y-%m-%d %H:%M} UTC, which is another date"
    if not night.opened_at <= night.closed_at <= now + rules.clock_skew:
        return "was closed before it was opened, or in the future"
    if silent := set(rules.slices) - {answer.slice for answer in case.answers}:
        return f"has no answer about {', '.join(sorted(silent))}"
    if not verdict_of(case.answers).advances:
        return f"says {night.verdict.name if night.verdict else 'nothing'}, which its answers do not"
    return ""


def _judged(
    day: date, attempts: list[NightCase], policies: Mapping[str, str], rules: SignoffRules, now: datetime
) -> _Date:
    """One date. Only an ERROR may be run again: it says nothing about the candidate."""
    red = ""
    for place, case in enumerate(attempts):
        verdict, last = case.night.verdict, place == len(attempts) - 1
        if case.fault:
            red = red or f"night {case.night.night_id} is not believed: {case.fault}"
        elif verdict is not None and not verdict.advances and (last or verdict is not Verdict.ERROR):
            red = red or f"night {case.night.night_id} ended {verdict.name}: {case.night.reason}"
    reasons = [(case, _uncounted(case, policies, rules, now)) for case in attempts]
    counted = None if red else next((case for case, why in reasons if not why), None)
    retried = [case.night.night_id for case in attempts[:-1] if case.night.verdict is Verdict.ERROR]
    last_case, last_why = reasons[-1]
    return _Date(
        day=day,
        counted=counted,
        closed=(counted.night.closed_at if counted else None) or now,
        red=red,
        why="" if counted else f"night {last_case.night.night_id} {last_why}",
        pending=not red and any(case.night.verdict is None for case in attempts),
        retried=tuple(retried),
    )


def _run(dates: Sequence[_Date], rules: SignoffRules, now: datetime) -> tuple[list[_Date], str]:
    """The dates since the last break, and what that was. Until it is complete a missing date breaks it as well."""
    run: list[_Date] = []
    broken_by, waiting = "", None
    for one in dates:
        complete = len(run) >= rules.nights
        if one.red:
            run, broken_by = [], one.red
        elif one.counted is None:
            waiting = one.day if one.pending else None
            if not (complete or one.pending):
                run, broken_by = [], one.why
        else:
            if why := _gap(run, one, rules):
                run, broken_by = [], why
            run.append(one)
    if run and (why := _over(run, waiting, rules, now)):
        run, broken_by = [], why
    return run, broken_by


def _gap(run: Sequence[_Date], one: _Date, rules: SignoffRules) -> str:
    """Why ``one`` does not continue the run; empty when it does."""
    if not run:
        return ""
    if len(run) < rules.nights:
        missing = run[-1].day + _DAY
        return "" if one.day == missing else f"{missing} has no night that counts"
    if one.closed - run[-1].closed >= rules.max_streak_age:
        return f"after {run[-1].day} there was no night for {_days(rules.max_streak_age)}"
    return ""


def _over(run: Sequence[_Date], waiting: date | None, rules: SignoffRules, now: datetime) -> str:
    """Why the run is over by now; empty when it goes on. A date that is not over yet, or runs, is not missing."""
    if len(run) < rules.nights:
        seen = waiting if waiting == run[-1].day + _DAY else run[-1].day
        today = now.astimezone(UTC).date()
        return "" if seen >= today - _DAY else f"{seen + _DAY} has no night that counts"
    if now - run[-1].closed >= rules.max_streak_age:
        return f"its newest night, of {run[-1].day}, is older than {_days(rules.max_streak_age)}"
    return ""


def _expired(dates: Sequence[_Date], run: Sequence[_Date], rules: SignoffRules) -> bool:
    """Whether the dates that a digest may try are used up without a streak: for good, as no later date can undo it."""
    if len(run) >= rules.nights:
        return [one.day for one in dates].index(run[rules.nights - 1].day) >= rules.max_nights
    judged = sum(not one.pending for one in dates)
    return len(dates) > rules.max_nights or judged >= rules.max_nights


def _days(span: timedelta) -> str:
    return f"{span / _DAY:g} days"
