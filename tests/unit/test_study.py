"""The study of the latency gates: its queues are those of the textbooks, and its numbers can be computed again."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from lens_core.measure import BASELINE, CANDIDATE
from lens_core.model import Verdict
from lens_core.rounds import LatencyRules
from study import figures, tables
from study.characteristic import Truth, limit_of, numbers, run_trials, stream_log_ratio, truth_of
from study.procedure import (
    Run,
    binomial_verdict,
    gate,
    gates_beside_baseline,
    point_verdict,
    relevelled,
    without_guard,
)
from study.queues import Arrivals, Family, sigma_of, sojourn_times
from study.record import Record, Share
from study.scenarios import FAMILIES, Cell, Weather, cells

RULES = LatencyRules()
RATIO = [gate("tail_ratio", 2.0)]


def rng():
    """Numbers that are the same in every run."""
    return np.random.default_rng(20261126)


def erlang_c(servers, load):
    """The chance to wait in M/M/c (Erlang 1917)."""
    offered = servers * load
    busy = offered**servers / math.factorial(servers) / (1 - load)
    return busy / (sum(offered**k / math.factorial(k) for k in range(servers)) + busy)


@pytest.mark.parametrize("servers", [1, 4])
def test_exponential_queues_are_as_slow_as_theory_says(servers):
    """The mean time in M/M/1 and M/M/4 at a load of .7 is within 2 % of Erlang's."""
    source, load, count = rng(), 0.7, 1_000_000
    gaps = source.standard_exponential(count) / (servers * load)
    times = sojourn_times(gaps, source.standard_exponential(count), servers)
    expected = 1 + erlang_c(servers, load) / (servers * (1 - load))
    assert times[10_000:].mean() == pytest.approx(expected, rel=0.02)


def test_nobody_waits_on_schedule():
    """In D/D/4 below a load of 1 every request takes its work and nothing else."""
    times = sojourn_times(np.full(1000, 1.0), np.full(1000, 3.9), 4)
    assert times == pytest.approx(3.9)


def test_requests_go_to_the_worker_that_is_free_first():
    """Three requests at once for two workers: the third waits for the shorter of the first two."""
    assert sojourn_times(np.zeros(3), np.array([5.0, 2.0, 1.0]), 2).tolist() == [5.0, 2.0, 3.0]


@pytest.mark.parametrize("arrivals", Arrivals)
def test_a_family_keeps_its_load(arrivals):
    """Work, slow path included, is what the load says: four workers at .7 have 28 ms a request."""
    family = Family("", 0.5, 4, 0.7, arrivals, 0.02, 6.0)
    assert family.mean_work_ms == pytest.approx(28)
    idle = replace(family, servers=400, load=0.007)  # the same work, and nobody waits
    assert idle.draw(rng(), 400_000).mean() == pytest.approx(28, rel=0.02)


def test_the_truth_of_a_lognormal_is_what_its_simulation_says():
    """P99 / P95 of independent lognormal latencies follows from σ, and half a million of them agree within 2 %."""
    family = FAMILIES["iid-2.0"]
    assert family.exact_tail_ratio == pytest.approx(2.0)
    assert sigma_of(2.0) == family.sigma
    assert math.exp(stream_log_ratio("iid-2.0", 0, 500_000)) == pytest.approx(2.0, rel=0.02)


def test_a_truth_says_how_sure_it_is():
    """Its error is the scatter of its streams; one stream alone says nothing about that."""
    assert truth_of([0.5, 0.7]) == Truth(pytest.approx(math.exp(0.6)), pytest.approx(0.1))
    assert truth_of([0.5]).log_error == math.inf


def test_the_limit_moves_with_the_truth():
    """Truth is put exactly where the cell says, however far it lies from its round number."""
    assert limit_of(Cell("queued-2.0", 5000, 1), Truth(1.98, 0.001)) == pytest.approx(1.98)
    assert limit_of(Cell("queued-1.6", 5000, 1, nominal=1.6), Truth(1.61, 0.001)) == pytest.approx(2.0125)


