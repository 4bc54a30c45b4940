"""What the service asks of the world, as Protocols. Adapters keep them, fakes in the tests do too."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pandas as pd

from lens_core.errors import LensError
from lens_core.measure import ControlSample, SliceRun
from lens_core.model import (
    Answer,
    Candidate,
    Corpus,
    Definition,
    Digest,
    Evidence,
    Measurement,
    Night,
    Question,
    Unit,
    Verdict,
)
from lens_core.rounds import Round


class Clock(Protocol):
    """The only source of the time of day."""

    def now(self) -> datetime:
        """The present moment in UTC."""


class Builder(Protocol):
    """Makes the artifact that a night binds to."""

    def build(self) -> Candidate:
        """Build the wheel from the commit, twice, and keep it; IntegrityError when the two differ."""

    def unpack(self, candidate: Candidate) -> Path:
        """A fresh folder holding the candidate's code, verified against its digest."""


class QuestionSet(Protocol):
    """Questions of a corpus, and the places that can be their answers."""

    @property
    def questions(self) -> tuple[Question, ...]:
        """In a fixed order."""

    @property
    def units(self) -> tuple[Unit, ...]:
        """Every place of the corpus."""


class HeldOut(Protocol):
    """A sentence that was removed from the indexed text."""

    @property
    def path(self) -> str:
        """The file that it was removed from."""

    @property
    def sentence(self) -> str:
        """Its text, as it stood on one line."""


class FetchProgress(Protocol):
    """How far one archive's download is."""

    @property
    def filename(self) -> str:
        """The archive."""

    @property
    def done_bytes(self) -> int:
        """How much of it is here."""

    @property
    def total_bytes(self) -> int | None:
        """How much it will be; None when the registry does not say."""


FetchListener = Callable[[FetchProgress], None]


class FetchReport(Protocol):
    """What a fetch came to."""

    @property
    def errors(self) -> Mapping[str, LensError]:
        """Slice name → why its corpus cannot be had."""


class Corpora(Protocol):
    """Pinned repositories and what is known about them."""

    def fetch(
        self, corpora: Sequence[Corpus], *, on_progress: FetchListener | None = None, offline: bool = False
    ) -> FetchReport:
        """Have the archives of ``corpora`` in the cache, verified."""

    def stripped(self, corpus: Corpus) -> Path:
        """The tree that is indexed: the sources with docstrings blanked."""

    def tree_digest(self, corpus: Corpus) -> Digest:
        """Digest over the stripped tree's paths and bytes."""

    def definitions(self, corpus: Corpus) -> tuple[Definition, ...]:
        """Definitions as a parser independent of the service sees them."""

    def questions(self, corpus: Corpus, seed: int, per_class: int = ...) -> QuestionSet:
        """Questions with known answers, fixed by the seed."""

    def held_out(self, corpus: Corpus, seed: int, count: int) -> Sequence[HeldOut]:
        """Sentences that an honest index cannot know."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running service under test."""

    url: str
    pid: int
    content_digest: str


class ServiceUnderTest(Protocol):
    """Starts the candidate's own code as processes of their own."""

    def index(self, code: Path, tree: Path, index: Path) -> float:
        """Index ``tree`` into the new folder ``index``; returns seconds. Unavailable when it fails."""

    def serve(self, code: Path, index: Path) -> AbstractContextManager[Endpoint]:
        """Run the service until the context ends."""

    def search_paths(self, endpoint: Endpoint, query: str) -> tuple[str, ...]:
        """Paths of the hits for one query."""

    def outlines(self, endpoint: Endpoint, paths: Sequence[str]) -> dict[str, list[tuple[str, int, int]]]:
        """Path → (name, start line, end line) of its definitions as the service lists them."""


class Control(Protocol):
    """A service that does nothing, or always the same: its stalls are the machine's."""

    def serve(self) -> AbstractContextManager[str]:
        """Run it until the context ends; its address. It answers ``/noop`` and ``/work``."""


@dataclass(frozen=True, slots=True)
class Pane:
    """``count`` requests to the service of number ``target``, with the questions from ``first_question`` on."""

    target: int
    first_question: int
    count: int


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """An open-loop run: pane after pane at ``rate_per_s``, cycling through the questions.

    The control is asked at its own rate all along. ``warmup`` requests go to each service first.
    """

    services: tuple[Endpoint, ...]
    panes: tuple[Pane, ...]
    questions: tuple[tuple[str, str], ...]
    rate_per_s: float
    control_url: str
    control_rate_per_s: float
    warmup: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class LoadSample:
    """One request of the pane of number ``pane``. Times in seconds from the run's start.

    ``status`` 0 means no answer at all. A sample of the control has its kind in place of a question.
    """

    pane: int
    question_id: str
    intended_s: float
    sent_s: float
    done_s: float
    status: int
    body: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor time of one service over a run, and its resident memory from time to time."""

    cpu_seconds: float
    rss_bytes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LoadRun:
    """What a load run saw: samples of services and control, bodies by digest, and each service's resources."""

    samples: tuple[LoadSample, ...]
    control: tuple[LoadSample, ...]
    bodies: Mapping[str, bytes]
    usage: tuple[Usage, ...]


