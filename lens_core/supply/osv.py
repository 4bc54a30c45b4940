"""Matches components with OSV records (schema 1.x, https://ossf.github.io/osv-schema).

A record says by two ways which versions it is about: a list of ``versions`` and ``ranges`` between events.
On real data they disagree now and then, so either of them suffices, and which of them spoke is kept. A record
that names the package but cannot be decided (a version or an event that cannot be read, nothing but commits)
counts as one that is about it: no evidence is never a pass.

Records of one vulnerability (aliases: CVE, GHSA, PYSEC …) count once. Withdrawn records do not count.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.utils import canonicalize_name

from lens_core.supply.severities import of_record, worst_known
from lens_core.supply.versions import Order, debian, pep440, semver
from lens_core.supply.words import Component, Finding, Severity

Record = Mapping[str, Any]
"""One OSV record as its JSON is read."""

_ORDERS: Mapping[str, Order] = {"PyPI": pep440, "Debian": debian, "crates.io": semver, "npm": semver}
_ECOSYSTEMS = {"pypi": "PyPI", "cargo": "crates.io", "npm": "npm"}
_DEBIAN_RELEASE = re.compile(r"debian-(\d+)(?:\.\d+)?")
_NAMES_OF_NOTE = ("CVE-", "GHSA-", "PYSEC-", "RUSTSEC-", "DSA-", "DLA-")


@dataclass(frozen=True, slots=True)
class Vulnerability:
    """One vulnerability of one component, by all its names; ``ids[0]`` is the one that reports use.

    ``said_by`` tells what spoke for it: ``versions``, ``ranges``, ``undecided``, ``api``, ``changelog``,
    ``archive``. ``fixed_in`` are versions that have it no more, as far as anybody knows.
    """

    purl: str
    ids: tuple[str, ...]
    severity: Severity
    summary: str
    fixed_in: tuple[str, ...]
    said_by: tuple[str, ...]

    def finding(self, source: str) -> Finding:
        """The same in the words that all scanners share."""
        other = f" (also {', '.join(self.ids[1:])})" if self.ids[1:] else ""
        return Finding(
            source, self.ids[0], self.severity, self.purl, f"{self.summary}{other}", ", ".join(self.fixed_in)
        )


class AdvisoryIndex:
    """OSV records by ecosystem and name, without those withdrawn. Each must have an ``id`` and ``affected``."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._by_name: dict[tuple[str, str], list[Record]] = defaultdict(list)
        self._newest: dict[str, str] = {}
        self._records: dict[str, int] = defaultdict(int)
        self._severities: dict[str, Severity] | None = None
        for record in records:
            if record.get("withdrawn"):
                continue
            keys = {package_key(affected) for affected in record["affected"]}
            for ecosystem, name in keys:
                self._by_name[ecosystem, name].append(record)
            for ecosystem in {ecosystem for ecosystem, _ in keys}:
                self._records[ecosystem] += 1
                self._newest[ecosystem] = max(self._newest.get(ecosystem, ""), str(record.get("modified", "")))

    @property
    def records(self) -> Mapping[str, int]:
        """How many records there are by ecosystem, e.g. ``{"PyPI": 2651}``."""
        return dict(self._records)

    def newest(self, ecosystem: str) -> str:
        """The newest ``modified`` among the ecosystem's records (RFC 3339), empty when there is none."""
        return self._newest.get(ecosystem, "")

    def knows(self, component: Component) -> bool:
        """True when there is data of the component's ecosystem; of another release of Debian it is none."""
        ecosystem = ecosystem_of(component)
        return bool(ecosystem) and ecosystem in self._records

    def match(self, component: Component) -> tuple[Vulnerability, ...]:
        """All vulnerabilities of the component, by id; empty when its ecosystem is not known."""
        ecosystem = ecosystem_of(component)
        if not ecosystem:
            return ()
        name = name_of(component)
        family = ecosystem.partition(":")[0]
        places = {ecosystem, family} if family == "Debian" else {ecosystem}
        found = []
        for place in sorted(places):
            for record in self._by_name.get((place, name), ()):
                said_by = judge(record, component)
                if said_by:
                    found.append(vulnerability(record, component, said_by))
        return group(found)

    def severity_of(self, vulnerability_id: str) -> Severity:
        """How bad any record of that id or alias says it is; UNKNOWN when none does."""
        if self._severities is None:
            self._severities = {}
            seen = {id(record): record for records in self._by_name.values() for record in records}
            for record in seen.values():
                severity = of_record(record)
                for name in names_of(record):
                    self._severities[name] = worst_known((severity, self._severities.get(name, Severity.UNKNOWN)))
        return self._severities.get(vulnerability_id, Severity.UNKNOWN)


