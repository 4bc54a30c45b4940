"""A small container image of real shape, with the archives that it was made from: debs, wheels, and a layout.

The debs are real ``ar`` archives, the wheels real zip files with a RECORD, the layers real gzipped tars. Files come
from this interpreter's standard library where that is enough, so that editing one is editing what really runs.
"""

import base64
import gzip
import hashlib
import io
import json
import lzma
import stat
import sysconfig
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

ELF = b"\x7fELF\x02\x01\x01" + bytes(57)
"""How a native program begins."""
SITE = "opt/app"
STDLIB = "usr/lib/python3.11"
RECORDS = "var/lib/dpkg/status.d"


@dataclass(frozen=True, slots=True)
class Node:
    """What is at one path: a file's content, a link's target, or a folder, device or hard link by ``kind`` of tar."""

    content: bytes = b""
    mode: int = 0o644
    target: str = ""
    kind: bytes = tarfile.REGTYPE
    xattrs: Mapping[str, str] = field(default_factory=dict)


Layer = list[tuple[str, Node]]
"""The members of a layer in their order; a path may come twice."""


def link(target: str) -> Node:
    """A symbolic link."""
    return Node(mode=0o777, target=target, kind=tarfile.SYMTYPE)


@dataclass(frozen=True, slots=True)
class Deb:
    """One Debian package; ``files`` by path from the root."""

    name: str
    version: str
    files: Mapping[str, Node]
    source: str = ""

    @property
    def control(self) -> str:
        """The control stanza."""
        source = f"Source: {self.source}\n" if self.source else ""
        return (
            f"Package: {self.name}\n{source}Version: {self.version}\nArchitecture: amd64\n"
            f"Maintainer: Nobody <nobody@example.org>\nDescription: {self.name}\n"
        )

    @property
    def md5sums(self) -> str:
        """The ``md5sums`` file, of regular files."""
        rows = [(md5(node.content), path) for path, node in self.files.items() if node.kind == tarfile.REGTYPE]
        return "".join(f"{digest}  {path}\n" for digest, path in rows)

    def write(self, folder: Path) -> Path:
        """The archive."""
        control = tar_bytes([("./control", Node(self.control.encode())), ("./md5sums", Node(self.md5sums.encode()))])
        data = tar_bytes([(f"./{path}", node) for path, node in self.files.items()])
        parts = [("debian-binary", b"2.0\n"), ("control.tar.gz", gzip.compress(control, mtime=0))]
        parts.append(("data.tar.xz", lzma.compress(data, preset=0)))
        archive = b"!<arch>\n"
        for name, content in parts:
            archive += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
            archive += content + b"\n" * (len(content) % 2)
        path = folder / f"{self.name}_{self.version}_amd64.deb"
        path.write_bytes(archive)
        return path

    def installed(self) -> Layer:
        """What it puts into an image, with its record as distroless images have it."""
        members: Layer = [(path, node) for path, node in self.files.items() if not path.endswith("/FAQ")]
        record = f"{RECORDS}/{self.name}"
        return [*members, (record, Node(self.control.encode())), (f"{record}.md5sums", Node(self.md5sums.encode()))]


