"""A stand-in for ``lens_core.service.Lens`` with the reading methods that the portal uses.

It holds real files in a real folder, so that evidence routes and a browser can be tested on it.
"""

import hashlib
import io
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from lens_core.adapters.sql_ledger import SqlLedger
from lens_core.errors import InvalidInput, LensError
from lens_core.model import (
    QUERY_CLASSES,
    Answer,
    Candidate,
    Digest,
    Evidence,
    Measurement,
    Metric,
    Night,
    NightState,
    Verdict,
)

SLICES = (
    *(f"{kind}/{size}" for kind in ("backend/typescript", "backend/python") for size in ("small", "medium", "large")),
    *("frontend/typescript/small", "frontend/typescript/medium", "frontend/typescript/large"),
    *("frontend/javascript/medium", "monorepo/typescript/large", "monorepo/mixed/large"),
)
THRESHOLDS = {
    "tail_ratio": 2.0,
    "p95_vs_baseline": 1.1,
    "p99_vs_baseline": 1.1,
    "recall_at_50": 0.85,
    "recall_at_50_vs_baseline": 0.0,
    "recall_at_50_nl": 0.75,
    "recall_at_50_sym": 0.97,
    "recall_at_50_ident": 0.97,
    "recall_at_50_symwords": 0.95,
    "recall_at_50_substr": 0.97,
    "ndcg_at_10_vs_baseline": 0.02,
    "span_coverage": 0.98,
    "error_rate": 0.001,
    "cpu_share": 0.7,
    "memory_share": 0.8,
}
NEWEST = date(2026, 11, 24)


def digest_of(text: str | bytes) -> Digest:
    """The digest of ``text``."""
    raw = text.encode() if isinstance(text, str) else text
    return Digest("sha256:" + hashlib.sha256(raw).hexdigest())


@dataclass
class FakeLens:
    """What a ledger would hold. ``broken`` makes every reading raise it."""

    home: Path
    held_nights: list[Night] = field(default_factory=list)
    held_answers: dict[str, tuple[Answer, ...]] = field(default_factory=dict)
    held_measurements: dict[str, tuple[Measurement, ...]] = field(default_factory=dict)
    held_evidence: dict[str, tuple[Evidence, ...]] = field(default_factory=dict)
    broken: LensError | None = None
    measured: list[str] = field(default_factory=list)
    """The ids of the nights whose measurements were read, in order."""

    def _read(self) -> None:
        if self.broken:
            raise self.broken

    def nights(self) -> tuple[Night, ...]:
        self._read()
        return tuple(sorted(self.held_nights, key=lambda night: (night.night_date, night.attempt), reverse=True))

    def night(self, ref: str) -> Night:
        found = [night for night in self.nights() if ref in (night.night_id, night.night_date.isoformat())]
        if not found:
            raise InvalidInput(f"expected a night of this ledger, saw {ref!r}", "lens nights lists them")
        return found[0]

    def answers(self, night_id: str) -> tuple[Answer, ...]:
        self._read()
        return self.held_answers.get(night_id, ())

    def measurements(self, night_id: str) -> tuple[Measurement, ...]:
        self._read()
        self.measured.append(night_id)
        return self.held_measurements.get(night_id, ())

    def evidence(self, night_id: str) -> tuple[Evidence, ...]:
        self._read()
        return self.held_evidence.get(night_id, ())

    def evidence_path(self, night_id: str, path: str) -> Path:
        if path not in [item.path for item in self.evidence(night_id)]:
            raise InvalidInput(f"{path!r} is no evidence of night {night_id}", "")
        return self.home / path

    def samples(self, night_id: str, slice_name: str) -> pd.DataFrame:
        self._read()
        return lens_samples(night_id, slice_name)

    def catalogue_slices(self) -> tuple[str, ...]:
        return SLICES


def lens_samples(night_id: str, slice_name: str) -> pd.DataFrame:
    """The samples of one slice of one night."""
    return samples_frame(sum(map(ord, night_id + slice_name)))


