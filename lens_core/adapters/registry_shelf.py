"""The manifests and tags of one repository: put, got, listed, and hashed here each time."""

import re

from lens_core.adapters.blob_upload import expect
from lens_core.adapters.registry_http import RegistryHttp, Reply
from lens_core.errors import IntegrityError, InvalidInput
from lens_core.model import Digest
from lens_core.supply.oci import INDEX, MANIFEST, Descriptor, digest_of, parse_json

TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*")
_LONGEST_REPOSITORY = 255
_ACCEPT = {"Accept": f"{MANIFEST}, {INDEX}"}
_OK, _CREATED, _MISSING = 200, 201, 404
_NO_SUCH_API = frozenset({400, 404, 405})
_PAGES = 1000


class Shelf:
    """One repository, spoken to through ``http``. InvalidInput when ``repository`` is no name of one."""

    def __init__(self, http: RegistryHttp, repository: str) -> None:
        self.http = http
        self.base = f"/v2/{checked_repository(repository)}"

    def put(self, reference: str, media_type: str, content: bytes) -> None:
        """Put a manifest under a tag or its digest; the registry's header must not contradict its bytes."""
        path = f"{self.base}/manifests/{reference}"
        reply = self.http.ask("PUT", path, headers={"Content-Type": media_type}, content=content)
        expect(reply, _CREATED, f"to put the manifest {reference}")
        _demand_claim(reply, reference, digest_of(content))

    def manifest(self, reference: str) -> bytes | None:
        """The manifest under a tag or digest, None when there is none; the header must not contradict its bytes."""
        reply = self.http.ask("GET", f"{self.base}/manifests/{reference}", headers=_ACCEPT)
        if reply.code == _MISSING:
            return None
        expect(reply, _OK, f"for the manifest {reference}")
        _demand_claim(reply, reference, digest_of(reply.body))
        return reply.body

    def tags(self) -> tuple[str, ...]:
        """All tags of the repository, sorted; none when the registry does not know it."""
        found: set[str] = set()
        path = f"{self.base}/tags/list"
        for _ in range(_PAGES):
            reply = self.http.ask("GET", path)
            if reply.code == _MISSING:
                return ()
            expect(reply, _OK, "for the list of tags")
            found.update(_strings(reply))
            path = reply.next_page
            if not path:
                return tuple(sorted(found))
        raise IntegrityError(f"{self.base} has more than {_PAGES} pages of tags", "this is no answer of a registry")

    def referrers(self, subject: Digest) -> frozenset[Digest] | None:
        """What the referrers API lists for ``subject``; None when the registry has none (distribution 1.0)."""
        path, found = f"{self.base}/referrers/{subject}", set[Digest]()
        for _ in range(_PAGES):
            reply = self.http.ask("GET", path)
            if reply.code in _NO_SUCH_API:
                return None
            expect(reply, _OK, f"for what refers to {subject}")
            try:
                found.update(Descriptor.parse(entry).digest for entry in parse_json(reply.body)["manifests"])
            except (ValueError, KeyError, TypeError) as error:
                raise IntegrityError(
                    f"expected an index from {path}, saw {reply.body[:200]!r}", "this is no answer of a registry"
                ) from error
            path = reply.next_page
            if not path:
                return frozenset(found)
        raise IntegrityError(f"more than {_PAGES} pages of referrers", "this is no answer of a registry")


def checked_repository(repository: str) -> str:
    """``repository``; InvalidInput when the specification knows no such name: it becomes part of a path."""
    if not _REPOSITORY.fullmatch(repository) or len(repository) > _LONGEST_REPOSITORY:
        raise InvalidInput(f"expected a repository such as team/lens, saw {repository!r:.300}", "mend its name")
    return repository


def checked_tag(tag: str) -> str:
    """``tag``; InvalidInput when the specification knows no such tag: it becomes part of a path."""
    if not TAG.fullmatch(tag):
        raise InvalidInput(f"expected a tag such as 1.0.0-rc.1, saw {tag!r:.150}", "letters, digits, dots, dashes")
    return tag


def _strings(reply: Reply) -> list[str]:
    try:
        names = parse_json(reply.body)["tags"]
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"expected a list of tags, saw {reply.body[:200]!r}", "see the registry's address"
        ) from error
    return [name for name in names or [] if isinstance(name, str) and TAG.fullmatch(name)]


def _demand_claim(reply: Reply, reference: str, seen: Digest) -> None:
    if reply.claimed and reply.claimed != str(seen):
        raise IntegrityError(
            f"{reference}: the registry says {reply.claimed}, its bytes are {seen}", "the registry is damaged or lies"
        )
