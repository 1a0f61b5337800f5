"""Operators' pinned answers, and how often API calls got an answer out of the cache."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    identity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "answer_cache_hits",
        sa.Column("inbox_id", identity, sa.ForeignKey("inbox.id"), primary_key=True, autoincrement=False),
        sa.Column("hits", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "pinned_answers",
        sa.Column("id", identity, primary_key=True),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("pinned_answers")
    op.drop_table("answer_cache_hits")
