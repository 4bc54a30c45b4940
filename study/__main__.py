"""Run the study: truths, then trials on all cores, then the tables and figures of ``docs/latency-study.md``."""

import argparse
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

from lens_core.rounds import LatencyRules
from study import figures, tables
from study.characteristic import STREAM_COUNT, STREAMS, Tally, Truth, limit_of, run_trials, stream_log_ratio, truth_of
from study.record import Record
from study.scenarios import COUNTS, FAMILIES, LIMIT, Cell, cells

ROOT = Path(__file__).parents[1]
DOCS, QUICK = ROOT / "docs", ROOT / "data" / "home" / "study"
_TRIALS, _QUICK_TRIALS = 1000, 10
_QUICK_COUNTS, _QUICK_STREAMS = (5_000, 20_000), 2
_BATCH = 25


@dataclass(frozen=True, slots=True)
class _Batch:
    """Some trials of a cell, as they are handed to a core."""

    cell: Cell
    trials: range
    limit: float
    rules: LatencyRules


def _stream(task: tuple[str, int]) -> tuple[str, float]:
    return task[0], stream_log_ratio(*task)


def _trials(batch: _Batch) -> tuple[Cell, Tally]:
    return batch.cell, run_trials(batch.cell, batch.trials, batch.limit, batch.rules)


def find_truths(record: Record, wanted: Sequence[Cell], streams: int) -> Iterator[tuple[int, int]]:
    """Fill ``record.truths`` for ``wanted``; yields how many streams are done, and of how many."""
    names = sorted({cell.candidate for cell in wanted if not cell.baseline} - record.truths.keys())
    for name in names:
        if exact := FAMILIES[name].exact_tail_ratio:
            record.truths[name] = Truth(exact, 0.0)
    tasks = [(name, stream) for name in names if name not in record.truths for stream in range(streams)]
    logs: dict[str, dict[int, float]] = {}
    with multiprocessing.Pool() as pool:
        # In order, because a mean depends on the order of what it is taken of, in its last digit.
        for done, ((name, stream), (_, log)) in enumerate(zip(tasks, pool.imap(_stream, tasks), strict=True), 1):
            logs.setdefault(name, {})[stream] = log
            yield done, len(tasks)
    record.truths.update({name: truth_of(list(found.values())) for name, found in logs.items()})


def fill_cells(record: Record, wanted: Sequence[Cell], out: Path) -> Iterator[tuple[float, float]]:
    """Fill ``record.tallies`` and write after each cell; yields how much work is done, and of how much."""
    batches = [
        _Batch(cell, range(start, min(start + _BATCH, cell.trials)), _limit(record, cell), record.rules)
        for cell in sorted(wanted, key=lambda cell: -cell.cost)
        for start in range(0, cell.trials, _BATCH)
    ]
    total, done = sum(cell.cost for cell in wanted), 0.0
    open_tallies = {cell: Tally() for cell in wanted}
    missing = {cell: cell.trials for cell in wanted}
    with multiprocessing.Pool() as pool:
        for cell, tally in pool.imap_unordered(_trials, batches):
            open_tallies[cell] += tally
            size = min(_BATCH, missing[cell])
            missing[cell] -= size
            done += cell.cost * size / cell.trials
            if not missing[cell]:
                record.tallies[cell] = open_tallies[cell]
                record.write(out)
            yield done, total


def _limit(record: Record, cell: Cell) -> float:
    return LIMIT if cell.baseline else limit_of(cell, record.truths[cell.candidate])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m study", description=__doc__)
    parser.add_argument("--trials", type=int, default=_TRIALS, help="trials of a cell whose truth is at the limit")
    parser.add_argument("--quick", action="store_true", help="a few trials of short runs, in less than a minute")
    parser.add_argument("--resume", action="store_true", help="keep the cells that were computed with these rules")
    parser.add_argument("--redraw", action="store_true", help="only tables and figures, from what was computed")
    parser.add_argument(
        "--out", type=Path, help="the folder of latency-study.md and study/, else docs or a quick one's"
    )
    return parser.parse_args()


def main() -> None:
    """Compute what is missing and draw everything."""
    asked = _arguments()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    docs = asked.out or (QUICK if asked.quick else DOCS)
    folder = docs / "study"
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "characteristic.json"
    record = Record(LatencyRules())
    if (asked.resume or asked.redraw) and data.exists():
        record.resume(data)
    if asked.redraw:
        draw(record, docs)
        return
    trials, counts, streams = (
        (_QUICK_TRIALS, _QUICK_COUNTS, _QUICK_STREAMS) if asked.quick else (asked.trials, COUNTS, STREAMS)
    )
    wanted = cells(trials, counts)
    record.tallies = {cell: tally for cell, tally in record.tallies.items() if cell in wanted}
    with Progress() as progress:
        streamed = progress.add_task(f"truths ({streams * STREAM_COUNT / 1e6:g} million requests each)")
        for done, of in find_truths(record, wanted, streams):
            progress.update(streamed, completed=done, total=of)
        tried = progress.add_task("trials")
        for part, whole in fill_cells(record, [cell for cell in wanted if cell not in record.tallies], data):
            progress.update(tried, completed=part, total=whole)
    record.write(data)
    draw(record, docs)


def draw(record: Record, docs: Path) -> None:
    """Write the figures and renew the tables of the page."""
    figures.write(record, docs / "study")
    tables.renew(record, docs / "latency-study.md")
    print(tables.demand(record))


if __name__ == "__main__":
    main()
