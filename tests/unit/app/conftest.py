"""Fixtures of the unit tests: a store in a temporary SQLite file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.store import Database, Inbox, Outbox, migrate

LEASE = 15.0


class Clock:
    """The store's time, which a test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0


class Store:
    def __init__(self, database: Database, clock: Clock) -> None:
        self.database, self.clock = database, clock
        self.inbox, self.outbox = Inbox(database, LEASE), Outbox(database, LEASE)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    clock = Clock()
    monkeypatch.setattr(Database, "now", lambda _self, _session: clock.now)
    database = Database(f"sqlite:///{tmp_path}/test.db")
    migrate(database)
    yield Store(database, clock)
    database.close()
