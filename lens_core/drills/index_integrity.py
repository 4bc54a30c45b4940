"""Whether an index is what was written, examined in pure Python and without tantivy.

tantivy opens damaged files without a word and then answers wrongly or panics. Here every file is held against its
own footer, against ``meta.json`` and ``.managed.json`` of its folder, and against the engine's ``manifest.json``.
An index folder holds the chunks in its root and the scopes in ``scopes/``, each a tantivy index of its own.
"""

import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from lens_core.drills.index_footer import split
from lens_core.errors import IntegrityError

MANIFEST: Final = "manifest.json"
META: Final = "meta.json"
MANAGED: Final = ".managed.json"
SCOPES: Final = "scopes/"
SEGMENT_KINDS: Final = (".store", ".idx", ".term", ".pos", ".fast", ".fieldnorm")
"""The files of every segment; deletions add a ``.del``."""
FILE_KINDS: Final = (*SEGMENT_KINDS, META, MANAGED, MANIFEST)
NEWEST_FORMAT: Final = 7
"""The index format of tantivy 0.24 to 0.27; 0.22 writes 6, 0.20 and 0.21 write 5."""
_LOCK: Final = ".lock"
_SEGMENT_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Fault(StrEnum):
    """What can be wrong with a file of an index."""

    DAMAGED = "damaged"
    TRUNCATED = "truncated"
    MISSING = "missing"
    EXTRA = "extra"
    NO_FOOTER = "no footer"
    NEWER_FORMAT = "newer format"
    MIXED_FORMATS = "mixed formats"
    UNREADABLE = "unreadable"
    DISAGREES = "disagrees"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """``file`` relative to the index, what is wrong with it, what was expected, what was seen."""

    file: str
    fault: Fault
    expected: str
    seen: str

    def __str__(self) -> str:
        return f"{self.file}: {self.fault}: expected {self.expected}, saw {self.seen}"


def kind_of(file: str) -> str:
    """The kind of an index's file: its ending, or the name of a JSON file; one of ``FILE_KINDS`` or "other"."""
    name = file.rpartition("/")[2]
    if name in FILE_KINDS:
        return name
    return next((kind for kind in (*SEGMENT_KINDS, ".del") if name.endswith(kind)), "other")


def examine(files: Mapping[str, bytes], *, newest_format: int = NEWEST_FORMAT) -> tuple[Finding, ...]:
    """Everything that is wrong with the index of ``files`` (path relative to it → bytes), sorted; () when whole.

    ``newest_format`` is the newest index format that the reader knows. No files at all are no whole index.
    """
    present = {name: content for name, content in files.items() if not name.endswith(_LOCK)}
    findings = [*_against_manifest(present)]
    for folder in ("", SCOPES):
        findings += examine_store(present, folder, newest_format=newest_format)
    return tuple(sorted(set(findings)))


def examine_store(
    files: Mapping[str, bytes], folder: str = "", *, newest_format: int = NEWEST_FORMAT
) -> tuple[Finding, ...]:
    """What is wrong with the one tantivy index in ``folder`` ("" or ending in "/") of ``files``; see ``examine``."""
    inside = {
        name.removeprefix(folder): content
        for name, content in files.items()
        if name.startswith(folder) and "/" not in name.removeprefix(folder) and not name.endswith(_LOCK)
    }
    found = [*_footers(inside, newest_format), *_against_meta(inside)]
    return tuple(sorted(Finding(folder + one.file, one.fault, one.expected, one.seen) for one in found))


def formats(files: Mapping[str, bytes]) -> dict[str, int]:
    """The index format of each file that has a footer."""
    found = {}
    for name, content in files.items():
        try:
            found[name] = split(content)[1].index_format
        except IntegrityError:
            continue
    return found


def _footers(files: Mapping[str, bytes], newest_format: int) -> Iterator[Finding]:
    segments = {name: content for name, content in files.items() if kind_of(name) in {*SEGMENT_KINDS, ".del"}}
    for name, content in segments.items():
        try:
            body, footer = split(content)
        except IntegrityError as error:
            yield Finding(name, Fault.NO_FOOTER, "a footer of tantivy", error.message)
            continue
        if footer.index_format > newest_format:
            yield Finding(name, Fault.NEWER_FORMAT, f"format {newest_format} or older", f"{footer.index_format}")
        if not footer.crc_holds(body):
            yield Finding(name, Fault.DAMAGED, f"the CRC-32 {footer.crc}", f"{zlib.crc32(body)}")
    yield from _mixture(formats(segments))


def _mixture(seen: Mapping[str, int]) -> Iterator[Finding]:
    """The files of the rarer formats, where there is more than one."""
    counts = Counter(seen.values())
    common = max(counts, key=lambda number: (counts[number], number), default=0)
    for name in (name for name, number in seen.items() if number != common):
        yield Finding(name, Fault.MIXED_FORMATS, f"format {common} as in the other files", f"{seen[name]}")


