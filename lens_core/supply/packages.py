"""What the packages in an image say of themselves: Debian's records, Python's, and the lists embedded in wheels.

An ``Inventory`` is what is *claimed*. Whether the files are what the records say is judged in ``ownership``.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from packageurl import PackageURL

from lens_core.supply.rootfs import Kind, RootFs

MAX_METADATA_BYTES = 16 * 1024**2
"""A record that is larger is not kept, and so owns nothing."""
_MAX_SOURCE_BYTES = 64 * 1024
_MAX_SCRIPT_BYTES = 4096

_DPKG = "var/lib/dpkg/"
_INFO = "var/lib/dpkg/info/"
_RECORDS = "var/lib/dpkg/status.d/"
_METADATA = re.compile(
    r"(?:.*/)?(?:"
    r"[^/]+\.dist-info/(?:METADATA|RECORD|WHEEL|entry_points\.txt|sboms/.+)"
    r"|[^/]+\.egg-info(?:/PKG-INFO)?"
    r"|os-release"
    r"|usr/share/doc/[^/]+/copyright"
    r"|var/lib/dpkg/(?:status|status\.d/[^/]+|info/[^/]+\.(?:md5sums|list))"
    r"|vendor(?:ed)?\.txt"
    r")"
)
_VERSIONED = re.compile(r".*/_?(?:vendor|vendored|vendors|extern)/(?:[^/]+/)?[^/]+\.py")
_SCRIPT = re.compile(r"(?:.*/)?bin/[^/]+")
_MD5_LINE = re.compile(r"([0-9a-f]{32}) [ *](.+)")
_LICENCE_LINE = re.compile(r"^License:[ \t]*(\S[^\n]*)$", re.MULTILINE)


def is_metadata(path: str, size: int) -> bool:
    """True for a file whose content the modules of this room read; ``path`` as in the layer's tar."""
    if _METADATA.fullmatch(path):
        return size <= MAX_METADATA_BYTES
    if _SCRIPT.fullmatch(path):
        return size <= _MAX_SCRIPT_BYTES
    return size <= _MAX_SOURCE_BYTES and bool(_VERSIONED.fullmatch(path))


