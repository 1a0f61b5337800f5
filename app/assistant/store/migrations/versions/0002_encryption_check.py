"""The keys that have encrypted something here; texts that look encrypted and are not."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MARK = "enc1:"
COLUMNS = (("inbox", "text"), ("outbox", "text"), ("messages", "content"))


def upgrade() -> None:
    """Make the table, and mark plain texts that begin as an encrypted one does."""
    op.create_table(
        "encryption_check",
        sa.Column("key_id", sa.String(16), primary_key=True),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
    )
    for table_name, column_name in COLUMNS:
        table = sa.table(table_name, sa.column(column_name, sa.Text()))
        column = table.c[column_name]
        op.execute(
            table.update()
            .where(sa.func.substr(column, 1, len(MARK)) == MARK)
            .values({column_name: sa.literal(f"{MARK}plain:") + column})
        )


def downgrade() -> None:
    """Drop the table; what is encrypted stays so, and what was marked stays marked."""
    op.drop_table("encryption_check")
