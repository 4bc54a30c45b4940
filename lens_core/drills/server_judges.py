"""What the cells that ask two servers are judged by: joins ``api_drill`` and ``half_fleet_drill`` to the drill."""

from collections.abc import Callable, Mapping
from typing import Any

from lens_core.drills import api_drill
from lens_core.drills import half_fleet as half_fleet_drill
from lens_core.drills.api_drill import CellAnswer
from lens_core.drills.drill import Drilled, DrillRules, Found, Judge
from lens_core.supply import canonical


def _judge(
    judge: Callable[[bytes], CellAnswer], asked: str, wrong: str, facts: Mapping[str, Any], previous: Drilled
) -> Found:
    """``asked`` and ``wrong`` name the counts of what was asked and of what came out otherwise."""
    if facts["old"] != previous.version or facts["new"] == facts["old"]:
        raise ValueError(f"expected {previous.version} and the candidate to serve, saw {facts['old']}, {facts['new']}")
    said = judge(canonical.encode(facts["seen"]))
    return Found(said.verdict, said.reason, questions=said.counts.get(asked, 0), differing=said.counts.get(wrong, 0))


def api(facts: Mapping[str, Any], previous: Drilled, _candidate: Drilled, _rules: DrillRules) -> Found:
    """Old clients on the new server and new ones on the old; ``questions`` are requests, ``differing`` what breaks."""
    return _judge(api_drill.judge, "requests", "breaking", facts, previous)


def half_fleet(facts: Mapping[str, Any], previous: Drilled, _candidate: Drilled, _rules: DrillRules) -> Found:
    """Old and new behind one address; ``questions`` are answers, ``differing`` those that do not agree."""
    return _judge(half_fleet_drill.judge, "asked", "wrong", facts, previous)


JUDGES: dict[str, Judge] = {"api": api, "half_fleet": half_fleet}
"""The judges of this module by their cell."""
