"""A cut in a registry: its image under the version's tag, and every other file of the cut attached to it."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from lens_core.adapters.cut_folder import CutFolder
from lens_core.adapters.registry import Registry
from lens_core.adapters.registry_http import Credentials
from lens_core.supply.oci import Attachment
from lens_core.supply.statement import PROVENANCE
from lens_core.supply.tree import evidence_of
from lens_core.supply.words import Fault, Progress

_MEDIA_TYPES = {
    ".sarif": "application/sarif+json",
    ".json": "application/json",
    ".sh": "text/x-shellscript",
    ".sig": "application/octet-stream",
    "": "text/plain",
}


class CutRegistry:
    """Keeps the ``Registry`` port of ``cut_ports`` on a registry's repository."""

    def __init__(self, url: str, repository: str, timeout_s: float, credentials: Credentials | None) -> None:
        self._arguments = (url, repository)
        self._timeout_s = timeout_s
        self._credentials = credentials

    def ready(self) -> None:
        """Unavailable when the registry does not answer."""
        with self._open(lambda _line: None) as registry:
            registry.tags()

    def push(self, cut: Path, version: str, progress: Progress) -> str:
        """See ``Registry``."""
        with self._open(progress) as registry:
            digest = registry.push(cut / "image", version)
            registry.attach(digest, attachments_of(cut))
            return registry.reference(digest)

    def verify(self, cut: Path, version: str) -> Sequence[Fault]:
        """See ``Registry``."""
        with self._open(lambda _line: None) as registry:
            return registry.verify(cut / "image", version, attachments_of(cut))

    def _open(self, progress: Progress) -> Registry:
        url, repository = self._arguments
        return Registry(url, repository, timeout_s=self._timeout_s, progress=progress, credentials=self._credentials)


def attachments_of(cut: Path) -> tuple[Attachment, ...]:
    """Everything of a cut that is neither built nor part of the image, seal included."""
    evidence = evidence_of(CutFolder(cut))
    return tuple(
        Attachment(name, _media_type(name), content)
        for name, content in sorted(evidence.items())
        if not name.startswith("image/")
    )


def _media_type(name: str) -> str:
    if name.endswith(".cdx.json"):
        return "application/vnd.cyclonedx+json"
    if name == PROVENANCE:
        return "application/vnd.dsse.envelope.v1+json"
    return _MEDIA_TYPES[PurePosixPath(name).suffix]