def _against_meta(files: Mapping[str, bytes]) -> Iterator[Finding]:
    """The files that ``meta.json`` and ``.managed.json`` name, against those that are there."""
    try:
        wanted = set(_segment_files(_json_of(files, META)))
        managed = _managed(_json_of(files, MANAGED))
    except _Unread as unread:
        yield unread.finding
        return
    there = files.keys() - {META, MANAGED, MANIFEST}
    for name in sorted(wanted - there):
        yield Finding(name, Fault.MISSING, f"a file that {META} names", "none")
    for name in sorted(wanted - managed):
        yield Finding(MANAGED, Fault.DISAGREES, f"the entry {name}", "none")
    if META not in managed:
        yield Finding(MANAGED, Fault.DISAGREES, f"the entry {META}", "none")
    for name in sorted(managed - wanted - there - {META}):
        yield Finding(MANAGED, Fault.DISAGREES, "only files that are there", name)
    for name in sorted(there - wanted - managed):
        yield Finding(name, Fault.EXTRA, f"only what {META} and {MANAGED} name", "one more")


def _segment_files(meta: Any) -> Iterator[str]:
    """The files of all segments; a segment that is no such thing is Unread."""
    seen = set()
    for segment in _list_in(meta, "segments"):
        try:
            name, deletes = segment["segment_id"].replace("-", ""), segment["deletes"]
            whole = bool(_SEGMENT_ID.fullmatch(segment["segment_id"])) and name not in seen and segment["max_doc"] >= 0
            deleted = None if deletes is None else f"{name}.{deletes['opstamp']:d}.del"
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _Unread(META, "segments with id, size and deletions", f"{segment!r:.80}") from error
        if not whole:
            raise _Unread(META, "segments of different ids and sizes from 0", f"{segment!r:.80}")
        seen.add(name)
        yield from (name + kind for kind in SEGMENT_KINDS)
        if deleted is not None:
            yield deleted


def _list_in(meta: Any, key: str) -> list[Any]:
    """A list of ``meta.json``, which also must have a schema and an opstamp."""
    if not isinstance(meta, dict) or not isinstance(meta.get("schema"), list) or type(meta.get("opstamp")) is not int:
        raise _Unread(META, "an object with schema and opstamp", f"{meta!r:.80}")
    if not isinstance(meta.get(key), list):
        raise _Unread(META, f"a list of {key}", f"{meta.get(key)!r:.80}")
    return list(meta[key])


def _managed(names: Any) -> set[str]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _Unread(MANAGED, "a list of names", f"{names!r:.80}")
    if len(set(names)) != len(names):
        raise _Unread(MANAGED, "each name once", f"{names!r:.80}")
    return set(names)


def _against_manifest(files: Mapping[str, bytes]) -> Iterator[Finding]:
    """Sizes and CRCs of all files against the engine's own manifest."""
    try:
        entries = dict(_entries(_json_of(files, MANIFEST)))
    except _Unread as unread:
        yield unread.finding
        return
    there = files.keys() - {MANIFEST}
    for name in sorted(there - entries.keys()):
        yield Finding(name, Fault.EXTRA, f"only what {MANIFEST} names", "one more")
    for name, (size, crc) in sorted(entries.items()):
        if name not in there:
            yield Finding(name, Fault.MISSING, f"a file that {MANIFEST} names", "none")
        elif len(files[name]) < size:
            yield Finding(name, Fault.TRUNCATED, f"{size:,} bytes", f"{len(files[name]):,}")
        elif (len(files[name]), zlib.crc32(files[name])) != (size, crc):
            seen = f"{len(files[name]):,} bytes, CRC-32 {zlib.crc32(files[name])}"
            yield Finding(name, Fault.DAMAGED, f"{size:,} bytes, CRC-32 {crc}", seen)


def _entries(manifest: Any) -> Iterable[tuple[str, tuple[int, int]]]:
    try:
        entries = [(name, (entry["size_bytes"], entry["crc32"])) for name, entry in manifest["files"].items()]
    except (AttributeError, KeyError, TypeError) as error:
        raise _Unread(MANIFEST, "the size and CRC-32 of each file", f"{manifest!r:.80}") from error
    for name, numbers in entries:
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise _Unread(MANIFEST, f"whole numbers for {name}", f"{numbers!r:.80}")
    return entries


def _json_of(files: Mapping[str, bytes], name: str) -> Any:
    if name not in files:
        raise _Unread(name, "the file", "none", Fault.MISSING)
    try:
        return json.loads(files[name].decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _Unread(name, "JSON with each key once", f"{error!s:.80}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key that occurs twice")
    return made


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


class _Unread(IntegrityError):
    """Ends the reading of a JSON file that holds something else."""

    def __init__(self, file: str, expected: str, seen: str, fault: Fault = Fault.UNREADABLE) -> None:
        super().__init__(f"{file}: expected {expected}, saw {seen}")
        self.finding = Finding(file, fault, expected, seen)
