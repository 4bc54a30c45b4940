"""Small OCI image layouts and attachments, real enough for an engine to load."""

import gzip
import hashlib
import io
import json
import tarfile

from lens_core.supply.oci import CONFIG, CYCLONEDX, DSSE, MANIFEST, Attachment, Descriptor, digest_of

_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def layer(name: str, content: bytes) -> tuple[bytes, str]:
    """A gzipped layer with one file, and the digest of it unpacked."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    plain = buffer.getvalue()
    return gzip.compress(plain, mtime=0), "sha256:" + hashlib.sha256(plain).hexdigest()


def write_layout(folder, word="a", *, files=None):
    """A layout with one layer per file (``{name: bytes}``); ``word`` tells one image from another."""
    made = [layer(name, content) for name, content in (files or {"word": word.encode(), "base": b"base" * 99}).items()]
    config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/word"]}}
    config["rootfs"] = {"type": "layers", "diff_ids": [plain for _, plain in made]}
    blobs = [json.dumps(config).encode(), *(content for content, _ in made)]
    kinds = [CONFIG, *[_LAYER] * len(made)]
    described = [Descriptor.of(kind, blob).json() for kind, blob in zip(kinds, blobs, strict=True)]
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described[0], "layers": described[1:]}
    blobs.append(json.dumps(manifest).encode())
    (folder / "blobs/sha256").mkdir(parents=True)
    for blob in blobs:
        (folder / "blobs/sha256" / digest_of(blob).hex).write_bytes(blob)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    index = {"schemaVersion": 2, "manifests": [Descriptor.of(MANIFEST, blobs[-1]).json()]}
    (folder / "index.json").write_text(json.dumps(index))
    return folder


def attachments_of(word="a"):
    """An SBOM, a signed statement and a report that belong to the image of ``word``."""
    return (
        Attachment("sbom/lens.cdx.json", CYCLONEDX, f'{{"bomFormat": "CycloneDX", "word": "{word}"}}'.encode()),
        Attachment("provenance.dsse.json", DSSE, f'{{"payload": "{word}"}}'.encode()),
        Attachment("scan/osv-dir.json", "application/json", f'["{word}"]'.encode()),
    )
