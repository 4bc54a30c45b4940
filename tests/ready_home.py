"""A home folder that holds everything a promotion asks for: two real cuts, a drill, three nights, four people.

The ledger, the seals, the keys, the git repository, the advisory source and all gates are the real ones. Only tools
that would take minutes are absent: builds, scanners, containers, load. What they would have said is said by
``good_cut``, ``good_drill`` and ``fakes``. Making one takes seconds, so modules make it once and copy it:

    ready = make_ready_home(folder)          # everything but the approvals
    ready.approve()                          # signed by four people, at the real time
    other = ready.copy(folder2)              # the same, elsewhere
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cutting import Heard as CutHeard
from drilling import NEW_TANTIVY, FakeBench, FakeHome
from drilling import Heard as DrillHeard
from fakes import FakeClock, FakeControl, FakeCorpora, FakeLoad, FakeNotebooks, FakeService
from good_cut import good_steps, hour_before, write_advisories
from good_drill import PREVIOUS, good_cells, good_versions
from places import PROJECT

from lens_core.adapters.audit_log import Trail
from lens_core.adapters.clock import SystemClock
from lens_core.adapters.compatibility_gate import CompatibilityGate
from lens_core.adapters.cut_store import FolderCuts
from lens_core.adapters.cut_workspace import CutWorkspace
from lens_core.adapters.drill_cells import folder_digest
from lens_core.adapters.fencing import NIGHT, FencedLease, SqlLeases
from lens_core.adapters.git_source import GitSource
from lens_core.adapters.keys import PrivateKeySigner, TrustStore
from lens_core.adapters.lease import FileLease
from lens_core.adapters.own_keys import AUDIT, key_folder, own_key, public_folder
from lens_core.adapters.samples import ParquetSamples
from lens_core.adapters.sql_ledger import SqlLedger
from lens_core.adapters.ssh_signatures import SshSigner
from lens_core.adapters.vulnerability_gate import VulnerabilityGate
from lens_core.advisory_bootstrap import vulnerability_gate
from lens_core.audit_bootstrap import anchors_of
from lens_core.config import Settings, load_settings
from lens_core.cut import CutRequest, CutRun, CutWorld
from lens_core.dataset_bootstrap import open_catalogue, open_dataset_digest
from lens_core.drills.asking import AskingWorld
from lens_core.drills.judging import JUDGES
from lens_core.drills.ports import DrillCandidate
from lens_core.drills.previous import render_previous
from lens_core.drills.record import DrillRecord
from lens_core.drills.run import CompatDrill, DrillWorld
from lens_core.model import Candidate, Night, Release
from lens_core.night import NightRequest, NightRules, World
from lens_core.service import Lens
from lens_core.signoff.words import Act, Recorded, Role
from lens_core.signoff_bootstrap import open_signoff
from lens_core.supply.candidate import read_rules
from lens_core.supply.signatures import pem_of
from lens_core.supply.words import Signer
from lens_core.validation import SliceSettings, SliceValidation
from lens_core.verify_bootstrap import RELEASES, TRUSTED, open_drills, open_releases

EARLIER, VERSION = "1.0.0-rc.1", "1.0.0-rc.2"
"""Two candidates: the first was cut only, the second has everything."""
CUTTER = "cutter@example.org"
"""Who cut them: nobody who may approve."""
PEOPLE = {
    Role.PLATFORM: "ada@example.org",
    Role.SECURITY: "bo@example.org",
    Role.QA: "cleo@example.org",
    Role.PRODUCT: "dan@example.org",
}
"""Who holds which role. Each has an SSH key of that name below ``people``."""
LAST = 3
_MINUTES = 0.4
_SLICES = """format = 1

[[corpus]]
slice = "backend/python/small"
name = "thing"
version = "1.0"
licence = "MIT"
include = [""]
archive = [{{ ecosystem = "pypi", name = "thing", version = "1.0", filename = "one.whl", sha256 = "{zeros}" }}]

