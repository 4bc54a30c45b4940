"""Tables of the audit log and of the leases' fencing tokens. ``adapters/audit_log`` maps them to values."""

from datetime import datetime

from sqlalchemy import Column, LargeBinary
from sqlmodel import Field, SQLModel


class AuditRow(SQLModel, table=True):
    """One entry as it was hashed (``content``), the head after it, and the key's signature of that head.

    ``command`` is the idempotency key of the command that wrote it, where it had one.
    """

    __tablename__ = "audit_entry"
    number: int = Field(primary_key=True)
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    head: str
    key: str
    signature: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    command: str | None = Field(default=None, unique=True)


class LeaseRow(SQLModel, table=True):
    """The fencing token of one lease: raised each time that somebody takes it."""

    __tablename__ = "lease"
    name: str = Field(primary_key=True)
    token: int
    holder: str
    taken_at: datetime
