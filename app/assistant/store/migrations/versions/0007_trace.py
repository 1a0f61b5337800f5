"""The correlation id of a message stays with it and with its reply."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    for table in ("inbox", "outbox"):
        op.add_column(table, sa.Column("trace_id", sa.String(32), nullable=False, server_default=""))


def downgrade() -> None:
    """Drop them."""
    for table in ("inbox", "outbox"):
        op.drop_column(table, "trace_id")
