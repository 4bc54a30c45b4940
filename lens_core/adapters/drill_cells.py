"""The cells that put one index before two engines: each works on copies, and notes what both said, step by step.

The judge of each stands in ``lens_core.drills.engine_judges``. Nothing here decides anything, and nothing that
changes from run to run (times, places, names of segments) goes into the facts.
"""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lens_core.drills.ports import Case, Cell, Engine, Facts
from lens_core.supply.words import Progress

WRITTEN = 5
"""Documents that are written where a merge is not wanted."""
MOST_WRITTEN = 24
"""Documents that are written at most until all segments are one; tantivy merges eight of like size."""
_KILL_AT = (0.75, 0.5, 0.25)
"""At which share of a whole migration's time one is broken off, until one was not over by then."""


@dataclass(frozen=True, slots=True)
class EngineCell:
    """Keeps the ``Cell`` port with a function."""

    name: str
    look: Callable[[Case, Progress], Facts]

    def observe(self, case: Case, progress: Progress) -> Facts:
        """See ``Cell``."""
        return self.look(case, progress)


def folder_digest(folder: Path) -> str:
    """``sha256:…`` over the names and bytes of all files but tantivy's locks."""
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return f"sha256:{whole.hexdigest()}"


def read(case: Case, _progress: Progress) -> Facts:
    """The candidate opens and reads, and should leave every byte as it was."""
    index, old = _copy(case, "read"), case.old_engine()
    old_contents, before = old.ask("contents", index=_pristine(case)), folder_digest(index)
    steps = {
        "old_contents": old_contents,
        "new_contents": case.new.ask("contents", index=index),
        "new_answers": _answers(case.new, index, case, few=True),
    }
    return {"steps": steps, "folder_before": before, "folder_after": folder_digest(index)}


def query_parity(case: Case, _progress: Progress) -> Facts:
    """Both versions answer the golden questions from the same bytes."""
    given = case.old_index.answers
    old = given if given is not None and case.old is None else _answers(case.old_engine(), _pristine(case), case)
    return {"steps": {"old_answers": old, "new_answers": _answers(case.new, _copy(case, "asked"), case)}}


def write(case: Case, _progress: Progress) -> Facts:
    """The candidate writes a few documents into a copy."""
    return _written(case, commits=WRITTEN, merged=False)


def merge(case: Case, _progress: Progress) -> Facts:
    """The candidate writes into a copy until all segments are merged into one."""
    return _written(case, commits=MOST_WRITTEN, merged=True)


def migrate(case: Case, progress: Progress) -> Facts:
    """The candidate migrates, is killed at it and resumes; both are held against a native build."""
    index, fresh, resumed = _copy(case, "old"), case.scratch / "migrated", case.scratch / "resumed"
    before, old_contents = folder_digest(index), case.old_engine().ask("contents", index=_pristine(case))
    progress("migrating")
    whole = case.new.run("migrate", str(index), "--out", str(fresh))
    seconds, broken_off = whole.pop("seconds"), False
    for share in _KILL_AT if whole["exit_code"] == 0 else ():
        progress("migrating, and killed at it")
        broken_off = case.new.run("migrate", str(index), "--out", str(resumed), kill_after_s=share * seconds)["killed"]
        if broken_off:
            break
        shutil.rmtree(resumed, ignore_errors=True)
    again = case.new.run("migrate", str(index), "--out", str(resumed))
    del again["seconds"]
    native = _native(case, progress)
    steps = {
        "old_contents": old_contents,
        "new_contents": case.new.ask("contents", index=fresh),
        "new_answers": _answers(case.new, fresh, case),
        "resumed_contents": case.new.ask("contents", index=resumed),
        "native_contents": case.new.ask("contents", index=native or index),
        "native_answers": _answers(case.new, native or index, case),
    }
    facts: Facts = {"steps": steps, "migrated": whole, "resumed": again, "interrupted": broken_off}
    return facts | {"native": native is not None, "folder_before": before, "folder_after": folder_digest(index)}


