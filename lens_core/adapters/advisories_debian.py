"""The advisory source ``debian-archive``: Debian's signed security archive, and the changelogs of what is newer.

A package that is older than the archive's newest has every CVE that the changelog names in between. So only
what is already fixed can be found, and nothing says how bad it is: where no other source knows, the severity
is UNKNOWN, which blocks.
"""

import gzip
import hashlib
import subprocess
import tarfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath

from lens_core.adapters.apt_lists import AptLists, SignedIndex
from lens_core.errors import IntegrityError, LensError, Unavailable
from lens_core.supply.advisories import AdvisoryReport, Canary, scale_of
from lens_core.supply.debian_archive import Deb, cves_between, newer, reaches
from lens_core.supply.osv import Vulnerability, group
from lens_core.supply.versions import debian
from lens_core.supply.words import Component, Progress, Severity

VERSION = "1"
LIMITS = (
    "a vulnerability that Debian has not fixed in this release is not found",
    "changelogs do not say how bad a vulnerability is: without another source that does, it is unknown",
    "a changelog may name a vulnerability that the package does not have",
)
_LONGEST_CHANGELOG = 64 * 1024**2
_LONGEST_UNPACKING_S = 120.0


@dataclass(frozen=True, slots=True)
class _Outdated:
    """A component, the newest of its name in the archive, and whether a newer one came by the security suite."""

    component: Component
    newest: Deb
    security: bool


@dataclass(frozen=True, slots=True)
class _Archive:
    """All verified suites of one release."""

    indexes: tuple[SignedIndex, ...]

    def named(self, name: str) -> tuple[Deb, ...]:
        return tuple(deb for index in self.indexes for packages in index.packages for deb in packages.named(name))

    def newest(self, name: str) -> Deb | None:
        """The package's newest version; of two alike that of the security suite."""
        legible = [deb for deb in self.named(name) if debian(deb.version) is not None]
        return max(legible, key=lambda deb: (debian(deb.version), deb.security), default=None)


