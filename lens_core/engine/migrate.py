"""Brings an index that an earlier version wrote to today's engine, from its stored fields alone.

The old index is never opened where it stands: tantivy would leave a lock file there, and one that writes in
place makes going back impossible. What is opened are symbolic links to its verified files, in a folder beside
the new index. There the new index is built whole, read back and compared, and then renamed into its place.

A migration that was killed starts over. An index of one segment is made by one commit, so there is no half of
it that could be kept; and what could be, the documents as read, is a twentieth of the work.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any, Final

import tantivy

from lens_core.engine import manifest, store
from lens_core.engine.catalogue import chunk_of
from lens_core.engine.chunks import Chunk
from lens_core.engine.errors import BadRequest, EngineError, IndexRefused, Unavailable
from lens_core.engine.index import write_chunks
from lens_core.engine.manifest import MANIFEST_NAME, Manifest
from lens_core.engine.search import open_index
from lens_core.engine.store import guarded, open_store

Progress = Callable[[str, int, int], None]
"""Called with what is being done (``verified``, ``written``, ``compared``, ``placed``), how much of it, of how much."""

_REBUILD: Final = "this index cannot be migrated: build it again from its source with `lens index DIR`"
_ELSEWHERE: Final = "choose another directory with --out"


@dataclass(frozen=True)
class Migration:
    """What a migration came to.

    ``manifest`` is the new index's, ``from_version`` and ``from_tantivy`` say who wrote the old one.
    ``contents`` is ``sha256:…`` over every stored field of every chunk in order, equal in both. ``already`` is
    true when the new index was there before, ``restarted`` when an earlier attempt had been broken off.
    """

    manifest: Manifest
    from_version: str
    from_tantivy: str
    contents: str
    already: bool
    restarted: bool


def migrate_index(old: Path, out: Path, progress: Progress = lambda _what, _done, _total: None) -> Migration:
    """Writes the chunks of the index ``old`` into a new index at ``out``; ``old`` stays as it is, byte for byte.

    At ``out`` stands nothing until all of it does. When this very migration was done before, it says so and
    changes nothing. Raises ``IndexRefused`` for an ``old`` that is damaged, foreign, newer, or does not store
    what an index is made from; ``BadRequest`` for an ``out`` that holds anything else; ``Unavailable`` when
    the disk fails or another migration to ``out`` is going on.
    """
    out = out.absolute()
    _expect_apart(old.resolve(), out.resolve())
    try:
        described = _verified(old)
        progress("verified", len(described.files), len(described.files))
        out.parent.mkdir(parents=True, exist_ok=True)
        with _workshop(out.with_name(f".{out.name}.migrating")) as (bench, restarted):
            return _migrate(old, described, out, bench, progress, restarted=restarted)
    except OSError as error:
        raise Unavailable(f"cannot migrate to {out}: {error}", "free some disk, or choose another --out") from error


def _migrate(
    old: Path, described: Manifest, out: Path, bench: Path, progress: Progress, *, restarted: bool
) -> Migration:
    documents = _open_linked(old, described, bench / "old")
    tantivy_was = described.tantivy_version
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        fresh, contents = _expect_migrated(out, described, _contents(_chunks(documents)))
        return Migration(fresh, described.engine_version, tantivy_was, contents, already=True, restarted=restarted)
    fresh = _write(documents, described, bench / "new", progress)
    contents = _contents(_chunks(documents))
    seen = _contents(_chunks(open_store(bench / "new")))
    if seen != contents:
        raise EngineError(f"expected the contents {contents} in the new index, saw {seen}", "report this")
    progress("compared", fresh.document_count, fresh.document_count)
    (bench / "new").rename(out)
    progress("placed", 1, 1)
    return Migration(fresh, described.engine_version, tantivy_was, contents, already=False, restarted=restarted)


def _write(documents: tantivy.Index, described: Manifest, new: Path, progress: Progress) -> Manifest:
    """The new index in ``new``. What only the source could tell is carried over from the old, verified manifest."""
    total = described.document_count

    def counted() -> Iterator[Chunk]:
        for number, chunk in enumerate(_chunks(documents), start=1):
            yield chunk
            progress("written", number, total)

    count = write_chunks(new, counted())
    if count != total:
        raise IndexRefused(f"expected {total} documents, saw {count}", _REBUILD)
    fresh = manifest.describe(
        new,
        document_count=count,
        languages=described.languages,
        skipped=described.skipped,
        content_digest=described.content_digest,
    )
    manifest.write(fresh, new)
    return fresh


def _verified(old: Path) -> Manifest:
    """The manifest of an index that can be migrated: whole, and with all stored fields; the analyzer may differ."""
    described = manifest.read(old)
    seen = _stored(described.schema)
    for name, wanted in _stored(store.schema_description()).items():
        if seen.pop(name, None) != wanted:
            message = f"expected the field {name} as {wanted}, saw {described.schema.get(name, 'none')}"
            raise IndexRefused(message, _REBUILD, code="schema")
    if seen:
        raise IndexRefused(f"saw the stored fields {', '.join(sorted(seen))}, which would be lost", _REBUILD, "schema")
    manifest.verify_files(old, described)
    if described.file_count != sum(described.languages.values()):
        raise IndexRefused(f"{MANIFEST_NAME}: file_count and languages do not agree", _REBUILD)
    return described


def _stored(schema: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in schema.items() if text.endswith(" stored")}


def _open_linked(old: Path, described: Manifest, links: Path) -> tantivy.Index:
    """The old chunks, opened through links, for whatever tantivy leaves behind to lie there."""
    links.mkdir()
    for name in described.files:
        if "/" not in name:  # the scopes are made from the chunks
            (links / name).symlink_to((old / name).resolve())
    return open_store(links)


def _chunks(documents: tantivy.Index) -> Iterator[Chunk]:
    """Every chunk in document order; ``IndexRefused`` when the documents are not all of one segment."""
    searcher = documents.searcher()
    if searcher.num_segments > 1:
        raise IndexRefused(f"expected one segment, saw {searcher.num_segments}: it was written to in place", _REBUILD)
    for number in range(searcher.num_docs):
        with guarded("read the stored documents", opening=True):
            stored = searcher.doc(tantivy.DocAddress(0, number)).to_dict()
            _expect_fields(stored, number)
            chunk = chunk_of(stored)
        yield chunk


def _expect_fields(stored: dict[str, list[object]], number: int) -> None:
    for name in _stored(store.schema_description()):
        if len(stored.get(name, ())) != 1:
            message = f"document {number}: expected the stored field {name} once, saw it {len(stored.get(name, ()))}×"
            raise IndexRefused(message, _REBUILD, code="schema")


def _contents(chunks: Iterator[Chunk]) -> str:
    whole = hashlib.sha256()
    for chunk in chunks:
        whole.update(json.dumps(astuple(chunk)).encode() + b"\n")
    return f"sha256:{whole.hexdigest()}"


def _expect_apart(old: Path, out: Path) -> None:
    if old == out or old in out.parents or out in old.parents:
        raise BadRequest(f"expected a place apart from {old}, saw {out}", _ELSEWHERE)


def _expect_migrated(out: Path, described: Manifest, contents: str) -> tuple[Manifest, str]:
    """The manifest of the index at ``out`` when it is what migrating gives; ``BadRequest`` when it is not."""
    try:
        found = open_index(out).manifest
        seen = _contents(_chunks(open_store(out)))
    except IndexRefused as error:
        message = f"expected nothing at {out}, saw something else: {error.message}"
        raise BadRequest(message, f"remove it, or {_ELSEWHERE}") from error
    if (seen, _carried(found)) != (contents, _carried(described)):
        raise BadRequest(f"expected nothing at {out}, saw another index", f"remove it, or {_ELSEWHERE}")
    return found, seen


def _carried(described: Manifest) -> dict[str, Any]:
    names = ("document_count", "file_count", "languages", "skipped", "content_digest")
    return {name: value for name, value in asdict(described).items() if name in names}


@contextmanager
def _workshop(bench: Path) -> Iterator[tuple[Path, bool]]:
    """A folder to work in alone, and whether a killed migration had left it behind; it is empty, and gone again after.

    The kernel frees the lock of a process that dies.
    """
    bench.mkdir(exist_ok=True)
    handle = os.open(bench, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(handle, bench)
        left = list(bench.iterdir())
        for path in left:
            shutil.rmtree(path)
        try:
            yield bench, bool(left)
        finally:
            shutil.rmtree(bench, ignore_errors=True)
    finally:
        os.close(handle)


def _lock(handle: int, bench: Path) -> None:
    """Takes the folder for this process; one that another process has, or has just removed, is not to be had."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        gone = not bench.exists() or not os.path.samestat(os.fstat(handle), bench.stat())
    except BlockingIOError:
        gone = True
    if gone:
        raise Unavailable(f"another migration works in {bench}", "wait until it has ended, and try again")
