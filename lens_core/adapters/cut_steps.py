"""The steps of a cut: each joins one technology to the files that it leaves in the cut."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lens_core.adapters.coverage_record import CoverageKeeper
from lens_core.adapters.debian_base import made_by_hand
from lens_core.adapters.distributions import Distributions
from lens_core.adapters.docker_engine import DockerEngine
from lens_core.adapters.image_builder import ENGINE_LOCK, BuiltImage, ImageBuilder, ImageInputs
from lens_core.adapters.image_files import ImageFiles
from lens_core.adapters.image_smoke import smoke_run
from lens_core.adapters.locked_packages import read_locked
from lens_core.adapters.scanners import SourceScanner, list_source, scan_source
from lens_core.adapters.type_measure import measure_types
from lens_core.adapters.wheelhouse import Wheelhouses
from lens_core.cut_ports import CutJob, Made, Source
from lens_core.errors import InvalidInput, Unavailable
from lens_core.supply import canonical
from lens_core.supply.advisories import AdvisorySource, report_bytes
from lens_core.supply.base_lock import GENERATED, BaseLock
from lens_core.supply.candidate import BUILDS, COVERAGE, INPUTS, OWNERSHIP, SBOM, SMOKE, SOURCE, TYPES, VEX
from lens_core.supply.declared import base_declarations
from lens_core.supply.inventory import take_inventory
from lens_core.supply.ownership import attribute
from lens_core.supply.ownership_report import write_report
from lens_core.supply.sbom import Product, generate, generate_from_lock
from lens_core.supply.sbom_answers import components
from lens_core.supply.scanner_kinds import LINT
from lens_core.supply.source import write_source
from lens_core.supply.words import Progress

BASE_LOCK = "base.lock.json"


@dataclass(frozen=True, slots=True)
class DistributionsStep:
    """Wheel and sdist, built twice, and the list of the source."""

    source: Source
    name: str = "distributions"
    needs: tuple[str, ...] = ()
    basis: str = ""
    reproducible: bool = True

    def ready(self) -> None:
        """Nothing that is not here can be missing."""

    def make(self, job: CutJob, progress: Progress) -> Made:
        """See ``Step``."""
        progress("building wheel and sdist, twice")
        built = Distributions().build(self.source.archive(job.commit), job.commit.epoch, version=job.version.pep440)
        files = {f"dist/{one.filename}": one.content for one in built.distributions}
        files[BUILDS] = canonical.encode({"commit": job.commit.commit, "builds": built.record})
        files[SOURCE] = write_source(list_source(job.source))
        said = ", ".join(one.filename for one in built.distributions)
        return _written(job, files, f"{said}: built twice, the same bytes")


@dataclass(frozen=True, slots=True)
class ImageStep:
    """The engine's container image: built, normalised, run and asked."""

    builder: ImageBuilder
    engine: DockerEngine
    base: BaseLock | str | None
    name: str = "container"
    needs: tuple[str, ...] = ("distributions",)
    reproducible: bool = True

    @property
    def basis(self) -> str:
        """The base that was asked for."""
        return self.base if isinstance(self.base, str) else self.base.to_json().decode() if self.base else ""

    def ready(self) -> None:
        """Unavailable without an engine."""
        self.engine.version()

    def make(self, job: CutJob, progress: Progress) -> Made:
        """See ``Step``."""
        inputs = ImageInputs(_wheel(job), job.source, job.version.text, job.commit.commit, job.commit.epoch)
        built = self.builder.build(inputs, job.folder / "image", progress, base=self.base)
        progress("running the image and asking it")
        files = {SMOKE: smoke_run(self.engine, built.layout, progress), INPUTS: _inputs(built)}
        if built.base.lock is not None:
            files[BASE_LOCK] = built.base.lock.to_json()
        size = sum(file.stat().st_size for file in (built.layout / "blobs" / "sha256").iterdir())
        made = _written(job, files, f"{built.manifest_digest}, {size / 1e6:.0f} MB, ran and answered")
        return Made((*made.names, "image"), made.said)


@dataclass(frozen=True, slots=True)
class SbomStep:
    """The list of everything in the image, and the owner of every file; without an image, of what is locked."""

    cache: Path
    name: str = "sbom"
    needs: tuple[str, ...] = ("distributions", "container")
    basis: str = ""
    reproducible: bool = True

    def ready(self) -> None:
        """Nothing that is not here can be missing."""

    def make(self, job: CutJob, progress: Progress) -> Made:
        """See ``Step``."""
        product = Product("lens-engine", job.version.text, job.commit.epoch)
        lock = _text(job.source / ENGINE_LOCK)
        layout = job.folder / "image"
        if not layout.is_dir():
            content = generate_from_lock(lock, product, hashlib.sha256(_wheel(job).read_bytes()).hexdigest())
            return _written(
                job, {SBOM: content}, f"{len(components(content))} locked packages; no image was looked into"
            )
        progress("reading the image's files")
        rootfs = ImageFiles(layout, progress=progress).rootfs()
        inventory = take_inventory(rootfs)
        progress("finding the owner of every file")
        house = Wheelhouses(self.cache).get(lock, progress)
        base = BaseLock.parse((job.folder / BASE_LOCK).read_bytes()) if (job.folder / BASE_LOCK).is_file() else None
        debs = [self.cache / "debs" / f"{package.sha256}.deb" for package in base.packages] if base else []
        locked = read_locked([*(house.folder / w.filename for w in house.wheels), _wheel(job)], debs)
        declared = base_declarations(GENERATED, made_by_hand(self.cache, base)) if base else ()
        ownership = attribute(rootfs, inventory, declared, locked)
        content = generate(inventory, ownership, product, locked)
        nobodys = len(ownership.findings)
        said = f"{len(components(content))} packages, {len(ownership.files)} files, {nobodys} findings"
        return _written(job, {SBOM: content, OWNERSHIP: write_report(ownership)}, said)


