"""The chance that a bad candidate qualifies, from the power that the nights really had."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lens_core.signoff.words import NightCase, SignoffRules


@dataclass(frozen=True, slots=True)
class _Weakest:
    """Where a night would see least: ``power`` is 0 where it measured no power at all."""

    power: float
    where: str


def chance(nights: Sequence[NightCase], rules: SignoffRules) -> tuple[float | None, str]:
    """The probability that a candidate 10 % beyond one latency limit gets its nights, and that in words.

    ``nights`` are full nights that were judged. The candidate is bad where it is hardest to see: in the slice and gate
    with the lowest power of them all, and nowhere else. None without a night.
    """
    if not nights:
        return None, "not known: no full night has measured its power yet"
    weakest = min((_weakest(case, name) for case in nights for name in rules.slices), key=lambda one: one.power)
    passes = 1.0 - weakest.power
    total = run_of(rules.nights, rules.max_nights, passes)
    return total, (
        f"at most {total:.2%}: a candidate 10 % beyond one latency limit, where it is hardest to see "
        f"({weakest.where}), passes a night with a probability of {passes:.1%}, and {rules.nights} consecutive of "
        f"{rules.max_nights} dates with {total:.2%}, if nights are independent and no other gate sees it"
    )


def run_of(wanted: int, dates: int, passes: float) -> float:
    """The probability of ``wanted`` consecutive passes somewhere in ``dates`` independent tries."""
    running, done = [1.0] + [0.0] * (wanted - 1), 0.0
    for _ in range(dates):
        done += running[-1] * passes
        running = [sum(running) * (1.0 - passes), *(share * passes for share in running[:-1])]
    return min(1.0, done)


def _weakest(case: NightCase, name: str) -> _Weakest:
    powers = [
        (answer.interval.power, answer.gate)
        for answer in case.answers
        if answer.slice == name and answer.interval is not None and math.isfinite(answer.interval.power)
    ]
    if not powers:
        return _Weakest(0.0, f"{name} in {case.night.night_id}: no power is known")
    power, gate = min(powers)
    power = min(1.0, max(0.0, power))
    return _Weakest(power, f"{gate} of {name} in {case.night.night_id}: power {power:.2f}")
