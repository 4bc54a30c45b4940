"""The gates that rest on advisory sources: ``dependency_audit``, ``container_scan`` and ``vulnerabilities``.

A clean report is believed only when its source was sound: reachable, with data that is neither old nor from
the future, and with a canary recognised in every ecosystem that it answers for. Every package of the SBOM
must be answered for by a sound source, and every source that was asked must be sound. What a source found
counts even when the source is not sound.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lens_core.model import Answer, Verdict
from lens_core.supply.advisories import AdvisoryReport, digest_of_reports, scale_of
from lens_core.supply.osv import Vulnerability, group
from lens_core.supply.vex import Waiver, Waivers
from lens_core.supply.words import Component, Severity

_BLOCKING = (Severity.CRITICAL, Severity.HIGH, Severity.UNKNOWN)
_SHOWN = 3
"""A reason names that many examples; the report has the rest."""


@dataclass(frozen=True, slots=True)
class AdvisoryPolicy:
    """``max_age``: how old data may be. ``max_ahead``: how far clocks may differ before a date is of the future."""

    max_age: timedelta = timedelta(days=7)
    max_ahead: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why a gate is not green, and how bad that is."""

    verdict: Verdict
    reason: str


def answers(
    reports: Sequence[AdvisoryReport],
    components: Sequence[Component],
    policy: AdvisoryPolicy,
    now: datetime,
    waivers: Waivers,
) -> tuple[Answer, ...]:
    """Judge what the sources reported of an SBOM's components at ``now`` (UTC).

    ``dependency_audit`` is about all but debs, ``container_scan`` about debs, ``vulnerabilities`` about all.
    The value is the number of vulnerabilities that block (critical, high, unknown) and are not waived;
    ``sample_count`` counts packages that were answered for. FAIL: one is critical or high. ERROR: a source
    is not sound. INCONCLUSIVE: unknown severity, no package, or a package without an answer.
    """
    debs = [component for component in components if component.ecosystem == "deb"]
    others = [component for component in components if component.ecosystem != "deb"]
    gates = (("dependency_audit", others), ("container_scan", debs), ("vulnerabilities", list(components)))
    return tuple(_answer(gate, subject, reports, (policy, now, waivers)) for gate, subject in gates)


def _answer(
    gate: str,
    components: Sequence[Component],
    reports: Sequence[AdvisoryReport],
    rules: tuple[AdvisoryPolicy, datetime, Waivers],
) -> Answer:
    policy, now, waivers = rules
    purls = {component.purl for component in components}
    concerned = [report for report in reports if purls & set(report.asked) or (report.errors and not report.asked)]
    judged = [(report, faults(report, components, policy, now)) for report in concerned]
    covered = {purl for report, said in judged if not said for purl in set(report.answered) & purls}
    found = group(one for report in concerned for one in report.vulnerabilities if one.purl in purls)
    blocking = [one for one in found if one.severity in _BLOCKING]
    waived = {one: waiver for one in blocking if (waiver := waivers.covering(one.ids, one.purl))}
    left = [one for one in blocking if one not in waived]
    told = [
        *_findings(left, waivers),
        *(
            _Fault(Verdict.ERROR, f"{report.source}: {fault}")
            for report, said in judged
            if report.errors or purls & set(report.answered)  # else it has no part in this gate
            for fault in said
        ),
        *_coverage(components, covered, concerned),
    ]
    verdict = Verdict.worst(fault.verdict for fault in told) if told else _clean(waived)
    reasons = [fault.reason for fault in told] or [_praise(len(covered), len(found), waived)]
    return Answer(
        gate,
        "",
        verdict,
        "; ".join(reasons),
        float(len(left)) if covered or left else None,
        0.0,
        len(covered),
        digest_of_reports(concerned) if concerned else "",
        "≤",
    )


def faults(
    report: AdvisoryReport, components: Sequence[Component], policy: AdvisoryPolicy, now: datetime
) -> tuple[str, ...]:
    """Why the report proves nothing of the components: one reason each, none for a sound one."""
    seeing = {canary.ecosystem for canary in report.canaries if canary.found}
    answered = set(report.answered)
    blind = {scale_of(component) for component in components if component.purl in answered} - seeing
    strange = answered - set(report.asked)
    said = [*report.errors, *_faults_of_date(report, policy, now)]
    if report.records == 0:
        said.append("its database is empty")
    if not seeing:
        said.append("it recognised nothing that is known to be vulnerable")
    if blind and seeing:
        said.append(f"it did not recognise what is known to be vulnerable in {', '.join(sorted(blind))}")
    if strange:
        said.append(f"it answers for {len(strange)} packages that it was not asked about")
    return tuple(said)


def _faults_of_date(report: AdvisoryReport, policy: AdvisoryPolicy, now: datetime) -> list[str]:
    said = []
    if report.data_date is None:
        said.append("it does not say how old its data is")
    elif now - report.data_date > policy.max_age:
        age = f"expected at most {_days(policy.max_age)}, saw {_days(now - report.data_date)}"
        said.append(f"its data of {report.data_date:%Y-%m-%d} is stale: {age}")
    elif report.data_date - now > policy.max_ahead:
        said.append(f"its data is of the future: {report.data_date:%Y-%m-%d %H:%M} UTC")
    if report.expires is not None and report.expires < now:
        said.append(f"its data expired on {report.expires:%Y-%m-%d %H:%M} UTC")
    return said


def _coverage(
    components: Sequence[Component], covered: set[str], reports: Sequence[AdvisoryReport]
) -> tuple[_Fault, ...]:
    if not components:
        return (_Fault(Verdict.INCONCLUSIVE, "the SBOM lists no such package"),)
    if not reports:
        return (_Fault(Verdict.INCONCLUSIVE, "no source was asked"),)
    missing = [component for component in components if component.purl not in covered]
    if not missing:
        return ()
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(scale_of(c) for c in missing).items()))
    said = {purl: why for report in reports for purl, why in report.unanswered}
    examples = [f"{c.purl} ({said.get(c.purl, 'by no sound source')})" for c in missing[:_SHOWN]]
    text = f"{len(missing)} of {len(components)} packages have no sound answer ({kinds}): {', '.join(examples)}"
    return (_Fault(Verdict.INCONCLUSIVE, text),)


def _findings(left: Sequence[Vulnerability], waivers: Waivers) -> tuple[_Fault, ...]:
    if not left:
        return ()
    counts = Counter(one.severity for one in left)
    severe = counts[Severity.CRITICAL] + counts[Severity.HIGH]
    text = ", ".join(f"{counts[severity]} {severity}" for severity in _BLOCKING)
    examples = ", ".join(f"{one.ids[0]} in {one.purl}" for one in left[:_SHOWN])
    refusals = dict.fromkeys(
        f"; the waiver of {refused.vulnerability} is not honoured: {refused.why}"
        for one in left
        for refused in waivers.refusals(one.ids, one.purl)
    )
    verdict = Verdict.FAIL if severe else Verdict.INCONCLUSIVE
    return (_Fault(verdict, f"{text}: {examples}{''.join(refusals)}"),)


def _clean(waived: dict[Vulnerability, Waiver]) -> Verdict:
    return Verdict.WAIVED if waived else Verdict.PASS


def _praise(packages: int, known: int, waived: dict[Vulnerability, Waiver]) -> str:
    said = [f"{one.ids[0]} in {one.purl} waived by {w.owner} until {w.expires}" for one, w in waived.items()]
    return "; ".join([f"{packages} packages answered for, {known} vulnerabilities, none that blocks unwaived", *said])


def _days(span: timedelta) -> str:
    return f"{span / timedelta(days=1):.1f} days"
