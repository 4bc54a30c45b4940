"""A repository in an OCI registry: what was cut is pushed there, attached to, and held against the cut again.

Only bytes that were read back and hashed here count. A registry's word, a tag and a ``docker pull`` (which trusts
layers that it has already) do not.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Self

from lens_core.adapters.attachment_index import AttachmentIndex
from lens_core.adapters.blob_upload import Blob, BlobUpload
from lens_core.adapters.layout_reader import read_layout
from lens_core.adapters.registry_faults import Wanted, attached, compare, image
from lens_core.adapters.registry_http import LARGEST_REPLY, Credentials, RegistryHttp, Reply
from lens_core.adapters.registry_shelf import Shelf, checked_tag
from lens_core.errors import Conflict, IntegrityError, InvalidInput
from lens_core.model import Digest
from lens_core.supply.oci import (
    CONFIG,
    EMPTY_CONFIG,
    MANIFEST,
    Attachment,
    Descriptor,
    Referrer,
    digest_of,
    image_blobs,
)
from lens_core.supply.words import Fault, Progress

__all__ = ["Credentials", "Registry"]

_OK = 200
_LARGEST_ATTACHMENT = 256 << 20


class Registry:
    """One repository of a registry that speaks OCI Distribution 1.0 or 1.1, with or without its referrers API.

    ``url`` is the registry's root (https; http only on this machine), ``timeout_s`` holds for each wait.
    Everywhere: Unavailable when the registry is lost, Refused when it does not let us in, IntegrityError when what
    it gives is not what its digest says, InvalidInput for names that the specification does not know.
    """

    def __init__(
        self,
        url: str,
        repository: str,
        *,
        timeout_s: float,
        progress: Progress,
        credentials: Credentials | None = None,
        pause_s: float = 0.2,
    ) -> None:
        self._http = RegistryHttp(url, timeout_s=timeout_s, credentials=credentials, pause_s=pause_s)
        self._repository = repository
        self._shelf = Shelf(self._http, repository)
        self._progress = progress
        self._upload = BlobUpload(self._http, repository, progress)
        self._index = AttachmentIndex(self._shelf, self._upload)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def reference(self, digest: Digest) -> str:
        """What an engine pulls: ``host:port/repository@sha256:…``."""
        return f"{self._http.host}/{self._repository}@{digest}"

    def push(self, layout: Path, tag: str) -> Digest:
        """Push the image in the folder ``layout`` and let ``tag`` name it; its digest, read back.

        Blobs that are there are not sent again, so pushing again goes on where a lost registry stopped it.
        Conflict when ``tag`` names another image already: nothing is sent, and the tag is not moved.
        """
        cut = read_layout(layout)
        digest = cut.descriptor.digest
        self._demand_free(tag, digest)
        for place, blob in enumerate(cut.blobs):
            name = f"layer {place} of {len(cut.blobs) - 1}" if place else "config"
            self._upload.send(Blob(blob, partial(cut.open, blob), f"{name} ({blob.digest.short})"))
        for reference in (str(digest), tag):
            self._shelf.put(reference, MANIFEST, cut.manifest)
            if self._shelf.manifest(reference) != cut.manifest:
                raise IntegrityError(
                    f"expected {digest} under {reference}, read other bytes back", "somebody else pushes there: see who"
                )
        self._progress(f"{tag} is {digest}")
        return digest

    def resolve(self, tag: str) -> Digest:
        """The digest of the manifest that ``tag`` names, hashed here; InvalidInput when there is no such tag."""
        content = self._shelf.manifest(checked_tag(tag))
        if content is None:
            raise InvalidInput(f"{self._repository} has no tag {tag}", "push it first")
        return digest_of(content)

    def tags(self) -> tuple[str, ...]:
        """All tags of the repository, sorted; none when the registry does not know it."""
        return self._shelf.tags()

    def attach(self, subject: Digest, attachments: Sequence[Attachment]) -> tuple[Digest, ...]:
        """Attach files to the image ``subject``, which must be there; their manifests' digests, in order.

        Each stands under a tag of its own that follows from its bytes: others who attach at the same time write
        other tags or the same bytes, so nothing is lost, and garbage collection keeps it. The index and cosign's
        tags are written after and computed from all of them (see ``lens_core.supply.oci``); whoever writes these
        lists the tags again and starts over when one is new. So the last write has seen every tag.
        """
        target = self._subject(subject)
        self._upload.send(Blob.of(CONFIG, EMPTY_CONFIG, "empty config"))
        done = []
        for each in attachments:
            referrer = Referrer.of(each)
            manifest = referrer.manifest(target)
            self._upload.send(Blob.of(each.media_type, each.content, each.name))
            self._shelf.put(referrer.tag(target), MANIFEST, manifest)
            done.append(digest_of(manifest))
        self._index.write(target)
        return tuple(done)

    def attachments(self, subject: Digest) -> tuple[Attachment, ...]:
        """What is attached to ``subject``, by name: each manifest and each file is hashed as it is read.

        IntegrityError names the tag whose manifest or file is damaged, gone, or of another candidate.
        """
        target = self._subject(subject)
        found = []
        for tag in sorted(self._index.tags(target)):
            referrer = self._index.referrer(target, tag)
            if referrer is None:
                raise IntegrityError(f"expected a manifest under {tag}, saw none", "attach it again")
            limit = max(LARGEST_REPLY, min(referrer.size_bytes, _LARGEST_ATTACHMENT))
            reply = self._http.ask("GET", f"{self._shelf.base}/blobs/{referrer.digest}", limit=limit)
            if reply.code != _OK or digest_of(reply.body) != referrer.digest:
                raise IntegrityError(
                    f"expected {referrer.blob} for {referrer.name} ({tag}), saw {_seen(reply)}", "attach it again"
                )
            found.append(Attachment(referrer.name, referrer.media_type, reply.body))
        return tuple(sorted(found, key=lambda each: (each.name, each.content)))

    def verify(self, layout: Path, tag: str | None, attachments: Sequence[Attachment]) -> tuple[Fault, ...]:
        """Hold the repository against the cut in ``layout`` and its ``attachments``; no fault means the same bytes.

        Every blob, manifest and attachment is read from the registry over HTTP and hashed, with the tags that
        name them; a tag or referrer of the image that the cut does not know is a fault as well. ``tag=None``
        asks for no tag of the image. Unavailable when the registry is lost: that is no answer.
        """
        cut = read_layout(layout)
        wanted: list[Wanted] = image(cut)
        if tag is not None:
            wanted.append(Wanted(f"tag {checked_tag(tag)}", f"manifests/{tag}", cut.descriptor))
        return compare(self._shelf, wanted, attached(cut.descriptor, attachments), self._progress)

    def _demand_free(self, tag: str, digest: Digest) -> None:
        held = self._shelf.manifest(checked_tag(tag))
        if held is not None and digest_of(held) != digest:
            raise Conflict(
                f"{tag} of {self._repository} is {digest_of(held)} already, expected none or {digest}",
                "one version is cut once: give the new bytes a new version",
                [f"tag {tag}"],
            )

    def _subject(self, subject: Digest) -> Descriptor:
        content = self._shelf.manifest(str(subject))
        if content is None:
            raise InvalidInput(f"{self._repository} has no image {subject} to attach to", "push the image first")
        if digest_of(content) != subject:
            raise IntegrityError(f"expected {subject}, saw {digest_of(content)}", "the registry's storage is damaged")
        try:
            image_blobs(content)
        except ValueError as error:
            raise InvalidInput(f"{subject} is no image: {error}", "attach to an image's manifest") from error
        return Descriptor.of(MANIFEST, content)


def _seen(reply: Reply) -> str:
    return str(digest_of(reply.body)) if reply.code == _OK else str(reply)
