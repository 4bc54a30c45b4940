"""The advisory source ``osv-dir``: OSV records in files, as ``.json``, ``.jsonl``, ``.jsonl.gz`` or ``.zip``."""

import gzip
import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path

from lens_core.supply.advisories import AdvisoryReport, Canary, canaries_of, scale_of
from lens_core.supply.osv import AdvisoryIndex, Record, ecosystem_of, expect_record
from lens_core.supply.words import Component, Progress, Severity

VERSION = "1"
_KINDS = (".json", ".jsonl", ".jsonl.gz", ".zip")
_BROKEN = (OSError, EOFError, zlib.error, zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError)
"""What a damaged file raises: truncated gzip, bad zip, text that is no UTF-8 or no JSON."""


@dataclass(frozen=True, slots=True)
class _Data:
    index: AdvisoryIndex
    digest: str
    errors: tuple[str, ...]


class OsvDirectory:
    """Keeps the port ``AdvisorySource`` with records on disk, read once.

    ``path`` is one file or a folder that is searched for such files. The data's date is the newest
    ``modified`` of the records, per ecosystem, and of those that were asked about the oldest: a copy's own
    date would say when it was copied. A snapshot is at least that old as its newest record says, so a young
    one of a sleepy database may look stale; never the other way round.
    """

    name = "osv-dir"

    def __init__(self, path: Path, *, progress: Progress = lambda _: None) -> None:
        self._path = path
        self._progress = progress

    def ask(self, components: Sequence[Component]) -> AdvisoryReport:
        """Match all components with the records; what cannot be read stands in the report's errors."""
        data = self._data
        index = data.index
        answered = [component for component in components if index.knows(component)]
        known = {component.purl for component in answered}
        canaries = canaries_of(components)
        records = sum(index.records.values())
        return AdvisoryReport(
            source=self.name,
            source_version=VERSION,
            database=data.digest,
            records=records,
            data_date=_oldest_of_newest(index, answered),
            expires=None,
            asked=tuple(component.purl for component in components),
            answered=tuple(sorted(known)),
            unanswered=tuple(
                (c.purl, f"no records of {ecosystem_of(c) or scale_of(c)}") for c in components if c.purl not in known
            ),
            vulnerabilities=tuple(found for component in answered for found in index.match(component)),
            canaries=tuple(
                Canary(c.purl, scale_of(c), tuple(found.ids[0] for found in index.match(c))) for c in canaries
            ),
            errors=data.errors if records or data.errors else ("it holds no records",),
        )

    def severity_of(self, vulnerability_id: str) -> Severity:
        """How bad the records say an id or alias is, for sources that do not say."""
        return self._data.index.severity_of(vulnerability_id)

    @cached_property
    def _data(self) -> _Data:
        self._progress("reading advisories")
        whole = hashlib.sha256()
        records: list[Record] = []
        errors: list[str] = []
        for name, read in self._files():
            try:
                content = read()
                whole.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
                records.extend(map(expect_record, _records(name, content)))
            except _BROKEN as error:
                errors.append(f"{name or 'the file'} cannot be read ({type(error).__name__})")
        if not self._path.exists():
            errors.append("the directory is not there")
        return _Data(AdvisoryIndex(records), f"sha256:{whole.hexdigest()}", tuple(errors))

    def _files(self) -> Iterator[tuple[str, Callable[[], bytes]]]:
        """Name below the folder (a single file has none: where it lies is nobody's business) and reader of each."""
        if self._path.is_file():
            yield self._path.name, self._path.read_bytes
            return
        for path in sorted(self._path.rglob("*")):
            if path.is_file() and path.name.endswith(_KINDS):
                yield path.relative_to(self._path).as_posix(), path.read_bytes


def _records(name: str, content: bytes) -> Iterator[object]:
    if name.endswith(".zip"):
        with zipfile.ZipFile(BytesIO(content)) as archive:
            for member in sorted(archive.namelist()):
                if member.endswith(".json"):
                    yield json.loads(archive.read(member))
    elif name.endswith((".jsonl", ".jsonl.gz")):
        for line in (gzip.decompress(content) if name.endswith(".gz") else content).splitlines():
            if line.strip():
                yield json.loads(line)
    else:
        yield json.loads(content)


def _oldest_of_newest(index: AdvisoryIndex, answered: Sequence[Component]) -> datetime | None:
    ecosystems = {ecosystem_of(component) for component in answered} or set(index.records)
    dates = [moment(index.newest(ecosystem)) for ecosystem in ecosystems]
    legible = [date for date in dates if date is not None]
    return min(legible) if legible and len(legible) == len(dates) else None


def moment(text: str) -> datetime | None:
    """An RFC 3339 time in UTC, to the second; None when it is none, or names no zone."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read.astimezone(UTC).replace(microsecond=0) if read.tzinfo else None
