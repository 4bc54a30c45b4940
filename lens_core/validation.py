"""One slice, really validated: index the stripped tree, prove that nothing leaked, ask, measure.

Everything here goes through ports; what it decides is only the order of things.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lens_core.errors import IntegrityError, LensError
from lens_core.gates import Policy
from lens_core.load_session import Loaded, LoadSession, Say, timing_of_load
from lens_core.measure import ControlSample, Observed, Sample, SliceRun
from lens_core.model import Candidate, Corpus, Hit, Question
from lens_core.ports import (
    Builder,
    Control,
    Corpora,
    Endpoint,
    EvidenceStore,
    LoadGenerator,
    LoadPlan,
    LoadSample,
    QuestionSet,
    ServiceUnderTest,
)
from lens_core.quality import RankedAnswer, SpanTruth, UnitIndex, rank_answer, score
from lens_core.rounds import RunPlan, plan_run

_HTTP_OK = 200
_MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SliceSettings:
    """How a slice is asked: rates in requests per second, times in seconds."""

    rate_per_s: float
    warmup_requests: int
    request_timeout_s: float
    questions_per_class: int
    leak_probes: int
    cores: float
    memory_budget_mb: float


@dataclass(frozen=True, slots=True)
class IndexRecord:
    """A built index: where it lies, how long it took, and the SHA-256 of each of its files."""

    folder: Path
    seconds: float
    files: Mapping[str, str]


class SliceValidation:
    """Validates slices of one candidate."""

    def __init__(  # noqa: PLR0913  (every port that validating a slice needs)
        self,
        *,
        builder: Builder,
        corpora: Corpora,
        service: ServiceUnderTest,
        control: Control,
        load: LoadGenerator,
        store: EvidenceStore,
        indexes: Path,
        settings: SliceSettings,
        policy: Policy,
        service_key: str,
    ) -> None:
        self._builder = builder
        self._corpora = corpora
        self._service = service
        self._control = control
        self._load = load
        self._store = store
        self._indexes = indexes
        self._settings = settings
        self._policy = policy
        self._service_key = service_key

    def index(self, candidate: Candidate, code: Path, corpus: Corpus) -> IndexRecord:
        """The candidate's index of the corpus, built once and verified whenever it is used again.

        IntegrityError names the file of a kept index that is not what was built.
        """
        tree = self._corpora.stripped(corpus)
        parts = (str(candidate.digest), str(self._corpora.tree_digest(corpus)), self._service_key)
        key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]
        folder = self._indexes / f"{corpus.slice.slug}-{key}"
        record = folder.with_suffix(".json")
        if not record.exists():
            self._store.remove(folder)
            seconds = self._service.index(code, tree, folder)
            built = {"seconds": seconds, "files": self._store.file_digests(folder)}
            self._store.write_text(record, json.dumps(built, sort_keys=True, indent=1))
        raw = json.loads(record.read_bytes())
        seen = self._store.file_digests(folder)
        for name in sorted({*raw["files"], *seen}):
            if raw["files"].get(name) != seen.get(name):
                raise IntegrityError(
                    f"{folder / name} is not what was built: expected {raw['files'].get(name)}, saw {seen.get(name)}",
                    f"remove {record} to have the index built again",
                )
        return IndexRecord(folder, raw["seconds"], raw["files"])

    def run(
        self, candidate: Candidate, baseline: Candidate | None, corpus: Corpus, seed: int, seconds: float, say: Say
    ) -> SliceRun:
        """Ask the candidate, and the baseline beside it, for about ``seconds`` of load together.

        IntegrityError when an index holds the answers.
        """
        releases = (candidate,) if baseline is None else (candidate, baseline)
        truth = self._corpora.questions(corpus, seed, self._settings.questions_per_class)
        definitions = self._corpora.definitions(corpus)
        questions = sorted(truth.questions, key=lambda q: _shuffle_key(seed, q.question_id))
        plan = plan_run(len(questions), self._settings.rate_per_s, seconds, len(releases), self._policy.latency)
        with ExitStack() as running:
            records, served = [], []
            for release in releases:
                code = self._builder.unpack(release)
                records.append(self.index(release, code, corpus))
                served.append(running.enter_context(self._service.serve(code, records[-1].folder)))
                self._refuse_leaks(release, corpus, served[-1], seed)
            control_url = running.enter_context(self._control.serve())
            template = self._template(served, questions, control_url)
            loaded = LoadSession(self._load, template, plan, self._policy, say).run()
            outlines = self._service.outlines(served[0], sorted({d.path for d in definitions}))
        hits = {digest: read_hits(body) for digest, body in loaded.bodies.items()}
        samples, *others = (build_samples(asked, hits, truth) for asked in loaded.samples)
        spans = SpanTruth(definitions, self._file_lines(corpus))
        mine = {sample.body for sample in loaded.samples[0]}
        observed = Observed(
            **self._observed(corpus, records, loaded, plan),
            question_count=len(questions),
            hit_validity=spans.hit_validity(hit for body in sorted(mine) for hit in hits[body] or ()),
            definition_coverage=spans.definition_coverage(outlines),
        )
        control = tuple(_control_samples(loaded.control))
        return SliceRun(tuple(samples), tuple(others[0]) if others else None, control, observed)

    def _template(self, served: Sequence[Endpoint], questions: Sequence[Question], control_url: str) -> LoadPlan:
        return LoadPlan(
            services=tuple(served),
            panes=(),
            questions=tuple((q.question_id, q.text) for q in questions),
            rate_per_s=self._settings.rate_per_s,
            control_url=control_url,
            control_rate_per_s=self._policy.latency.control_rate_per_s,
            warmup=self._settings.warmup_requests,
            timeout_s=self._settings.request_timeout_s,
        )

    def _refuse_leaks(self, release: Candidate, corpus: Corpus, endpoint: Endpoint, seed: int) -> None:
        """An index that knows held-out text would be asked for what it was told."""
        expected = str(self._corpora.tree_digest(corpus))
        if endpoint.content_digest != expected:
            raise IntegrityError(
                f"leak: expected an index of the stripped tree ({expected}), {release.version} says that it holds "
                f"{endpoint.content_digest or 'nothing it can name'}",
                "index the stripped tree: docstrings are the answers",
            )
        for probe in self._corpora.held_out(corpus, seed, self._settings.leak_probes):
            if probe.path in self._service.search_paths(endpoint, f'"{probe.sentence}"'):
                raise IntegrityError(
                    f"leak: the index of {release.version} finds the held-out sentence {probe.sentence!r} "
                    f"in {probe.path}",
                    "index the stripped tree: docstrings are the answers",
                )

    def _file_lines(self, corpus: Corpus) -> dict[str, list[str]]:
        tree = self._corpora.stripped(corpus)
        files = (path for path in sorted(tree.rglob("*")) if path.is_file())
        return {f.relative_to(tree).as_posix(): f.read_text(encoding="utf-8").split("\n") for f in files}

    def _observed(
        self, corpus: Corpus, records: Sequence[IndexRecord], loaded: Loaded, plan: RunPlan
    ) -> dict[str, Any]:
        """What was observed beside samples and spans; resources are the candidate's."""
        return {
            "corpus": f"{corpus.name} {corpus.version}",
            "content_digest": str(self._corpora.tree_digest(corpus)),
            "index_seconds": records[0].seconds,
            "rate_per_s": self._settings.rate_per_s,
            "load_seconds": len(loaded.rounds) * plan.pane_requests / self._settings.rate_per_s,
            "cpu_seconds": loaded.cpu_seconds,
            "cores": self._settings.cores,
            "rss_peak_mb": max(loaded.rss_bytes, default=0) / _MB,
            "memory_budget_mb": self._settings.memory_budget_mb,
            "resource_samples": len(loaded.rss_bytes),
            "plan": plan,
            "rounds": loaded.rounds,
            "looks": loaded.looks,
            "index_files": {f"{r.folder.name}/{name}": digest for r in records for name, digest in r.files.items()},
        }


