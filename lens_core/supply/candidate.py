"""The gates of a candidate: what its evidence says, asked anew from the bytes whenever somebody wants.

Evidence is what lies in the cut, by name. Every gate answers, also for evidence that is not there: what was left
out, and what nothing can measure yet, is INCONCLUSIVE (first law).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lens_core.errors import IntegrityError
from lens_core.model import Answer, Digest, Verdict
from lens_core.supply import (
    advisory_gates,
    canonical,
    image_layout,
    ownership_report,
    sast,
    smoke,
    statement,
    vex,
)
from lens_core.supply.advisories import read_report
from lens_core.supply.advisory_gates import AdvisoryPolicy
from lens_core.supply.envelope import open_envelope
from lens_core.supply.line_coverage import line_coverage
from lens_core.supply.sbom_answers import components, sbom_answer
from lens_core.supply.scan_record import ScanEvidence
from lens_core.supply.source import digest_of, read_source
from lens_core.supply.type_coverage import type_coverage
from lens_core.supply.words import Finding, Severity

BUILDS, SOURCE, INPUTS, SMOKE = "dist/builds.json", "source.json", "image-inputs.json", "image-smoke.json"
SBOM, OWNERSHIP = "sbom/lens.cdx.json", "sbom/ownership.json"
VEX, SCAN, SAST = "scan/vex.cdx.json", "scan/", "sast/"
COVERAGE, TYPES, LINT = "quality/coverage.json", "quality/types.json", "quality/lint"
POLICY, GATES = "policy.json", "gates.json"


@dataclass(frozen=True, slots=True)
class CutRules:
    """What a candidate is judged by when it is cut.

    ``line_coverage`` and ``type_coverage`` are shares that must be reached, ``scanners`` those that must have
    run, ``fail_at`` the severity from which on their findings fail, ``max_data_age_days`` how old advisories may be,
    and ``not_yet_measured`` names gates that nothing can answer yet.
    """

    line_coverage: float
    type_coverage: float
    scanners: tuple[str, ...]
    fail_at: Severity
    max_data_age_days: float
    not_yet_measured: tuple[str, ...] = ()


_NOTHING_ASKED = CutRules(1.0, 1.0, (), Severity.LOW, 0.0)


@dataclass(frozen=True, slots=True)
class Judgement:
    """``gates.json``: what was said of a candidate when it was cut, when, for whom, and what was left out."""

    cut_at: datetime
    cut_by: str
    left_out: tuple[str, ...]
    answers: tuple[Answer, ...]

    def encode(self) -> bytes:
        """Canonical JSON."""
        return canonical.encode(
            {
                "cut_at": self.cut_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "cut_by": self.cut_by,
                "left_out": list(self.left_out),
                "answers": [_written(answer) for answer in self.answers],
            }
        )


def read_judgement(content: bytes) -> Judgement:
    """Read what ``encode`` wrote; IntegrityError for anything else."""
    document = canonical.decode(content, GATES)
    try:
        return Judgement(
            datetime.strptime(document["cut_at"], "%Y-%m-%dT%H:%M:%S%z"),
            document["cut_by"],
            tuple(document["left_out"]),
            tuple(_read(item) for item in document["answers"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"{GATES}: expected the answers of a candidate, saw {error!r}", "cut again") from error


def judge(
    evidence: Mapping[str, bytes],
    rules: CutRules,
    left_out: Iterable[str],
    at: datetime,
    keys: Mapping[str, bytes],
) -> tuple[Answer, ...]:
    """All answers, from the files of a cut but for the image's blobs.

    ``at`` is the moment at which ages are judged; ``keys`` (raw public keys by id) are trusted for provenance.
    """
    case = _Case(evidence, rules, frozenset(left_out), at)
    return (
        case.ask("reproducible_build", BUILDS, _builds),
        *case.quality(),
        *case.sast(),
        *case.image(),
        *case.sbom(),
        *case.scan(),
        case.ask("provenance", statement.PROVENANCE, lambda content: _provenance(content, keys), part="provenance"),
        *(
            _unanswered(gate, "not there yet: nothing in this version of Lens measures it")
            for gate in rules.not_yet_measured
        ),
    )


@dataclass(frozen=True, slots=True)
class _Case:
    """One candidate before its gates."""

    evidence: Mapping[str, bytes]
    rules: CutRules
    left_out: frozenset[str]
    at: datetime

    def ask(self, gate: str, name: str, answer: Callable[[bytes], Answer], part: str = "") -> Answer:
        """What ``answer`` says of the file ``name``; INCONCLUSIVE without it, ERROR when it cannot be read."""
        content = self.evidence.get(name)
        if part in self.left_out:
            return _unanswered(gate, f"left out of this cut: --no-{part}")
        if content is None:
            return _unanswered(gate, f"there is no {name} to judge")
        try:
            return answer(content)
        except (IntegrityError, ValueError) as error:
            return Answer(gate, "", Verdict.ERROR, f"{name}: {error}", evidence=digest_of(content))

    def source(self) -> dict[str, str]:
        """The list of the commit's files; empty when it is not there, on which no gate passes."""
        try:
            return read_source(self.evidence.get(SOURCE, b""))
        except IntegrityError:
            return {}

    def quality(self) -> tuple[Answer, ...]:
        """Coverage by tests and by types, and lint."""
        source, rules = self.source(), self.rules
        lint = self._scan_evidence(LINT)
        linted = sast.answers({"lint": lint} if lint else {}, source, sast.LINTING)
        return (
            line_coverage(self.evidence.get(COVERAGE), source, rules.line_coverage),
            type_coverage(self.evidence.get(TYPES), source, rules.type_coverage),
            *linted,
        )

    def sast(self) -> tuple[Answer, ...]:
        """The scanners of source code."""
        if "sast" in self.left_out:
            return tuple(
                _unanswered(sast.gate_of(name), "left out of this cut: --no-sast") for name in self.rules.scanners
            )
        return sast.answers(self.scans(), self.source(), sast.SastPolicy(self.rules.scanners, self.rules.fail_at))

    def scans(self) -> dict[str, ScanEvidence]:
        """What the scanners of source code left, by their name."""
        names = {name[len(SAST) :].rpartition(".")[0] for name in self.evidence if name.startswith(SAST)}
        return {name: one for name in sorted(names) if (one := self._scan_evidence(f"{SAST}{name}"))}

    def reports(self) -> list[str]:
        """The names of the advisory sources' reports."""
        return sorted(name for name in self.evidence if name.startswith(SCAN) and name != VEX)

    def _scan_evidence(self, stem: str) -> ScanEvidence | None:
        record, sarif = (self.evidence.get(f"{stem}.{kind}") for kind in ("json", "sarif"))
        return ScanEvidence(record, sarif) if record is not None and sarif is not None else None

    def image(self) -> tuple[Answer, ...]:
        """How the image behaved when it was run."""
        if "container" in self.left_out:
            return tuple(_unanswered(gate, "left out of this cut: --no-container") for gate in smoke.GATES)
        digest = self.image_digest()
        if not digest:
            return tuple(_unanswered(gate, "there is no image to judge") for gate in smoke.GATES)
        return smoke.answers(self.evidence.get(SMOKE, b""), Digest(digest))

    def image_digest(self) -> str:
        """The digest of the image's manifest; empty without an image."""
        try:
            return image_of(self.evidence)
        except IntegrityError:
            return ""

    def sbom(self) -> tuple[Answer, ...]:
        """The list of contents, and whether every file of the image belongs to one of them."""
        image, ownership = self.image_digest(), self.evidence.get(OWNERSHIP, b"")
        listed = self.ask("sbom", SBOM, lambda c: sbom_answer(c, image, ownership, digest_of(c)), part="sbom")
        if "container" in self.left_out:
            return listed, self.ask("file_ownership", OWNERSHIP, _never, part="container")
        return listed, self.ask(
            "file_ownership",
            OWNERSHIP,
            lambda c: ownership_report.ownership_answer(c, image, digest_of(c)),
            part="sbom",
        )

    def scan(self) -> tuple[Answer, ...]:
        """Known vulnerabilities of everything in the SBOM."""
        gates = ("dependency_audit", "container_scan", "vulnerabilities")
        if "scan" in self.left_out:
            return tuple(_unanswered(gate, "left out of this cut: --no-scan") for gate in gates)
        try:
            listed = components(self.evidence.get(SBOM, b""))
            reports = [read_report(self.evidence[name]) for name in self.reports()]
        except IntegrityError as error:
            return tuple(Answer(gate, "", Verdict.ERROR, error.message) for gate in gates)
        policy = AdvisoryPolicy(timedelta(days=self.rules.max_data_age_days))
        waivers = vex.read_vex(self.evidence[VEX], self.at) if VEX in self.evidence else vex.Waivers()
        answers = advisory_gates.answers(reports, listed, policy, self.at, waivers)
        if "container" in self.left_out:
            out = _unanswered("container_scan", "left out of this cut: --no-container")
            return tuple(out if answer.gate == "container_scan" else answer for answer in answers)
        return answers


