"""A cut in a registry: its image under the version's tag, and every other file of the cut attached to it."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from lens_core.adapters.cut_folder import CutFolder
from lens_core.adapters.registry import Registry
from lens_core.adapters.registry_http import Credentials
from lens_core.errors import IntegrityError
from lens_core.supply.candidate import SBOM
from lens_core.supply.oci import CYCLONEDX, DSSE, Attachment
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
        attachments = attachments_of(cut)
        with self._open(progress) as registry:
            digest = registry.push(cut / "image", version)
            registry.attach(digest, attachments)
            progress("hashing in the registry what was pushed")
            faults = registry.verify(cut / "image", version, attachments)
            if faults:
                raise IntegrityError(
                    f"the registry does not hold what was pushed: {faults[0]}",
                    "delete what is damaged there, then run the cut again",
                )
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
    if name == SBOM:
        return CYCLONEDX
    if name == PROVENANCE:
        return DSSE
    return _MEDIA_TYPES[PurePosixPath(name).suffix]
