"""What two servers are seen to do: of fakes with one fault each, and of a real earlier engine beside today's."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fake_engine import BREAKING, FakeEngine, served

from lens_core.adapters.api_observer import ENGINE_COMMAND, observe_answers, observe_api, observe_half_fleet
from lens_core.adapters.engine_homes import EngineHomes
from lens_core.adapters.half_fleet import half_fleet
from lens_core.drills import api_drill
from lens_core.drills import half_fleet as half_fleet_drill
from lens_core.drills.previous import parse_previous
from lens_core.errors import Unavailable
from lens_core.model import Verdict

QUESTIONS = ("getUserName", "parse header", "cart", "asked four times")
DATA = Path(__file__).parents[3] / "data"
TODAY = (sys.executable, "-m", "lens_core.engine")


def observed(old, new):
    """The verdicts of both cells on two fakes, and the observations."""
    with served(old) as old_url, served(new) as new_url:
        answers = observe_answers(old_url, new_url, QUESTIONS, lambda _: None)
        mixed = observe_half_fleet(old_url, new_url, QUESTIONS, lambda _: None)
    return api_drill.judge(answers), half_fleet_drill.judge(mixed), answers, mixed


def test_two_servers_that_keep_their_word_pass_both_cells_the_same_every_time():
    """Without a port or a time in the observation, it has the same bytes again."""
    api, half, *seen = observed(FakeEngine(), FakeEngine())
    assert (api.verdict, half.verdict) == (Verdict.PASS, Verdict.PASS), (api.reason, half.reason)
    assert api.counts["by_golden"] == len(QUESTIONS)
    assert half.counts["old"] == half.counts["new"] == 2 * len(QUESTIONS)
    assert seen == list(observed(FakeEngine(), FakeEngine())[2:])
    assert b"127.0.0.1" not in b"".join(seen)


@pytest.mark.parametrize("name", ["drop_field", "change_default"])
def test_a_broken_word_turns_exactly_the_api_red(name):
    """The half-fleet, which asks what both versions know, stays green."""
    api, half, *_ = observed(FakeEngine(), FakeEngine(BREAKING[name]))
    assert (api.verdict, half.verdict) == (Verdict.FAIL, Verdict.PASS), (api.reason, half.reason)


def test_a_half_that_answers_differently_at_times_turns_exactly_the_half_fleet_red():
    """Asked once it is as ever; asked again, it finds something else."""
    new = FakeEngine()
    plain = new.hits
    new.hits = lambda question, times: (
        ["other.py"] if question == QUESTIONS[-1] and times > 2 else plain(question, times)
    )
    api, half, *_ = observed(FakeEngine(), new)
    assert (api.verdict, half.verdict) == (Verdict.PASS, Verdict.FAIL), (api.reason, half.reason)
    assert "neither version gives alone" in half.reason


@pytest.mark.parametrize("fault", [500, 404], ids=["fails", "lost its route"])
def test_a_half_without_search_is_red(fault):
    """Nobody is served by half of a service."""
    new = FakeEngine()
    new.faults["/search"] = fault
    assert observed(FakeEngine(), new)[1].verdict is Verdict.FAIL


def test_a_server_that_hangs_up_after_a_failure_loses_no_other_answer():
    """A failure is of the request that failed, not of the next one."""
    old = FakeEngine()
    old.faults["/outline"] = 500
    with served(old) as old_url, served(FakeEngine()) as new_url:
        seen = json.loads(observe_answers(old_url, new_url, QUESTIONS, lambda _: None))
    assert {(each["path"], each["old"]["code"] >= 500) for each in seen["exchanges"]} >= {("/outline", True)}
    assert not [each for each in seen["exchanges"] if each["old"]["code"] == 0]
    assert {each["path"] for each in seen["exchanges"] if each["old"]["code"] >= 500} == {"/outline"}


def test_a_half_that_is_down_is_red():
    """Every other request fails."""
    new = FakeEngine()
    with served(FakeEngine()) as old_url:
        with served(new) as new_url:
            pass
        seen = observe_half_fleet(old_url, new_url, QUESTIONS, lambda _: None)
    found = half_fleet_drill.judge(seen)
    assert found.verdict is Verdict.FAIL
    assert "502 from the new half" in found.reason


def test_an_address_in_front_of_one_side_only_is_no_half_fleet():
    """The servers' own counts say so."""
    with served(FakeEngine()) as old_url, served(FakeEngine()) as new_url:
        seen = observe_half_fleet(old_url, new_url, QUESTIONS, lambda _: None, front_url=old_url)
        with half_fleet(old_url, old_url) as front_url:
            lied = observe_half_fleet(old_url, new_url, QUESTIONS, lambda _: None, front_url=front_url)
    assert half_fleet_drill.judge(seen).verdict is Verdict.ERROR
    assert half_fleet_drill.judge(lied).verdict is Verdict.ERROR
    assert "which counted" in half_fleet_drill.judge(lied).reason


@pytest.mark.parametrize("spoil", [b"{", b'{"openapi": "3.1.0", "paths": 1}', b"[NaN]"], ids=["torn", "odd", "nan"])
def test_a_server_whose_document_cannot_be_read_is_an_error(spoil):
    """What it promises is not known, so nothing was compared."""
    new = FakeEngine()
    plain = new.answer
    new.answer = lambda method, path, pairs: (
        (200, "application/json", spoil) if path == "/openapi.json" else plain(method, path, pairs)
    )
    assert observed(FakeEngine(), new)[0].verdict is Verdict.ERROR


def test_an_engine_that_does_not_start_is_told(tmp_path):
    """Unavailable, with what it said."""
    with pytest.raises(Unavailable, match="the old engine did not start"):
        observe_api(TODAY, TODAY, tmp_path / "none", tmp_path / "none", QUESTIONS, lambda _: None)


def test_a_real_earlier_engine_and_todays_keep_one_word(tmp_path):
    """Version 0.9.2 on its own library beside today's, on one index that the earlier one wrote."""
    versions = parse_previous((DATA / "previous" / "versions.toml").read_text())
    previous = next(each for each in versions if each.version == "0.9.2")
    home = EngineHomes(DATA / "previous", DATA / "home" / "cache").of(previous, lambda _: None)
    command = home.command(ENGINE_COMMAND)
    index = tmp_path / "index"
    subprocess.run([*command, "index", str(DATA / "previous" / "sample"), "--out", str(index)], check=True, timeout=60)
    answers, mixed = observe_api(command, TODAY, index, index, QUESTIONS, lambda _: None)
    api, half = api_drill.judge(answers), half_fleet_drill.judge(mixed)
    assert (api.verdict, half.verdict) == (Verdict.PASS, Verdict.PASS), (api.reason, half.reason)
    assert api.counts["answers_compared"] == api.counts["requests"] >= 200
    stats = next(each for each in json.loads(answers)["exchanges"] if each["path"] == "/stats" and not each["query"])
    assert json.loads(answers)["bodies"][stats["old"]["body"]]["value"]["tantivy_version"] == previous.tantivy
