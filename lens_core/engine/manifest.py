"""What an index says about itself, and every reason to refuse one.

``manifest.json`` lies inside the index directory and is written last. Opening verifies all of it: an index
that is damaged, foreign, or made by another format, schema or analyzer is refused, because tantivy itself
opens such an index without a word and then answers wrongly or panics.
"""

import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from lens_core.engine import __version__
from lens_core.engine.analyzer import fingerprint
from lens_core.engine.errors import IndexRefused
from lens_core.engine.footer import read_file
from lens_core.engine.store import INDEX_FORMAT, schema_description

MANIFEST_NAME: Final = "manifest.json"
_REBUILD: Final = "build the index again with `lens index DIR`"


@dataclass(frozen=True)
class FileEntry:
    """One file of the index: its size in bytes and the CRC-32 of all its bytes."""

    size_bytes: int
    crc32: int


@dataclass(frozen=True)
class Manifest:
    """The whole manifest; ``files`` maps a path relative to the index to its entry."""

    index_format: int
    engine_version: str
    tantivy_version: str
    analyzer_fingerprint: str
    schema: dict[str, str]
    document_count: int
    file_count: int
    languages: dict[str, int]
    skipped: dict[str, int]
    content_digest: str
    files: dict[str, FileEntry]


def describe(
    directory: Path,
    *,
    document_count: int,
    languages: dict[str, int],
    skipped: dict[str, int],
    content_digest: str,
) -> Manifest:
    """The manifest of an index just built; ``languages`` counts the source files of each language."""
    return Manifest(
        index_format=INDEX_FORMAT,
        engine_version=__version__,
        tantivy_version=version("tantivy"),
        analyzer_fingerprint=fingerprint(),
        schema=schema_description(),
        document_count=document_count,
        file_count=sum(languages.values()),
        languages=dict(sorted(languages.items())),
        skipped=dict(sorted(skipped.items())),
        content_digest=content_digest,
        files={path: _entry(directory / path) for path in _index_files(directory)},
    )


def write(manifest: Manifest, directory: Path) -> None:
    """Writes the manifest into the index directory, keys sorted, so that equal indexes give equal bytes."""
    text = json.dumps(asdict(manifest), indent=1, sort_keys=True) + "\n"
    (directory / MANIFEST_NAME).write_text(text, encoding="utf-8")


def read(directory: Path) -> Manifest:
    """Reads the manifest without verifying the files; ``IndexRefused`` when there is none to read."""
    if not directory.is_dir():
        raise IndexRefused(f"expected an index directory, saw nothing at {directory}", _REBUILD, code="missing")
    try:
        text = (directory / MANIFEST_NAME).read_text(encoding="utf-8")
        data = json.loads(text, object_pairs_hook=_unique)
    except FileNotFoundError as error:
        message = f"expected {MANIFEST_NAME} in {directory}, saw none: this is no index of this engine"
        raise IndexRefused(message, _REBUILD, code="foreign") from error
    except (OSError, ValueError, RecursionError) as error:
        raise IndexRefused(f"{MANIFEST_NAME} cannot be read: {error}", _REBUILD) from error
    return _parse(data)


def verify(directory: Path) -> Manifest:
    """Reads the manifest and checks everything it says; raises ``IndexRefused`` with the first reason."""
    manifest = read(directory)
    _expect("analyzer", "analyzer fingerprint", fingerprint(), manifest.analyzer_fingerprint)
    _expect("schema", "schema", schema_description(), manifest.schema)
    verify_files(directory, manifest)
    return manifest


def verify_files(directory: Path, manifest: Manifest) -> None:
    """Checks that the index has the files that its manifest names, byte for byte; ``IndexRefused`` if not."""
    present = set(_index_files(directory))
    for path in sorted(present | manifest.files.keys()):
        if path not in present:
            raise IndexRefused(f"expected the file {path} in the index, saw none", _REBUILD)
        if path not in manifest.files:
            raise IndexRefused(f"saw the file {path}, which the manifest does not name", _REBUILD)
        _expect_whole(directory, path, manifest.files[path])


def _expect_whole(directory: Path, path: str, entry: FileEntry) -> None:
    """A file as its entry has it, and as its own footer has it: a manifest can be written over damaged files."""
    try:
        seen = read_file(directory / path)
    except OSError as error:
        raise IndexRefused(f"{path} cannot be read: {error}", _REBUILD) from error
    _expect("damaged", f"size and CRC-32 of {path}", entry, FileEntry(seen.size_bytes, seen.crc32))
    if seen.fault:
        raise IndexRefused(f"{path}: {seen.fault}", _REBUILD)


def _parse(data: Any) -> Manifest:
    if not isinstance(data, dict) or not isinstance(data.get("index_format"), int):
        raise IndexRefused(f"{MANIFEST_NAME} names no index_format", _REBUILD, code="foreign")
    seen = data["index_format"]
    if seen > INDEX_FORMAT:
        message = f"expected index format {INDEX_FORMAT}, saw {seen}: a newer engine wrote this index"
        raise IndexRefused(message, f"use the newer engine, or {_REBUILD}", code="newer")
    if seen < INDEX_FORMAT:
        message = f"expected index format {INDEX_FORMAT}, saw {seen}: an older engine wrote this index"
        raise IndexRefused(message, _REBUILD, code="older")
    try:
        files = {path: FileEntry(**entry) for path, entry in data["files"].items()}
        _expect_types(data)
        return Manifest(**{**data, "files": files})
    except (AttributeError, KeyError, TypeError) as error:
        raise IndexRefused(f"{MANIFEST_NAME} has other fields than expected: {error}", _REBUILD) from error


def _expect_types(data: dict[str, Any]) -> None:
    """TypeError for a text, a count, or counts by name that are something else."""
    texts = [data[name] for name in ("engine_version", "tantivy_version", "analyzer_fingerprint", "content_digest")]
    counts = [data["document_count"], data["file_count"], *data["languages"].values(), *data["skipped"].values()]
    texts += data["schema"].values()
    if not all(type(text) is str for text in texts) or not all(type(count) is int and count >= 0 for count in counts):
        raise TypeError("a text or a count is something else")


def _expect(code: str, what: str, expected: object, seen: object) -> None:
    if expected != seen:
        raise IndexRefused(f"{what}: expected {expected}, saw {seen}", _REBUILD, code=code)


def _index_files(directory: Path) -> list[str]:
    """Every file of the index but the manifest itself and tantivy's lock files, sorted."""
    return sorted(
        path.relative_to(directory).as_posix()
        for path in directory.rglob("*")
        if path.is_file() and path.name != MANIFEST_NAME and path.suffix != ".lock"
    )


def _entry(path: Path) -> FileEntry:
    seen = read_file(path)
    return FileEntry(seen.size_bytes, seen.crc32)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of a key that occurs twice nobody can say which one is meant."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key occurs twice")
    return made
