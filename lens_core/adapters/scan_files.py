"""Reports of advisory sources that were asked between nights: a folder for each look, named by their digest."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from lens_core.errors import IntegrityError, Unavailable
from lens_core.model import Digest
from lens_core.supply.advisories import digest_of_reports, read_report

_AGAIN = "ask again: lens check-signoff --rescan"


class ScanFiles:
    """Keeps the ``ScanStore`` port below ``folder``: ``<candidate's hex>/<digest's hex>/<source>.json``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, candidate: Digest, files: Mapping[str, bytes], digest: str) -> None:
        """See ``ScanStore``. The same reports again are there already."""
        place = self._place(candidate, digest)
        part = place.with_name(f".{place.name}.part")
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            for name, content in files.items():
                (part / name).write_bytes(content)
            if not place.exists():
                part.replace(place)
        except OSError as error:
            raise Unavailable(
                f"{place} cannot be written: {error.strerror}", "make room, or mend its rights"
            ) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def read(self, candidate: Digest, digest: str) -> Mapping[str, bytes]:
        """See ``ScanStore``: exactly the reports of that digest."""
        place = self._place(candidate, digest)
        try:
            files = {file.name: file.read_bytes() for file in sorted(place.glob("*.json"))}
        except OSError as error:
            raise IntegrityError(f"the reports in {place} cannot be read: {error.strerror}", _AGAIN) from error
        if not files:
            raise IntegrityError(f"expected reports of advisory sources in {place}, saw none", _AGAIN)
        seen = digest_of_reports([read_report(content) for content in files.values()])
        if seen != digest:
            raise IntegrityError(f"expected reports of digest {digest}, saw {seen}", _AGAIN)
        return files

    def _place(self, candidate: Digest, digest: str) -> Path:
        return self._folder / candidate.hex / digest.removeprefix("sha256:")
