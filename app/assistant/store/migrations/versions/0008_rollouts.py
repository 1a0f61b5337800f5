"""A new model's way to the people: rollouts, their steps, and what was answered in them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "rollouts",
        sa.Column("id", ID, primary_key=True),
        sa.Column("candidate", sa.String(255), nullable=False),
        sa.Column("stable", sa.String(255), nullable=False),
        sa.Column("url", sa.String(512), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=True),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("elapsed", sa.Float(), nullable=False),
        sa.Column("ticked_at", sa.Float(), nullable=False),
        sa.Column("judged_at", sa.Float(), nullable=False),
        sa.Column("due_hours", sa.Float(), nullable=False),
        sa.Column("keeper", sa.String(64), nullable=False),
        sa.Column("keeper_until", sa.Float(), nullable=False),
    )
    op.create_table(
        "rollout_events",
        sa.Column("id", ID, primary_key=True),
        sa.Column("rollout_id", ID, sa.ForeignKey("rollouts.id"), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("english", sa.Text(), nullable=False),
        sa.Column("chinese", sa.Text(), nullable=False),
        sa.Column("announced", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
    )
    op.create_index("rollout_events_by_rollout", "rollout_events", ["rollout_id", "id"])
    op.create_table(
        "rollout_answers",
        sa.Column("id", ID, primary_key=True),
        sa.Column("rollout_id", ID, sa.ForeignKey("rollouts.id"), nullable=False),
        sa.Column("inbox_id", sa.BigInteger(), nullable=False),
        sa.Column("arm", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("first_token_seconds", sa.Float(), nullable=True),
        sa.Column("counted", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
    )
    op.create_index("rollout_answers_by_arm", "rollout_answers", ["rollout_id", "arm", "id"])
    op.create_index("rollout_answers_by_inbox", "rollout_answers", ["inbox_id"])


def downgrade() -> None:
    """Drop them."""
    for table in ("rollout_answers", "rollout_events", "rollouts"):
        op.drop_table(table)
