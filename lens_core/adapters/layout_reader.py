"""The image of a cut as it lies on disk: an OCI image layout folder with one image in it."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lens_core.errors import IntegrityError, InvalidInput
from lens_core.supply.oci import MANIFEST, Descriptor, digest_of, image_blobs, parse_json

_LARGEST_JSON = 4 << 20


@dataclass(frozen=True, slots=True)
class LayoutImage:
    """One image: its manifest's own bytes, and where its blobs lie (config first, each once)."""

    folder: Path
    manifest: bytes
    blobs: tuple[Descriptor, ...]

    @property
    def descriptor(self) -> Descriptor:
        """The manifest's descriptor; its digest is the image's."""
        return Descriptor.of(MANIFEST, self.manifest)

    def open(self, blob: Descriptor) -> BinaryIO:
        """The blob's bytes; IntegrityError when it is not there or not as long as the manifest says."""
        file = _blob_file(self.folder, blob)
        _demand_size(file, blob)
        return file.open("rb")


def read_layout(folder: Path) -> LayoutImage:
    """Read ``oci-layout``, ``index.json`` and the manifest that it names.

    InvalidInput when the folder is no layout of exactly one image, IntegrityError when the manifest's bytes are
    not those of its digest. Blobs are hashed by whoever reads them.
    """
    try:
        version = parse_json(_small(folder / "oci-layout"))["imageLayoutVersion"]
        [entry] = parse_json(_small(folder / "index.json"))["manifests"]
        descriptor = Descriptor.parse(entry)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"expected an OCI image layout with one image in {folder}: {error}", "cut the candidate with --container"
        ) from error
    if version != "1.0.0" or descriptor.media_type != MANIFEST:
        raise InvalidInput(
            f"expected layout 1.0.0 of an image in {folder}, saw {version!r:.20} and {descriptor.media_type}",
            "an image for one platform is what can be pushed",
        )
    file = _blob_file(folder, descriptor)
    _demand_size(file, descriptor)
    manifest = _small(file)
    if digest_of(manifest) != descriptor.digest:
        raise IntegrityError(f"expected {descriptor.digest}, saw {digest_of(manifest)} in {file}", "cut it again")
    try:
        return LayoutImage(folder, manifest, image_blobs(manifest))
    except ValueError as error:
        raise InvalidInput(f"{file} is no image that can be pushed: {error}", "cut it again") from error


def _blob_file(folder: Path, blob: Descriptor) -> Path:
    return folder / "blobs" / "sha256" / blob.digest.hex


def _small(file: Path) -> bytes:
    if file.stat().st_size > _LARGEST_JSON:
        raise ValueError(f"{file.name} is larger than {_LARGEST_JSON:,} bytes")
    return file.read_bytes()


def _demand_size(file: Path, blob: Descriptor) -> None:
    try:
        seen = file.stat().st_size
    except OSError as error:
        raise IntegrityError(f"expected {blob} in {file}, saw no such file", "cut it again") from error
    if seen != blob.size_bytes:
        raise IntegrityError(f"expected {blob} in {file}, saw {seen} bytes", "cut it again")
