"""Reads the file system out of an OCI image layout, without unpacking it and without trusting it.

Nothing is written and nothing is run. Every blob is held against its digest and size while it is read, every
layer also against its ``diff_id`` in the image's configuration, so what is described is what will run. Python's
tar reader ends in silence at a header that it cannot read; so what follows the last member must be zeros.
"""

import hashlib
import json
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lens_core.errors import IntegrityError, InvalidInput, Unavailable
from lens_core.supply.packages import is_metadata
from lens_core.supply.rootfs import Assembly, Entry, Kind, RootFs
from lens_core.supply.words import Progress

MAX_MEMBERS = 300_000
"""Members of all layers together: a full Debian desktop has fewer files."""
MAX_BYTES = 8 * 1024**3
"""Bytes that all layers together may unpack to: the candidate's image has 0.1 GB."""
MAX_PATH = 4096
MAX_DEPTH = 100
MAX_DOCUMENT_BYTES = 4 * 1024**2
"""Of an index, a manifest or a configuration, as registries limit them."""
MAX_HEADER_BYTES = 4 * 1024**2
"""Of one member's headers, long names and extended attributes included, and what the reader reads ahead."""
MAX_KEPT_BYTES = 256 * 1024**2
"""Of metadata files held in memory."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_GZIPPED = ("application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip")
_PLAIN = ("application/vnd.oci.image.layer.v1.tar", "application/vnd.docker.image.rootfs.diff.tar")
_BROKEN = (tarfile.TarError, zlib.error, EOFError, ValueError, OverflowError, RecursionError)
_CHUNK = 1024 * 1024
_HINT = "do not run this image; build it again"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an image may hold before it is refused as a bomb: members and unpacked bytes of all layers."""

    members: int = MAX_MEMBERS
    bytes: int = MAX_BYTES


