"""Raw samples as Parquet, and what was observed beside them as JSON."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lens_core.errors import IntegrityError
from lens_core.measure import Observed, Sample
from lens_core.model import Digest
from lens_core.quality import Coverage

_LOST = "the night has lost evidence: it cannot be verified any more"
_SCHEMA = pa.schema(
    [
        ("seq", pa.int64()),
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


class ParquetSamples:
    """Keeps the ``EvidenceStore`` port on files."""

    def write_samples(self, file: Path, samples: Sequence[Sample]) -> None:
        """Write all samples, or nothing: the file appears whole."""
        rows = [{f.name: getattr(sample, f.name) for f in fields(Sample)} for sample in samples]
        part = file.with_suffix(".part")
        pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), part, compression="zstd")
        part.replace(file)

    def read_samples(self, file: Path) -> tuple[Sample, ...]:
        """IntegrityError when the file is missing or not what was written."""
        try:
            rows: list[dict[str, Any]] = pq.read_table(file, schema=_SCHEMA).to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise IntegrityError(f"the samples {file} cannot be read: {error}", _LOST) from error
        return tuple(Sample(**{**row, "relevant_ranks": tuple(row["relevant_ranks"])}) for row in rows)

    def frame(self, file: Path) -> pd.DataFrame:
        """The samples as a table, for drawing."""
        try:
            return pd.read_parquet(file)
        except (OSError, pa.ArrowException) as error:
            raise IntegrityError(f"the samples {file} cannot be read: {error}", _LOST) from error

    def write_observed(self, file: Path, observed: Observed) -> None:
        """Write what was observed as sorted JSON."""
        part = file.with_suffix(".part")
        part.write_text(json.dumps(asdict(observed), sort_keys=True, indent=1) + "\n")
        part.replace(file)

    def read_observed(self, file: Path) -> Observed:
        """IntegrityError when the file is missing or not what was written."""
        try:
            raw = json.loads(file.read_bytes())
            coverage = {
                name: Coverage(raw[name]["good"], raw[name]["total"], tuple(raw[name]["examples"]))
                for name in ("hit_validity", "definition_coverage")
            }
            return Observed(**{**raw, **coverage})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise IntegrityError(f"{file} cannot be read: {error}", _LOST) from error

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