def expect_record(value: object) -> Record:
    """The value, if it has the parts of OSV's schema that matching relies on; ValueError if it has not."""
    name = value.get("id") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(name, str):
        raise ValueError("expected an OSV record with an id")  # noqa: TRY004 - one kind of error for one kind of fault
    if value.get("withdrawn"):
        return value
    places = _objects(value.get("affected"))
    ranges = [one for place in places or () for one in _objects(place.get("ranges")) or ()]
    if (
        places is None
        or any(not isinstance(place.get("package", {}), dict) for place in places)
        or any(not isinstance(place.get("versions") or [], list) for place in places)
        or any(_objects(place.get("ranges") or []) is None for place in places)
        or any(_objects(one.get("events") or []) is None for one in ranges)
        or any(not isinstance(value.get(key) or [], list) for key in ("aliases", "upstream"))
        or any(_objects(one.get("severity") or []) is None for one in (value, *places))
    ):
        raise ValueError(f"{name} is not of OSV's schema")
    return value


def _objects(value: object) -> list[dict[str, Any]] | None:
    """The value, if it is a list of objects."""
    return value if isinstance(value, list) and all(isinstance(one, dict) for one in value) else None


def ecosystem_of(component: Component) -> str:
    """The component's ecosystem as OSV writes it: ``PyPI``, ``Debian:12``, ``crates.io``; empty when OSV has none."""
    if component.ecosystem == "deb":
        release = _DEBIAN_RELEASE.fullmatch(component.distro)
        return f"Debian:{release[1]}" if release else ""
    return _ECOSYSTEMS.get(component.ecosystem, "")


def name_of(component: Component) -> str:
    """The name that OSV knows it by: PyPI's normalised (PEP 503), Debian's source package."""
    if component.ecosystem == "deb":
        return component.source_name or component.name
    return canonicalize_name(component.name) if component.ecosystem == "pypi" else component.name


def version_of(component: Component) -> str:
    """The version that OSV's records speak of: Debian's is the source package's."""
    return (component.source_version or component.version) if component.ecosystem == "deb" else component.version


def package_key(affected: Mapping[str, Any]) -> tuple[str, str]:
    """Ecosystem and normalised name of one ``affected`` entry; empty texts when it names no package."""
    package = affected.get("package") or {}
    ecosystem, name = str(package.get("ecosystem", "")), str(package.get("name", ""))
    return ecosystem, canonicalize_name(name) if ecosystem == "PyPI" else name


def judge(record: Record, component: Component) -> tuple[str, ...]:
    """What in the record says that the component is affected; empty when nothing does."""
    ecosystem, name = ecosystem_of(component), name_of(component)
    places = {ecosystem, ecosystem.partition(":")[0]}
    said: set[str] = set()
    for affected in record["affected"]:
        place, named = package_key(affected)
        if named == name and place in places:
            said |= _judge_one(affected, version_of(component), _ORDERS[place.partition(":")[0]])
    if said - {"undecided"}:
        said.discard("undecided")
    return tuple(sorted(said))


def _judge_one(affected: Mapping[str, Any], version: str, order: Order) -> set[str]:
    said: set[str] = set()
    key = order(version)
    versions = affected.get("versions") or ()
    if version in versions or (key is not None and any(order(listed) == key for listed in versions)):
        said.add("versions")
    ranges = [one for one in affected.get("ranges") or () if one.get("type") != "GIT"]
    verdicts = [_in_range(one, key, order) for one in ranges]
    if True in verdicts:
        said.add("ranges")
    undecided = None in verdicts if ranges else not versions
    if not said and (undecided or key is None):
        said.add("undecided")
    return said


