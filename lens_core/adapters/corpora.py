"""Keeps the corpora: downloads and checks their archives, unpacks them, and serves what is derived from them.

Everything lies below one cache folder, and each thing appears there whole or not at all::

    archives/<filename>           verified archive        (<filename>.part: a download to be resumed)
    trees/<slice>-<key>/tree/     the published sources   (key: archives, rules)
    trees/<slice>-<key>/DIGEST    the digest of the tree
    stripped/<slice>-<key>/…      likewise, without documentation; this is what is indexed

A tree is read and compared with its digest whenever it is asked for; one that differs is made anew.
"""

import fcntl
import gzip
import hashlib
import json
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lens_core.adapters.archives import unpack
from lens_core.adapters.package_index import PackageIndex
from lens_core.catalogue import belongs, folder_of
from lens_core.errors import IntegrityError, LensError, Unavailable
from lens_core.model import Archive, Corpus, Definition, Digest
from lens_core.questions import PER_CLASS, HeldOut, QuestionSet, SourceFile, derive_questions, held_out
from lens_core.truth import (
    TRUTH_RULES_VERSION,
    FileTruth,
    Oracle,
    parse_oracle,
    read_python,
    read_script,
    strip,
)

TREE_RULES_VERSION = 1
"""Counted up when other files are taken out of an archive, or are put elsewhere."""
MAX_ARCHIVE_BYTES = 256 * 1024**2
"""The largest pinned archive has 45 MB; a download that goes on past this is not one of them."""
PARALLEL = 4
"""Downloads at once: enough to fill a usual line, and few enough to be a polite client."""

_FETCH = "fetch the corpora once while online: lens corpora fetch"


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """How far one archive is, in bytes; ``total_bytes`` is None while the server has not said."""

    slice: str
    filename: str
    done_bytes: int
    total_bytes: int | None


@dataclass(frozen=True, slots=True)
class FetchReport:
    """What a fetch did: file names of archives by what became of them, and by slice what went wrong."""

    downloaded: tuple[str, ...]
    cached: tuple[str, ...]
    errors: Mapping[str, LensError]

    def raise_first(self) -> None:
        """Raise the first error, in catalogue order; nothing if all archives are there."""
        for error in self.errors.values():
            raise error


class Source(Protocol):
    """Where archives come from; ``PackageIndex`` is the real one."""

    def locate(self, archive: Archive) -> str:
        """The address of an archive; Unavailable if it has none."""

    def download(self, archive: Archive, url: str, part: Path, on_bytes: Callable[[int, int | None], None]) -> None:
        """Complete the file ``part`` from ``url``."""


