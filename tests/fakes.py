"""Simulators of the ports, small and able to misbehave on command. The real ones keep the same contracts."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from lens_core.adapters.fencing import NIGHT, FencedLease, SqlLeases
from lens_core.adapters.lease import FileLease
from lens_core.adapters.samples import ParquetSamples
from lens_core.adapters.sql_ledger import SqlLedger
from lens_core.catalogue import Catalogue
from lens_core.errors import LensError, Unavailable
from lens_core.gates import Bound, Gate, Policy
from lens_core.model import (
    Archive,
    Candidate,
    Corpus,
    Definition,
    Digest,
    Question,
    Slice,
    Unit,
)
from lens_core.night import NightRules, World
from lens_core.ports import Endpoint, LoadPlan, LoadRun, LoadSample, NotebookOutcome, Usage
from lens_core.rounds import LatencyRules
from lens_core.service import Lens
from lens_core.validation import SliceSettings, SliceValidation

SLICES = ("backend/python/small", "frontend/javascript/medium")
SOURCE = "def first():\n    return 1\n\n\ndef second():\n    return 2\n"
DEFINITIONS = (Definition("a.py", 1, 2, "first", "function"), Definition("a.py", 5, 6, "second", "function"))


def digest_of(text: str) -> Digest:
    """A digest that is easy to tell from others."""
    return Digest("sha256:" + sha256(text.encode()).hexdigest())


def corpus(name: str) -> Corpus:
    """A corpus for a slice."""
    archive = Archive("pypi", "thing", "1.0", f"{Slice.parse(name).slug}.whl", "0" * 64)
    return Corpus(Slice.parse(name), "thing", "1.0", "MIT", (archive,), ("",))


CATALOGUE = Catalogue(tuple(corpus(name) for name in SLICES))


@dataclass
class FakeClock:
    """Stands still until it is moved."""

    moment: datetime = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)

    def now(self) -> datetime:
        """The moment that was set."""
        return self.moment


@dataclass
class FakeBuilder:
    """Builds candidates from a text instead of a commit."""

    folder: Path
    source: str = "one"
    version: str = "0.1.0"
    dirty: bool = False

    def build(self) -> Candidate:
        """The candidate of ``source``; its wheel is kept under its digest, as the real one does."""
        digest = digest_of(self.source)
        wheel = self.folder / digest.hex / f"lens-{self.version}-py3-none-any.whl"
        wheel.parent.mkdir(parents=True, exist_ok=True)
        wheel.write_text(self.source)
        return Candidate(self.version, digest, sha256(self.source.encode()).hexdigest()[:40], self.dirty)

    def unpack(self, candidate: Candidate) -> Path:
        """A folder of the candidate's own."""
        site = self.folder / candidate.digest.hex / "site"
        site.mkdir(parents=True, exist_ok=True)
        return site


@dataclass(frozen=True)
class FakeQuestions:
    """Two questions, each about one definition."""

    questions: tuple[Question, ...]
    units: tuple[Unit, ...]


@dataclass(frozen=True)
class FakeProbe:
    """A held-out sentence."""

    path: str
    sentence: str


@dataclass(frozen=True)
class FakeReport:
    """What a fetch came to."""

    errors: Mapping[str, LensError]


@dataclass
class FakeCorpora:
    """One tiny repository for every slice."""

    folder: Path
    errors: dict[str, LensError] = field(default_factory=dict)

    def fetch(self, corpora, *, on_progress=None, offline=False) -> FakeReport:
        """Everything is here but what ``errors`` names."""
        return FakeReport(self.errors)

    def stripped(self, corpus: Corpus) -> Path:
        """The tree, with one file."""
        tree = self.folder / corpus.slice.slug
        tree.mkdir(parents=True, exist_ok=True)
        (tree / "a.py").write_text(SOURCE)
        return tree

    def tree_digest(self, corpus: Corpus) -> Digest:
        """The digest that an honest index names."""
        return digest_of(str(corpus.slice))

    def definitions(self, corpus: Corpus) -> tuple[Definition, ...]:
        """The two functions."""
        return DEFINITIONS

    def questions(self, corpus: Corpus, seed: int, per_class: int = 300) -> FakeQuestions:
        """One question a class and definition."""
        units = tuple(Unit(f"a.py:{d.name}", d.path, d.start_line, d.end_line, d.name) for d in DEFINITIONS)
        classes = ("nl", "sym", "ident", "symwords", "substr")
        return FakeQuestions(
            tuple(Question(f"{c}:{u.name}", c, u.name, (u.unit_id,)) for c in classes for u in units), units
        )

    def held_out(self, corpus: Corpus, seed: int, count: int) -> Sequence[FakeProbe]:
        """One sentence."""
        return [FakeProbe("a.py", "Return the very first number.")][:count]