def test_a_cell_is_the_same_whenever_and_however_it_is_computed():
    """Trials in one go, in parts and in another order give one tally; another cell has other numbers."""
    cell = Cell("queued-2.0", 5000, 4)
    whole = run_trials(cell, range(4), 2.0, RULES)
    parts = run_trials(cell, range(2, 4), 2.0, RULES) + run_trials(cell, range(2), 2.0, RULES)
    assert whole == parts
    draws = [numbers(cell.name, 0), numbers(cell.name, 0), numbers(cell.name, 1), numbers("another", 0)]
    first, again, *others = [source.random() for source in draws]
    assert first == again
    assert first not in others


@pytest.mark.parametrize(("ratio", "verdict"), [(1.3, Verdict.PASS), (3.0, Verdict.FAIL)])
def test_plain_cases_get_plain_verdicts(ratio, verdict):
    """60,000 independent requests at a true ratio of 1.3 pass and at 3.0 fail, 20 times of 20."""
    source, sigma = rng(), sigma_of(ratio)
    found = Counter(
        Run({CANDIDATE: np.exp(source.standard_normal(60_000) * sigma)}).decide(RATIO).verdict for _ in range(20)
    )
    assert found == {verdict: 20}


def test_a_run_uses_up_its_requests():
    """The last look takes place when every request was asked."""
    plan = Run({CANDIDATE: np.ones(20_000)}).plan
    assert plan.look_ends[-1] * plan.pane_requests == 20_000
    plan = Run({CANDIDATE: np.ones(20_000), BASELINE: np.ones(20_000)}).plan
    assert plan.look_ends[-1] * plan.pane_requests == 20_000


def test_another_level_is_what_the_product_would_have_said():
    """Moving bounds to another alpha gives what measuring at that alpha gives."""
    latencies = {CANDIDATE: FAMILIES["queued-2.0"].draw(rng(), 5000)}
    other = replace(RULES, alpha=0.004)
    had, wanted = Run(latencies, RULES), Run(latencies, other)
    alpha = wanted.plan.alpha_at(3, other, last=True)
    moved, direct = relevelled(had.metrics(3)[0], alpha), wanted.metrics(3)[0]
    assert (moved.value, moved.sample_count) == (direct.value, direct.sample_count)
    for name in ("low", "high", "confidence", "power", "blocks", "design_effect"):
        assert getattr(moved.interval, name) == pytest.approx(getattr(direct.interval, name))
    for limit in (1.2, 1.9, 2.0, 3.0):
        gates = [gate("tail_ratio", limit)]
        assert had.decide(gates, other) == wanted.decide(gates)


def test_the_guard_does_not_believe_blocks_that_hang_together():
    """Latencies that drift in spells longer than a block pass without the guard and stay open with it."""
    source = rng()
    spells = np.repeat(np.exp(source.standard_normal(40) * 0.3), 500)
    run = Run({CANDIDATE: np.exp(source.standard_normal(20_000) * 0.01) * spells})
    gates = [gate("tail_ratio", 10.0)]
    assert run.decide(gates).verdict is Verdict.INCONCLUSIVE
    assert run.decide(gates, without_guard(RULES)).verdict is Verdict.PASS


def test_every_tenth_request_six_times_slower_is_caught_by_the_baseline_alone():
    """The ratio gate passes it, and the gates beside the baseline fail it."""
    source = rng()
    candidate, baseline = (FAMILIES[f"queued-{name}"].draw(source, 20_000) for name in ("tenth", "healthy"))
    run = Run({CANDIDATE: candidate, BASELINE: baseline})
    assert run.decide(RATIO).verdict is Verdict.PASS
    assert run.decide([*RATIO, *gates_beside_baseline(1.1)]).verdict is Verdict.FAIL


def test_other_methods_say_what_they_are_meant_to():
    """The point gate knows no doubt; the binomial interval does, for few samples."""
    latencies = np.exp(rng().standard_normal(2000) * sigma_of(1.9))
    assert point_verdict(latencies, 1.0) is Verdict.FAIL
    assert point_verdict(latencies, 9.0) is Verdict.PASS
    assert binomial_verdict(latencies, 1.0, 0.05) is Verdict.FAIL
    assert binomial_verdict(latencies, 9.0, 0.05) is Verdict.PASS
    assert binomial_verdict(latencies, 1.9, 0.001) is Verdict.INCONCLUSIVE