[[corpus]]
slice = "frontend/javascript/medium"
name = "thing"
version = "1.0"
licence = "MIT"
include = [""]
archive = [{{ ecosystem = "npm", name = "thing", version = "1.0", filename = "two.tgz", sha256 = "{zeros}" }}]
"""


class _Builder:
    """Gives nights the wheel that was cut; there is nothing to unpack in it."""

    def __init__(self, artifacts: Path) -> None:
        self._artifacts = artifacts

    def build(self) -> Candidate:
        """Never asked: nights name the version."""
        raise AssertionError("nights of this home name a version")

    def unpack(self, candidate: Candidate) -> Path:
        """An empty folder."""
        site = self._artifacts / candidate.digest.hex / "site"
        site.mkdir(parents=True, exist_ok=True)
        return site


@dataclass
class ReadyHome:
    """Where everything lies, and the means to make more of it. ``clock`` stands at the moment that was asked for."""

    folder: Path
    clock: FakeClock = field(default_factory=lambda: FakeClock(SystemClock().now()))
    load: FakeLoad = field(default_factory=FakeLoad)

    @property
    def project(self) -> Path:
        """The git repository with ``lens.toml``."""
        return self.folder / "project"

    @property
    def home(self) -> Path:
        """The home folder."""
        return self.folder / "home"

    @property
    def config(self) -> Path:
        """The configuration."""
        return self.project / "lens.toml"

    @property
    def advisories(self) -> Path:
        """The OSV records that are asked."""
        return self.folder / "advisories.jsonl"

    @property
    def settings(self) -> Settings:
        """The configuration, read anew."""
        return load_settings(self.home, self.config)

    @property
    def ledger_file(self) -> Path:
        """The database."""
        return self.home / "lens.db"

    @property
    def trail(self) -> Trail:
        """What writes to the audit log: as ``trail_of(settings)`` gives it, by this home's clock."""
        settings, home = self.settings, self.home

        def signer() -> Signer:
            return own_key(AUDIT, key_folder(home, settings.audit.key_folder), public_folder(home))

        return Trail(signer, anchors_of(settings), now=self.clock.now, person="night-job")

    @property
    def ledger(self) -> SqlLedger:
        """The ledger, opened anew."""
        return SqlLedger(self.ledger_file, self.trail)

    @property
    def environment(self) -> dict[str, str]:
        """What a command needs to run on this home (``python -m lens_core.cli …``)."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LENS_")}
        return {
            **kept,
            "LENS_HOME": str(self.home),
            "LENS_CONFIG": str(self.config),
            "XDG_CONFIG_HOME": str(self.folder / "own"),
            "PYTHONPATH": str(PROJECT),
        }

    def key(self, person: str) -> Path:
        """The private SSH key of a person."""
        return self.folder / "people" / person

    @cached_property
    def signer(self) -> PrivateKeySigner:
        """The key that seals cuts and drills; trusted in this home."""
        file = self.folder / "sealing.key"
        if not file.is_file():
            file.write_bytes(Ed25519PrivateKey.generate().private_bytes_raw())
        return PrivateKeySigner(Ed25519PrivateKey.from_private_bytes(file.read_bytes()))

    def candidate(self, version: str = VERSION) -> Candidate:
        """What was cut as a version."""
        return next(r.candidate for r in self.ledger.releases() if r.version == version)

    # --- making it ------------------------------------------------------------------------------

    def cut(self, version: str = VERSION) -> Release:
        """Cut a version of what is committed, as ``lens cut-rc`` does."""
        settings = self.settings
        releases, source = open_releases(self.home), GitSource(self.project)
        world = CutWorld(
            ledger=self.ledger,
            clock=self.clock,
            stopwatch=lambda: 0.0,
            lease=FileLease(self.home / "cut.lock"),
            source=source,
            steps=good_steps(self.advisories, settings.root / settings.cut.waivers),
            workspace=lambda name, subject: CutWorkspace(self.home / "cuts" / name, subject),
            store=FolderCuts(self.home / RELEASES, releases, self.home / "artifacts"),
            signer=lambda: self.signer,
            registry=None,
            rules=read_rules(settings.cut.policy_record),
            policy_record=settings.cut.policy_record,
            builder_id=settings.cut.builder_id,
            verifier=b"#!/usr/bin/env bash\n",
            person=source.person,
        )
        return CutRun(world, CutRequest(version, "", frozenset()), CutHeard()).run()

    def drill(self, version: str = VERSION) -> DrillRecord:
        """Drill a version, as ``lens compat-drill`` does."""
        settings, drills = self.settings, open_drills(self.home)
        known = self.candidate(version)
        drilled = DrillCandidate(version, self.home / "lens.whl", known.digest.hex, known.commit, dirty=False)
        world = DrillWorld(
            asking=AskingWorld(
                versions=good_versions(),
                cells=good_cells(),
                bench=FakeBench,
                stopwatch=lambda: 0.0,
                digest=folder_digest,
                cell_s=settings.drill.cell_timeout_s,
                keep=settings.drill.top_k,
            ),
            candidate=lambda _version: drilled,
            home=lambda candidate, _progress: FakeHome(candidate.version, NEW_TANTIVY),
            rules=settings.drill.rules(),
            judges=JUDGES,
            workspace=lambda _version, subject: CutWorkspace(self.home / "drilling" / "seal", subject),
            scratch=self._scratch,
            store=drills,
            signer=lambda: self.signer,
            clock=self.clock,
            lease=FileLease(self.home / "drill.lock"),
            person=GitSource(self.project).person,
        )
        return CompatDrill(world, version, [PREVIOUS.version], DrillHeard()).run().record

    def night(self, day: date, version: str = VERSION) -> Night:
        """Run a night of a version at 02:00 of a date, as ``lens nightly-validation`` does."""
        before = self.clock.moment
        self.clock.moment = datetime(day.year, day.month, day.day, 2, tzinfo=UTC)
        try:
            return self.lens().nightly_validation(self.request(version))
        finally:
            self.clock.moment = before

    def request(self, version: str = VERSION) -> NightRequest:
        """What a night of a version is asked to do."""
        return NightRequest(_MINUTES, version=version)

    def lens(self) -> Lens:
        """The service that nights run in: only builds, corpora, load and notebooks are fakes."""
        settings, catalogue, notebooks = self.settings, open_catalogue(self.settings), FakeNotebooks()
        policy, ledger, store = settings.policy.policy(), self.ledger, ParquetSamples()
        builder, corpora = _Builder(self.home / "artifacts"), FakeCorpora(self.folder / "trees")
        world = World(
            ledger=ledger,
            clock=self.clock,
            builder=builder,
            corpora=corpora,
            store=store,
            lease=FencedLease(
                FileLease(self.home / "night.lock"), SqlLeases(self.ledger_file, self.trail), NIGHT, self.clock
            ),
            notebooks=notebooks,
            validation=SliceValidation(
                builder=builder,
                corpora=corpora,
                service=FakeService(corpora),
                control=FakeControl(),
                load=self.load,
                store=store,
                indexes=self.home / "indexes",
                settings=SliceSettings(
                    rate_per_s=settings.load.rate_per_s,
                    warmup_requests=settings.load.warmup_requests,
                    request_timeout_s=settings.load.request_timeout_s,
                    questions_per_class=settings.load.questions_per_class,
                    leak_probes=settings.load.leak_probes,
                    cores=settings.service.cores,
                    memory_budget_mb=settings.service.memory_budget_mb,
                ),
                policy=policy,
                service_key="fake",  # pragma: allowlist secret (opens nothing)
            ),
            catalogue=catalogue,
            dataset_digest=open_dataset_digest(settings),
            rules=NightRules(
                policy, settings.policy_digest, settings.policy_record, settings.policy.not_yet_measured, 60
            ),
            home=self.home,
            config=self.config,
            sources=self.project,
            gates=(self._vulnerabilities(ledger), self._compatibility()),
        )
        notebooks.lens = Lens(world)
        return notebooks.lens

    def approve(self, *roles: Role) -> tuple[Recorded, ...]:
        """Approvals by the people of these roles (all four, when none is named), signed with their keys, now."""
        desk = open_signoff(self.home, self.config)
        given = []
        for role in roles or tuple(PEOPLE):
            name = PEOPLE[role]
            content = desk.draft(Act.APPROVE, VERSION, name, role, "the evidence is complete")
            given.append(desk.record(SshSigner(self.key(name)).sign(content)))
        return tuple(given)

    def days(self, count: int = LAST) -> Sequence[date]:
        """The dates of the last ``count`` nights before today, oldest first."""
        today = self.clock.now().date()
        return [today - timedelta(days=ago) for ago in range(count, 0, -1)]

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """With the clock at another moment."""
        before, self.clock.moment = self.clock.moment, moment
        try:
            yield
        finally:
            self.clock.moment = before

    def copy(self, folder: Path) -> "ReadyHome":
        """The whole of it in another folder; what happens there does not happen here."""
        shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True)
        config = folder / "project" / "lens.toml"
        config.write_text(config.read_text(encoding="utf-8").replace(str(self.folder), str(folder)), encoding="utf-8")
        return ReadyHome(folder, FakeClock(self.clock.moment))

    def _vulnerabilities(self, ledger: SqlLedger) -> VulnerabilityGate:
        return vulnerability_gate(self.settings, ledger)

    def _compatibility(self) -> CompatibilityGate:
        return CompatibilityGate(open_drills(self.home), [PREVIOUS.version], self.settings.drill.rules())

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        place = self.home / "drilling" / "scratch"
        place.mkdir(parents=True)
        try:
            yield place
        finally:
            shutil.rmtree(self.home / "drilling")


def make_ready_home(folder: Path, now: datetime | None = None) -> ReadyHome:
    """Two cuts four days ago, a drill, and the nights of the last three dates; ``now`` is the real time by default.

    Nobody has approved yet: that is the first thing one does with it.
    """
    ready = ReadyHome(folder, FakeClock(now or SystemClock().now()))
    lay_out(ready)
    [first, *_] = ready.days()
    noon = datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(hours=12)
    with ready.at(noon - timedelta(hours=1)):
        ready.cut(EARLIER)
    with ready.at(noon):
        _commit(ready.project, "lens_core/b.py", "TWO = 2\n")
        ready.cut(VERSION)
        ready.drill(VERSION)
    for day in ready.days():
        ready.night(day)
    return ready


def lay_out(ready: ReadyHome) -> None:
    """A git repository with the configuration, people with keys, advisories, a trusted key; nothing was cut yet."""
    data = ready.project / "data"
    (data / "previous").mkdir(parents=True)
    (data / "definitions").mkdir()
    (data / "definitions" / "thing.json").write_text("[]", encoding="utf-8")
    (data / "slices.toml").write_text(_SLICES.format(zeros="0" * 64), encoding="utf-8")
    (data / "previous" / "versions.toml").write_text(render_previous([PREVIOUS]), encoding="utf-8")
    shutil.copy(PROJECT / "data" / "waivers.cdx.json", data)
    people = [_person(ready, role, name) for role, name in PEOPLE.items()]
    (data / "allowed_signers").write_text("".join(people), encoding="utf-8")
    ready.config.write_text(_configuration(ready), encoding="utf-8")
    _git(ready.project, "init", "-q", "-b", "main")
    _git(ready.project, "config", "user.email", CUTTER)
    _git(ready.project, "config", "user.name", "Cut Ter")
    _commit(ready.project, "lens_core/a.py", "ONE = 1\n")
    TrustStore(ready.home / TRUSTED).trust(pem_of(ready.signer.public_key))
    write_advisories(ready.advisories, hour_before(ready.clock.now() - timedelta(days=4)))


def _configuration(ready: ReadyHome) -> str:
    """The project's own ``lens.toml``, with limits that small evidence can reach, and people."""
    text = (PROJECT / "lens.toml").read_text(encoding="utf-8")
    head, tail = text.split("[load]", 1)
    head = re.sub(r"min_samples = \d+", "min_samples = 2", head)
    people = ", ".join(f'{{ name = "{n}", roles = ["{r}"], emails = ["{n}"] }}' for r, n in PEOPLE.items())
    changed = {
        'first_release = "0.1.0"': f'first_release = "{VERSION}"',
        "pane_seconds = 0.5 ": "pane_seconds = 0.1 ",
        "memory_budget_mb = 1024": "memory_budget_mb = 1000",
        'osv_dir = ""': f'osv_dir = "{ready.advisories}"',
        "debian_archive = true": "debian_archive = false",
        'scanners = ["bandit", "ruff", "detect-secrets", "zizmor", "hadolint"]': 'scanners = ["bandit"]',
        "people = []": f"people = [{people}]",
        'key_folder = ""': f'key_folder = "{ready.folder / "own"}"',
    }
    whole = f"{head}[load]{tail}"
    for before, after in changed.items():
        assert whole.count(before) == 1, before
        whole = whole.replace(before, after)
    return whole


def _person(ready: ReadyHome, role: Role, name: str) -> str:
    """Make a person's key; their line in the file of allowed signers."""
    file = ready.key(name)
    file.parent.mkdir(exist_ok=True)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{role} {name}", "-f", str(file)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    kind, public, _ = file.with_suffix(file.suffix + ".pub").read_text(encoding="utf-8").split(" ", 2)
    return f'{name} namespaces="lens-signoff" {kind} {public}\n'


def _commit(project: Path, name: str, text: str) -> None:
    file = project / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    _git(project, "add", "-A")
    _git(project, "commit", "-q", "-m", f"Write {name}")


def _git(project: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(project), *arguments], check=True, capture_output=True)
