"""A repository in an OCI registry: what was cut is pushed there, attached to, and held against the cut again.

Only bytes that were read back and hashed here count. A registry's word, a tag and a ``docker pull`` (which trusts
layers that it has already) do not.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

from lens_core.adapters.blob_upload import Blob, BlobUpload, expect
from lens_core.adapters.layout_reader import read_layout
from lens_core.adapters.registry_faults import Shelf, Wanted, attached, compare, image
from lens_core.adapters.registry_http import Credentials, RegistryHttp, Reply
from lens_core.errors import Conflict, IntegrityError, InvalidInput, Unavailable
from lens_core.model import Digest
from lens_core.supply.oci import (
    CONFIG,
    EMPTY_CONFIG,
    INDEX,
    MANIFEST,
    Attachment,
    Conveniences,
    Descriptor,
    Referrer,
    conveniences,
    digest_of,
    image_blobs,
    parse_json,
    subject_tag,
    truth_prefix,
)
from lens_core.supply.words import Fault, Progress

__all__ = ["Credentials", "Registry"]

_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_ACCEPT = {"Accept": f"{MANIFEST}, {INDEX}"}
_OK, _CREATED, _MISSING = 200, 201, 404
_PAGES = 1000
_ROUNDS = 200
_PATIENCE = 5
_LONGEST_REPOSITORY = 255


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
        if not _REPOSITORY.fullmatch(repository) or len(repository) > _LONGEST_REPOSITORY:
            raise InvalidInput(f"expected a repository such as team/lens, saw {repository!r:.300}", "mend its name")
        self._http = RegistryHttp(url, timeout_s=timeout_s, credentials=credentials, pause_s=pause_s)
        self._repository = repository
        self._progress = progress
        self._upload = BlobUpload(self._http, repository, progress)
        self._known: dict[str, Referrer] = {}  # what an index is made of; a tag follows from what it names, so it holds

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
            self._put(reference, MANIFEST, cut.manifest)
            if self._manifest(reference) != cut.manifest:
                raise IntegrityError(
                    f"expected {digest} under {reference}, read other bytes back", "somebody else pushes there: see who"
                )
        self._progress(f"{tag} is {digest}")
        return digest

    def resolve(self, tag: str) -> Digest:
        """The digest of the manifest that ``tag`` names, hashed here; InvalidInput when there is no such tag."""
        content = self._manifest(_checked(tag))
        if content is None:
            raise InvalidInput(f"{self._repository} has no tag {tag}", "push it first")
        return digest_of(content)

    def tags(self) -> tuple[str, ...]:
        """All tags of the repository, sorted; none when the registry does not know it."""
        found: set[str] = set()
        path = f"{self._base}/tags/list"
        for _ in range(_PAGES):
            reply = self._http.ask("GET", path)
            if reply.code == _MISSING:
                return ()
            expect(reply, _OK, "for the list of tags")
            found.update(_strings(reply))
            path = reply.next_page
            if not path:
                return tuple(sorted(found))
        raise IntegrityError(
            f"{self._repository} has more than {_PAGES} pages of tags", "this is no answer of a registry"
        )

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
            self._put(referrer.tag(target), MANIFEST, manifest)
            done.append(digest_of(manifest))
        self._write_conveniences(target)
        return tuple(done)

    def attachments(self, subject: Digest) -> tuple[Attachment, ...]:
        """What is attached to ``subject``, by name: each manifest and each file is hashed as it is read.

        IntegrityError names the tag whose manifest or file is damaged, gone, or of another candidate.
        """
        target = self._subject(subject)
        found = []
        for tag in sorted(self._truths(target)):
            referrer = self._referrer(target, tag)
            if referrer is None:
                raise IntegrityError(f"expected a manifest under {tag}, saw none", "attach it again")
            reply = self._http.ask("GET", f"{self._base}/blobs/{referrer.digest}")
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
        shelf = Shelf(self._http, self._base, self._progress, self.tags)
        wanted: list[Wanted] = image(cut)
        if tag is not None:
            wanted.append(Wanted(f"tag {_checked(tag)}", f"manifests/{tag}", cut.descriptor))
        return compare(shelf, cut.descriptor, wanted, attached(cut.descriptor, attachments))

    @property
    def _base(self) -> str:
        return f"/v2/{self._repository}"

    def _demand_free(self, tag: str, digest: Digest) -> None:
        held = self._manifest(_checked(tag))
        if held is not None and digest_of(held) != digest:
            raise Conflict(
                f"{tag} of {self._repository} is {digest_of(held)} already, expected none or {digest}",
                "one version is cut once: give the new bytes a new version",
                [f"tag {tag}"],
            )

    def _put(self, reference: str, media_type: str, content: bytes) -> None:
        path = f"{self._base}/manifests/{reference}"
        reply = self._http.ask("PUT", path, headers={"Content-Type": media_type}, content=content)
        expect(reply, _CREATED, f"to put the manifest {reference}")
        _demand_claim(reply, reference, digest_of(content))

    def _manifest(self, reference: str) -> bytes | None:
        """The manifest under a tag or digest, None when there is none; the header must not contradict its bytes."""
        reply = self._http.ask("GET", f"{self._base}/manifests/{reference}", headers=_ACCEPT)
        if reply.code == _MISSING:
            return None
        expect(reply, _OK, f"for the manifest {reference}")
        _demand_claim(reply, reference, digest_of(reply.body))
        return reply.body

    def _subject(self, subject: Digest) -> Descriptor:
        content = self._manifest(str(subject))
        if content is None:
            raise InvalidInput(f"{self._repository} has no image {subject} to attach to", "push the image first")
        if digest_of(content) != subject:
            raise IntegrityError(f"expected {subject}, saw {digest_of(content)}", "the registry's storage is damaged")
        try:
            image_blobs(content)
        except ValueError as error:
            raise InvalidInput(f"{subject} is no image: {error}", "attach to an image's manifest") from error
        return Descriptor.of(MANIFEST, content)

    def _truths(self, subject: Descriptor) -> frozenset[str]:
        return frozenset(tag for tag in self.tags() if tag.startswith(truth_prefix(subject.digest)))

    def _referrer(self, subject: Descriptor, tag: str) -> Referrer | None:
        """What stands under a tag that is listed; None when it is not written yet, or gone."""
        content = self._manifest(tag)
        if content is None:
            return None
        referrer = Referrer.parse(subject, content)
        if referrer.tag(subject) != tag:
            raise IntegrityError(
                f"expected under {tag} the attachment that it is named by, saw {referrer.name}", "remove that tag"
            )
        return referrer

    def _write_conveniences(self, subject: Descriptor) -> None:
        tags = self._truths(subject)
        for _ in range(_ROUNDS):
            for tag in tags - self._known.keys():
                if referrer := self._referrer(subject, tag):
                    self._known[tag] = referrer
            present = [self._known[tag] for tag in tags & self._known.keys()]
            foreign = list(self._foreign(subject, {digest_of(each.manifest(subject)) for each in present}))
            self._put_conveniences(conveniences(subject, present, foreign))
            before, tags = tags, self._truths(subject)
            if tags == before:
                return
        raise Unavailable(
            f"others attached to {subject.digest} all the while: the attachments are there, their index is not",
            "attach again when they are done",
        )

    def _put_conveniences(self, made: Conveniences) -> None:
        for blob in made.blobs:
            self._upload.send(Blob.of(CONFIG, blob, "cosign config"))
        for tag, content in made.manifests.items():
            if self._standing(tag) != content:
                self._put(tag, Conveniences.media_type(tag), content)

    def _standing(self, tag: str) -> bytes | None:
        """A convenience as it stands, None when there is none or when it stays unreadable: then it is written anew.

        docker-registry says HTTP 500 while another writes that very tag, because it empties the link first.
        """
        for _ in range(_PATIENCE):
            try:
                return self._manifest(tag)
            except Unavailable:
                if not self._http.answers():
                    raise
        return None

    def _foreign(self, subject: Descriptor, own: set[Digest]) -> Iterator[Mapping[str, Any]]:
        """What other tools wrote into the index, if it is there and really points at ``subject``."""
        index = self._standing(subject_tag(subject.digest))
        try:
            entries = parse_json(index)["manifests"] if index else []
            described = [(entry, Descriptor.parse(entry)) for entry in entries]
        except (ValueError, KeyError, TypeError):
            return  # no index of ours or of anybody's: it is written anew
        for entry, descriptor in described:
            if descriptor.digest not in own and self._points_at(descriptor, subject):
                yield entry

    def _points_at(self, referrer: Descriptor, subject: Descriptor) -> bool:
        content = self._manifest(str(referrer.digest))
        try:
            return content is not None and Descriptor.parse(parse_json(content)["subject"]).digest == subject.digest
        except (ValueError, KeyError, TypeError):
            return False


def _checked(tag: str) -> str:
    if not _TAG.fullmatch(tag):
        raise InvalidInput(f"expected a tag such as 1.0.0-rc.1, saw {tag!r:.150}", "letters, digits, dots, dashes")
    return tag


def _strings(reply: Reply) -> list[str]:
    try:
        names = parse_json(reply.body)["tags"]
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"expected a list of tags, saw {reply.body[:200]!r}", "see the registry's address"
        ) from error
    return [name for name in names or [] if isinstance(name, str) and _TAG.fullmatch(name)]


def _demand_claim(reply: Reply, reference: str, seen: Digest) -> None:
    if reply.claimed and reply.claimed != str(seen):
        raise IntegrityError(
            f"{reference}: the registry says {reply.claimed}, its bytes are {seen}", "the registry is damaged or lies"
        )


def _seen(reply: Reply) -> str:
    return str(digest_of(reply.body)) if reply.code == _OK else str(reply)
