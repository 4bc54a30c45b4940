"""A look at what advisory sources said of a candidate, judged again whenever somebody wants: by the waivers of then.

Reports are kept as they came, and their age is judged by the moment at which they were asked for; whether a waiver
holds is judged now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lens_core.model import Verdict
from lens_core.supply import advisory_gates
from lens_core.supply.advisories import AdvisoryReport, digest_of_reports, read_report
from lens_core.supply.advisory_gates import AdvisoryPolicy
from lens_core.supply.osv import Vulnerability, group
from lens_core.supply.sbom_answers import components
from lens_core.supply.vex import Waiver, Waivers

GATE = "vulnerabilities"


@dataclass(frozen=True, slots=True)
class Look:
    """What the sources' reports come to: ``waived`` and ``findings`` name vulnerabilities, one text each.

    ``findings`` are those that nobody waived, harmless ones included. ``digest`` is that of the reports.
    """

    at: datetime
    verdict: Verdict
    reason: str
    waived: tuple[str, ...]
    findings: tuple[str, ...]
    digest: str


def look(
    sbom: bytes, reports: Mapping[str, bytes], waivers: Waivers, policy: AdvisoryPolicy, asked_at: datetime
) -> Look:
    """Judge reports (by file name) of an SBOM's components; IntegrityError for files that are none."""
    listed, read = components(sbom), [read_report(content) for _, content in sorted(reports.items())]
    answers = advisory_gates.answers(read, listed, policy, asked_at, waivers)
    answer = next(one for one in answers if one.gate == GATE)
    known = _known(read, {component.purl for component in listed})
    needed = {one: waiver for one in known if (waiver := waivers.covering(one.ids, one.purl))}
    return Look(
        at=asked_at,
        verdict=answer.verdict,
        reason=answer.reason,
        waived=tuple(sorted(_waived(one, waiver) for one, waiver in needed.items())),
        findings=tuple(sorted(f"{_name(one)} ({one.severity})" for one in known if one not in needed)),
        digest=digest_of_reports(read),
    )


def _known(reports: Sequence[AdvisoryReport], purls: set[str]) -> tuple[Vulnerability, ...]:
    return tuple(group(one for report in reports for one in report.vulnerabilities if one.purl in purls))


def _name(one: Vulnerability) -> str:
    return f"{one.ids[0]} in {one.purl}"


def _waived(one: Vulnerability, waiver: Waiver) -> str:
    return f"{_name(one)}, waived by {waiver.owner} until {waiver.expires}"