@dataclass
class FakeService:
    """A search service that knows the two functions. ``leaks`` makes it know held-out text too."""

    corpora: FakeCorpora
    leaks: bool = False
    content_digest: str = ""
    fails_to_index: bool = False

    def index(self, code: Path, tree: Path, index: Path) -> float:
        """Write an index of one file."""
        if self.fails_to_index:
            raise Unavailable("indexing failed", "see the fake")
        index.mkdir(parents=True)
        (index / "segment").write_text(tree.name)
        return 0.5

    @contextmanager
    def serve(self, code: Path, index: Path) -> Iterator[Endpoint]:
        """An endpoint that says what it holds."""
        honest = next(
            str(self.corpora.tree_digest(c)) for c in CATALOGUE.corpora if index.name.startswith(c.slice.slug)
        )
        yield Endpoint("http://127.0.0.1:1", 1, self.content_digest or honest)

    def search_paths(self, endpoint: Endpoint, query: str) -> tuple[str, ...]:
        """Nothing, or the leak."""
        return ("a.py",) if self.leaks else ()

    def outlines(self, endpoint: Endpoint, paths: Sequence[str]) -> dict[str, list[tuple[str, int, int]]]:
        """The definitions, as they are."""
        return {"a.py": [(d.name, d.start_line, d.end_line) for d in DEFINITIONS]}


class FakeControl:
    """Listens nowhere; ``FakeLoad`` answers for it."""

    @contextmanager
    def serve(self) -> Iterator[str]:
        """An address."""
        yield "http://127.0.0.1:2"


@dataclass
class FakeLoad:
    """Answers every question rightly in ``latencies_ms``, in turn; the baseline in ``baseline_ms``.

    The control takes ``control_ms``, in turn, and requests leave ``lag_ms`` late.
    """

    latencies_ms: Sequence[float] = (1.0, 1.1, 1.2)
    baseline_ms: Sequence[float] = (1.0, 1.1, 1.2)
    control_ms: Sequence[float] = (0.5,)
    lag_ms: float = 0.0
    status: int = 200
    runs: list[LoadPlan] = field(default_factory=list)

    def run(self, plan: LoadPlan) -> LoadRun:
        """As many samples as were asked for, the control half as often."""
        self.runs.append(plan)
        bodies = {d.name: _body(d) for d in DEFINITIONS}
        samples, control = [], []
        for number, pane in enumerate(plan.panes):
            takes = self.baseline_ms if pane.target else self.latencies_ms
            for place in range(pane.first_question, pane.first_question + pane.count):
                question_id, text = plan.questions[place % len(plan.questions)]
                due = len(samples) / plan.rate_per_s
                sent, done = due + self.lag_ms / 1000, due + takes[place % len(takes)] / 1000
                samples.append(LoadSample(number, question_id, due, sent, done, self.status, text))
                if place % 2 == 0:
                    done = due + self.control_ms[len(control) % len(self.control_ms)] / 1000
                    control.append(LoadSample(number, "noop", due, due, done, 200, ""))
        usage = tuple(Usage(0.1, (50_000_000,) * 20) for _ in plan.services)
        return LoadRun(tuple(samples), tuple(control), bodies, usage)


def _body(d: Definition) -> bytes:
    hit = {"path": d.path, "start_line": d.start_line, "end_line": d.end_line, "symbol": d.name, "kind": d.kind}
    return json.dumps({"hits": [{**hit, "language": "python", "score": 1.0}]}).encode()


