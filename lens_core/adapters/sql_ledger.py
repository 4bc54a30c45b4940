"""Candidates and nights in the ledger, through SQLModel. Rows map to frozen dataclasses at this border."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from lens_core.adapters.audit_log import Trail
from lens_core.adapters.fencing import NIGHT, current_token
from lens_core.adapters.ledger_file import LedgerChange, LedgerFile, as_utc
from lens_core.adapters.night_rows import AnswerRow, CandidateRow, EvidenceRow, MeasurementRow, NightRow, ReleaseRow
from lens_core.audit import Note
from lens_core.audit_records import (
    answers_record,
    candidate_record,
    night_record,
    opening_record,
    release_record,
    slice_record,
)
from lens_core.errors import Conflict, InvalidInput
from lens_core.errors import IntegrityError as LensIntegrityError
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


class SqlLedger:
    """Keeps the ``Ledger`` port on one SQLite file; safe for several processes."""

    def __init__(self, file: Path, trail: Trail | None = None) -> None:
        self._file = LedgerFile(file, trail)

    def add_candidate(self, candidate: Candidate, now: datetime) -> None:
        """See ``Ledger``."""
        with self._file.change(now) as change:
            _add_candidate(change, candidate, now)

    def candidates(self) -> tuple[Candidate, ...]:
        """See ``Ledger``."""
        with self._file.session() as session:
            rows = session.exec(select(CandidateRow).order_by(col(CandidateRow.recorded_at).desc())).all()
            return tuple(_candidate(row, dirty=row.dirty) for row in rows)

    def record_release(self, release: Release) -> None:
        """See ``ReleaseLedger``."""
        with self._file.change() as change:
            session = change.session
            row = session.get(ReleaseRow, release.version)
            if row is not None and row.manifest_digest != str(release.manifest):
                raise Conflict(
                    f"version {release.version} is taken by a candidate with manifest {row.manifest_digest}",
                    "a version is cut once: name the next one",
                )
            if row is None:
                _add_candidate(change, release.candidate, release.cut_at)
                row = _release_row(release)
                session.add(row)
                session.flush()
                change.note(_release_note(_release(row, session.get_one(CandidateRow, row.candidate_digest))))

    def record_push(self, version: str, pushed_to: str) -> None:
        """See ``ReleaseLedger``."""
        with self._file.change() as change:
            row = change.session.get(ReleaseRow, version)
            if row is None:
                raise InvalidInput(f"there is no release {version}", "`lens releases` lists them")
            if row.pushed_to == pushed_to:
                return
            row.pushed_to = pushed_to
            change.session.add(row)
            facts = {"version": version, "pushed_to": pushed_to}
            change.note(Note("release.pushed", row.candidate_digest, "its image is in a registry", facts=facts))

    def releases(self) -> tuple[Release, ...]:
        """See ``ReleaseLedger``."""
        query = select(ReleaseRow, CandidateRow).join(CandidateRow).order_by(col(ReleaseRow.cut_at).desc())
        with self._file.session() as session:
            return tuple(_release(row, candidate) for row, candidate in session.exec(query))

    def open_night(self, night: Night, fence: int | None = None) -> Night:
        """See ``Ledger``. The id is the date and the attempt: ``2026-11-24.1``."""
        with self._file.change(night.opened_at) as change:
            session = change.session
            newest = current_token(session, NIGHT)
            _hold_newest(newest if fence is None else fence, newest)
            today = session.exec(select(NightRow).where(NightRow.night_date == night.night_date)).all()
            for row in today:
                rival = row.candidate_digest == str(night.candidate.digest) and row.slices == list(night.slices)
                if rival and row.verdict != Verdict.ERROR.name:
                    raise Conflict(
                        f"{night.night_date} has a night of this candidate over these slices already: "
                        f"{row.night_id} ({row.verdict or row.state})",
                        "one attempt a date counts; `lens night show` shows it, tomorrow is another night",
                        blockers=[f"night {row.night_id} ended {row.verdict or row.state}"],
                    )
            attempt = max((row.attempt for row in today), default=0) + 1
            night_id = f"{night.night_date}.{attempt}"
            opened = replace(night, night_id=night_id, attempt=attempt, folder=f"nights/{night_id}")
            row = _night_row(opened, newest)
            session.add(row)
            session.flush()
            held = _night(row, _known(session))  # the entry is of what the ledger holds, not of what was handed to it
            change.note(_night_note("night.opened", held, opening_record(held)))
            return opened

    def take_over(self, night_id: str, fence: int, now: datetime) -> None:
        """See ``Ledger``."""
        with self._file.change(now) as change:
            row = _still_open(change.session, night_id)
            _hold_newest(fence, current_token(change.session, NIGHT))
            if row.fence != fence:
                facts = {"night": night_id, "lease": NIGHT, "from": str(row.fence), "to": str(fence)}
                row.fence = fence
                change.session.add(row)
                change.note(Note("lease.taken", row.candidate_digest, "the process that ran it died", facts=facts))

    def close_night(
        self,
        night_id: str,
        verdict: Verdict,
        reason: str,
        answers: Sequence[Answer],
        evidence: Sequence[Evidence],
        now: datetime,
    ) -> None:
        """See ``Ledger``."""
        with self._file.change(now) as change:
            session = change.session
            row = _open_row(session, night_id)
            session.add_all(_answer_row(night_id, answer) for answer in answers)
            session.add_all(
                EvidenceRow(night_id=night_id, path=e.path, digest=str(e.digest), size_bytes=e.size_bytes)
                for e in evidence
            )
            row.state, row.verdict, row.reason, row.closed_at = NightState.CLOSED.value, verdict.name, reason, now
            session.add(row)
            session.flush()
            session.expire_all()  # the entry is of what the ledger holds, not of what was handed to it
            closed = _night(row, _known(session))
            held = _answers(session, night_id), _measurements(session, night_id), _evidence(session, night_id)
            facts = {"verdict": verdict.name}
            change.note(_night_note("night.closed", closed, night_record(closed, *held), reason, facts))

    def record_slice(self, night_id: str, measurement: Measurement, answers: Sequence[Answer]) -> None:
        """See ``Ledger``."""
        try:
            with self._file.change() as change:
                session = change.session
                row = _open_row(session, night_id)
                session.add(
                    MeasurementRow(
                        night_id=night_id,
                        slice=measurement.slice,
                        corpus=measurement.corpus,
                        metrics=[
                            [m.name, m.value, m.sample_count, _interval_row(m.interval)] for m in measurement.metrics
                        ],
                        evidence=measurement.evidence,
                        invalid=list(measurement.invalid),
                    )
                )
                session.add_all(_answer_row(night_id, answer) for answer in answers)
                facts = {"night": night_id, "slice": measurement.slice}
                record = slice_record(measurement, answers)
                change.note(Note("night.slice", row.candidate_digest, "a slice was measured", record, facts))
        except IntegrityError as error:
            raise Conflict(f"night {night_id} has {measurement.slice} already", "a slice is recorded once") from error

    def record_answers(self, night_id: str, answers: Sequence[Answer]) -> None:
        """See ``Ledger``."""
        with self._file.change() as change:
            row = _open_row(change.session, night_id)
            change.session.add_all(_answer_row(night_id, answer) for answer in answers)
            if answers:
                facts = {"night": night_id, "gates": ", ".join(sorted({answer.gate for answer in answers}))}
                record = answers_record(answers)
                change.note(Note("night.answers", row.candidate_digest, "gates answered", record, facts))

    def record_report(self, night_id: str) -> None:
        """See ``Ledger``."""
        with self._file.change() as change:
            row = _open_row(change.session, night_id)
            if not row.report_drawn:
                row.report_drawn = True
                change.session.add(row)
                facts = {"night": night_id}
                change.note(Note("night.report", row.candidate_digest, "its report was drawn", facts=facts))

    def has_report(self, night_id: str) -> bool:
        """See ``Ledger``."""
        with self._file.session() as session:
            return _row(session, night_id).report_drawn

    def nights(self) -> tuple[Night, ...]:
        """See ``Ledger``."""
        order = (col(NightRow.night_date).desc(), col(NightRow.attempt).desc())
        with self._file.session() as session:
            known = _known(session)
            rows = session.exec(select(NightRow).order_by(*order)).all()
            return tuple(_night(row, known) for row in rows)

    def answers(self, night_id: str) -> tuple[Answer, ...]:
        """See ``Ledger``."""
        with self._file.session() as session:
            return _answers(session, night_id)

    def measurements(self, night_id: str) -> tuple[Measurement, ...]:
        """See ``Ledger``."""
        with self._file.session() as session:
            return _measurements(session, night_id)

    def evidence(self, night_id: str) -> tuple[Evidence, ...]:
        """See ``Ledger``."""
        with self._file.session() as session:
            return _evidence(session, night_id)


def _known(session: Session) -> dict[str, CandidateRow]:
    return {row.digest: row for row in session.exec(select(CandidateRow))}


def _answers(session: Session, night_id: str) -> tuple[Answer, ...]:
    query = select(AnswerRow).where(AnswerRow.night_id == night_id).order_by(col(AnswerRow.row_id))
    return tuple(_answer(row) for row in session.exec(query))


def _measurements(session: Session, night_id: str) -> tuple[Measurement, ...]:
    query = select(MeasurementRow).where(MeasurementRow.night_id == night_id)
    return tuple(_measurement(row) for row in session.exec(query.order_by(col(MeasurementRow.row_id))))


def _evidence(session: Session, night_id: str) -> tuple[Evidence, ...]:
    query = select(EvidenceRow).where(EvidenceRow.night_id == night_id).order_by(col(EvidenceRow.path))
    return tuple(Evidence(row.path, Digest(row.digest), row.size_bytes) for row in session.exec(query))


def _night_note(what: str, night: Night, record: str, why: str = "", facts: Mapping[str, str] | None = None) -> Note:
    about = {"night": night.night_id, "date": str(night.night_date), "version": night.candidate.version}
    return Note(what, str(night.candidate.digest), why or "a night begins", record, {**about, **(facts or {})})


def _release_note(release: Release) -> Note:
    facts = {"version": release.version, "cut_by": release.cut_by, "release": release_record(release)}
    if release.pushed_to:
        facts["pushed_to"] = release.pushed_to
    return Note("release.recorded", str(release.candidate.digest), release.reason, str(release.manifest), facts)


def _add_candidate(change: LedgerChange, candidate: Candidate, now: datetime) -> None:
    session = change.session
    same = select(CandidateRow).where(
        CandidateRow.commit == candidate.commit, CandidateRow.version == candidate.version
    )
    other = [row for row in session.exec(same) if row.digest != str(candidate.digest)]
    if other:
        raise LensIntegrityError(
            f"version {candidate.version} of commit {candidate.commit[:12]} was recorded with {other[0].digest}, "
            f"building it again gave {candidate.digest}",
            "a tool of the build changed: rebuild in the locked environment",
        )
    if session.get(CandidateRow, str(candidate.digest)) is None:
        row = CandidateRow(
            digest=str(candidate.digest),
            version=candidate.version,
            commit=candidate.commit,
            dirty=candidate.dirty,
            recorded_at=now,
        )
        session.add(row)
        facts = {"version": candidate.version, "commit": candidate.commit}
        note = Note("candidate.recorded", str(candidate.digest), "it was built", candidate_record(candidate), facts)
        change.note(note)


def _release_row(release: Release) -> ReleaseRow:
    return ReleaseRow(
        version=release.version,
        candidate_digest=str(release.candidate.digest),
        image_digest=str(release.image) if release.image else None,
        manifest_digest=str(release.manifest),
        key_id=release.key_id,
        verdict=release.verdict.name,
        reason=release.reason,
        cut_by=release.cut_by,
        cut_at=release.cut_at,
        folder=release.folder,
        pushed_to=release.pushed_to,
    )


def _release(row: ReleaseRow, candidate: CandidateRow) -> Release:
    return Release(
        version=row.version,
        candidate=_candidate(candidate, dirty=candidate.dirty),
        image=Digest(row.image_digest) if row.image_digest else None,
        manifest=Digest(row.manifest_digest),
        key_id=row.key_id,
        verdict=Verdict[row.verdict],
        reason=row.reason,
        cut_by=row.cut_by,
        cut_at=as_utc(row.cut_at),
        folder=row.folder,
        pushed_to=row.pushed_to,
    )


def _row(session: Session, night_id: str) -> NightRow:
    row = session.get(NightRow, night_id)
    if row is None:
        raise InvalidInput(f"there is no night {night_id}", "`lens nights` lists them")
    return row


def _hold_newest(fence: int, newest: int) -> None:
    if fence != newest:
        raise Conflict(
            f"expected the lease {NIGHT} with token {newest}, saw token {fence}: another process took over",
            "end this one: what it would write is refused",
            blockers=[f"lease {NIGHT}: token {newest} is the newest"],
        )


def _open_row(session: Session, night_id: str) -> NightRow:
    """The row of a night that may be written to: it is open, and nobody took over since it was opened."""
    row = _still_open(session, night_id)
    _hold_newest(row.fence, current_token(session, NIGHT))
    return row


def _still_open(session: Session, night_id: str) -> NightRow:
    row = _row(session, night_id)
    if row.state != NightState.OPEN.value:
        raise Conflict(f"night {night_id} is closed ({row.verdict}): nothing is added to it", "start another night")
    return row


def _night_row(night: Night, fence: int) -> NightRow:
    return NightRow(
        night_id=night.night_id,
        night_date=night.night_date,
        attempt=night.attempt,
        candidate_digest=str(night.candidate.digest),
        dirty=night.candidate.dirty,
        baseline_digest=str(night.baseline.digest) if night.baseline else None,
        policy_digest=str(night.policy_digest),
        dataset_digest=str(night.dataset_digest),
        slices=list(night.slices),
        seed=night.seed,
        duration_minutes=night.duration_minutes,
        folder=night.folder,
        state=night.state.value,
        verdict=None,
        reason="",
        opened_at=night.opened_at,
        closed_at=None,
        fence=fence,
    )


def _night(row: NightRow, known: Mapping[str, CandidateRow]) -> Night:
    baseline = known[row.baseline_digest] if row.baseline_digest else None
    return Night(
        night_id=row.night_id,
        night_date=row.night_date,
        attempt=row.attempt,
        candidate=_candidate(known[row.candidate_digest], dirty=row.dirty),
        baseline=_candidate(baseline, dirty=baseline.dirty) if baseline else None,
        policy_digest=Digest(row.policy_digest),
        dataset_digest=Digest(row.dataset_digest),
        slices=tuple(row.slices),
        seed=row.seed,
        duration_minutes=row.duration_minutes,
        folder=row.folder,
        state=NightState(row.state),
        verdict=Verdict[row.verdict] if row.verdict else None,
        reason=row.reason,
        opened_at=as_utc(row.opened_at),
        closed_at=as_utc(row.closed_at) if row.closed_at else None,
    )


def _candidate(row: CandidateRow, *, dirty: bool) -> Candidate:
    return Candidate(row.version, Digest(row.digest), row.commit, dirty)


def _answer_row(night_id: str, answer: Answer) -> AnswerRow:
    return AnswerRow(
        night_id=night_id,
        gate=answer.gate,
        slice=answer.slice,
        verdict=answer.verdict.name,
        reason=answer.reason,
        value=answer.value,
        threshold=answer.threshold,
        sign=answer.sign,
        sample_count=answer.sample_count,
        evidence=answer.evidence,
        interval=_interval_row(answer.interval),
    )


def _answer(row: AnswerRow) -> Answer:
    return Answer(
        gate=row.gate,
        slice=row.slice,
        verdict=Verdict[row.verdict],
        reason=row.reason,
        value=row.value,
        threshold=row.threshold,
        sign=row.sign,
        sample_count=row.sample_count,
        evidence=row.evidence,
        interval=_interval(row.interval),
    )


def _interval_row(interval: Interval | None) -> dict[str, Any] | None:
    return asdict(interval) if interval else None


def _interval(stored: Mapping[str, Any] | None) -> Interval | None:
    return Interval(**stored) if stored else None


def _measurement(row: MeasurementRow) -> Measurement:
    metrics = tuple(Metric(name, value, count, _interval(interval)) for name, value, count, interval in row.metrics)
    return Measurement(row.slice, row.corpus, metrics, row.evidence, tuple(row.invalid))
