"""The newest word of the advisory sources on a candidate: a night's, or a later look; judged by the waivers of now.

What the sources said is kept as it came, bound to a night's evidence or to the audit entry of a look. Whatever of it
is gone or altered is no look at all: an older one does not take its place.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lens_core.audit_records import held_scan, scan_record
from lens_core.errors import IntegrityError, InvalidInput
from lens_core.model import Candidate, Digest, Night, Verdict
from lens_core.ports import Ledger
from lens_core.qualification_ports import ScanStore
from lens_core.releases import Releases
from lens_core.signoff.words import NightCase, Scan
from lens_core.signoff_ports import StatementLedger
from lens_core.supply.advisories import AdvisorySource, report_bytes
from lens_core.supply.advisory_gates import AdvisoryPolicy
from lens_core.supply.candidate import SBOM
from lens_core.supply.look import Look, look
from lens_core.supply.sbom_answers import components
from lens_core.supply.source import digest_of
from lens_core.supply.vex import Waiver, Waivers, read_vex, with_waivers

FOLDER = "advisories"
"""Below a night's folder: what its advisory gate asked, and was answered."""
_NO_REPORTS = frozenset({"lens.cdx.json", "vex.cdx.json"})
_REPORTS = re.compile(r" \(reports (sha256:[0-9a-f]{64})\)$")


@dataclass(frozen=True, slots=True)
class Asked:
    """What sources said at a moment: reports by file name; ``fault`` says why they are not believed."""

    at: datetime
    reports: Mapping[str, bytes]
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Scans:
    """Looks at the advisory sources on one candidate.

    ``vex`` gives the file of waivers (None without one), ``stated`` are those that people stated of this candidate.
    ``claimed`` is what the audit log says that the ledger holds.
    """

    releases: Releases
    ledger: Ledger
    statements: StatementLedger
    store: ScanStore
    sources: Callable[[], Sequence[AdvisorySource]]
    vex: Callable[[], bytes | None]
    policy: AdvisoryPolicy
    home: Path
    stated: Sequence[Waiver]
    claimed: Mapping[str, str]

    def newest(
        self, candidate: Candidate, nights: Sequence[NightCase], now: datetime
    ) -> tuple[Look | None, Scan | None]:
        """The newest look judged by the waivers that hold ``now``, and the word for the sign-off; None without any."""
        looks = [asked for asked in (self._of_nights(nights), self._of_later(candidate)) if asked]
        if not looks:
            return None, None
        asked = max(looks, key=lambda one: one.at)
        if asked.fault:
            return None, Scan(asked.at, Verdict.ERROR, asked.fault)
        try:
            found = self._judge(candidate, asked, now)
        except (IntegrityError, InvalidInput) as error:
            return None, Scan(asked.at, Verdict.ERROR, error.message)
        return found, Scan(found.at, found.verdict, found.reason)

    def ask(self, candidate: Candidate, now: datetime) -> Scan:
        """Ask every source about the candidate's packages, keep what they say, and put it on the record."""
        sources = self.sources()
        if not sources:
            raise InvalidInput(
                "expected an advisory source to ask, saw none configured", "name osv_dir or osv_api in [cut]"
            )
        listed = components(self.releases.read(candidate.version, SBOM))
        reports = {f"{one.source}.json": report_bytes(one) for one in (source.ask(listed) for source in sources)}
        found = self._judge(candidate, Asked(now, reports), now)
        self.store.keep(candidate.digest, reports, found.digest)
        self.statements.record_scan(
            candidate.digest, Scan(now, found.verdict, f"{found.reason} (reports {found.digest})")
        )
        return Scan(now, found.verdict, found.reason)

    def _judge(self, candidate: Candidate, asked: Asked, now: datetime) -> Look:
        document = with_waivers(self.vex(), self.stated)
        waivers = read_vex(document, now) if document is not None else Waivers()
        return look(self.releases.read(candidate.version, SBOM), asked.reports, waivers, self.policy, asked.at)

    def _of_nights(self, nights: Sequence[NightCase]) -> Asked | None:
        """What the newest believed night was told; its files are hashed again as they are read."""
        for case in reversed(nights):
            closed = case.night.closed_at
            if closed is not None and not case.fault and (names := self._reports(case.night)):
                try:
                    return Asked(closed, {name: self._read(path, expected) for name, path, expected in names})
                except IntegrityError as error:
                    return Asked(closed, {}, error.message)
        return None

    def _reports(self, night: Night) -> list[tuple[str, str, Digest]]:
        place = f"{night.folder}/{FOLDER}/"
        return [
            (name, item.path, item.digest)
            for item in self.ledger.evidence(night.night_id)
            if item.path.startswith(place) and (name := item.path.removeprefix(place)) not in _NO_REPORTS
        ]

    def _read(self, path: str, expected: Digest) -> bytes:
        try:
            content = (self.home / path).read_bytes()
        except OSError as error:
            raise IntegrityError(f"{path} cannot be read: {error.strerror}") from error
        if digest_of(content) != str(expected):
            raise IntegrityError(f"{path}: expected {expected}, saw {digest_of(content)}")
        return content

    def _of_later(self, candidate: Candidate) -> Asked | None:
        """What a look between nights was told, if the audit log knows it and its reports are what it names."""
        scan = self.statements.newest_scan(candidate.digest)
        if scan is None:
            return None
        named = _REPORTS.search(scan.reason)
        record = scan_record(str(candidate.digest), scan.at, scan.verdict.name, scan.reason)
        if held_scan(record) not in self.claimed:
            return Asked(scan.at, {}, "the audit log has no entry of the newest look at the advisory sources")
        if named is None:
            return Asked(scan.at, {}, "the newest look at the advisory sources names no reports")
        try:
            return Asked(scan.at, self.store.read(candidate.digest, named[1]))
        except IntegrityError as error:
            return Asked(scan.at, {}, error.message)
