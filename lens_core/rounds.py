"""A slice's load in rounds: what is planned, which rounds are set aside, whether the run is a measurement.

A round asks each service (candidate, then baseline, the next round the other way about) for one pane
of time with the same questions, while the control is asked all along. When the *control* stalls, the
machine did; the round is set aside and run again. The latencies that are judged never decide that.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lens_core.confidence import alpha_spent

_HTTP_OK = 200


@dataclass(frozen=True, slots=True)
class LatencyRules:
    """How latency is measured and how sure a verdict must be; shares and levels from 0 to 1.

    ``alpha`` is the error of each side over all looks. A round is set aside when a request to the
    control took over ``stall_ms`` from when it was due.
    """

    alpha: float = 0.01
    looks: int = 3
    min_blocks: int = 30
    max_blocks: int = 60
    max_design_effect: float = 10.0
    pane_seconds: float = 0.5
    control_rate_per_s: float = 50.0
    stall_ms: float = 3.0
    max_set_aside: float = 0.25
    max_send_lag: float = 0.10
    min_achieved_rate: float = 0.995


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a slice's load may come to.

    A pane has ``pane_requests``; a round is a pane per service; at most ``budget`` rounds are run.
    Look *k* is taken when ``look_ends[k]`` rounds were kept, or the budget is used up.
    """

    pane_requests: int
    budget: int
    look_ends: tuple[int, ...]

    def alphas(self, rules: LatencyRules) -> tuple[float, ...]:
        """The level of each look."""
        return alpha_spent(rules.alpha, [end / self.look_ends[-1] for end in self.look_ends])

    def alpha_at(self, look: int, rules: LatencyRules, *, last: bool) -> float:
        """The level of look ``look`` (from 1): what is planned for it, or all that is left at the ``last``."""
        alphas = self.alphas(rules)
        return rules.alpha - sum(alphas[: look - 1]) if last else alphas[look - 1]


@dataclass(frozen=True, slots=True)
class Round:
    """One round that was run: ``first_question`` says where in the order of questions its panes begin."""

    number: int
    first_question: int
    look: int


@dataclass(frozen=True, slots=True)
class Timing:
    """Requests as arrays of one length: round, when due (s from the start), latency and send lag (ms), HTTP code."""

    rounds: NDArray[np.int64]
    due_s: NDArray[np.float64]
    latency_ms: NDArray[np.float64]
    lag_ms: NDArray[np.float64]
    codes: NDArray[np.int64]

    def among(self, numbers: Sequence[int]) -> "Timing":
        """The requests of some rounds, in the order of their time."""
        chosen = np.flatnonzero(np.isin(self.rounds, numbers))
        chosen = chosen[np.argsort(self.due_s[chosen], kind="stable")]
        return Timing(*(getattr(self, name)[chosen] for name in Timing.__dataclass_fields__))


def plan_run(questions: int, rate_per_s: float, seconds: float, services: int, rules: LatencyRules) -> RunPlan:
    """Rounds that ask every question, give the fewest blocks, and fill ``seconds`` of load if that is more.

    Where questions or blocks need longer than ``seconds``, so many rounds more are allowed as may be set aside.
    """
    pane = max(1, round(rate_per_s * rules.pane_seconds))
    fewest = max(rules.min_blocks, math.ceil(questions / pane))
    allowed = int(seconds * rate_per_s / (pane * services))
    budget = max(allowed, math.ceil(fewest / (1 - rules.max_set_aside)))
    planned = {max(fewest, math.ceil(budget * look / rules.looks)) for look in range(1, rules.looks + 1)}
    return RunPlan(pane, budget, tuple(sorted(planned)))


def next_rounds(plan: RunPlan, done: Sequence[Round], aside: Mapping[int, str], look: int) -> tuple[Round, ...]:
    """What look ``look`` (from 1) still needs, in order: set-aside rounds again, then new ones."""
    kept = len(done) - len(aside)
    wanted = min(plan.look_ends[look - 1] - kept, plan.budget - len(done))
    if wanted <= 0:
        return ()
    answered = {r.first_question for r in done if r.number not in aside}
    again = [first for first in dict.fromkeys(r.first_question for r in done) if first not in answered]
    fresh = max((r.first_question for r in done), default=-plan.pane_requests) + plan.pane_requests
    firsts = [*again, *(fresh + plan.pane_requests * step for step in range(wanted))][:wanted]
    return tuple(Round(len(done) + step, first, look) for step, first in enumerate(firsts))


