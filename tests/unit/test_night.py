"""A night from open to closed, over fakes that misbehave on command."""

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from fakes import SLICES, build_house, digest_of

from lens_core.errors import Conflict, IntegrityError, InvalidInput, Unavailable
from lens_core.model import Answer, NightState, Verdict
from lens_core.night import NightRequest
from lens_core.service import Lens

REQUEST = NightRequest(duration_minutes=0.05)


@pytest.fixture
def house(tmp_path):
    """A fresh house."""
    return build_house(tmp_path)


def judged(house, request=REQUEST):
    """Run a night and return it with its answers by (slice, gate)."""
    night = house.lens.nightly_validation(request)
    return night, {(a.slice, a.gate): a for a in house.lens.answers(night.night_id)}


def test_a_healthy_first_release_is_waived_visibly(house):
    """All gates pass and the missing baseline is waived by name, so the night is WAIVED, not PASS."""
    night, answers = judged(house)
    assert night.verdict is Verdict.WAIVED
    assert night.state is NightState.CLOSED
    for name in SLICES:
        waived = answers[name, "ndcg_at_10_vs_baseline"]
        assert waived.verdict is Verdict.WAIVED
        assert "first release" in waived.reason
        assert answers[name, "tail_ratio"].verdict is Verdict.PASS


def test_a_missing_baseline_is_inconclusive(tmp_path):
    """Without a first-release policy the baseline gates say that they have no evidence."""
    house = build_house(tmp_path, first_release="")
    night, answers = judged(house)
    assert night.verdict is Verdict.INCONCLUSIVE
    assert "no baseline" in answers[SLICES[0], "ndcg_at_10_vs_baseline"].reason


def test_a_slice_that_was_not_asked_for_is_missing(house):
    """A night over one slice judges that slice and says that the other is missing."""
    night, answers = judged(house, NightRequest(0.05, sizes=("small",)))
    assert night.verdict is Verdict.INCONCLUSIVE
    assert answers[SLICES[0], "slice_present"].verdict is Verdict.PASS
    assert answers[SLICES[1], "slice_present"].verdict is Verdict.INCONCLUSIVE
    assert "missing" in answers[SLICES[1], "slice_present"].reason


@pytest.mark.parametrize(
    ("fate", "gate", "words"),
    [
        ("dies first", "slice_present", "dies first"),
        ("silent", "slice_present", "without writing its verdict row"),
        ("the kernel died", "notebook", "the kernel died"),
    ],
)
def test_a_notebook_that_did_not_end_well_is_an_error(house, fate, gate, words):
    """Dead before, dead after or silent about its verdict: the slice and the night are ERROR."""
    house.notebooks.fates[SLICES[0]] = fate
    night, answers = judged(house)
    assert night.verdict is Verdict.ERROR
    assert answers[SLICES[0], gate].verdict is Verdict.ERROR
    assert words in answers[SLICES[0], gate].reason
    assert answers[SLICES[1], "notebook"].verdict is Verdict.PASS


@pytest.mark.parametrize("fate", ["dies first", "silent"])
def test_a_report_that_was_not_drawn_is_an_error(house, fate):
    """The report is part of the night: without it there is no green."""
    house.notebooks.fates["report"] = fate
    night, answers = judged(house)
    assert night.verdict is Verdict.ERROR
    assert answers["", "report"].verdict is Verdict.ERROR


def test_a_corpus_that_cannot_be_had_is_named(house):
    """A wrong hash makes its own slice an ERROR with the reason, and leaves the other alone."""
    house.corpora.errors[SLICES[1]] = IntegrityError("thing.whl: expected sha256 00, saw 11", "fetch it again")
    night, answers = judged(house)
    assert night.verdict is Verdict.ERROR
    assert "expected sha256 00, saw 11" in answers[SLICES[1], "slice_present"].reason
    assert answers[SLICES[0], "slice_present"].verdict is Verdict.PASS


def test_a_service_that_cannot_index_is_an_error(house):
    """An index that could not be built is never a pass."""
    house.service.fails_to_index = True
    night, answers = judged(house)
    assert night.verdict is Verdict.ERROR
    assert "indexing failed" in answers[SLICES[0], "slice_present"].reason


