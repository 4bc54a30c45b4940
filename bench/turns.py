"""Contestants that take turns in one process, and what their CPU time comes to beside ours."""

import gc
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from rich.table import Table

from bench.report import NONE, markdown_table, number, terminal_table

MS_PER_S = 1e3
US_PER_S = 1e6
NS_PER_S = 1e9
_UNSTEADY = 1.5


@dataclass(frozen=True, slots=True)
class Contestant:
    """What is timed: ``run`` is given what ``prepare`` makes, untimed, anew for each repeat.

    ``scale`` turns the seconds of a run into the unit of its table. ``remark`` says what is not as usual.
    """

    run: Callable[[object], object]
    scale: float
    prepare: Callable[[], object] = lambda: None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One contestant's figure in each repeat, in its section's unit."""

    name: str
    figures: tuple[float, ...]
    remark: str = ""

    @property
    def median(self) -> float:
        """The middle one."""
        return float(np.median(self.figures))

    def over(self, reference: "Row") -> float:
        """How many times the reference's figure: the median of the ratios within a repeat."""
        return float(np.median(np.divide(self.figures, reference.figures)))


@dataclass(frozen=True, slots=True)
class Section:
    """A table: its rows, and the names of those that all are divided by."""

    title: str
    unit: str
    rows: tuple[Row, ...]
    references: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())

    def row(self, name: str) -> Row:
        """The row of that name."""
        return next(row for row in self.rows if row.name == name)

    def ratio(self, name: str, reference: str) -> float:
        """``Row.over`` by names."""
        return self.row(name).over(self.row(reference))

    def headings(self) -> tuple[str, ...]:
        """The columns."""
        return ("", self.unit, "spread", *(f"÷ {name.removeprefix('Lens, ')}" for name in self.references), "")

    def cells(self) -> list[tuple[str, ...]]:
        """A line a row: the median, the lowest and highest, the ratios."""
        return [
            (
                row.name,
                number(row.median),
                NONE if len(set(row.figures)) == 1 else f"{number(min(row.figures))}–{number(max(row.figures))}",
                *(number(row.over(self.row(reference))) for reference in self.references),
                row.remark,
            )
            for row in self.rows
        ]

    def table(self) -> Table:
        """For a terminal."""
        made = terminal_table(self.headings(), self.cells())
        made.title = self.title
        return made

    def markdown(self) -> str:
        """For a document."""
        notes = "".join(f"\n- {note}" for note in self.notes)
        return f"**{self.title}**\n\n{markdown_table(self.headings(), self.cells())}\n{notes}".rstrip()


@dataclass(frozen=True, slots=True)
class Demand:
    """A ratio that was asked for, and the one that was measured."""

    what: str
    measured: float
    wanted: float
    aim: float | None = None

    def line(self) -> str:
        """What is wanted, what is, and whether that is enough."""
        wanted = f"wanted ≥ {self.wanted:,.0f}×" + (f", aimed at {self.aim:,.0f}×" if self.aim else "")
        verdict = "met" if self.measured >= self.wanted else "NOT MET"
        if self.aim:
            verdict += ", aim met" if self.measured >= self.aim else ", aim not met"
        return f"{self.what}: {self.measured:,.1f}× ({wanted}): {verdict}"


def take_turns(contestants: Mapping[str, Contestant], repeats: int) -> tuple[Row, ...]:
    """CPU time of all contestants, one after the other in each repeat, beginning with another one each time."""
    figures: dict[str, list[float]] = {name: [] for name in contestants}
    order = list(contestants.items())
    # What stands already is not looked through again before each run.
    gc.collect()
    gc.freeze()
    for repeat in range(repeats):
        first = repeat % len(order)
        for name, contestant in itertools.chain(order[first:], order[:first]):
            given = contestant.prepare()
            # The collector would charge one contestant for the garbage of all.
            gc.collect()
            gc.disable()
            try:
                begun = time.process_time()
                contestant.run(given)
                figures[name].append((time.process_time() - begun) * contestant.scale)
            finally:
                gc.enable()
    gc.unfreeze()
    return tuple(Row(name, tuple(figures[name]), contestant.remark) for name, contestant in contestants.items())


def unsteady(floor: Row) -> str | None:
    """What to say when the floor moved by more than half during the run; None when it did not."""
    ratio = max(floor.figures) / min(floor.figures)
    if ratio <= _UNSTEADY:
        return None
    return f"{floor.name} varied by {ratio:.1f}× during this run: the machine was busy, trust the figures less"


def less(rows: Sequence[Row], empty: str) -> tuple[Row, ...]:
    """All other rows with the figures of the row ``empty`` taken off, repeat by repeat."""
    off = next(row for row in rows if row.name == empty)
    return tuple(
        Row(row.name, tuple(max(0.0, a - b) for a, b in zip(row.figures, off.figures, strict=True)), row.remark)
        for row in rows
        if row is not off
    )
