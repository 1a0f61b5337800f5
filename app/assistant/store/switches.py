"""Switches that an operator turns while the service runs."""

from sqlalchemy import delete, select

from assistant.store.database import Database
from assistant.store.models import Switch

MAINTENANCE = "maintenance"


class Switches:
    """On while there is a row; all processes that share the database see it."""

    def __init__(self, database: Database) -> None:
        """Use ``database``."""
        self._database = database

    def on_since(self, name: str) -> float | None:
        """Return when ``name`` was turned on (seconds since 1970), or None while it is off."""
        with self._database.read() as session:
            return session.execute(select(Switch.changed_at).where(Switch.name == name)).scalar_one_or_none()

    def turn(self, name: str, *, on: bool) -> None:
        """Turn ``name`` on or off; harmless when it is so already."""
        with self._database.write() as session:
            if not on:
                session.execute(delete(Switch).where(Switch.name == name))
            elif session.get(Switch, name) is None:
                session.add(Switch(name=name, changed_at=self._database.now(session)))
