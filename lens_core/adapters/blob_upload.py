"""Sending one blob to a registry: only when it is not there, hashed as it leaves, going on after a cut.

Distribution specification 1.1, "Pushing a blob in chunks". A blob up to one chunk goes in one request.
"""

import hashlib
import io
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from lens_core.adapters.registry_http import RegistryHttp, Reply
from lens_core.errors import IntegrityError, LensError, Unavailable
from lens_core.supply.oci import Descriptor
from lens_core.supply.words import Progress

CHUNK_BYTES = 4 << 20
_TRIES = 4
_OCTETS = {"Content-Type": "application/octet-stream"}
_FOUND, _CREATED, _ACCEPTED, _NO_CONTENT, _MISSING = 200, 201, 202, 204, 404


@dataclass(frozen=True, slots=True)
class Blob:
    """What to send: its descriptor, how to open it (each try reads it again), and its name for people."""

    descriptor: Descriptor
    open: Callable[[], BinaryIO]
    name: str

    @classmethod
    def of(cls, media_type: str, content: bytes, name: str) -> "Blob":
        """A blob that is held in memory."""
        return cls(Descriptor.of(media_type, content), lambda: io.BytesIO(content), name)


class BlobUpload:
    """Sends blobs to one repository; ``report`` hears of bytes sent."""

    def __init__(self, http: RegistryHttp, repository: str, report: Progress, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._http = http
        self._base = f"/v2/{repository}/blobs"
        self._report = report
        self._chunk_bytes = chunk_bytes

    def send(self, blob: Blob) -> None:
        """Until the registry has it. A cut connection is gone on from, four times, where the registry says.

        IntegrityError when the bytes are not those of the digest, here or there; Unavailable when the registry
        is lost. What another run began and did not finish is sent from its start: uploads have no name.
        """
        where = ""
        for attempt in range(_TRIES):
            try:
                if self._is_there(blob):
                    if not attempt:
                        self._report(f"{blob.name}: {_amount(blob.descriptor.size_bytes)} are there already")
                    return
                with blob.open() as stream:
                    where, offset = self._resumed(where) or self._begun()
                    where = self._send_from(blob, stream, where, offset)
            except _Cut as cut:
                where = cut.where
                if attempt == _TRIES - 1:
                    raise cut.error from cut
        raise Unavailable(
            f"{blob.name} ({blob.descriptor}) was sent {_TRIES} times and is not there", "look at its log"
        )

    def _is_there(self, blob: Blob) -> bool:
        reply = self._http.ask("HEAD", f"{self._base}/{blob.descriptor.digest}")
        if reply.code == _MISSING:
            return False
        expect(reply, _FOUND, f"to learn whether {blob.name} is there")
        seen = reply.headers.get("Content-Length", "")
        if seen != str(blob.descriptor.size_bytes):
            raise IntegrityError(
                f"expected {blob.descriptor} in the registry, saw {seen or 'no number of'} bytes under that digest",
                "its storage is damaged: delete that blob there, then push again",
            )
        return True

    def _begun(self) -> tuple[str, int]:
        reply = self._http.ask("POST", f"{self._base}/uploads/")
        expect(reply, _ACCEPTED, "to begin an upload")
        return self._http.location(reply), 0

    def _resumed(self, where: str) -> tuple[str, int] | None:
        """Where to go on and from which byte; None when the registry knows nothing of that upload any more."""
        if not where:
            return None
        reply = self._http.ask("GET", where)
        offset = _end(reply)
        if reply.code != _NO_CONTENT or offset is None:
            return None
        return self._http.location(reply), offset

    def _send_from(self, blob: Blob, stream: BinaryIO, where: str, offset: int) -> str:
        size, hasher = blob.descriptor.size_bytes, hashlib.sha256(stream.read(offset))
        while (chunk := stream.read(self._chunk_bytes)) and size > self._chunk_bytes:
            hasher.update(chunk)
            where = self._patch(where, offset, chunk)
            offset += len(chunk)
            self._report(f"{blob.name}: {_amount(offset)} of {_amount(size)} sent")
        hasher.update(chunk)
        if hasher.hexdigest() != blob.descriptor.digest.hex:
            with suppress(LensError):  # what matters is that it is never finished
                self._http.ask("DELETE", where, once=True)
            raise IntegrityError(
                f"expected {blob.descriptor}, saw sha256:{hasher.hexdigest()} while sending {blob.name}", "cut it again"
            )
        target = where + ("&" if "?" in where else "?") + f"digest={blob.descriptor.digest}"
        reply = self._once(where, "PUT", target, _OCTETS, chunk)
        if reply.code != _CREATED:
            raise _Cut("", _unexpected(reply, f"to finish {blob.name}"))
        if chunk:
            self._report(f"{blob.name}: {_amount(size)} sent")
        return ""

    def _patch(self, where: str, offset: int, chunk: bytes) -> str:
        headers = {**_OCTETS, "Content-Range": f"{offset}-{offset + len(chunk) - 1}"}
        reply = self._once(where, "PATCH", where, headers, chunk)
        if reply.code != _ACCEPTED or _end(reply) != offset + len(chunk):
            raise _Cut(where, _unexpected(reply, f"after byte {offset + len(chunk)}"))
        return self._http.location(reply)

    def _once(self, where: str, method: str, target: str, headers: dict[str, str], content: bytes) -> Reply:
        try:
            return self._http.ask(method, target, headers=headers, content=content, once=True)
        except Unavailable as error:
            raise _Cut(where, error) from error


class _Cut(Exception):
    """The upload at ``where`` was cut; ``error`` is what to say when it cannot be gone on with."""

    def __init__(self, where: str, error: Unavailable) -> None:
        super().__init__(error.message)
        self.where = where
        self.error = error


def expect(reply: Reply, code: int, purpose: str) -> None:
    """Unavailable when the registry's answer has another HTTP code than ``code``."""
    if reply.code != code:
        raise _unexpected(reply, f"HTTP {code} {purpose}")


def _unexpected(reply: Reply, expected: str) -> Unavailable:
    return Unavailable(f"the registry was asked {expected}, saw {reply}", "look at the registry's log, then push again")


def _end(reply: Reply) -> int | None:
    """How many bytes the registry has of an upload. ``0-0`` is said for none and for one: taken as none."""
    found = re.fullmatch(r"(?:bytes=)?0-(\d+)", reply.headers.get("Range", ""))
    if not found:
        return None
    return int(found[1]) + 1 if int(found[1]) else 0


def _amount(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size:,} bytes"  # noqa: PLR2004
