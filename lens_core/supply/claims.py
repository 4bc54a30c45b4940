"""Gathers which package claims which path of an image, and holds the image's own records against the locked ones."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from lens_core.supply.distributions import installed_path
from lens_core.supply.locked import Locked, LockedFile, LockedPackage
from lens_core.supply.packages import Claim, Inventory, Package, Problem
from lens_core.supply.rootfs import Entry, RootFs
from lens_core.supply.scripts import is_written_for

_BY_INSTALLER = ("INSTALLER", "REQUESTED", "direct_url.json", "RECORD")
"""Files that an installer adds to a ``dist-info`` folder."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """An owner's (a purl's) word about one path. All digests that are given must hold; ``record``: its own record."""

    owner: str
    sha256: str = ""
    md5: str = ""
    record: bool = False

    def holds(self, entry: Entry) -> bool:
        """True when the content is the owner's: a digest is given, and every one given is the file's."""
        if self.record:
            return True
        if not self.sha256 and not self.md5:
            return False
        return self.sha256 in ("", entry.sha256) and self.md5 in ("", entry.md5)


@dataclass(frozen=True, slots=True)
class Claims:
    """All claims by canonical path, what locked debs say of modes and links, and where wheels are installed."""

    by_path: Mapping[str, tuple[Claimed, ...]]
    locked_modes: Mapping[str, int] = field(default_factory=dict)
    locked_links: Mapping[str, str] = field(default_factory=dict)
    site_roots: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()

    def at(self, path: str) -> tuple[Claimed, ...]:
        """Who claims ``path``."""
        return self.by_path.get(path, ())


def gather(rootfs: RootFs, inventory: Inventory, locked: Locked) -> Claims:
    """The claims of all packages. Where a package's archive is locked, its word counts, not the image's record."""
    gathering = _Gathering(rootfs)
    for package in inventory.packages:
        archive = locked.by_name.get((package.ecosystem, package.name, package.version))
        if archive is None:
            gathering.own_word(package)
        elif package.ecosystem == "deb":
            gathering.locked_deb(package, archive)
        else:
            gathering.locked_wheel(package, archive)
    return gathering.done(frozenset(p.root for p in inventory.packages if p.ecosystem == "pypi"))


class _Gathering:
    def __init__(self, rootfs: RootFs) -> None:
        self._rootfs = rootfs
        self._claims: dict[str, list[Claimed]] = {}
        self._modes: dict[str, int] = {}
        self._links: dict[str, str] = {}
        self._problems: list[Problem] = []
        self._folders: dict[str, str] = {}

    def done(self, site_roots: frozenset[str]) -> Claims:
        by_path = {path: tuple(claims) for path, claims in self._claims.items()}
        return Claims(by_path, self._modes, self._links, site_roots, tuple(self._problems))

    def own_word(self, package: Package) -> None:
        """Believe the record that lies in the image."""
        self._own_records(package)
        for claim in package.claims:
            if claim.path not in package.records:
                self._claim(claim.path, _claimed(package, claim))

    def locked_deb(self, package: Package, archive: LockedPackage) -> None:
        """Believe the deb; the image's ``md5sums`` may leave out what the deb has, and say nothing else."""
        self._own_records(package)
        known = {self._canonical(item.path): item for item in archive.files}
        for path, item in known.items():
            if item.target:
                self._links[path] = item.target
            else:
                self._modes[path] = item.mode
                self._claim(path, Claimed(package.purl, item.sha256, item.md5))
        if archive.source != (package.source_name, package.source_version):
            why = f"expected the source package {' '.join(archive.source)}, saw another"
            self._problems.append(Problem("edited-record", package.records[0], why))
        for claim in package.claims:
            seen = known.get(self._canonical(claim.path))
            if seen is None or seen.md5 != claim.digest:
                self._edited(
                    package, claim, "its deb has no such file" if seen is None else "its deb has another digest"
                )

    def locked_wheel(self, package: Package, archive: LockedPackage) -> None:
        """Believe the wheel; RECORD may add what an installer writes, and must agree about all else."""
        self._own_records(package)
        known = {installed_path(self._rootfs, package.root, item.path): item for item in archive.files}
        recorded = {claim.path: claim for claim in package.claims if claim.path not in package.records}
        for path, item in known.items():
            if path in package.records:
                continue
            claim = recorded.pop(path, None)
            self._claim(path, Claimed(package.purl, item.sha256))
            if claim is None:
                self._problems.append(Problem("edited-record", path, f"RECORD of {package.name} leaves it out"))
            elif claim.digest != item.sha256:
                self._edited(package, claim, "its wheel has another digest")
        notes, scripts = _notes(package), _scripts(package, archive)
        for path, claim in recorded.items():
            if path in notes or (path in scripts and self._is_script(path, claim, scripts[path])):
                self._claim(path, _claimed(package, claim))
            else:
                self._edited(package, claim, "its wheel has no such file, and no installer writes it so")

    def _is_script(self, path: str, claim: Claim, script: LockedFile) -> bool:
        """True for a command as the wheel has it, or as an installer writes it for the wheel's entry point."""
        if script.sha256:
            return claim.digest == script.sha256
        return is_written_for(script.target, self._rootfs.read(path))

    def _own_records(self, package: Package) -> None:
        for path in package.records:
            self._claim(path, Claimed(package.purl, record=True))

    def _claim(self, path: str, claimed: Claimed) -> None:
        claims = self._claims.setdefault(self._canonical(path), [])
        if claimed not in claims:
            claims.append(claimed)

    def _canonical(self, path: str) -> str:
        """As ``RootFs.canonical``; folders repeat, so each is followed once."""
        folder, _, name = path.rpartition("/")
        if folder not in self._folders:
            self._folders[folder] = self._rootfs.resolve(folder) or folder
        real = self._folders[folder]
        return f"{real}/{name}" if real else name

    def _edited(self, package: Package, claim: Claim, why: str) -> None:
        self._problems.append(Problem("edited-record", claim.path, f"the image's record of {package.name}: {why}"))


def _claimed(package: Package, claim: Claim) -> Claimed:
    digests = {claim.algorithm: claim.digest}
    return Claimed(package.purl, digests.get("sha256", ""), digests.get("md5", ""))


def _notes(package: Package) -> set[str]:
    """Files that pip adds to ``dist-info``: they say who installed it, and nobody runs them."""
    folders = {posixpath.dirname(record) for record in package.records if record.endswith("/RECORD")}
    return {f"{folder}/{name}" for folder in folders for name in _BY_INSTALLER}


def _scripts(package: Package, archive: LockedPackage) -> dict[str, LockedFile]:
    """Where a command of the distribution may lie, and what the wheel says of it."""
    prefixes = (package.root, posixpath.normpath(posixpath.join(package.root, "../../..")).lstrip("./"))
    return {posixpath.join(prefix, "bin", item.path): item for prefix in prefixes for item in archive.scripts}
