"""Reads what a Debian archive publishes: Release files, Packages indexes, changelogs (Debian policy 4.4 and 5)."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from lens_core.supply.versions import debian

_FIELD = re.compile(r"^([A-Za-z0-9-]+):[ \t]*(.*)$")
_PACKAGE = re.compile(r"^Package: (\S+)$", re.MULTILINE)
_SOURCE = re.compile(r"(\S+)(?: \((\S+)\))?")
_ENTRY = re.compile(r"^(\S+) \(([^()\s]+)\) [^;\n]+;", re.MULTILINE)
_CVE = re.compile(r"CVE-\d{4}-\d{4,}", re.IGNORECASE)
_DATES = ("%a, %d %b %Y %H:%M:%S UTC", "%a, %d %b %Y %H:%M:%S GMT", "%a, %d %b %Y %H:%M:%S +0000")


@dataclass(frozen=True, slots=True)
class Release:
    """A suite's signed table of contents: ``files`` maps each index's path to the SHA-256 that it must have."""

    origin: str
    label: str
    codename: str
    version: str
    date: datetime | None
    valid_until: datetime | None
    files: Mapping[str, str]

    @property
    def distro(self) -> str:
        """The release as purls name it, e.g. ``debian-12``."""
        major = re.match(r"\d+", self.version)
        return f"debian-{major[0]}" if major else ""

    @property
    def is_security(self) -> bool:
        """True for the suite that security updates come from."""
        return self.label == "Debian-Security" or self.codename.endswith("-security")


@dataclass(frozen=True, slots=True)
class Deb:
    """One binary package of an index. ``size`` is in bytes."""

    name: str
    version: str
    architecture: str
    source_name: str
    source_version: str
    sha256: str
    size: int
    security: bool

    @property
    def filename(self) -> str:
        """The name that apt gives the file that it keeps."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"


class PackagesIndex:
    """A Packages file of some ten thousand stanzas; only those that are asked for are read."""

    def __init__(self, text: str, *, security: bool = False) -> None:
        self._text = text
        self._security = security
        self._starts: dict[str, list[int]] = defaultdict(list)
        for found in _PACKAGE.finditer(text):
            self._starts[found[1]].append(found.start())

    def __len__(self) -> int:
        return len(self._starts)

    def named(self, name: str) -> tuple[Deb, ...]:
        """All versions of the package that the index lists; none when it does not know the name."""
        return tuple(self._deb(start) for start in self._starts.get(name, ()))

    def _deb(self, start: int) -> Deb:
        # The field Package opens a stanza in every index that apt accepts.
        end = self._text.find("\n\n", start)
        fields = _fields(self._text[start : end if end >= 0 else len(self._text)])
        source = _SOURCE.fullmatch(fields.get("Source", fields["Package"]))
        source_name, source_version = source.groups() if source else (fields["Package"], None)
        return Deb(
            fields["Package"],
            fields.get("Version", ""),
            fields.get("Architecture", ""),
            source_name,
            source_version or fields.get("Version", ""),
            fields.get("SHA256", ""),
            int(fields.get("Size", "0")),
            self._security,
        )


def _fields(stanza: str) -> dict[str, str]:
    """Field → value, of lines that go on only the first."""
    return {found[1]: found[2].strip() for line in stanza.splitlines() if (found := _FIELD.match(line))}


def read_release(text: str) -> Release:
    """Read a Release file whose signature was verified; dates that cannot be read are None."""
    fields = _fields(text)
    files: dict[str, str] = {}
    section = ""
    for line in text.splitlines():
        if found := _FIELD.match(line):
            section = found[1]
        elif section == "SHA256" and line.startswith(" "):
            digest, _, path = line.split(maxsplit=2)
            files[path] = digest
    return Release(
        fields.get("Origin", ""),
        fields.get("Label", ""),
        fields.get("Codename", ""),
        fields.get("Version", ""),
        _date(fields.get("Date", "")),
        _date(fields.get("Valid-Until", "")),
        files,
    )


def _date(text: str) -> datetime | None:
    for form in _DATES:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def newer(left: str, right: str) -> bool:
    """True when version ``left`` sorts behind ``right``; one that cannot be read is older than all others."""
    a, b = debian(left), debian(right)
    return a is not None and (b is None or a > b)


def cves_between(changelog: str, above: str, up_to: str) -> tuple[str, ...]:
    """CVE ids in the entries with ``above < version <= up_to``, sorted.

    A changelog also names what an upload only mentions, so these may be more than were fixed, never fewer
    than it names.
    """
    entries = list(_ENTRY.finditer(changelog))
    found: set[str] = set()
    for entry, following in zip(entries, [*entries[1:], None], strict=True):
        version = entry[2]
        if newer(version, above) and not newer(version, up_to):
            text = changelog[entry.start() : following.start() if following else len(changelog)]
            found |= {name.upper() for name in _CVE.findall(text)}
    return tuple(sorted(found))


def reaches(changelog: str, version: str) -> bool:
    """True when the changelog has an entry at or below ``version``, so that nothing above it was cut off."""
    return any(not newer(entry[2], version) for entry in _ENTRY.finditer(changelog))
