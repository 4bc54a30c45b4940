"""Line coverage of the source: a record of the test run → one Answer.

Line coverage is the share of executable lines that the tests executed, as coverage.py tells the two apart.
The record lists both per file, and names the digest of each file and of the whole tree: what was measured on
other bytes says nothing about these. The share is recomputed from the lists; no percentage is believed.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import rfc8785

from lens_core.model import Answer, Verdict
from lens_core.supply.source import digest_of, write_source

GATE = "line_coverage"
ROOTS = ("lens_core", "portal")
"""The folders whose lines count: what is shipped, not the tests themselves."""
THRESHOLD = 0.90


@dataclass(frozen=True, slots=True)
class FileLines:
    """One file's lines, from 1: ``executed`` are those of ``executable`` that ran; ``excluded`` do not count."""

    sha256: str
    executable: frozenset[int]
    executed: frozenset[int]
    excluded: frozenset[int]


def write_coverage(files: Mapping[str, FileLines], source: Mapping[str, str], tool: str) -> bytes:
    """The record as canonical JSON; ``source`` lists the whole tree, ``tool`` is coverage.py's version."""
    return rfc8785.dumps(
        {
            "tool": f"coverage.py {tool}",
            "source": digest_of(write_source(source)),
            "files": {
                path: {
                    "sha256": lines.sha256,
                    "executable": as_ranges(lines.executable),
                    "executed": as_ranges(lines.executed),
                    "excluded": as_ranges(lines.excluded),
                }
                for path, lines in files.items()
            },
        }
    )


def line_coverage(
    record: bytes | None,
    source: Mapping[str, str],
    threshold: float = THRESHOLD,
    roots: tuple[str, ...] = ROOTS,
) -> Answer:
    """Judge a record against the list of the source (path → SHA-256). ``sample_count`` is executable lines.

    No record is INCONCLUSIVE; a record of other bytes, or with a Python file below ``roots`` missing, an ERROR.
    """
    if record is None:
        return _say(Verdict.INCONCLUSIVE, "not measured: run `make test` on this very commit first", threshold)
    evidence = digest_of(record)
    try:
        files, measured_on = _read(record)
        fault = next(_faults(files, measured_on, source, roots), "")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        fault = f"the record cannot be read: {type(error).__name__} {error}"
    if fault:
        return _say(Verdict.ERROR, fault, threshold, evidence)
    executable = sum(len(lines.executable) for lines in files.values())
    executed = sum(len(lines.executed) for lines in files.values())
    share = executed / executable
    poorest = min((path for path in files if files[path].executable), key=lambda path: _share(files[path]))
    reason = (
        f"{executed} of {executable} executable lines in {len(files)} files ran under the tests; "
        f"the least in {poorest} ({_share(files[poorest]):.1%})"
    )
    verdict = Verdict.PASS if share >= threshold else Verdict.FAIL
    return Answer(GATE, "", verdict, reason, share, threshold, executable, evidence, sign="≥")


def as_ranges(numbers: Iterable[int]) -> str:
    """``1-3,7`` for 1, 2, 3 and 7; the empty text for none."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def from_ranges(text: str) -> frozenset[int]:
    """Read what ``as_ranges`` wrote; ValueError for anything else."""
    numbers: set[int] = set()
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    if as_ranges(numbers) != text or 0 in numbers:
        raise ValueError(f"expected line ranges such as 1-3,7, saw {text[:40]!r}")
    return frozenset(numbers)


def below(path: str, roots: tuple[str, ...]) -> bool:
    """True for a Python file in one of the folders ``roots``."""
    return path.endswith((".py", ".pyi")) and path.partition("/")[0] in roots


def _read(record: bytes) -> tuple[dict[str, FileLines], str]:
    held = json.loads(record)
    if rfc8785.dumps(held) != record:
        raise ValueError("not in canonical form")
    files = {
        path: FileLines(
            entry["sha256"],
            from_ranges(entry["executable"]),
            from_ranges(entry["executed"]),
            from_ranges(entry["excluded"]),
        )
        for path, entry in held["files"].items()
    }
    return files, held["source"]


def _faults(
    files: Mapping[str, FileLines], measured_on: str, source: Mapping[str, str], roots: tuple[str, ...]
) -> Iterator[str]:
    wanted = {path: digest for path, digest in source.items() if below(path, roots)}
    for path in sorted(wanted):
        if path not in files:
            yield f"{path} is not in the record"
        if files[path].sha256 != wanted[path]:
            yield f"{path} was measured with other bytes: run `make test` on this very commit"
    for path in sorted(files):
        if path not in wanted:
            yield f"{path} is in the record, but not a source file of this tree"
        if not files[path].executed <= files[path].executable:
            yield f"{path} has executed lines that are not executable"
    if not any(lines.executable for lines in files.values()):
        yield "the record holds no executable line"
    if measured_on != digest_of(write_source(source)):
        yield "the tests ran on another tree: run `make test` on this very commit"


def _share(lines: FileLines) -> float:
    return len(lines.executed) / len(lines.executable)


def _say(verdict: Verdict, reason: str, threshold: float, evidence: str = "") -> Answer:
    return Answer(GATE, "", verdict, reason, threshold=threshold, evidence=evidence, sign="≥")
