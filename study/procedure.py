"""The product's decision over a run: looks, intervals and gates exactly as a night takes them, on latencies given.

Nothing of a decision is written again here: rounds are planned by ``rounds.plan_run``, intervals come from
``measure.interval_metrics`` and verdicts from ``gates.judge``. A run goes on while a gate is INCONCLUSIVE
and none fails; at every look all gates are judged anew.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import stats

from lens_core.confidence import Spread, estimate
from lens_core.gates import Bound, Gate, Policy, Subject, judge, verdict_of
from lens_core.measure import BASELINE, CANDIDATE, interval_metrics
from lens_core.model import Interval, Measurement, Metric, Verdict
from lens_core.rounds import LatencyRules, RunPlan, Timing, plan_run
from study.queues import RATE_PER_S, Floats

MIN_SAMPLES = 1000
"""As the gates of ``lens.toml`` ask."""

_OK = 200
_BEYOND_P95 = 0.2


@dataclass(frozen=True, slots=True)
class Decision:
    """What a run came to, and at which look (from 1)."""

    verdict: Verdict
    look: int


def gate(name: str, limit: float) -> Gate:
    """An interval gate as in ``lens.toml``, with another limit."""
    return Gate(name, Bound.AT_MOST, limit, MIN_SAMPLES, needs_baseline=name.endswith("_vs_baseline"), interval=True)


def gates_beside_baseline(limit: float) -> tuple[Gate, ...]:
    """P95 and P99 against the baseline's, at most ``limit`` times as long."""
    return gate("p95_vs_baseline", limit), gate("p99_vs_baseline", limit)


def without_guard(rules: LatencyRules) -> LatencyRules:
    """The same rules, believing an interval however much its blocks hang together."""
    return replace(rules, max_design_effect=math.inf)


def relevelled(metric: Metric, alpha: float) -> Metric:
    """``metric`` with its bounds at another one-sided level; its spread follows from the bounds that it has."""
    interval = metric.interval
    if metric.value is None or interval is None:
        return metric
    had = float(stats.t.ppf(1 - (1 - interval.confidence) / 2, interval.blocks - 1))
    spread = Spread(math.log(interval.high / metric.value) / had, interval.blocks, interval.design_effect)
    found = estimate(metric.value, spread, alpha)
    moved = Interval(found.low, found.high, 1 - 2 * alpha, found.power, spread.blocks, spread.design_effect)
    return replace(metric, interval=moved)


@dataclass(slots=True)
class Run:
    """Latencies (ms) of ``CANDIDATE`` and perhaps ``BASELINE`` in the order of their time, all of them kept."""

    latencies: Mapping[str, Floats]
    rules: LatencyRules = field(default_factory=LatencyRules)
    _seen: dict[int, tuple[Metric, ...]] = field(default_factory=dict)

    @property
    def plan(self) -> RunPlan:
        """Rounds for exactly these latencies."""
        services = len(self.latencies)
        seconds = self.latencies[CANDIDATE].size * services / RATE_PER_S
        return plan_run(0, RATE_PER_S, seconds, services, self.rules)

    def decide(self, gates: Sequence[Gate], rules: LatencyRules | None = None) -> Decision:
        """Look until nothing is left open or nothing is left to look at.

        ``rules`` may differ from the run's in alpha and in the guard alone.
        """
        chosen = rules or self.rules
        policy = Policy(tuple(gates), latency=chosen)
        subject = Subject("candidate", has_baseline=BASELINE in self.latencies)
        plan = self.plan
        last = len(plan.look_ends)
        for look in range(1, last + 1):
            metrics = self.metrics(look)
            if chosen.alpha != self.rules.alpha:
                alpha = plan.alpha_at(look, chosen, last=look == last)
                metrics = tuple(relevelled(metric, alpha) for metric in metrics)
            verdict = verdict_of(judge(Measurement("study", "study", metrics, evidence=""), policy, subject))
            if verdict is not Verdict.INCONCLUSIVE:
                return Decision(verdict, look)
        return Decision(Verdict.INCONCLUSIVE, last)

    def metrics(self, look: int) -> tuple[Metric, ...]:
        """What is measured at ``look`` (from 1)."""
        if look not in self._seen:
            plan = self.plan
            kept = range(plan.look_ends[look - 1])
            size = kept.stop * plan.pane_requests
            services = {name: _timing(values[:size], plan.pane_requests) for name, values in self.latencies.items()}
            alpha = plan.alpha_at(look, self.rules, last=look == len(plan.look_ends))
            self._seen[look] = tuple(interval_metrics(services, kept, alpha, self.rules))
        return self._seen[look]


def _timing(latencies: Floats, pane_requests: int) -> Timing:
    order = np.arange(latencies.size, dtype=np.int64)
    lag = np.zeros(latencies.size)
    return Timing(order // pane_requests, order / RATE_PER_S, latencies, lag, np.full(latencies.size, _OK))


def point_verdict(latencies: Floats, limit: float) -> Verdict:
    """What a gate says that takes P99 / P95 as it comes."""
    p95, p99 = np.quantile(latencies, (0.95, 0.99))
    return Verdict.PASS if p99 <= limit * p95 else Verdict.FAIL


def binomial_verdict(latencies: Floats, limit: float, alpha: float) -> Verdict:
    """What an exact binomial interval says that takes requests for independent.

    P99 ≤ limit · P95 means that of the requests beyond P95 at most a fifth lie beyond limit · P95.
    """
    p95 = float(np.quantile(latencies, 0.95))
    above, far = int((latencies > p95).sum()), int((latencies > limit * p95).sum())
    if stats.binom.cdf(far, above, _BEYOND_P95) <= alpha:
        return Verdict.PASS
    return Verdict.FAIL if stats.binom.sf(far - 1, above, _BEYOND_P95) <= alpha else Verdict.INCONCLUSIVE
