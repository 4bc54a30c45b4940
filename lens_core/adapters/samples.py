"""What a slice's run left behind: raw samples as Parquet, what was observed beside them as JSON."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lens_core.errors import IntegrityError
from lens_core.measure import ControlSample, Observed, Sample, SliceRun
from lens_core.model import Digest
from lens_core.quality import Coverage
from lens_core.rounds import Round, RunPlan

_LOST = "the night has lost evidence: it cannot be verified any more"
_SAMPLES, _BASELINE, _CONTROL, _OBSERVED = (
    "samples.parquet",
    "baseline.parquet",
    "control.parquet",
    "measurement.json",
)
_SCHEMA = pa.schema(
    [
        ("seq", pa.int64()),
        ("round_number", pa.int32()),
        ("question_id", pa.string()),
        ("query_class", pa.string()),
        ("intended_s", pa.float64()),
        ("latency_ms", pa.float64()),
        ("service_ms", pa.float64()),
        ("lag_ms", pa.float64()),
        ("status", pa.int32()),
        ("rank_digest", pa.string()),
        ("hit_count", pa.int32()),
        ("relevant_ranks", pa.list_(pa.int32())),
        ("relevant_total", pa.int32()),
        ("recall_at_50", pa.float64()),
        ("ndcg_at_10", pa.float64()),
    ]
)


_CONTROL_SCHEMA = pa.schema(
    [
        ("round_number", pa.int32()),
        ("kind", pa.string()),
        ("intended_s", pa.float64()),
        ("latency_ms", pa.float64()),
        ("lag_ms", pa.float64()),
        ("status", pa.int32()),
    ]
)


class ParquetSamples:
    """Keeps the ``EvidenceStore`` port on files."""

    def write_run(self, folder: Path, run: SliceRun) -> None:
        """Write the samples of candidate, baseline and control, then what was observed; each file appears whole."""
        folder.mkdir(parents=True, exist_ok=True)
        _write_table(folder / _SAMPLES, run.samples, _SCHEMA)
        if run.baseline is not None:
            _write_table(folder / _BASELINE, run.baseline, _SCHEMA)
        _write_table(folder / _CONTROL, run.control, _CONTROL_SCHEMA)
        # That a baseline was asked is part of what was observed: its file cannot be forgotten quietly.
        observed = {**asdict(run.observed), "baseline_asked": run.baseline is not None}
        self.write_text(folder / _OBSERVED, json.dumps(observed, sort_keys=True, indent=1) + "\n")

    def read_run(self, folder: Path) -> SliceRun:
        """IntegrityError when a file is missing or not what was written."""
        observed, baseline_asked = _read_observed(folder / _OBSERVED)
        return SliceRun(
            samples=_read_samples(folder / _SAMPLES),
            baseline=_read_samples(folder / _BASELINE) if baseline_asked else None,
            control=_read_control(folder / _CONTROL),
            observed=observed,
        )

    def read_control(self, folder: Path) -> tuple[tuple[Round, ...], tuple[ControlSample, ...]]:
        """Rounds and control alone: a hundredth of what the samples weigh."""
        observed, _ = _read_observed(folder / _OBSERVED)
        return observed.rounds, _read_control(folder / _CONTROL)

    def samples_digest(self, folder: Path) -> Digest:
        """SHA-256 of the candidate's samples; IntegrityError when they are missing."""
        return self.digest(folder / _SAMPLES)

    def frame(self, folder: Path) -> pd.DataFrame:
        """The candidate's samples as a table, for drawing."""
        try:
            return pd.read_parquet(folder / _SAMPLES)
        except (OSError, pa.ArrowException) as error:
            raise IntegrityError(f"the samples in {folder} cannot be read: {error}", _LOST) from error

    def index_files(self, folder: Path) -> Mapping[str, str]:
        """The files of the indexes that were asked; empty where nothing was observed."""
        file = folder / _OBSERVED
        return dict(_read_json(file).get("index_files", {})) if file.exists() else {}

    def write_text(self, file: Path, text: str) -> None:
        """Write UTF-8 text; the file appears whole."""
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(file.suffix + ".part")
        part.write_text(text, encoding="utf-8")
        part.replace(file)

    def file_digests(self, folder: Path) -> dict[str, str]:
        """Relative path → hex SHA-256 of every file below ``folder``, sorted."""
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): self.digest(path).hex for path in files}

    def remove(self, folder: Path) -> None:
        """Remove a folder with all that is in it, if it is there."""
        shutil.rmtree(folder, ignore_errors=True)

    def digest(self, file: Path) -> Digest:
        """SHA-256 of a file's bytes; IntegrityError when it is not there."""
        try:
            with file.open("rb") as handle:
                return Digest("sha256:" + hashlib.file_digest(handle, "sha256").hexdigest())
        except OSError as error:
            raise IntegrityError(f"{file} is missing: {error}", _LOST) from error


def _write_table(file: Path, samples: Sequence[Sample] | Sequence[ControlSample], schema: pa.Schema) -> None:
    rows = [{name: getattr(sample, name) for name in schema.names} for sample in samples]
    part = file.with_suffix(".part")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), part, compression="zstd")
    part.replace(file)


def _read_rows(file: Path, schema: pa.Schema) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = pq.read_table(file, schema=schema).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise IntegrityError(f"the samples {file} cannot be read: {error}", _LOST) from error
    return rows


def _read_samples(file: Path) -> tuple[Sample, ...]:
    rows = _read_rows(file, _SCHEMA)
    return tuple(Sample(**{**row, "relevant_ranks": tuple(row["relevant_ranks"])}) for row in rows)


def _read_json(file: Path) -> dict[str, Any]:
    try:
        raw = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{file} cannot be read: {error}", _LOST) from error
    if not isinstance(raw, dict):
        raise IntegrityError(f"{file} holds no object", _LOST)
    return raw


def _read_control(file: Path) -> tuple[ControlSample, ...]:
    return tuple(ControlSample(**row) for row in _read_rows(file, _CONTROL_SCHEMA))


def _read_observed(file: Path) -> tuple[Observed, bool]:
    """What was observed, and whether a baseline was asked."""
    raw = _read_json(file)
    try:
        baseline_asked = bool(raw.pop("baseline_asked"))
        made = {
            "hit_validity": _coverage(raw["hit_validity"]),
            "definition_coverage": _coverage(raw["definition_coverage"]),
            "plan": RunPlan(**{**raw["plan"], "look_ends": tuple(raw["plan"]["look_ends"])}),
            "rounds": tuple(Round(**item) for item in raw["rounds"]),
        }
        return Observed(**{**raw, **made}), baseline_asked
    except (ValueError, TypeError, KeyError) as error:
        raise IntegrityError(f"{file} cannot be read: {error}", _LOST) from error


def _coverage(raw: dict[str, Any]) -> Coverage:
    return Coverage(raw["good"], raw["total"], tuple(raw["examples"]))
