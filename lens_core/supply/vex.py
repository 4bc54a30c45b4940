"""Waivers: named vulnerabilities of named packages that somebody answers for, until a date.

They are written as CycloneDX VEX 1.6 (https://cyclonedx.org/docs/1.6/json). Of each entry of ``vulnerabilities``
counts: ``id``; ``affects[].ref``, an exact purl with a version; ``analysis`` with ``state``, ``detail`` (the
reason) and, by state, ``justification`` or ``response``; and the properties ``lens:owner`` and ``lens:expires``
(a UTC date, the last day on which it holds). An entry that lacks one of them is not honoured, and said so.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import rfc8785
from packageurl import PackageURL

from lens_core.errors import InvalidInput

LONGEST_DAYS = 366
"""A waiver ends within a year and a day, so that somebody looks at it again."""

_JUSTIFICATIONS = frozenset(
    {
        "code_not_present",
        "code_not_reachable",
        "requires_configuration",
        "requires_dependency",
        "requires_environment",
        "protected_by_compiler",
        "protected_at_runtime",
        "protected_at_perimeter",
        "protected_by_mitigating_control",
    }
)
_ACCEPTED = frozenset({"can_not_fix", "will_not_fix", "workaround_available"})
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MEND = "write it as docs/adr/0024-advisories.md says"


@dataclass(frozen=True, slots=True)
class Waiver:
    """One vulnerability of one package version that ``owner`` answers for until ``expires`` (UTC date, included)."""

    vulnerability: str
    purl: str
    owner: str
    reason: str
    state: str
    grounds: tuple[str, ...]
    expires: date


@dataclass(frozen=True, slots=True)
class RefusedWaiver:
    """An entry that is not honoured: what it names, and why."""

    vulnerability: str
    ref: str
    why: str


@dataclass(frozen=True, slots=True)
class Waivers:
    """What holds, and what was asked for in vain, by vulnerability and ref."""

    in_force: tuple[Waiver, ...] = ()
    refused: tuple[RefusedWaiver, ...] = ()

    def covering(self, ids: Sequence[str], purl: str) -> Waiver | None:
        """The waiver of one of the ids for exactly this purl, if there is one."""
        wanted = canonical_purl(purl)
        return next((w for w in self.in_force if w.vulnerability in ids and w.purl == wanted), None)

    def refusals(self, ids: Sequence[str], purl: str) -> tuple[RefusedWaiver, ...]:
        """Entries that speak of one of the ids, and why they do not cover this purl."""
        elsewhere = tuple(
            RefusedWaiver(w.vulnerability, w.purl, f"it is for {w.purl}, not for {purl}")
            for w in self.in_force
            if w.vulnerability in ids and w.purl != canonical_purl(purl)
        )
        return tuple(r for r in self.refused if r.vulnerability in ids) + elsewhere


def canonical_purl(text: str) -> str:
    """The purl with its parts in their canonical order and spelling; the text itself when it is no purl."""
    try:
        return PackageURL.from_string(text).to_string()
    except ValueError:
        return text


def read_vex(document: bytes, now: datetime) -> Waivers:
    """Read a VEX document as it stands at ``now`` (UTC); InvalidInput when it is no CycloneDX 1.6 JSON."""
    entries = _vex(document).get("vulnerabilities", [])
    today = now.astimezone(UTC).date()
    waivers: list[Waiver] = []
    refused: list[RefusedWaiver] = []
    for entry in entries:
        for ref, fault_of_ref in _refs(entry):
            waiver = fault_of_ref or _waiver(entry, ref, today)
            name = str(entry.get("id", ""))
            if isinstance(waiver, str):
                refused.append(RefusedWaiver(name, ref, waiver))
            else:
                waivers.append(waiver)
    return Waivers(
        tuple(sorted(waivers, key=lambda w: (w.vulnerability, w.purl, w.expires))),
        tuple(sorted(refused, key=lambda r: (r.vulnerability, r.ref, r.why))),
    )


def _vex(document: bytes) -> dict[str, Any]:
    """The document, if it is CycloneDX 1.6 with a list of vulnerabilities; InvalidInput otherwise."""
    try:
        bom = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"expected waivers as CycloneDX JSON, saw: {error}", _MEND) from error
    if not isinstance(bom, dict) or bom.get("bomFormat") != "CycloneDX" or bom.get("specVersion") != "1.6":
        raise InvalidInput("expected waivers with bomFormat CycloneDX and specVersion 1.6", _MEND)
    entries = bom.get("vulnerabilities", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InvalidInput("expected `vulnerabilities` to be a list of objects", _MEND)
    return bom


def _refs(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each ref that the entry affects, and what is wrong with it (empty: nothing)."""
    affects = entry.get("affects")
    if not isinstance(affects, list) or not affects:
        return [("", "it names no package in `affects`")]
    return [(_text(one, "ref"), _fault_of_ref(one)) for one in affects]