@pytest.mark.parametrize("leak", ["probe", "digest"])
def test_an_index_that_holds_the_answers_is_refused(house, leak):
    """An index of other text than the stripped tree, or one that finds held-out text, is not measured."""
    if leak == "probe":
        house.service.leaks = True
    else:
        house.service.content_digest = str(digest_of("the tree with its docstrings"))
    night, answers = judged(house)
    assert night.verdict is Verdict.ERROR
    assert "leak" in answers[SLICES[0], "slice_present"].reason


SLOW_TAIL = (*([200.0] * 2), *([1.0] * 48))
"""Four percent of requests at 200 ms."""


def test_a_slow_tail_fails_the_ratio_and_nothing_else(house):
    """Four percent of requests at 200 ms turn the tail ratio red, and no other gate."""
    house.load.latencies_ms = SLOW_TAIL
    night, answers = judged(house, NightRequest(0.1))
    assert night.verdict is Verdict.FAIL
    assert {gate for (_, gate), a in answers.items() if a.verdict is Verdict.FAIL} == {"tail_ratio"}


def test_a_stall_of_the_machine_is_set_aside_and_asked_again(house):
    """A round in which the control stalled does not count, is asked again, and the night stays green."""
    house.load.control_ms = (*([0.5] * 60), 40.0)
    night, answers = judged(house)
    assert night.verdict is Verdict.WAIVED, night.reason
    run = house.world.store.read_run(house.home / night.folder / "backend-python-small")
    share = house.lens.measurements(night.night_id)[0].get("set_aside_share")
    assert 0 < share.value < 0.25
    firsts = [r.first_question for r in run.observed.rounds]
    assert len(firsts) - len(set(firsts)) == round(share.value * share.sample_count)
    assert answers[SLICES[0], "tail_ratio"].interval.blocks == 30


def test_a_machine_that_stalls_all_the_time_makes_the_run_invalid(house):
    """When more rounds stall than may be set aside, latency is an ERROR that blames the machine, not a FAIL."""
    house.load.latencies_ms = SLOW_TAIL
    house.load.control_ms = (40.0,)
    night, answers = judged(house)
    assert night.verdict is Verdict.ERROR
    assert answers[SLICES[0], "tail_ratio"].verdict is Verdict.ERROR
    assert "the machine stalled" in answers[SLICES[0], "tail_ratio"].reason
    assert answers[SLICES[0], "recall_at_50"].verdict is Verdict.PASS


def test_a_generator_that_sends_late_makes_the_run_invalid(house):
    """Latency that the load generator itself added is no measurement of the service."""
    house.load.lag_ms = 0.5
    _, answers = judged(house)
    assert answers[SLICES[0], "tail_ratio"].verdict is Verdict.ERROR
    assert "left late" in answers[SLICES[0], "tail_ratio"].reason


def test_what_is_decided_early_is_not_asked_longer(house):
    """A plain tail is decided at the first look; one near the limit is looked at three times."""
    judged(house, NightRequest(1))
    early = house.world.store.read_run(house.home / "nights/2026-11-24.1/backend-python-small").observed
    house.load.latencies_ms = np.random.default_rng(7).lognormal(0, 1.0, 3001).tolist()  # P99 / P95 is 1.98
    house.builder.source = "two"
    judged(house, NightRequest(1))
    late = house.world.store.read_run(house.home / "nights/2026-11-24.2/backend-python-small").observed
    assert (early.looks, late.looks) == (1, 3)
    assert len(early.rounds) < len(late.rounds) == late.plan.budget


def test_a_service_that_only_answers_errors_finds_nothing(house):
    """Answers other than 200 have no hits: recall is zero, not absent."""
    house.load.status = 503
    night, answers = judged(house)
    assert night.verdict is Verdict.FAIL
    assert answers[SLICES[0], "recall_at_50"].value == 0.0


def test_one_attempt_a_date(house):
    """A second night of the same candidate over the same slices on one date is refused, with the reason."""
    judged(house)
    with pytest.raises(Conflict, match="has a night of this candidate"):
        house.lens.nightly_validation(REQUEST)
    house.clock.moment += timedelta(days=1)
    assert judged(house)[0].night_id == "2026-11-25.1"