class DebianArchive:
    """Keeps the port ``AdvisorySource`` for debs.

    ``debs`` is a folder that keeps downloaded packages. ``severity_of`` tells how bad a CVE is, where some other source
    knows. ``canary`` is a package that every release has and that had vulnerabilities: an ancient version of
    it must be found out, by its changelog.
    """

    name = "debian-archive"

    def __init__(
        self,
        lists: AptLists,
        debs: Path,
        *,
        canary: str = "libexpat1",
        severity_of: Callable[[str], Severity] = lambda _: Severity.UNKNOWN,
        progress: Progress = lambda _: None,
    ) -> None:
        self._lists = lists
        self._changelogs = Changelogs(lists, debs, progress)
        self._canary = canary
        self._severity_of = severity_of
        self._progress = progress

    def ask(self, components: Sequence[Component]) -> AdvisoryReport:
        """Compare the debs among the components with the archive; others are not asked about."""
        debs = [component for component in components if component.ecosystem == "deb"]
        distros = sorted({component.distro for component in debs})
        self._progress("verifying the lists of apt")
        indexes, faults = self._lists.read(frozenset(distros))
        errors = list(faults)
        archives = {distro: _archive(indexes, distro) for distro in distros}
        errors += [
            f"there is no security suite of {distro or 'an unnamed release'}"
            for distro, archive in archives.items()
            if not any(index.release.is_security for index in archive.indexes)
        ]
        canaries = [self._canary_of(archives[distro], distro) for distro in distros]
        unanswered, outdated = _compare([*debs, *canaries], archives)
        found = self._findings(outdated, archives, unanswered)
        return self._report(debs, canaries, indexes, (found, unanswered, errors))

    def _report(
        self,
        debs: Sequence[Component],
        canaries: Sequence[Component],
        indexes: Sequence[SignedIndex],
        outcome: tuple[Sequence[Vulnerability], Mapping[str, str], Sequence[str]],
    ) -> AdvisoryReport:
        found, unanswered, errors = outcome
        security = [index.release for index in indexes if index.release.is_security]
        dates = [release.date for release in security]
        ends = [index.release.valid_until for index in indexes if index.release.valid_until]
        digests = "".join(f"{index.release.codename} {index.digest}\n" for index in indexes)
        seeded = {canary.purl for canary in canaries}
        return AdvisoryReport(
            source=self.name,
            source_version=VERSION,
            database=f"sha256:{hashlib.sha256(digests.encode()).hexdigest()}",
            records=sum(len(packages) for index in indexes for packages in index.packages),
            data_date=min((d for d in dates if d), default=None) if None not in dates else None,
            expires=min(ends, default=None),
            asked=tuple(component.purl for component in debs),
            answered=tuple(component.purl for component in debs if component.purl not in unanswered),
            unanswered=tuple((purl, why) for purl, why in sorted(unanswered.items()) if purl not in seeded),
            vulnerabilities=tuple(one for one in found if one.purl not in seeded),
            canaries=tuple(
                Canary(
                    canary.purl,
                    scale_of(canary),
                    tuple(one.ids[0] for one in found if one.purl == canary.purl and one.ids[0].startswith("CVE-")),
                )
                for canary in canaries
            ),
            errors=tuple(errors),
            limits=LIMITS,
        )

    def _canary_of(self, archive: _Archive, distro: str) -> Component:
        newest = archive.newest(self._canary)
        source = newest.source_name if newest else self._canary
        purl = f"pkg:deb/debian/{self._canary}@0~canary?distro={distro}"
        return Component(purl, "deb", self._canary, "0~canary", source, "0~canary", distro)

    def _findings(
        self, outdated: Sequence[_Outdated], archives: Mapping[str, _Archive], unanswered: dict[str, str]
    ) -> tuple[Vulnerability, ...]:
        by_source: dict[tuple[str, str, str], list[_Outdated]] = defaultdict(list)
        for one in outdated:
            by_source[one.component.distro, one.newest.source_name, one.newest.source_version].append(one)
        smallest = {key: sorted({o.newest for o in group}, key=_by_size) for key, group in by_source.items()}
        self._changelogs.fetch(debs[0] for debs in smallest.values())
        found: list[Vulnerability] = []
        for key, members in sorted(by_source.items()):
            try:
                changelog = self._changelogs.of_any(smallest[key], archives[key[0]].newest)
            except LensError as error:
                unanswered.update({one.component.purl: error.message for one in members})
                continue
            for one in members:
                found += self._vulnerabilities(one, changelog)
        return group(found)

    def _vulnerabilities(self, outdated: _Outdated, changelog: str) -> list[Vulnerability]:
        component, newest = outdated.component, outdated.newest
        above = component.source_version or component.version
        summary = f"{newest.source_name} {newest.source_version} fixes it, by its changelog"
        names = cves_between(changelog, above, newest.source_version)
        found = [
            Vulnerability(component.purl, (name,), self._severity_of(name), summary, (newest.version,), ("changelog",))
            for name in names
        ]
        cut = not reaches(changelog, above) and component.version != "0~canary"
        if outdated.security and (not found or cut):
            # A security update is one even if its changelog names no CVE, or does not go back far enough.
            name = f"DEBIAN-UPDATE-{newest.source_name}-{newest.source_version}"
            text = "a security update whose changelog does not tell all that it fixes"
            found.append(
                Vulnerability(component.purl, (name,), Severity.UNKNOWN, text, (newest.version,), ("archive",))
            )
        return found


def _archive(indexes: Sequence[SignedIndex], distro: str) -> _Archive:
    return _Archive(tuple(index for index in indexes if index.release.distro == distro))


def _by_size(deb: Deb) -> tuple[int, str]:
    return deb.size, deb.name


