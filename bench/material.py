"""What every tool is given: a tree of source files, its chunks, and questions about it.

The chunks are the units of the truth, so that no peer is handicapped by the way it cuts files; Lens
cuts the tree itself.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lens_core.adapters.corpora import CorpusStore
from lens_core.catalogue import Catalogue, parse_catalogue
from lens_core.config import load_settings
from lens_core.errors import IntegrityError, InvalidInput
from lens_core.model import Corpus, Definition, Question, Unit
from lens_core.truth import own_lines

_PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Chunk:
    """A unit with the text of the lines that are its own, and the names of the definitions around it."""

    unit: Unit
    enclosing: tuple[str, ...]
    lines: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Material:
    """One slice: the tree without documentation, its chunks by place, and the questions."""

    slice: str
    corpus: str
    tree: Path
    chunks: tuple[Chunk, ...]
    questions: tuple[Question, ...]

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units of all chunks."""
        return tuple(chunk.unit for chunk in self.chunks)


def cut(tree: Path, definitions: Iterable[Definition]) -> tuple[Chunk, ...]:
    """The chunks of all files below ``tree``, by path and first line."""
    by_path: dict[str, list[Definition]] = defaultdict(list)
    for definition in definitions:
        by_path[definition.path].append(definition)
    files = {file.relative_to(tree).as_posix(): file for file in tree.rglob("*") if file.is_file()}
    chunks: list[Chunk] = []
    for path in sorted(files):
        text = files[path].read_bytes().decode()
        lines = text.split("\n")
        around: list[Unit] = []
        for unit, numbers in own_lines(path, text, by_path[path]):
            while around and around[-1].end_line < unit.start_line:
                around.pop()
            names = tuple(outer.name for outer in around)
            chunks.append(Chunk(unit, names, numbers, "\n".join(lines[number - 1] for number in numbers)))
            if unit.name:
                around.append(unit)
    return tuple(chunks)


class Library:
    """The project's catalogue and its cache of corpora."""

    def __init__(self) -> None:
        named = os.environ.get("LENS_CONFIG")
        settings = load_settings(config=Path(named) if named else _PROJECT / "lens.toml")
        data = _PROJECT / "data"
        self._catalogue: Catalogue = parse_catalogue((data / "slices.toml").read_text(encoding="utf-8"))
        self._store = CorpusStore(settings.home / "corpora", data / "definitions")

    @property
    def slices(self) -> tuple[str, ...]:
        """The names of all slices, in catalogue order."""
        return tuple(str(corpus.slice) for corpus in self._catalogue.corpora)

    def corpora(self, slices: Sequence[str]) -> tuple[Corpus, ...]:
        """The corpora of the named slices, downloaded if they are not in the cache yet."""
        by_name = {str(corpus.slice): corpus for corpus in self._catalogue.corpora}
        for name in slices:
            if name not in by_name:
                raise InvalidInput(f"no corpus stands for {name!r}", f"the catalogue has {', '.join(by_name)}")
        chosen = tuple(by_name[name] for name in slices)
        self._store.fetch(chosen).raise_first()
        return chosen

    def material(self, corpus: Corpus, seed: int, per_class: int) -> Material:
        """The material of one corpus; IntegrityError if its chunks are not the units of the truth."""
        asked = self._store.questions(corpus, seed, per_class)
        tree = self._store.stripped(corpus)
        chunks = cut(tree, self._store.definitions(corpus))
        made = Material(str(corpus.slice), f"{corpus.name} {corpus.version}", tree, chunks, asked.questions)
        if set(made.units) != set(asked.units):
            raise IntegrityError(f"{corpus.slice}: the chunks differ from the units of the truth")
        return made
