"""What the study found, as a file: every cell with its tally, every truth, and what they were made with."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scipy import stats

from lens_core.rounds import LatencyRules
from study.characteristic import POINT, SEED, STREAM_COUNT, STREAMS, Tally, Truth
from study.scenarios import FAMILIES, Cell, Weather


@dataclass(frozen=True, slots=True)
class Share:
    """``hits`` of ``trials``, with the exact 95 % interval of Clopper and Pearson."""

    hits: int
    trials: int

    @property
    def value(self) -> float:
        """The share itself."""
        return self.hits / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        """Between which shares the true one lies, 95 % sure."""
        found = stats.binomtest(self.hits, self.trials).proportion_ci(0.95, method="exact")
        return float(found.low), float(found.high)


@dataclass(slots=True)
class Record:
    """Tallies by cell and truths by family, made with ``rules``."""

    rules: LatencyRules
    truths: dict[str, Truth] = field(default_factory=dict)
    tallies: dict[Cell, Tally] = field(default_factory=dict)

    def cells(self, *candidates: str, weather: Weather = Weather.CALM, paired: bool = False) -> list[Cell]:
        """The cells of some families, by sample count, and by family in the order given."""
        found = [
            cell
            for cell in self.tallies
            if cell.candidate in candidates and cell.weather is weather and bool(cell.baseline) is paired
        ]
        return sorted(found, key=lambda cell: (candidates.index(cell.candidate), cell.count))

    def share(self, cell: Cell, variant: str, verdict: str, alpha: float | None = None) -> Share:
        """How often ``variant`` at a level (the product's own by default) gave ``verdict`` in ``cell``."""
        tally = self.tallies[cell]
        said = variant if variant == POINT else f"{variant} @{self.rules.alpha if alpha is None else alpha:g}"
        if not any(key.startswith(f"{said}/") for key in tally):
            raise ValueError(f"{cell.name} was not judged by {said}")
        return Share(tally[f"{said}/{verdict}"], cell.trials)

    def write(self, path: Path) -> None:
        """Write everything as JSON, whole or not at all; equal findings give equal bytes."""
        content = {
            "seed": SEED,
            "truth_requests": STREAMS * STREAM_COUNT,
            "rules": asdict(self.rules),
            "families": {name: asdict(FAMILIES[name]) for name in sorted(FAMILIES)},
            "truths": {name: asdict(truth) for name, truth in sorted(self.truths.items())},
            "cells": [
                {**asdict(cell), "tally": dict(sorted(tally.items()))}
                for cell, tally in sorted(self.tallies.items(), key=lambda item: item[0].name)
            ],
        }
        unfinished = path.with_suffix(".part")
        unfinished.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        unfinished.replace(path)

    def resume(self, path: Path) -> None:
        """Take over what ``path`` holds and what still holds: truths, and cells that were judged at our alpha.

        Nothing is taken over from another seed, other families or rules that differ in more than alpha.
        """
        held = json.loads(path.read_text(encoding="utf-8"))
        families = json.loads(json.dumps({name: asdict(family) for name, family in FAMILIES.items()}))
        rules = {**held["rules"], "alpha": self.rules.alpha}
        if (held["seed"], rules, held["families"]) != (SEED, asdict(self.rules), families):
            return
        self.truths.update({name: Truth(**truth) for name, truth in held["truths"].items()})
        ours = f"@{self.rules.alpha:g}/"
        found = [_cell(entry) for entry in held["cells"]]
        self.tallies.update((cell, tally) for cell, tally in found if any(ours in key for key in tally))


def _cell(entry: Mapping[str, Any]) -> tuple[Cell, Tally]:
    fields = {name: entry[name] for name in Cell.__dataclass_fields__}
    return Cell(**{**fields, "weather": Weather(fields["weather"])}), Counter(entry["tally"])