class CorpusStore:
    """The corpora in a cache folder, with the committed definitions of their scripts.

    All methods but ``fetch`` work offline and raise Unavailable for an archive that was not fetched.
    """

    def __init__(self, cache: Path, definitions: Path, source: Source | None = None) -> None:
        self._archives = cache / "archives"
        self._trees = cache / "trees"
        self._stripped = cache / "stripped"
        self._definitions = definitions
        self._source = source or PackageIndex()

    def fetch(
        self,
        corpora: Sequence[Corpus],
        *,
        on_progress: Callable[[FetchProgress], None] | None = None,
        offline: bool = False,
    ) -> FetchReport:
        """Make sure that the archives of ``corpora`` are in the cache, with the digests that are pinned.

        What is missing or damaged is downloaded, four at a time, going on where an earlier download ended.
        One corpus's failure stops no other: it stands in the report's ``errors``, by slice. ``on_progress``
        is called from other threads, one call at a time. With ``offline`` nothing is downloaded. A second
        fetch into the same cache waits for the first.
        """
        self._archives.mkdir(parents=True, exist_ok=True)
        fetching = _Fetching(self._source, self._archives, on_progress, offline=offline)
        jobs = [(corpus, archive) for corpus in corpora for archive in corpus.archives]
        with _alone(self._archives.with_name(".archives.lock")), ThreadPoolExecutor(PARALLEL) as pool:
            futures = {pool.submit(fetching.fetch, *job): job for job in jobs}
            try:
                for future in as_completed(futures):
                    future.exception()
            except BaseException:  # Ctrl-C: what has not begun never does, what runs stops at its next bytes
                fetching.stopped.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        downloaded: list[str] = []
        cached: list[str] = []
        errors: dict[str, LensError] = {}
        for future, (corpus, archive) in futures.items():
            error = future.exception()
            if isinstance(error, LensError):
                errors.setdefault(str(corpus.slice), error)
            elif error is not None:
                raise error
            else:
                (downloaded if future.result() else cached).append(archive.filename)
        return FetchReport(tuple(downloaded), tuple(cached), errors)

    def sources(self, corpus: Corpus) -> Path:
        """The folder with the corpus's source files as published. IntegrityError for an unsafe archive."""
        return self._source_tree(corpus)[0]

    def stripped(self, corpus: Corpus) -> Path:
        """The folder with the same files, documentation blanked: what the engine under test may index."""
        return self._stripped_tree(corpus)[0]

    def tree_digest(self, corpus: Corpus) -> Digest:
        """Over the stripped tree: its files' paths and digests, as ``digest_of_tree`` says."""
        return digest_of_tree(self._stripped_tree(corpus)[1])

    def definitions(self, corpus: Corpus) -> tuple[Definition, ...]:
        """All definitions of the corpus, by place."""
        return tuple(sorted(item.definition for file in self._files(corpus) for item in file.documented))

    def questions(self, corpus: Corpus, seed: int, per_class: int = PER_CLASS) -> QuestionSet:
        """Questions with known answers, at most ``per_class`` of each class; a second or three for a large one."""
        return derive_questions(self._files(corpus), seed, per_class)

    def held_out(self, corpus: Corpus, seed: int, count: int) -> tuple[HeldOut, ...]:
        """At most ``count`` sentences that no index of the stripped tree can have seen."""
        return held_out(self._files(corpus), seed, count)

    def _source_tree(self, corpus: Corpus) -> "_Tree":
        def make(folder: Path) -> None:
            for archive in corpus.archives:
                file = self._verified(corpus, archive)
                target = folder / folder_of(archive) if len(corpus.archives) > 1 else folder
                target.mkdir(exist_ok=True)
                if unpack(file, target, lambda path: belongs(corpus, path)) == 0:
                    raise IntegrityError(
                        f"{corpus.slice}: {archive.filename} has no source file in {', '.join(corpus.include)}",
                        "correct the corpus's `include` in data/slices.toml",
                    )

        return _made_tree(self._trees / _tree_key(corpus), make)

    def _stripped_tree(self, corpus: Corpus) -> "_Tree":
        committed = self._definitions / f"{corpus.slice.slug}.json.gz"
        oracle = committed.read_bytes() if committed.is_file() else b""
        key = _key(TRUTH_RULES_VERSION, _tree_key(corpus), hashlib.sha256(oracle).hexdigest())

        def make(folder: Path) -> None:
            for file in self._files(corpus):
                place = folder / file.path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(file.stripped.encode())

        return _made_tree(self._stripped / f"{corpus.slice.slug}-{key}", make)

    def _files(self, corpus: Corpus) -> list[SourceFile]:
        contents = self._source_tree(corpus)[1]
        oracle = self._oracle(corpus, contents)
        files = []
        for path, content in contents.items():
            text = _decode(path, content)
            truth = _truth(path, text, oracle)
            files.append(SourceFile(path, text, strip(text, truth.documentation_spans), truth.documented))
        return files

    def _oracle(self, corpus: Corpus, paths: Mapping[str, bytes]) -> Oracle:
        scripts = {path for path in paths if not path.endswith(".py")}
        if not scripts:
            return Oracle(TRUTH_RULES_VERSION, {}, {})
        committed = self._definitions / f"{corpus.slice.slug}.json.gz"
        try:
            oracle = parse_oracle(gzip.decompress(committed.read_bytes()).decode())
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise IntegrityError(
                f"{corpus.slice}: the committed definitions {committed.name} cannot be read ({error})",
                "restore data/definitions from version control",
            ) from error
        archives = {archive.filename: archive.sha256 for archive in corpus.archives}
        if oracle.archives != archives or set(oracle.files) != scripts or oracle.rules != TRUTH_RULES_VERSION:
            raise IntegrityError(
                f"{corpus.slice}: {committed.name} was made from other archives, files or rules than are pinned",
                "make it anew with data/definitions/make.py, and review the difference",
            )
        return oracle

    def _verified(self, corpus: Corpus, archive: Archive) -> Path:
        path = self._archives / archive.filename
        if not path.is_file():
            raise _not_fetched(corpus, archive)
        _check(corpus, archive, path)
        return path


