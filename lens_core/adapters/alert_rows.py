"""Tables of the live monitor, on the ledger's file. ``adapters/alert_ledger`` maps them to values."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, LargeBinary
from sqlmodel import Field, SQLModel


class WatchRow(SQLModel, table=True):
    """What is remembered of one subject between evaluations."""

    __tablename__ = "alert_watch"
    kind: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    violations: int
    clean: int
    armed: bool
    episodes: int
    alert_id: str | None


class AlertRow(SQLModel, table=True):
    """An alert as it stands."""

    __tablename__ = "alert"
    alert_id: str = Field(primary_key=True)
    kind: str
    subject: str = Field(index=True)
    state: str = Field(index=True)
    severity: str
    opened_at: datetime = Field(index=True)
    changed_at: datetime
    change_count: int
    reason: str
    worst_ratio: float | None
    silenced_until: datetime | None
    changed_by: str


class ChangeRow(SQLModel, table=True):
    """One change of an alert: the primary key is what keeps it from being recorded twice."""

    __tablename__ = "alert_change"
    alert_id: str = Field(primary_key=True, foreign_key="alert.alert_id")
    number: int = Field(primary_key=True)
    event: str
    state: str
    severity: str
    at: datetime
    reason: str
    by: str
    silenced_until: datetime | None
    spoken: bool
    recorded_at: datetime


class OutboxRow(SQLModel, table=True):
    """One message to one target. It is kept after its delivery, as the record of it."""

    __tablename__ = "alert_outbox"
    row_id: int | None = Field(default=None, primary_key=True)
    message_id: str = Field(index=True)
    target: str
    title: str
    body: str
    severity: str
    recorded_at: datetime
    attempts: int = 0
    attempted_at: datetime | None = None
    next_attempt_at: datetime
    delivered_at: datetime | None = Field(default=None, index=True)
    last_error: str = ""


class CheckpointRow(SQLModel, table=True):
    """Where the monitor goes on after its end; there is one row."""

    __tablename__ = "monitor_checkpoint"
    row_id: int = Field(primary_key=True)
    content: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    recorded_at: datetime


class PaneRow(SQLModel, table=True):
    """One pane that can still be part of a window."""

    __tablename__ = "monitor_pane"
    kind: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
