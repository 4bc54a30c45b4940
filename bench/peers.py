"""Lens beside SQLite FTS5, bm25s and ripgrep: the same corpora, chunks and questions, asked in turn.

**What is the same for all.** The tree without documentation, and questions with known answers: five
classes, fixed by the seed (``lens_core.questions``). A hit counts as in a night (``lens_core.quality``),
50 hits at most. The peers are given the units of the truth as their chunks, each with the lines that are
its own; Lens indexes the tree itself, with its own parser, and its hits are mapped to the units.

**What the peers get.** Whole identifiers, split words and stop words come from Lens's own analyzer. Peers
are told the class of each question and use the table or option that suits it; Lens has to guess it
from the text. Weights are the best of a small grid on the three medium slices celery, mongodb and
blueprint, which are not among the default ones.

- SQLite FTS5: ``nl`` and ``symwords`` ask a table of split words with the porter tokenizer, any word
  matching, ranked by ``bm25`` with weights 10 for the symbol and 1 for enclosing names, path and body;
  ``sym`` and ``ident`` a table of whole identifiers, the very case first, the symbol weighing 10;
  ``substr`` a trigram table. One file, cached in memory, neither journal nor sync, each table optimized.
- bm25s (numpy, no numba): for words an index of Snowball stems, the symbol repeated 5 times and the
  enclosing names twice, as it knows no fields; for names an index of whole identifiers, in which a
  definition carries a token of its own. It has no tokens for ``substr``.
- ripgrep: ``-w -F`` for ``sym`` and ``ident``, ``-i -F`` for ``substr``, on all cores. Lines become chunks,
  in the order of their paths, and only then are cut at 50. It cannot answer ``nl`` and ``symwords``.

What Lens adds to BM25 (tiers for names, related words, scores of whole classes) is not rebuilt for the
peers. Its weights were once set with an eye on django and maplibre, the default slices: look at others too.

**Times.** Lens, SQLite and bm25s are called in this process, without HTTP; ripgrep is a process for each
question, and ``rg --version`` says what that costs at least. Tools take turns question by question, in
all orders one after the other. One pass for what is found warms everything up; the timed passes follow,
and percentiles are over all of them. A ratio compares p50s of the same pass and the same questions, and
the median over the passes is shown. Build is the time until the first question can be asked: Lens starts
from the tree, the peers from ready chunks; Lens and SQLite write files, bm25s stays in memory.
"""

import json
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from bench.material import Library
from bench.race import ripgrep_floor, run
from bench.report import SliceFigures, figures, margin_lines, markdown_of, tables
from lens_core import terminal
from lens_core.engine.errors import EngineError
from lens_core.errors import InvalidInput, LensError

DEFAULT_SLICES = "backend/python/large,frontend/typescript/large"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is asked, and how often."""

    slices: tuple[str, ...]
    per_class: int
    seed: int
    passes: int


@app.command()
def main(
    slices: Annotated[str, typer.Option(help="Comma-separated slices of data/slices.toml.")] = DEFAULT_SLICES,
    per_class: Annotated[int, typer.Option(min=1, max=300, help="Questions of each class.")] = 100,
    seed: Annotated[int, typer.Option(help="Which questions are taken.")] = 7,
    passes: Annotated[int, typer.Option(min=1, max=50, help="How often each question is timed.")] = 5,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Also write all figures there.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for documents.")] = False,  # noqa: FBT002
) -> None:
    """Race the Lens engine against SQLite FTS5, bm25s and ripgrep on the same corpora and questions.

    Shows build time, p50, p95 and p99 per question, and Recall@50 and nDCG@10 for each class of question.
    A class that a tool cannot answer shows "–", a tool that is not installed "(absent)". Corpora that are
    not in the cache (in LENS_HOME, else data/home) are downloaded.
    """
    names = tuple(name.strip() for name in slices.split(",") if name.strip())
    settings = Settings(names, per_class, seed, passes)
    try:
        if json_file and not json_file.absolute().parent.is_dir():  # said before the race, not after it
            raise InvalidInput(f"cannot write {json_file}: its folder is not there", "name another file after --json")
        compared = compare(settings)
        notes = _notes(settings, compared)
        if json_file:
            _write(json_file, settings, compared, notes)
    except (LensError, EngineError) as error:
        typer.echo(f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""), err=True)
        raise typer.Exit(error.exit_code) from error
    _show(compared, notes, markdown=markdown)


def compare(settings: Settings) -> tuple[SliceFigures, ...]:
    """Race all tools on every slice; InvalidInput when there is no such slice."""
    if not settings.slices:
        raise InvalidInput("expected at least one slice, saw none", f"the default is {DEFAULT_SLICES}")
    library = Library()
    compared = []
    _say("making sure of the corpora; what is not in the cache is downloaded")
    for corpus in library.corpora(settings.slices):
        _say(f"{corpus.slice}: reading {corpus.name} {corpus.version}")
        material = library.material(corpus, settings.seed, settings.per_class)
        compared.append(figures(run(material, settings.passes, _say)))
    return tuple(compared)


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _show(compared: Sequence[SliceFigures], notes: Sequence[str], *, markdown: bool) -> None:
    if markdown:
        typer.echo("\n\n".join([*map(markdown_of, compared), "\n".join(f"- {note}" for note in notes)]))
        return
    console = terminal.console()
    for one in compared:
        for table in tables(one):
            console.print(table)
            console.print()
    for note in notes:
        console.print(f"· {note}")


def _notes(settings: Settings, compared: Sequence[SliceFigures]) -> list[str]:
    """How to read the tables: what was timed and with what, and how sure the hardest class is."""
    floor = ripgrep_floor()
    asked = f"seed {settings.seed}, {settings.per_class} questions a class, {settings.passes} timed passes"
    versions = f"Lens (tantivy {version('tantivy')}), SQLite {sqlite3.sqlite_version}, bm25s {version('bm25s')}"
    notes = [
        f"{asked}; {os.cpu_count()} cores, load over the last 5 minutes {os.getloadavg()[1]:.1f}",
        f"called in this process, without HTTP: {versions}",
    ]
    if floor:
        notes.append(f"a process for each question: {floor[0]}; its start alone (rg --version) takes {floor[1]:.1f} ms")
    absent = {tool.tool: tool.absent for one in compared for tool in one.tools if tool.absent}
    notes += [f"{tool} took no part: {reason}" for tool, reason in absent.items()]
    notes += [
        "p50, p95 and p99 are over the classes that a tool can answer; ÷ Lens and × Lens compare the same questions",
        "build: Lens finds the definitions itself, the peers are given them",
    ]
    return notes + [line for one in compared for line in margin_lines(one)]


def _write(file: Path, settings: Settings, compared: Sequence[SliceFigures], notes: Sequence[str]) -> None:
    content = {"settings": asdict(settings), "slices": [asdict(one) for one in compared], "notes": notes}
    try:
        file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"cannot write {file}: {error.strerror}", "name another file after --json") from error


if __name__ == "__main__":
    app()
