"""The ledger on SQLite in WAL mode, through SQLModel. Rows map to frozen dataclasses at this border."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Column, Engine, UniqueConstraint, event, inspect
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError
from sqlmodel import Field, Session, SQLModel, col, create_engine, select

from lens_core.adapters import alert_rows
from lens_core.errors import Conflict, InvalidInput, Unavailable
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
    Verdict,
)

SCHEMA_VERSION = 2
"""Raised with every change of a table below; there is no migration yet, so another one is refused."""


class _CandidateRow(SQLModel, table=True):
    __tablename__ = "candidate"
    digest: str = Field(primary_key=True)
    version: str = Field(index=True)
    commit: str
    dirty: bool
    recorded_at: datetime


class _NightRow(SQLModel, table=True):
    __tablename__ = "night"
    __table_args__ = (UniqueConstraint("night_date", "attempt"),)
    night_id: str = Field(primary_key=True)
    night_date: date = Field(index=True)
    attempt: int
    candidate_digest: str = Field(foreign_key="candidate.digest")
    dirty: bool
    baseline_digest: str | None = Field(foreign_key="candidate.digest")
    policy_digest: str
    dataset_digest: str
    slices: list[str] = Field(sa_column=Column(JSON, nullable=False))
    seed: int
    duration_minutes: float
    folder: str
    state: str
    verdict: str | None
    reason: str
    opened_at: datetime
    closed_at: datetime | None
    report_drawn: bool = False


class _MeasurementRow(SQLModel, table=True):
    __tablename__ = "measurement"
    __table_args__ = (UniqueConstraint("night_id", "slice"),)
    row_id: int | None = Field(default=None, primary_key=True)
    night_id: str = Field(foreign_key="night.night_id", index=True)
    slice: str
    corpus: str
    metrics: list[list[Any]] = Field(sa_column=Column(JSON, nullable=False))
    evidence: str
    invalid: list[str] = Field(sa_column=Column(JSON, nullable=False))


class _AnswerRow(SQLModel, table=True):
    __tablename__ = "answer"
    __table_args__ = (UniqueConstraint("night_id", "slice", "gate"),)
    row_id: int | None = Field(default=None, primary_key=True)
    night_id: str = Field(foreign_key="night.night_id", index=True)
    gate: str
    slice: str
    verdict: str
    reason: str
    value: float | None
    threshold: float | None
    sign: str
    sample_count: int
    evidence: str
    interval: dict[str, Any] | None = Field(sa_column=Column(JSON))


class _EvidenceRow(SQLModel, table=True):
    __tablename__ = "evidence"
    __table_args__ = (UniqueConstraint("night_id", "path"),)
    row_id: int | None = Field(default=None, primary_key=True)
    night_id: str = Field(foreign_key="night.night_id", index=True)
    path: str
    digest: str
    size_bytes: int


# Both ledgers stand on one file: whichever opens a new one makes the tables of both.
ALERT_TABLES = (
    alert_rows.WatchRow,
    alert_rows.AlertRow,
    alert_rows.ChangeRow,
    alert_rows.OutboxRow,
    alert_rows.CheckpointRow,
    alert_rows.PaneRow,
)


def _open_engine(file: Path) -> Engine:
    file.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{file}", connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where we say so, below
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        # IMMEDIATE takes the write lock at once: what a transaction read stays true until it commits.
        # Readers begin plainly, so that a page never waits for a writer.
        mode = "IMMEDIATE" if connection.get_execution_options().get("writes") else ""
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def open_ledger_file(file: Path) -> Engine:
    """The engine of a ledger, its tables made if the file is new; InvalidInput for a file of another schema.

    Unavailable when the file cannot be opened. A transaction of an engine with the execution option
    ``writes`` takes the write lock at its beginning.
    """
    try:
        engine = _open_engine(file)
        _prepare(engine, file)
    except (DatabaseError, OSError) as error:
        why = getattr(error, "orig", None) or error
        raise Unavailable(f"the ledger {file.name} cannot be opened: {why}", "check the disk and the file") from error
    return engine


def _prepare(engine: Engine, file: Path) -> None:
    with engine.execution_options(writes=True).begin() as connection:
        seen = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if seen == 0 and not inspect(connection).get_table_names():
            SQLModel.metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
        elif seen != SCHEMA_VERSION:
            raise InvalidInput(
                f"expected a ledger of schema {SCHEMA_VERSION}, saw schema {seen} in {file.name}",
                "it was made by another version of Lens: use that one, or name another folder in LENS_HOME",
            )


class SqlLedger:
    """Keeps the ``Ledger`` port on one SQLite file; safe for several processes."""

    def __init__(self, file: Path) -> None:
        self._engine = open_ledger_file(file)

    @contextmanager
    def _session(self, *, writes: bool = False) -> Iterator[Session]:
        engine = self._engine.execution_options(writes=True) if writes else self._engine
        try:
            with Session(engine) as session, session.begin():
                yield session
        except OperationalError as error:
            raise Unavailable(f"the ledger did not answer: {error.orig}", "try again") from error

    def add_candidate(self, candidate: Candidate, now: datetime) -> None:
        """See ``Ledger``."""
        with self._session(writes=True) as session:
            same = session.exec(select(_CandidateRow).where(_CandidateRow.commit == candidate.commit)).all()
            other = [row for row in same if row.digest != str(candidate.digest)]
            if other:
                raise LensIntegrityError(
                    f"commit {candidate.commit[:12]} was recorded with {other[0].digest}, "
                    f"building it again gave {candidate.digest}",
                    "a tool of the build changed: rebuild in the locked environment",
                )
            if session.get(_CandidateRow, str(candidate.digest)) is None:
                row = _CandidateRow(
                    digest=str(candidate.digest),
                    version=candidate.version,
                    commit=candidate.commit,
                    dirty=candidate.dirty,
                    recorded_at=now,
                )
                session.add(row)

    def candidates(self) -> tuple[Candidate, ...]:
        """See ``Ledger``."""
        with self._session() as session:
            rows = session.exec(select(_CandidateRow).order_by(col(_CandidateRow.recorded_at).desc())).all()
            return tuple(_candidate(row, dirty=row.dirty) for row in rows)

    def open_night(self, night: Night) -> Night:
        """See ``Ledger``. The id is the date and the attempt: ``2026-11-24.1``."""
        with self._session(writes=True) as session:
            today = session.exec(select(_NightRow).where(_NightRow.night_date == night.night_date)).all()
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
            session.add(_night_row(opened))
            return opened

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
        with self._session(writes=True) as session:
            row = _open_row(session, night_id)
            session.add_all(_answer_row(night_id, answer) for answer in answers)
            session.add_all(
                _EvidenceRow(night_id=night_id, path=e.path, digest=str(e.digest), size_bytes=e.size_bytes)
                for e in evidence
            )
            row.state, row.verdict, row.reason, row.closed_at = NightState.CLOSED.value, verdict.name, reason, now
            session.add(row)

    def record_slice(self, night_id: str, measurement: Measurement, answers: Sequence[Answer]) -> None:
        """See ``Ledger``."""
        try:
            with self._session(writes=True) as session:
                _open_row(session, night_id)
                session.add(
                    _MeasurementRow(
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
        except IntegrityError as error:
            raise Conflict(f"night {night_id} has {measurement.slice} already", "a slice is recorded once") from error

    def record_answers(self, night_id: str, answers: Sequence[Answer]) -> None:
        """See ``Ledger``."""
        with self._session(writes=True) as session:
            _open_row(session, night_id)
            session.add_all(_answer_row(night_id, answer) for answer in answers)

    def record_report(self, night_id: str) -> None:
        """See ``Ledger``."""
        with self._session(writes=True) as session:
            row = _open_row(session, night_id)
            row.report_drawn = True
            session.add(row)

    def has_report(self, night_id: str) -> bool:
        """See ``Ledger``."""
        with self._session() as session:
            return _row(session, night_id).report_drawn

    def nights(self) -> tuple[Night, ...]:
        """See ``Ledger``."""
        order = (col(_NightRow.night_date).desc(), col(_NightRow.attempt).desc())
        with self._session() as session:
            known = {row.digest: row for row in session.exec(select(_CandidateRow)).all()}
            rows = session.exec(select(_NightRow).order_by(*order)).all()
            return tuple(_night(row, known) for row in rows)

    def answers(self, night_id: str) -> tuple[Answer, ...]:
        """See ``Ledger``."""
        with self._session() as session:
            query = select(_AnswerRow).where(_AnswerRow.night_id == night_id).order_by(col(_AnswerRow.row_id))
            return tuple(_answer(row) for row in session.exec(query))

    def measurements(self, night_id: str) -> tuple[Measurement, ...]:
        """See ``Ledger``."""
        with self._session() as session:
            query = select(_MeasurementRow).where(_MeasurementRow.night_id == night_id)
            return tuple(_measurement(row) for row in session.exec(query.order_by(col(_MeasurementRow.row_id))))

    def evidence(self, night_id: str) -> tuple[Evidence, ...]:
        """See ``Ledger``."""
        with self._session() as session:
            query = select(_EvidenceRow).where(_EvidenceRow.night_id == night_id).order_by(col(_EvidenceRow.path))
            return tuple(Evidence(row.path, Digest(row.digest), row.size_bytes) for row in session.exec(query))


def _row(session: Session, night_id: str) -> _NightRow:
    row = session.get(_NightRow, night_id)
    if row is None:
        raise InvalidInput(f"there is no night {night_id}", "`lens nights` lists them")
    return row


def _open_row(session: Session, night_id: str) -> _NightRow:
    row = _row(session, night_id)
    if row.state != NightState.OPEN.value:
        raise Conflict(f"night {night_id} is closed ({row.verdict}): nothing is added to it", "start another night")
    return row


def _night_row(night: Night) -> _NightRow:
    return _NightRow(
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
    )


def _night(row: _NightRow, known: Mapping[str, _CandidateRow]) -> Night:
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
        opened_at=_utc(row.opened_at),
        closed_at=_utc(row.closed_at) if row.closed_at else None,
    )


def _utc(stored: datetime) -> datetime:
    return stored.replace(tzinfo=UTC)  # SQLite keeps no zone; everything written is UTC


def _candidate(row: _CandidateRow, *, dirty: bool) -> Candidate:
    return Candidate(row.version, Digest(row.digest), row.commit, dirty)


def _answer_row(night_id: str, answer: Answer) -> _AnswerRow:
    return _AnswerRow(
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


def _answer(row: _AnswerRow) -> Answer:
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


def _measurement(row: _MeasurementRow) -> Measurement:
    metrics = tuple(Metric(name, value, count, _interval(interval)) for name, value, count, interval in row.metrics)
    return Measurement(row.slice, row.corpus, metrics, row.evidence, tuple(row.invalid))
