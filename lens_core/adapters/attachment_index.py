"""The index of what is attached to an image: written from the attachments' own tags, by whoever comes last."""

from collections.abc import Iterator, Mapping
from typing import Any

from lens_core.adapters.blob_upload import Blob, BlobUpload
from lens_core.adapters.registry_shelf import Shelf
from lens_core.errors import IntegrityError, Unavailable
from lens_core.model import Digest
from lens_core.supply.oci import (
    CONFIG,
    Conveniences,
    Descriptor,
    Referrer,
    conveniences,
    digest_of,
    parse_json,
    subject_tag,
    truth_prefix,
)

_ROUNDS = 200
_PATIENCE = 5


class AttachmentIndex:
    """Reads the truth (each attachment's own tag) and writes the conveniences that follow from it.

    Distribution has no compare-and-swap: two who read, add and write one index lose an entry. Here nobody adds
    to what another wrote: each writes what the tags say, lists the tags again, and starts over when one is new.
    A tag is written before its owner's first list, so the last write of all has seen every tag.
    """

    def __init__(self, shelf: Shelf, upload: BlobUpload) -> None:
        self._shelf = shelf
        self._upload = upload
        self._known: dict[str, Referrer] = {}  # a tag follows from what it names, so this holds

    def tags(self, subject: Descriptor) -> frozenset[str]:
        """The tags of everything that is attached to ``subject``."""
        return frozenset(tag for tag in self._shelf.tags() if tag.startswith(truth_prefix(subject.digest)))

    def referrer(self, subject: Descriptor, tag: str) -> Referrer | None:
        """What stands under a tag that is listed; None when it is not written yet, or gone.

        IntegrityError when it is not the attachment to ``subject`` that the tag is named by.
        """
        content = self._shelf.manifest(tag)
        if content is None:
            return None
        referrer = Referrer.parse(subject, content)
        if referrer.tag(subject) != tag:
            raise IntegrityError(
                f"expected under {tag} the attachment that it is named by, saw {referrer.name}", "remove that tag"
            )
        return referrer

    def write(self, subject: Descriptor) -> None:
        """Write index and cosign's tags of all that is attached; Unavailable when others never stop attaching."""
        tags = self.tags(subject)
        for _ in range(_ROUNDS):
            for tag in tags - self._known.keys():
                if referrer := self.referrer(subject, tag):
                    self._known[tag] = referrer
            present = [self._known[tag] for tag in tags & self._known.keys()]
            foreign = list(self._foreign(subject, {digest_of(each.manifest(subject)) for each in present}))
            self._put(conveniences(subject, present, foreign))
            before, tags = tags, self.tags(subject)
            if tags == before:
                return
        raise Unavailable(
            f"others attached to {subject.digest} all the while: the attachments are there, their index is not",
            "attach again when they are done",
        )

    def _put(self, made: Conveniences) -> None:
        for blob in made.blobs:
            self._upload.send(Blob.of(CONFIG, blob, "cosign config"))
        for tag, content in made.manifests.items():
            if self._standing(tag) != content:
                self._shelf.put(tag, Conveniences.media_type(tag), content)

    def _standing(self, tag: str) -> bytes | None:
        """A convenience as it stands, None when there is none or when it stays unreadable: then it is written anew.

        docker-registry says HTTP 500 while another writes that very tag, because it empties the link first.
        """
        for _ in range(_PATIENCE):
            try:
                return self._shelf.manifest(tag)
            except Unavailable:
                if not self._shelf.http.answers():
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
        content = self._shelf.manifest(str(referrer.digest))
        try:
            return content is not None and Descriptor.parse(parse_json(content)["subject"]).digest == subject.digest
        except (ValueError, KeyError, TypeError):
            return False
