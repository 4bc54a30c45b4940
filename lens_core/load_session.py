"""A slice's load, look after look: rounds are asked until every latency is decided or the budget is used up.

Which rounds come next, which are set aside and what an interval says is decided by pure functions
(``rounds``, ``measure``, ``gates``); here stands only the order in which they are asked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lens_core.gates import Policy, Subject, judge
from lens_core.measure import BASELINE, CANDIDATE, interval_metrics
from lens_core.model import Measurement, Verdict
from lens_core.ports import LoadGenerator, LoadPlan, LoadRun, LoadSample, Pane
from lens_core.rounds import Round, RunPlan, Timing, invalid_reasons, next_rounds, set_aside

_NAMES = (CANDIDATE, BASELINE)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Loaded:
    """All that was asked. The ``pane`` of a sample is the number of its round here, and times go on over looks.

    ``samples`` has one tuple per service, the candidate first.
    """

    samples: tuple[tuple[LoadSample, ...], ...]
    control: tuple[LoadSample, ...]
    bodies: Mapping[str, bytes]
    rounds: tuple[Round, ...]
    looks: int
    cpu_seconds: float
    rss_bytes: tuple[int, ...]


@dataclass
class LoadSession:
    """One slice's load. ``template`` is the plan without its panes; its services are candidate and baseline."""

    generator: LoadGenerator
    template: LoadPlan
    plan: RunPlan
    policy: Policy
    say: Say
    _rounds: list[Round] = field(default_factory=list)
    _samples: tuple[list[LoadSample], ...] = ()
    _control: list[LoadSample] = field(default_factory=list)
    _bodies: dict[str, bytes] = field(default_factory=dict)
    _seconds: float = 0.0
    _cpu_seconds: float = 0.0
    _rss_bytes: list[int] = field(default_factory=list)

    def run(self) -> Loaded:
        """Ask, look, and ask on; Unavailable when the generator fails."""
        self._samples = tuple([] for _ in self.template.services)
        look = 0
        for look in range(1, len(self.plan.look_ends) + 1):
            while wanted := next_rounds(self.plan, self._rounds, self._aside(), look):
                self._ask(wanted)
            if self._decided(look) or len(self._rounds) >= self.plan.budget:
                break
        return Loaded(
            samples=tuple(tuple(samples) for samples in self._samples),
            control=tuple(self._control),
            bodies=self._bodies,
            rounds=tuple(self._rounds),
            looks=look,
            cpu_seconds=self._cpu_seconds,
            rss_bytes=tuple(self._rss_bytes),
        )

    def _aside(self) -> dict[int, str]:
        return set_aside(self._rounds, timing_of_load(self._control), self.policy.latency)

    def _ask(self, wanted: Sequence[Round]) -> None:
        """Ask some rounds in one go; every second one begins with the other service."""
        places = [
            (item, service)
            for item in wanted
            for service in range(len(self.template.services))[:: 1 if item.number % 2 == 0 else -1]
        ]
        size = self.plan.pane_requests
        panes = tuple(Pane(service, item.first_question, size) for item, service in places)
        loaded = self.generator.run(replace(self.template, panes=panes))
        for sample in loaded.samples:
            item, service = places[sample.pane]
            self._samples[service].append(self._later(sample, item))
        self._control += [self._later(sample, places[sample.pane][0]) for sample in loaded.control]
        self._keep(loaded)
        self._rounds += wanted
        self._seconds += len(panes) * size / self.template.rate_per_s

    def _later(self, sample: LoadSample, item: Round) -> LoadSample:
        """The sample with its round's number, its times going on from what was asked before."""
        return replace(
            sample,
            pane=item.number,
            intended_s=sample.intended_s + self._seconds,
            sent_s=sample.sent_s + self._seconds,
            done_s=sample.done_s + self._seconds,
        )

    def _keep(self, loaded: LoadRun) -> None:
        self._bodies.update(loaded.bodies)
        self._cpu_seconds += loaded.usage[0].cpu_seconds
        self._rss_bytes += loaded.usage[0].rss_bytes

    def _decided(self, look: int) -> bool:
        """Whether every latency gate that more samples could help passes or fails."""
        rules, aside = self.policy.latency, self._aside()
        kept = [item.number for item in self._rounds if item.number not in aside]
        services = {name: timing_of_load(s) for name, s in zip(_NAMES, self._samples, strict=False)}
        compared = BASELINE in services
        last = len(kept) >= self.plan.look_ends[-1]
        metrics = interval_metrics(services, kept, self.plan.alpha_at(look, rules, last=last), rules)
        invalid = invalid_reasons(self.plan, self.template.rate_per_s, self._rounds, aside, services, rules)
        gates = tuple(gate for gate in self.policy.gates if gate.interval and (compared or not gate.needs_baseline))
        measurement = Measurement("", "", tuple(metrics), "", invalid)
        answers = judge(measurement, replace(self.policy, gates=gates), Subject("", compared))
        open_gates = [a.gate for a in answers if a.verdict in (Verdict.INCONCLUSIVE, Verdict.ERROR)]
        self.say(
            f"look {look} of {len(self.plan.look_ends)}: {len(kept)} rounds kept, {len(aside)} set aside; "
            + (f"undecided: {', '.join(open_gates)}" if open_gates else "decided")
        )
        return not open_gates


def timing_of_load(samples: Sequence[LoadSample]) -> Timing:
    """Requests as arrays, counted from when they were due."""
    due = np.array([s.intended_s for s in samples], dtype=np.float64)
    return Timing(
        rounds=np.array([s.pane for s in samples], dtype=np.int64),
        due_s=due,
        latency_ms=(np.array([s.done_s for s in samples], dtype=np.float64) - due) * 1000,
        lag_ms=np.maximum((np.array([s.sent_s for s in samples], dtype=np.float64) - due) * 1000, 0.0),
        codes=np.array([s.status for s in samples], dtype=np.int64),
    )