@dataclass(frozen=True, slots=True)
class ScanStep:
    """What advisory sources know of everything in the SBOM, and the waivers in force."""

    sources: Sequence[AdvisorySource]
    waivers: Path
    today: Callable[[], datetime]
    name: str = "scan"
    needs: tuple[str, ...] = ("sbom",)
    reproducible: bool = False

    @property
    def basis(self) -> str:
        """Yesterday's answers are not today's."""
        return f"{self.today():%Y-%m-%d}; {', '.join(source.name for source in self.sources)}"

    def ready(self) -> None:
        """A source out of reach is an answer, no reason not to begin."""

    def make(self, job: CutJob, progress: Progress) -> Made:
        """See ``Step``."""
        listed = components((job.folder / SBOM).read_bytes())
        files = {VEX: self.waivers.read_bytes()} if self.waivers.is_file() else {}
        found = 0
        for source in self.sources:
            progress(f"asking {source.name} about {len(listed)} packages")
            report = source.ask(listed)
            found += len(report.vulnerabilities)
            files[f"scan/{source.name}.json"] = report_bytes(report)
        names = ", ".join(source.name for source in self.sources) or "no source"
        return _written(job, files, f"{names}: {found} known vulnerabilities in {len(listed)} packages")


@dataclass(frozen=True, slots=True)
class SastStep:
    """The scanners of source code, over the commit's files."""

    scanners: Sequence[SourceScanner]
    name: str = "sast"
    needs: tuple[str, ...] = ()
    basis: str = ""
    reproducible: bool = False

    def ready(self) -> None:
        """A scanner that is missing is an answer, no reason not to begin."""

    def make(self, job: CutJob, progress: Progress) -> Made:
        """See ``Step``."""
        found = scan_source(job.source, self.scanners, progress)
        files = {f"sast/{name}.json": one.record for name, one in found.items()}
        files |= {f"sast/{name}.sarif": one.sarif for name, one in found.items()}
        return _written(job, files, ", ".join(sorted(found)))


@dataclass(frozen=True, slots=True)
class QualityStep:
    """Lint and type coverage, measured now; line coverage as the tests of this very tree left it."""

    coverage: CoverageKeeper
    name: str = "quality"
    needs: tuple[str, ...] = ()
    basis: str = ""
    reproducible: bool = False

    def ready(self) -> None:
        """What cannot be measured is an answer, no reason not to begin."""

    def make(self, job: CutJob, progress: Progress) -> Made:
        """See ``Step``."""
        [lint] = scan_source(job.source, (SourceScanner(LINT),), progress).values()
        files = {f"quality/{LINT}.json": lint.record, f"quality/{LINT}.sarif": lint.sarif}
        covered = self.coverage.find(job.commit.tree)
        if covered is not None:
            files[COVERAGE] = covered
        files[TYPES] = measure_types(job.source, progress)
        return _written(job, files, "lint, types" + (", lines" if covered is not None else "; no tests of this tree"))


def _wheel(job: CutJob) -> Path:
    [wheel] = (job.folder / "dist").glob("*.whl")
    return wheel


def _inputs(built: BuiltImage) -> bytes:
    """What the image was put together from, as materials of the provenance, and with which tools."""
    materials = [
        {"uri": f"pkg:pypi/{w.name}@{w.version}", "name": w.filename, "sha256": w.sha256} for w in built.wheels
    ]
    base = {"uri": "urn:lens:base-image", "name": built.base.reference, "sha256": built.base.digest.hex}
    debs = built.base.lock.packages if built.base.lock else ()
    materials += [base, *({"uri": deb.purl, "name": deb.name, "sha256": deb.sha256} for deb in debs)]
    materials += [{"uri": f"urn:lens:context:{path}", "name": path, "sha256": sha256} for path, sha256 in built.context]
    document = {"materials": materials, "engine": built.engine_version, "compressor": built.compressor}
    return canonical.encode(document)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the commit has no readable {file.name}: {error}", f"commit {file.name}") from error


def _written(job: CutJob, files: Mapping[str, bytes], said: str) -> Made:
    for name, content in files.items():
        place = job.folder / name
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        except OSError as error:
            raise Unavailable(f"{place} cannot be written: {error.strerror}", "free some space there") from error
    return Made(tuple(files), said)