@dataclass(frozen=True, slots=True)
class Claim:
    """A package's word that ``path`` is one of its files. ``algorithm`` is ``md5``, ``sha256``, or empty: no digest."""

    path: str
    algorithm: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a record that cannot be right: ``rule`` is a word, ``path`` the record."""

    rule: str
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Package:
    """One installed package. ``records`` are the files in which it describes itself; ``claims`` the files it owns.

    ``depends`` holds groups of names: each group is satisfied by any one of its names. ``root`` is the folder
    that a Python distribution is installed in. ``embedded`` are packages inside this one's files.
    """

    purl: str
    ecosystem: str
    name: str
    version: str
    source_name: str = ""
    source_version: str = ""
    architecture: str = ""
    distro: str = ""
    licences: tuple[str, ...] = ()
    licence_expression: str = ""
    depends: tuple[tuple[str, ...], ...] = ()
    provides: tuple[str, ...] = ()
    root: str = ""
    records: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    embedded: tuple["Embedded", ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Embedded:
    """A package inside another one's files. ``basis`` is the file that says so, ``note`` what kind of word it is.

    ``purl`` is empty when nobody says what it is called where it comes from.
    """

    purl: str
    name: str
    version: str
    basis: str
    note: str
    licences: tuple[str, ...] = ()
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Distro:
    """The distribution, of ``os-release``: ``identity`` ``debian``, ``release`` ``12``."""

    identity: str = ""
    release: str = ""
    pretty: str = ""

    @property
    def word(self) -> str:
        """``debian-12``, as package URLs say it; empty when unknown."""
        return f"{self.identity}-{self.release}" if self.identity and self.release else ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """All packages of an image, by purl, and what is wrong with their records."""

    packages: tuple[Package, ...]
    distro: Distro = Distro()
    problems: tuple[Problem, ...] = ()


def read_distro(rootfs: RootFs) -> Distro:
    """The distribution that ``os-release`` names; empty when there is no such file."""
    content = rootfs.read("etc/os-release") or rootfs.read("usr/lib/os-release") or b""
    fields = dict(line.split("=", 1) for line in _text(content).splitlines() if "=" in line)
    values = {key: value.strip().strip("\"'") for key, value in fields.items()}
    return Distro(values.get("ID", ""), values.get("VERSION_ID", ""), values.get("PRETTY_NAME", ""))


def read_debs(rootfs: RootFs, distro: Distro) -> tuple[list[Package], list[Problem]]:
    """The packages of ``status`` (and ``info/*.md5sums``) and of ``status.d`` (distroless), and orphaned records."""
    packages = []
    for path, stanza in _stanzas(rootfs):
        fields = parse_fields(stanza)
        if not fields.get("package") or not fields.get("version"):
            continue
        if fields.get("status", "install ok installed").split()[-1] == "installed":
            packages.append(_deb(rootfs, distro, path, fields))
    seen = {record for package in packages for record in package.records}
    problems = [
        Problem("orphaned-record", entry.path, "a record of a package of which dpkg knows nothing")
        for entry in rootfs.files()
        if entry.path.startswith((_RECORDS, _INFO)) and entry.path not in seen and entry.path.endswith(".md5sums")
    ]
    return packages, problems


def parse_fields(stanza: str) -> dict[str, str]:
    """The fields of one stanza of a control file, names in lower case, continuation lines joined."""
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1] in (" ", "\t"):
            fields[name] = f"{fields.get(name, '')}\n{line.strip()}"
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.lower()
            fields[name] = value.strip()
    return fields


def parse_md5sums(content: bytes) -> Iterator[tuple[str, str]]:
    """Path and MD5 of every line of a ``md5sums`` file."""
    for line in _text(content).split("\n"):
        if match := _MD5_LINE.fullmatch(line):
            yield match[2].removeprefix("./").lstrip("/"), match[1]


def _stanzas(rootfs: RootFs) -> Iterator[tuple[str, str]]:
    paths = [f"{_DPKG}status"]
    paths += [entry.path for entry in rootfs.of(Kind.FILE) if entry.path.startswith(_RECORDS)]
    for path in paths:
        if not path.endswith(".md5sums"):
            for stanza in re.split(r"\n[ \t]*\n", _text(rootfs.read(path) or b"")):
                yield path, stanza


def _deb(rootfs: RootFs, distro: Distro, path: str, fields: dict[str, str]) -> Package:
    name, version, architecture = fields["package"], fields["version"], fields.get("architecture", "")
    source_name, source_version = parse_source(fields)
    records = _deb_records(rootfs, path, name, architecture)
    claims = [
        Claim(owned, "md5", digest)
        for record in records
        if record.endswith(".md5sums")
        for owned, digest in parse_md5sums(rootfs.read(record) or b"")
    ]
    claims += [
        Claim(path.lstrip("/"), "md5", digest)
        for path, digest in re.findall(r"^(/\S.*?) ([0-9a-f]{32})$", fields.get("conffiles", ""), re.MULTILINE)
    ]
    upstream = source_name if source_version == version else f"{source_name}@{source_version}"
    qualifiers = {
        "arch": architecture,
        "distro": distro.word,
        "upstream": "" if (source_name, source_version) == (name, version) else upstream,
    }
    return Package(
        purl=PackageURL("deb", distro.identity or "debian", name, version, qualifiers).to_string(),
        ecosystem="deb",
        name=name,
        version=version,
        source_name=source_name,
        source_version=source_version,
        architecture=architecture,
        distro=distro.word,
        licences=_deb_licences(rootfs, name),
        depends=_deb_depends(fields.get("pre-depends", ""), fields.get("depends", "")),
        provides=tuple(names[0] for names in _deb_depends(fields.get("provides", ""))),
        records=records,
        claims=tuple(claims),
    )


def parse_source(fields: dict[str, str]) -> tuple[str, str]:
    """Source package and version: ``Source: gcc-12 (12.2.0-14)``, or the binary's own."""
    match = re.fullmatch(r"(\S+)(?:\s+\((\S+)\))?", fields.get("source", ""))
    if match is None:
        return fields["package"], fields["version"]
    return match[1], match[2] or fields["version"]


def _deb_records(rootfs: RootFs, path: str, name: str, architecture: str) -> tuple[str, ...]:
    if path.startswith(_RECORDS):
        candidates: Sequence[str] = (path, f"{path}.md5sums")
    else:
        kinds = ("md5sums", "list", "conffiles", "preinst", "postinst", "prerm", "postrm", "triggers", "shlibs",
                 "symbols", "templates", "config")  # fmt: skip
        stems = (f"{_INFO}{name}", f"{_INFO}{name}:{architecture}")
        candidates = (path, *(f"{stem}.{kind}" for stem in stems for kind in kinds))
    return tuple(found for found in candidates if found in rootfs.entries)


def _deb_licences(rootfs: RootFs, name: str) -> tuple[str, ...]:
    """The short names in a machine-readable ``copyright`` file; nothing from one that is prose."""
    text = _text(rootfs.read(f"usr/share/doc/{name}/copyright") or b"")
    return tuple(sorted({match[1].strip() for match in _LICENCE_LINE.finditer(text)}))


def _deb_depends(*fields: str) -> tuple[tuple[str, ...], ...]:
    groups = [group for part in fields for group in part.split(",") if group.strip()]
    return tuple(
        tuple(re.split(r"[ (:\[]", choice.strip(), maxsplit=1)[0] for choice in group.split("|")) for group in groups
    )


def _text(content: bytes) -> str:
    """UTF-8, and what is none kept as surrogates: file names need not be text."""
    return content.decode("utf-8", "surrogateescape")
