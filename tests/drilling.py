"""Drills without processes: engines that answer in this one, cells that obey, and a house to seal drills in."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fakes import FakeClock

from lens_core.adapters import drill_worker
from lens_core.adapters.cut_folder import CutFolder
from lens_core.adapters.cut_workspace import CutWorkspace
from lens_core.adapters.drill_cells import folder_digest
from lens_core.adapters.keys import PrivateKeySigner
from lens_core.adapters.lease import FileLease
from lens_core.drills.asking import AskingWorld
from lens_core.drills.drill import Drilled, DrillRules, Found
from lens_core.drills.ports import Case, DrillCandidate, OldIndex
from lens_core.drills.reader import Drills
from lens_core.drills.run import CompatDrill, DrillWorld
from lens_core.engine.errors import EngineError
from lens_core.engine.migrate import migrate_index
from lens_core.errors import Unavailable
from lens_core.model import Verdict
from lens_core.supply.signatures import key_id

OLD_TANTIVY, NEW_TANTIVY = "0.25.1", "0.27.0"
WHEEL = "a" * 64
PREVIOUS = Drilled("0.9.2", OLD_TANTIVY, "b" * 64, f"sha256:{'c' * 64}", "built")
CANDIDATE = Drilled("1.0.0", NEW_TANTIVY, WHEEL)
NAMES = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda_", "my")


def write_tree(folder):
    """Sources of a dozen functions, and two questions about each."""
    folder.mkdir(parents=True)
    for number, name in enumerate(NAMES):
        text = f"def parse_{name}(value):\n    total = value + {number}\n    return send_{name}(total)\n"
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


def questions():
    """Two questions about each function, as archives have them."""
    page = {"limit": 50, "offset": 0, "language": None, "symbols": False, "glob": None}
    asked = [text for name in NAMES for text in (f"parse_{name}", f"send {name} total")]
    return tuple({**page, "id": f"q-{number}", "query": text} for number, text in enumerate(asked))


@dataclass
class HereEngine:
    """Keeps the ``Engine`` port in this process, under the name of another tantivy; ``changed`` alters answers."""

    version: str
    tantivy: str
    site: Path = Path("site")
    changed: dict[str, Callable[[dict, dict], dict]] = field(default_factory=dict)
    killable: bool = True

    def ask(self, op, **arguments):
        """The worker's own answer, as if it came from a process."""
        request = {"op": op, **{k: str(v) if isinstance(v, Path) else v for k, v in arguments.items()}}
        answer = {"tantivy": self.tantivy, "engine": self.version}
        try:
            answer |= {"ok": True, "said": drill_worker.OPS[op](request)}
        except BaseException as error:  # noqa: BLE001  (as the worker does)
            answer |= {"ok": False, "refusal": drill_worker._refusal(error, request)}
        return self.changed.get(op, lambda said, _request: said)(answer, request)

    def run(self, *arguments, kill_after_s=None):
        """Migrates here; when it may be killed, it is."""
        if kill_after_s is not None and self.killable:
            return {"exit_code": -9, "said": "", "killed": True, "seconds": 0.0}
        _, old, _, out = arguments
        try:
            migrate_index(Path(old), Path(out))
        except EngineError as error:
            return {"exit_code": error.exit_code, "said": error.message, "killed": False, "seconds": 0.0}
        return {"exit_code": 0, "said": "", "killed": False, "seconds": 0.0}

    def command(self, script):
        """Nothing runs here."""
        return ("false", str(script))


def refused(message="IncompatibleIndex(Library version: 6)", *, panic=False):
    """A change of an answer into a refusal."""
    refusal = {"kind": "ValueError", "code": "", "message": message, "panic": panic}
    return lambda said, _request: {**{k: v for k, v in said.items() if k != "said"}, "ok": False, "refusal": refusal}


def case_of(cell, folder, old=None, new=None):
    """A case about an index that is built in ``folder`` when it is not there yet."""
    index, tree = folder / "index", folder / "tree"
    if not index.exists():
        drill_worker.build({"source": str(write_tree(tree)), "index": str(index)})
    scratch = folder / cell
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    old = old or HereEngine(PREVIOUS.version, OLD_TANTIVY)
    new = new or HereEngine(CANDIDATE.version, NEW_TANTIVY)
    return Case(cell, PREVIOUS, old, new, OldIndex(index, tree, questions(), None, "built"), scratch, 10)


