"""Gathers all that is known of a candidate, and believes nothing of it that does not verify now.

``case`` opens the cut and the drills by their seals, holds nights and statements against the audit log, hashes every
file that a night rests on, judges the newest advisory reports again by the waivers of now, and measures the risk. What
is absent, unreadable or altered says so in its place, and blocks (first law); what that means for a promotion is
``lens_core.signoff``'s business.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lens_core.changes import find_changes
from lens_core.drills.drill import DrillRules, RollbackSafe
from lens_core.drills.reader import Drills
from lens_core.drills.record import DrillRecord
from lens_core.drills.standing import standing
from lens_core.errors import IntegrityError, InvalidInput, LensError
from lens_core.forecast import forecast
from lens_core.gates import Policy
from lens_core.model import Answer, Candidate, NightState, Release, Verdict
from lens_core.night_evidence import NightEvidence
from lens_core.ports import Clock, EvidenceStore
from lens_core.qualification_ports import AlertReader, AuditStanding, History, NightsAndReleases, ScanStore
from lens_core.releases import Releases
from lens_core.risk_inputs import advisory_inputs, alerts_input, change_input, forecast_input, margin_input, trend_input
from lens_core.scans import Scans
from lens_core.series import Series
from lens_core.signoff.break_glass import reviews
from lens_core.signoff.readiness import readiness
from lens_core.signoff.words import (
    Act,
    Case,
    CutCase,
    DrillCase,
    Measured,
    NightCase,
    Readiness,
    Recorded,
    Scan,
    SignoffRules,
)
from lens_core.signoff_ports import SignatureCheck, StatementLedger
from lens_core.stated_waivers import read_statements, waivers_that_hold
from lens_core.supply.advisories import AdvisorySource
from lens_core.supply.advisory_gates import AdvisoryPolicy
from lens_core.supply.candidate import CutRules
from lens_core.supply.look import Look
from lens_core.trends import series_of

ADVISORY_GATES = frozenset({"dependency_audit", "container_scan", "vulnerabilities"})
"""Gates of a cut that the newest look at the advisory sources answers in its place."""
_OF_GLASS = frozenset({Act.BREAK_GLASS, Act.COUNTERSIGN, Act.REVIEW})
_LATENCIES = ("p95_ms", "p99_ms")


@dataclass(frozen=True, slots=True)
class QualificationWorld:
    """The parts of the world that qualifying uses, and the rules in force.

    ``policies`` are the digests of the rules, by name (see ``Case``). ``audit`` verifies the audit log and never raises
    for one that cannot be believed. ``waivers`` gives the VEX file, None without one.
    ``previous`` are the versions that a candidate must have been drilled against.
    """

    releases: Releases
    drills: Drills
    ledger: NightsAndReleases
    statements: StatementLedger
    signatures: SignatureCheck
    audit: Callable[[], AuditStanding]
    alerts: AlertReader
    history: History
    store: EvidenceStore
    scans: ScanStore
    sources: Callable[[], Sequence[AdvisorySource]]
    waivers: Callable[[], bytes | None]
    advisories: AdvisoryPolicy
    cut_rules: CutRules
    drill_rules: DrillRules
    night_policy: Policy
    previous: tuple[str, ...]
    rules: SignoffRules
    policies: Mapping[str, str]
    home: Path
    clock: Clock


class Qualification:
    """Everything that is known of candidates. With ``recompute`` nights are judged again from their raw samples."""

    def __init__(self, world: QualificationWorld, *, recompute: bool = False) -> None:
        self._world = world
        self._recompute = recompute
        self._latencies: tuple[tuple[str, ...], tuple[Measured, Measured]] | None = None

    def version(self, ref: str = "") -> str:
        """The version that ``ref`` names; the one that was cut last without one. InvalidInput when there is none."""
        cut = [release.version for release in self._world.ledger.releases()]
        named = ref.removeprefix("v") or (cut[0] if cut else "")
        if named not in {*cut, *self._world.releases.versions()}:
            what = f"a candidate {ref}" if ref else "a candidate that was cut"
            known = ", ".join(cut) or "none"
            raise InvalidInput(f"expected {what}, saw none such", f"known: {known}; `lens cut-rc` makes one")
        return named

    def case(self, version: str = "") -> Case:
        """All that is known of a version now. InvalidInput for one that was never cut."""
        world, version = self._world, self.version(version)
        now, audit = world.clock.now(), world.audit()
        cut = self._cut(version, audit)
        if cut is None:
            return self._without_cut(version, audit)
        candidate = cut.release.candidate
        statements, unreadable = self._statements(candidate)
        nights = self._nights(candidate, audit)
        look, scan = self._scans(cut.release, statements, audit, now).newest(candidate, nights, now)
        return Case(
            version=version,
            cut=cut,
            drill=self._drill(candidate),
            nights=nights,
            scan=scan,
            measured=self._measured(cut.release, nights, look),
            statements=statements,
            policies=dict(world.policies),
            waivers=look.waived if look else (),
            findings=look.findings if look else (),
            audit=audit.fault or unreadable,
            audit_at=audit.newest_at,
            reviews=self._reviews(now),
        )

    def readiness(self, version: str = "") -> Readiness:
        """Whether a version may be promoted now, and everything that speaks for and against it."""
        case = self.case(version)
        return readiness(case, self._world.rules, self._world.clock.now())

    def rescan(self, version: str = "") -> Scan:
        """Ask the advisory sources about a cut now, and keep what they said. IntegrityError when it does not verify."""
        audit, now = self._world.audit(), self._world.clock.now()
        cut = self._cut(self.version(version), audit)
        if cut is None or cut.faults:
            why = cut.faults[0] if cut else "there is none"
            raise IntegrityError(f"the cut of {version or 'the candidate'} does not verify: {why}", "`lens verify`")
        statements, _ = self._statements(cut.release.candidate)
        return self._scans(cut.release, statements, audit, now).ask(cut.release.candidate, now)

    # --- its parts ------------------------------------------------------------------------------

    def _without_cut(self, version: str, audit: AuditStanding) -> Case:
        """What is left to say of a version whose cut is not there."""
        return Case(
            version=version,
            cut=None,
            drill=None,
            nights=(),
            scan=None,
            measured=(),
            statements=(),
            policies=dict(self._world.policies),
            waivers=(),
            findings=(),
            audit=audit.fault,
            audit_at=audit.newest_at,
        )

    def _cut(self, version: str, audit: AuditStanding) -> CutCase | None:
        """The cut as it verifies now, its gates judged by the rules in force; None when nothing tells what it was."""
        world = self._world
        told = next((one for one in world.ledger.releases() if one.version == version), None)
        try:
            found, answers = world.releases.judged(version, world.cut_rules)
        except (LensError, OSError) as error:
            return None if told is None else CutCase(told, (), (str(error),))
        faults = [str(fault) for fault in found.faults]
        release = found.release
        if release is None:
            return None if told is None else CutCase(told, (), tuple(faults) or ("no trusted key signed it",))
        if told is None:
            faults.append("the ledger does not know it: cut it again, which confirms it")
        elif told.manifest != release.manifest:
            faults.append(f"manifest.json: expected {told.manifest} as the ledger has it, saw {release.manifest}")
        files = {entry.name: f"sha256:{entry.sha256}" for entry in world.releases.manifest(version).entries}
        kept = tuple(answer for answer in answers if answer.gate not in ADVISORY_GATES)
        return CutCase(release, kept, tuple(faults), files)

    def _drill(self, candidate: Candidate) -> DrillCase | None:
        """What the candidate's drills come to; a drill that does not verify takes belief from all of them."""
        world, fault = self._world, ""
        records: list[DrillRecord] = []
        seals: list[str] = []
        for place in reversed(world.drills.places(candidate.version)):
            found = world.drills.verify(place)
            if found.record is None or not found.stands:
                fault = fault or f"drill {place.name} does not verify: {found.faults[0]}"
            elif found.record.candidate.wheel_sha256 == candidate.digest.hex:
                records.append(found.record)
                seals.append(world.drills.seal(place))
        if not records:
            return None if not fault else DrillCase("", Verdict.ERROR, fault, "unknown", copy_first=False, fault=fault)
        said = standing(records, world.previous, world.drill_rules)
        if said is None:
            why = f"it was not drilled against all of {', '.join(world.previous)} by the rules of now"
            unknown = RollbackSafe.UNKNOWN.value
            return DrillCase(seals[0], Verdict.INCONCLUSIVE, why, unknown, copy_first=False, fault=fault)
        digest = seals[said.whole if said.whole is not None else 0]
        return DrillCase(digest, said.verdict, said.reason, said.rollback_safe.value, said.copy_first, fault)

    def _nights(self, candidate: Candidate, audit: AuditStanding) -> tuple[NightCase, ...]:
        world = self._world
        evidence = NightEvidence(
            world.ledger, world.store, world.home, world.night_policy, audit.claimed, recompute=self._recompute
        )
        mine = [night for night in world.ledger.nights() if night.candidate.digest == candidate.digest]
        return tuple(evidence.case(night) for night in reversed(mine))

    def _statements(self, candidate: Candidate) -> tuple[tuple[Recorded, ...], str]:
        world = self._world
        return read_statements(world.statements.statements(candidate.digest), world.signatures, world.rules)

    def _reviews(self, now: datetime) -> tuple[str, ...]:
        """Open reviews of any candidate, in words; a statement that cannot be read is said of its own candidate."""
        world = self._world
        glass = [kept for kept in world.statements.statements() if kept.act in _OF_GLASS]
        every, _ = read_statements(glass, world.signatures, world.rules)
        return tuple(one.words(now) for one in reviews(every, world.rules) if one.open)

    def _scans(self, release: Release, statements: Sequence[Recorded], audit: AuditStanding, now: datetime) -> Scans:
        world = self._world
        later = max(now, audit.newest_at) if audit.newest_at else now
        return Scans(
            releases=world.releases,
            ledger=world.ledger,
            statements=world.statements,
            store=world.scans,
            sources=world.sources,
            vex=world.waivers,
            policy=world.advisories,
            home=world.home,
            stated=waivers_that_hold(statements, release, world.rules, later),
            claimed=audit.claimed,
        )

    # --- the risk -------------------------------------------------------------------------------

    def _measured(self, release: Release, nights: Sequence[NightCase], look: Look | None) -> tuple[Measured, ...]:
        world = self._world
        before = self._before(release)
        lines = None
        if before is not None:
            lines = world.history.lines_changed(before.candidate.commit, release.candidate.commit)
        return (
            *self._of_latencies(),
            margin_input(_newest_answers(nights, world.rules.slices)),
            alerts_input(world.alerts.alerts() if world.alerts.watches() else None),
            change_input(before.version if before else "", lines),
            *advisory_inputs(look),
        )

    def _before(self, release: Release) -> Release | None:
        """The newest candidate of another commit that was cut before this one."""
        earlier = [
            one
            for one in self._world.ledger.releases()
            if one.cut_at < release.cut_at and one.candidate.commit != release.candidate.commit
        ]
        return max(earlier, key=lambda one: one.cut_at, default=None)

    def _of_latencies(self) -> tuple[Measured, Measured]:
        """Trend and forecast over all nights; computed again when a night has closed since."""
        closed = tuple(n.night_id for n in self._world.ledger.nights() if n.state is NightState.CLOSED)
        if self._latencies is None or self._latencies[0] != closed:
            series = [one for metric in _LATENCIES for one in self._series(metric)]
            trend, ahead = trend_input([find_changes(one) for one in series]), [forecast(one) for one in series]
            self._latencies = closed, (trend, forecast_input(ahead))
        return self._latencies[1]

    def _series(self, metric: str) -> tuple[Series, ...]:
        try:
            return series_of(self._world.ledger, self._world.rules.slices, metric)
        except InvalidInput:  # no night has measured it
            return ()


def _newest_answers(nights: Sequence[NightCase], slices: Sequence[str]) -> tuple[Answer, ...]:
    """What the newest full night that is believed says."""
    full = [
        one
        for one in nights
        if not one.fault and one.night.state is NightState.CLOSED and set(one.night.slices) == set(slices)
    ]
    return full[-1].answers if full else ()
