"""Python distributions in an image: what METADATA, RECORD and embedded lists of their contents say.

Sources: the core metadata and recording-installed-projects specifications of packaging.python.org, PEP 770
(lists of contents in ``dist-info/sboms``), and pip's ``--target`` layout.
"""

import base64
import binascii
import csv
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from email import message_from_string
from email.message import Message

from packageurl import PackageURL
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from lens_core.supply.embedded import read_embedded
from lens_core.supply.packages import Claim, Embedded, Package, Problem
from lens_core.supply.rootfs import RootFs

MARKERS: Mapping[str, str] = {
    "extra": "",
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.2",
    "python_version": "3.11",
    "sys_platform": "linux",
}
"""The image's world, for the markers of requirements: not the one that this code runs in."""
_MAX_LICENCE_NAME = 80
_METADATA = re.compile(r"(?P<folder>(?:.*/)?[^/]+\.dist-info)/METADATA")
_EGG = re.compile(r"(?P<folder>(?:.*/)?[^/]+\.egg-info)(?:/PKG-INFO)?")
_VENDOR_FOLDER = re.compile(
    r"(?P<folder>(?:.*/)?_?(?:vendor|vendored|vendors|extern))/(?P<name>[A-Za-z0-9_.-]+?)(?:\.py|/.+)"
)
_BUNDLED = re.compile(r"(?:.*/)?[^/]+\.libs/(?P<name>[^/]+?)(?:-[0-9a-f]{8,})*\.so(?:\.(?P<version>[0-9.]+))?")
_VERSION = re.compile(r"^(?:__version__|version|VERSION)\s*(?::[^=]+)?=\s*['\"]([0-9][^'\"\s]*)['\"]", re.MULTILINE)
_PIN = re.compile(r"^\s*([A-Za-z0-9_.-]+)==([^\s;#]+)", re.MULTILINE)


def read_distributions(rootfs: RootFs) -> tuple[list[Package], list[Problem]]:
    """Every distribution with ``dist-info`` or ``egg-info`` anywhere, and what is wrong with their records.

    One that lies inside another one's vendor folder and has no RECORD of its own is that one's ``embedded``.
    """
    packages: list[Package] = []
    problems: list[Problem] = []
    vendored: list[tuple[str, Message]] = []
    for entry in rootfs.files():
        if match := _METADATA.fullmatch(entry.path):
            metadata = message_from_string((rootfs.read(entry.path) or b"").decode("utf-8", "replace"))
            if f"{match['folder']}/RECORD" not in rootfs.entries and _VENDOR_FOLDER.fullmatch(entry.path):
                vendored.append((entry.path, metadata))
            else:
                packages.append(_distribution(rootfs, match["folder"], entry.path, metadata, problems))
        elif (match := _EGG.fullmatch(entry.path)) and rootfs.read(entry.path):
            metadata = message_from_string((rootfs.read(entry.path) or b"").decode("utf-8", "replace"))
            packages.append(_named(metadata, entry.path, root=posixpath.dirname(match["folder"])))
            problems.append(Problem("no-record", entry.path, "an egg-info says nothing of its files' digests"))
    problems += _twice(packages)
    return [_with_contents(rootfs, package, vendored) for package in packages], problems


def _distribution(rootfs: RootFs, folder: str, path: str, metadata: Message, problems: list[Problem]) -> Package:
    root = posixpath.dirname(folder)
    record = rootfs.read(f"{folder}/RECORD")
    claims = tuple(_claims(rootfs, root, record or b""))
    if record is None:
        problems.append(Problem("no-record", path, "no RECORD says which files belong to it"))
    for claim in claims:
        if not claim.algorithm and claim.path != f"{folder}/RECORD":
            problems.append(Problem("no-digest", claim.path, f"{folder}/RECORD names it without a SHA-256"))
        if not _within(root, claim.path):
            problems.append(Problem("outside", claim.path, f"{folder}/RECORD claims a file that pip puts elsewhere"))
    return _named(metadata, path, root, (f"{folder}/RECORD",) if record is not None else (), claims)


def _named(
    metadata: Message, path: str, root: str, records: tuple[str, ...] = (), claims: tuple[Claim, ...] = ()
) -> Package:
    name = canonicalize_name(str(metadata.get("Name") or posixpath.basename(path)))
    version = str(metadata.get("Version") or "")
    expression, licences = _licences(metadata)
    return Package(
        purl=PackageURL("pypi", None, name, version or None).to_string(),
        ecosystem="pypi",
        name=name,
        version=version,
        licence_expression=expression,
        licences=licences,
        depends=tuple(_requires([str(line) for line in metadata.get_all("Requires-Dist") or ()])),
        root=root,
        records=records,
        claims=claims,
    )


def parse_record(content: bytes) -> Iterator[tuple[str, str]]:
    """Path and SHA-256 (64 hex digits; empty when none is given) of every line of a RECORD."""
    lines = content.decode("utf-8", "surrogateescape").splitlines()
    for row in csv.reader(lines):
        if len(row) >= 2 and row[0]:  # noqa: PLR2004  # path, digest, size
            yield row[0], _hex(row[1])


def _hex(word: str) -> str:
    algorithm, _, encoded = word.partition("=")
    if algorithm != "sha256":
        return ""
    try:
        digest = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return ""
    return digest.hex() if len(digest) == 32 else ""  # noqa: PLR2004  # SHA-256


def _claims(rootfs: RootFs, root: str, record: bytes) -> Iterator[Claim]:
    for name, digest in parse_record(record):
        yield Claim(installed_path(rootfs, root, name), "sha256" if digest else "", digest)


