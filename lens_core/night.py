"""Runs a night: open it, prepare, run a notebook per slice and one over all, judge, close.

A night that was opened is always closed with a verdict: by its own run, or as ERROR by the next
start if its process died. What is missing gets an Answer that says so.
"""

import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lens_core.catalogue import Catalogue
from lens_core.errors import InvalidInput, LensError
from lens_core.gates import Policy, absent_slice, reason_for, verdict_of, without_evidence
from lens_core.model import (
    Answer,
    Candidate,
    Corpus,
    Digest,
    Evidence,
    Measurement,
    Night,
    NightState,
    Slice,
    Verdict,
)
from lens_core.ports import (
    Builder,
    Clock,
    Corpora,
    EvidenceStore,
    FetchListener,
    Ledger,
    NightGate,
    NightLease,
    NotebookRunner,
)
from lens_core.validation import SliceValidation, explain

_MAX_MINUTES = 24 * 60
_PREPARED_AT_ONCE = 2

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class NightRequest:
    """What a night is asked to do; empty selections mean everything in the catalogue.

    ``duration_minutes`` is the time of load over all slices, shared evenly.
    """

    duration_minutes: float
    seed: int = 7
    version: str = ""
    baseline: str = ""
    repo_types: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NightRules:
    """How nights are judged and run, from ``lens.toml``; ``record`` is its text for the night's folder."""

    policy: Policy
    digest: Digest
    record: str
    not_yet_measured: tuple[str, ...]
    notebook_grace_s: float


@dataclass(frozen=True, slots=True)
class World:
    """The parts of the world that nights use, and where things lie."""

    ledger: Ledger
    clock: Clock
    builder: Builder
    corpora: Corpora
    store: EvidenceStore
    lease: NightLease
    notebooks: NotebookRunner
    validation: SliceValidation
    catalogue: Catalogue
    dataset_digest: Digest
    rules: NightRules
    home: Path
    config: Path
    sources: Path
    gates: tuple[NightGate, ...] = ()


def collect_evidence(store: EvidenceStore, home: Path, night: Night) -> tuple[Evidence, ...]:
    """Every file of the night's folder, what its pages load, the wheels, and the indexes that were asked."""
    folder = home / night.folder
    files = [folder / name for name in store.file_digests(folder)]
    files += sorted((home / "nights" / "assets").glob("*.js"))
    for release in filter(None, (night.candidate, night.baseline)):
        files += sorted((home / "artifacts" / release.digest.hex).glob("*.whl"))
    indexes = {name for name in night.slices for name in store.index_files(folder / Slice.parse(name).slug)}
    files += [home / "indexes" / name for name in sorted(indexes)]
    return tuple(Evidence(f.relative_to(home).as_posix(), store.digest(f), f.stat().st_size) for f in files)


