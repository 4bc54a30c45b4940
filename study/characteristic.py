"""Trials of a cell, and the truth that their verdicts are held against; each from random numbers of its own.

The numbers of a trial come from the name of its cell and its own number, so that every cell, and every
trial, can be computed again alone, in any order and on any number of cores.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from lens_core.measure import BASELINE, CANDIDATE
from lens_core.rounds import LatencyRules
from study.procedure import (
    Decision,
    Run,
    binomial_verdict,
    gate,
    gates_beside_baseline,
    point_verdict,
    without_guard,
)
from study.queues import RATE_PER_S, Floats
from study.scenarios import FAMILIES, LIMIT, Cell, Weather

SEED = 20261126
STREAMS, STREAM_COUNT = 32, 2_000_000
"""A truth rests on 64 million requests, in independent streams whose scatter says how sure it is."""

ALPHAS = (0.05, 0.025, 0.015, 0.01, 0.005)
"""Levels that are compared at the limit, beside the product's own."""

ALPHAS_ELSEWHERE = (0.025, 0.01)
"""Levels that are compared away from it."""

BASELINE_LIMITS = (1.10, 1.05)

_NOISE_FACTOR = 2.0
_NOISY_S, _QUIET_S = 6.0, 14.0

POINT = "point"

Tally = Counter[str]
"""``variant @alpha/VERDICT`` → how many trials; for gates also ``variant @alpha, look k/VERDICT``."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The true P99 / P95 of a family, and the standard error of its logarithm (0: computed, not simulated)."""

    ratio: float
    log_error: float


def numbers(name: str, trial: int) -> np.random.Generator:
    """The random numbers of one trial of what is called ``name``."""
    digest = np.frombuffer(hashlib.sha256(name.encode()).digest(), dtype=np.uint32)
    return np.random.default_rng(np.random.SeedSequence([SEED, *digest.tolist()], spawn_key=(trial,)))


def stream_log_ratio(family: str, stream: int, count: int = STREAM_COUNT) -> float:
    """Log of P99 / P95 of one long stream of ``family``."""
    latencies = FAMILIES[family].draw(numbers(f"truth of {family}", stream), count)
    p95, p99 = np.quantile(latencies, (0.95, 0.99))
    return math.log(p99 / p95)


def truth_of(logs: list[float]) -> Truth:
    """What several streams say together."""
    error = float(np.std(logs, ddof=1)) / math.sqrt(len(logs)) if len(logs) > 1 else math.inf
    return Truth(math.exp(float(np.mean(logs))), error)


def limit_of(cell: Cell, truth: Truth) -> float:
    """The limit of which the true ratio is exactly ``nominal / 2``: truth lies a little beside its round number."""
    return truth.ratio * LIMIT / cell.nominal


def run_trials(cell: Cell, trials: range, limit: float, rules: LatencyRules) -> Tally:
    """Verdicts of some trials of ``cell``; ``limit`` is that of the tail ratio."""
    one: Callable[[Cell, np.random.Generator, float, LatencyRules], Tally] = _pair if cell.baseline else _alone
    total: Tally = Counter()
    for trial in trials:
        total += one(cell, numbers(cell.name, trial), limit, rules)
    return total


def levels(cell: Cell, rules: LatencyRules) -> list[float]:
    """The alphas at which ``cell`` is judged, the product's own among them."""
    compared = ALPHAS if cell.nominal == LIMIT and not cell.baseline else ALPHAS_ELSEWHERE
    return sorted({*compared, rules.alpha}, reverse=True)


def _alone(cell: Cell, rng: np.random.Generator, limit: float, rules: LatencyRules) -> Tally:
    latencies = FAMILIES[cell.candidate].draw(rng, cell.count)
    run, ratio = Run({CANDIDATE: latencies}, rules), [gate("tail_ratio", limit)]
    tally = Counter({f"{POINT}/{point_verdict(latencies, limit).name}": 1})
    for alpha in levels(cell, rules):
        at = replace(rules, alpha=alpha)
        tally += _tally("gate", alpha, run.decide(ratio, at))
        tally[f"binomial @{alpha:g}/{binomial_verdict(latencies, limit, alpha).name}"] += 1
        if cell.nominal == LIMIT:
            tally += _tally("no guard", alpha, run.decide(ratio, without_guard(at)))
    return tally


def _pair(cell: Cell, rng: np.random.Generator, limit: float, rules: LatencyRules) -> Tally:
    ours, theirs = _slowdowns(cell, rng)
    candidate = FAMILIES[cell.candidate].draw(rng, cell.count, ours)
    run = Run({CANDIDATE: candidate, BASELINE: FAMILIES[cell.baseline].draw(rng, cell.count, theirs)}, rules)
    ratio, tally = gate("tail_ratio", limit), Tally()
    for alpha in levels(cell, rules):
        at = replace(rules, alpha=alpha)
        tally += _tally("ratio alone", alpha, run.decide([ratio], at))
        for beside in BASELINE_LIMITS:
            tally += _tally(f"gates {beside:.2f}", alpha, run.decide([ratio, *gates_beside_baseline(beside)], at))
    return tally


def _tally(variant: str, alpha: float, decision: Decision) -> Tally:
    said = f"{variant} @{alpha:g}"
    return Counter({f"{said}/{decision.verdict.name}": 1, f"{said}, look {decision.look}/{decision.verdict.name}": 1})


def _slowdowns(cell: Cell, rng: np.random.Generator) -> tuple[Floats | None, Floats | None]:
    """What the machine does to each request of the candidate and of the baseline."""
    pane = max(1, round(RATE_PER_S * LatencyRules().pane_seconds))
    panes = math.ceil(cell.count / pane)
    match cell.weather:
        case Weather.CALM:
            return None, None
        case Weather.INTERLEAVED:
            both = _noise(rng, 2 * panes)
            ours, theirs = both[0::2], both[1::2]
        case Weather.ONE_NOISY:
            ours, theirs = _noise(rng, panes), np.ones(panes)
        case Weather.BOTH_NOISY:
            ours, theirs = _noise(rng, panes), _noise(rng, panes)
    return np.repeat(ours, pane)[: cell.count], np.repeat(theirs, pane)[: cell.count]


def _noise(rng: np.random.Generator, panes: int) -> Floats:
    """A factor per pane: spells of noise and of quiet in turn, both geometric."""
    seconds = LatencyRules().pane_seconds
    spells = panes + 2
    lengths = np.empty(spells, dtype=np.int64)
    lengths[0::2] = rng.geometric(seconds / _NOISY_S, lengths[0::2].size)
    lengths[1::2] = rng.geometric(seconds / _QUIET_S, lengths[1::2].size)
    factors = np.ones(spells)
    factors[0::2] = _NOISE_FACTOR
    begins_quiet = int(rng.random() < _QUIET_S / (_NOISY_S + _QUIET_S))
    return np.repeat(factors[begins_quiet:], lengths[begins_quiet:])[:panes]
