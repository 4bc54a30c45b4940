"""Evidence of a cut that passes every gate: small, made by the code that writes real evidence, of a real git commit.

Only the tools are absent: what a scanner, a coverage run or a container would have said is said here for them.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from advisory_records import CRITICAL, record, write_lines

from lens_core.adapters.advisories_osv_dir import OsvDirectory
from lens_core.cut_ports import CutJob, Made
from lens_core.supply import canonical
from lens_core.supply.advisories import report_bytes
from lens_core.supply.candidate import BUILDS, COVERAGE, INPUTS, LINT, OWNERSHIP, SAST, SBOM, SCAN, SMOKE, SOURCE, TYPES
from lens_core.supply.line_coverage import FileLines, write_coverage
from lens_core.supply.ownership import Declared, Owned, Ownership
from lens_core.supply.ownership_report import write_report
from lens_core.supply.packages import Distro, Inventory, Package
from lens_core.supply.sarif import Report, Sighting, write_sarif
from lens_core.supply.sbom import Product, generate
from lens_core.supply.sbom_answers import components
from lens_core.supply.scan_record import Record, write_record
from lens_core.supply.scanner_kinds import BANDIT, CANARIES
from lens_core.supply.scanner_kinds import LINT as LINTER
from lens_core.supply.smoke import CORPUS, FORMAT, QUESTIONS
from lens_core.supply.source import digest_of, write_source
from lens_core.supply.type_coverage import CANARY_ANYS, CANARY_ERROR, FileTypes, TypeRun, write_types
from lens_core.supply.words import Progress, Severity
from study.cuts import Shape, image_digest_of, image_of

DEB = "pkg:deb/debian/libssl3@3.0?arch=amd64&distro=debian-12&upstream=openssl"
PYPI = "pkg:pypi/flask@3.0.0"
PACKAGES = (
    Package(DEB, "deb", "libssl3", "3.0", "openssl", "3.0", "amd64", "debian-12", ("OpenSSL",)),
    Package(PYPI, "pypi", "flask", "3.0.0", licence_expression="BSD-3-Clause", root="opt"),
)
_OWN = "/tmp"  # noqa: S108  (a mount of the container's own)


def write_advisories(place: Path, moment: datetime, *more: Mapping[str, object]) -> Path:
    """A file of OSV records, as old as ``moment``: it knows the canaries of PyPI and Debian, and ``more``."""
    known = [
        record("PYSEC-1", "jinja2", versions=("2.10",), severity=[CRITICAL]),
        record("DSA-1", "expat", ecosystem="Debian:12", events=(("introduced", "0"), ("fixed", "2.5"))),
        *more,
    ]
    stamp = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    place.parent.mkdir(parents=True, exist_ok=True)
    return write_lines(place, [{**one, "modified": stamp} for one in known])


def advisory(name: str, *, severity: str = "", package: str = "flask", version: str = "3.0.0") -> dict[str, object]:
    """An OSV record of a vulnerability of the candidate's flask; critical unless a CVSS vector is given."""
    rated = {"type": "CVSS_V3", "score": severity} if severity else CRITICAL
    return record(name, package, versions=(version,), severity=[rated])


@dataclass(frozen=True)
class GoodStep:
    """Writes what ``files`` gives, by name."""

    name: str
    files: Callable[[CutJob], Mapping[str, bytes]]
    needs: tuple[str, ...] = ()
    basis: str = ""
    reproducible: bool = True

    def ready(self) -> None:
        """Always."""

    def make(self, job: CutJob, progress: Progress) -> Made:
        """Write them."""
        made = self.files(job)
        for name, content in made.items():
            place = job.folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        return Made(tuple(made), f"{len(made)} files")


def good_steps(advisories: Path, waivers: Path | None = None) -> Sequence[GoodStep]:
    """The steps of a whole cut; ``advisories`` is a file of OSV records that is really asked."""
    return (
        GoodStep("distributions", _distributions),
        GoodStep("quality", _quality, reproducible=False),
        GoodStep("image", _image),
        GoodStep("sast", lambda job: _scanned(BANDIT, "bandit", f"{SAST}{BANDIT}", _source(job)), reproducible=False),
        GoodStep("sbom", _sbom, ("image",)),
        GoodStep("scan", lambda job: _scan(job, advisories, waivers), ("sbom",), reproducible=False),
    )


