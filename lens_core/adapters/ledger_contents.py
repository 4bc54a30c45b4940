"""What the ledger's tables hold, read by plain SQL: the side of the verifier, which knows nothing of how it is written.

``contents`` gives the digest of each thing that an audit entry can speak of, under the name that the entry gives it.
"""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

from lens_core import audit_records as records
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
_SCANS = "SELECT candidate_digest, at, verdict, reason FROM scan"


def contents(query: Query) -> dict[str, str]:
    """Every thing that the ledger holds, and its digest (see ``audit_records.claims``)."""
    candidates = {
        digest: Candidate(version, Digest(digest), commit, bool(dirty))
        for digest, version, commit, dirty in query(_CANDIDATES)
    }
    held = {records.held_candidate(name): records.candidate_record(one) for name, one in candidates.items()}
    for *row, pushed_to in query(_RELEASES):
        release = _release(row, candidates)
        held[records.held_release(release.version)] = records.release_record(release)
        if pushed_to:
            held[records.held_push(release.version)] = pushed_to
    answers, measurements, evidence = _answers(query), _measurements(query), _evidence(query)
    for row in query(_NIGHTS):
        night = _night(row, candidates)
        held[records.held_opening(night.night_id)] = records.opening_record(night)
        if night.state is NightState.CLOSED:
            held[records.held_night(night.night_id)] = records.night_record(
                night,
                answers.get(night.night_id, []),
                measurements.get(night.night_id, []),
                evidence.get(night.night_id, []),
            )
    for digest, candidate, act, content in query(_STATEMENTS):
        seen = "sha256:" + sha256(content).hexdigest()
        held[records.held_statement(digest)] = (
            f"{act} {candidate}" if seen == digest else f"other content, of digest {seen}"
        )
    for candidate, at, verdict, reason in query(_SCANS):
        held[records.held_scan(records.scan_record(candidate, _moment(at), verdict, reason))] = candidate
    return held


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


def _answers(query: Query) -> dict[str, list[Answer]]:
    found: dict[str, list[Answer]] = {}
    for night_id, gate, name, verdict, reason, value, threshold, count, evidence, sign, interval in query(_ANSWERS):
        bounds = _interval(json.loads(interval or "null"))
        answer = Answer(gate, name, Verdict[verdict], reason, value, threshold, count, evidence, sign, bounds)
        found.setdefault(night_id, []).append(answer)
    return found


def _measurements(query: Query) -> dict[str, list[Measurement]]:
    found: dict[str, list[Measurement]] = {}
    for night_id, slice_name, corpus, metrics, evidence, invalid in query(_MEASUREMENTS):
        read = (Metric(name, value, count, _interval(bounds)) for name, value, count, bounds in json.loads(metrics))
        measured = Measurement(slice_name, corpus, tuple(read), evidence, tuple(json.loads(invalid)))
        found.setdefault(night_id, []).append(measured)
    return found


def _evidence(query: Query) -> dict[str, list[Evidence]]:
    found: dict[str, list[Evidence]] = {}
    for night_id, path, digest, size in query(_EVIDENCE):
        found.setdefault(night_id, []).append(Evidence(path, Digest(digest), size))
    return found


def _interval(stored: dict[str, Any] | None) -> Interval | None:
    return Interval(**stored) if stored else None


def _moment(stored: str) -> datetime:
    return datetime.fromisoformat(stored).replace(tzinfo=UTC)