class NightRun:
    """One use of ``lens nightly-validation``."""

    def __init__(self, world: World, request: NightRequest, say: Say, on_fetch: FetchListener | None) -> None:
        self._world = world
        self._request = request
        self._say = say
        self._on_fetch = on_fetch
        if not (math.isfinite(request.duration_minutes) and 0 < request.duration_minutes <= _MAX_MINUTES):
            raise InvalidInput(
                f"expected a duration between 0 and {_MAX_MINUTES} minutes, saw {request.duration_minutes:g}",
                "--duration is the time of load over all slices, in minutes",
            )
        self._corpora = world.catalogue.select(request.repo_types, request.languages, request.sizes)
        self._load_seconds = request.duration_minutes * 60 / len(self._corpora)

    def run(self) -> Night:
        """Run the night to its verdict. Conflict when one is running, or this date has its night."""
        world = self._world
        with world.lease.hold() as fence:
            close_abandoned(world, fence, self._say)
            candidate = self._candidate()
            night = world.ledger.open_night(self._open(candidate), fence)
            dirty = ", the working tree holds changes that are not in it" if candidate.dirty else ""
            self._say(
                f"night {night.night_id}: {candidate.version} {candidate.digest.short} of commit "
                f"{candidate.commit[:12]}{dirty}; {len(self._corpora)} of {len(world.catalogue.corpora)} slices, "
                f"seed {night.seed}"
                + (f"; baseline {night.baseline.version} {night.baseline.digest.short}" if night.baseline else "")
            )
            try:
                answers, evidence = self._judge(night)
            except BaseException as error:
                why = f"the night was ended: {explain(error)}"
                world.ledger.close_night(night.night_id, Verdict.ERROR, why, (), (), world.clock.now())
                raise
            recorded = (*world.ledger.answers(night.night_id), *answers)
            verdict, reason = verdict_of(recorded), reason_for(recorded)
            world.ledger.close_night(night.night_id, verdict, reason, answers, evidence, world.clock.now())
            return next(n for n in world.ledger.nights() if n.night_id == night.night_id)

    def _candidate(self) -> Candidate:
        """The named version, else what the commit builds to."""
        ledger, wanted = self._world.ledger, self._request.version
        known = ledger.candidates()
        if wanted and (named := next((c for c in known if c.version == wanted), None)):
            return named
        built = self._world.builder.build()
        if wanted and built.version != wanted:
            versions = sorted({c.version for c in known} | {built.version})
            raise InvalidInput(f"there is no candidate {wanted}", f"known: {', '.join(versions)}")
        ledger.add_candidate(built, self._world.clock.now())
        return built

    def _baseline(self, candidate: Candidate) -> Candidate | None:
        """The newest other candidate of the version to compare with; InvalidInput when there is none."""
        wanted = self._request.baseline
        if not wanted:
            return None
        known = [c for c in self._world.ledger.candidates() if c.digest != candidate.digest]
        found = next((c for c in known if c.version == wanted), None)
        if found is None:
            versions = ", ".join(sorted({c.version for c in known})) or "none"
            raise InvalidInput(
                f"there is no other candidate of version {wanted}",
                f"known beside {candidate.version} {candidate.digest.short}: {versions}; "
                "a night of its own makes a version known",
            )
        return found

    def _open(self, candidate: Candidate) -> Night:
        now = self._world.clock.now()
        return Night(
            night_id="",
            night_date=now.astimezone(UTC).date(),
            attempt=0,
            candidate=candidate,
            baseline=self._baseline(candidate),
            policy_digest=self._world.rules.digest,
            dataset_digest=self._world.dataset_digest,
            slices=tuple(str(corpus.slice) for corpus in self._corpora),
            seed=self._request.seed,
            duration_minutes=self._request.duration_minutes,
            folder="",
            state=NightState.OPEN,
            verdict=None,
            reason="",
            opened_at=now,
            closed_at=None,
        )

    def _judge(self, night: Night) -> tuple[tuple[Answer, ...], tuple[Evidence, ...]]:
        """Measure every slice, draw the report, gather the evidence; the report's own answer comes last."""
        world = self._world
        world.store.write_text(world.home / night.folder / "policy.json", world.rules.record)
        failures = self._prepare(night)
        for position, corpus in enumerate(self._corpora, start=1):
            self._validate(night, corpus, position, failures.get(str(corpus.slice)))
        answers = [
            *self._not_selected(),
            *(self._asked(gate, night) for gate in world.gates),
            *without_evidence(world.rules.not_yet_measured),
        ]
        world.ledger.record_answers(night.night_id, answers)
        report = self._report(night)
        return (report,), collect_evidence(world.store, world.home, night)

    def _prepare(self, night: Night) -> dict[str, str]:
        """Fetch, strip and index, two slices at once; slice → why it could not be."""
        world = self._world
        fetched = world.corpora.fetch(self._corpora, on_progress=self._on_fetch)
        failures = {name: explain(error) for name, error in fetched.errors.items()}
        releases = [(c, world.builder.unpack(c)) for c in (night.candidate, night.baseline) if c is not None]

        def prepare(corpus: Corpus) -> tuple[str, str]:
            name = str(corpus.slice)
            if name in failures:
                return name, failures[name]
            try:
                for release, code in releases:
                    world.validation.index(release, code, corpus)
            except LensError as error:
                return name, explain(error)
            self._say(f"  prepared {name} ({corpus.name} {corpus.version})")
            return name, ""

        with ThreadPoolExecutor(_PREPARED_AT_ONCE) as pool:
            return {name: why for name, why in pool.map(prepare, self._corpora) if why}

    def _validate(self, night: Night, corpus: Corpus, position: int, failure: str | None) -> None:
        """Run the slice's notebook, and record whether it ran to its end."""
        ledger, name = self._world.ledger, str(corpus.slice)
        started = self._world.clock.now()
        if failure is None:
            deadline = self._load_seconds + self._world.rules.notebook_grace_s
            parameters = {"night_id": night.night_id, "slice_name": name}
            failure = self._notebook(night, "slice_validation", corpus.slice.slug, parameters, deadline)
        measured = any(m.slice == name for m in ledger.measurements(night.night_id))
        if not failure and not measured:
            failure = "it ended without writing its verdict row"
        if not measured:
            answer = absent_slice(name, Verdict.ERROR, failure or "")
        elif failure:
            answer = Answer("notebook", name, Verdict.ERROR, failure)
        else:
            answer = Answer("notebook", name, Verdict.PASS, "every cell completed, its verdict row last")
        ledger.record_answers(night.night_id, [answer])
        self._tell(night, name, position, started)

    def _notebook(
        self, night: Night, notebook: str, folder: str, parameters: Mapping[str, str], deadline_s: float
    ) -> str:
        """Run one notebook into the night's folder; why it failed, or the empty string."""
        world = self._world
        target = world.home / night.folder / folder / f"{notebook}.ipynb"
        source = world.sources / f"{notebook}.ipynb"
        where = {"home": str(world.home), "config": str(world.config)}
        outcome = world.notebooks.run(source, target, {**where, **parameters}, deadline_s)
        return "" if outcome.completed else f"the notebook did not complete: {outcome.reason}"

    def _tell(self, night: Night, name: str, position: int, started: datetime) -> None:
        """One progress line for a slice."""
        ledger = self._world.ledger
        mine = [answer for answer in ledger.answers(night.night_id) if answer.slice == name]
        measured = next((m for m in ledger.measurements(night.night_id) if m.slice == name), None)
        figures = "" if measured is None else _figures(measured)
        seconds = (self._world.clock.now() - started).total_seconds()
        verdict = verdict_of(mine)
        why = "" if verdict.advances else "  " + ", ".join(a.gate for a in mine if a.verdict is verdict)
        self._say(f"  [{position}/{len(self._corpora)}] {name:28} {verdict.name:12}{figures}  {seconds:.0f} s{why}")

    def _asked(self, gate: NightGate, night: Night) -> Answer:
        """What a gate of the whole night says; one that cannot be asked is an ERROR."""
        world = self._world
        self._say(f"  {gate.name}")
        try:
            return gate.answer(night.candidate, world.home / night.folder, world.clock.now())
        except LensError as error:
            return Answer(gate.name, "", Verdict.ERROR, explain(error))

    def _not_selected(self) -> list[Answer]:
        chosen = {corpus.slice for corpus in self._corpora}
        return [
            absent_slice(str(corpus.slice), Verdict.INCONCLUSIVE, "missing: this night was not asked to measure it")
            for corpus in self._world.catalogue.corpora
            if corpus.slice not in chosen
        ]

    def _report(self, night: Night) -> Answer:
        """Run the report over all slices; a report that died makes the night an ERROR."""
        grace = self._world.rules.notebook_grace_s
        failure = self._notebook(night, "nightly_report", "report", {"night_id": night.night_id}, grace)
        if not failure and not self._world.ledger.has_report(night.night_id):
            failure = "it ended without recording that it was drawn"
        if failure:
            return Answer("report", "", Verdict.ERROR, failure)
        return Answer("report", "", Verdict.PASS, "the report over all slices was drawn")


