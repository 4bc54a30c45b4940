"""The latency sketch beside numpy, pandas, polars, HdrHistogram_py, DDSketch and REQ, in one run.

All stand in one process and take turns, at least seven times. Times are CPU time of the process, all its
threads included, collector off; a figure is the median over the repeats, and a ratio the median of the ratios
within each repeat. Samples are lognormal (σ = .8). What makes ready (the samples in the form that a peer likes
best, compiling) is not timed. ``x.sum()`` is the floor that reading alone costs.
"""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from bench.sketches import (
    COMPILED,
    DD_COARSE,
    EMPTY,
    HDR_LOOP,
    LENS,
    NUMPY_ONLY,
    PANDAS,
    Kept,
    bulk,
    single,
    window,
)
from bench.turns import Demand, Section, less, take_turns, unsteady
from lens_core import terminal

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "percentiles.md"
FEWEST_REPEATS = 7
_PACKAGES = ("numpy", "numba", "pandas", "polars", "hdrhistogram", "ddsketch", "datasketches")
_ERRORS = (
    "guaranteed relative error: Lens .39 % (FINE .05 %) at every quantile, DDSketch 1 % or .1 %, HdrHistogram "
    "1 % or .1 % (2, 3 digits), REQ in rank only; numpy, pandas and polars are exact"
)
_FAIRLY = """Read fairly: only the compiled counter reaches the demanded ratio to pandas; with numpy alone it is about a
third of that. The exact ways need all samples and are exact, the sketch is off by its bound. Peers written in Python
(DDSketch, HdrHistogram_py's loop) are compared as they are used from Python, not as algorithms; polars may use several
cores, and all their time counts. One by one, the sketch costs ten times an append: hand over arrays. The panes of the
window are filled as samples arrive, at the price of a batch above; the others keep every sample and look through all.
An evaluation of the window is timed once a repeat, with cold caches, as it happens every 30 seconds."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many samples each section is about."""

    bulk: int = 10_000_000
    looped: int = 100_000
    single: int = 100_000
    kept: int = 300_000


def compare(sizes: Sizes, repeats: int) -> tuple[tuple[Section, ...], tuple[Demand, ...]]:
    """All sections, and how the ratios that were asked for came out."""
    _say(f"five quantiles of {sizes.bulk:,} samples")
    rows = take_turns(bulk(sizes.bulk, sizes.looped), repeats)
    noise = unsteady(rows[0])
    extrapolated = f"the loops ran over {sizes.looped:,} samples without the query: extrapolated to {sizes.bulk:,}"
    in_bulk = Section(
        f"Five quantiles (P50, P90, P95, P99, P99.9) of {sizes.bulk:,} samples",
        "CPU ms",
        rows,
        (COMPILED, NUMPY_ONLY),
        (extrapolated, *([noise] if noise else [])),
    )
    _say("samples one by one")
    one_by_one = Section(
        f"One sample, of {sizes.single:,} (the empty loop taken off)",
        "CPU ns",
        less(take_turns(single(sizes.single), repeats), EMPTY),
        (LENS,),
    )
    _say("merging and writing")
    kept = Kept(sizes.kept)
    merging = Section(f"Merging two of {sizes.kept:,} samples", "CPU µs", take_turns(kept.merges(), repeats), (LENS,))
    written = Section(f"Serialized, {sizes.kept:,} samples", "bytes", kept.sizes(), (LENS,))
    _say("a window of five minutes")
    count, contestants = window()
    title = f"Five quantiles of 12 slices over 5 minutes ({count:,} samples, 10 panes of 30 s each)"
    evaluated = Section(title, "CPU ms", take_turns(contestants, repeats), (LENS,))
    demands = (
        Demand(f"bulk, {PANDAS} ÷ {COMPILED}", in_bulk.ratio(PANDAS, COMPILED), 18, 25),
        Demand(f"bulk, {HDR_LOOP} ÷ {COMPILED}", in_bulk.ratio(HDR_LOOP, COMPILED), 1000),
        Demand(f"merge, {DD_COARSE} ÷ {LENS}", merging.ratio(DD_COARSE, LENS), 10),
    )
    return (in_bulk, one_by_one, merging, written, evaluated), demands


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _notes(repeats: int) -> list[str]:
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return [
        f"{repeats} repeats; {os.cpu_count()} cores, load over the last 5 minutes {os.getloadavg()[1]:.1f}",
        f"Python {platform.python_version()}, {versions}",
        _ERRORS,
    ]


def document(sections: Sequence[Section], demands: Sequence[Demand], notes: Sequence[str]) -> str:
    """All of it as docs/percentiles.md."""
    opening = (
        "# Percentiles beside their peers\n\n"
        "Written by `make bench` (`python bench/percentiles.py --write`); who is asked what stands in "
        "`bench/sketches.py`.\nAbsolute times belong to one machine; read the ratios.\n"
    )
    how = (__doc__ or "").split("\n\n", 1)[1].strip().replace("``", "`")
    lists = ["\n".join(f"- {line}" for line in lines) for lines in ([d.line() for d in demands], notes)]
    parts = [
        opening + "\n" + how,
        "What was asked for:\n\n" + lists[0],
        *(s.markdown() for s in sections),
        lists[1],
        _FAIRLY,
    ]
    return "\n\n".join(parts) + "\n"


@app.command()
def main(
    repeats: Annotated[int, typer.Option(min=FEWEST_REPEATS, max=99, help="How often each is timed.")] = 9,
    divide: Annotated[int, typer.Option(min=1, max=10_000, help="Take only one in so many samples: a trial.")] = 1,
    write: Annotated[bool, typer.Option("--write", help="Also write docs/percentiles.md.")] = False,  # noqa: FBT002
) -> None:
    """Race Lens's latency sketch against seven ways to percentiles: in bulk, one by one, merged, written.

    Shows CPU times and their ratios to Lens, and whether the ratios that were asked for are met.
    """
    whole = Sizes()
    sizes = Sizes(*(max(1000, n // divide) for n in (whole.bulk, whole.looped, whole.single, whole.kept)))
    sections, demands = compare(sizes, repeats)
    notes = _notes(repeats)
    console = terminal.console()
    for section in sections:
        console.print(section.table())
        for note in section.notes:
            console.print(f"· {note}")
        console.print()
    for line in (*(demand.line() for demand in demands), *notes):
        console.print(f"· {line}")
    if write:
        DOCUMENT.write_text(document(sections, demands, notes), encoding="utf-8")


if __name__ == "__main__":
    app()