def samples_frame(seed: int, count: int = 1500) -> pd.DataFrame:
    """Raw samples as a night stores them."""
    rng = np.random.default_rng(seed)
    latency = rng.lognormal(0.7, 0.35, count)
    return pd.DataFrame(
        {
            "seq": np.arange(count),
            "round_number": np.arange(count) // 50,
            "set_aside": [""] * count,
            "question_id": [f"q{i:04d}" for i in range(count)],
            "query_class": [QUERY_CLASSES[i % 5] for i in range(count)],
            "intended_s": np.arange(count) / 100,
            "latency_ms": latency,
            "service_ms": latency * 0.9,
            "lag_ms": np.full(count, 0.1),
            "status": np.full(count, 200),
            "relevant_ranks": ["1"] * count,
            "relevant_total": np.ones(count, dtype=int),
            "recall_at_50": np.ones(count),
            "ndcg_at_10": np.ones(count),
            "rank_digest": ["0" * 16] * count,
        }
    )


def measurement(slice_name: str, seed: int, version: str = "0.2.0") -> Measurement:
    """A healthy slice, its numbers a little different on each night."""
    dice = random.Random(f"{slice_name}{seed}{version}")  # noqa: S311
    size = {"small": 1.0, "medium": 1.7, "large": 3.1}[slice_name.rsplit("/", 1)[-1]]
    p95 = size * dice.uniform(1.9, 2.2)
    ratio = dice.uniform(1.2, 1.55)
    values = {
        "p50_ms": p95 * 0.55,
        "p90_ms": p95 * 0.85,
        "p95_ms": p95,
        "p99_ms": p95 * ratio,
        "p999_ms": p95 * ratio * 1.6,
        "max_ms": p95 * ratio * 2.2,
        "tail_ratio": ratio,
        "p95_vs_baseline": dice.uniform(0.93, 1.05),
        "p99_vs_baseline": dice.uniform(0.93, 1.06),
        "recall_at_50": dice.uniform(0.93, 0.97),
        "recall_at_50_vs_baseline": dice.uniform(0.001, 0.02),
        "recall_at_50_nl": dice.uniform(0.78, 0.88),
        "recall_at_50_sym": 1.0,
        "recall_at_50_ident": dice.uniform(0.985, 1.0),
        "recall_at_50_symwords": dice.uniform(0.965, 0.99),
        "recall_at_50_substr": dice.uniform(0.98, 1.0),
        "ndcg_at_10": dice.uniform(0.81, 0.86),
        "ndcg_at_10_vs_baseline": dice.uniform(0.021, 0.05),
        "span_coverage": dice.uniform(0.985, 0.999),
        "error_rate": 0.0,
        "cpu_share": dice.uniform(0.3, 0.55),
        "memory_share": dice.uniform(0.2, 0.5),
    }
    metrics = tuple(
        Metric(name, value, 300 if name.startswith("recall_at_50_") else 1500) for name, value in values.items()
    )
    return Measurement(slice_name, slice_name.split("/")[1], metrics, str(digest_of(slice_name + str(seed))))


SIGNS = {
    "tail_ratio": "≤",
    "p95_vs_baseline": "≤",
    "p99_vs_baseline": "≤",
    "error_rate": "≤",
    "cpu_share": "<",
    "memory_share": "<",
}


def passing_answers(measured: Measurement) -> list[Answer]:
    """What the gates say about a healthy slice."""
    answers = [
        Answer(
            *(
                "slice_present",
                measured.slice,
                Verdict.PASS,
                f"{measured.corpus} was indexed, asked and measured",
            ),
            *(1.0, 1.0, 1, measured.evidence),
        )
    ]
    for gate, threshold in THRESHOLDS.items():
        metric = measured.get(gate)
        reason = f"{metric.value:.4g} holds against {threshold:g}"
        answers.append(
            Answer(
                gate,
                measured.slice,
                Verdict.PASS,
                reason,
                metric.value,
                threshold,
                metric.sample_count,
                measured.evidence,
                SIGNS.get(gate, "≥"),
            )
        )
    return answers


