"""The slice catalogue: which real repository stands for which slice, pinned by digest.

``data/slices.toml`` is parsed here and nowhere else. The catalogue names archives (ecosystem, name,
version, file name, sha256) and never a place to download them from.
"""

import hashlib
import itertools
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lens_core.errors import InvalidInput
from lens_core.model import Archive, Corpus, Digest, Language, RepoType, Size, Slice

FORMAT = 1
ECOSYSTEMS = ("pypi", "npm")
ARCHIVE_SUFFIXES = (".whl", ".tar.gz", ".tgz")

_PYTHON = (".py",)
_TYPESCRIPT = (".ts", ".tsx", ".mts", ".cts")
_JAVASCRIPT = (".js", ".jsx", ".mjs", ".cjs")
SUFFIXES = {
    Language.PYTHON: _PYTHON,
    Language.TYPESCRIPT: _TYPESCRIPT,
    Language.JAVASCRIPT: _JAVASCRIPT,
    Language.MIXED: (*_PYTHON, *_TYPESCRIPT, *_JAVASCRIPT, ".svelte"),
}
"""What a source file of a corpus is called, by the corpus's language."""
DECLARATIONS = (".d.ts", ".d.mts", ".d.cts")
"""Type declarations without code; no corpus has them, as there is nothing in them to find."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The corpora in the order in which the catalogue lists them, one for each slice."""

    corpora: tuple[Corpus, ...]

    @property
    def digest(self) -> Digest:
        """Over everything that decides which files a corpus has; notes are for people and do not count."""
        content = json.dumps([_canonical(corpus) for corpus in self.corpora], sort_keys=True)
        return Digest(f"sha256:{hashlib.sha256(content.encode()).hexdigest()}")

    def select(
        self, repo_types: Sequence[str] = (), languages: Sequence[str] = (), sizes: Sequence[str] = ()
    ) -> tuple[Corpus, ...]:
        """The corpora that have one of the given values in each dimension, in catalogue order.

        An empty sequence does not restrict. InvalidInput when a word is unknown, or when a combination
        of the given words matches no corpus: a slice that was asked for is never silently absent.
        """
        chosen = (
            _known(repo_types, [item.value for item in RepoType], "repository type"),
            _known(languages, [item.value for item in Language], "language"),
            _known(sizes, [item.value for item in Size], "size"),
        )
        for wanted in itertools.product(*(words or ("*",) for words in chosen)):
            if not any(_matches(corpus.slice, wanted) for corpus in self.corpora):
                existing = ", ".join(str(corpus.slice) for corpus in self.corpora)
                raise InvalidInput(
                    f"no corpus stands for {'/'.join(wanted)}",
                    f"the catalogue has {existing}; leave out one of the words",
                )
        return tuple(
            corpus
            for corpus in self.corpora
            if all(not words or value in words for words, value in zip(chosen, _values(corpus.slice), strict=True))
        )


