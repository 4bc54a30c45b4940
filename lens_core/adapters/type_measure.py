"""Measures type coverage: mypy over a copy of the tree, with a seeded file, under the project's own configuration."""

import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lens_core.adapters.scanners import laid_out, quiet_environment
from lens_core.supply.line_coverage import below
from lens_core.supply.scan_record import TREE
from lens_core.supply.type_coverage import CANARY, CANARY_PATH, ROOTS, FileTypes, TypeRun, write_types
from lens_core.supply.words import Progress

TIMEOUT_SECONDS = 240.0
"""23 s of computing for 19,400 lines. A cache does not help: reports need every syntax tree anew."""
_ERROR = re.compile(r"^(?P<place>[^:\n]+:\d+): error: .*?(?P<code>\[[\w-]+\])?$", re.MULTILINE)
_ANYS, _LINES = 4, 7
"""Columns of ``any-exprs.txt`` (name, Any, expressions, share) and of ``lineprecision.txt``."""


def measure_types(
    tree: Path,
    progress: Progress,
    command: Sequence[str] = (sys.executable, "-I", "-m", "mypy"),
    *,
    roots: tuple[str, ...] = ROOTS,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> bytes:
    """The record of mypy over the folders ``roots`` of ``tree``; what goes wrong is in it, nothing is raised.

    The record holds no time and no path of this machine. InvalidInput for an empty tree.
    """
    with laid_out(tree) as layout:
        place = layout.root / TREE
        (place / CANARY_PATH).write_text(CANARY, "utf-8")
        reports = layout.root / "reports"
        files = {path: digest for path, digest in layout.source.items() if below(path, roots)}
        progress(f"mypy reads {len(files)} files")
        arguments = ["--cache-dir=/dev/null", "--no-color-output", "--no-pretty", "--show-error-codes"]
        arguments += ["--any-exprs-report", str(reports), "--lineprecision-report", str(reports)]
        folders = [root for root in roots if (place / root).is_dir()]
        try:
            done = subprocess.run(
                [*command, *arguments, *folders, CANARY_PATH],
                cwd=place,
                env=quiet_environment(layout.root / "home"),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=timeout_seconds,
            )
        except subprocess.TimeoutExpired:
            return _problem(f"did not end within {timeout_seconds:g} s")
        except OSError as error:
            return _problem(f"could not be started: {error.strerror}")
        out = done.stdout.decode(errors="replace")
        if done.returncode != 1:  # the canary's error is always there, so 0 is no orderly end
            tail = " ".join((out + done.stderr.decode(errors="replace")).replace(str(layout.root), "").split())[-300:]
            return _problem(f"ended with {done.returncode}, expected 1: {tail}")
        try:
            return write_types(_run(out, reports, files))
        except (OSError, ValueError, KeyError) as error:
            return _problem(f"left no reports that can be read: {type(error).__name__}")


def _run(out: str, reports: Path, files: dict[str, str]) -> TypeRun:
    expressions = {row[0]: (int(row[2]), int(row[1])) for row in _rows(reports / "any-exprs.txt", _ANYS)}
    lines = {row[0]: tuple(int(cell) for cell in row[1:]) for row in _rows(reports / "lineprecision.txt", _LINES)}
    counts = {}
    for path, digest in files.items():
        module = re.sub(r"(/__init__)?\.pyi?$", "", path).replace("/", ".")
        if module in lines:  # a file of comments only has lines and no expression
            total, anys = expressions.get(module, (0, 0))
            _, precise, imprecise, any_lines, _, unanalyzed = lines[module]
            counts[path] = FileTypes(digest, total, anys, precise, imprecise, any_lines, unanalyzed)
    errors = tuple(f"{match['place']}: error: {match['code'] or ''}".rstrip() for match in _ERROR.finditer(out))
    canary = expressions.get(CANARY_PATH.removesuffix(".py"), (0, 0))
    return TypeRun(importlib.metadata.version("mypy"), "", errors, canary[1], counts)


def _rows(report: Path, columns: int) -> list[list[str]]:
    """The rows of one of mypy's text tables, without heading, rules and total."""
    rows = [line.split() for line in report.read_text("utf-8").splitlines()[2:]]
    return [row for row in rows if len(row) == columns and row[0] != "Total"]


def _problem(problem: str) -> bytes:
    return write_types(TypeRun("", problem, (), 0, {}))