def test_a_night_that_ended_in_error_may_be_repeated(house):
    """ERROR says nothing about the candidate, so the date is still free."""
    house.notebooks.fates[SLICES[0]] = "dies first"
    judged(house)
    house.notebooks.fates.clear()
    assert judged(house)[0].night_id == "2026-11-24.2"


def test_another_candidate_may_have_its_night_on_the_same_date(house):
    """The date belongs to a candidate's digest, not to the machine."""
    judged(house)
    house.builder.source = "two"
    assert judged(house)[0].candidate.digest == digest_of("two")


def test_ctrl_c_leaves_a_closed_night(house):
    """An interrupted night is closed as ERROR before the interrupt goes on."""
    house.notebooks.fates[SLICES[1]] = "interrupted"
    with pytest.raises(KeyboardInterrupt):
        house.lens.nightly_validation(REQUEST)
    [night] = house.lens.nights()
    assert (night.state, night.verdict) == (NightState.CLOSED, Verdict.ERROR)


def test_a_night_whose_process_died_is_closed_by_the_next_start(house):
    """What a SIGKILL left open becomes an ERROR as soon as somebody holds the lease again."""
    judged(house)
    template = house.lens.nights()[0]
    house.clock.moment += timedelta(days=1)
    opened = house.world.ledger.open_night(
        type(template)(
            **{n: getattr(template, n) for n in template.__dataclass_fields__}
            | {
                "night_date": house.clock.moment.date(),
                "state": NightState.OPEN,
            }
        )
    )
    lines = []
    house.lens.nightly_validation(REQUEST, lines.append)
    closed = house.lens.night(opened.night_id)
    assert (closed.state, closed.verdict) == (NightState.CLOSED, Verdict.ERROR)
    assert "died" in closed.reason
    assert any(opened.night_id in line for line in lines)


