"""Bringing the tables up to date at start, by one process at a time."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from assistant.store.database import Database
from assistant.store.key_check import adopt

# Any constant will do: it only has to be the same for all processes of this application.
ADVISORY_LOCK = 7_220_451_033


def migrate(database: Database) -> None:
    """Run all missing migrations and take note of the first key; raises what the database driver raises.

    On SQLite BEGIN IMMEDIATE already admits one process; on PostgreSQL an advisory lock does.

    Raises:
        WrongKeyError: a key is needed for what the database holds and is not there; nothing was changed.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    with database.engine.begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        adopt(connection, database.keyring)
