"""Type coverage of the source: a record of mypy's own reports → one Answer.

Type coverage is the share of expressions whose type mypy knows to be something other than ``Any``; a line
that it does not analyse counts as one ``Any``. That is mypy's ``--any-exprs-report``, and what "type coverage"
means elsewhere (TypeScript's ``type-coverage``). Beside it stands, ungated, the stricter share of code lines in
which no type has ``Any`` anywhere inside (``--lineprecision-report``): ``dict[str, Any]`` is a type, but an
imprecise one.

The number counts only if mypy passed and proves that it looked: a seeded file must give its one error and its
three ``Any``.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import rfc8785

from lens_core.model import Answer, Verdict
from lens_core.supply.line_coverage import below
from lens_core.supply.source import digest_of

GATE = "type_coverage"
ROOTS = ("lens_core", "portal", "bench", "study")
"""The folders that mypy reads: those of ``make check``."""
THRESHOLD = 0.95
CANARY_PATH = "canary_of_types.py"
CANARY = """from typing import Any

NUMBER: int = "text"


def anything(value: Any) -> Any:
    return value
"""
CANARY_ERROR = f"{CANARY_PATH}:3: error: [assignment]"
CANARY_ANYS = 3


@dataclass(frozen=True, slots=True)
class FileTypes:
    """One file's counts: expressions, those of type ``Any``, and lines by precision as mypy names them."""

    sha256: str
    expressions: int
    anys: int
    precise: int
    imprecise: int
    any_lines: int
    unanalyzed: int


@dataclass(frozen=True, slots=True)
class TypeRun:
    """How mypy went: ``errors`` are ``path:line: error: [code]``; ``problem`` is why there is nothing to read."""

    version: str
    problem: str
    errors: tuple[str, ...]
    canary_anys: int
    files: Mapping[str, FileTypes]


def write_types(run: TypeRun) -> bytes:
    """The record as canonical JSON."""
    files = {path: asdict(counts) for path, counts in run.files.items()}
    return rfc8785.dumps(
        {
            "tool": f"mypy {run.version}",
            "problem": run.problem,
            "errors": list(run.errors),
            "canary_anys": run.canary_anys,
            "files": files,
        }
    )


def type_coverage(
    record: bytes | None,
    source: Mapping[str, str],
    threshold: float = THRESHOLD,
    roots: tuple[str, ...] = ROOTS,
) -> Answer:
    """Judge a record against the list of the source (path → SHA-256). ``sample_count`` is expressions.

    No record is INCONCLUSIVE; one of other bytes, with a Python file below ``roots`` missing, or of a run that
    proves nothing is an ERROR; errors that mypy found are a FAIL.
    """
    if record is None:
        return _say(Verdict.INCONCLUSIVE, "not measured: there is no record of mypy", threshold)
    evidence = digest_of(record)
    try:
        run = _read(record)
        fault = next(_faults(run, source, roots), "")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        return _say(Verdict.ERROR, f"the record cannot be read: {type(error).__name__} {error}", threshold, evidence)
    if fault:
        return _say(Verdict.ERROR, fault, threshold, evidence)
    counts = run.files.values()
    expressions, anys = sum(one.expressions for one in counts), sum(one.anys for one in counts)
    lines = sum(one.precise + one.imprecise + one.any_lines + one.unanalyzed for one in counts)
    precise = sum(one.precise for one in counts)
    share = (expressions - anys) / expressions
    reason = (
        f"{expressions - anys} of {expressions} expressions in {len(run.files)} files have a type other than Any; "
        f"{precise} of {lines} lines are precise throughout"
    )
    errors = [error for error in run.errors if error != CANARY_ERROR]
    verdict = Verdict.PASS if share >= threshold and not errors else Verdict.FAIL
    if errors:
        reason = f"mypy found {len(errors)} errors, the first: {errors[0]}; {reason}"
    return Answer(GATE, "", verdict, reason, share, threshold, expressions, evidence, sign="≥")


def _read(record: bytes) -> TypeRun:
    held = json.loads(record)
    run = TypeRun(
        version=held["tool"].removeprefix("mypy "),
        problem=held["problem"],
        errors=tuple(held["errors"]),
        canary_anys=held["canary_anys"],
        files={path: FileTypes(**entry) for path, entry in held["files"].items()},
    )
    if write_types(run) != record:
        raise ValueError("not in canonical form")
    return run


def _faults(run: TypeRun, source: Mapping[str, str], roots: tuple[str, ...]) -> Iterator[str]:
    if run.problem:
        yield f"mypy {run.problem}"
    if CANARY_ERROR not in run.errors or run.canary_anys != CANARY_ANYS:
        yield f"mypy missed its canary: expected {CANARY_ERROR} and {CANARY_ANYS} Any, saw {run.canary_anys}"
    wanted = {path: digest for path, digest in source.items() if below(path, roots)}
    for path in sorted(wanted):
        if path not in run.files:
            yield f"mypy did not read {path}"
        if run.files[path].sha256 != wanted[path]:
            yield f"mypy read {path} with other bytes than the source holds"
    for path, counts in sorted(run.files.items()):
        if path not in wanted:
            yield f"mypy read {path}, which is not a source file of this tree"
        numbers = (counts.precise, counts.imprecise, counts.any_lines, counts.unanalyzed)
        if min(numbers) < 0 or not 0 <= counts.anys <= counts.expressions:
            yield f"the counts of {path} are impossible"
    if not any(counts.expressions for counts in run.files.values()):
        yield "mypy counted no expression"


def _say(verdict: Verdict, reason: str, threshold: float, evidence: str = "") -> Answer:
    return Answer(GATE, "", verdict, reason, threshold=threshold, evidence=evidence, sign="≥")
