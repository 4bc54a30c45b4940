"""What differs between two cuts: packages, files, findings, sizes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lens_core.supply.manifest import Entry
from lens_core.supply.words import Component, Finding


@dataclass(frozen=True, slots=True)
class Contents:
    """What one cut holds, read from its sealed files."""

    version: str
    entries: tuple[Entry, ...]
    components: tuple[Component, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs: ``before`` is empty for what was added, ``after`` for what was removed."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ReleaseDiff:
    """What the newer cut has that the older has not, and the other way round. Sizes in bytes, of all files together."""

    before: str
    after: str
    packages: tuple[Change, ...]
    files: tuple[Change, ...]
    findings: tuple[Change, ...]
    size_before: int
    size_after: int


def diff(before: Contents, after: Contents) -> ReleaseDiff:
    """Compare two cuts. What a version number alone moves (a file's name) shows as removed and added."""
    return ReleaseDiff(
        before.version,
        after.version,
        _packages(before.components, after.components),
        _files(before.entries, after.entries),
        _findings(before.findings, after.findings),
        sum(entry.size for entry in before.entries),
        sum(entry.size for entry in after.entries),
    )


def _packages(before: Sequence[Component], after: Sequence[Component]) -> tuple[Change, ...]:
    old, new = _versions(before), _versions(after)
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return tuple(Change(name, old.get(name, ""), new.get(name, "")) for name in names)


def _versions(components: Iterable[Component]) -> dict[str, str]:
    """Ecosystem and name → the versions there are, for one package may be there twice."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for component in components:
        found[f"{component.ecosystem}/{component.name}"].add(component.version)
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}


def _files(before: Sequence[Entry], after: Sequence[Entry]) -> tuple[Change, ...]:
    old, new = ({entry.name: entry for entry in entries} for entries in (before, after))
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return tuple(Change(name, _said(old.get(name)), _said(new.get(name))) for name in names)


def _said(entry: Entry | None) -> str:
    return f"{entry.size:,} bytes, {entry.sha256[:12]}" if entry else ""


def _findings(before: Sequence[Finding], after: Sequence[Finding]) -> tuple[Change, ...]:
    """Findings by what and where; a line number moves with every edit and makes no other finding."""
    old, new = _counted(before), _counted(after)
    names = sorted(name for name in old.keys() | new.keys() if old.get(name, 0) != new.get(name, 0))
    return tuple(Change(name, _times(old.get(name, 0)), _times(new.get(name, 0))) for name in names)


def _counted(findings: Iterable[Finding]) -> dict[str, int]:
    counts: defaultdict[str, int] = defaultdict(int)
    for finding in findings:
        path, _, line = finding.subject.rpartition(":")
        where = (
            path if line.isdigit() and "/" not in line and not finding.subject.startswith("pkg:") else finding.subject
        )
        counts[f"{finding.source} {finding.rule} {finding.severity} {where}"] += 1
    return dict(counts)


def _times(count: int) -> str:
    return f"{count}×" if count else ""