def rollback(case: Case, _progress: Progress) -> Facts:
    """The candidate writes into one copy; the old version comes back to it, and to the copy that was left alone."""
    old, written, untouched = case.old_engine(), _copy(case, "written"), _copy(case, "untouched")
    before = folder_digest(untouched)
    steps = {
        "old_contents": old.ask("contents", index=_pristine(case)),
        "old_answers": _answers(old, _pristine(case), case),
        "new_append": case.new.ask("append", index=written, first=0, commits=1),
        # One commit is enough to lock the old version out; the engine itself answers from one segment only.
        "back_contents": old.ask("contents", index=written),
        "new_merge": case.new.ask("append", index=written, first=1, commits=MOST_WRITTEN, merged=True),
        "back_answers": _answers(old, written, case),
        "copy_contents": old.ask("contents", index=untouched),
        "copy_answers": _answers(old, untouched, case),
    }
    return {"steps": steps, "copy_before": before, "copy_after": folder_digest(untouched)}


def roll_forward(case: Case, _progress: Progress) -> Facts:
    """The old version, back again, writes; the candidate takes over once more.

    Where the old version cannot open what the candidate wrote, it goes on with the copy, and so does the candidate.
    """
    old, written, untouched = case.old_engine(), _copy(case, "written"), _copy(case, "untouched")
    first = case.new.ask("append", index=written, first=0, commits=1)
    appended = old.ask("append", index=written, first=1, commits=WRITTEN)
    in_place = bool(appended["ok"])
    if not in_place:
        appended = old.ask("append", index=untouched, first=1, commits=WRITTEN)
    index = written if in_place else untouched
    steps = {
        "old_contents": old.ask("contents", index=_pristine(case)),
        "old_append": appended,
        "new_contents": case.new.ask("contents", index=index),
    }
    before = first["said"]["commits"] if in_place else 0
    return {"steps": steps, "path": "in_place" if in_place else "copy_first", "appended_before": before}


def analyzer(case: Case, _progress: Progress) -> Facts:
    """Both versions make tokens of one text, and name their analyzer."""
    index = _pristine(case)
    steps = {"old_analyzer": case.old_engine().ask("analyzer", index=index)}
    return {"steps": steps | {"new_analyzer": case.new.ask("analyzer", index=index)}}


ENGINE_CELLS: Sequence[Cell] = tuple(
    EngineCell(look.__name__, look)
    for look in (read, query_parity, write, merge, migrate, rollback, roll_forward, analyzer)
)
"""The cells of this module."""


def _written(case: Case, *, commits: int, merged: bool) -> Facts:
    index, pristine = _copy(case, "written"), _pristine(case)
    before = folder_digest(pristine)
    steps = {
        "old_contents": case.old_engine().ask("contents", index=pristine),
        "new_append": case.new.ask("append", index=index, first=0, commits=commits, merged=merged),
        "new_contents": case.new.ask("contents", index=index),
    }
    return {"steps": steps, "folder_before": before, "folder_after": folder_digest(pristine)}


def _native(case: Case, progress: Progress) -> Path | None:
    """What the candidate builds of the same sources; None where these are not here."""
    if case.old_index.tree is None:
        return None
    progress("building natively")
    native = case.scratch / "native"
    case.new.ask("build", source=case.old_index.tree, index=native)
    return native


def _answers(engine: Engine, index: Path, case: Case, *, few: bool = False) -> Facts:
    questions = case.old_index.questions[: 1 if few else None]
    return engine.ask("answers", index=index, questions=list(questions), keep=case.keep)


def _pristine(case: Case) -> Path:
    """The old index itself, which its own version may read and nobody may write."""
    return case.old_index.index


def _copy(case: Case, name: str) -> Path:
    copy = case.scratch / name
    shutil.copytree(case.old_index.index, copy)
    return copy
