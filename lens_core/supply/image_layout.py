"""Whether the OCI image layout in a cut agrees with itself: index, manifest, configuration and layers.

Every blob lies under its own SHA-256, every size is right, nothing is referred to that is not there, and nothing is
there that is not referred to. Index and manifest are canonical JSON, as ``lens cut-rc`` writes them.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lens_core.errors import IntegrityError
from lens_core.supply import canonical, shape
from lens_core.supply.faults import Fault, FaultFound
from lens_core.supply.manifest import Entry

FOLDER = "image/"
LAYOUT = FOLDER + "oci-layout"
INDEX = FOLDER + "index.json"
BLOBS = FOLDER + "blobs/sha256/"
LAYOUT_CONTENT = b'{"imageLayoutVersion":"1.0.0"}'

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+/-]*")
_DESCRIPTOR = {"digest", "mediaType", "size"}
_MAY_DESCRIBE = {"annotations", "platform"}


@dataclass(frozen=True, slots=True)
class _Descriptor:
    place: str
    size: int


def image_digest(entries: Mapping[str, Entry], read: Callable[[str], bytes]) -> str:
    """The SHA-256 in hex of the image's manifest; FaultFound names the file that does not agree.

    ``entries`` are those of the cut's manifest, by name; ``read`` gives a file's bytes, already matched with them.
    """
    inside = {name for name in entries if name.startswith(FOLDER)}
    for name in sorted(inside):
        if name.startswith(BLOBS) and entries[name].sha256 != name.removeprefix(BLOBS):
            raise _fault(name, "a blob under its own sha256", entries[name].sha256)
    for name in (LAYOUT, INDEX):
        if name not in inside:
            raise _fault(name, "a file of the image layout", "no such file")
    if read(LAYOUT) != LAYOUT_CONTENT:
        raise _fault(LAYOUT, LAYOUT_CONTENT.decode(), repr(read(LAYOUT)[:80]))
    index = _document(INDEX, read(INDEX), {"schemaVersion", "manifests"}, {"mediaType", "annotations"})
    listed = _array(INDEX, index["manifests"], "manifests")
    if len(listed) != 1:
        raise _fault(INDEX, "exactly one manifest", str(len(listed)))
    top = _described(INDEX, listed[0], entries)
    manifest = _document(
        top.place, read(top.place), {"schemaVersion", "config", "layers"}, {"mediaType", "annotations", "artifactType"}
    )
    config = _described(top.place, manifest["config"], entries)
    layers = [_described(top.place, layer, entries) for layer in _array(top.place, manifest["layers"], "layers")]
    _configured(config.place, read(config.place), len(layers))
    spare = inside - {LAYOUT, INDEX, top.place, config.place, *(layer.place for layer in layers)}
    if spare:
        raise _fault(min(spare), "a file that the image refers to", "nothing that refers to it")
    return top.place.removeprefix(BLOBS)


def named_by(index: bytes) -> str:
    """The digest (``sha256:…``) of the one manifest that ``index.json`` names; FaultFound when it is not one."""
    manifests = _document(INDEX, index, {"schemaVersion", "manifests"}, {"mediaType", "annotations"})["manifests"]
    [only] = _array(INDEX, manifests, "manifests") if isinstance(manifests, list) and len(manifests) == 1 else [{}]
    if not isinstance(only, dict) or not _DIGEST.fullmatch(str(only.get("digest"))):
        raise _fault(INDEX, "the digest of exactly one manifest", repr(manifests)[:80])
    return str(only["digest"])


def _document(name: str, content: bytes, needed: set[str], allowed: set[str]) -> dict[str, Any]:
    try:
        value = canonical.decode(content, name)
    except IntegrityError as error:
        raise _fault(name, "canonical JSON", error.message.partition("saw ")[2]) from error
    if not isinstance(value, dict) or not needed <= value.keys() <= needed | allowed:
        seen = ", ".join(sorted(value)) if isinstance(value, dict) else type(value).__name__
        raise _fault(name, f"an object of {', '.join(sorted(needed))}", seen)
    if type(value["schemaVersion"]) is not int or value["schemaVersion"] != 2:  # noqa: PLR2004  (OCI's)
        raise _fault(name, "schemaVersion 2", repr(value["schemaVersion"]))
    return value


def _array(name: str, value: Any, what: str) -> list[Any]:
    try:
        return shape.items(value, what)
    except IntegrityError as error:
        raise _fault(name, f"an array of {what}", error.message.partition("saw ")[2]) from error


def _described(name: str, value: Any, entries: Mapping[str, Entry]) -> _Descriptor:
    if not isinstance(value, dict) or not value.keys() >= _DESCRIPTOR or value.keys() - _DESCRIPTOR - _MAY_DESCRIBE:
        raise _fault(name, "descriptors of digest, mediaType and size", repr(value)[:80])
    try:
        digest = shape.text(value["digest"], _DIGEST, "digest")
        shape.text(value["mediaType"], _MEDIA_TYPE, "mediaType")
        size = shape.whole(value["size"], "size")
    except IntegrityError as error:
        raise _fault(name, "descriptors of digest, mediaType and size", error.message) from error
    place = BLOBS + digest.removeprefix("sha256:")
    if place not in entries:
        raise _fault(place, f"a blob that {name} refers to", "no such file")
    if entries[place].size != size:
        raise _fault(name, f"{entries[place].size} bytes of {place}", f"{size} bytes")
    return _Descriptor(place, size)


def _configured(name: str, content: bytes, layers: int) -> None:
    try:
        unpacked = canonical.decode(content, name)["rootfs"]["diff_ids"]
    except (IntegrityError, KeyError, TypeError) as error:
        raise _fault(name, "a configuration in canonical JSON with rootfs.diff_ids", str(error)) from error
    if not isinstance(unpacked, list) or len(unpacked) != layers:
        raise _fault(name, f"rootfs.diff_ids of {layers} layers", repr(unpacked)[:80])


def _fault(name: str, expected: str, seen: str) -> FaultFound:
    return FaultFound(Fault(name, expected, seen))
