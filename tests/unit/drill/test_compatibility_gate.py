"""A night's compatibility is what the latest drill of its very candidate says, if that still stands."""

from dataclasses import replace

import pytest
from drilling import DrillHouse, FakeCell
from fakes import FakeClock

from lens_core.adapters.compatibility_gate import CompatibilityGate
from lens_core.model import Candidate, Digest, Verdict

EXPECTED = ("0.9.1", "0.9.2")


@pytest.fixture
def house(tmp_path):
    """A house in which nothing was drilled yet."""
    return DrillHouse(tmp_path)


def ask(house, candidate, folder):
    """What the gate says of a candidate."""
    gate = CompatibilityGate(house.drills, EXPECTED, house.rules)
    return gate.answer(candidate, folder, FakeClock().now())


def drilled(house, *previous):
    """The candidate of a drill, as nights know it."""
    record = house.drill(*previous).record.candidate
    return Candidate(record.version, Digest(f"sha256:{record.wheel_sha256}"), "0" * 40, dirty=False)


def test_what_was_not_drilled_has_no_answer(house, tmp_path):
    """Without a drill it is INCONCLUSIVE, and says what to do."""
    answer = ask(house, Candidate("9.9.9", Digest("sha256:" + "0" * 64), "0" * 40, dirty=False), tmp_path)
    assert answer.verdict is Verdict.INCONCLUSIVE
    assert "compat-drill" in answer.reason


def test_a_drill_that_stands_decides(house, tmp_path):
    """Its verdict is the gate's, over all its cells; its seal is kept with the night."""
    answer = ask(house, drilled(house), tmp_path)
    assert answer.verdict is Verdict.PASS
    assert answer.sample_count > 0
    assert (tmp_path / "drill-1-manifest.json").is_file()


def test_a_drill_that_does_not_pass_is_named(house, tmp_path):
    """The worst cell stands in the reason."""
    house.cells = (FakeCell("read", lambda _case: {"fine": False}),)
    answer = ask(house, drilled(house), tmp_path)
    assert not answer.verdict.advances
    assert answer.value > 0


def test_a_drill_of_another_wheel_is_no_evidence(house, tmp_path):
    """The same version with other bytes was not drilled."""
    candidate = drilled(house)
    other = Candidate(candidate.version, Digest("sha256:" + "1" * 64), candidate.commit, dirty=False)
    assert ask(house, other, tmp_path).verdict is Verdict.INCONCLUSIVE


def test_a_drill_that_was_changed_is_an_error(house, tmp_path):
    """One byte of an observation, and the drill is believed no more."""
    candidate = drilled(house)
    place = house.drills.places(candidate.version)[-1]
    observation = next(file for file in sorted(place.rglob("observations/**/*.json")) if file.is_file())
    observation.write_bytes(observation.read_bytes() + b" ")
    assert ask(house, candidate, tmp_path).verdict is Verdict.ERROR


def test_a_drill_against_some_versions_only_is_not_enough(house, tmp_path):
    """What was left out was not asked; a whole drill before it still counts, unless the later one is red."""
    candidate = drilled(house, "0.9.2")
    assert ask(house, candidate, tmp_path).verdict is Verdict.INCONCLUSIVE
    drilled(house)
    drilled(house, "0.9.2")
    assert ask(house, candidate, tmp_path).verdict is Verdict.PASS
    house.cells = (FakeCell("read", lambda _case: {"fine": False}), FakeCell("write"))
    drilled(house, "0.9.2")
    assert ask(house, candidate, tmp_path).verdict is Verdict.FAIL


def test_a_drill_by_other_rules_is_not_enough(house, tmp_path):
    """Yesterday's milder rules are not those in force."""
    candidate = drilled(house)
    house.rules = replace(house.rules, min_questions=house.rules.min_questions + 1)
    assert ask(house, candidate, tmp_path).verdict is Verdict.INCONCLUSIVE


def test_without_registered_versions_nothing_passes(house, tmp_path):
    """The worst of nothing is INCONCLUSIVE."""
    candidate = drilled(house)
    gate = CompatibilityGate(house.drills, (), house.rules)
    assert gate.answer(candidate, tmp_path, FakeClock().now()).verdict is Verdict.INCONCLUSIVE
