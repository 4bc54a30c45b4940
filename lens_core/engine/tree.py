"""Which files of a directory are read, which are passed over and why, and one digest of them all."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lens_core.engine.errors import BadRequest
from lens_core.engine.languages import language_of

MAX_FILE_BYTES: Final = 2 * 1024 * 1024
_SKIPPED_DIRECTORIES: Final = frozenset({"node_modules", "__pycache__"})


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to index: its path relative to the root with ``/`` between, and its very bytes."""

    path: str
    content: bytes


@dataclass
class Skipped:
    """How many files were passed over, by reason.

    Reasons: ``too_big`` (over 2 MiB), ``binary`` (a NUL byte), ``not_utf8``, ``symlink``, ``unreadable``,
    ``other_language``.
    """

    reasons: Counter[str] = field(default_factory=Counter)


def source_files(root: Path, skipped: Skipped) -> Iterator[SourceFile]:
    """The readable source files under ``root``, sorted by path; the others are counted in ``skipped``.

    Hidden directories, ``node_modules`` and ``__pycache__`` are not entered, symbolic links not followed.
    Raises ``BadRequest`` when ``root`` is no directory.
    """
    if not root.is_dir():
        raise BadRequest(f"expected a directory to index, saw {root}", "name an existing directory")
    for relative in sorted(_candidates(root, skipped)):
        content = _read(root / relative, skipped)
        if content is not None:
            yield SourceFile(relative, content)


def _candidates(root: Path, skipped: Skipped) -> Iterator[str]:
    for directory, subdirectories, names in os.walk(root, followlinks=False):
        subdirectories[:] = [
            name for name in subdirectories if name not in _SKIPPED_DIRECTORIES and not name.startswith(".")
        ]
        for name in names:
            path = Path(directory, name)
            if language_of(name) is None:
                skipped.reasons["other_language"] += 1
            elif path.is_symlink():
                skipped.reasons["symlink"] += 1
            elif not _encodable(path.relative_to(root).as_posix()):
                skipped.reasons["not_utf8"] += 1
            else:
                yield path.relative_to(root).as_posix()


def _encodable(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:  # a file name that is no UTF-8
        return False
    return True


def _read(path: Path, skipped: Skipped) -> bytes | None:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            skipped.reasons["too_big"] += 1
            return None
        content = path.read_bytes()
    except OSError:
        skipped.reasons["unreadable"] += 1
        return None
    if b"\0" in content:
        skipped.reasons["binary"] += 1
        return None
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        skipped.reasons["not_utf8"] += 1
        return None
    return content


def content_digest(digests: Iterable[tuple[str, str]]) -> str:
    r"""One digest of all indexed files, for anybody to recompute.

    ``digests`` pairs each relative POSIX path with the lower-case hexadecimal sha256 of the file's bytes.
    The result is ``"sha256:"`` + the hexadecimal sha256 over the UTF-8 lines ``{path}\0{hex}\n``, sorted
    by path (by code point).
    """
    total = hashlib.sha256()
    for path, digest in sorted(digests):
        total.update(f"{path}\0{digest}\n".encode())
    return "sha256:" + total.hexdigest()