def _compare(
    components: Sequence[Component], archives: Mapping[str, _Archive]
) -> tuple[dict[str, str], tuple[_Outdated, ...]]:
    """Why some cannot be answered for, and which of the others are older than the archive's newest."""
    unanswered: dict[str, str] = {}
    outdated: list[_Outdated] = []
    for component in components:
        archive = archives[component.distro]
        newest = archive.newest(component.name)
        if newest is None:
            unanswered[component.purl] = f"no verified suite of {component.distro or 'its release'} lists it"
        elif debian(component.version) is None:
            unanswered[component.purl] = "its version is none of Debian's"
        elif newer(component.version, newest.version):
            unanswered[component.purl] = (
                f"it is newer than the archive's {newest.version}: not from there, or old lists"
            )
        elif newer(newest.version, component.version):
            security = any(d.security and newer(d.version, component.version) for d in archive.named(component.name))
            outdated.append(_Outdated(component, newest, security))
    return unanswered, tuple(outdated)


class Changelogs:
    """Changelogs of packages, read from the packages themselves; these are kept in ``debs``."""

    def __init__(self, lists: AptLists, debs: Path, progress: Progress) -> None:
        self._lists = lists
        self._debs = debs
        self._progress = progress

    def fetch(self, debs: Iterable[Deb]) -> None:
        """Fetch those that are not kept yet, all at once; what does not come is missed when it is read."""
        missing = [deb for deb in debs if not self._is_whole(deb)]
        if not missing:
            return
        self._progress(f"fetching {len(missing)} newer packages for their changelogs")
        try:
            self._lists.download(missing, self._debs)
        except Unavailable:
            return

    def of_any(self, debs: Sequence[Deb], find: Callable[[str], Deb | None]) -> str:
        """The changelog of the first package that has one; the last one's error when none has."""
        for deb in debs[:-1]:
            try:
                return self._of(deb, find)
            except LensError:
                continue
        return self._of(debs[-1], find)

    def _of(self, deb: Deb, find: Callable[[str], Deb | None]) -> str:
        content = self._read(deb)
        changelog, sibling = read_changelog(content, deb.name)
        if sibling and sibling != deb.name:
            other = find(sibling)
            if other is None or other.source_version != deb.source_version:
                text = f"{deb.name} keeps its changelog in {sibling}, which the archive has not of its version"
                raise IntegrityError(text, "update the lists of apt")
            changelog, _ = read_changelog(self._read(other), sibling)
        if not changelog:
            raise IntegrityError(f"{deb.name} {deb.version} has no changelog", "look into the package")
        return changelog

    def _read(self, deb: Deb) -> bytes:
        self.fetch([deb])
        if not self._is_whole(deb):
            raise Unavailable(f"{deb.name} {deb.version} could not be fetched as the archive lists it", "try again")
        return (self._debs / deb.filename).read_bytes()

    def _is_whole(self, deb: Deb) -> bool:
        file = self._debs / deb.filename
        return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == deb.sha256


def read_changelog(content: bytes, name: str) -> tuple[str, str]:
    """The Debian changelog inside a .deb, or the name of the package whose folder its own links to."""
    command = ["dpkg-deb", "--fsys-tarfile", "/dev/stdin"]
    try:
        done = subprocess.run(command, input=content, capture_output=True, check=False, timeout=_LONGEST_UNPACKING_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"dpkg-deb did not run to its end ({type(error).__name__})", "install dpkg") from error
    place = PurePosixPath("usr/share/doc") / name
    texts: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=BytesIO(done.stdout)) as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if path == place and member.issym():
                    return "", PurePosixPath(member.linkname).name
                if path.parent == place and path.name in {"changelog.Debian.gz", "changelog.gz"} and member.isfile():
                    texts[path.name] = _text(tar, member)
                elif path.parent == place and path.name == "changelog.Debian.gz" and member.issym():
                    return "", PurePosixPath(member.linkname).parent.name
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise IntegrityError(
            f"{name}: its package cannot be read ({type(error).__name__})", "fetch it again"
        ) from error
    return texts.get("changelog.Debian.gz", texts.get("changelog.gz", "")), ""


def _text(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = tar.extractfile(member)
    with gzip.GzipFile(fileobj=file) as unpacked:
        return unpacked.read(_LONGEST_CHANGELOG).decode(errors="replace")