class ImageFiles:
    """The image in the layout folder ``layout``; ``digest`` names its manifest when the index lists several.

    ``keep`` says by path and size whose content is kept in memory; the default keeps what packages say of
    themselves.
    """

    def __init__(
        self,
        layout: Path,
        digest: str = "",
        keep: Callable[[str, int], bool] = is_metadata,
        limits: Limits | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._layout = layout
        self._digest = digest
        self._keep = keep
        self._limits = limits or Limits()
        self._progress = progress or (lambda _line: None)

    def rootfs(self) -> RootFs:
        """The file system after all layers, about a second for 60 MB.

        InvalidInput when there is no image layout, IntegrityError when a blob is another one than the manifest
        says, or a layer is not safe to unpack.
        """
        digest, manifest = self._manifest()
        config = self._document(manifest.get("config"))
        layers = manifest.get("layers")
        described = config.get("rootfs")
        diff_ids = described.get("diff_ids") if isinstance(described, dict) else None
        if not isinstance(layers, list) or not isinstance(diff_ids, list) or len(layers) != len(diff_ids) or not layers:
            raise IntegrityError(f"expected one diff_id per layer in the image {digest}, saw another number", _HINT)
        reading = _Reading(self._keep, self._limits)
        for number, (layer, diff_id) in enumerate(zip(layers, diff_ids, strict=True), 1):
            self._progress(f"reading layer {number} of {len(layers)}")
            self._layer(reading, layer, diff_id)
        return reading.assembly.finish(digest, str(config.get("architecture", "")))

    def _manifest(self) -> tuple[str, Mapping[str, Any]]:
        path = self._layout / "index.json"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InvalidInput(
                f"expected an OCI image layout, saw no {path}", "name a folder with an index.json"
            ) from error
        listed = _parsed(content, str(path)).get("manifests")
        images = [item for item in listed or () if isinstance(item, dict) and self._digest in ("", item.get("digest"))]
        if len(images) != 1 or images[0].get("mediaType") in _INDEXES:
            wanted = self._digest or "one image"
            raise InvalidInput(f"expected {wanted} in {path}, saw {len(images)} that fit", "name the manifest's digest")
        return str(images[0].get("digest")), self._document(images[0])

    def _document(self, descriptor: object) -> Mapping[str, Any]:
        blob = _Blob(self._layout, descriptor)
        if blob.size > MAX_DOCUMENT_BYTES:
            raise IntegrityError(
                f"expected at most {MAX_DOCUMENT_BYTES:,} bytes in {blob.digest}, saw {blob.size:,}", _HINT
            )
        return _parsed(b"".join(blob.chunks()), blob.digest)

    def _layer(self, reading: "_Reading", layer: object, diff_id: object) -> None:
        blob = _Blob(self._layout, layer)
        media_type = blob.media_type
        if media_type not in _GZIPPED + _PLAIN:
            raise InvalidInput(f"expected a tar or tar+gzip layer, saw {media_type!r}", "compress the layers with gzip")
        chunks = _gunzipped(blob.chunks()) if media_type in _GZIPPED else blob.chunks()
        stream = _Stream(chunks, reading.charge)
        try:
            reading.read_layer(stream)
        except _BROKEN as error:
            raise IntegrityError(f"the layer {blob.digest} is not a whole archive ({error})", _HINT) from error
        if stream.digest() != diff_id:
            raise IntegrityError(f"expected the diff_id {diff_id} of layer {blob.digest}, saw {stream.digest()}", _HINT)


class _Reading:
    """What the layers of one image share: the assembly, and what may still be unpacked."""

    def __init__(self, keep: Callable[[str, int], bool], limits: Limits) -> None:
        self.assembly = Assembly()
        self._keep = keep
        self._limits = limits
        self._members = 0
        self._bytes = 0
        self._kept = 0

    def charge(self, count: int) -> None:
        """Take ``count`` unpacked bytes off what may still come."""
        self._bytes += count
        if self._bytes > self._limits.bytes:
            raise IntegrityError(f"the image is refused: it unpacks to more than {self._limits.bytes:,} bytes", _HINT)

    def read_layer(self, stream: "_Stream") -> None:
        """Add every member of one layer's tar stream."""
        self.assembly.begin_layer()
        reader: IO[bytes] = stream  # type: ignore[assignment]  # tarfile asks a stream for read() alone
        stream.header_follows()  # opening reads the first one
        with tarfile.open(fileobj=reader, mode="r|", bufsize=_CHUNK, errors="surrogateescape") as tar:
            for member in tar:
                self._members += 1
                if self._members > self._limits.members:
                    raise IntegrityError(f"the image is refused: more than {self._limits.members:,} members", _HINT)
                self._member(tar, member, stream)
                tar.members.clear()  # type: ignore[attr-defined]  # the reader remembers every member that it has passed
                stream.header_follows()
            stream.content_follows()
            rest = tar.fileobj
            while chunk := rest.read(_CHUNK):
                if chunk.count(0) != len(chunk):
                    raise tarfile.ReadError("there is more after its end")

    def _member(self, tar: tarfile.TarFile, member: tarfile.TarInfo, stream: "_Stream") -> None:
        if set(tar.pax_headers) - {"comment"}:
            raise IntegrityError("the image is refused: a global header renames members for some readers only", _HINT)
        path = _safe_path(member.name)
        if not path:
            return
        kind = _kind(member)
        if member.islnk():
            self.assembly.hardlink(path, _safe_path(member.linkname), member.mode & 0o7777)
            return
        xattrs = tuple(sorted(key[13:] for key in member.pax_headers if key.startswith("SCHILY.xattr.")))
        entry = Entry(path, kind, member.mode & 0o7777, target=member.linkname if member.issym() else "", xattrs=xattrs)
        if member.issparse():
            raise IntegrityError(f"the image is refused: {path!r} is a sparse member", _HINT)
        if kind is Kind.FILE:
            stream.content_follows()
            self._file(tar, member, entry)
        else:
            self.assembly.add(entry)
        if kind is Kind.OTHER:
            self.assembly.odd(path, "a device, a pipe or a socket")
        if path != path.encode("utf-8", "replace").decode() or any(ord(letter) < 32 for letter in path):  # noqa: PLR2004
            self.assembly.odd(path, "a name that is not plain UTF-8")

    def _file(self, tar: tarfile.TarFile, member: tarfile.TarInfo, entry: Entry) -> None:
        file = tar.extractfile(member)
        if file is None:
            raise tarfile.ReadError(f"{member.name} has no content")
        keep = self._keep(entry.path, member.size)
        kept: list[bytes] = []
        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)  # dpkg knows nothing but MD5
        size, head = 0, b""
        while chunk := file.read(_CHUNK):
            head = head or chunk[:4]
            size += len(chunk)
            sha256.update(chunk)
            md5.update(chunk)
            if keep:
                kept.append(chunk)
        if size != member.size:
            raise tarfile.ReadError(f"{member.name} ends early")
        self._kept += size if keep else 0
        if self._kept > MAX_KEPT_BYTES:
            raise IntegrityError(f"the image is refused: more than {MAX_KEPT_BYTES:,} bytes of metadata", _HINT)
        done = Entry(
            entry.path, Kind.FILE, entry.mode, size, sha256.hexdigest(), md5.hexdigest(), "", entry.xattrs,
            elf=head == b"\x7fELF",
        )  # fmt: skip
        self.assembly.add(done, b"".join(kept) if keep else None)


