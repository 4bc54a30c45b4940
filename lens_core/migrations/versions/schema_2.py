"""Schema 2: intervals, the baseline as a candidate, and the live monitor's tables.

Two branches wrote ledgers of schema 2, each with its own half of this, before they were joined. A ledger that has one
half gets the other: each part is added where it is missing.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"

_NIGHT = (
    *("night_id", "night_date", "attempt", "candidate_digest", "dirty", "baseline_digest", "policy_digest"),
    *("dataset_digest", "slices", "seed", "duration_minutes", "folder", "state", "verdict", "reason"),
    *("opened_at", "closed_at", "report_drawn"),
)


def upgrade() -> None:
    """Add what is missing of both halves."""
    seen = sa.inspect(op.get_bind())
    if "baseline_night" in {column["name"] for column in seen.get_columns("night")}:
        _rounds()
    if not seen.has_table("alert"):
        _monitor()


def _rounds() -> None:
    """A night was compared with a night; now with a candidate, which is the one that night was of."""
    op.add_column("answer", sa.Column("interval", sa.JSON()))
    op.add_column("measurement", sa.Column("invalid", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("measurement") as table:
        table.alter_column("invalid", server_default=None)
    baseline = sa.Column("baseline_digest", sa.String(), sa.ForeignKey("candidate.digest"))
    op.add_column("night", baseline, inline_references=True)
    op.execute(
        "UPDATE night SET baseline_digest ="
        " (SELECT other.candidate_digest FROM night AS other WHERE other.night_id = night.baseline_night)"
    )
    with op.batch_alter_table("night", partial_reordering=[_NIGHT]) as table:
        table.drop_column("baseline_night")
    _metrics_without_interval()


def _metrics_without_interval() -> None:
    """A metric was [name, value, count]; now its interval stands behind, and these have none."""
    connection = op.get_bind()
    for row_id, stored in connection.exec_driver_sql("SELECT row_id, metrics FROM measurement").all():
        metrics = json.dumps([[*metric, None] if len(metric) == 3 else metric for metric in json.loads(stored)])  # noqa: PLR2004
        connection.exec_driver_sql("UPDATE measurement SET metrics = ? WHERE row_id = ?", (metrics, row_id))


def _monitor() -> None:
    text, whole, moment = sa.String(), sa.Integer(), sa.DateTime()
    op.create_table(
        "alert_watch",
        sa.Column("kind", text, nullable=False),
        sa.Column("subject", text, nullable=False),
        sa.Column("violations", whole, nullable=False),
        sa.Column("clean", whole, nullable=False),
        sa.Column("armed", sa.Boolean(), nullable=False),
        sa.Column("episodes", whole, nullable=False),
        sa.Column("alert_id", text),
        sa.PrimaryKeyConstraint("kind", "subject"),
    )
    op.create_table(
        "alert",
        sa.Column("alert_id", text, nullable=False),
        sa.Column("kind", text, nullable=False),
        sa.Column("subject", text, nullable=False, index=True),
        sa.Column("state", text, nullable=False, index=True),
        sa.Column("severity", text, nullable=False),
        sa.Column("opened_at", moment, nullable=False, index=True),
        sa.Column("changed_at", moment, nullable=False),
        sa.Column("change_count", whole, nullable=False),
        sa.Column("reason", text, nullable=False),
        sa.Column("worst_ratio", sa.Float()),
        sa.Column("silenced_until", moment),
        sa.Column("changed_by", text, nullable=False),
        sa.PrimaryKeyConstraint("alert_id"),
    )
    op.create_table(
        "alert_change",
        sa.Column("alert_id", text, nullable=False),
        sa.Column("number", whole, nullable=False),
        sa.Column("event", text, nullable=False),
        sa.Column("state", text, nullable=False),
        sa.Column("severity", text, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("reason", text, nullable=False),
        sa.Column("by", text, nullable=False),
        sa.Column("silenced_until", moment),
        sa.Column("spoken", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "number"),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.alert_id"]),
    )
    _messages_and_panes()


def _messages_and_panes() -> None:
    text, whole, moment = sa.String(), sa.Integer(), sa.DateTime()
    op.create_table(
        "alert_outbox",
        sa.Column("row_id", whole, nullable=False),
        sa.Column("message_id", text, nullable=False, index=True),
        sa.Column("target", text, nullable=False),
        sa.Column("title", text, nullable=False),
        sa.Column("body", text, nullable=False),
        sa.Column("severity", text, nullable=False),
        sa.Column("recorded_at", moment, nullable=False),
        sa.Column("attempts", whole, nullable=False),
        sa.Column("attempted_at", moment),
        sa.Column("next_attempt_at", moment, nullable=False),
        sa.Column("delivered_at", moment, index=True),
        sa.Column("last_error", text, nullable=False),
        sa.PrimaryKeyConstraint("row_id"),
    )
    op.create_table(
        "monitor_checkpoint",
        sa.Column("row_id", whole, nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("recorded_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("row_id"),
    )
    op.create_table(
        "monitor_pane",
        sa.Column("kind", text, nullable=False),
        sa.Column("name", text, nullable=False),
        sa.Column("number", whole, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", "number"),
    )
