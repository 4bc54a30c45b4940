"""Who is answerable for every regular file of an image: a package, by digest, or a reviewed declaration.

A file is attributed when a package claims its path *and* its content: dpkg's ``md5sums`` (MD5 is all that dpkg
has: nobody can make other bytes for a given MD5, but the maker of a package could have made two), a wheel's RECORD
(SHA-256), and, where the locked archives are given, those archives' own bytes. Generated files are declared by
the caller, one reason each. Anything else is a ``Finding`` of source ``ownership``; HIGH unless it is known to be
harmless to the question who owns what.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from lens_core.errors import InvalidInput
from lens_core.supply.claims import Claims, gather
from lens_core.supply.locked import Locked
from lens_core.supply.packages import Inventory
from lens_core.supply.rootfs import Entry, Kind, RootFs
from lens_core.supply.words import Finding, Severity

SOURCE = "ownership"
_SPECIAL_BITS = 0o6000
_WRITABLE_BY_ALL = 0o002
_RUNTIME = ("proc", "dev", "sys")
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


@dataclass(frozen=True)
class Declared:
    """A reviewed exception: files or links that no package owns, and why that is right.

    In ``pattern`` a ``*`` stands for anything within one folder, ``**`` for anything. Either the content is
    known (``sha256``, hex) or ``generated_by`` says what makes it; a native program is never excused by the
    latter. ``may_be_absent`` excuses files of packages that are left out on purpose, ``mode`` (``0o4755``) owned
    files that lend their owner's rights, and nothing else.
    """

    pattern: str
    reason: str
    sha256: str = ""
    generated_by: str = ""
    may_be_absent: bool = False
    mode: int = 0

    def __post_init__(self) -> None:
        grounds = bool(self.sha256) + bool(self.generated_by) + self.may_be_absent + bool(self.mode)
        if grounds != 1 or not self.reason or not self.pattern.strip("*/"):
            raise InvalidInput(
                f"expected a pattern, a reason, and one of sha256, generated_by, may_be_absent and mode; saw {self}",
                "correct the list of declared files",
            )

    def matches(self, path: str) -> bool:
        """True when ``path`` (no slash in front) is one that is meant."""
        return bool(self._expression.fullmatch(path))

    def excuses(self, entry: Entry) -> bool:
        """True when the entry may stand there without an owner."""
        if self.may_be_absent or self.mode or not self.matches(entry.path):
            return False
        return entry.sha256 == self.sha256 if self.sha256 else not entry.elf

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        words = {"**": ".*", "*": "[^/]*"}
        parts = re.split(r"(\*\*|\*)", self.pattern.lstrip("/"))
        return re.compile("".join(words.get(part, re.escape(part)) for part in parts), re.DOTALL)


@dataclass(frozen=True, slots=True)
class Owned:
    """One regular file and its owner: a purl, ``declared:PATTERN``, or empty for nobody."""

    path: str
    sha256: str
    size: int
    owner: str


@dataclass(frozen=True, slots=True)
class Ownership:
    """The whole attribution of an image; ``files`` and ``findings`` by path.

    ``links`` counts symbolic links, ``verified_links`` those that a locked deb has just so. ``locked`` counts
    the locked archives that were held against the image, by ecosystem.
    """

    image: str
    files: tuple[Owned, ...]
    findings: tuple[Finding, ...]
    packages: tuple[str, ...]
    declared: tuple[Declared, ...] = ()
    locked: dict[str, int] = field(default_factory=dict)
    links: int = 0
    verified_links: int = 0


def attribute(
    rootfs: RootFs, inventory: Inventory, declared: Sequence[Declared] = (), locked: Locked | None = None
) -> Ownership:
    """Attribute every regular file of ``rootfs`` and find what nobody answers for.

    With ``locked`` archives of an ecosystem, all its packages in the image must be among them, and all of them
    in the image; files, records, links and modes are then held against the archives.
    """
    truth = locked or Locked()
    return _Attribution(rootfs, inventory, declared, truth, gather(rootfs, inventory, truth)).done()


class _Attribution:
    """One run over one image; collects findings as it goes."""

    def __init__(
        self, rootfs: RootFs, inventory: Inventory, declared: Sequence[Declared], locked: Locked, claims: Claims
    ) -> None:
        self._rootfs = rootfs
        self._inventory = inventory
        self._declared = tuple(declared)
        self._locked = locked
        self._claims = claims
        self._findings: list[Finding] = []
        self._used: set[str] = set()
        self._verified_links = 0

    def done(self) -> Ownership:
        files = tuple(self._file(entry) for entry in self._rootfs.files())
        owned = {file.path for file in files if file.owner}
        links = list(self._rootfs.of(Kind.LINK))
        for link in links:
            self._link(link, owned)
        self._findings += self._missing()
        self._findings += self._records()
        self._findings += self._contents()
        for item in self._declared:
            if item.pattern not in self._used and not item.may_be_absent:
                self._find("unused-declaration", item.pattern, "declared, but no file is like it", Severity.LOW)
        findings = sorted(set(self._findings), key=lambda f: (f.subject, f.rule, f.message))
        ecosystems = sorted({item.ecosystem for item in self._locked.packages})
        return Ownership(
            self._rootfs.image,
            files,
            tuple(findings),
            tuple(sorted({package.purl for package in self._inventory.packages})),
            self._declared,
            {name: sum(item.ecosystem == name for item in self._locked.packages) for name in ecosystems},
            len(links),
            self._verified_links,
        )

    def _file(self, entry: Entry) -> Owned:
        self._bits(entry)
        claims = self._claims.at(entry.path)
        owners = sorted({claim.owner for claim in claims if claim.holds(entry)})
        others = sorted({claim.owner for claim in claims if not claim.holds(entry)})
        if owners:
            if others:
                self._find("contested", entry.path, f"{owners[0]} owns this content, {others[0]} another one")
            return Owned(entry.path, entry.sha256, entry.size, owners[0])
        excuse = next((item for item in self._declared if item.excuses(entry)), None)
        if excuse is not None:
            self._used.add(excuse.pattern)
            return Owned(entry.path, entry.sha256, entry.size, f"declared:{excuse.pattern}")
        if others:
            self._find("edited-file", entry.path, f"{others[0]} owns it with another content")
        else:
            near = next((item for item in self._declared if item.sha256 and item.matches(entry.path)), None)
            self._used.update([near.pattern] if near else [])
            message = "declared, but not with this content" if near else "no package owns it and nobody declared it"
            self._find("unattributed-file", entry.path, message)
        return Owned(entry.path, entry.sha256, entry.size, "")

    def _bits(self, entry: Entry) -> None:
        mode = self._claims.locked_modes.get(entry.path)
        excuse = next((item for item in self._declared if item.mode == entry.mode and item.matches(entry.path)), None)
        if excuse is not None:
            self._used.add(excuse.pattern)
        elif entry.mode & _SPECIAL_BITS and (mode is None or entry.mode & _SPECIAL_BITS != mode & _SPECIAL_BITS):
            self._find(
                "special-mode", entry.path, f"mode {entry.mode:04o} lends its owner's rights; no locked deb has it so"
            )
        if entry.xattrs:
            self._find("special-mode", entry.path, f"it carries extended attributes ({', '.join(entry.xattrs)})")
        if entry.mode & _WRITABLE_BY_ALL:
            self._find("writable-by-all", entry.path, f"mode {entry.mode:04o}: anybody may write it", Severity.MEDIUM)

    def _link(self, link: Entry, owned: set[str]) -> None:
        """A link is verified by a locked deb, declared, one of the merged folders, or leads to what is owned."""
        if self._claims.locked_links.get(link.path) == link.target:
            self._verified_links += 1
            return
        excuse = next((item for item in self._declared if not item.sha256 and item.excuses(link)), None)
        if excuse is not None:
            self._used.add(excuse.pattern)
        elif link.path in self._claims.locked_links:
            self._find("edited-link", link.path, f"leads to {link.target!r}, in its locked deb elsewhere")
        elif not (link.path in _MERGED and link.target.strip("/") == f"usr/{link.path}"):
            self._unverified(link, owned)

    def _unverified(self, link: Entry, owned: set[str]) -> None:
        target = self._rootfs.resolve(link.path)
        seen = self._rootfs.entries.get(target) if target else None
        if _escapes(link):
            self._find("escaping-link", link.path, f"{link.target!r} climbs out of the root")
        elif target is None:
            self._find("looping-link", link.path, f"{link.target!r} leads in circles")
        elif target.split("/")[0] in _RUNTIME:
            pass
        elif seen is None:
            self._find("dangling-link", link.path, f"{link.target!r} is not there: whoever puts it there decides")
        elif any(_below(link.path, root) for root in self._claims.site_roots):
            self._find("unattributed-link", link.path, "a wheel holds no links, and nobody declared this one")
        elif self._locked.knows("deb"):
            self._find("unattributed-link", link.path, f"no locked deb has a link here (to {link.target!r})")
        elif seen.kind is Kind.FILE and target not in owned:
            self._find("unattributed-link", link.path, f"{link.target!r} has no owner")

    def _missing(self) -> Iterator[Finding]:
        excuses = [item for item in self._declared if item.may_be_absent]
        for path, claims in sorted(self._claims.by_path.items()):
            seen = self._rootfs.entries.get(path)
            if seen is not None and seen.kind is Kind.FILE:
                continue
            owner = claims[0].owner
            if seen is not None:
                yield _finding("replaced-file", path, f"a {seen.kind} stands where {owner} has a file")
            elif not any(item.matches(path) for item in excuses):
                yield _finding("missing-file", path, f"{owner} owns it, and it is not there")
        for path in sorted(set(self._claims.locked_links) - set(self._rootfs.entries)):
            if not any(item.matches(path) for item in excuses):
                yield _finding("missing-link", path, "a locked deb has a link here", Severity.MEDIUM)

    def _records(self) -> Iterator[Finding]:
        for problem in (*self._inventory.problems, *self._claims.problems):
            yield _finding(problem.rule, problem.path, problem.message)
        for oddity in self._rootfs.oddities:
            yield _finding("odd-layer", oddity.path, oddity.what)
        present = {(p.ecosystem, p.name, p.version): p.purl for p in self._inventory.packages}
        for ecosystem, name, version in self._locked.by_name:
            if (ecosystem, name, version) not in present:
                yield _finding("missing-package", f"{ecosystem}:{name}", f"{version} is locked, and has no record here")
        for (ecosystem, name, version), purl in present.items():
            if self._locked.knows(ecosystem) and (ecosystem, name, version) not in self._locked.by_name:
                yield _finding("unlocked-package", purl, f"{name} {version} is not among the locked archives")
        if not self._inventory.distro.word and any(p.ecosystem == "deb" for p in self._inventory.packages):
            yield _finding("unknown-distro", "etc/os-release", "no ID and VERSION_ID: no advisory fits its debs")

    def _contents(self) -> Iterator[Finding]:
        for package in self._inventory.packages:
            for item in package.embedded:
                if not item.purl or not item.version:
                    message = f"{item.name} {item.version or 'of unknown version'}: {item.note}; no advisory fits"
                    yield _finding("unnamed-contents", item.basis, message, Severity.MEDIUM)

    def _find(self, rule: str, subject: str, message: str, severity: Severity = Severity.HIGH) -> None:
        self._findings.append(_finding(rule, subject, message, severity))


def _finding(rule: str, subject: str, message: str, severity: Severity = Severity.HIGH) -> Finding:
    return Finding(SOURCE, rule, severity, subject, message)


def _escapes(link: Entry) -> bool:
    """True when the link's text climbs above the root, which a host outside a container would follow."""
    depth = 0 if link.target.startswith("/") else link.path.count("/")
    for part in link.target.split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            return True
    return False


def _below(path: str, root: str) -> bool:
    return bool(root) and path.startswith(f"{root}/")