def night_of(day: date, verdict: Verdict | None = Verdict.PASS, attempt: int = 1, **changes: object) -> Night:
    """A night with everything that it is bound to; ``verdict`` None leaves it OPEN."""
    opened = datetime(day.year, day.month, day.day, 2, tzinfo=UTC)
    candidate = Candidate("0.2.0", digest_of("wheel 0.2.0"), "4f0c1f7a9be1a0d54be6e6c2a7e0d3a1c0ffee42", dirty=False)
    night = Night(
        night_id=f"{day}.{attempt}",
        night_date=day,
        attempt=attempt,
        candidate=candidate,
        baseline=Candidate("0.1.0", digest_of("wheel 0.1.0"), "ab12" * 10, dirty=False),
        policy_digest=digest_of("policy"),
        dataset_digest=digest_of("dataset"),
        slices=SLICES,
        seed=20261124,
        duration_minutes=0.25,
        folder=f"nights/{day}.{attempt}",
        state=NightState.CLOSED if verdict else NightState.OPEN,
        verdict=verdict,
        reason="" if verdict is not Verdict.ERROR else "the kernel of backend/python/large died in cell 3",
        opened_at=opened,
        closed_at=opened + timedelta(minutes=9) if verdict else None,
    )
    return replace(night, **changes)  # type: ignore[arg-type]


def add_night(
    lens: FakeLens,
    night: Night,
    spoil: Callable[[list[Answer]], list[Answer]] = lambda answers: answers,
    slices: Sequence[str] = SLICES,
    *,
    files: bool = True,
) -> None:
    """Put ``night`` into ``lens``: measurements of ``slices``, the answers as ``spoil`` leaves them, files."""
    measured = tuple(measurement(name, night.night_date.toordinal()) for name in slices)
    answers = [answer for item in measured for answer in passing_answers(item)]
    answers += [
        Answer("vulnerabilities", "", Verdict.PASS, "no critical and no high finding", 0.0, 0.0, 71),
        Answer("compatibility", "", Verdict.PASS, "no breaking change", 0.0, 0.0, 3),
    ]
    lens.held_nights.append(night)
    lens.held_measurements[night.night_id] = measured
    lens.held_answers[night.night_id] = tuple(spoil(answers))
    if files:
        lens.held_evidence[night.night_id] = tuple(_write_files(lens.home, night, slices))


def _write_files(home: Path, night: Night, slices: Sequence[str]) -> list[Evidence]:
    script = home / "nights/assets/plotly-7.1.0.min.js"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text("window.plotlyArrived = true;")
    page = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>nightly_report</title>"
        "<script src='../../assets/plotly-7.1.0.min.js'></script></head><body><h1>Nightly report {id}</h1>"
        "<p id='drawn'></p><script>document.getElementById('drawn').textContent ="
        " window.plotlyArrived ? 'the script beside it was loaded' : 'no script';</script></body></html>"
    ).replace("{id}", night.night_id)
    notebook = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    files: dict[str, str | bytes] = {"report/nightly_report.html": page, "report/nightly_report.ipynb": notebook}
    for name in slices:
        slug = name.replace("/", "-")
        files[f"{slug}/slice_validation.html"] = page
        files[f"{slug}/slice_validation.ipynb"] = notebook
        files[f"{slug}/measurement.json"] = "{}"
        table = io.BytesIO()
        lens_samples(night.night_id, name).to_parquet(table)
        files[f"{slug}/samples.parquet"] = table.getvalue()
    evidence = []
    for relative, text in files.items():
        path = home / night.folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        content = text.encode() if isinstance(text, str) else text
        path.write_bytes(content)
        evidence.append(Evidence(f"{night.folder}/{relative}", digest_of(content), len(content)))
    loaded = script.read_bytes()
    evidence.append(Evidence("nights/assets/plotly-7.1.0.min.js", digest_of(loaded), len(loaded)))
    return evidence