@dataclass
class FakeCell:
    """Sees what it is told to, or throws it."""

    name: str
    sees: Callable[[Case], dict] = lambda _case: {"fine": True}

    def observe(self, case, progress):
        """See ``Cell``."""
        return self.sees(case)


@dataclass
class FakeBench:
    """Gives engines of this process."""

    stopped: bool = False

    def engine(self, home):
        """See ``Bench``."""
        return HereEngine(home.version, home.tantivy)

    def stop(self):
        """See ``Bench``."""
        self.stopped = True


@dataclass(frozen=True)
class FakeHome:
    """A home that is nowhere."""

    version: str
    tantivy: str
    site: Path = Path("site")

    def command(self, script):
        """See ``Home``."""
        return ("false", str(script))


@dataclass
class FakeVersions:
    """Two previous versions; ``absent`` ones cannot be run here, ``broken`` ones have no archive that is whole."""

    absent: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()

    def home(self, version, progress):
        """See ``Versions``."""
        if version in self.absent:
            raise Unavailable("no packages", "fetch them")
        return FakeHome(version, OLD_TANTIVY)

    def unpack(self, version, folder):
        """See ``Versions``."""
        if version in self.broken:
            raise Unavailable(f"no archive below {folder}", "restore it")
        return OldIndex(folder / "index", write_tree(folder / "tree"), questions(), None, "archived")

    def wheel_sha256(self, version):
        """See ``Versions``."""
        return "b" * 64

    def tantivy(self, version):
        """See ``Versions``."""
        return OLD_TANTIVY


@dataclass
class Heard:
    """What a drill said."""

    lines: list = field(default_factory=list)

    def at(self, version, line):
        """Not kept."""

    def done(self, version, cell, line, seconds):
        """Kept, without the time."""
        self.lines.append((version, cell, line))


def fine(facts, previous, candidate, rules):
    """A judge that passes what it is shown as fine."""
    return Found(Verdict.PASS if facts["fine"] is True else Verdict.FAIL, "as it was seen", 1)


@dataclass
class DrillHouse:
    """Everything that a drill uses, in one folder."""

    home: Path
    cells: Sequence = (FakeCell("read"), FakeCell("write"))
    versions: FakeVersions = field(default_factory=FakeVersions)
    rules: DrillRules = field(default_factory=lambda: DrillRules(cells=("read", "write")))
    cell_s: float = 30.0
    commit: str = "1" * 40
    trusting: bool = True
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    heard: Heard = field(default_factory=Heard)
    judges: dict = field(default_factory=lambda: {"read": fine, "write": fine})
    version: str = "1.0.0"
    wheel: str = WHEEL

    def __post_init__(self):
        self.signer = PrivateKeySigner(self.key)
        self.drills = Drills(self.home / "drills", CutFolder, self._trusted, self.judges)

    def _trusted(self):
        public = self.signer.public_key
        return {key_id(public): public} if self.trusting else {}

    @contextmanager
    def _scratch(self):
        place = self.home / "drilling" / "scratch"
        place.mkdir(parents=True)
        try:
            yield place
        finally:
            shutil.rmtree(self.home / "drilling")

    def drill(self, *previous):
        """Drill, as ``lens compat-drill`` does."""
        world = DrillWorld(
            asking=AskingWorld(
                versions=self.versions,
                cells=self.cells,
                bench=FakeBench,
                stopwatch=lambda: 0.0,
                digest=folder_digest,
                cell_s=self.cell_s,
                keep=10,
            ),
            candidate=lambda version: DrillCandidate(
                version or self.version, self.home / "lens.whl", self.wheel, self.commit, dirty=False
            ),
            home=lambda candidate, _progress: FakeHome(candidate.version, NEW_TANTIVY),
            rules=self.rules,
            judges=self.judges,
            workspace=lambda _version, subject: CutWorkspace(self.home / "drilling" / "seal", subject),
            scratch=self._scratch,
            store=self.drills,
            signer=lambda: self.signer,
            clock=FakeClock(),
            lease=FileLease(self.home / "drill.lock"),
            person=lambda: "driller@example.invalid",
        )
        return CompatDrill(world, "", previous or ("0.9.1", "0.9.2"), self.heard).run()
