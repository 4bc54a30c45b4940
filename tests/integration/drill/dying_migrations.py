"""Migrates one index again and again, and dies each time at another point: ``OLD FOLDER``, one JSON line a point.

Every death is a process of its own that sends itself SIGKILL: no handler runs, nothing is cleaned up, no
lock is released but by the kernel. The points are enumerated from what a migration that lives reports.
"""

import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from lens_core.engine import manifest
from lens_core.engine.errors import EngineError
from lens_core.engine.migrate import Migration, migrate_index
from lens_core.engine.search import open_index

WRITTEN = 14
"""So many points lie among the chunks, the first and the last included."""


def die() -> None:
    """As with a power cut, but for what the kernel already has."""
    os.kill(os.getpid(), signal.SIGKILL)


def points(old: Path, folder: Path) -> list[str]:
    """20 points: reports of a migration, and the moments around the new manifest and the move into place."""
    seen: list[str] = []
    migrate_index(old, folder / "alive", lambda what, done, _total: seen.append(f"{what} {done}"))
    written = [point for point in seen if point.startswith("written")]
    spread = [written[number * (len(written) - 1) // (WRITTEN - 1)] for number in range(WRITTEN)]
    others = [point for point in seen if point not in written]
    return [*others, *spread, "committed", "described", "moving"]


def dying(old: Path, out: Path, point: str) -> None:
    """Migrates until ``point``."""
    if point == "committed":
        manifest.describe = lambda *_args, **_named: die()
    if point == "described":
        write = manifest.write
        manifest.write = lambda *given: (write(*given), die())
    if point == "moving":
        Path.rename = lambda *_args: die()  # type: ignore[method-assign]
    migrate_index(old, out, lambda what, done, _total: die() if f"{what} {done}" == point else None)


def in_a_process(work: Callable[[], None]) -> int:
    """The signal that ended it, 0 for none."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


def digest(folder: Path) -> str:
    """Over the names, bytes and moments of change of everything in it."""
    whole = hashlib.sha256()
    for path in sorted([folder, *folder.rglob("*")]):
        content = path.read_bytes() if path.is_file() else b""
        whole.update(f"{path}\0{path.stat().st_mtime_ns}\0".encode() + content)
    return whole.hexdigest()


def refusal(out: Path) -> str:
    """Why the engine does not answer from what lies there; "" when it does."""
    try:
        open_index(out)
    except EngineError as error:
        return str(getattr(error, "code", error))
    return ""


def seen_at(old: Path, out: Path, point: str) -> dict[str, object]:
    """What one death leaves behind, and what migrating again makes of it."""
    before = digest(old)
    ended_by = in_a_process(lambda: dying(old, out, point))
    left = {"signal": ended_by, "old_untouched": digest(old) == before, "refusal": refusal(out)}
    again: Migration = migrate_index(old, out)
    return {
        "point": point, **left, "restarted": again.restarted, "already": again.already, "contents": again.contents,
        "answers": refusal(out) == "", "old_still_untouched": digest(old) == before,
        "leftovers": sorted(path.name for path in out.parent.iterdir() if path.name.startswith(".")),
    }  # fmt: skip


def main(old: Path, folder: Path) -> None:
    """Each point in a folder of its own."""
    for number, point in enumerate(points(old, folder)):
        place = folder / str(number)
        place.mkdir()
        sys.stdout.write(json.dumps(seen_at(old, place / "new", point)) + "\n")
        sys.stdout.flush()  # before the next fork, which would repeat it


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
