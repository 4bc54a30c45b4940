"""Where finished cuts stand: a folder for each version below the home folder."""

from collections.abc import Mapping
from pathlib import Path

from lens_core.adapters.cut_folder import CutFolder
from lens_core.adapters.wheel_builder import keep_wheel
from lens_core.model import Release
from lens_core.releases import Releases
from lens_core.supply import sealed, smoke
from lens_core.supply.manifest import Entry
from lens_core.supply.words import Fault


class FolderCuts:
    """Keeps the ``CutStore`` port. ``artifacts`` is where nights take wheels from."""

    def __init__(self, folder: Path, releases: Releases, artifacts: Path) -> None:
        self._folder = folder
        self._releases = releases
        self._artifacts = artifacts

    def folder(self, version: str) -> Path:
        """See ``CutStore``."""
        return self._folder / version

    def release(self, version: str) -> Release | None:
        """See ``CutStore``."""
        return self._releases.release(version)

    def faults(self, folder: Path, keys: Mapping[str, bytes] | None = None) -> tuple[Fault, ...]:
        """See ``CutStore``."""
        return sealed.verify(CutFolder(folder), self.trusted() if keys is None else keys).faults

    def trusted(self) -> Mapping[str, bytes]:
        """See ``CutStore``."""
        return self._releases.trusted()

    def entries(self, version: str) -> tuple[Entry, ...]:
        """See ``CutStore``."""
        return self._releases.manifest(version).entries

    def may_push(self, version: str) -> bool:
        """See ``CutStore``."""
        said = {answer.gate: answer.verdict for answer in self._releases.answers(version)}
        return all(gate in said and said[gate].advances for gate in smoke.GATES)

    def keep_wheel(self, version: str) -> None:
        """See ``CutStore``."""
        [wheel] = (self.folder(version) / "dist").glob("*.whl")
        keep_wheel(self._artifacts, wheel.name, wheel.read_bytes())
