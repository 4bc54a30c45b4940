"""SARIF 2.1.0 as Lens writes it: one tool, one run, and the same bytes for the same findings.

What a tool prints carries clock times, absolute paths and snippets. Here stands what a verdict needs: which
tool in which version ran which rules, what it found where, and by which comment in the source a finding was
accepted (SARIF's ``suppressions``). Findings in the seeded canary stay in, under a base of their own
(``CANARY`` beside ``SOURCE``): whoever reads the file sees that the scanner had its eyes open.

Source: OASIS, Static Analysis Results Interchange Format 2.1.0, sections 3.14, 3.27, 3.35.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import rfc8785

from lens_core.supply.words import Severity

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.UNKNOWN: "error",
}


@dataclass(frozen=True, slots=True, order=True)
class Sighting:
    """One finding: ``path`` is relative to the tree (to the canary's folder, if ``canary``), lines count from 1.

    ``accepted`` is the comment in the source that accepts it, empty when none does.
    """

    canary: bool
    path: str
    line: int
    rule: str
    severity: Severity
    message: str
    accepted: str = ""

    def __post_init__(self) -> None:
        words = (self.path, self.rule, self.message, self.accepted)
        if not all(isinstance(word, str) for word in words) or type(self.line) is not int or self.line < 1:
            raise TypeError(f"expected words and a line from 1 on, saw {words} and line {self.line!r}")


@dataclass(frozen=True, slots=True)
class Report:
    """What one run of one tool said: its name and version, the rules that it ran, and what it saw."""

    tool: str
    version: str
    rules: tuple[str, ...]
    sightings: tuple[Sighting, ...]

    def __post_init__(self) -> None:
        if not all(isinstance(word, str) for word in (self.tool, self.version, *self.rules)):
            raise TypeError("expected the names of a tool, its version and its rules to be words")


def write_sarif(report: Report) -> bytes:
    """The report as canonical SARIF: sorted, without times and absolute paths."""
    driver = {"name": report.tool, "version": report.version, "rules": [{"id": rule} for rule in sorted(report.rules)]}
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {
            "CANARY": {"description": {"text": "seeded findings that this run had to find"}},
            "SOURCE": {"description": {"text": "the root of the source tree"}},
        },
        "results": [_write_one(sighting) for sighting in sorted(report.sightings)],
    }
    return rfc8785.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def read_sarif(content: bytes) -> Report:
    """Read what ``write_sarif`` wrote; ValueError says what is wrong with anything else."""
    try:
        log = json.loads(content)
        version, (run,) = log["version"], log["runs"]
        driver = run["tool"]["driver"]
        report = Report(
            driver["name"],
            driver["version"],
            tuple(rule["id"] for rule in driver["rules"]),
            tuple(_read_one(entry) for entry in run["results"]),
        )
        same = version == "2.1.0" and write_sarif(report) == content
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"the SARIF cannot be read: {type(error).__name__} {error}") from error
    if not same:
        raise ValueError("the SARIF is not in the one form in which it is written")
    return report


def _write_one(sighting: Sighting) -> dict[str, Any]:
    place = {
        "artifactLocation": {"uri": quote(sighting.path), "uriBaseId": "CANARY" if sighting.canary else "SOURCE"},
        "region": {"startLine": sighting.line},
    }
    entry: dict[str, Any] = {
        "ruleId": sighting.rule,
        "level": _LEVELS[sighting.severity],
        "message": {"text": sighting.message},
        "locations": [{"physicalLocation": place}],
        "properties": {"severity": sighting.severity.value},
    }
    if sighting.accepted:
        entry["suppressions"] = [{"kind": "inSource", "justification": sighting.accepted}]
    return entry


def _read_one(entry: Mapping[str, Any]) -> Sighting:
    (location,) = entry["locations"]
    place = location["physicalLocation"]
    suppressions: Sequence[Mapping[str, str]] = entry.get("suppressions", ())
    return Sighting(
        canary=place["artifactLocation"]["uriBaseId"] == "CANARY",
        path=unquote(place["artifactLocation"]["uri"]),
        line=place["region"]["startLine"],
        rule=entry["ruleId"],
        severity=Severity(entry["properties"]["severity"]),
        message=entry["message"]["text"],
        accepted=suppressions[0]["justification"] if suppressions else "",
    )