def parse_catalogue(text: str) -> Catalogue:
    """Read the text of ``slices.toml``; InvalidInput says which entry is wrong, and how."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"the slice catalogue is not TOML: {error}", "correct data/slices.toml") from error
    if document.get("format") != FORMAT:
        raise _wrong("the catalogue", f"expected format = {FORMAT}, saw {document.get('format')!r}")
    entries = document.get("corpus")
    if not isinstance(entries, list) or not entries:
        raise _wrong("the catalogue", "expected at least one [[corpus]]")
    catalogue = Catalogue(tuple(_corpus(entry, f"corpus {n}") for n, entry in enumerate(entries, start=1)))
    _unique([str(corpus.slice) for corpus in catalogue.corpora], "slice")
    _unique([item.filename for corpus in catalogue.corpora for item in corpus.archives], "archive file name")
    return catalogue


def belongs(corpus: Corpus, path: str) -> bool:
    """True if the file at ``path`` (inside its unpacked archive, with "/") is part of ``corpus``."""
    folders = path.split("/")[:-1]
    inside = any(include == "" or path.startswith(include + "/") for include in corpus.include)
    named = path.endswith(SUFFIXES[corpus.slice.language]) and not path.endswith(DECLARATIONS)
    return inside and named and not set(folders) & set(corpus.exclude)


def _corpus(entry: object, where: str) -> Corpus:
    table = _table(entry, where, {"slice", "name", "version", "licence", "archive", "include", "exclude", "note"})
    try:
        slice_ = Slice.parse(_text(table, "slice", where))
    except ValueError as error:
        raise _wrong(where, f"slice: {error}") from error
    where = f"corpus {slice_}"
    archives = table.get("archive")
    if not isinstance(archives, list) or not archives:
        raise _wrong(where, "expected at least one [[corpus.archive]]")
    include = _folders(table, "include", where)
    if not include:
        raise _wrong(where, 'include: expected at least one folder ("" is all of the archive)')
    corpus = Corpus(
        slice=slice_,
        name=_text(table, "name", where),
        version=_text(table, "version", where),
        licence=_text(table, "licence", where),
        archives=tuple(_archive(item, where) for item in archives),
        include=include,
        exclude=_folders(table, "exclude", where),
        note=_text(table, "note", where) if "note" in table else "",
    )
    _unique([folder_of(archive) for archive in corpus.archives], f"folder in {where}")
    return corpus


def folder_of(archive: Archive) -> str:
    """The folder that an archive is unpacked to when a corpus has several: its name without its scope."""
    return archive.name.rsplit("/", maxsplit=1)[-1]


def _archive(entry: object, where: str) -> Archive:
    table = _table(entry, f"an archive of {where}", {"ecosystem", "name", "version", "filename", "sha256"})
    archive = Archive(**{key: _text(table, key, where) for key in Archive.__dataclass_fields__})
    if archive.ecosystem not in ECOSYSTEMS:
        raise _wrong(where, f"ecosystem: expected one of {', '.join(ECOSYSTEMS)}, saw {archive.ecosystem!r}")
    if not _SHA256.fullmatch(archive.sha256):
        raise _wrong(where, f"sha256 of {archive.filename}: expected 64 hex digits, saw {archive.sha256!r}")
    if not _FILENAME.fullmatch(archive.filename) or not archive.filename.endswith(ARCHIVE_SUFFIXES):
        raise _wrong(where, f"filename: expected a plain {', '.join(ARCHIVE_SUFFIXES)} name, saw {archive.filename!r}")
    return archive


def _table(entry: object, where: str, keys: set[str]) -> Mapping[str, Any]:
    if not isinstance(entry, dict):
        raise _wrong(where, f"expected a table, saw {entry!r}")
    if unknown := sorted(set(entry) - keys):
        raise _wrong(where, f"unknown key {unknown[0]!r}; known are {', '.join(sorted(keys))}")
    return entry


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise _wrong(where, f"{key}: expected a text, saw {value!r}")
    return value


def _folders(table: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong(where, f"{key}: expected a list of folders, saw {value!r}")
    for folder in value:
        if folder.startswith("/") or folder.endswith("/") or ".." in folder.split("/"):
            raise _wrong(where, f"{key}: expected a folder inside the archive such as 'src', saw {folder!r}")
    return tuple(value)


def _unique(values: Sequence[str], what: str) -> None:
    for value in values:
        if values.count(value) > 1:
            raise _wrong("the catalogue", f"{what} {value!r} stands more than once")


def _known(words: Sequence[str], known: Sequence[str], what: str) -> tuple[str, ...]:
    for word in words:
        if word not in known:
            raise InvalidInput(f"unknown {what} {word!r}", f"known are {', '.join(known)}")
    return tuple(words)


def _values(slice_: Slice) -> tuple[str, str, str]:
    return slice_.repo_type.value, slice_.language.value, slice_.size.value


def _matches(slice_: Slice, wanted: Sequence[str]) -> bool:
    return all(word in ("*", value) for word, value in zip(wanted, _values(slice_), strict=True))


def _canonical(corpus: Corpus) -> dict[str, object]:
    return {
        "slice": str(corpus.slice),
        "name": corpus.name,
        "version": corpus.version,
        "licence": corpus.licence,
        "include": corpus.include,
        "exclude": corpus.exclude,
        "archives": [[item.ecosystem, item.name, item.version, item.filename, item.sha256] for item in corpus.archives],
    }


def _wrong(where: str, what: str) -> InvalidInput:
    return InvalidInput(f"{where}: {what}", "correct data/slices.toml")