def read_rules(record: bytes) -> CutRules:
    """The rules in ``policy.json``; IntegrityError when it holds none."""
    document = canonical.decode(record, POLICY)
    try:
        scanners, unmeasured = (tuple(document.pop(name)) for name in ("scanners", "not_yet_measured"))
        severity = Severity(document.pop("fail_at"))
        return CutRules(scanners=scanners, fail_at=severity, not_yet_measured=unmeasured, **document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise IntegrityError(f"{POLICY}: expected the rules of a cut, saw {error!r}", "cut again") from error


def built_of(evidence: Mapping[str, bytes]) -> tuple[str, dict[str, str]]:
    """The commit that was built, and the SHA-256 (hex) of wheel and sdist by file name, as the builds' record says."""
    document = canonical.decode(evidence[BUILDS], BUILDS)
    return document["commit"], document["builds"][0]["files"]


def image_of(evidence: Mapping[str, bytes]) -> str:
    """The digest (``sha256:…``) of the image's manifest; empty for a cut without an image."""
    content = evidence.get(image_layout.INDEX)
    return image_layout.named_by(content) if content is not None else ""


def materials_of(evidence: Mapping[str, bytes], commit: str) -> tuple[statement.Material, ...]:
    """What went into the cut: the commit, and what its image was put together from."""
    inputs = canonical.decode(evidence[INPUTS], INPUTS)["materials"] if INPUTS in evidence else []
    source = statement.Material("git+urn:lens:source", "gitCommit", commit, "source")
    return source, *(statement.Material(m["uri"], "sha256", m["sha256"], m["name"]) for m in inputs)


def findings_of(evidence: Mapping[str, bytes]) -> tuple[Finding, ...]:
    """All findings: in the source, in the image's files, and in advisories. IntegrityError when unreadable."""
    case = _Case(evidence, _NOTHING_ASKED, frozenset(), datetime.fromtimestamp(0, UTC))
    found = [finding for name, one in case.scans().items() for finding in sast.findings(name, one)]
    if OWNERSHIP in evidence:
        found += ownership_report.read_report(evidence[OWNERSHIP]).findings
    for name in case.reports():
        report = read_report(evidence[name])
        found += [
            Finding(report.source, one.ids[0], one.severity, one.purl, one.summary, ", ".join(one.fixed_in))
            for one in report.vulnerabilities
        ]
    return tuple(found)


def _never(_content: bytes) -> Answer:
    raise IntegrityError("evidence of a part that was left out")


def _unanswered(gate: str, reason: str) -> Answer:
    return Answer(gate, "", Verdict.INCONCLUSIVE, reason)


def _builds(content: bytes) -> Answer:
    """Two builds under unlike circumstances gave the same bytes."""
    document = canonical.decode(content, BUILDS)
    first, second = document["builds"]
    same = bool(first["files"]) and first["files"] == second["files"]
    unlike = first["circumstances"] != second["circumstances"]
    verdict = Verdict.PASS if same and unlike else Verdict.FAIL
    names = ", ".join(sorted(first["files"]))
    reason = f"{names}: built twice, in other folders, umasks, time zones and languages, the same bytes"
    if verdict is Verdict.FAIL:
        reason = f"two builds of one commit differ: {names}"
    return Answer("reproducible_build", "", verdict, reason, 2.0, 2.0, 2, digest_of(content), "≥")


def _provenance(content: bytes, keys: Mapping[str, bytes]) -> Answer:
    """Signed by a trusted key, and of a builder that may claim a level."""
    found = statement.decode(open_envelope(content, keys))
    level = found.level({})
    verdict = Verdict.PASS if level >= 1 else Verdict.FAIL
    reason = f"SLSA Build L{level}, {len(found.materials)} materials and {len(found.subjects)} subjects, signed"
    return Answer("provenance", "", verdict, reason, float(level), 1.0, len(found.subjects), digest_of(content), "≥")


def _written(answer: Answer) -> dict[str, object]:
    return {
        "gate": answer.gate,
        "verdict": answer.verdict.name,
        "reason": answer.reason,
        "value": answer.value,
        "threshold": answer.threshold,
        "sign": answer.sign,
        "sample_count": answer.sample_count,
        "evidence": answer.evidence,
    }


def _read(item: Mapping[str, object]) -> Answer:
    fields = dict(item)
    verdict = Verdict[str(fields.pop("verdict"))]
    return Answer(slice="", verdict=verdict, **fields)  # type: ignore[arg-type]  # a wrong type is a TypeError there
