"""Container images as values: what an engine built becomes an OCI image whose bytes depend on the content only.

An engine writes the time of day, its own host name and its own history into an image, so two builds of one commit
differ. Here the layers of the base are kept bit for bit, the layers above it become one layer with the commit's
time, plain modes and owner root, and the configuration keeps only what a container is started with. Layers are
compressed here, with a header of our own, so the digest of the manifest does not depend on the engine (it does
depend on zlib: ``COMPRESSOR``). Formats: OCI image-spec 1.0.
"""

import hashlib
import io
import posixpath
import struct
import tarfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import rfc8785

from lens_core.errors import IntegrityError
from lens_core.model import Digest

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
LEVEL = 6
COMPRESSOR = f"zlib {zlib.ZLIB_RUNTIME_VERSION} level {LEVEL}"
"""What layers are compressed with; equal compressors give equal manifests. The image id does not depend on it."""

_KEPT = ("User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Healthcheck", "Volumes", "WorkingDir", "Labels",
         "StopSignal")  # fmt: skip
SHELLS = frozenset({"ash", "bash", "busybox", "csh", "dash", "fish", "ksh", "mksh", "sh", "tcsh", "toybox", "zsh"})
"""Names of programs that take commands."""
_PRIVILEGED = 0o6000


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: the digest of its tar (``diff_id``), and the blob that is shipped."""

    diff_id: Digest
    digest: Digest
    blob: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Image:
    """An image to be written: its manifest's and configuration's bytes, and its layers from the base up."""

    manifest: bytes
    config: bytes
    layers: tuple[Layer, ...]

    @property
    def digest(self) -> Digest:
        """The digest of the manifest: the image's name in a registry."""
        return digest_of(self.manifest)

    @property
    def image_id(self) -> Digest:
        """The digest of the configuration: the image's name in an engine."""
        return digest_of(self.config)


@dataclass(frozen=True, slots=True)
class Origin:
    """What an image is made of: version and commit of its content, the base, and the time it is given (Unix s)."""

    version: str
    commit: str
    base_digest: str
    epoch: int

    @property
    def created(self) -> str:
        """The time in RFC 3339, UTC."""
        return datetime.fromtimestamp(self.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the files of an image's layers are: counts, and the paths of what should not be there, sorted."""

    files: int
    shells: tuple[str, ...]
    privileged: tuple[str, ...]


def digest_of(content: bytes) -> Digest:
    """SHA-256."""
    return Digest(f"sha256:{hashlib.sha256(content).hexdigest()}")


def squash(tars: Sequence[bytes], epoch: int) -> bytes:
    """The layers in ``tars`` (uncompressed, from below) as one, with nothing in it that a build made up.

    Entries by path, time ``epoch``, owner root, modes ``u=rwX,go=rX``. IntegrityError for a whiteout (the image's
    recipe removes nothing), a device, or a path out of the root.
    """
    entries: dict[str, tuple[tarfile.TarInfo, bytes]] = {}
    for content in tars:
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            for member in tar:
                path = _path(member)
                if path:
                    source = tar.extractfile(member) if member.isreg() else None
                    entries[path] = (_plain(member, path, epoch), source.read() if source else b"")
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(entries, key=lambda path: (entries[path][0].islnk(), path)):  # a hard link after its file
            info, body = entries[path]
            tar.addfile(info, io.BytesIO(body))
    return whole.getvalue()


def compressed(content: bytes) -> Layer:
    """A layer of the tar ``content``. The gzip header says nothing of time or system."""
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = deflate.compress(content) + deflate.flush()
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    blob = header + body + struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)
    return Layer(digest_of(content), digest_of(blob), blob)


def decompressed(blob: bytes) -> bytes:
    """The tar of a layer's blob, gzip or plain; IntegrityError when it is neither."""
    if not blob.startswith(b"\x1f\x8b"):
        return blob
    inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        content = inflate.decompress(blob) + inflate.flush()
    except zlib.error as error:
        raise IntegrityError(f"a layer cannot be decompressed ({error})", "build the image again") from error
    if not inflate.eof or inflate.unused_data:
        raise IntegrityError("a layer ends too early, or has bytes after its end", "build the image again")
    return content


def image_of(config: Mapping[str, Any], layers: Sequence[Layer], origin: Origin) -> Image:
    """The image of ``layers``, started as the engine's ``config`` says; what else the engine wrote is left out."""
    inner = {name: config["config"][name] for name in _KEPT if config["config"].get(name)}
    above = len(layers) - 1
    history = [f"base {origin.base_digest}"] * above + [f"lens {origin.version} of {origin.commit}"]
    body: dict[str, Any] = {
        "architecture": config["architecture"],
        "os": config["os"],
        "created": origin.created,
        "config": inner,
        "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id) for layer in layers]},
        "history": [{"created": origin.created, "created_by": line} for line in history],
    }
    content = rfc8785.dumps(body)
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _descriptor(CONFIG_TYPE, content),
        "layers": [_descriptor(LAYER_TYPE, layer.blob) for layer in layers],
        "annotations": {
            "org.opencontainers.image.created": origin.created,
            "org.opencontainers.image.version": origin.version,
            "org.opencontainers.image.revision": origin.commit,
            "org.opencontainers.image.base.digest": origin.base_digest,
        },
    }
    return Image(rfc8785.dumps(manifest), content, tuple(layers))


def index_of(image: Image, version: str, config: Mapping[str, Any]) -> bytes:
    """``index.json`` of a layout with this one image, named by its version."""
    entry = _descriptor(MANIFEST_TYPE, image.manifest) | {
        "platform": {"architecture": config["architecture"], "os": config["os"]},
        "annotations": {"org.opencontainers.image.ref.name": version},
    }
    return rfc8785.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [entry]})


def file_facts(tars: Iterable[bytes]) -> FileFacts:
    """Facts of the files in ``tars`` (uncompressed layers from below; what a later one removes still counts)."""
    files, shells, privileged = set(), set(), set()
    for content in tars:
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            for member in tar:
                path = posixpath.normpath(member.name).lstrip("/")
                if member.isreg():
                    files.add(path)
                if not member.isdir() and posixpath.basename(path) in SHELLS and posixpath.dirname(path) in _PROGRAMS:
                    shells.add(path)
                if member.isreg() and (
                    member.mode & _PRIVILEGED or "SCHILY.xattr.security.capability" in member.pax_headers
                ):
                    privileged.add(path)
    return FileFacts(len(files), tuple(sorted(shells)), tuple(sorted(privileged)))


_PROGRAMS = frozenset({"bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin", "opt/app/bin"})


def _path(member: tarfile.TarInfo) -> str:
    path = posixpath.normpath(member.name).lstrip("/")
    if ".." in path.split("/") or posixpath.basename(path).startswith(".wh."):
        raise IntegrityError(
            f"the build removes files, or writes out of the root: {member.name}", "mend the Dockerfile"
        )
    if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        raise IntegrityError(f"{path} is neither file, folder nor link", "mend the Dockerfile")
    return "" if path == "." else path


def _plain(member: tarfile.TarInfo, path: str, epoch: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.type, info.size, info.mtime = member.type, member.size if member.isreg() else 0, epoch
    info.mode = 0o777 if member.issym() else 0o755 if member.isdir() or member.mode & 0o111 else 0o644
    info.linkname = member.linkname
    return info


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(digest_of(content)), "size": len(content)}
