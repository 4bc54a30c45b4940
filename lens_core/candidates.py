"""Candidates as people look at them: which were cut, whether they verify, what is in them, what drills said.

What does not verify is not believed: of a cut with a fault nothing is handed out but its faults (first law).
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lens_core.cut_ports import ReleaseLedger
from lens_core.drills.reader import Drills, DrillVerification
from lens_core.errors import InvalidInput
from lens_core.model import Answer, Release, Verdict
from lens_core.releases import Releases
from lens_core.supply import ownership, sast
from lens_core.supply.candidate import SBOM
from lens_core.supply.words import Finding, Severity

Stamp = Callable[[Path], str]
_SCANS, _OWNERSHIP, _ADVISORIES = "sast_", "file_ownership", "vulnerabilities"
_HOLLOW = (Verdict.INCONCLUSIVE, Verdict.ERROR)


@dataclass(frozen=True, slots=True)
class Known:
    """A version that was cut: what the ledger remembers of it, None when it remembers nothing.

    ``cut_stamp`` changes with its files, the trusted keys and what the ledger remembers; ``drill_stamp`` with its
    drills and the keys.
    """

    version: str
    told: Release | None
    cut_stamp: str
    drill_stamp: str


@dataclass(frozen=True, slots=True)
class Cut:
    """What verifying a cut gave. It stands when there is no fault; only then ``release`` is what it holds."""

    version: str
    faults: tuple[str, ...]
    release: Release | None = None
    answers: tuple[Answer, ...] = ()
    files: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Searched:
    """One gate that looked for weaknesses: what it says, and how many findings of each severity were reported.

    ``hollow`` says that the gate could not judge: then a severity without a finding is unknown, not 0.
    """

    gate: str
    verdict: Verdict
    counts: Mapping[str, int]

    @property
    def hollow(self) -> bool:
        """True when nothing found is no evidence that nothing is there."""
        return self.verdict in _HOLLOW


@dataclass(frozen=True, slots=True)
class Inventory:
    """What is in a cut, in numbers: packages by ecosystem, most first (None: it has no SBOM), and findings by gate."""

    packages: tuple[tuple[str, int], ...] | None
    searched: tuple[Searched, ...]


class Candidates:
    """The candidates of a home folder; ``stamp`` tells cheaply whether a folder is as it was."""

    def __init__(self, releases: Releases, drills: Drills, ledger: ReleaseLedger, stamp: Stamp) -> None:
        self._releases = releases
        self._drills = drills
        self._ledger = ledger
        self._stamp = stamp

    def known(self) -> tuple[Known, ...]:
        """Every version that was cut, newest first; last those that lie here and the ledger does not know."""
        told = {release.version: release for release in self._ledger.releases()}
        versions = [*told, *(version for version in self._releases.versions() if version not in told)]
        keys = sorted(self._releases.trusted())
        return tuple(
            Known(
                version,
                told.get(version),
                _joined(self._cut_stamp(version), *keys, _manifest(told.get(version))),
                _joined(*map(self._stamp, self._drills.places(version)), *keys),
            )
            for version in versions
        )

    def only_drilled(self) -> tuple[str, ...]:
        """Versions that were drilled and never cut, the latest drilled first."""
        cut = {one.version for one in self.known()}
        return tuple(version for version in reversed(self._drills.versions()) if version not in cut)

    def cut(self, version: str) -> Cut:
        """Verify a version's cut, as ``lens verify`` does. Unavailable and IntegrityError when it cannot be read."""
        found = self._releases.verify(version)
        faults = [str(fault) for fault in found.faults]
        told = next((one for one in self._ledger.releases() if one.version == version), None)
        if found.release is not None and told is not None and told.manifest != found.release.manifest:
            faults.append(f"manifest.json: expected {told.manifest} as the ledger has it, saw {found.release.manifest}")
        if faults or found.release is None:
            return Cut(version, tuple(faults) or ("it holds nothing that a trusted key signed",))
        answers = self._releases.answers(version)
        return Cut(version, (), found.release, answers, found.files, found.size_bytes)

    def inventory(self, version: str) -> Inventory:
        """What is in a cut that verifies. IntegrityError when a list in it cannot be read."""
        contents = self._releases.contents(version)
        listed = any(entry.name == SBOM for entry in contents.entries)
        packages = Counter(component.ecosystem for component in contents.components).most_common()
        searched = searched_by(self._releases.answers(version), contents.findings)
        return Inventory(tuple(packages) if listed else None, searched)

    def drills(self, version: str, wheel_sha256: str) -> tuple[DrillVerification, ...]:
        """Every drill of a version, verified and held against the wheel (hex) of its cut, oldest first."""
        return self._drills.verify_version(version, wheel_sha256)

    def _cut_stamp(self, version: str) -> str:
        try:
            return self._stamp(self._releases.place(version))
        except InvalidInput:  # the ledger knows a cut whose folder is gone
            return ""


def searched_by(answers: Iterable[Answer], findings: Iterable[Finding]) -> tuple[Searched, ...]:
    """The findings by the gate that judges them and by severity; a gate that found nothing has no counts."""
    gates = {
        answer.gate: answer.verdict
        for answer in answers
        if answer.gate.startswith(_SCANS) or answer.gate in (_OWNERSHIP, _ADVISORIES)
    }
    counts: dict[str, Counter[str]] = {gate: Counter() for gate in gates}
    for finding in findings:
        counts.setdefault(_judging(finding, gates), Counter())[finding.severity.value] += 1
    return tuple(Searched(gate, gates.get(gate, Verdict.INCONCLUSIVE), found) for gate, found in counts.items())


def _judging(finding: Finding, gates: Mapping[str, Verdict]) -> str:
    if finding.source == ownership.SOURCE:
        return _OWNERSHIP
    scan = sast.gate_of(finding.source)
    return scan if scan in gates else _ADVISORIES


def _manifest(told: Release | None) -> str:
    return "" if told is None else str(told.manifest)


def _joined(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


SEVERITIES = tuple(severity.value for severity in Severity)
"""How findings are counted, worst first; ``unknown`` is not harmless."""
