"""Builds an index of a directory: all of it or nothing, in one segment, by one thread.

One thread, one commit and one segment make two builds of the same files answer alike to the last tie.
The index is written beside its place and renamed into it when it is complete.
"""

from __future__ import annotations  # tantivy before 0.25 has no name for its writer

import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import tantivy

from lens_core.engine import manifest, store
from lens_core.engine.analyzer import identifiers, split_identifier, stems_of, trigrams, words
from lens_core.engine.chunks import Chunk, chunk_file
from lens_core.engine.errors import BadRequest, EngineError, Unavailable
from lens_core.engine.languages import language_of
from lens_core.engine.tree import Skipped, content_digest, source_files

_TYPE_KINDS: Final = frozenset({"class", "interface", "enum", "namespace", "type"})


def scope_key(path: str, parents: tuple[str, ...], symbol: str, kind: str) -> tuple[str, str]:
    """The scope that a chunk belongs to: (path, top-level type), with ``""`` for the rest of the file."""
    if parents:
        return path, parents[0]
    return path, symbol if kind in _TYPE_KINDS else ""


@dataclass
class _Build:
    """What has been read so far: files by language, and their paths with the digests of their bytes."""

    languages: Counter[str] = field(default_factory=Counter)
    digests: list[tuple[str, str]] = field(default_factory=list)


def build_index(
    root: Path, out: Path, progress: Callable[[int, str], None] = lambda _count, _path: None
) -> manifest.Manifest:
    """Indexes the source files under ``root`` into the directory ``out`` and returns its manifest.

    An index that is already there is replaced; anything else at ``out`` is refused. ``progress`` is called
    with the number of files done and the path of each. Raises ``BadRequest`` for a ``root`` that is no
    directory or an ``out`` that is no index, and ``Unavailable`` when the disk fails.
    """
    _check_target(root, out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as beside:
            fresh = Path(beside, "index")
            described = _write_index(root, fresh, progress)
            _put_in_place(fresh, out, Path(beside, "replaced"))
    except OSError as error:
        raise Unavailable(f"cannot write the index {out}: {error}", "free some disk, or choose --out") from error
    return described


def _check_target(root: Path, out: Path) -> None:
    if not root.is_dir():
        raise BadRequest(f"expected a directory to index, saw {root}", "name an existing directory")
    if out.exists() and not (out / manifest.MANIFEST_NAME).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise BadRequest(
            f"expected an index or nothing at {out}, saw something else", "choose another directory with --out"
        )


def _put_in_place(fresh: Path, out: Path, replaced: Path) -> None:
    if out.exists():
        out.rename(replaced)
    fresh.rename(out)
    shutil.rmtree(replaced, ignore_errors=True)


def _write_index(root: Path, fresh: Path, progress: Callable[[int, str], None]) -> manifest.Manifest:
    build, skipped = _Build(), Skipped()
    documents = write_chunks(fresh, _read_chunks(root, build, skipped, progress))
    described = manifest.describe(
        fresh,
        document_count=documents,
        languages=dict(build.languages),
        skipped=dict(skipped.reasons),
        content_digest=content_digest(build.digests),
    )
    manifest.write(described, fresh)
    return described


def _read_chunks(root: Path, build: _Build, skipped: Skipped, progress: Callable[[int, str], None]) -> Iterator[Chunk]:
    for source in source_files(root, skipped):
        yield from chunk_file(source.content, source.path)
        build.languages[language_of(source.path) or ""] += 1
        build.digests.append((source.path, hashlib.sha256(source.content).hexdigest()))
        progress(len(build.digests), source.path)


def write_chunks(fresh: Path, chunks: Iterable[Chunk]) -> int:
    """Writes chunks and their scopes into the new directory ``fresh``, all but the manifest; how many chunks."""
    (fresh / store.SCOPES).mkdir(parents=True)
    documents, scopes = 0, dict[tuple[str, str], list[str]]()
    with _writing(store.chunk_schema(), fresh, "the chunks") as writer:
        for chunk in chunks:
            writer.add_document(document_of(chunk))
            key = scope_key(chunk.path, chunk.parents, chunk.symbol, chunk.kind)
            scopes.setdefault(key, []).extend(words(chunk.text))
            documents += 1
    with _writing(store.scope_schema(), fresh / store.SCOPES, "the scopes") as writer:
        for tokens in scopes.values():
            writer.add_document(tantivy.Document(words=" ".join(tokens)))
    return documents


@contextmanager
def _writing(schema: tantivy.Schema, directory: Path, what: str) -> Iterator[tantivy.IndexWriter]:
    """A writer into a new index, committed at the end as one segment.

    When the work is broken off, its threads are waited for: they would go on writing into a directory that is
    being removed.
    """
    with store.guarded(f"write {what}"):
        index = tantivy.Index(schema, path=str(directory))
        writer = index.writer(heap_size=store.WRITER_BYTES, num_threads=1)
        try:
            yield writer
            writer.commit()
        finally:
            writer.wait_merging_threads()
        index.reload()
        expect_one_segment(index.searcher().num_segments, what)


def expect_one_segment(seen: int, what: str) -> None:
    """Raises ``EngineError`` when an index came out in more than one segment; an empty one has none."""
    if seen > 1:
        raise EngineError(
            f"expected one segment for {what}, saw {seen}: the directory is too large", "index a smaller directory"
        )


def document_of(chunk: Chunk) -> tantivy.Document:
    """The document of one chunk, in the fields of ``store.chunk_schema``."""
    document = tantivy.Document()
    document.add_text("path", chunk.path)
    document.add_text("symbol", chunk.symbol)
    document.add_text("kind", chunk.kind)
    document.add_text("language", chunk.language)
    document.add_text("role", "definition" if chunk.is_definition else "block")
    document.add_text("symbol_phrase", " ".join(split_identifier(chunk.symbol)))
    document.add_text("symbol_words", " ".join(stems_of(chunk.symbol)))
    document.add_text("body", " ".join(words(chunk.text)))
    document.add_text("context", " ".join(words(" ".join(chunk.parents))))
    document.add_text("path_words", " ".join(words(chunk.path)))
    document.add_text("identifiers", " ".join(identifiers(chunk.text)))
    document.add_text("trigrams", " ".join(trigrams(chunk.text)))
    document.add_integer("start_line", chunk.start_line)
    document.add_integer("end_line", chunk.end_line)
    document.add_bytes("scope", "\n".join(chunk.parents).encode())
    document.add_bytes("text", chunk.text.encode())
    return document