@dataclass
class FakeNotebooks:
    """Does in-process what the notebooks do. ``fates`` maps a slice (or "report") to a misfortune."""

    lens: Lens | None = None
    fates: dict[str, str] = field(default_factory=dict)

    def run(self, source: Path, target: Path, parameters: Mapping[str, str], deadline_s: float) -> NotebookOutcome:
        """Measure and record, unless fate has it otherwise."""
        assert self.lens is not None
        name = parameters.get("slice_name", "report")
        fate = self.fates.get(name, "")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("{}")
        if fate == "interrupted":
            raise KeyboardInterrupt
        if fate == "silent":
            return NotebookOutcome(completed=True, reason="")
        if fate != "dies first":
            try:
                self._work(name, parameters["night_id"])
            except LensError as error:
                return NotebookOutcome(completed=False, reason=error.message)
        if fate:
            return NotebookOutcome(completed=False, reason=fate)
        return NotebookOutcome(completed=True, reason="")

    def _work(self, name: str, night_id: str) -> None:
        assert self.lens is not None
        if name == "report":
            self.lens.record_report(night_id)
        else:
            self.lens.record_slice(night_id, self.lens.measure_slice(night_id, name))


GATES = (
    Gate("tail_ratio", Bound.AT_MOST, 2.0, 10, interval=True),
    Gate("p95_vs_baseline", Bound.AT_MOST, 1.1, 10, needs_baseline=True, interval=True),
    Gate("recall_at_50", Bound.AT_LEAST, 0.85, 4),
    Gate("span_coverage", Bound.AT_LEAST, 0.98, 1),
    Gate("ndcg_at_10_vs_baseline", Bound.AT_LEAST, 0.02, 4, needs_baseline=True),
)


RULES = LatencyRules(pane_seconds=0.1)
"""As shipped, but for shorter panes: ten requests each at a hundred a second."""


@dataclass
class House:
    """A Lens over fakes, with the real ledger, lease and evidence files."""

    lens: Lens
    world: World
    clock: FakeClock
    builder: FakeBuilder
    corpora: FakeCorpora
    service: FakeService
    load: FakeLoad
    notebooks: FakeNotebooks
    home: Path


def build_house(home: Path, first_release: str = "0.1.0") -> House:
    """A fresh house below ``home``."""
    clock, builder, corpora = FakeClock(), FakeBuilder(home / "artifacts"), FakeCorpora(home / "trees")
    service, load, notebooks = FakeService(corpora), FakeLoad(), FakeNotebooks()
    store = ParquetSamples()
    policy = Policy(GATES, first_release, RULES)
    validation = SliceValidation(
        builder=builder,
        corpora=corpora,
        service=service,
        control=FakeControl(),
        load=load,
        store=store,
        indexes=home / "indexes",
        settings=SliceSettings(100, 10, 5, 300, 5, 1, 1000),
        policy=policy,
        service_key="fake",  # pragma: allowlist secret (opens nothing)
    )
    record = json.dumps(
        {
            "policy": {
                "first_release": first_release,
                "latency": asdict(RULES),
                "gates": [
                    {
                        "name": gate.name,
                        gate.bound.value: gate.threshold,
                        "min_samples": gate.min_samples,
                        "needs_baseline": gate.needs_baseline,
                        "interval": gate.interval,
                    }
                    for gate in GATES
                ],
            }
        }
    )
    rules = NightRules(policy, digest_of(record), record, (), 60)
    world = World(
        ledger=SqlLedger(home / "lens.db"),
        clock=clock,
        builder=builder,
        corpora=corpora,
        store=store,
        lease=FencedLease(FileLease(home / "night.lock"), SqlLeases(home / "lens.db"), NIGHT, clock),
        notebooks=notebooks,
        validation=validation,
        catalogue=CATALOGUE,
        dataset_digest=digest_of("data"),
        rules=rules,
        home=home,
        config=home / "lens.toml",
        sources=home,
    )
    lens = Lens(world)
    notebooks.lens = lens
    return House(lens, world, clock, builder, corpora, service, load, notebooks, home)