def _source(job: CutJob) -> dict[str, str]:
    files = sorted(path for path in job.source.rglob("*") if path.is_file())
    return {path.relative_to(job.source).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _distributions(job: CutJob) -> Mapping[str, bytes]:
    wheel = f"wheel of {job.version.text} at {job.commit.commit}".encode()
    built = {f"lens-{job.version.pep440}-py3-none-any.whl": wheel, f"lens-{job.version.pep440}.tar.gz": wheel[::-1]}
    files = {name: hashlib.sha256(content).hexdigest() for name, content in built.items()}
    builds = [{"circumstances": {"folder": folder}, "files": files} for folder in ("a", "b")]
    return {
        **{f"dist/{name}": content for name, content in built.items()},
        BUILDS: canonical.encode({"commit": job.commit.commit, "builds": builds}),
        SOURCE: write_source(_source(job)),
    }


def _quality(job: CutJob) -> Mapping[str, bytes]:
    source = _source(job)
    python = {path: digest for path, digest in source.items() if path.startswith("lens_core/")}
    every = frozenset(range(1, 11))
    lines = {path: FileLines(digest, every, every, frozenset()) for path, digest in python.items()}
    types = {path: FileTypes(digest, 100, 1, 40, 0, 0, 0) for path, digest in python.items()}
    return {
        COVERAGE: write_coverage(lines, source, "7.17"),
        TYPES: write_types(TypeRun("2.4.1", "", (CANARY_ERROR,), CANARY_ANYS, types)),
        **_scanned(LINTER, "ruff", LINT, source),
    }


def _scanned(scanner: str, tool: str, stem: str, source: Mapping[str, str]) -> Mapping[str, bytes]:
    """The evidence of a scanner that read everything and found its canary alone."""
    canary = CANARIES[scanner]
    rules = tuple(sorted({rule for rule, _ in canary.expected}))
    seeded = tuple(Sighting(True, canary.path, line, rule, Severity.HIGH, "seen") for rule, line in canary.expected)  # noqa: FBT003
    sarif = write_sarif(Report(tool, "1.9.4", rules, seeded))
    record_of = Record(
        scanner=scanner,
        applicable=True,
        version="1.9.4",
        options=("-q",),
        code=1,
        error="",
        rules=rules,
        files={path: digest for path, digest in source.items() if path.endswith(".py")},
        unread={},
        canary_expected=canary.expected,
        canary_found=tuple(sorted(canary.expected)),
        sarif=digest_of(sarif),
    )
    return {f"{stem}.json": write_record(record_of), f"{stem}.sarif": sarif}


def _image(job: CutJob) -> Mapping[str, bytes]:
    layout = image_of(Shape(job.version.text))
    smoke = {
        "format": FORMAT,
        "image": {"manifest": f"sha256:{image_digest_of(layout)}", "config": "sha256:2", "loaded": "sha256:2"},
        "layers": {"files": 3000, "shells": [], "privileged": []},
        "indexed": {"exit_code": 0, "file_count": len(CORPUS)},
        "answers": [{"q": question, "hits": [path, "other"]} for question, path in QUESTIONS.items()],
        "health": {"status": "ok", "index_ready": True},
        "engine": {"health": "healthy", "user": "65532:65532", "read_only": True, "network": "none"},
        "inside": {
            "uid": 65532, "gid": 65532, "files": 3000, "shells": [], "privileged": [], "writable": [_OWN],
            "capabilities": "0000000000000000", "no_new_privileges": True,
        },
    }  # fmt: skip
    return {**layout, INPUTS: canonical.encode({"materials": []}), SMOKE: json.dumps(smoke).encode()}


def _sbom(job: CutJob) -> Mapping[str, bytes]:
    image = f"sha256:{image_digest_of(image_of(Shape(job.version.text)))}"
    files = (
        Owned("opt/flask.py", "0" * 64, 1, PYPI),
        Owned("usr/lib/libssl.so.3", "1" * 64, 1, DEB),
        Owned("etc/passwd", "2" * 64, 2, "declared:etc/passwd"),
    )
    declared = (Declared("etc/passwd", "the users", generated_by="the build"),)
    owned = Ownership(image, files, (), tuple(one.purl for one in PACKAGES), declared, {"pypi": 1}, 3, 2)
    inventory = Inventory(PACKAGES, Distro("debian", "12", "Debian 12"))
    listed = generate(inventory, owned, Product("lens", job.version.pep440, job.commit.epoch))
    return {SBOM: listed, OWNERSHIP: write_report(owned)}


def _scan(job: CutJob, advisories: Path, waivers: Path | None) -> Mapping[str, bytes]:
    listed = components((job.folder / SBOM).read_bytes())
    files = {f"{SCAN}osv-dir.json": report_bytes(OsvDirectory(advisories).ask(listed))}
    if waivers is not None and waivers.is_file():
        files[f"{SCAN}vex.cdx.json"] = waivers.read_bytes()
    return files


def hour_before(moment: datetime) -> datetime:
    """When advisories that are asked at ``moment`` were made."""
    return moment - timedelta(hours=1)
