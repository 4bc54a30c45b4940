"""Gates over scanners of source code: evidence bytes and the list of the source go in, Answers come out.

A scanner that found nothing is believed only when it proves that it looked: it ended in order, in the stated
version, ran rules, read every file of its kind in this very tree, and found what was seeded. Anything less is
an ERROR, never clean. An expected scanner without evidence is INCONCLUSIVE; one whose kind of file the tree
does not hold has no gate, which whoever has the list of the source can see for themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lens_core.model import Answer, Verdict
from lens_core.supply.sarif import Report, Sighting, read_sarif
from lens_core.supply.scan_record import Record, ScanEvidence, found_in_canary, read_record
from lens_core.supply.scanner_kinds import CANARIES, LINT, SCANNERS, reads
from lens_core.supply.source import digest_of
from lens_core.supply.words import Finding, Severity

_RANK = {Severity.LOW: 0, Severity.MEDIUM: 1, Severity.HIGH: 2, Severity.CRITICAL: 3, Severity.UNKNOWN: 4}
_NAMED = 3
"""Up to so many findings or files are named in a reason; more are counted."""


@dataclass(frozen=True, slots=True)
class SastPolicy:
    """Which scanners are expected, and from which severity on an open finding fails the gate.

    ``fail_at`` holds for all scanners but those named in ``fail_at_of``. Unknown severity always fails.
    """

    scanners: tuple[str, ...] = SCANNERS
    fail_at: Severity = Severity.MEDIUM
    fail_at_of: Mapping[str, Severity] = field(default_factory=dict)

    def blocks(self, scanner: str, severity: Severity) -> bool:
        """True when an open finding of ``severity`` fails the gate of ``scanner``."""
        return _RANK[severity] >= _RANK[self.fail_at_of.get(scanner, self.fail_at)]


LINTING = SastPolicy(scanners=(LINT,), fail_at=Severity.LOW)
"""Lint is clean when nothing at all is found, by the project's own rules and with its own comments honoured."""


@dataclass(frozen=True, slots=True)
class _Fault(Exception):
    """Why a run proves nothing. Raised and caught in this module only."""

    reason: str


def gate_of(scanner: str) -> str:
    """The name of a scanner's gate: ``sast_bandit``, ``sast_detect_secrets``, ``lint``."""
    return LINT if scanner == LINT else "sast_" + scanner.replace("-", "_")


def answers(evidence: Mapping[str, ScanEvidence], source: Mapping[str, str], policy: SastPolicy) -> tuple[Answer, ...]:
    """One Answer for each scanner that is expected or has evidence, unless the tree has no file of its kind.

    ``source`` is the list of the cut's source tree (path → SHA-256). Its ``value`` counts open findings that
    block, its ``sample_count`` the files that were read; ``evidence`` is the digest of the SARIF.
    """
    names = dict.fromkeys((*policy.scanners, *sorted(evidence)))
    judged = (_answer(name, evidence.get(name), source, policy) for name in names)
    return tuple(answer for answer in judged if answer is not None)


def sightings(evidence: ScanEvidence) -> tuple[Sighting, ...]:
    """What was found in the source, accepted findings included, the canary left out; ValueError if unreadable."""
    return _in_source(read_sarif(evidence.sarif))


def _in_source(report: Report) -> tuple[Sighting, ...]:
    return tuple(sighting for sighting in report.sightings if not sighting.canary)


def findings(scanner: str, evidence: ScanEvidence) -> tuple[Finding, ...]:
    """The open findings, in the words of all scanners; subject is ``path:line``."""
    return tuple(
        Finding(scanner, seen.rule, seen.severity, f"{seen.path}:{seen.line}", seen.message)
        for seen in sightings(evidence)
        if not seen.accepted
    )


def _answer(
    scanner: str, evidence: ScanEvidence | None, source: Mapping[str, str], policy: SastPolicy
) -> Answer | None:
    if evidence is None:
        return _say(scanner, Verdict.INCONCLUSIVE, f"{scanner} was not run: there is no record of it")
    wanted = {path: digest for path, digest in source.items() if reads(scanner, path)}
    digest = digest_of(evidence.sarif)
    try:
        record, report = _proven(scanner, evidence, wanted, source)
    except _Fault as fault:
        return _say(scanner, Verdict.ERROR, f"{scanner} {fault.reason}", evidence=digest)
    return _weigh(scanner, record, _in_source(report), policy, digest) if record.applicable else None


