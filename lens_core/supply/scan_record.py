"""One run of one scanner → its evidence: a canonical record, and a canonical SARIF beside it.

The record says what must hold before silence means cleanliness: which version ran which rules, how it ended,
the digest of every file that it provably read, which files of its kind it did not read, and the canary. It
holds no clock time, no duration and no path of this machine: the same tree gives the same bytes.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import rfc8785

from lens_core.supply.sarif import Report, Sighting, write_sarif
from lens_core.supply.scanner_kinds import CANARIES, LINT, reads
from lens_core.supply.scanner_output import Output, Raw, Seen, read_output
from lens_core.supply.source import digest_of
from lens_core.supply.suppressions import comment_for

TREE, CANARY = "tree/", "canary/"
"""Below the scratch folder: the copy of the source, and the canaries."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a process went. ``version`` is the installed one, ``code`` None when there was no orderly end.

    ``error`` says why there is nothing to read (missing, crashed, timed out, an odd exit code), "" when there is.
    """

    scanner: str
    version: str
    options: tuple[str, ...]
    code: int | None
    error: str
    output: Output


@dataclass(frozen=True, slots=True)
class ScanEvidence:
    """The two files of a run: ``<scanner>.json`` and ``<scanner>.sarif``."""

    record: bytes
    sarif: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """What ``<scanner>.json`` says. ``files`` is path → SHA-256 of what was read, ``unread`` path → why not."""

    scanner: str
    applicable: bool
    version: str
    options: tuple[str, ...]
    code: int | None
    error: str
    rules: tuple[str, ...]
    files: Mapping[str, str]
    unread: Mapping[str, str]
    canary_expected: tuple[tuple[str, int], ...]
    canary_found: tuple[tuple[str, int], ...]
    sarif: str

    def __post_init__(self) -> None:
        told = (*self.files.items(), *self.unread.items())
        words = (self.scanner, self.version, self.error, self.sarif, *self.options, *self.rules)
        if not all(isinstance(word, str) for word in (*words, *(word for pair in told for word in pair))):
            raise TypeError("expected words in the record")
        if (type(self.applicable), type(self.code)) not in {(bool, int), (bool, type(None))}:
            raise TypeError("expected applicable to be true or false, and exit to be a number or null")


def canary_place(scanner: str) -> str:
    """Where the canary of ``scanner`` lies below the scratch folder."""
    return (TREE if scanner == LINT else CANARY) + CANARIES[scanner].path


def evidence_of(ran: Ran, source: Mapping[str, str], lines: Callable[[str], Sequence[str] | None]) -> ScanEvidence:
    """Compose the evidence of a run over ``source`` (path → SHA-256, as listed before the run).

    ``lines`` gives the lines of a source file, None for one that is no UTF-8 text.
    """
    seen, error = Seen("", "", frozenset(), frozenset(), ()), ran.error
    if not error:
        try:
            seen = read_output(ran.scanner, ran.output)
        except ValueError as problem:
            error = f"the output cannot be read: {problem}"
    wanted = {path for path in source if reads(ran.scanner, path)}
    strangers = sorted({raw.path for raw in seen.found} | seen.scanned)
    strangers = [path for path in strangers if not _known(ran.scanner, path, source)]
    if strangers and not error:
        error = f"the output speaks of {strangers[0]}, which is no file of this tree"
    blind = {path for path in wanted if lines(path) is None} if not error else set()
    read = {path for path in wanted - blind if TREE + path in seen.scanned}
    sightings = tuple(_sighting(ran.scanner, raw, lines) for raw in seen.found) if not error else ()
    sarif = write_sarif(Report(seen.tool or ran.scanner, seen.version, tuple(sorted(seen.rules)), sightings))
    record = Record(
        scanner=ran.scanner,
        applicable=True,
        version=ran.version or seen.version,
        options=ran.options,
        code=ran.code,
        error=error,
        rules=tuple(sorted(seen.rules)),
        files={path: source[path] for path in read},
        unread={path: "not UTF-8 text" if path in blind else "the tool did not read it" for path in wanted - read},
        canary_expected=CANARIES[ran.scanner].expected,
        canary_found=found_in_canary(sightings),
        sarif=digest_of(sarif),
    )
    return ScanEvidence(write_record(record), sarif)


def not_applicable(scanner: str) -> ScanEvidence:
    """The evidence that there was nothing to run for: the tree has no file of the scanner's kind."""
    sarif = write_sarif(Report(scanner, "", (), ()))
    record = Record(
        scanner=scanner,
        applicable=False,
        version="",
        options=(),
        code=None,
        error="",
        rules=(),
        files={},
        unread={},
        canary_expected=(),
        canary_found=(),
        sarif=digest_of(sarif),
    )
    return ScanEvidence(write_record(record), sarif)


def found_in_canary(sightings: Sequence[Sighting]) -> tuple[tuple[str, int], ...]:
    """Rule and line of everything that was found in the canary, sorted."""
    return tuple(sorted({(sighting.rule, sighting.line) for sighting in sightings if sighting.canary}))


def write_record(record: Record) -> bytes:
    """The record as canonical JSON (RFC 8785)."""
    pairs = {"expected": record.canary_expected, "found": record.canary_found}
    return rfc8785.dumps(
        {
            "scanner": record.scanner,
            "applicable": record.applicable,
            "version": record.version,
            "options": list(record.options),
            "exit": record.code,
            "error": record.error,
            "rules": list(record.rules),
            "files": dict(record.files),
            "unread": dict(record.unread),
            "canary": {name: [list(pair) for pair in found] for name, found in pairs.items()},
            "sarif": record.sarif,
        }
    )


def read_record(content: bytes) -> Record:
    """Read what ``write_record`` wrote; ValueError says what is wrong with anything else."""
    try:
        held: dict[str, Any] = json.loads(content)
        record = Record(
            scanner=held["scanner"],
            applicable=held["applicable"],
            version=held["version"],
            options=tuple(held["options"]),
            code=held["exit"],
            error=held["error"],
            rules=tuple(held["rules"]),
            files=held["files"],
            unread=held["unread"],
            canary_expected=tuple((rule, line) for rule, line in held["canary"]["expected"]),
            canary_found=tuple((rule, line) for rule, line in held["canary"]["found"]),
            sarif=held["sarif"],
        )
        same = write_record(record) == content
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"the record cannot be read: {type(error).__name__} {error}") from error
    if not same:
        raise ValueError("the record is not in the one form in which it is written")
    return record


def _known(scanner: str, path: str, source: Mapping[str, str]) -> bool:
    return path == canary_place(scanner) or (path.startswith(TREE) and path.removeprefix(TREE) in source)


def _sighting(scanner: str, raw: Raw, lines: Callable[[str], Sequence[str] | None]) -> Sighting:
    canary = raw.path == canary_place(scanner)
    path = CANARIES[scanner].path if canary else raw.path.removeprefix(TREE)
    accepted = ""
    if not canary:
        accepted = comment_for(scanner, raw.rule, lines(path) or (), (raw.line, raw.end_line), raw.secret)
    return Sighting(canary, path, raw.line, raw.rule, raw.severity, raw.message, accepted)
