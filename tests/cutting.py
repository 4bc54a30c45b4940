"""A cut in a folder of its own: real workspace, seal, store and ledger; steps, source and registry that obey."""

import io
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fakes import FakeClock

from lens_core.adapters.cut_folder import CutFolder
from lens_core.adapters.cut_store import FolderCuts
from lens_core.adapters.cut_workspace import CutWorkspace
from lens_core.adapters.keys import PrivateKeySigner
from lens_core.adapters.lease import FileLease
from lens_core.adapters.sql_ledger import SqlLedger
from lens_core.cut import CutRequest, CutRun, CutWorld
from lens_core.cut_ports import Commit, CutJob, Made
from lens_core.errors import Unavailable
from lens_core.model import Release
from lens_core.releases import Releases
from lens_core.supply import canonical
from lens_core.supply.candidate import BUILDS, SOURCE, CutRules
from lens_core.supply.signatures import key_id
from lens_core.supply.source import write_source
from lens_core.supply.statement import LOCAL_BUILDER
from lens_core.supply.words import Fault, Progress, Severity

RULES = CutRules(0.9, 0.95, ("bandit",), Severity.MEDIUM, 7.0, ("migrations",))
LEFT_OUT = frozenset({"container", "sbom", "sast", "scan"})
VERSION = "1.0.0-rc.1"


@dataclass
class FakeSource:
    """A repository of one file."""

    text: str = "one"
    changed: tuple[str, ...] = ()

    def commit(self, ref: str = "HEAD") -> Commit:
        """A commit that its text decides about."""
        return Commit(sha256(self.text.encode()).hexdigest()[:40], sha256(b"tree").hexdigest()[:40], 1_700_000_000)

    def changes(self) -> tuple[str, ...]:
        """What was set."""
        return self.changed

    def archive(self, commit: Commit) -> bytes:
        """A tar archive of the file."""
        whole = io.BytesIO()
        with tarfile.open(fileobj=whole, mode="w") as tar:
            info = tarfile.TarInfo("a.txt")
            info.size = len(self.text)
            tar.addfile(info, io.BytesIO(self.text.encode()))
        return whole.getvalue()

    def person(self) -> str:
        """Somebody."""
        return "builder@example.invalid"


@dataclass
class FakeStep:
    """Writes files whose content is the source's; fails, or leaves a mess, when it is told to."""

    name: str
    files: tuple[str, ...]
    needs: tuple[str, ...] = ()
    basis: str = ""
    reproducible: bool = True
    fails: list[BaseException] = field(default_factory=list)
    made: int = 0
    absent: bool = False
    content: Callable[[str, bytes], bytes] = lambda _name, source: source

    def ready(self) -> None:
        """Unavailable when it was told to be."""
        if self.absent:
            raise Unavailable(f"{self.name} is not there", "start it")

    def make(self, job: CutJob, progress: Progress) -> Made:
        """Write, or write half and fail."""
        self.made += 1
        source = (job.source / "a.txt").read_bytes()
        for number, name in enumerate(self.files):
            place = job.folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if self.fails and number == len(self.files) - 1:
                place.with_name(f".{place.name}.part").write_bytes(source[:1])
                raise self.fails.pop()
            place.write_bytes(self.content(name, source))
        return Made(self.files, "made")


@dataclass
class FakeRegistry:
    """Takes pushes, or loses the connection when it is told to."""

    lost: int = 0
    pushed: list[str] = field(default_factory=list)

    def ready(self) -> None:
        """Always."""

    def push(self, cut: Path, version: str, progress: Progress) -> str:
        """A place that names the version."""
        if self.lost:
            self.lost -= 1
            raise Unavailable("the registry was lost", "push again")
        self.pushed.append(version)
        return f"registry.invalid/lens@sha256:{'0' * 64}"

    def verify(self, cut: Path, version: str) -> Sequence[Fault]:
        """Nothing is ever wrong."""
        return ()


@dataclass
class Heard:
    """What a cut said."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    def at(self, step: str, line: str) -> None:
        """Not kept."""

    def done(self, step: str, line: str, seconds: float) -> None:
        """Kept, without the time."""
        self.lines.append((step, line))


def content_of(name: str, source: bytes) -> bytes:
    """Evidence that the gates can read, of a build that depends on the source."""
    if name == BUILDS:
        commit = sha256(source).hexdigest()[:40]  # as FakeSource has it
        files = {"lens.whl": sha256(source).hexdigest()}
        builds = [{"circumstances": {"folder": folder}, "files": files} for folder in ("a", "b")]
        return canonical.encode({"commit": commit, "builds": builds})
    if name == SOURCE:
        return write_source({"a.txt": sha256(source).hexdigest()})
    return source


@dataclass
class CuttingHouse:
    """Everything that a cut uses, in one folder."""

    home: Path
    source: FakeSource = field(default_factory=FakeSource)
    clock: FakeClock = field(default_factory=FakeClock)
    registry: FakeRegistry | None = None
    heard: Heard = field(default_factory=Heard)
    trusting: bool = True
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def __post_init__(self) -> None:
        files = ("dist/lens.whl", BUILDS, SOURCE)
        self.steps = [
            FakeStep("distributions", files, content=content_of),
            FakeStep("quality", ("quality/notes.json",), reproducible=False),
        ]
        self.signer = PrivateKeySigner(self.key)
        self.releases = Releases(self.home / "releases", CutFolder, self._trusted)
        self.store = FolderCuts(self.home / "releases", self.releases, self.home / "artifacts")
        self.ledger = SqlLedger(self.home / "lens.db")

    def _trusted(self) -> dict[str, bytes]:
        public = self.signer.public_key
        return {key_id(public): public} if self.trusting else {}

    def cut(self, version: str = VERSION, left_out: frozenset[str] = LEFT_OUT, ref: str = "") -> Release:
        """Cut, as ``lens cut-rc`` does."""
        world = CutWorld(
            ledger=self.ledger,
            clock=self.clock,
            stopwatch=lambda: 0.0,
            lease=FileLease(self.home / "cut.lock"),
            source=self.source,
            steps=self.steps,
            workspace=lambda name, subject: CutWorkspace(self.home / "cuts" / name, subject),
            store=self.store,
            signer=lambda: self.signer,
            registry=self.registry,
            rules=RULES,
            policy_record=policy(RULES),
            builder_id=LOCAL_BUILDER,
            verifier=b"#!/usr/bin/env bash\n",
            person=self.source.person,
        )
        return CutRun(world, CutRequest(version, ref, left_out), self.heard).run()


def policy(rules: CutRules) -> bytes:
    """The record of the rules, as ``lens.toml`` gives it."""
    return canonical.encode(
        {
            "line_coverage": rules.line_coverage,
            "type_coverage": rules.type_coverage,
            "scanners": list(rules.scanners),
            "fail_at": rules.fail_at.value,
            "max_data_age_days": rules.max_data_age_days,
            "not_yet_measured": list(rules.not_yet_measured),
        }
    )
