"""Holding a registry against a cut: every byte is read over HTTP and hashed, every tag is accounted for."""

from collections.abc import Sequence
from dataclasses import dataclass

from lens_core.adapters.layout_reader import LayoutImage
from lens_core.adapters.registry_http import Reply
from lens_core.adapters.registry_shelf import Shelf
from lens_core.errors import Unavailable
from lens_core.model import Digest
from lens_core.supply.oci import (
    CONFIG,
    EMPTY_CONFIG,
    MANIFEST,
    Attachment,
    Conveniences,
    Descriptor,
    Referrer,
    conveniences,
    subject_tag,
)
from lens_core.supply.words import Fault, Progress

_OK, _MISSING = 200, 404


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing that must be in the repository: what it is called, its path there, and its bytes."""

    artifact: str
    path: str
    descriptor: Descriptor


@dataclass(frozen=True, slots=True)
class Attached:
    """All that attaching leaves in a repository: what to read, and which tags and referrers there may be."""

    subject: Digest
    wanted: tuple[Wanted, ...]
    tags: frozenset[str]
    referrers: frozenset[Digest]


def image(cut: LayoutImage) -> list[Wanted]:
    """The image's manifest and every blob that it names."""
    names = ["config", *(f"layer {place} of {len(cut.blobs) - 1}" for place in range(1, len(cut.blobs)))]
    digest = cut.descriptor.digest
    wanted = [Wanted(f"manifest {digest}", f"manifests/{digest}", cut.descriptor)]
    return wanted + [
        Wanted(f"blob {blob.digest} ({name})", f"blobs/{blob.digest}", blob)
        for name, blob in zip(names, cut.blobs, strict=True)
    ]


def attached(subject: Descriptor, attachments: Sequence[Attachment]) -> Attached:
    """What must be there, and nothing else, when exactly ``attachments`` are attached to ``subject``."""
    referrers = sorted({Referrer.of(each) for each in attachments})
    wanted: list[Wanted] = []
    for each in referrers:
        manifest, tag = Descriptor.of(MANIFEST, each.manifest(subject)), each.tag(subject)
        wanted += [
            Wanted(f"attachment {each.name} (blob {each.digest})", f"blobs/{each.digest}", each.blob),
            Wanted(f"attachment {each.name} (manifest {manifest.digest})", f"manifests/{manifest.digest}", manifest),
            Wanted(f"attachment {each.name} (tag {tag})", f"manifests/{tag}", manifest),
        ]
    made = conveniences(subject, referrers) if referrers else Conveniences({}, ())
    for tag, content in made.manifests.items():
        descriptor = Descriptor.of(Conveniences.media_type(tag), content)
        wanted += [
            Wanted(f"tag {tag}", f"manifests/{tag}", descriptor),
            Wanted(f"manifest {descriptor.digest} of tag {tag}", f"manifests/{descriptor.digest}", descriptor),
        ]
    for blob in (*made.blobs, EMPTY_CONFIG) if referrers else ():
        config = Descriptor.of(CONFIG, blob)
        wanted.append(Wanted(f"blob {config.digest} (config of attachments)", f"blobs/{config.digest}", config))
    tags = frozenset(made.manifests) | {each.tag(subject) for each in referrers}
    return Attached(
        subject.digest,
        tuple(wanted),
        tags,
        frozenset(Descriptor.of(MANIFEST, r.manifest(subject)).digest for r in referrers),
    )


def compare(shelf: Shelf, wanted: Sequence[Wanted], beside: Attached, progress: Progress) -> tuple[Fault, ...]:
    """Every fault, each naming its blob, manifest or tag; Unavailable when the registry itself is lost."""
    listed = shelf.referrers(beside.subject)
    every = [*wanted, *beside.wanted]
    faults: list[Fault | None] = []
    for place, each in enumerate(every, start=1):
        progress(f"hashing {place} of {len(every)}: {each.artifact}, {each.descriptor.size_bytes:,} bytes")
        faults.append(_fault(shelf, each))
    prefix = subject_tag(beside.subject)
    strange = sorted(tag for tag in shelf.tags() if tag.startswith(prefix) and tag not in beside.tags)
    faults += [
        Fault(f"tag {tag}", "no such tag on this candidate", "a tag that the cut does not know") for tag in strange
    ]
    if listed is not None:
        faults += _referrer_faults(listed, beside.referrers)
    return tuple(dict.fromkeys(fault for fault in faults if fault is not None))


def _fault(shelf: Shelf, wanted: Wanted) -> Fault | None:
    expected, descriptor = str(wanted.descriptor), wanted.descriptor
    try:
        reply = shelf.http.hash(
            f"{shelf.base}/{wanted.path}", {"Accept": descriptor.media_type}, limit=descriptor.size_bytes
        )
    except Unavailable as error:
        if not shelf.http.answers():
            raise
        # The registry is well, and yet does not give these bytes: they are not there.
        return Fault(wanted.artifact, expected, error.message)
    seen = _seen(reply, descriptor)
    return Fault(wanted.artifact, expected, seen) if seen else None


def _seen(reply: Reply, expected: Descriptor) -> str:
    """What is wrong with the reply; empty when it is the expected bytes under an honest header."""
    if reply.code != _OK:
        return "nothing (HTTP 404)" if reply.code == _MISSING else f"HTTP {reply.code}"
    if reply.size_bytes > expected.size_bytes:
        return f"more than {expected.size_bytes} bytes"
    if reply.digest != expected.digest or reply.size_bytes != expected.size_bytes:
        return f"{reply.digest} of {reply.size_bytes} bytes"
    if reply.claimed and reply.claimed != str(expected.digest):
        return f"the right bytes under the header {reply.claimed}"
    return ""


def _referrer_faults(listed: frozenset[Digest], expected: frozenset[Digest]) -> list[Fault]:
    missing = [Fault(f"referrer {each}", "listed by the registry", "not listed") for each in sorted(expected - listed)]
    strange = [
        Fault(f"referrer {each}", "no such referrer", "listed by the registry") for each in sorted(listed - expected)
    ]
    return missing + strange
