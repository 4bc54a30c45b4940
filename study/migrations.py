"""Migrates the index of every slice from every previous version, and compares with a native build.

::

    python -m study.migrations [--slices SLICE …] [--previous-versions v0.9.0,v0.9.1]

For each slice today's engine builds an index; each previous version, in its own home, builds another one of
the same tree; that one is migrated. Asked are all golden questions of the slice, of both indexes, 50 hits
each. It fails when one answer, one stored field or one count differs, or a byte of the old index has changed.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lens_core.adapters.corpora import CorpusStore
from lens_core.adapters.engine_homes import EngineHome, EngineHomes
from lens_core.catalogue import parse_catalogue
from lens_core.drills.previous import parse_previous, select_previous
from lens_core.engine.index import build_index
from lens_core.engine.migrate import migrate_index
from lens_core.engine.search import CodeIndex, open_index
from lens_core.model import Corpus

_DATA = Path(__file__).parents[1] / "data"
_SEED = 11
_LIMIT = 50


@dataclass(frozen=True, slots=True)
class Row:
    """One slice from one version: what differs (0 everywhere is right), and how long it took, in seconds."""

    slice: str
    version: str
    documents: int
    questions: int
    answers_differ: int
    facts_differ: tuple[str, ...]
    native_s: float
    migrate_s: float
    closing_s: float

    @property
    def equal(self) -> bool:
        """Whether the migrated index is the native one, but for who wrote it first."""
        return not self.answers_differ and not self.facts_differ and self.questions > 0


def study(corpus: Corpus, store: CorpusStore, homes: Sequence[EngineHome], scratch: Path) -> list[Row]:
    """All versions on one slice."""
    tree = store.stripped(corpus)
    questions = [question.text for question in store.questions(corpus, _SEED).questions]
    started = time.perf_counter()
    build_index(tree, scratch / "native")
    native_s = time.perf_counter() - started
    native = open_index(scratch / "native")
    return [_row(corpus, home, tree, native, questions, native_s, scratch / home.version) for home in homes]


def _row(  # noqa: PLR0913, PLR0917  # a row of seven facts
    corpus: Corpus,
    home: EngineHome,
    tree: Path,
    native: CodeIndex,
    questions: list[str],
    native_s: float,
    scratch: Path,
) -> Row:
    old, new = scratch / "old", scratch / "new"
    command = [*home.command(_DATA / "previous" / "old_engine.py"), str(tree), str(old)]
    subprocess.run(command, input=b"[]", stdout=subprocess.DEVNULL, check=True)
    before, moments = _digest(old), {"": time.perf_counter()}
    migration = migrate_index(old, new, lambda what, _done, _total: moments.update({what: time.perf_counter()}))
    migrated = open_index(new)
    facts = {
        "old index": (_digest(old), before),
        "written by": (migration.from_version, home.version),
        "chunks": (migrated.catalogue.chunks, native.catalogue.chunks),
        "documents": (migrated.manifest.document_count, native.manifest.document_count),
        "languages": (migrated.manifest.languages, native.manifest.languages),
        "skipped": (migrated.manifest.skipped, native.manifest.skipped),
        "content digest": (migrated.manifest.content_digest, native.manifest.content_digest),
    }
    return Row(
        str(corpus.slice),
        home.version,
        migrated.manifest.document_count,
        len(questions),
        sum(migrated.search(text, limit=_LIMIT) != native.search(text, limit=_LIMIT) for text in questions),
        tuple(name for name, (seen, expected) in facts.items() if seen != expected),
        native_s,
        moments["placed"] - moments[""],
        moments["compared"] - moments["written"],
    )


def _digest(folder: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        whole.update(f"{path.relative_to(folder)}\0".encode() + (path.read_bytes() if path.is_file() else b""))
    return whole.hexdigest()


def _table(rows: Sequence[Row]) -> Table:
    table = Table("slice", "from", "chunks", "questions", "answers differ", "else differs", "native s", "migrated s",
                  "of it commit and compare s", title="Migrated indexes beside native ones")  # fmt: skip
    for column in table.columns[2:]:
        column.justify = "right"
    for row in rows:
        times = (f"{seconds:.1f}" for seconds in (row.native_s, row.migrate_s, row.closing_s))
        table.add_row(row.slice, row.version, f"{row.documents:,}", f"{row.questions:,}", str(row.answers_differ),
                      ", ".join(row.facts_differ) or "–", *times)  # fmt: skip
    return table


def main() -> None:
    """Study the slices that are asked for, or all; ends with 1 when anything differs."""
    parser = argparse.ArgumentParser(prog="python -m study.migrations", description=__doc__.partition("\n")[0])
    parser.add_argument("--slices", nargs="*", default=[], help="such as backend/python/small; all when left out")
    parser.add_argument("--previous-versions", default="", help="separated by commas; all when left out")
    asked = parser.parse_args()
    catalogue = parse_catalogue((_DATA / "slices.toml").read_text(encoding="utf-8"))
    corpora = [corpus for corpus in catalogue.corpora if not asked.slices or str(corpus.slice) in asked.slices]
    known = parse_previous((_DATA / "previous" / "versions.toml").read_text(encoding="utf-8"))
    engines = EngineHomes(_DATA / "previous", _DATA / "home" / "cache")
    homes = [engines.of(previous, print) for previous in select_previous(known, asked.previous_versions)]
    store = CorpusStore(_DATA / "home" / "corpora", _DATA / "definitions")
    store.fetch(corpora).raise_first()
    rows: list[Row] = []
    for corpus in corpora:
        print(f"{corpus.slice}", file=sys.stderr)
        with tempfile.TemporaryDirectory() as scratch:
            rows += study(corpus, store, homes, Path(scratch))
    Console(width=140).print(_table(rows))
    sys.exit(0 if rows and all(row.equal for row in rows) else 1)


if __name__ == "__main__":
    main()