class LoadGenerator(Protocol):
    """Asks running services questions on a schedule that does not wait for answers."""

    def run(self, plan: LoadPlan) -> LoadRun:
        """Carry the plan out. Unavailable when the generator itself fails."""


@dataclass(frozen=True, slots=True)
class NotebookOutcome:
    """Whether a notebook ran to its end, and if not, why."""

    completed: bool
    reason: str


class NotebookRunner(Protocol):
    """Executes a notebook and keeps what it produced."""

    def run(self, source: Path, target: Path, parameters: Mapping[str, str], deadline_s: float) -> NotebookOutcome:
        """Execute ``source`` into ``target`` (.ipynb, and .html beside it).

        InvalidInput when the notebook does not declare a parameter. A notebook that raised, exited,
        lost its kernel or ran out of time is an outcome that is not completed.
        """


class NightGate(Protocol):
    """A gate of the whole night that somebody else measures."""

    @property
    def name(self) -> str:
        """The gate's name."""

    def answer(self, candidate: Candidate, folder: Path, now: datetime) -> Answer:
        """Judge the candidate; what the answer rests on is written below the night's ``folder``."""


class Lease(Protocol):
    """One of a kind at a time."""

    def hold(self) -> AbstractContextManager[None]:
        """Hold the lease; Conflict when another living process holds it."""


class NightLease(Protocol):
    """One night at a time, also where a process that lost the lease does not know it yet."""

    def hold(self) -> AbstractContextManager[int]:
        """Hold the lease, as ``Lease``; the fencing token, higher than those of all holders before."""


class Ledger(Protocol):
    """What is remembered. Every method is one short transaction."""

    def add_candidate(self, candidate: Candidate, now: datetime) -> None:
        """Remember a candidate; IntegrityError if its commit was recorded with other bytes."""

    def candidates(self) -> tuple[Candidate, ...]:
        """Newest first."""

    def open_night(self, night: Night, fence: int | None = None) -> Night:
        """Record a night as open and give it its id; Conflict when its date is taken.

        ``fence`` is the token of the lease that the night is run under (None: of the newest). As soon as somebody
        takes that lease anew, everything that would be written to the night is a Conflict.
        """

    def take_over(self, night_id: str, fence: int, now: datetime) -> None:
        """Make an open night, whose process died, one of the lease with the newest token; Conflict for another."""

    def record_answers(self, night_id: str, answers: Sequence[Answer]) -> None:
        """Add answers to an open night."""

    def close_night(
        self,
        night_id: str,
        verdict: Verdict,
        reason: str,
        answers: Sequence[Answer],
        evidence: Sequence[Evidence],
        now: datetime,
    ) -> None:
        """Record the verdict of an open night; Conflict when it is closed already."""

    def record_slice(self, night_id: str, measurement: Measurement, answers: Sequence[Answer]) -> None:
        """Record a slice of an open night; Conflict when the night is closed or has the slice."""

    def record_report(self, night_id: str) -> None:
        """Record that the report of an open night was drawn to its end."""

    def has_report(self, night_id: str) -> bool:
        """True once ``record_report`` was called for the night."""

    def nights(self) -> tuple[Night, ...]:
        """Newest first."""

    def answers(self, night_id: str) -> tuple[Answer, ...]:
        """In the order in which they were judged."""

    def measurements(self, night_id: str) -> tuple[Measurement, ...]:
        """In the order in which they were recorded."""

    def evidence(self, night_id: str) -> tuple[Evidence, ...]:
        """Every file that the night's verdict rests on."""


class EvidenceStore(Protocol):
    """Files that verdicts rest on."""

    def write_run(self, folder: Path, run: SliceRun) -> None:
        """Write all that a slice's run left behind, each file whole or not at all."""

    def read_run(self, folder: Path) -> SliceRun:
        """Read it back; IntegrityError when a file is missing or unreadable."""

    def read_control(self, folder: Path) -> tuple[tuple[Round, ...], tuple[ControlSample, ...]]:
        """The rounds of a run and what the control did in them, without the rest; errors as ``read_run``."""

    def samples_digest(self, folder: Path) -> Digest:
        """SHA-256 of the candidate's samples of a run; IntegrityError when they are missing."""

    def frame(self, folder: Path) -> pd.DataFrame:
        """The candidate's samples of a run as a table."""

    def index_files(self, folder: Path) -> Mapping[str, str]:
        """What a run's record says of the indexes that were asked: file name → SHA-256; empty without a record."""

    def write_text(self, file: Path, text: str) -> None:
        """Write a text file, whole or not at all."""

    def digest(self, file: Path) -> Digest:
        """SHA-256 of a file; IntegrityError when it is missing."""

    def file_digests(self, folder: Path) -> dict[str, str]:
        """Relative path → SHA-256 of every file below a folder."""

    def remove(self, folder: Path) -> None:
        """Remove a folder if it is there."""
