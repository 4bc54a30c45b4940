"""Who knows of vulnerabilities, what they answered, and what that is worth.

A source answers with more than findings: which packages it was asked about and which it could answer for,
how old its data is, and whether it recognised packages that are known to be vulnerable (canaries). A scanner
that was out of reach, empty, stale or blind finds nothing too; only the report tells them apart.

The report is kept as canonical JSON (RFC 8785), so that the verdict can be recomputed offline.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import rfc8785

from lens_core.errors import IntegrityError
from lens_core.supply.osv import Vulnerability, ecosystem_of
from lens_core.supply.words import Component, Severity

_FORMAT = "lens-advisory-report/1"
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Canary:
    """A package that is known to be vulnerable, and the ids by which the source recognised it (none: missed)."""

    purl: str
    ecosystem: str
    found: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AdvisoryReport:
    """What one source answered.

    ``source_version`` is the adapter's own, ``database`` the SHA-256 of the data that it looked in,
    ``data_date`` the day of that data and ``expires`` its own date of expiry (both UTC; None: it says none).
    ``asked`` and ``answered`` are purls; ``unanswered`` says why for those that it could not answer.
    ``errors`` are faults of the source itself: with one of them it proves nothing. ``limits`` say what it
    cannot see even when all is well.
    """

    source: str
    source_version: str
    database: str
    records: int
    data_date: datetime | None
    expires: datetime | None
    asked: tuple[str, ...]
    answered: tuple[str, ...]
    unanswered: tuple[tuple[str, str], ...]
    vulnerabilities: tuple[Vulnerability, ...]
    canaries: tuple[Canary, ...]
    errors: tuple[str, ...]
    limits: tuple[str, ...] = ()


class AdvisorySource(Protocol):
    """Answers which vulnerabilities components have."""

    @property
    def name(self) -> str:
        """Its short name, which is its report's file name too: ``osv-dir``."""

    def ask(self, components: Sequence[Component]) -> AdvisoryReport:
        """Ask about all components. What goes wrong stands in the report's ``errors``; nothing is raised for it."""


_CANARIES: Mapping[str, Component] = {
    "pypi": Component("pkg:pypi/jinja2@2.10", "pypi", "jinja2", "2.10"),
    "cargo": Component("pkg:cargo/time@0.1.42", "cargo", "time", "0.1.42"),
    "npm": Component("pkg:npm/lodash@4.17.0", "npm", "lodash", "4.17.0"),
}
"""PYSEC-2019-217 and PYSEC-2021-66; RUSTSEC-2020-0071; CVE-2019-10744 and others."""


def canary_of(component: Component) -> Component | None:
    """The known vulnerable package of the component's ecosystem; None where OSV has no such ecosystem.

    Debian's is an expat of 2007, for the component's own release.
    """
    if component.ecosystem == "deb" and ecosystem_of(component):
        purl = f"pkg:deb/debian/libexpat1@2.0.1-4?distro={component.distro}"
        return Component(purl, "deb", "libexpat1", "2.0.1-4", "expat", "2.0.1-4", component.distro)
    return _CANARIES.get(component.ecosystem)


def canaries_of(components: Sequence[Component]) -> tuple[Component, ...]:
    """The canaries of all ecosystems among the components, each once, by purl."""
    found = {canary.purl: canary for canary in map(canary_of, components) if canary}
    return tuple(found[purl] for purl in sorted(found))


def scale_of(component: Component) -> str:
    """What a canary vouches for: the purl's type, for Debian with its release (``deb/debian-12``)."""
    return f"deb/{component.distro}" if component.ecosystem == "deb" else component.ecosystem


def report_bytes(report: AdvisoryReport) -> bytes:
    """The report as canonical JSON: the same bytes for the same answers, whatever order they came in."""
    return rfc8785.dumps(
        {
            "format": _FORMAT,
            "source": report.source,
            "source_version": report.source_version,
            "database": report.database,
            "records": report.records,
            "data_date": _written(report.data_date),
            "expires": _written(report.expires),
            "asked": sorted(set(report.asked)),
            "answered": sorted(set(report.answered)),
            "unanswered": dict(report.unanswered),
            "vulnerabilities": [
                {
                    "purl": one.purl,
                    "ids": list(one.ids),
                    "severity": one.severity.value,
                    "summary": one.summary,
                    "fixed_in": list(one.fixed_in),
                    "said_by": list(one.said_by),
                }
                for one in sorted(report.vulnerabilities, key=lambda one: (one.purl, one.ids))
            ],
            "canaries": {c.purl: {"ecosystem": c.ecosystem, "found": sorted(c.found)} for c in report.canaries},
            "errors": sorted(report.errors),
            "limits": sorted(report.limits),
        }
    )


def read_report(document: bytes) -> AdvisoryReport:
    """Read what ``report_bytes`` wrote; IntegrityError for any other bytes."""
    try:
        report = _read(json.loads(document))
        canonical = report_bytes(report)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise IntegrityError(f"expected a report of an advisory source, saw: {error!r}", "scan again") from error
    if canonical != document:
        raise IntegrityError("the report of an advisory source is not in canonical form", "scan again")
    return report


def _read(body: dict[str, Any]) -> AdvisoryReport:
    if body["format"] != _FORMAT:
        raise ValueError(f"expected format {_FORMAT}, saw {body['format']!r}")
    return AdvisoryReport(
        str(body["source"]),
        str(body["source_version"]),
        str(body["database"]),
        int(body["records"]),
        _moment(body["data_date"]),
        _moment(body["expires"]),
        tuple(body["asked"]),
        tuple(body["answered"]),
        tuple(sorted(body["unanswered"].items())),
        tuple(
            Vulnerability(
                one["purl"],
                tuple(one["ids"]),
                Severity(one["severity"]),
                one["summary"],
                tuple(one["fixed_in"]),
                tuple(one["said_by"]),
            )
            for one in body["vulnerabilities"]
        ),
        tuple(Canary(purl, one["ecosystem"], tuple(one["found"])) for purl, one in sorted(body["canaries"].items())),
        tuple(body["errors"]),
        tuple(body["limits"]),
    )


def _written(moment: datetime | None) -> str | None:
    return moment.strftime(_TIME) if moment else None


def _moment(text: str | None) -> datetime | None:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z") if text else None


def digest_of_reports(reports: Sequence[AdvisoryReport]) -> str:
    r"""What an Answer binds to: SHA-256 over ``<sha256 of the report's bytes>  <source>\n``, sorted."""
    lines = sorted(f"{hashlib.sha256(report_bytes(r)).hexdigest()}  {r.source}\n" for r in reports)
    return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"
