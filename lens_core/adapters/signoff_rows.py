"""Table of what people stated. ``adapters/signoff_ledger`` maps it to values."""

from datetime import datetime

from sqlalchemy import Column, LargeBinary
from sqlmodel import Field, SQLModel


class StatementRow(SQLModel, table=True):
    """One signed statement. It is never changed and never removed; what takes it back is another statement."""

    __tablename__ = "statement"
    row_id: int | None = Field(default=None, primary_key=True)
    digest: str = Field(unique=True)
    candidate_digest: str = Field(index=True)
    act: str
    person: str
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    signature: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    method: str
    key: str
    recorded_at: datetime


class ScanRow(SQLModel, table=True):
    """A look at the advisory sources between nights."""

    __tablename__ = "scan"
    row_id: int | None = Field(default=None, primary_key=True)
    candidate_digest: str = Field(index=True)
    at: datetime
    verdict: str
    reason: str
