"""The database connection: transactions that are the same on SQLite and PostgreSQL."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar, cast

from sqlalchemy import (
    CursorResult,
    Engine,
    GenerativeSelect,
    Table,
    Update,
    create_engine,
    event,
    func,
    select,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from assistant.store.encrypted import use_keyring
from assistant.store.keyring import Keyring
from assistant.store.write_line import WriteLine

Locked = TypeVar("Locked", bound=GenerativeSelect)
BUSY_TIMEOUT_SECONDS = 15


class Database:
    """Opens transactions on ``url``.

    On SQLite a writing transaction begins with BEGIN IMMEDIATE: with a deferred one, two writers that have
    both read fail with "database is locked" instead of waiting for each other.
    """

    def __init__(self, url: str, keyring: Keyring | None = None) -> None:
        """Make the engine; nothing is opened yet.

        Args:
            url: an SQLAlchemy address.
            keyring: the keys for what people wrote; None keeps new texts plain.
        """
        self.keyring = keyring or Keyring()
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        arguments: dict[str, Any] = {}
        if self.is_sqlite:
            arguments["connect_args"] = {"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
        else:
            # A connection that a restarted server has closed must not fail the next request.
            arguments["pool_pre_ping"] = True
            arguments["pool_size"] = 10
            arguments["connect_args"] = {"connect_timeout": 10}
        # Parameters are messages of people: they must not show up in an exception's text.
        self.engine: Engine = create_engine(url, hide_parameters=True, **arguments)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _configure_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        use_keyring(self.engine.dialect, self.keyring)
        self._line = WriteLine() if self.is_sqlite else None
        self._reader = self.engine.execution_options(sqlite_begin="DEFERRED")

    @contextmanager
    def write(self, *, urgent: bool = False) -> Iterator[Session]:
        """Give a session in a writing transaction, committed at the end and rolled back on an error.

        An ``urgent`` one, for which somebody outside waits, goes before those of this process that are not.
        """
        with (
            self._line.turn(urgent=urgent) if self._line else nullcontext(),
            Session(self.engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session for reading only."""
        with Session(self._reader, expire_on_commit=False) as session, session.begin():
            yield session

    def now(self, session: Session) -> float:
        """Return the time in seconds: the database server's, where hosts with skewed clocks share it."""
        if self.is_sqlite:
            return time.time()
        return float(session.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())

    def skip_locked(self, statement: Locked, table: type[Any] | Table) -> Locked:
        """Lock the rows of ``table`` that ``statement`` finds and pass over those that others have locked."""
        return statement if self.is_sqlite else statement.with_for_update(of=table, skip_locked=True)

    @staticmethod
    def met_a_row(session: Session, statement: Update) -> bool:
        """Run an UPDATE and tell whether there was a row for it."""
        return cast("CursorResult[Any]", session.execute(statement)).rowcount > 0

    def ping(self) -> None:
        """Make one round trip; raises what the driver raises."""
        with self.read() as session:
            session.execute(text("SELECT 1"))

    def empty_log(self) -> bool:
        """On SQLite, empty the write-ahead log, which still holds what was deleted.

        Returns:
            False when others read or write all the time and it is as it was.
        """
        if not self.is_sqlite:
            return True
        connection = self.engine.raw_connection()
        try:
            # The first figure is 1 when it could not be done (sqlite.org/pragma.html#pragma_wal_checkpoint).
            return not connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            connection.close()

    def write_file_anew(self) -> None:
        """On SQLite, write the file anew: in the gaps of its pages is still what was there before.

        ``secure_delete`` overwrites what is deleted, not what a page held before its rows were moved. Writers
        wait meanwhile, and a copy lies in the file's folder. Raises what the driver raises.
        """
        if not self.is_sqlite:
            return
        # The usual temporary folder is in memory, and small (sqlite.org/tempfiles.html).
        os.environ["SQLITE_TMPDIR"] = os.path.dirname(os.path.abspath(self.engine.url.database or ""))
        connection = self.engine.raw_connection()
        try:
            connection.cursor().execute("VACUUM")
        finally:
            connection.close()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _configure_sqlite(connection: Any, _record: object) -> None:
    # None: the driver begins no transaction of its own; _begin_sqlite does.
    connection.isolation_level = None
    cursor = connection.cursor()
    _use_wal(cursor)
    # FULL, not NORMAL: what was acknowledged to a platform must survive a power cut.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    # What is deleted is overwritten: otherwise it stays readable in the file until its place is used again.
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.close()


def _use_wal(cursor: Any) -> None:
    """Switch to WAL; of several processes that open a new file at once, all but one are told to come again.

    SQLite's busy timeout does not hold for this statement (sqlite.org/rescode.html#busy).
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: Any) -> None:
    mode = connection.get_execution_options().get("sqlite_begin", "IMMEDIATE")
    connection.exec_driver_sql(f"BEGIN {mode}")
