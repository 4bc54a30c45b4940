"""OCI image layouts in folders: written from an engine's archive, read by who pushes, lists or verifies an image.

``oci-layout``, ``index.json`` and ``blobs/sha256/<hex>`` (OCI image-spec 1.0). Blobs are verified when read.
"""

import io
import json
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lens_core.errors import IntegrityError
from lens_core.model import Digest
from lens_core.supply.image import (
    COMPRESSOR,
    Image,
    Layer,
    Origin,
    compressed,
    decompressed,
    digest_of,
    image_of,
    index_of,
    squash,
)

_MARKER = b'{"imageLayoutVersion":"1.0.0"}'


def normalise(archive: Path, base_layers: Sequence[str], origin: Origin, cache: Path) -> tuple[Image, bytes]:
    """The engine's ``archive`` of one image as an image of ours, and its ``index.json``.

    ``base_layers`` are the diff ids that the base has: they must be there, in this order, and stay as they are.
    Their compressed blobs are kept in ``cache``.
    """
    with tarfile.open(archive) as tar:
        (entry,) = json.loads(_read(tar, "manifest.json"))
        config: dict[str, Any] = json.loads(_read(tar, entry["Config"]))
        tars = [decompressed(_read(tar, name)) for name in entry["Layers"]]
    seen = [str(digest_of(content)) for content in tars]
    if seen[: len(base_layers)] != list(base_layers) or seen != config["rootfs"]["diff_ids"]:
        raise IntegrityError(
            f"the engine built on other layers than the base's: expected {list(base_layers)}, saw {seen}",
            "remove the base from the engine and cut again",
        )
    above = squash(tars[len(base_layers) :], origin.epoch)
    with ThreadPoolExecutor(2) as pool:  # zlib runs without the interpreter's lock
        below = [pool.submit(_base_layer, content, cache) for content in tars[: len(base_layers)]]
        top = pool.submit(compressed, above)
        layers = [*(future.result() for future in below), top.result()]
    image = image_of(config, layers, origin)
    return image, index_of(image, origin.version, config)


def write_layout(image: Image, index: bytes, folder: Path) -> None:
    """Write the layout into the empty or new ``folder``; ``index.json`` comes last, so half a layout has none."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    for content in (*(layer.blob for layer in image.layers), image.config, image.manifest):
        (blobs / digest_of(content).hex).write_bytes(content)
    (folder / "oci-layout").write_bytes(_MARKER)
    (folder / "index.json").write_bytes(index)


def write_archive(image: Image, place: Path) -> None:
    """Write what an engine's ``load`` takes; the loaded image's id is ``image.image_id``."""
    names = [f"{layer.diff_id.hex}/layer.tar" for layer in image.layers]
    manifest = [{"Config": f"{image.image_id.hex}.json", "RepoTags": None, "Layers": names}]
    with tarfile.open(place, "w") as tar:
        for name, layer in zip(names, image.layers, strict=True):
            _add(tar, name, layer.blob)  # compressed is well: engines look at the bytes, not at the name
        _add(tar, f"{image.image_id.hex}.json", image.config)
        _add(tar, "manifest.json", json.dumps(manifest).encode())


def read_blob(folder: Path, digest: Digest) -> bytes:
    """One blob; IntegrityError when it is missing or another one."""
    place = folder / "blobs" / "sha256" / digest.hex
    if not place.is_file():
        raise IntegrityError(f"{folder.name} lacks the blob {digest}", "take the layout whole, or cut again")
    content = place.read_bytes()
    if digest_of(content) != digest:
        raise IntegrityError(f"{place.name}: expected {digest}, saw {digest_of(content)}", "take the layout whole")
    return content


def read_layout(folder: Path) -> Image:
    """The one image of a layout of ours, every blob verified; IntegrityError for any other byte than was written."""
    try:
        marker = (folder / "oci-layout").read_bytes()
        index = (folder / "index.json").read_bytes()
        (entry,) = json.loads(index)["manifests"]
        manifest = read_blob(folder, Digest(entry["digest"]))
        described = json.loads(manifest)
        config = read_blob(folder, Digest(described["config"]["digest"]))
        blobs = [read_blob(folder, Digest(layer["digest"])) for layer in described["layers"]]
        layers = tuple(Layer(digest_of(decompressed(blob)), digest_of(blob), blob) for blob in blobs)
        expected = json.loads(config)["rootfs"]["diff_ids"]
        version = described["annotations"]["org.opencontainers.image.version"]
        image = Image(manifest, config, layers)
        canonical = index_of(image, version, json.loads(config)) == index
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _no_layout(folder, str(error)) from error
    if marker != _MARKER or not canonical or not layers or [str(layer.diff_id) for layer in layers] != expected:
        raise _no_layout(folder, "its version, index or layers are not as they were written")
    return image


def _no_layout(folder: Path, seen: str) -> IntegrityError:
    return IntegrityError(f"{folder} is no OCI layout of one image ({seen})", "take it whole, or cut again")


def _base_layer(content: bytes, cache: Path) -> Layer:
    """The base's layer, compressed once for all cuts; a kept blob that is not as it was written is made anew."""
    diff_id = digest_of(content)
    place = cache / "layers" / f"{diff_id.hex}-{COMPRESSOR.replace(' ', '-')}.gz"
    written = place.with_suffix(".gz.sha256")
    if place.is_file() and written.is_file():
        blob = place.read_bytes()
        digest = digest_of(blob)
        if written.read_text(encoding="ascii").strip() == str(digest) and decompressed(blob) == content:
            return Layer(diff_id, digest, blob)
    layer = compressed(content)
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_suffix(".part")
    part.write_bytes(layer.blob)
    part.replace(place)
    written.write_text(f"{layer.digest}\n", encoding="ascii")
    return layer


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    try:
        source = tar.extractfile(name)
    except KeyError as error:
        raise IntegrityError(f"the engine's archive lacks {name}", "update the engine, and cut again") from error
    return source.read() if source else b""


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