def _weigh(scanner: str, record: Record, seen: tuple[Sighting, ...], policy: SastPolicy, digest: str) -> Answer:
    accepted = sum(bool(sighting.accepted) for sighting in seen)
    open_ones = [sighting for sighting in seen if not sighting.accepted]
    blocking = [sighting for sighting in open_ones if policy.blocks(scanner, sighting.severity)]
    told = f"{len(record.files)} files read; {len(open_ones) - len(blocking)} milder, {accepted} accepted in the source"
    verdict, reason = Verdict.PASS, f"nothing that blocks in {told}"
    if blocking:
        blocking.sort(key=lambda sighting: (-_RANK[sighting.severity], sighting))
        named = "; ".join(f"{one.rule} ({one.severity}) {one.path}:{one.line}" for one in blocking[:_NAMED])
        verdict, reason = Verdict.FAIL, f"{len(blocking)} blocking: {named}; {told}"
    return Answer(gate_of(scanner), "", verdict, reason, float(len(blocking)), 0.0, len(record.files), digest, sign="≤")


def _proven(
    scanner: str, evidence: ScanEvidence, wanted: Mapping[str, str], source: Mapping[str, str]
) -> tuple[Record, Report]:
    """Record and report, when they prove that the scanner looked; _Fault when they do not."""
    try:
        record = read_record(evidence.record)
        report = read_sarif(evidence.sarif)
    except ValueError as error:
        raise _Fault(f"left evidence that is none: {error}") from error
    if record.scanner != scanner:
        raise _Fault(f"has the record of {record.scanner!r}")
    if record.sarif != digest_of(evidence.sarif):
        raise _Fault("has a SARIF that is not the one of its record")
    if not source:
        raise _Fault("cannot be judged: the list of the source is empty")
    if not record.applicable:
        if wanted:
            raise _Fault(f"says that it has nothing to read, but {_some(wanted)} is there for it")
        return record, report
    if record.error:
        raise _Fault(record.error)
    _prove_tool(scanner, record, report)
    _prove_canary(scanner, record, report)
    _prove_files(record, report, wanted)
    return record, report


def _prove_tool(scanner: str, record: Record, report: Report) -> None:
    tool = "ruff" if scanner == LINT else scanner
    if report.tool != tool:
        raise _Fault(f"has the SARIF of {report.tool!r}")
    if not record.version or report.version != record.version:
        raise _Fault(f"is installed in version {record.version!r}, its SARIF is of {report.version!r}")
    if not record.rules:
        raise _Fault("ran no rule")
    if report.rules != record.rules:
        raise _Fault(f"ran {len(record.rules)} rules by its record, {len(report.rules)} by its SARIF")


def _prove_canary(scanner: str, record: Record, report: Report) -> None:
    canary = CANARIES[scanner]
    found = found_in_canary([sighting for sighting in report.sightings if sighting.path == canary.path])
    missed = sorted(set(canary.expected) - set(found))
    if missed:
        rule, line = missed[0]
        raise _Fault(f"missed its canary: {len(missed)} of {len(canary.expected)}, first {rule} in line {line}")
    if record.canary_found != found or record.canary_expected != canary.expected:
        raise _Fault("has a record that tells of another canary than its SARIF")


def _prove_files(record: Record, report: Report, wanted: Mapping[str, str]) -> None:
    if not wanted or not record.files:
        raise _Fault("read no file")
    missed = sorted(set(wanted) - set(record.files))
    if missed:
        why = record.unread.get(missed[0], "not in the record")
        raise _Fault(f"read {len(wanted) - len(missed)} of {len(wanted)} files: not {_some(missed)} ({why})")
    other = sorted(path for path, digest in record.files.items() if wanted.get(path) != digest)
    if other:
        raise _Fault(f"read another tree: {_some(other)} is not what the source holds")
    strangers = sorted({sighting.path for sighting in report.sightings if not sighting.canary} - set(wanted))
    if strangers:
        raise _Fault(f"found something in {_some(strangers)}, which it had not to read")


def _some(paths: Mapping[str, str] | list[str]) -> str:
    named = sorted(paths)
    return ", ".join(named[:_NAMED]) + (f" and {len(named) - _NAMED} more" if len(named) > _NAMED else "")


def _say(scanner: str, verdict: Verdict, reason: str, evidence: str = "") -> Answer:
    return Answer(gate_of(scanner), "", verdict, reason, threshold=0.0, sign="≤", evidence=evidence)