def _figures(measured: Measurement) -> str:
    """What a progress line says of a slice: a ratio with its bounds, the rest plainly."""
    said = []
    for label, key, digits in (
        ("P95 ms", "p95_ms", 2),
        ("P99/P95", "tail_ratio", 2),
        ("P95/base", "p95_vs_baseline", 2),
        ("P99/base", "p99_vs_baseline", 2),
        ("recall@50", "recall_at_50", 3),
        ("nl", "recall_at_50_nl", 3),
        ("span", "span_coverage", 3),
    ):
        metric = measured.get(key)
        if metric.value is None:
            continue
        bounds = metric.interval
        said.append(
            f"{label} {metric.value:.{digits}f}"
            + (f" ({bounds.low:.{digits}f} to {bounds.high:.{digits}f})" if bounds else "")
        )
    return "  " + "  ".join(said)


def close_abandoned(world: World, fence: int, say: Say) -> None:
    """Close nights whose process died, as the holder of the lease with the token ``fence``: nobody else runs one."""
    for night in world.ledger.nights():
        if night.state is NightState.OPEN:
            why = "the process that ran it died before the night was judged"
            world.ledger.take_over(night.night_id, fence, world.clock.now())
            world.ledger.close_night(night.night_id, Verdict.ERROR, why, (), (), world.clock.now())
            say(f"night {night.night_id} was left open: closed as ERROR, {why}")
