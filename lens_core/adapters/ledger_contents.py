"""What the ledger's tables hold, read by plain SQL: the side of the verifier, which knows nothing of how it is written.

``contents`` gives the digest of each thing that an audit entry can speak of, under the name that the entry gives it.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

from lens_core import audit_records as records
from lens_core.errors import LensError
from lens_core.model import (
    Answer,
    Candidate,
    Digest,
    Evidence,
    Interval,
    Measurement,
    Metric,
    Night,
    NightState,
    Release,
    Verdict,
)

Query = Callable[[str], Sequence[Any]]
"""Rows of one SELECT, as SQLite has them."""

_CANDIDATES = 'SELECT digest, version, "commit", dirty FROM candidate'
_RELEASES = (
    "SELECT version, candidate_digest, image_digest, manifest_digest, key_id, verdict, reason, cut_by, cut_at, folder, "
    "pushed_to FROM release"
)
_NIGHTS = (
    "SELECT night_id, night_date, attempt, candidate_digest, dirty, baseline_digest, policy_digest, dataset_digest, "
    "slices, seed, duration_minutes, folder, state, verdict, reason, opened_at, closed_at FROM night"
)
_ANSWERS = (
    "SELECT night_id, gate, slice, verdict, reason, value, threshold, sample_count, evidence, sign, interval "
    "FROM answer"
)
_MEASUREMENTS = "SELECT night_id, slice, corpus, metrics, evidence, invalid FROM measurement"
_EVIDENCE = "SELECT night_id, path, digest, size_bytes FROM evidence"
_STATEMENTS = "SELECT digest, candidate_digest, act, content FROM statement"
_SCANS = "SELECT row_id, candidate_digest, at, verdict, reason FROM scan"


def contents(query: Query) -> dict[str, str]:
    """Every thing that the ledger holds, and its digest (see ``audit_records.claims``).

    What cannot be read stands for nothing that an entry names, and says why.
    """
    held: dict[str, str] = {}
    candidates: dict[str, Candidate] = {}
    for digest, version, commit, dirty in query(_CANDIDATES):
        with _readable(held, records.held_candidate(digest)) as name:
            candidates[digest] = Candidate(version, Digest(digest), commit, bool(dirty))
            held[name] = records.candidate_record(candidates[digest])
    for *row, pushed_to in query(_RELEASES):
        with _readable(held, records.held_release(row[0])) as name:
            held[name] = records.release_record(_release(row, candidates))
        if pushed_to:
            held[records.held_push(row[0])] = str(pushed_to)
    _nights(query, candidates, held)
    for digest, candidate, act, content in query(_STATEMENTS):
        with _readable(held, records.held_statement(digest)) as name:
            seen = "sha256:" + sha256(content).hexdigest()
            held[name] = f"{act} {candidate}" if seen == digest else f"other content, of digest {seen}"
    for row_id, candidate, at, verdict, reason in query(_SCANS):
        with _readable(held, f"scan {row_id}"):
            held[records.held_scan(records.scan_record(candidate, _moment(at), verdict, reason))] = candidate
    return held


def _nights(query: Query, candidates: dict[str, Candidate], held: dict[str, str]) -> None:
    answers, measurements, evidence = (_by_night(query, of) for of in (_ANSWERS, _MEASUREMENTS, _EVIDENCE))
    for row in query(_NIGHTS):
        with (
            _readable(held, records.held_opening(row[0])) as opening,
            _readable(held, records.held_night(row[0])) as name,
        ):
            night = _night(row, candidates)
            held[opening] = records.opening_record(night)
            if night.state is NightState.CLOSED:
                held[name] = records.night_record(
                    night,
                    [_answer(one) for one in answers.get(row[0], ())],
                    [_measurement(one) for one in measurements.get(row[0], ())],
                    [_file(one) for one in evidence.get(row[0], ())],
                )


@contextmanager
def _readable(held: dict[str, str], name: str) -> Iterator[str]:
    """The name of a thing that is being read; tables that were edited may hold anything."""
    try:
        yield name
    except (ValueError, KeyError, TypeError, AttributeError, LensError) as error:
        held[name] = f"something that cannot be read: {error!r}"


def _by_night(query: Query, of: str) -> dict[str, list[Sequence[Any]]]:
    found: dict[str, list[Sequence[Any]]] = {}
    for night_id, *row in query(of):
        found.setdefault(night_id, []).append(row)
    return found


def _release(row: Sequence[Any], candidates: dict[str, Candidate]) -> Release:
    version, candidate, image, manifest, key, verdict, reason, cut_by, cut_at, folder = row
    return Release(
        version,
        candidates[candidate],
        Digest(image) if image else None,
        Digest(manifest),
        key,
        Verdict[verdict],
        reason,
        cut_by,
        _moment(cut_at),
        folder,
    )


def _night(row: Sequence[Any], candidates: dict[str, Candidate]) -> Night:
    (night_id, night_date, attempt, digest, dirty, baseline, policy, dataset, slices, seed, minutes, folder) = row[:12]
    state, verdict, reason, opened_at, closed_at = row[12:]
    known = candidates[digest]
    return Night(
        night_id=night_id,
        night_date=date.fromisoformat(night_date),
        attempt=attempt,
        candidate=Candidate(known.version, known.digest, known.commit, bool(dirty)),
        baseline=candidates[baseline] if baseline else None,
        policy_digest=Digest(policy),
        dataset_digest=Digest(dataset),
        slices=tuple(json.loads(slices)),
        seed=seed,
        duration_minutes=minutes,
        folder=folder,
        state=NightState(state),
        verdict=Verdict[verdict] if verdict else None,
        reason=reason,
        opened_at=_moment(opened_at),
        closed_at=_moment(closed_at) if closed_at else None,
    )


def _answer(row: Sequence[Any]) -> Answer:
    gate, name, verdict, reason, value, threshold, count, evidence, sign, interval = row
    bounds = _interval(json.loads(interval or "null"))
    return Answer(gate, name, Verdict[verdict], reason, value, threshold, count, evidence, sign, bounds)


def _measurement(row: Sequence[Any]) -> Measurement:
    name, corpus, metrics, evidence, invalid = row
    read = (Metric(metric, value, count, _interval(bounds)) for metric, value, count, bounds in json.loads(metrics))
    return Measurement(name, corpus, tuple(read), evidence, tuple(json.loads(invalid)))


def _file(row: Sequence[Any]) -> Evidence:
    path, digest, size = row
    return Evidence(path, Digest(digest), size)


def _interval(stored: dict[str, Any] | None) -> Interval | None:
    return Interval(**stored) if stored else None


def _moment(stored: str) -> datetime:
    return datetime.fromisoformat(stored).replace(tzinfo=UTC)
