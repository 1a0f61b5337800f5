"""What has to be posted, in SQLite: it outlives kill -9 and a reboot."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY,
    chat TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    created REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'posted', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    next_try REAL NOT NULL,
    finished REAL
);
CREATE INDEX IF NOT EXISTS messages_by_key ON messages (chat, key, created);
CREATE INDEX IF NOT EXISTS messages_waiting ON messages (chat, id) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value REAL NOT NULL);
"""
_KEPT_SECONDS = 7 * 86400.0


@dataclass(frozen=True)
class Row:
    """A message that waits; ``created`` and ``next_try`` are in seconds since 1970."""

    id: int
    chat: str
    body: str
    created: float
    attempts: int
    next_try: float


class Outbox:
    """The table of messages and the few facts that must outlive the process."""

    def __init__(self, path: Path, chats: Sequence[str], clock: Callable[[], float] = time.time) -> None:
        """Open or make the database.

        Args:
            path: the SQLite file.
            chats: names of the configured chats; what waits for others never leaves, and is given up.
            clock: gives seconds since 1970.

        Raises:
            sqlite3.Error: the file cannot be opened or is damaged.
        """
        self._path = path
        self._chats = tuple(chats)
        self._clock = clock
        with self._open() as database:
            database.executescript(_SCHEMA)

    def start(self) -> int:
        """Have everything that waits tried at once: a start often follows a repair.

        What waits for a chat that is configured no more is given up.

        Returns:
            how many messages were given up.
        """
        now = self._clock()
        marks = ",".join("?" * len(self._chats))
        with self._transaction() as database:
            database.execute("UPDATE messages SET next_try = ? WHERE state = 'waiting'", (now,))
            return database.execute(
                f"UPDATE messages SET state = 'failed', finished = ?"  # noqa: S608 - question marks alone
                f" WHERE state = 'waiting' AND chat NOT IN ({marks})",
                (now, *self._chats),
            ).rowcount

    def add(self, key: str, body: str, window: float, facts: Mapping[str, float] | None = None) -> int:
        """Put a message in, once for each chat, and set facts, all or nothing.

        Args:
            key: equal for equal news.
            body: the message.
            window: seconds in which equal news is not put in again; nor is it while the first waits.
            facts: facts that become true with it.

        Returns:
            how many chats get it.

        Raises:
            sqlite3.Error: nothing was put in.
        """
        now, added = self._clock(), 0
        with self._transaction() as database:
            database.execute(
                "DELETE FROM messages WHERE state <> 'waiting' AND finished < ?", (now - _KEPT_SECONDS,)
            )
            for chat in self._chats:
                known = database.execute(
                    "SELECT 1 FROM messages"
                    " WHERE chat = ? AND key = ? AND (state = 'waiting' OR created > ?)",
                    (chat, key, now - window),
                ).fetchone()
                if known is None:
                    database.execute(
                        "INSERT INTO messages (chat, key, body, created, next_try) VALUES (?, ?, ?, ?, ?)",
                        (chat, key, body, now, now),
                    )
                    added += 1
            self._set(database, facts or {})
        return added

    def next(self, chat: str) -> Row | None:
        """Return the oldest message that waits for ``chat``: they go out in their order."""
        with self._open() as database:
            row = database.execute(
                "SELECT id, chat, body, created, attempts, next_try FROM messages"
                " WHERE chat = ? AND state = 'waiting' ORDER BY id LIMIT 1",
                (chat,),
            ).fetchone()
        return Row(*row) if row else None

    def finish(self, row: Row, state: str) -> None:
        """Note that a message was ``posted``, or ``failed`` for good."""
        with self._transaction() as database:
            database.execute(
                "UPDATE messages SET state = ?, finished = ?, attempts = attempts + 1 WHERE id = ?",
                (state, self._clock(), row.id),
            )

    def postpone(self, row: Row, seconds: float) -> None:
        """Note that a message has to wait for its next try."""
        with self._transaction() as database:
            database.execute(
                "UPDATE messages SET attempts = attempts + 1, next_try = ? WHERE id = ?",
                (self._clock() + seconds, row.id),
            )

    def waiting(self) -> dict[str, tuple[int, float]]:
        """Return for each chat how many messages wait and the age of the oldest in seconds."""
        with self._open() as database:
            rows = database.execute(
                "SELECT chat, count(*), min(created) FROM messages WHERE state = 'waiting' GROUP BY chat"
            ).fetchall()
        found = {chat: (count, max(0.0, self._clock() - oldest)) for chat, count, oldest in rows}
        return {chat: found.get(chat, (0, 0.0)) for chat in self._chats}

    def fact(self, name: str) -> float | None:
        """Return a fact, None where it was never set."""
        with self._open() as database:
            row = database.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return float(row[0]) if row else None

    def set_facts(self, facts: Mapping[str, float]) -> None:
        """Set facts."""
        with self._transaction() as database:
            self._set(database, facts)

    @staticmethod
    def _set(database: sqlite3.Connection, facts: Mapping[str, float]) -> None:
        database.executemany("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", list(facts.items()))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(str(self._path), timeout=10.0, isolation_level=None)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            # Answered is kept, also when the power fails.
            database.execute("PRAGMA synchronous = FULL")
            yield database
        finally:
            database.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")
