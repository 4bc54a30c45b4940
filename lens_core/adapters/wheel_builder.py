"""The artifact of a night: the wheel built from the commit, twice, and compared bit for bit."""

import hashlib
import shutil
import zipfile
from io import BytesIO
from pathlib import Path

from lens_core.adapters.distributions import Distributions
from lens_core.adapters.git_source import GitSource
from lens_core.errors import IntegrityError, Unavailable
from lens_core.model import Candidate, Digest


class WheelBuilder:
    """Keeps the ``Builder`` port with git and hatchling.

    ``root`` is a folder inside the git repository, ``artifacts`` holds the wheels by digest.
    """

    def __init__(self, root: Path, artifacts: Path) -> None:
        self._source = GitSource(root)
        self._artifacts = artifacts

    def build(self) -> Candidate:
        """Build HEAD's wheel in two different folders; what is not committed is not in it."""
        commit = self._source.commit()
        dirty = bool(self._source.changes())
        built = Distributions().build(self._source.archive(commit), commit.epoch, targets=("wheel",))
        [wheel] = built.distributions
        digest = keep_wheel(self._artifacts, wheel.filename, wheel.content)
        return Candidate(wheel.filename.split("-")[1], digest, commit.commit, dirty)

    def unpack(self, candidate: Candidate) -> Path:
        """A fresh copy of the wheel's files; IntegrityError when the kept wheel is another one."""
        folder = self._artifacts / candidate.digest.hex
        wheel = next(iter(folder.glob("*.whl")), None)
        if wheel is None:
            raise Unavailable(f"the wheel {candidate.digest} is not in {folder}", "build it from its commit again")
        content = wheel.read_bytes()
        if _digest(content) != candidate.digest:
            raise IntegrityError(f"expected {candidate.digest}, saw {_digest(content)} in {wheel}", f"remove {wheel}")
        site = folder / "site"
        shutil.rmtree(site, ignore_errors=True)
        with zipfile.ZipFile(BytesIO(content)) as archive:  # our own build: names are what hatchling wrote
            archive.extractall(site)
        return site


def keep_wheel(artifacts: Path, filename: str, content: bytes) -> Digest:
    """Keep a wheel under its digest, from where ``unpack`` takes it."""
    digest = _digest(content)
    target = artifacts / digest.hex / filename
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    part.write_bytes(content)
    part.replace(target)
    return digest


def _digest(content: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(content).hexdigest())
