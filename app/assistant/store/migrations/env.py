"""Alembic's entry point; the caller hands over a connection that is already in a transaction."""

from alembic import context

from assistant.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # All migrations of a start or none: SQLite can roll back table changes too.
    transactional_ddl=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
