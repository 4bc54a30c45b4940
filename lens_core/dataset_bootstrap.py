"""Joins what nights are asked: the catalogue of slices, and the digest of everything the questions depend on."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from lens_core.adapters.samples import ParquetSamples
from lens_core.catalogue import Catalogue, parse_catalogue
from lens_core.config import Settings
from lens_core.drills.previous import Previous, parse_previous
from lens_core.errors import InvalidInput
from lens_core.model import Digest
from lens_core.truth import TRUTH_RULES_VERSION

_PROJECT = Path(__file__).resolve().parent.parent


def open_catalogue(settings: Settings) -> Catalogue:
    """The slices that nights are of; InvalidInput when the catalogue cannot be used."""
    return parse_catalogue(data_file(settings, "slices.toml").read_text(encoding="utf-8"))


def open_dataset_digest(settings: Settings) -> Digest:
    """What the questions depend on, beside the seed: the corpora, the rules of truth, how many are asked."""
    catalogue = open_catalogue(settings)
    definitions: Mapping[str, str] = ParquetSamples().file_digests(data_file(settings, "definitions"))
    parts = [str(catalogue.digest), TRUTH_RULES_VERSION, settings.load.questions_per_class, dict(definitions)]
    return Digest("sha256:" + hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest())


def open_previous(settings: Settings) -> tuple[Previous, ...]:
    """The previous versions that a candidate must be drilled against."""
    return parse_previous(data_file(settings, "previous/versions.toml").read_text(encoding="utf-8"))


def data_file(settings: Settings, name: str) -> Path:
    """A reviewed data file: beside ``lens.toml`` when that folder has its own, else the project's."""
    own = settings.root / "data" / name
    file = own if own.exists() else _PROJECT / "data" / name
    if not file.exists():
        raise InvalidInput(f"expected {file}, saw no such file", "work in a clone of the repository")
    return file