def test_noise_is_shared_in_turn_and_not_in_two_runs():
    """A machine that is twice as slow in spells hits both alike when they are asked in turn, else it fails one."""
    found = {
        weather: run_trials(
            Cell("iid-healthy", 10_000, 3, baseline="iid-healthy", weather=weather), range(3), 2.0, RULES
        )
        for weather in (Weather.INTERLEAVED, Weather.ONE_NOISY)
    }
    said = f"gates 1.10 @{RULES.alpha:g}/FAIL"
    assert found[Weather.INTERLEAVED][said] == 0
    assert found[Weather.ONE_NOISY][said] == 3


def test_an_exact_interval_of_nothing_and_of_everything():
    """None of 100 is at most 3.7 %, and all of 100 at least 96.3 % (Clopper & Pearson 1934)."""
    assert Share(0, 100).interval == (0.0, pytest.approx(0.0362, abs=1e-4))
    assert Share(100, 100).interval == (pytest.approx(0.9638, abs=1e-4), 1.0)


@pytest.fixture(scope="module")
def record():
    """A record of the whole shape of a study, with one trial a cell that nobody drew."""
    wanted = cells(1, (5_000, 20_000))
    levels = {f"@{alpha:g}" for alpha in (0.05, 0.025, 0.015, 0.01, 0.005, RULES.alpha)}
    variants = ("gate", "no guard", "binomial", "ratio alone", "gates 1.10", "gates 1.05")
    tally = Counter({f"{variant} {level}/PASS": 1 for variant in variants for level in levels} | {"point/FAIL": 1})
    truths = {cell.candidate: Truth(2.0, 0.001) for cell in wanted if not cell.baseline}
    return Record(RULES, truths, {cell: Counter(tally) for cell in wanted})


def test_a_record_comes_back_as_it_was_written(record, tmp_path):
    """Written twice it has the same bytes; read back it holds the same cells and truths."""
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    record.write(first)
    back = Record(RULES)
    back.resume(first)
    assert (back.truths, back.tallies) == (record.truths, record.tallies)
    back.write(second)
    assert first.read_bytes() == second.read_bytes()


def test_cells_of_other_rules_are_not_taken_over(record, tmp_path):
    """Another pane or an alpha that nothing was judged at makes every cell new."""
    path = tmp_path / "a.json"
    record.write(path)
    for other in (replace(RULES, pane_seconds=1.0), replace(RULES, alpha=0.033)):
        fresh = Record(other)
        fresh.resume(path)
        assert fresh.tallies == {}


def test_nobody_asks_for_what_was_not_judged(record):
    """A level that a cell was not judged at is an error, not a share of zero."""
    with pytest.raises(ValueError, match="was not judged by gate"):
        record.share(next(iter(record.tallies)), "gate", "PASS", 0.2)


def test_figures_have_the_same_bytes_every_time(record, tmp_path):
    """All six are drawn, without a date, and two that are drawn again come out alike."""
    first, second = tmp_path / "a", tmp_path / "b"
    figures.write(record, first)
    figures.write(record, second, ["false-pass", "noise"])
    drawn = {path.stem: path.read_bytes() for path in first.iterdir()}
    assert len(drawn) == 6
    assert all(b"<dc:date>" not in content for content in drawn.values())
    assert {path.stem: path.read_bytes() == drawn[path.stem] for path in second.iterdir()} == {
        "false-pass": True,
        "noise": True,
    }


def test_tables_go_between_their_markers_and_nowhere_else(record, tmp_path):
    """Words around a table stay, renewing twice changes nothing, and a page without a place for one is an error."""
    page = tmp_path / "page.md"
    tables.renew(record, page)
    page.write_text(f"before\n{page.read_text()}after\n")
    written = page.read_text()
    tables.renew(record, page)
    assert page.read_text() == written
    assert written.startswith("before\n<!-- demand: begin -->\nAt most 7 % false passes")
    page.write_text("nothing")
    with pytest.raises(ValueError, match="no place for the table demand"):
        tables.renew(record, page)
