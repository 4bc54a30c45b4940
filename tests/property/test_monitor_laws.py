"""Laws of the live monitor: less evidence is never healthier, portions do not matter, nothing is said twice."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from monitor_fakes import RULES, FakeSource, batch_of, build_monitor

from lens_core.alerts import BY_PEOPLE, AlertState, Watch, act, advance
from lens_core.errors import Conflict
from lens_core.findings import AlertKind, AlertRule, Finding, Says
from lens_core.panes import Batch, PaneRule, Panes
from lens_core.window import WindowRule, WindowState, summarize_windows

T0 = 1_796_083_200
RULE = AlertRule(2.0, 3.0, 3, 3, 1.9, 4)
FEW = WindowRule(300, 30, 2.0, 20, 0.05)


def summary(times, latencies, rule=FEW):
    """The window over these samples."""
    panes = Panes(PaneRule(30, 5, float("inf")), ("a",), ("log",))
    panes.take("log", batch_of(times, latencies), T0)
    return summarize_windows(panes, T0 + 300, rule)[0]


latencies_of = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=60)


@given(latencies_of, st.data())
def test_samples_below_the_minimum_are_never_healthy_whichever_are_left(latencies, data):
    """Whatever is removed: a window with fewer samples than asked for is insufficient, and one that was stays so."""
    left = data.draw(st.lists(st.sampled_from(latencies), max_size=FEW.min_samples - 1))
    seen = summary(T0 + np.arange(len(left), dtype=float), left)
    assert seen.state is WindowState.INSUFFICIENT
    fewer = summary(T0 + np.arange(len(left) // 2, dtype=float), left[: len(left) // 2])
    assert fewer.state is WindowState.INSUFFICIENT


@given(latencies_of, st.integers(0, 60))
def test_garbage_never_turns_a_window_healthy(latencies, garbled):
    """Garbled lines beside the same samples leave a window as it is, or make it insufficient."""
    times = T0 + np.arange(len(latencies), dtype=float)
    panes = Panes(PaneRule(30, 5, float("inf")), ("a",), ("log",))
    panes.take("log", batch_of(times, latencies, garbled_at=np.full(garbled, len(latencies) // 2)), T0)
    seen, clean = summarize_windows(panes, T0 + 300, FEW)[0], summary(times, latencies)
    assert seen.state in (clean.state, WindowState.INSUFFICIENT)


@given(latencies_of, st.lists(st.integers(0, 299), min_size=60, max_size=60))
def test_a_summary_is_finite_ordered_and_free_of_the_samples_order(latencies, seconds):
    """Quantiles ascend, the interval holds what it can, and the order within a pane does not matter."""
    times = T0 + np.array(sorted(seconds)[: len(latencies)], dtype=float)
    seen = summary(times, latencies)
    ordered = [seen.p50_ms, seen.p90_ms, seen.p95_ms, seen.p99_ms, seen.p999_ms]
    assert ordered == sorted(ordered)
    assert seen.ratio >= 1.0
    if seen.ratio_low is not None:
        assert 1.0 <= seen.ratio_low <= seen.ratio_high < float("inf")


lines = st.lists(
    st.tuples(st.integers(-40, 700), st.sampled_from([1.0, 1.1, 5.0]), st.integers(-1, 1), st.booleans()),
    min_size=1,
    max_size=120,
)


def as_batch(rows):
    """Lines as a batch; a garbled one has no columns."""
    good = [row for row in rows if not row[3]]
    garbled = [sum(not r[3] for r in rows[:place]) for place, row in enumerate(rows) if row[3]]
    return batch_of(
        [T0 + row[0] for row in good],
        [row[1] for row in good],
        slice_index=np.array([row[2] for row in good], dtype=np.int64),
        garbled_at=np.array(garbled, dtype=np.int64),
    )


def played(batches, rules):
    """Every change and the final counts of a monitor over these batches, as plain values."""
    house = build_monitor([FakeSource(batches)], rules=rules, slices=("a", "b"))
    house.until_end()
    ledger = house.world.ledger
    steps = [(key, event, alert) for key, (event, alert) in sorted(ledger.kept_changes.items())]
    return steps, house.monitor.snapshot().windows, house.monitor._panes.totals


# The second line is older than the first, and of another pane: which of them evaluation begins with must not depend
# on whether they came together.
@example(rows=[(300, 1.0, 0, False), (276, 1.0, 0, False), (310, 1.0, 0, False)], sizes=[1] * 120)
@example(rows=[(0, 1.0, 0, True), (300, 1.0, 0, False), (340, 1.0, 0, False)], sizes=[1] * 120)
@settings(max_examples=60)
@given(lines, st.lists(st.integers(1, 20), min_size=120, max_size=120))
def test_the_portions_in_which_lines_are_read_do_not_matter(rows, sizes):
    """One line at a time, all at once or anything between: the same changes, windows and counts."""
    rules = replace(RULES, window=replace(RULES.window, min_samples=3))
    cuts, place = [], 0
    for size in sizes:
        if place >= len(rows):
            break
        cuts.append(as_batch(rows[place : place + size]))
        place += size
    assert played(cuts, rules) == played([as_batch(rows)], rules) == played([as_batch([r]) for r in rows], rules)


words = st.lists(st.sampled_from([*Says, *BY_PEOPLE]), max_size=40)


def happen(steps):
    """Let evaluations and people come in this order; the changes."""
    watch, made = Watch(AlertKind.RATIO, "a"), []
    for place, step in enumerate(steps):
        at_s = T0 + 30 * place
        if isinstance(step, Says):
            finding = Finding(AlertKind.RATIO, "a", step, "why", grave=place % 5 == 0, ratio=2.5)
            watch, changes = advance(watch, finding, at_s, RULE)
            made += changes
            continue
        at = datetime.fromtimestamp(at_s, UTC)
        try:
            watch, change = act(watch, step, at, "mia", "why", at + timedelta(seconds=100))
        except Conflict:
            continue
        made.append(change)
    return watch, made


@given(words)
def test_whatever_happens_no_message_is_said_twice(steps):
    """Ids never repeat, numbers of an alert have no gap, and severity never falls within one."""
    _, made = happen(steps)
    ids = [change.message_id for change in made]
    assert len(ids) == len(set(ids))
    by_alert = {}
    for change in made:
        by_alert.setdefault(change.alert.alert_id, []).append(change)
    for changes in by_alert.values():
        assert [c.alert.change_count for c in changes] == list(range(1, len(changes) + 1))
        severities = [c.alert.severity.value for c in changes]
        assert severities == sorted(severities)
        assert all(c.alert.is_open for c in changes[:-1])


@given(words, st.integers(0, 39))
def test_no_evidence_neither_opens_nor_resolves(steps, place):
    """An insufficient evaluation put anywhere makes no alert open, escalate or clear by itself."""
    before, _ = happen(steps[:place])
    at_s = T0 + 30 * place
    _, changes = advance(before, Finding(AlertKind.RATIO, "a", Says.INSUFFICIENT, "nothing"), at_s, RULE)
    assert [c.event for c in changes] in ([], ["wake"])


@given(words)
def test_an_alert_that_is_not_resolved_is_never_forgotten(steps):
    """The watch holds exactly the alert of the last change, unless that resolved it."""
    watch, made = happen(steps)
    if not made or made[-1].alert.state is AlertState.RESOLVED:
        assert watch.alert is None
    else:
        assert watch.alert.alert_id == made[-1].alert.alert_id


def test_a_batch_of_nothing_changes_nothing():
    """No lines, no panes, no watermark."""
    panes = Panes(PaneRule(30, 5, 60), ("a",), ("log",))
    panes.take("log", Batch(), T0)
    assert (panes.held, panes.watermark_s) == ({}, -float("inf"))
