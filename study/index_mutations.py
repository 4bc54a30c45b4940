"""What the engine does with an index that is not as it was written: ``python -m study.index_mutations INDEX OTHER``.

Each mutation is refused with a reason, or did no harm: the documents and the answers are those of the index as it
was, and only JSON was touched, or footers around bodies that are as they were. The exit code is 1 for anything else.
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from lens_core.adapters.damaged_indexes import WORKER, DamagedIndexes, read_index
from lens_core.drills.index_damage import Damage
from lens_core.drills.index_footer import split
from lens_core.drills.index_integrity import FILE_KINDS, MANAGED, MANIFEST, META, examine, kind_of
from lens_core.errors import IntegrityError
from study.index_mutants import Specimen, forgeries, mutations

COMMAND = (sys.executable, "-P", str(WORKER))
QUESTIONS = ({"query": "name"}, {"query": "read the index file"}, {"query": "def"}, {"query": '"self."'})
_COUNT, _CHUNK, _SHOWN = 20_000, 500, 20
_GUARDS = (
    ("size and CRC-32 of", "CRC of the manifest"),
    ("footer", "CRC or form of the footer"),
    ("expected the file", "list of files"),
    ("saw the file", "list of files"),
    ("schema", "schema"),
    ("analyzer fingerprint", "analyzer"),
    ("index format", "format of the manifest"),
    ("documents, saw", "counts"),
    ("scopes, saw", "counts"),
    ("tantivy could not", "tantivy"),
    (MANIFEST, "form of the manifest"),
)


@dataclass(slots=True)
class Outcome:
    """How many of each kind were tried, which guard refused them, what did no harm, and what went wrong."""

    tried: Counter[str] = field(default_factory=Counter)
    refused_by: Counter[str] = field(default_factory=Counter)
    harmless: Counter[str] = field(default_factory=Counter)
    seen_by_lens: int = 0
    wrong: list[str] = field(default_factory=list)

    def __iadd__(self, other: "Outcome") -> Self:
        self.tried += other.tried
        self.refused_by += other.refused_by
        self.harmless += other.harmless
        self.seen_by_lens += other.seen_by_lens
        self.wrong += other.wrong
        return self


def guard_of(reason: str) -> str:
    """Which of the engine's guards gives a reason such as this."""
    return next((guard for words, guard in _GUARDS if words in reason), "another")


def try_all(
    index: Path, damages: Sequence[Damage], scratch: Path, questions: Sequence[Mapping[str, Any]] = QUESTIONS
) -> Outcome:
    """Let the engine open the index with each of ``damages``."""
    files, made = read_index(index), Outcome()
    seen = DamagedIndexes(COMMAND, scratch).observe(index, questions, damages)
    untouched = seen["control"]["open"]
    if not untouched.get("same") or seen["findings"]:
        made.wrong.append(f"the index as it was: {untouched}, {seen['findings']}")
    for damage, one in zip(damages, seen["tries"], strict=True):
        made.tried[damage.kind] += 1
        made.seen_by_lens += bool(examine(damage.done_to(files)))
        words = f"{damage.kind} {kind_of(damage.file)} {damage.place}"
        if one["outcome"] == "refused" and one["at"] == "open" and one["reason"]:
            made.refused_by[guard_of(one["reason"])] += 1
        elif one["outcome"] == "answered" and one["same"] and touches_no_body(files, damage):
            made.harmless[words] += 1
        else:
            made.wrong.append(f"{words} ({damage.file}): {json.dumps(one)}")
    return made


def touches_no_body(files: Mapping[str, bytes], damage: Damage) -> bool:
    """Whether all that tantivy decodes is as it was: then equal answers are no luck of the questions."""
    return all(
        kind_of(name) in {META, MANAGED, MANIFEST} or (content is not None and _body(content) == _body(files.get(name)))
        for name, content in damage.put.items()
    )


def _body(content: bytes | None) -> bytes | None:
    try:
        return None if content is None else split(content)[0]
    except IntegrityError:
        return None


def _task(task: tuple[Path, Path, int, int, bool]) -> Outcome:
    index, other, count, seed, forged = task
    specimen = Specimen(read_index(index), read_index(other))
    make = forgeries if forged else mutations
    with tempfile.TemporaryDirectory() as scratch:
        return try_all(index, list(make(specimen, count, seed)), Path(scratch))


def _tasks(asked: argparse.Namespace, *, forged: bool) -> Iterable[tuple[Path, Path, int, int, bool]]:
    for number, start in enumerate(range(0, asked.count, _CHUNK)):
        yield asked.index, asked.other, min(_CHUNK, asked.count - start), (asked.seed << 32) + number, forged


def main() -> None:
    """Try them all on every core, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m study.index_mutations", description=__doc__)
    parser.add_argument("index", type=Path, help="an index; it is copied")
    parser.add_argument("other", type=Path, help="another one of the same engine")
    parser.add_argument("--count", type=int, default=_COUNT)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--forged", action="store_true", help="forge every CRC as well, to see what CRCs cannot do")
    asked = parser.parse_args()
    tasks, made = list(_tasks(asked, forged=asked.forged)), Outcome()
    with Progress() as progress, multiprocessing.Pool() as pool:
        bar = progress.add_task("mutations", total=asked.count)
        for task, outcome in zip(tasks, pool.imap(_task, tasks), strict=True):
            made += outcome
            progress.update(bar, advance=task[2], description=f"mutations, {len(made.wrong)} wrong")
    out = Console()
    for table in _tables(made):
        out.print(table)
    out.print(f"{made.seen_by_lens:,} of them are seen by Lens's own reading of {len(FILE_KINDS)} kinds of file")
    for line in made.wrong[:_SHOWN]:
        out.print(f"✕ {line}", markup=False)
    sys.exit(1 if made.wrong else 0)


def _tables(made: Outcome) -> Iterable[Table]:
    counts = {"tried": made.tried, "refused by": made.refused_by, "harmless": made.harmless}
    for title, counted in counts.items():
        table = Table(title, "number")
        table.columns[1].justify = "right"
        for name, number in sorted(counted.items()):
            table.add_row(name, f"{number:,}")
        table.add_section()
        table.add_row("all", f"{counted.total():,}")
        yield table


if __name__ == "__main__":
    main()
