"""Tables of candidates, releases and nights. ``adapters/sql_ledger`` maps them to values."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Column, UniqueConstraint
from sqlmodel import Field, SQLModel


class CandidateRow(SQLModel, table=True):
    """A release, by the digest of its wheel."""

    __tablename__ = "candidate"
    digest: str = Field(primary_key=True)
    version: str = Field(index=True)
    commit: str
    dirty: bool
    recorded_at: datetime


class ReleaseRow(SQLModel, table=True):
    """A candidate that was cut under a version."""

    __tablename__ = "release"
    version: str = Field(primary_key=True)
    candidate_digest: str = Field(foreign_key="candidate.digest")
    image_digest: str | None
    manifest_digest: str
    key_id: str
    verdict: str
    reason: str
    cut_by: str
    cut_at: datetime
    folder: str
    pushed_to: str


class NightRow(SQLModel, table=True):
    """A night and all that it is bound to."""

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
    fence: int = 0


class MeasurementRow(SQLModel, table=True):
    """What was measured of one slice in one night."""

    __tablename__ = "measurement"
    __table_args__ = (UniqueConstraint("night_id", "slice"),)
    row_id: int | None = Field(default=None, primary_key=True)
    night_id: str = Field(foreign_key="night.night_id", index=True)
    slice: str
    corpus: str
    metrics: list[list[Any]] = Field(sa_column=Column(JSON, nullable=False))
    evidence: str
    invalid: list[str] = Field(sa_column=Column(JSON, nullable=False))


class AnswerRow(SQLModel, table=True):
    """What one gate said."""

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


class EvidenceRow(SQLModel, table=True):
    """A file that a night's verdict rests on."""

    __tablename__ = "evidence"
    __table_args__ = (UniqueConstraint("night_id", "path"),)
    row_id: int | None = Field(default=None, primary_key=True)
    night_id: str = Field(foreign_key="night.night_id", index=True)
    path: str
    digest: str
    size_bytes: int
