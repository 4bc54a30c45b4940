"""What stands in a registry: image manifests, and attachments that point at them. Bytes in, bytes out.

An attachment is an OCI 1.1 manifest with a ``subject``, and is tagged by what it holds::

    sha256-<subject>.ref-<32 hex of its manifest>   one per attachment: the truth
    sha256-<subject>                                index of them all (OCI fallback of the referrers API)
    sha256-<subject>.att, .sbom                     cosign's place for DSSE envelopes and CycloneDX documents

Registries that collect garbage delete manifests without a tag, even those that an index lists: so each has
its own. Its tag follows from its bytes, so two attestors never write different bytes to one tag. The other
three are conveniences for foreign tools and are always computed from the first; nothing is read from them.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lens_core.errors import IntegrityError, InvalidInput
from lens_core.model import Digest

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
DSSE = "application/vnd.dsse.envelope.v1+json"
CYCLONEDX = "application/vnd.cyclonedx+json"
EMPTY_CONFIG = b"{}"
"""The config of a manifest that is no image: OCI's ``application/vnd.oci.empty.v1+json``."""

_EMPTY = "application/vnd.oci.empty.v1+json"
_TITLE = "org.opencontainers.image.title"
_COSIGN = {DSSE: ".att", CYCLONEDX: ".sbom"}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][\w!#$&^.+-]{0,126}/[A-Za-z0-9][\w!#$&^.+-]{0,126}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Content by its media type, digest and size in bytes (OCI image specification, descriptor)."""

    media_type: str
    digest: Digest
    size_bytes: int

    @classmethod
    def of(cls, media_type: str, content: bytes) -> "Descriptor":
        """The descriptor of ``content``."""
        return cls(media_type, digest_of(content), len(content))

    @classmethod
    def parse(cls, value: Any) -> "Descriptor":
        """Read it from JSON; ValueError when a field is missing or is not of its kind."""
        fields = value if isinstance(value, dict) else {}
        media_type, digest, size = fields.get("mediaType"), fields.get("digest"), fields.get("size")
        if not isinstance(media_type, str) or not isinstance(digest, str) or type(size) is not int or size < 0:
            raise ValueError(f"expected mediaType, digest and size, saw {value!r:.200}")
        return cls(media_type, Digest(digest), size)

    def json(self, **more: Any) -> dict[str, Any]:
        """As it stands in a manifest."""
        return {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size_bytes, **more}

    def __str__(self) -> str:
        return f"{self.digest} of {self.size_bytes} bytes"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a candidate in the registry: an SBOM, a scan report, a signed statement.

    ``name`` is its path in the cut (``sbom/lens.cdx.json``), ``media_type`` also serves as the artifact type.
    InvalidInput when either could not stand in a manifest.
    """

    name: str
    media_type: str
    content: bytes

    def __post_init__(self) -> None:
        _demand_words(self.name, self.media_type)


@dataclass(frozen=True, slots=True, order=True)
class Referrer:
    """What a manifest says of an attachment: all but its bytes."""

    name: str
    media_type: str
    digest: Digest
    size_bytes: int

    @classmethod
    def of(cls, attachment: Attachment) -> "Referrer":
        """What will be said of ``attachment``."""
        content = attachment.content
        return cls(attachment.name, attachment.media_type, digest_of(content), len(content))

    @classmethod
    def parse(cls, subject: Descriptor, content: bytes) -> "Referrer":
        """Read it from its manifest; IntegrityError unless those are the bytes that we would have written."""
        try:
            [layer] = parse_json(content)["layers"]
            blob = Descriptor.parse(layer)
            name = layer["annotations"][_TITLE]
            _demand_words(name, blob.media_type)
            found = cls(name, blob.media_type, blob.digest, blob.size_bytes)
        except (ValueError, KeyError, TypeError, InvalidInput) as error:
            raise IntegrityError(
                f"expected the manifest of an attachment to {subject.digest}, saw {content[:80]!r}",
                "somebody else wrote it, or it was damaged: remove its tag from the registry",
            ) from error
        if found.manifest(subject) != content:
            raise IntegrityError(
                f"expected the manifest of {name} attached to {subject.digest}, saw other bytes under its tag",
                "it was replayed from another candidate or damaged: remove its tag and attach again",
            )
        return found

    @property
    def blob(self) -> Descriptor:
        """The attached bytes."""
        return Descriptor(self.media_type, self.digest, self.size_bytes)

    def manifest(self, subject: Descriptor) -> bytes:
        """The OCI 1.1 manifest that attaches it to ``subject``: the same bytes from the same input, always."""
        return to_json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "artifactType": self.media_type,
                "config": Descriptor.of(_EMPTY, EMPTY_CONFIG).json(),
                "layers": [self.blob.json(annotations={_TITLE: self.name})],
                "subject": subject.json(),
            }
        )

    def tag(self, subject: Descriptor) -> str:
        """Its own tag: nobody else writes other bytes to it, and no garbage collection takes it."""
        return f"{truth_prefix(subject.digest)}{digest_of(self.manifest(subject)).hex[:32]}"


@dataclass(frozen=True, slots=True)
class Conveniences:
    """What foreign tools look for: manifests by tag, and the blobs that these need beside the attachments."""

    manifests: Mapping[str, bytes]
    blobs: tuple[bytes, ...]

    @staticmethod
    def media_type(tag: str) -> str:
        """The index stands under the only tag that has no ending."""
        return MANIFEST if "." in tag else INDEX


def conveniences(
    subject: Descriptor, referrers: Iterable[Referrer], foreign: Iterable[Mapping[str, Any]] = ()
) -> Conveniences:
    """Index and cosign manifests of ``referrers``, sorted: whoever computes them last writes the same bytes.

    ``foreign`` are descriptors that others wrote into the index, kept as they are.
    """
    known = sorted(set(referrers))
    entries = [
        Descriptor.of(MANIFEST, each.manifest(subject)).json(
            artifactType=each.media_type, annotations={_TITLE: each.name}
        )
        for each in known
    ]
    entries += sorted(({**each} for each in foreign), key=lambda each: str(each["digest"]))
    index = to_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    manifests, blobs = {subject_tag(subject.digest): index}, []
    for media_type, ending in _COSIGN.items():
        layers = [each for each in known if each.media_type == media_type]
        if layers:
            config = _cosign_config(layers)
            blobs.append(config)
            manifests[subject_tag(subject.digest) + ending] = _cosign_manifest(config, layers)
    return Conveniences(manifests, tuple(blobs))


def subject_tag(subject: Digest) -> str:
    """The tag that every tag of an attachment to ``subject`` begins with: ``sha256-<64 hex>``."""
    return f"sha256-{subject.hex}"


def truth_prefix(subject: Digest) -> str:
    """What the own tags of the attachments to ``subject`` begin with."""
    return f"{subject_tag(subject)}.ref-"


def image_blobs(manifest: bytes) -> tuple[Descriptor, ...]:
    """Config first, then the layers in their order, each once; ValueError when it is no OCI image manifest."""
    value = parse_json(manifest)
    if not isinstance(value, dict) or value.get("schemaVersion") != 2 or value.get("mediaType", MANIFEST) != MANIFEST:  # noqa: PLR2004
        raise ValueError(f"expected an OCI image manifest, saw {manifest[:80]!r}")
    layers = value.get("layers")
    if not isinstance(layers, list) or not layers:
        raise ValueError("expected an image with layers, saw none")
    return tuple(dict.fromkeys([Descriptor.parse(value.get("config")), *map(Descriptor.parse, layers)]))


def parse_json(content: bytes) -> Any:
    """Parse UTF-8 JSON; ValueError also for what is nested too deep, and for a key that is there twice."""
    try:
        return json.loads(content, object_pairs_hook=_distinct)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deep") from error


def to_json(value: Any) -> bytes:
    """Sorted, without blanks: one value, one digest."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def digest_of(content: bytes) -> Digest:
    """The SHA-256 digest of ``content``."""
    return Digest("sha256:" + hashlib.sha256(content).hexdigest())


def _cosign_config(layers: list[Referrer]) -> bytes:
    uncompressed = [str(each.digest) for each in layers]
    return to_json({"architecture": "", "os": "", "config": {}, "rootfs": {"type": "layers", "diff_ids": uncompressed}})


def _cosign_manifest(config: bytes, layers: list[Referrer]) -> bytes:
    """As ``cosign attach`` writes it; it demands the annotation of a signature even where there is none."""
    annotations = {"dev.cosignproject.cosign/signature": ""}
    return to_json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": Descriptor.of(CONFIG, config).json(),
            "layers": [each.blob.json(annotations={**annotations, _TITLE: each.name}) for each in layers],
        }
    )


def _demand_words(name: Any, media_type: Any) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or ".." in name.split("/"):
        raise InvalidInput(f"expected a relative path as the attachment's name, saw {name!r:.80}", "rename it")
    if not isinstance(media_type, str) or not _MEDIA_TYPE.fullmatch(media_type):
        raise InvalidInput(f"expected a media type for {name}, saw {media_type!r:.80}", "e.g. application/json")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key of the JSON is there twice")
    return value
