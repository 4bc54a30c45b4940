"""Makes the engine's image: base, wheelhouse, build in a container engine, normalisation, OCI layout.

Everything that is fetched or assembled is kept below ``cache``, so a cut that was broken off goes on where it was.
The layout appears in its folder whole or not at all.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lens_core.adapters.debian_base import DebianBase
from lens_core.adapters.docker_engine import DockerEngine, EngineImage
from lens_core.adapters.oci_layout import normalise, read_layout, write_layout
from lens_core.adapters.wheelhouse import Wheelhouse, Wheelhouses
from lens_core.errors import IntegrityError, InvalidInput, Unavailable
from lens_core.model import Digest
from lens_core.supply.base_lock import BaseLock
from lens_core.supply.image import COMPRESSOR, Origin
from lens_core.supply.wheel_lock import Wheel, read_wheel, with_wheel
from lens_core.supply.words import Progress

ENGINE_LOCK = "requirements-engine.lock"
"""What the image holds beside Lens, with hashes; in the root of the project."""
INSTALLER_LOCK = "requirements-image-installer.lock"
"""The pip that installs it, with its hash; it runs in the build stage only."""

ARCHITECTURE = "amd64"
"""What the wheels of ``ENGINE_LOCK`` are made for, in Debian's words."""


@dataclass(frozen=True, slots=True)
class ImageInputs:
    """What an image is made of: the wheel that is released, and the folder with the commit's files.

    ``source`` holds ``Dockerfile`` and the two locks; ``epoch`` is the commit's time (Unix seconds).
    """

    wheel: Path
    source: Path
    version: str
    commit: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Base:
    """What the image stands on: the engine's image of it, its digest and name, and its lock when it is our own."""

    image: EngineImage
    digest: Digest
    reference: str
    lock: BaseLock | None


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image as it was written: names, what it is made of (for the provenance), and where the layout lies.

    ``context`` are the files that the build could see, by path, with their SHA-256 in hex.
    """

    manifest_digest: Digest
    image_id: Digest
    base: Base
    wheels: tuple[Wheel, ...]
    context: tuple[tuple[str, str], ...]
    engine_version: str
    compressor: str
    layout: Path


class ImageBuilder:
    """Builds images with ``engine``; ``cache`` is a folder of its own."""

    def __init__(self, cache: Path, engine: DockerEngine, debian: DebianBase) -> None:
        self._cache = cache
        self._engine = engine
        self._debian = debian
        self._wheelhouses = Wheelhouses(cache)

    def build(
        self, inputs: ImageInputs, out: Path, progress: Progress, *, base: BaseLock | str | None = None
    ) -> BuiltImage:
        """Make the image of ``inputs`` and write its layout to ``out``, replacing what an earlier try left there.

        ``base`` is the reference of an image that the engine can pull, or the lock of an earlier base of Debian
        packages; None takes today's packages. Unavailable for an engine or a source that does not answer,
        IntegrityError for bytes that are not what was signed or locked.
        """
        version = self._engine.version()  # first: no work is done for an engine that is not there
        recipe = {name: _text(inputs.source / name) for name in ("Dockerfile", ENGINE_LOCK, INSTALLER_LOCK)}
        standing = self._base(base, progress)
        houses = [self._wheelhouses.get(recipe[name], progress) for name in (ENGINE_LOCK, INSTALLER_LOCK)]
        self._cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".image-", dir=self._cache) as scratch:
            context, saved, fresh = (Path(scratch) / name for name in ("context", "saved.tar", "layout"))
            wheels, files = _make_context(context, inputs.wheel, recipe, houses[0], houses[1])
            arguments = {"VERSION": inputs.version, "REVISION": inputs.commit}
            built = self._engine.build(context, standing.image, arguments, progress)
            try:
                progress("normalising the image")
                self._engine.save(built.image_id, saved)
            finally:
                self._engine.remove(built.image_id)
            origin = Origin(inputs.version, inputs.commit, str(standing.digest), inputs.epoch)
            image, index = normalise(saved, standing.image.layers, origin, self._cache)
            write_layout(image, index, fresh)
            _replace(fresh, out)
        return BuiltImage(image.digest, image.image_id, standing, wheels, files, version, COMPRESSOR, out)

    def _base(self, base: BaseLock | str | None, progress: Progress) -> Base:
        if isinstance(base, str):
            progress(f"pulling {base}")
            pulled = self._engine.pull(base)
            named = pulled.repo_digest.partition("@")[2]
            return Base(pulled, Digest(named or pulled.image_id), base, None)
        assembled = self._debian.build(progress, base)
        foreign = sorted({item.architecture for item in assembled.packages} - {"all", ARCHITECTURE})
        if foreign:
            raise Unavailable(
                f"the base's packages are for {', '.join(foreign)}, and the image's wheels for {ARCHITECTURE}",
                "cut on a machine of that architecture, or leave the image out: --no-container",
            )
        progress("importing the base")
        image = self._engine.import_base(assembled.tar, assembled.digest)
        return Base(image, assembled.digest, f"debian packages ({len(assembled.packages)})", assembled.lock)


def _make_context(
    folder: Path, built: Path, recipe: Mapping[str, str], engine: Wheelhouse, installer: Wheelhouse
) -> tuple[tuple[Wheel, ...], tuple[tuple[str, str], ...]]:
    """Lay out what the build may see: this, and nothing else. The wheels that go in, and the files by SHA-256."""
    house = folder / "wheelhouse"
    house.mkdir(parents=True)
    content = built.read_bytes()
    own = read_wheel(built.name, hashlib.sha256(content).hexdigest(), len(content))
    if len(installer.wheels) != 1 or installer.wheels[0].name != "pip":
        raise InvalidInput(f"expected one wheel of pip in {INSTALLER_LOCK}", "write it with: make lock")
    (house / built.name).write_bytes(content)
    for wheel in engine.wheels:
        _place(engine.folder / wheel.filename, house / wheel.filename)
    _place(installer.folder / installer.wheels[0].filename, folder / "pip.whl")
    (folder / "image.lock").write_text(with_wheel(recipe[ENGINE_LOCK], own), encoding="utf-8")
    (folder / "Dockerfile").write_text(recipe["Dockerfile"], encoding="utf-8")
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    allowed = {
        "Dockerfile",
        "image.lock",
        "pip.whl",
        *(f"wheelhouse/{wheel.filename}" for wheel in (own, *engine.wheels)),
    }
    if files.keys() != allowed:
        raise IntegrityError(f"the build's context holds {sorted(files.keys() ^ allowed)}", "let nothing write there")
    sums = tuple((path, hashlib.sha256(file.read_bytes()).hexdigest()) for path, file in sorted(files.items()))
    return tuple(sorted((own, *engine.wheels))), sums


def _place(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)


def _replace(fresh: Path, out: Path) -> None:
    read_layout(fresh)  # what stands there is what was meant
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out, ignore_errors=True)
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(fresh, part)
    part.replace(out)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the commit has no readable {path.name} ({error})", f"commit {path.name}") from error