class _Blob:
    """One descriptor's blob, held against its digest and size when it has been read to its end."""

    def __init__(self, layout: Path, descriptor: object) -> None:
        fields = descriptor if isinstance(descriptor, dict) else {}
        self.digest = str(fields.get("digest"))
        self.media_type = fields.get("mediaType")
        size = fields.get("size")
        if not _DIGEST.fullmatch(self.digest) or not isinstance(size, int):
            raise IntegrityError(f"expected a descriptor with sha256 digest and size, saw {descriptor!r}", _HINT)
        self.size = size
        self._path = layout / "blobs" / "sha256" / self.digest.removeprefix("sha256:")

    def chunks(self) -> Iterator[bytes]:
        """The content; raises at its end when it is not the one that was described."""
        sha256, size = hashlib.sha256(), 0
        try:
            with self._path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    sha256.update(chunk)
                    size += len(chunk)
                    yield chunk
        except OSError as error:
            raise Unavailable(
                f"the blob {self.digest} cannot be read ({error})", "copy the image layout again"
            ) from error
        if (seen := f"sha256:{sha256.hexdigest()}") != self.digest or size != self.size:
            raise IntegrityError(
                f"expected {self.digest} of {self.size:,} bytes, saw {seen} of {size:,}", "copy the image layout again"
            )


class _Stream:
    """A tar stream to read from, which counts and hashes what goes through it."""

    def __init__(self, chunks: Iterator[bytes], charge: Callable[[int], None]) -> None:
        self._chunks = chunks
        self._charge = charge
        self._left = b""
        self._sha256 = hashlib.sha256()
        self._quota: int | None = None

    def header_follows(self) -> None:
        """Let no more be read than a header may have: the reader holds it in memory, however large it says it is."""
        self._quota = MAX_HEADER_BYTES

    def content_follows(self) -> None:
        """Let a member's content be read, which is done piece by piece."""
        self._quota = None

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer at the end."""
        parts, have = [self._left], len(self._left)
        while have < size and (chunk := next(self._chunks, b"")):
            self._charge(len(chunk))
            if self._quota is not None:
                self._quota -= len(chunk)
                if self._quota < 0:
                    raise tarfile.ReadError(f"one of its headers has more than {MAX_HEADER_BYTES:,} bytes")
            self._sha256.update(chunk)
            parts.append(chunk)
            have += len(chunk)
        whole = b"".join(parts)
        self._left = whole[size:]
        return whole[:size]

    def digest(self) -> str:
        """Of all that was read."""
        return f"sha256:{self._sha256.hexdigest()}"


def _gunzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """One gzip member, unpacked piece by piece so that a bomb is noticed before it fills the memory."""
    inflater = zlib.decompressobj(wbits=31)
    for packed in chunks:
        if inflater.eof:
            raise EOFError("there is more after its end")
        rest = packed
        while rest and not inflater.eof:
            yield inflater.decompress(rest, _CHUNK)
            rest = inflater.unconsumed_tail
        if inflater.unused_data:
            raise EOFError("there is more after its end")
    while not inflater.eof:
        piece = inflater.decompress(inflater.unconsumed_tail, _CHUNK)
        if not piece:
            raise EOFError("it ends early")
        yield piece


def _parsed(content: bytes, name: str) -> Mapping[str, Any]:
    seen: object = None
    with suppress(ValueError, RecursionError):
        seen = json.loads(content)
    if not isinstance(seen, dict):
        raise IntegrityError(f"expected a JSON object in {name}, saw something else", "copy the image layout again")
    return seen


def _kind(member: tarfile.TarInfo) -> Kind:
    if member.isdir():
        return Kind.FOLDER
    if member.issym():
        return Kind.LINK
    return Kind.FILE if member.isreg() else Kind.OTHER


def _safe_path(name: str) -> str:
    """The member's path without ``./``; empty for the root itself."""
    path = name.removeprefix("./").strip("/") if not name.startswith("/") else name
    parts = path.split("/")
    if path in ("", "."):
        return ""
    if any(part in ("", ".", "..") for part in parts) or "\0" in path or len(path) > MAX_PATH or len(parts) > MAX_DEPTH:
        raise IntegrityError(f"the image is refused: the member {name!r} does not name a place inside it", _HINT)
    return path
