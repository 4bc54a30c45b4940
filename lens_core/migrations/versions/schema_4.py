"""Schema 4: the audit log, leases with fencing tokens, what people stated, and scans between nights."""

import sqlalchemy as sa
from alembic import op

revision = "4"
down_revision = "3"


def upgrade() -> None:
    """Add the tables, and the fencing token of nights: 0 for those that were run without one."""
    op.add_column("night", sa.Column("fence", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("night") as table:
        table.alter_column("fence", server_default=None)
    _audit()
    _statements()


def _audit() -> None:
    text, whole = sa.String(), sa.Integer()
    op.create_table(
        "audit_entry",
        sa.Column("number", whole, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("head", text, nullable=False),
        sa.Column("key", text, nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("command", text),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("command"),
    )
    op.create_table(
        "lease",
        sa.Column("name", text, nullable=False),
        sa.Column("token", whole, nullable=False),
        sa.Column("holder", text, nullable=False),
        sa.Column("taken_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _statements() -> None:
    text, whole, moment = sa.String(), sa.Integer(), sa.DateTime()
    op.create_table(
        "statement",
        sa.Column("row_id", whole, nullable=False),
        sa.Column("digest", text, nullable=False),
        sa.Column("candidate_digest", text, nullable=False, index=True),
        sa.Column("act", text, nullable=False),
        sa.Column("person", text, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("method", text, nullable=False),
        sa.Column("key", text, nullable=False),
        sa.Column("recorded_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("row_id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "scan",
        sa.Column("row_id", whole, nullable=False),
        sa.Column("candidate_digest", text, nullable=False, index=True),
        sa.Column("at", moment, nullable=False),
        sa.Column("verdict", text, nullable=False),
        sa.Column("reason", text, nullable=False),
        sa.PrimaryKeyConstraint("row_id"),
    )