def _control_samples(asked: Sequence[LoadSample]) -> Iterable[ControlSample]:
    timing = timing_of_load(asked)
    for sample, latency_ms, lag_ms in zip(asked, timing.latency_ms, timing.lag_ms, strict=True):
        yield ControlSample(
            round_number=sample.pane,
            kind=sample.question_id,
            intended_s=sample.intended_s,
            latency_ms=float(latency_ms),
            lag_ms=float(lag_ms),
            status=sample.status,
        )


def _shuffle_key(seed: int, question_id: str) -> str:
    """Classes must not come in blocks, and the order must not depend on a random generator's version."""
    return hashlib.sha256(f"{seed}\n{question_id}".encode()).hexdigest()


def read_hits(body: bytes) -> tuple[Hit, ...] | None:
    """The hits of a search answer; None when it is not one."""
    try:
        return tuple(
            Hit(
                path=str(h["path"]),
                start_line=int(h["start_line"]),
                end_line=int(h["end_line"]),
                symbol=str(h["symbol"] or ""),
                kind=str(h["kind"]),
                language=str(h["language"]),
                score=float(h["score"]),
            )
            for h in json.loads(body)["hits"]
        )
    except (ValueError, KeyError, TypeError):
        return None


def build_samples(
    raw: Iterable[LoadSample], hits: Mapping[str, tuple[Hit, ...] | None], truth: QuestionSet
) -> list[Sample]:
    """Raw requests with what they were worth. An answer that cannot be read counts as none."""
    units = UnitIndex(truth.units)
    questions = {q.question_id: q for q in truth.questions}
    nothing: tuple[Hit, ...] = ()
    rated: dict[tuple[str, str], tuple[RankedAnswer, str, int, float, float]] = {}
    samples = []
    for seq, request in enumerate(raw):
        question = questions[request.question_id]
        found = hits.get(request.body) if request.status == _HTTP_OK else nothing
        key = (request.question_id, request.body if found else "")
        if key not in rated:
            answer = rank_answer(question.question_id, question.relevant, found or nothing, units)
            worth = score([answer])[question.question_id]
            places = _rank_digest(found or nothing)
            rated[key] = (answer, places, len(found or ()), worth.recall_at_50, worth.ndcg_at_10)
        answer, digest, hit_count, recall, ndcg = rated[key]
        samples.append(
            Sample(
                seq=seq,
                round_number=request.pane,
                question_id=question.question_id,
                query_class=question.query_class,
                intended_s=request.intended_s,
                latency_ms=(request.done_s - request.intended_s) * 1000,
                service_ms=(request.done_s - request.sent_s) * 1000,
                lag_ms=max(0.0, request.sent_s - request.intended_s) * 1000,
                status=request.status if found is not None else 0,
                rank_digest=digest,
                hit_count=hit_count,
                relevant_ranks=answer.relevant_ranks,
                relevant_total=answer.relevant_total,
                recall_at_50=recall,
                ndcg_at_10=ndcg,
            )
        )
    return samples


def _rank_digest(hits: Sequence[Hit]) -> str:
    places = [[hit.path, hit.start_line, hit.end_line, hit.symbol] for hit in hits]
    return hashlib.sha256(json.dumps(places, ensure_ascii=False).encode()).hexdigest()


def explain(error: BaseException) -> str:
    """An error in one line, with what to do about it when that is known."""
    if isinstance(error, LensError):
        return f"{error.message} ({error.hint})" if error.hint else error.message
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