def test_two_nights_do_not_run_at_once(house):
    """While one process holds the lease, another is told which, and touches nothing."""
    hold = (
        "import sys; from pathlib import Path; from lens_core.adapters.lease import FileLease\n"
        f"with FileLease(Path({str(house.home / 'night.lock')!r})).hold():\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Conflict, match=str(holder.pid)):
            house.lens.nightly_validation(REQUEST)
        holder.stdin.close()
    assert house.lens.nights() == ()


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf"), 1e9])
def test_a_duration_that_cannot_be_is_refused(house, minutes):
    """Zero, negative, endless and not-a-number durations are the caller's error."""
    with pytest.raises(InvalidInput, match="duration"):
        house.lens.nightly_validation(NightRequest(minutes))


def test_a_version_that_nobody_built_is_refused(house):
    """--version names a candidate; one that does not exist is an error that lists the known ones."""
    with pytest.raises(InvalidInput, match=r"no candidate 9\.9"):
        house.lens.nightly_validation(NightRequest(0.05, version="9.9"))
    assert judged(house, NightRequest(0.05, version="0.1.0"))[0].candidate.version == "0.1.0"


def test_a_baseline_that_nobody_knows_is_refused(house):
    """A version is compared with only when a candidate of it, other than tonight's, is in the ledger."""
    for version in ("0.0.9", "0.1.0"):
        with pytest.raises(InvalidInput, match=f"no other candidate of version {version}"):
            house.lens.nightly_validation(NightRequest(0.05, baseline=version))
    assert house.lens.nights() == ()


def compared(house, minutes=0.5):
    """A night of 0.1.0 beside its baseline 0.0.9."""
    house.builder.version = "0.0.9"
    judged(house)
    house.builder.version, house.builder.source = "0.1.0", "two"
    return judged(house, NightRequest(minutes, baseline="0.0.9"))


def test_a_baseline_is_compared_question_by_question(house):
    """An equal release does not improve nDCG by two percent, and the gate says so with its value."""
    night, answers = compared(house)
    assert night.baseline.version == "0.0.9"
    answer = answers[SLICES[0], "ndcg_at_10_vs_baseline"]
    assert (answer.verdict, answer.value, answer.sample_count) == (Verdict.FAIL, 0.0, 10)
    assert house.lens.verify_night(night.night_id).problems == ()


def test_candidate_and_baseline_take_turns_with_the_same_questions(house):
    """Each round asks both for one pane of the same questions, every second one begins with the other."""
    compared(house)
    panes = [pane for plan in house.load.runs[-2:] for pane in plan.panes]
    rounds = list(zip(panes[::2], panes[1::2], strict=True))
    assert [(a.target, b.target) for a, b in rounds[:4]] == [(0, 1), (1, 0), (0, 1), (1, 0)]
    assert all(a.first_question == b.first_question and a.count == b.count for a, b in rounds)


def test_latency_is_judged_against_what_the_baseline_did_in_the_same_night(house):
    """Equal latencies pass, a P95 a fifth slower than the baseline's fails, whatever earlier nights were like."""
    _, answers = compared(house)
    answer = answers[SLICES[0], "p95_vs_baseline"]
    assert (answer.verdict, answer.value) == (Verdict.PASS, 1.0)
    house.load.latencies_ms = (1.2, 1.32, 1.44)
    house.builder.source = "three"
    _, answers = judged(house, NightRequest(0.5, baseline="0.0.9"))
    answer = answers[SLICES[0], "p95_vs_baseline"]
    assert (answer.verdict, answer.value) == (Verdict.FAIL, pytest.approx(1.2))


def test_a_closed_night_takes_nothing_more(house):
    """Neither a slice nor a report can be added to a night that has its verdict."""
    night, _ = judged(house)
    with pytest.raises(Conflict):
        house.lens.measure_slice(night.night_id, SLICES[0])
    with pytest.raises(Conflict):
        house.lens.record_report(night.night_id)


def test_what_is_recorded_is_what_the_samples_give(house):
    """A measurement that differs from its stored samples is not recorded."""
    night, _ = judged(house)
    stored = house.lens.measurements(night.night_id)[0]
    again = house.world.store.read_run(house.home / night.folder / "backend-python-small")
    assert stored.get("p99_ms").sample_count == len(again.samples)


def test_an_unknown_slice_is_refused(house):
    """Measuring a slice that the night does not have is the caller's error."""
    house.notebooks.fates[SLICES[0]] = "dies first"
    seen = []

    def ask(source, target, parameters, deadline_s):
        with pytest.raises(InvalidInput) as caught:
            house.lens.measure_slice(parameters["night_id"], "monorepo/mixed/large")
        seen.append(caught.value)
        raise Unavailable("enough", "")

    house.notebooks.run = ask
    with pytest.raises(Unavailable):
        house.lens.nightly_validation(REQUEST)
    assert seen


def test_a_policy_that_changes_while_the_night_runs_is_noticed(house):
    """Slices are judged by the policy that the night was opened with, or not at all."""
    changed = Lens(replace(house.world, rules=replace(house.world.rules, digest=digest_of("another policy"))))
    house.notebooks.lens = changed
    night, answers = judged(house)
    assert night.verdict is Verdict.ERROR
    assert "bound to policy" in answers[SLICES[0], "slice_present"].reason


class Gate:
    """A gate of the whole night that says what it was told, or fails."""

    name = "vulnerabilities"

    def __init__(self, verdict):
        self.verdict = verdict

    def answer(self, candidate, folder, now):
        """What it was told, with a file of evidence."""
        if isinstance(self.verdict, Exception):
            raise self.verdict
        (folder / "told.json").write_text(candidate.version)
        return Answer(self.name, "", self.verdict, "as it was told")


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (Verdict.PASS, Verdict.WAIVED),
        (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
        (Verdict.FAIL, Verdict.FAIL),
        (Unavailable("out of reach", "try again"), Verdict.ERROR),
    ],
    ids=["pass", "inconclusive", "fail", "unavailable"],
)
def test_gates_of_the_whole_night_count(house, said, verdict):
    """What another part measures of the candidate decides with the rest; what it cannot say is an ERROR."""
    world = replace(house.lens._world, gates=(Gate(said),))
    lens = Lens(world)
    night = lens.nightly_validation(REQUEST)
    answers = {answer.gate: answer for answer in lens.answers(night.night_id) if not answer.slice}
    assert night.verdict is verdict
    assert answers["vulnerabilities"].verdict is (said if isinstance(said, Verdict) else Verdict.ERROR)
    if isinstance(said, Verdict):
        assert any(item.path.endswith("told.json") for item in lens.evidence(night.night_id))