def _fault_of_ref(one: Any) -> str:
    ref = _text(one, "ref")
    if "*" in ref or "%2A" in ref.upper():
        return "a wildcard waives nothing"
    try:
        purl = PackageURL.from_string(ref)
    except ValueError:
        return f"expected a purl as ref, saw {ref!r}"
    if not purl.version or purl.version.startswith("vers:"):
        return "the purl names no one version"
    if one.get("versions"):
        return "it lists versions beside the purl's own: name each purl"
    return ""


def _waiver(entry: Mapping[str, Any], ref: str, today: date) -> Waiver | str:
    """The waiver, or why there is none."""
    name, owner, expiry = _text(entry, "id"), _property(entry, "lens:owner"), _property(entry, "lens:expires")
    analysis = entry.get("analysis")
    reason, state = _text(analysis, "detail"), _text(analysis, "state")
    grounds, expires = _grounds(analysis, state), _date(expiry)
    faults = (
        (not name or "*" in name, "it names no vulnerability"),
        (not owner, "it has no owner (property lens:owner)"),
        (not reason, "it has no reason (analysis.detail)"),
        (isinstance(grounds, str), grounds),
        (expires is None, f"expected a date YYYY-MM-DD in lens:expires, saw {expiry!r}"),
        (expires and expires < today, f"it expired on {expires}"),
        (
            expires and expires > today + timedelta(days=LONGEST_DAYS),
            f"it would hold until {expires}, more than {LONGEST_DAYS} days from now",
        ),
    )
    fault = next((str(why) for wrong, why in faults if wrong), "")
    if fault or isinstance(grounds, str) or expires is None:
        return fault
    return Waiver(name, canonical_purl(ref), owner, reason, state, grounds, expires)


def _grounds(analysis: Any, state: str) -> tuple[str, ...] | str:
    """Justification or responses, as the state needs them; a text says what is missing."""
    justification = _text(analysis, "justification")
    said = analysis.get("response") if isinstance(analysis, Mapping) else None
    responses = tuple(str(one) for one in said) if isinstance(said, list) else ()
    match state:
        case "false_positive":
            return ()
        case "not_affected":
            return (justification,) if justification in _JUSTIFICATIONS else "not_affected needs a justification"
        case "exploitable":
            accepted = bool(responses) and set(responses) <= _ACCEPTED
            return responses if accepted else f"exploitable needs a response of {', '.join(sorted(_ACCEPTED))}"
        case _:
            return f"the state {state or 'that is missing'} waives nothing"


def _property(entry: Mapping[str, Any], name: str) -> str:
    """The property's one value; empty when it is missing or there are two (which of them holds?)."""
    properties = entry.get("properties")
    found = (
        [_text(one, "value") for one in properties if _text(one, "name") == name]
        if isinstance(properties, list)
        else []
    )
    return found[0] if len(found) == 1 else ""


def _text(place: Any, key: str) -> str:
    value = place.get(key) if isinstance(place, Mapping) else None
    return value.strip() if isinstance(value, str) else ""


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        return None


def write_vex(waivers: Sequence[Waiver]) -> bytes:
    """The waivers as canonical CycloneDX VEX 1.6, the same bytes for the same waivers; ``read_vex`` reads it."""
    entries = [_entry(waiver) for waiver in sorted(waivers, key=lambda w: (w.vulnerability, w.purl, w.expires))]
    return rfc8785.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "vulnerabilities": entries})


def with_waivers(document: bytes | None, more: Sequence[Waiver]) -> bytes | None:
    """A VEX document with further waivers in it; the document itself when there are none, None without both.

    InvalidInput when ``document`` is no CycloneDX with a list of vulnerabilities.
    """
    if not more:
        return document
    if document is None:
        return write_vex(more)
    bom = _vex(document)
    entries = [*bom.get("vulnerabilities", []), *map(_entry, sorted(more, key=lambda w: (w.vulnerability, w.purl)))]
    return json.dumps({**bom, "vulnerabilities": entries}, sort_keys=True, indent=1).encode()


def _entry(waiver: Waiver) -> dict[str, Any]:
    analysis: dict[str, Any] = {"state": waiver.state, "detail": waiver.reason}
    if waiver.state == "not_affected":
        analysis["justification"] = waiver.grounds[0]
    elif waiver.grounds:
        analysis["response"] = list(waiver.grounds)
    return {
        "id": waiver.vulnerability,
        "affects": [{"ref": waiver.purl}],
        "analysis": analysis,
        "properties": [
            {"name": "lens:owner", "value": waiver.owner},
            {"name": "lens:expires", "value": waiver.expires.isoformat()},
        ],
    }
