"""The artifact of a night: the wheel built from the commit, twice, and compared bit for bit."""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path

from lens_core.errors import IntegrityError, InvalidInput, Unavailable
from lens_core.model import Candidate, Digest


class WheelBuilder:
    """Keeps the ``Builder`` port with git and hatchling.

    ``root`` is a folder inside the git repository, ``artifacts`` holds the wheels by digest.
    """

    def __init__(self, root: Path, artifacts: Path) -> None:
        self._root = root
        self._artifacts = artifacts

    def build(self) -> Candidate:
        """Build HEAD's wheel in two different folders; what is not committed is not in it."""
        commit = self._git("rev-parse", "HEAD").decode().strip()
        dirty = bool(self._git("status", "--porcelain").strip())
        commit_time = self._git("show", "-s", "--format=%ct", "HEAD").decode().strip()
        archive = self._git("archive", "--format=tar", "HEAD")
        wheels = [self._build_once(archive, commit_time) for _ in range(2)]
        (name, first), (_, second) = wheels
        if first != second:
            raise IntegrityError(
                f"two builds of commit {commit[:12]} differ: {_digest(first)} and {_digest(second)}",
                "the build is not reproducible: compare the two with diffoscope",
            )
        digest = _digest(first)
        target = self._artifacts / digest.hex / name
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".part")
        part.write_bytes(first)
        part.replace(target)
        return Candidate(name.split("-")[1], digest, commit, dirty)

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
            archive.extractall(site)  # noqa: S202
        return site

    def _build_once(self, archive: bytes, commit_time: str) -> tuple[str, bytes]:
        environment = {**os.environ, "SOURCE_DATE_EPOCH": commit_time, "TZ": "UTC", "PYTHONHASHSEED": "0"}
        with tempfile.TemporaryDirectory(prefix="lens-build-") as folder:
            with tarfile.open(fileobj=BytesIO(archive)) as tar:  # git made it, of this very repository
                tar.extractall(folder, filter="data")
            command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", f"{folder}/out"]
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise Unavailable(f"the wheel could not be built: {done.stderr.strip()[-2000:]}", "mend the build")
            wheel = next(Path(folder, "out").glob("*.whl"))
            return wheel.name, wheel.read_bytes()

    def _git(self, *arguments: str) -> bytes:
        try:
            done = subprocess.run(["git", "-C", str(self._root), *arguments], capture_output=True, check=False)
        except FileNotFoundError as error:
            raise Unavailable("git is not installed", "install git") from error
        if done.returncode != 0:
            seen = done.stderr.decode(errors="replace").strip()
            raise InvalidInput(
                f"expected a git commit in {self._root}, git says: {seen}", "a night binds to a commit: make one"
            )
        return done.stdout


def _digest(content: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(content).hexdigest())