_NOTHING: dict[str, object] = {"value": None, "sample_count": 0}
_NOT_YET = "not there yet: nothing in this version of Lens measures it, so it cannot pass"
_FIRST = "waived: policy names 0.2.0 as the first release, there is no baseline"
_FEW = "0.8 from 21 samples, at least 30 are needed"
_BLEMISHES: dict[tuple[str, str], dict[str, object]] = {
    ("backend/python/large", "tail_ratio"): {"verdict": Verdict.FAIL, "value": 2.31, "reason": "2.31 is not ≤ 2"},
    ("monorepo/mixed/large", "recall_at_50_nl"): {
        "verdict": Verdict.FAIL,
        "value": 0.7213,
        "reason": "0.7213 is not ≥ 0.75",
    },
    ("frontend/typescript/small", "recall_at_50_nl"): {
        "verdict": Verdict.INCONCLUSIVE,
        "value": 0.8,
        "sample_count": 21,
        "reason": _FEW,
    },
    ("frontend/javascript/medium", "cpu_share"): {
        **_NOTHING,
        "verdict": Verdict.ERROR,
        "reason": "nothing was measured for cpu_share",
    },
    ("", "vulnerabilities"): _NOTHING | {"verdict": Verdict.INCONCLUSIVE, "threshold": None, "reason": _NOT_YET},
    ("", "compatibility"): _NOTHING | {"verdict": Verdict.INCONCLUSIVE, "threshold": None, "reason": _NOT_YET},
    **{(name, "ndcg_at_10_vs_baseline"): _NOTHING | {"verdict": Verdict.WAIVED, "reason": _FIRST} for name in SLICES},
}


def spoiled(answers: list[Answer]) -> list[Answer]:
    """A realistic bad night: a tail that is too long, a class below its floor, gates without evidence."""
    return [
        replace(answer, **_BLEMISHES.get((answer.slice, answer.gate), {}))  # type: ignore[arg-type]
        for answer in answers
    ]


def seeded(home: Path, count: int = 14, last: Verdict = Verdict.FAIL, *, files: bool = True) -> FakeLens:
    """A ledger of ``count`` nights, the newest one a realistic bad one unless ``last`` says PASS."""
    lens = FakeLens(home)
    for back in range(count - 1, 0, -1):
        verdict = Verdict.FAIL if back % 6 == 5 else Verdict.PASS
        add_night(lens, night_of(NEWEST - timedelta(days=back), verdict), files=files and back == 1)
    spoil = spoiled if last is Verdict.FAIL else lambda answers: answers
    changes: dict[str, object] = {"reason": "4 answers do not pass"} if last is Verdict.FAIL else {}
    add_night(lens, night_of(NEWEST, last, **changes), spoil)
    return lens


def write_ledger(lens: FakeLens) -> None:
    """Record the nights of ``lens`` in the real ledger of its home, oldest first."""
    ledger = SqlLedger(lens.home / "lens.db")
    for night in reversed(lens.nights()):
        for release in filter(None, (night.baseline, night.candidate)):
            ledger.add_candidate(release, night.opened_at)
        opened = ledger.open_night(replace(night, state=NightState.OPEN))
        assert opened.folder == night.folder
        answers = lens.answers(night.night_id)
        measured = lens.measurements(night.night_id)
        for item in measured:
            ledger.record_slice(night.night_id, item, [a for a in answers if a.slice == item.slice])
        if night.verdict and night.closed_at:
            slices = {item.slice for item in measured}
            rest = [answer for answer in answers if answer.slice not in slices]
            evidence = lens.evidence(night.night_id)
            ledger.close_night(night.night_id, night.verdict, night.reason, rest, evidence, night.closed_at)
