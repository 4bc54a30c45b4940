"""How bad an OSV record says its vulnerability is: from CVSS vectors of any version, or from its database's word."""

from collections.abc import Iterable, Mapping
from typing import Any

from cvss import CVSS2, CVSS3, CVSS4  # type: ignore[import-untyped]
from cvss.exceptions import CVSSError  # type: ignore[import-untyped]

from lens_core.supply.words import Severity

_VECTORS = {"CVSS_V2": CVSS2, "CVSS_V3": CVSS3, "CVSS_V4": CVSS4}
_WORDS = {
    "critical": Severity.CRITICAL,
    "high": Severity.HIGH,
    "important": Severity.HIGH,
    "moderate": Severity.MEDIUM,
    "medium": Severity.MEDIUM,
    "low": Severity.LOW,
    "negligible": Severity.LOW,
    "none": Severity.LOW,  # a CVSS score of 0.0 is called None
}
_RANKS = (Severity.UNKNOWN, Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)


def worst_known(severities: Iterable[Severity]) -> Severity:
    """The worst of those that are known; UNKNOWN only when none is."""
    return max(severities, key=_RANKS.index, default=Severity.UNKNOWN)


def of_record(record: Mapping[str, Any]) -> Severity:
    """The worst of all that the record says, over all it says is affected; UNKNOWN when it says nothing legible."""
    places = [record, *(place for place in record.get("affected", ()) if isinstance(place, Mapping))]
    return worst_known(severity for place in places for severity in _of_place(place))


def _of_place(place: Mapping[str, Any]) -> Iterable[Severity]:
    for entry in place.get("severity") or ():
        yield of_vector(str(entry.get("type", "")), str(entry.get("score", "")))
    for key in ("database_specific", "ecosystem_specific"):
        said = place.get(key)
        word = said.get("severity") if isinstance(said, Mapping) else None
        yield _WORDS.get(word.lower(), Severity.UNKNOWN) if isinstance(word, str) else Severity.UNKNOWN


def of_vector(kind: str, score: str) -> Severity:
    """The base severity of one vector of ``CVSS_V2``, ``CVSS_V3`` or ``CVSS_V4``; other kinds give a word."""
    vector = _VECTORS.get(kind)
    if vector is None:
        return _WORDS.get(score.lower(), Severity.UNKNOWN)
    try:
        return _WORDS.get(str(vector(score).severities()[0]).lower(), Severity.UNKNOWN)
    except (CVSSError, ValueError, KeyError, ArithmeticError):
        return Severity.UNKNOWN
