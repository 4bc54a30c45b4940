"""Keeps the line coverage of a test run, bound to the very tree that was tested.

``make test`` calls it twice: ``begin`` before the tests notes what the tree holds, ``end`` after them compares
and writes ``<home>/quality/<git tree id>.json``. A cut of that tree finds it there and need not run ten minutes
of tests again. Nothing is kept when the tree held changes that are not committed, or changed while it was
tested; that is no failure of the tests, so it is said and no more.
"""

import hashlib
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import coverage

from lens_core.adapters.git_source import GitSource
from lens_core.errors import InvalidInput, LensError, Unavailable
from lens_core.supply.line_coverage import ROOTS, FileLines, below, write_coverage

_BEGUN = "begun.json"


@dataclass(frozen=True, slots=True)
class _Tree:
    """What the working tree holds: the git tree of HEAD, whether it differs from it, and path → SHA-256."""

    tree: str
    dirty: bool
    files: dict[str, str]


class CoverageKeeper:
    """Notes and keeps for the repository in ``root``; records lie in ``home``/quality."""

    def __init__(self, root: Path, home: Path) -> None:
        self._root = root
        self._folder = home / "quality"

    def begin(self) -> None:
        """Note the tree before the tests."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / _BEGUN).write_text(json.dumps(asdict(self._tree())), "utf-8")

    def end(self, data_file: Path) -> Path:
        """Write the record from coverage.py's combined data and say where it is.

        InvalidInput when the tree was dirty or changed, Unavailable when there is no data of this run.
        """
        begun = self._folder / _BEGUN
        if not begun.is_file():
            raise Unavailable("the tree was not noted before the tests", "call it with `begin` first")
        if not data_file.is_file() or data_file.stat().st_mtime_ns < begun.stat().st_mtime_ns:
            raise Unavailable(f"expected coverage data of this run in {data_file.name}, saw none", "run the tests")
        before, now = _Tree(**json.loads(begun.read_text("utf-8"))), self._tree()
        begun.unlink()
        if before.dirty or now.dirty:
            raise InvalidInput("the working tree holds changes that are not committed", "commit, and test again")
        if before != now:
            raise InvalidInput("the tree changed while it was tested", "test again")
        target = self._folder / f"{now.tree}.json"
        part = target.with_suffix(".part")
        part.write_bytes(write_coverage(self._lines(data_file, now.files), now.files, coverage.__version__))
        part.replace(target)
        return target

    def find(self, tree: str) -> bytes | None:
        """The record of the git tree ``tree`` (40 hex digits), None when there is none."""
        kept = self._folder / f"{tree}.json"
        return kept.read_bytes() if kept.is_file() else None

    def _lines(self, data_file: Path, files: dict[str, str]) -> dict[str, FileLines]:
        measured = coverage.Coverage(data_file=str(data_file), config_file=str(self._root / "pyproject.toml"))
        measured.load()
        told = {}
        for path, digest in files.items():
            if below(path, ROOTS):
                _, executable, excluded, missing, _ = measured.analysis2(str(self._root / path))
                ran = frozenset(executable) - frozenset(missing)
                told[path] = FileLines(digest, frozenset(executable), ran, frozenset(excluded))
        return told

    def _tree(self) -> _Tree:
        source = GitSource(self._root)
        files = {
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for name in source.files()
            if (path := self._root / name).is_file() and not path.is_symlink()
        }
        return _Tree(source.commit().tree, bool(source.changes()), files)


def main(arguments: list[str]) -> int:
    """``begin`` or ``end``, in the folder of the project; 0 unless called with another word."""
    root = Path.cwd()
    keeper = CoverageKeeper(root, Path(os.environ.get("LENS_HOME") or root / "data" / "home"))
    try:
        match arguments:
            case ["begin"]:
                keeper.begin()
            case ["end"]:
                kept = keeper.end(root / os.environ.get("COVERAGE_FILE", ".coverage"))
                sys.stdout.write(f"coverage: kept for this tree as {kept.name}\n")
            case _:
                sys.stderr.write("expected begin or end\n")
                return InvalidInput.exit_code
    except LensError as error:
        sys.stdout.write(f"coverage: not kept, {error.message} ({error.hint})\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