def set_aside(rounds: Sequence[Round], control: Timing, rules: LatencyRules) -> dict[int, str]:
    """Round number → why it does not count. Only the control is asked; one that was not is no witness."""
    aside = {}
    for item in rounds:
        here = control.rounds == item.number
        slowest = float(control.latency_ms[here].max()) if here.any() else math.nan
        if not here.any():
            aside[item.number] = "the control was not asked"
        elif (control.codes[here] != _HTTP_OK).any():
            aside[item.number] = "the control did not answer"
        elif not slowest <= rules.stall_ms:
            aside[item.number] = f"the control stalled for {slowest:.3g} ms"
    return aside


def invalid_reasons(
    plan: RunPlan,
    rate_per_s: float,
    rounds: Sequence[Round],
    aside: Mapping[int, str],
    services: Mapping[str, Timing],
    rules: LatencyRules,
) -> tuple[str, ...]:
    """Why the run is no measurement of latency; nothing when it is one.

    ``services`` maps a name for people to all requests that it was asked.
    """
    if not rounds:
        return ("no round was run",)
    reasons = []
    share = len(aside) / len(rounds)
    if share > rules.max_set_aside:
        reasons.append(
            f"the machine stalled: the control did in {share:.0%} of {len(rounds)} rounds, at most "
            f"{rules.max_set_aside:.0%} may be set aside; run it on a quieter machine"
        )
    kept = [item.number for item in rounds if item.number not in aside]
    for name, timing in services.items():
        reasons += _invalid_service(plan, rate_per_s, name, timing.among(kept), kept, rules)
    return tuple(reasons)


def _invalid_service(
    plan: RunPlan, rate_per_s: float, name: str, timing: Timing, kept: Sequence[int], rules: LatencyRules
) -> list[str]:
    if not kept:
        return []
    reasons = []
    expected = plan.pane_requests * len(kept)
    if timing.rounds.size != expected:
        reasons.append(f"{name}: expected {expected} requests in {len(kept)} rounds, saw {timing.rounds.size}")
    if not timing.rounds.size:
        return reasons
    lag, p95 = float(np.quantile(timing.lag_ms, 0.99)), float(np.quantile(timing.latency_ms, 0.95))
    if not lag <= rules.max_send_lag * p95:
        reasons.append(
            f"{name}: requests left late (send lag P99 {lag:.3g} ms), at most {rules.max_send_lag:.0%} of P95 "
            f"({p95:.3g} ms) is allowed; lower load.rate_per_s"
        )
    achieved = achieved_rate(timing)
    if achieved is not None and not achieved >= rules.min_achieved_rate * rate_per_s:
        reasons.append(
            f"{name}: {achieved:.4g} requests a second left, at least {rules.min_achieved_rate:.1%} of "
            f"{rate_per_s:g} are needed; lower load.rate_per_s"
        )
    return reasons


def achieved_rate(timing: Timing) -> float | None:
    """Requests per second that really left, in panes; None for single requests.

    A generator that cannot keep up falls behind more and more: what counts is how much later than the
    first round the last one left, in the middle, over the time between them. One late request is lag.
    """
    numbers = np.unique(timing.rounds)
    panes = [timing.rounds == number for number in numbers]
    planned_s = sum(float(np.ptp(timing.due_s[here])) for here in panes)
    if planned_s <= 0:
        return None
    span_s = float(np.ptp(timing.due_s))
    behind_s = float(np.median(timing.lag_ms[panes[-1]]) - np.median(timing.lag_ms[panes[0]])) / 1000
    return (timing.rounds.size - numbers.size) / planned_s * span_s / (span_s + max(behind_s, 0.0))


def time_blocks(timing: Timing, kept: Sequence[int], rules: LatencyRules) -> NDArray[np.int64]:
    """The number of the block of time that each request falls into; ``kept`` rounds in order, shared evenly."""
    count = min(rules.max_blocks, len(kept))
    place = np.searchsorted(np.asarray(kept), timing.rounds)
    blocks: NDArray[np.int64] = place * count // max(1, len(kept))
    return blocks
