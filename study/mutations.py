"""How often the verifier lets a tampered cut through, and names the wrong file: ``python -m study.mutations``.

Each bit of ``manifest.json`` and ``manifest.sig``, then random mutations of every kind over every file. The same count
and seed try the same mutations, on however many cores. The exit code is 1 if one was accepted or misnamed.
"""

import argparse
import multiprocessing
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Self

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from lens_core.supply.manifest import MANIFEST, SIGNATURE
from lens_core.supply.sealed import verify
from study.cuts import Shape
from study.mutants import MutatedTree, Mutation, Specimen, every_bit, random_mutations, sha256

_CHUNK = 2_000
_COUNT = 1_000_000
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some mutations of one cut: the bits of ``name`` from ``start`` on, or random ones of a seed where it is ""."""

    image: bool
    count: int
    start: int
    name: str = ""


@dataclass(slots=True)
class Outcome:
    """How many of each kind were tried, and what went wrong."""

    tried: Counter[str] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    misnamed: list[str] = field(default_factory=list)

    def __iadd__(self, other: "Outcome") -> Self:
        self.tried += other.tried
        self.accepted += other.accepted
        self.misnamed += other.misnamed
        return self


def chunks(count: int, seed: int = 0) -> list[Chunk]:
    """All bits of the seal's two files, and ``count`` random mutations, every fourth chunk of a cut without image."""
    specimen = _specimen(image=True)
    bits = [
        Chunk(image=True, count=_CHUNK, start=start, name=name)
        for name in (MANIFEST, SIGNATURE)
        for start in range(0, 8 * len(specimen.cut[name]), _CHUNK)
    ]
    return bits + [
        Chunk(image=number % 4 != 3, count=min(_CHUNK, count - start), start=(seed << 32) + number)  # noqa: PLR2004
        for number, start in enumerate(range(0, count, _CHUNK))
    ]


def try_chunk(chunk: Chunk) -> Outcome:
    """Try each mutation of a chunk in memory."""
    specimen = _specimen(image=chunk.image)
    return try_all(specimen, mutations_of(specimen, chunk))


def mutations_of(specimen: Specimen, chunk: Chunk) -> Iterator[Mutation]:
    """The mutations of a chunk."""
    if chunk.name:
        return islice(every_bit(specimen, chunk.name), chunk.start, chunk.start + chunk.count)
    return random_mutations(specimen, chunk.count, chunk.start)


def try_all(specimen: Specimen, mutations: Iterable[Mutation]) -> Outcome:
    """Ask the verifier about each of ``mutations``."""
    trusted = {specimen.signer.key_id: specimen.signer.public_key}
    digests = {name: sha256(content) for name, content in specimen.cut.items()}
    made = Outcome()
    for mutation in mutations:
        made.tried[mutation.kind] += 1
        opened = verify(MutatedTree(specimen.cut, digests, mutation.put), trusted, version=specimen.shape.version)
        named = {fault.artifact for fault in opened.faults}
        if opened.stands:
            made.accepted.append(f"{mutation.kind} of {', '.join(mutation.put)}")
        elif not mutation.names_rightly(named):
            made.misnamed.append(f"{mutation.kind} of {', '.join(mutation.put)}: named {', '.join(named)}")
    return made


@cache
def _specimen(*, image: bool) -> Specimen:
    return Specimen.of(Shape(image=image))


def main() -> None:
    """Try them all on every core, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m study.mutations", description=__doc__)
    parser.add_argument("--count", type=int, default=_COUNT, help="random mutations, beside every bit of the seal")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    tasks = chunks(asked.count, asked.seed)
    made = Outcome()
    with Progress() as progress, multiprocessing.Pool() as pool:
        bar = progress.add_task("mutations", total=sum(task.count for task in tasks))
        for task, outcome in zip(tasks, pool.imap(try_chunk, tasks), strict=True):
            made += outcome
            progress.update(bar, advance=task.count, description=f"mutations, {len(made.accepted)} accepted")
    out = Console()
    out.print(_table(made))
    for line in (made.accepted + made.misnamed)[:_SHOWN]:
        out.print(f"✕ {line}", markup=False)
    sys.exit(1 if made.accepted or made.misnamed else 0)


def _table(made: Outcome) -> Table:
    table = Table("kind", "tried", "accepted", "misnamed", title="A sealed cut, tampered with")
    for column in table.columns[1:]:
        column.justify = "right"
    for kind, tried in sorted(made.tried.items()):
        wrong = [sum(line.startswith(f"{kind} of ") for line in lines) for lines in (made.accepted, made.misnamed)]
        table.add_row(kind, f"{tried:,}", *(str(number) for number in wrong))
    table.add_section()
    table.add_row("all", f"{made.tried.total():,}", str(len(made.accepted)), str(len(made.misnamed)))
    return table


if __name__ == "__main__":
    main()
