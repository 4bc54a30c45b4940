"""Schema 3: candidates that were cut."""

import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Add the table of releases."""
    text = sa.String()
    op.create_table(
        "release",
        sa.Column("version", text, nullable=False),
        sa.Column("candidate_digest", text, nullable=False),
        sa.Column("image_digest", text),
        sa.Column("manifest_digest", text, nullable=False),
        sa.Column("key_id", text, nullable=False),
        sa.Column("verdict", text, nullable=False),
        sa.Column("reason", text, nullable=False),
        sa.Column("cut_by", text, nullable=False),
        sa.Column("cut_at", sa.DateTime(), nullable=False),
        sa.Column("folder", text, nullable=False),
        sa.Column("pushed_to", text, nullable=False),
        sa.PrimaryKeyConstraint("version"),
        sa.ForeignKeyConstraint(["candidate_digest"], ["candidate.digest"]),
    )