def _in_range(one: Mapping[str, Any], key: Any, order: Order) -> bool | None:
    """Whether the range holds the version, by OSV's algorithm; None when an event or the version is illegible."""
    events: list[tuple[Any, str]] = []
    inside = False
    limits = []
    for event in one.get("events") or ():
        for kind, text in event.items():
            if kind == "introduced" and text == "0":
                inside = True  # before every version, before prereleases of 0 too
                continue
            at = order(str(text))
            if at is None:
                return None
            limits.append(at) if kind == "limit" else events.append((at, kind))
    if key is None:
        return None
    # Of events at one version the one that opens comes last: in doubt it is affected.
    for at, kind in sorted(events, key=lambda event: (event[0], event[1] == "introduced")):
        if kind == "introduced" and key >= at:
            inside = True
        elif (kind == "fixed" and key >= at) or (kind == "last_affected" and key > at):
            inside = False
    return inside and (not limits or any(key < at for at in limits))


def names_of(record: Record) -> tuple[str, ...]:
    """The record's id and aliases. A single ``upstream`` is one too; several are a bundle, not one vulnerability."""
    upstream = record.get("upstream") or ()
    return (
        str(record["id"]),
        *map(str, record.get("aliases") or ()),
        *(map(str, upstream) if len(upstream) == 1 else ()),
    )


def vulnerability(record: Record, component: Component, said_by: Sequence[str]) -> Vulnerability:
    """What the record says of the component."""
    fixed = _fixes(record, component)
    text = str(record.get("summary") or record.get("details") or "").strip().splitlines()
    summary = text[0][:200] if text else "the record has no summary"
    return Vulnerability(
        component.purl, _ordered(names_of(record)), of_record(record), summary, fixed, tuple(sorted(said_by))
    )


def _fixes(record: Record, component: Component) -> tuple[str, ...]:
    """The fixed versions above the component's, lowest first."""
    ecosystem, name = ecosystem_of(component), name_of(component)
    order = _ORDERS.get(ecosystem.partition(":")[0])
    if order is None:
        return ()
    texts = {
        str(event["fixed"])
        for affected in record["affected"]
        if package_key(affected) == (ecosystem, name)
        for one in affected.get("ranges") or ()
        if one.get("type") != "GIT"
        for event in one.get("events") or ()
        if "fixed" in event
    }
    keys = {text: order(text) for text in texts}
    current = order(version_of(component))
    legible = [text for text in texts if keys[text] is not None and (current is None or keys[text] > current)]
    return tuple(sorted(legible, key=lambda text: (keys[text], text)))


def _ordered(ids: Iterable[str]) -> tuple[str, ...]:
    def rank(name: str) -> tuple[int, str]:
        return next((n for n, start in enumerate(_NAMES_OF_NOTE) if name.startswith(start)), len(_NAMES_OF_NOTE)), name

    return tuple(sorted(set(ids), key=rank))


def group(found: Iterable[Vulnerability]) -> tuple[Vulnerability, ...]:
    """Those of one component that share a name become one, with the worst known severity; by purl and id."""
    groups: dict[int, list[Vulnerability]] = {}
    home: dict[tuple[str, str], int] = {}  # package and name → the group that holds it
    for number, one in enumerate(found):
        related = {home[one.purl, name] for name in one.ids if (one.purl, name) in home}
        groups[number] = [one, *(other for old in sorted(related) for other in groups.pop(old))]
        home.update({(one.purl, name): number for member in groups[number] for name in member.ids})
    merged = [_merged(members) for members in groups.values()]
    return tuple(sorted(merged, key=lambda one: (one.purl, one.ids)))


def _merged(members: Sequence[Vulnerability]) -> Vulnerability:
    ordered = sorted(members, key=lambda one: (one.ids, one.summary))
    return Vulnerability(
        ordered[0].purl,
        _ordered(name for one in members for name in one.ids),
        worst_known(one.severity for one in members),
        ordered[0].summary,
        tuple(dict.fromkeys(text for one in ordered for text in one.fixed_in)),
        tuple(sorted({text for one in members for text in one.said_by})),
    )