@dataclass(frozen=True, slots=True)
class Wheel:
    """One Python distribution; ``files`` by path from its folder, ``commands`` are its entry points."""

    name: str
    version: str
    files: Mapping[str, bytes]
    commands: Sequence[str] = ()
    requires: Sequence[str] = ()

    @property
    def info(self) -> str:
        """The name of its ``dist-info`` folder."""
        return f"{self.name}-{self.version}.dist-info"

    @property
    def contents(self) -> dict[str, bytes]:
        """All files but RECORD."""
        requires = "".join(f"Requires-Dist: {name}\n" for name in self.requires)
        metadata = (
            f"Metadata-Version: 2.1\nName: {self.name}\nVersion: {self.version}\nLicense-Expression: MIT\n{requires}"
        )
        files = {**self.files, f"{self.info}/METADATA": metadata.encode()}
        files[f"{self.info}/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        if self.commands:
            lines = "".join(f"{command} = {self.name}:main\n" for command in self.commands)
            files[f"{self.info}/entry_points.txt"] = f"[console_scripts]\n{lines}".encode()
        return files

    def write(self, folder: Path) -> Path:
        """The archive."""
        path = folder / f"{self.name}-{self.version}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in self.contents.items():
                archive.writestr(name, content)
            archive.writestr(f"{self.info}/RECORD", record(self.contents, self.info))
        return path

    def installed(self, site: str = SITE) -> Layer:
        """What ``pip install --target`` puts into an image."""
        files = {**self.contents, f"{self.info}/INSTALLER": b"pip\n"}
        scripts = {f"bin/{name}": _script(self.name) for name in self.commands}
        listed = {**files, **{f"../../{name}": content for name, content in scripts.items()}}
        members: Layer = [(f"{site}/{name}", Node(content)) for name, content in files.items()]
        members += [(f"{site}/{name}", Node(content, 0o755)) for name, content in scripts.items()]
        return [*members, (f"{site}/{self.info}/RECORD", Node(record(listed, self.info).encode()))]


def _script(module: str) -> bytes:
    """What pip writes for a command whose function is ``main``."""
    ending = "sys.argv[0] = sys.argv[0].removesuffix('.exe')\n    sys.exit(main())\n"
    return (
        f"#!/usr/bin/python3\nimport sys\nfrom {module} import main\nif __name__ == '__main__':\n    {ending}".encode()
    )


def record(files: Mapping[str, bytes], info: str) -> str:
    """RECORD's text for these files."""
    rows = [f"{name},{sha256_word(content)},{len(content)}\n" for name, content in files.items()]
    return "".join([*rows, f"{info}/RECORD,,\n"])


def sha256_word(content: bytes) -> str:
    """A digest as RECORD writes it."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def md5(content: bytes) -> str:
    """A digest as dpkg writes it."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def debs() -> tuple[Deb, ...]:
    """The base: release notes, a C library, TLS, and a Python with a bit of its standard library."""
    stdlib = Path(sysconfig.get_path("stdlib"))
    modules = {f"{STDLIB}/json/{p.name}": Node(p.read_bytes()) for p in sorted((stdlib / "json").glob("*.py"))}
    modules |= {f"{STDLIB}/{name}": Node((stdlib / name).read_bytes()) for name in ("site.py", "os.py")}
    release = b'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n'
    base = {"usr/lib/os-release": Node(release), "etc/os-release": link("../usr/lib/os-release")}
    interpreter = {"usr/bin/python3.11": Node(ELF + b"python", 0o755), "usr/bin/python3": link("python3.11")}
    libraries = "usr/lib/x86_64-linux-gnu"
    return (
        Deb("base-files", "12.4+deb12u11", {**base, "usr/share/doc/base-files/FAQ": Node(b"why?\n")}),
        Deb("libc6", "2.36-9+deb12u10", {"lib/x86_64-linux-gnu/libc.so.6": Node(ELF + b"libc", 0o755)}, "glibc"),
        Deb("libssl3", "3.0.15-1", {f"{libraries}/libssl.so.3": Node(ELF + b"ssl")}, "openssl"),
        Deb("libpython3.11-stdlib", "3.11.2-6", modules, "python3.11"),
        Deb("python3-minimal", "3.11.2-1+b1", interpreter, "python3-defaults (3.11.2-1)"),
    )


def wheels() -> tuple[Wheel, ...]:
    """The application's distributions: one that carries a list of its contents, one with a vendored copy."""
    listed = {"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [
        {"type": "library", "name": "serde", "version": "1.0.200", "purl": "pkg:cargo/serde@1.0.200"},
    ]}  # fmt: skip
    native = {"fastjson/__init__.py": b"", "fastjson/core.so": ELF + b"fastjson"}
    native["fastjson-3.0.0.dist-info/sboms/fastjson.cdx.json"] = json.dumps(listed).encode()
    copied = {"sharing/__init__.py": b"", "sharing/_vendor/__init__.py": b""}
    copied["sharing/_vendor/six.py"] = b'__version__ = "1.16.0"\n'
    return (
        Wheel("webapp", "1.2.0", {"webapp/__init__.py": b"def main(): ...\n"}, ("webapp",), ("fastjson>=3",)),
        Wheel("fastjson", "3.0.0", native),
        Wheel("sharing", "0.4", copied),
    )


def clean_layers() -> list[Layer]:
    """The image as it is built: a base with the debs and hand-made files, and a layer with the application."""
    aliases: Layer = [(name, link(f"usr/{name}")) for name in ("bin", "sbin", "lib")]
    members = aliases + [member for deb in debs() for member in deb.installed()]
    members.append(("etc/passwd", Node(b"root:x:0:0::/:/sbin/nologin\n")))
    application = [member for wheel in wheels() for member in wheel.installed()]
    return [members, application]


def _folders(members: Layer) -> Layer:
    """The folders on the way to the members, as every builder writes them; those that are links are not."""
    parents = {str(parent) for path, _ in members for parent in PurePosixPath(path).parents}
    linked = {path for path, node in members if node.target}
    names = sorted(name for name in parents - {"."} if not linked & {name, *map(str, PurePosixPath(name).parents)})
    return [(name, Node(mode=0o755, kind=tarfile.DIRTYPE)) for name in names]


def tar_bytes(members: Layer) -> bytes:
    """A tar of these members, with nothing in it that changes from run to run."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, errors="surrogateescape") as tar:
        for path, node in members:
            info = tarfile.TarInfo(path)
            info.type, info.mode, info.linkname = node.kind, stat.S_IMODE(node.mode), node.target
            info.pax_headers = {f"SCHILY.xattr.{name}": value for name, value in node.xattrs.items()}
            info.size = len(node.content)
            tar.addfile(info, io.BytesIO(node.content))
    return out.getvalue()


def write_layout(folder: Path, layers: Sequence[Layer | bytes]) -> str:
    """Write an OCI image layout and return the digest of its manifest.

    The folders on the way to a layer's members are added; a layer of bytes is a finished tar.
    """
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def put(content: bytes, media_type: str) -> dict[str, str | int]:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    tars = [layer if isinstance(layer, bytes) else tar_bytes(_folders(layer) + layer) for layer in layers]
    diff_ids = [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in tars]
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": put(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": [put(gzip.compress(tar, 1, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip") for tar in tars],
    }
    described = put(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json")
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return str(described["digest"])
