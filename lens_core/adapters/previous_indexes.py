"""The archived indexes of previous versions: what an old engine really wrote, with its source and its own answers."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from lens_core.adapters.archives import unpack
from lens_core.drills.previous import Previous
from lens_core.errors import IntegrityError


@dataclass(frozen=True, slots=True)
class ArchivedIndex:
    """An unpacked archive: ``index`` as the old version wrote it, the source ``tree`` that it indexed.

    ``golden`` is JSON: ``{"questions": [{"id", "query", "limit", "offset", "language", "symbols", "glob"}],
    "answers": [{"total", "hits": [[path, start_line, end_line, symbol, kind, language, score]]}]}``, one
    answer for each question, in their order, by the old version on its own tantivy.
    """

    index: Path
    tree: Path
    golden: Path


def unpack_archived(data: Path, previous: Previous, target: Path) -> ArchivedIndex:
    """Unpacks the archive of ``previous`` in the folder ``data`` into the new folder ``target``.

    IntegrityError when it is not the archive that is pinned, is unsafe to unpack, or lacks a part.
    """
    archive = data / previous.index
    seen = hashlib.sha256(archive.read_bytes()).hexdigest() if archive.is_file() else "no file"
    if seen != previous.index_sha256:
        raise IntegrityError(
            f"{previous.index}: expected sha256 {previous.index_sha256}, saw {seen}", "restore the file that was pinned"
        )
    unpack(archive, target, lambda _path: True)
    found = ArchivedIndex(target / "index", target / "tree", target / "golden.json")
    if not (found.index.is_dir() and found.tree.is_dir() and found.golden.is_file()):
        raise IntegrityError(f"{previous.index} lacks index/, tree/ or golden.json", "see data/previous/make.py")
    return found
