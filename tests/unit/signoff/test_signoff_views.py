"""Readiness in words: the answer first, then what stands in the way and who can mend it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from signing_off import NOW, RULES, night, ready_case, unsigned_case

from lens_core import signoff_views as views
from lens_core.model import Verdict
from lens_core.signoff.readiness import readiness
from lens_core.signoff.words import Blocker, Role

READY = readiness(ready_case(), RULES, NOW)
UNSIGNED = readiness(unsigned_case(), RULES, NOW)
LIFTED = Blocker("nights", "two nights are missing", "scheduler", "let them run", "break-glass by two")


def test_the_headline_is_the_answer():
    """Yes; no, with how many reasons and who can give what is missing; or yes because somebody broke the glass."""
    assert views.headline(READY) == "1.2.0 may be promoted"
    said = views.headline(UNSIGNED)
    assert said.startswith("1.2.0 may not be promoted: 4 blockers stand.")
    assert "security: bob@example.org" in said
    assert "1 blocker stands" in views.headline(replace(UNSIGNED, blockers=UNSIGNED.blockers[:1]))
    assert "break-glass lifts 1" in views.headline(replace(READY, blockers=(LIFTED,)))


def test_blockers_that_stand_come_first():
    """A lifted one stays in sight, with what lifted it."""
    frame = views.blockers_frame([LIFTED, UNSIGNED.blockers[0]])
    assert list(frame["blocker"]) == ["approvals", "nights"]
    assert "lifted: break-glass by two" in frame["why"][1]


def test_every_role_has_a_line():
    """What holds, what does not and why, and what nobody gave."""
    assert list(views.approvals_frame(UNSIGNED)["stands"]) == ["? missing"] * 4
    assert list(views.approvals_frame(READY)["stands"]) == ["✓ holds"] * 4
    [first, *rest] = READY.approvals
    gone = replace(READY, approvals=(replace(first, holds=False, why="it was revoked"), *rest))
    assert "✕ it was revoked" in list(views.approvals_frame(gone)["stands"])
    assert set(views.approvals_frame(gone)["role"]) == {role.value for role in Role}


def test_the_heaviest_factor_comes_first():
    """With what helps, where anything needs help."""
    frame = views.factors_frame(UNSIGNED.risk)
    assert list(frame["adds"]) == sorted(frame["adds"], reverse=True)
    assert all(
        bool(helps) == (level != "low") for level, helps in zip(frame["level"], frame["what helps"], strict=True)
    )


def test_the_streak_says_what_broke_it():
    """And how many dates are left, which nights were run again, and the chance of luck."""
    nights = (night(3, Verdict.ERROR, 1), night(3, Verdict.PASS, 2), night(1, Verdict.FAIL), night(0))
    said = dict(views.streak_lines(readiness(replace(ready_case(), nights=nights), RULES, NOW).streak))
    assert said["nights"].startswith("1 of 3 consecutive dates")
    assert "FAIL" in said["nights"]
    assert said["dates used"] == "3 of 7"
    assert f"{nights[0].night.night_id}, after an ERROR" in said["run again"]
    assert "power" in said["chance"]
    expired = replace(READY.streak, expired=True)
    assert dict(views.streak_lines(expired))["dates used"].endswith("expired for good")


def test_moments_hang_on_evidence():
    """Those of a ready candidate are dates; without nights and approvals nothing is known yet."""
    said = dict(views.timeline_lines(READY.timeline))
    assert said["earliest"] == "2026-11-26 08:00 UTC"
    assert said["streak"].startswith("counts until")
    nothing = readiness(replace(unsigned_case(), nights=()), RULES, NOW)
    assert dict(views.timeline_lines(nothing.timeline)) == {
        "earliest": "not known yet",
        "recommended": "not known yet",
        "approvals": "incomplete",
        "streak": "incomplete",
    }


def test_no_plan_is_said_to_be_none():
    """High risk has no plan."""
    assert views.plan_line(READY.plan).startswith("low risk")
    assert views.plan_line(None).startswith("none")


@pytest.mark.parametrize(
    ("length", "words"),
    [(timedelta(hours=2), "2 h"), (timedelta(minutes=90), "90 min"), (timedelta(seconds=5), "5 s")],
)
def test_lengths_are_read_at_a_glance(length, words):
    """In the largest unit that they are whole in."""
    assert views.span(length) == words
    assert views.short("sha256:" + "ab" * 32) == "abababababab"