class _Fetching:
    """What the threads of one fetch share."""

    def __init__(
        self,
        source: Source,
        folder: Path,
        on_progress: Callable[[FetchProgress], None] | None,
        *,
        offline: bool,
    ) -> None:
        self.stopped = threading.Event()
        self._source = source
        self._folder = folder
        self._on_progress = on_progress
        self._offline = offline
        self._lock = threading.Lock()

    def fetch(self, corpus: Corpus, archive: Archive) -> bool:
        """Make sure of one archive; True if it had to be downloaded."""
        place = self._folder / archive.filename
        if place.is_file():
            if _sha256(place) == archive.sha256:
                return False
            if self._offline:
                _check(corpus, archive, place)
        if self._offline:
            raise _not_fetched(corpus, archive)
        try:
            self._download(corpus, archive, place)
        except Unavailable as error:
            raise Unavailable(f"{corpus.slice}: {error.message}", error.hint) from error
        return True

    def _download(self, corpus: Corpus, archive: Archive, place: Path) -> None:
        def report(done: int, total: int | None) -> None:
            if self.stopped.is_set():
                raise Unavailable(f"{archive.filename}: the download was stopped", "run it again to go on with it")
            if done > MAX_ARCHIVE_BYTES:
                raise IntegrityError(
                    f"{corpus.slice}: the download of {archive.filename} goes on past {MAX_ARCHIVE_BYTES:,} bytes",
                    "find out what the registry serves in its place before you trust it",
                )
            if self._on_progress:
                with self._lock:
                    self._on_progress(FetchProgress(str(corpus.slice), archive.filename, done, total))

        part = place.with_name(place.name + ".part")
        url = self._source.locate(archive)
        resumed = part.exists()
        try:
            self._source.download(archive, url, part, report)
            if resumed and _sha256(part) != archive.sha256:  # the beginning was of something else
                part.unlink()
                self._source.download(archive, url, part, report)
            _check(corpus, archive, part)
        except IntegrityError:
            part.unlink(missing_ok=True)  # going on from wrong bytes would never give the right ones
            raise
        part.replace(place)


def digest_of_tree(files: Mapping[str, bytes]) -> Digest:
    r"""SHA-256 over ``<path>\0<sha256 hex of its bytes>\n`` of each file, sorted by path.

    The engine under test reports the same of what it has indexed.
    """
    whole = hashlib.sha256()
    for path in sorted(files):
        whole.update(f"{path}\0{hashlib.sha256(files[path]).hexdigest()}\n".encode())
    return Digest(f"sha256:{whole.hexdigest()}")


_Tree = tuple[Path, dict[str, bytes]]
"""A verified tree: its folder, and the very bytes that were verified, by path."""


def _made_tree(place: Path, make: Callable[[Path], None]) -> _Tree:
    found = _whole_tree(place)
    if found:
        return found
    place.parent.mkdir(parents=True, exist_ok=True)
    with (
        _alone(place.parent.with_name(f".{place.parent.name}.lock")),
        tempfile.TemporaryDirectory(prefix=".making-", dir=place.parent) as scratch,
    ):
        found = _whole_tree(place)  # somebody else may have made it while this one waited
        if found:
            return found
        new = Path(scratch) / "new"
        (new / "tree").mkdir(parents=True)
        make(new / "tree")
        (new / "DIGEST").write_text(f"{digest_of_tree(_contents(new / 'tree'))}\n", encoding="ascii")
        if place.exists():
            place.replace(Path(scratch) / "old")
        new.replace(place)
    found = _whole_tree(place)
    if not found:
        raise Unavailable(f"the tree {place.name} changed while it was made", "let nothing else write to the cache")
    return found


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait until no other thread or process is in here; the kernel frees the lock of one that dies."""
    with lock.open("w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _whole_tree(place: Path) -> _Tree | None:
    try:
        expected = (place / "DIGEST").read_text(encoding="ascii").strip()
        contents = _contents(place / "tree")
    except (OSError, UnicodeDecodeError):
        return None
    return (place / "tree", contents) if str(digest_of_tree(contents)) == expected else None


def _contents(tree: Path) -> dict[str, bytes]:
    files = (path for path in tree.rglob("*") if path.is_file())
    return {path.relative_to(tree).as_posix(): path.read_bytes() for path in sorted(files)}


def _truth(path: str, text: str, oracle: Oracle) -> FileTruth:
    return read_python(path, text) if path.endswith(".py") else read_script(text, oracle.files[path])


def _decode(path: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise IntegrityError(f"{path} is not UTF-8 text ({error})", "leave it out in data/slices.toml") from error


def _tree_key(corpus: Corpus) -> str:
    content = [[archive.sha256, folder_of(archive)] for archive in corpus.archives]
    rules = [corpus.slice.language.value, corpus.include, corpus.exclude]
    return f"{corpus.slice.slug}-{_key(TREE_RULES_VERSION, content, rules)}"


def _key(*content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _check(corpus: Corpus, archive: Archive, path: Path) -> None:
    seen = _sha256(path)
    if seen != archive.sha256:
        raise IntegrityError(
            f"{corpus.slice}: {archive.filename}: expected sha256 {archive.sha256}, saw {seen}",
            "remove it from the cache and fetch again; if it still differs, the registry serves other bytes "
            "than were pinned: find out why before you trust it",
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _not_fetched(corpus: Corpus, archive: Archive) -> Unavailable:
    return Unavailable(f"{corpus.slice}: {archive.filename} is not in the cache", _FETCH)