def installed_path(rootfs: RootFs, root: str, name: str) -> str:
    """Where a RECORD's ``name`` is, below or beside the folder ``root``.

    ``pip install --target`` installs elsewhere first and moves: its RECORD still says ``../../bin/x`` for what
    then lies in ``bin/x``.
    """
    path = name.lstrip("/") if name.startswith("/") else posixpath.normpath(f"{root}/{name}").lstrip("/")
    moved = posixpath.normpath(f"{root}/{name.lstrip('./')}").lstrip("/")
    if name.startswith("../../") and path not in rootfs.entries and moved in rootfs.entries:
        return moved
    return path


def _within(root: str, path: str) -> bool:
    """True when pip would put a file of a distribution in ``root`` at ``path``: there, or in the prefix's folders."""
    match = re.fullmatch(r"(?P<prefix>.*?)/?lib/python3[^/]*/(?:site|dist)-packages", root)
    prefix = match["prefix"] if match else root
    beside = tuple(posixpath.join(prefix, folder) + "/" for folder in ("bin", "share", "etc", "include"))
    return path.startswith((f"{root}/" if root else "", *beside))


def _licences(metadata: Message) -> tuple[str, tuple[str, ...]]:
    """The licence expression, or the names that classifiers and the old field give."""
    expression = str(metadata.get("License-Expression") or "").strip()
    if expression:
        return expression, ()
    names = {
        str(line).rpartition(" :: ")[2].strip()
        for line in metadata.get_all("Classifier") or ()
        if str(line).startswith("License ::")
    }
    field = str(metadata.get("License") or "").strip()
    if not names and field and len(field) <= _MAX_LICENCE_NAME and "\n" not in field:
        names = {field}
    return "", tuple(sorted(names - {"OSI Approved", ""}))


def _requires(lines: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for line in lines:
        try:
            requirement = Requirement(line)
            wanted = requirement.marker is None or requirement.marker.evaluate(dict(MARKERS))
        except (InvalidRequirement, ValueError):  # a name that packaging cannot read is no edge of the graph
            continue
        if wanted:
            yield (canonicalize_name(requirement.name),)


def _twice(packages: Sequence[Package]) -> Iterator[Problem]:
    """A problem for each of several distributions of one name: which one is imported depends on the path."""
    by_name: dict[str, list[Package]] = {}
    for package in packages:
        by_name.setdefault(package.name, []).append(package)
    for name, several in by_name.items():
        for package in several if len(several) > 1 else ():
            place = package.records[0] if package.records else package.root
            versions = ", ".join(f"{other.version} in /{other.root}" for other in several)
            yield Problem("twice", place, f"{name} is there {len(several)} times: {versions}")


def _with_contents(rootfs: RootFs, package: Package, vendored: Sequence[tuple[str, Message]]) -> Package:
    """The package with what its files contain: embedded lists, vendored sources, bundled libraries."""
    owned = {claim.path for claim in package.claims}
    found: set[Embedded] = set()
    for path in owned:
        if "/sboms/" in path and ".dist-info/" in path:
            found.update(read_embedded(rootfs.read(path) or b"", path, package.name))
    named: set[tuple[str, str]] = set()
    for path, metadata in vendored:
        if path in owned:
            inner = _named(metadata, path, "")
            note = f"vendored in {package.name}"
            found.add(Embedded(inner.purl, inner.name, inner.version, path, note, inner.licences))
            named.add((posixpath.dirname(posixpath.dirname(path)), inner.name))
    found.update(_vendored_sources(rootfs, package, owned, named))
    found.update(_bundled(package, owned))
    return replace(package, embedded=tuple(sorted(found)))


def _vendored_sources(
    rootfs: RootFs, package: Package, owned: set[str], named: set[tuple[str, str]]
) -> Iterator[Embedded]:
    """Modules in vendor folders that no metadata names, with the version that ``vendor.txt`` or the source gives."""
    modules: dict[tuple[str, str], list[str]] = {}
    for path in sorted(owned):
        match = _VENDOR_FOLDER.fullmatch(path)
        if match and path.endswith((".py", ".so")) and match["name"] != "__init__" and ".dist-info" not in path:
            modules.setdefault((match["folder"], match["name"]), []).append(path)
    for (folder, module), paths in modules.items():
        name = canonicalize_name(module)
        if any(place == folder for place, _ in named):  # the folder's own metadata names what is in it
            continue
        pins = dict(_PIN.findall((rootfs.read(f"{folder}/vendor.txt") or b"").decode("utf-8", "replace")))
        version = {canonicalize_name(pin): value for pin, value in pins.items()}.get(name) or _stated(rootfs, paths)
        purl = PackageURL("pypi", None, name, version).to_string() if version else ""
        yield Embedded(purl, name, version, paths[0], f"vendored in {package.name}, without metadata")


def _stated(rootfs: RootFs, paths: Sequence[str]) -> str:
    """The version that a module's own source states; empty when none does."""
    for path in paths:
        match = _VERSION.search((rootfs.read(path) or b"").decode("utf-8", "replace"))
        if match:
            return match[1]
    return ""


def _bundled(package: Package, owned: set[str]) -> Iterator[Embedded]:
    """Native libraries that auditwheel has put beside a distribution. Their version is that of their interface."""
    for path in sorted(owned):
        if match := _BUNDLED.fullmatch(path):
            yield Embedded("", match["name"], match["version"] or "", path, f"bundled in {package.name} by auditwheel")
