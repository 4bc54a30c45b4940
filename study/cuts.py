"""Small cuts of a real one's shape, sealed by the code that seals real ones: what mutations are tried on."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lens_core.supply import canonical, envelope, statement
from lens_core.supply.image_layout import BLOBS, INDEX, LAYOUT, LAYOUT_CONTENT
from lens_core.supply.manifest import MANIFEST, SIGNATURE, SUMS, Entry, build, sign, sums
from lens_core.supply.sealed import subjects_of
from lens_core.supply.signatures import key_id
from lens_core.supply.statement import PROVENANCE, Material, Provenance


class SeededSigner:
    """An Ed25519 key of a known seed: what it signs is the same every time, and worth nothing."""

    def __init__(self, seed: int) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"study %d" % seed).digest())

    @property
    def public_key(self) -> bytes:
        """The 32 raw bytes."""
        return self._key.public_key().public_bytes_raw()

    @property
    def key_id(self) -> str:
        """The id of the key."""
        return key_id(self.public_key)

    def sign(self, message: bytes) -> bytes:
        """The 64 raw bytes of the signature."""
        return self._key.sign(message)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a cut is made with; the defaults are one candidate, ``image`` False is a cut without a container."""

    version: str = "1.0.0-rc.1"
    commit: str = "5e" * 20
    image: bool = True
    changed: Mapping[str, bytes] = field(default_factory=dict)
    """Files that are put in before the seal is made."""
    source: str = ""
    """The commit that provenance names as source, where it is not ``commit``."""


def files_of(shape: Shape) -> dict[str, bytes]:
    """What a cut holds before it is sealed, by name."""
    said = json.dumps({"version": shape.version}).encode()
    names = [
        f"dist/lens-{shape.version}-py3-none-any.whl",
        f"dist/lens-{shape.version}.tar.gz",
        "gates.json",
        "policy.json",
        "quality/coverage.json",
        "sast/bandit.sarif",
        "sbom/lens.cdx.json",
        "scan/osv-dir.json",
        "scan/vex.cdx.json",
    ]
    made = {name: name.encode() + b" of " + said + bytes(range(0, 256, 17)) for name in names}
    made["verify.sh"] = b"#!/usr/bin/env bash\nexit 0\n"
    return made | (image_of(shape) if shape.image else {}) | dict(shape.changed)


def image_of(shape: Shape) -> dict[str, bytes]:
    """An OCI image layout of one layer."""
    layer = b"\x1f\x8b layer of " + shape.version.encode()
    config = canonical.encode({"rootfs": {"diff_ids": ["sha256:" + "0" * 64], "type": "layers"}})
    manifest = canonical.encode(
        {
            "config": descriptor(config, "application/vnd.oci.image.config.v1+json"),
            "layers": [descriptor(layer, "application/vnd.oci.image.layer.v1.tar+gzip")],
            "schemaVersion": 2,
        }
    )
    top = descriptor(manifest, "application/vnd.oci.image.manifest.v1+json")
    top["platform"] = {"architecture": "amd64", "os": "linux"}
    top["annotations"] = {"org.opencontainers.image.ref.name": shape.version}
    blobs = {BLOBS + hashlib.sha256(blob).hexdigest(): blob for blob in (layer, config, manifest)}
    return {LAYOUT: LAYOUT_CONTENT, INDEX: canonical.encode({"manifests": [top], "schemaVersion": 2})} | blobs


def descriptor(blob: bytes, media_type: str) -> dict[str, object]:
    """How OCI refers to ``blob``."""
    return {"digest": f"sha256:{hashlib.sha256(blob).hexdigest()}", "mediaType": media_type, "size": len(blob)}


def image_digest_of(files: Mapping[str, bytes]) -> str:
    """The digest in hex that the layout's index names; "" without a layout."""
    if INDEX not in files:
        return ""
    return str(json.loads(files[INDEX])["manifests"][0]["digest"]).removeprefix("sha256:")


def provenance_of(shape: Shape, files: Mapping[str, bytes]) -> Provenance:
    """Provenance that names ``files``."""
    source = shape.source or shape.commit
    return Provenance(
        subjects=subjects_of(entries_of(files), image_digest_of(files)),
        external={
            "version": shape.version,
            "commit": shape.commit,
            "steps": ("sbom", "scan"),
            "container": shape.image,
        },
        internal={"source_date_epoch": 1_790_000_000},
        materials=(
            Material(f"git+file:lens@{source}", "gitCommit", source, "source"),
            Material("pkg:pypi/orjson@3.11.0", "sha256", "ab" * 32, "wheelhouse/orjson.whl"),
        ),
        builder=statement.LOCAL_BUILDER,
        invocation=f"cut of {shape.version}",
        started=datetime(2026, 11, 24, 2, 0, tzinfo=UTC),
        finished=datetime(2026, 11, 24, 2, 1, tzinfo=UTC),
    )


def entries_of(files: Mapping[str, bytes]) -> list[Entry]:
    """``files`` as a manifest names them."""
    return [Entry(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in files.items()]


def sealed_cut(shape: Shape, signer: SeededSigner) -> dict[str, bytes]:
    """A whole cut, by name of file."""
    files = files_of(shape)
    files[PROVENANCE] = envelope.sign(statement.encode(provenance_of(shape, files)), signer)
    return resealed(files, shape, signer)


def resealed(files: Mapping[str, bytes], shape: Shape, signer: SeededSigner) -> dict[str, bytes]:
    """``files`` with sums, manifest and signature made anew over whatever is in them."""
    kept = {name: content for name, content in files.items() if name not in {SUMS, MANIFEST, SIGNATURE}}
    kept[SUMS] = sums(entries_of(kept))
    kept[MANIFEST] = build(entries_of(kept), version=shape.version, commit=shape.commit, key=signer.key_id)
    kept[SIGNATURE] = sign(kept[MANIFEST], signer)
    return kept
