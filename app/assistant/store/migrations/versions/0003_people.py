"""What people chose, rated and said; drafts and notices; switches.

The sender moves from the payload into a column of its own: quotas count by it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str, length: int, default: str = "") -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False, server_default=default)


def upgrade() -> None:
    """Add columns and tables."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    op.add_column("conversations", _text("language", 8))
    op.add_column(
        "conversations", sa.Column("forgotten_turn", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.add_column("inbox", _text("sender", 255))
    op.add_column("inbox", _text("language", 8))
    sender = "json_extract(payload, '$.sender')" if sqlite else "payload ->> 'sender'"
    op.execute(sa.text(f"UPDATE inbox SET sender = {sender} WHERE {sender} IS NOT NULL"))  # noqa: S608 - no input
    op.create_index("inbox_by_sender", "inbox", ["platform", "sender", "received_at"])
    # SQLite cannot drop a constraint: the table is copied. Unnamed there, it needs a name to be found.
    names = {"uq": "%(table_name)s_%(column_0_name)s_key"}
    with op.batch_alter_table("outbox", naming_convention=names) as outbox:
        outbox.add_column(_text("purpose", 16, "reply"))
        outbox.drop_constraint("outbox_inbox_id_key", type_="unique")
        outbox.create_unique_constraint("outbox_inbox_id_purpose", ["inbox_id", "purpose"])
    op.create_table(
        "drafts",
        sa.Column("inbox_id", ID, sa.ForeignKey("inbox.id"), primary_key=True, autoincrement=False),
        sa.Column("idempotency_key", sa.String(64), nullable=False),
        sa.Column("reference", sa.String(255), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
    )
    op.create_table(
        "ratings",
        sa.Column("id", ID, primary_key=True),
        sa.Column("inbox_id", ID, sa.ForeignKey("inbox.id"), nullable=False),
        sa.Column("platform", sa.String(32), nullable=False),
        sa.Column("sender", sa.String(255), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.UniqueConstraint("inbox_id", "sender"),
    )
    op.create_index("ratings_by_time", "ratings", ["created_at"])
    op.create_table(
        "feedback",
        sa.Column("inbox_id", ID, sa.ForeignKey("inbox.id"), primary_key=True, autoincrement=False),
        sa.Column("platform", sa.String(32), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
    )
    op.create_table(
        "switches",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("changed_at", sa.Float(), nullable=False),
    )


def downgrade() -> None:
    """Take them away; notices are lost, and so are ratings and feedback."""
    for table in ("switches", "feedback", "ratings", "drafts"):
        op.drop_table(table)
    op.execute(sa.text("DELETE FROM outbox WHERE purpose <> 'reply'"))
    with op.batch_alter_table("outbox") as outbox:
        outbox.drop_constraint("outbox_inbox_id_purpose", type_="unique")
        outbox.drop_column("purpose")
        outbox.create_unique_constraint("outbox_inbox_id_key", ["inbox_id"])
    op.drop_index("inbox_by_sender", "inbox")
    for column in ("language", "sender"):
        op.drop_column("inbox", column)
    for column in ("forgotten_turn", "language"):
        op.drop_column("conversations", column)
