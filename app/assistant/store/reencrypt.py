"""Rewriting what is stored in the form that new texts have: sealed by the first key, or plain.

Done in small transactions beside a live service. Nothing has to be remembered between two runs: every text
says itself which key sealed it.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, bindparam, func, or_, select, type_coerce, update
from sqlalchemy.orm import Session

from assistant.store.database import Database
from assistant.store.encrypted import EncryptedType, encrypted_columns, stored_type
from assistant.store.keyring import MARK, PLAIN, Keyring, UnreadableError, sealed_with
from assistant.store.models import Base, InboxRow

# A transaction keeps the only writer of SQLite for as long as this many rows take: some milliseconds.
BATCH = 100
# Before rows that others held are looked for again.
ROUND_PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Rewritten:
    """One transaction: the column as ``table.column``, how many rows it rewrote, which it could not read.

    ``unreadable`` are the numbers of the messages, in the inbox, that these rows belong to.
    """

    place: str
    rows: int
    unreadable: tuple[int, ...]


def rewrite(database: Database) -> Iterator[Rewritten]:
    """Rewrite all that has not the form of new texts; gives an account of each transaction after its end.

    Rows that others hold at the moment are passed over and looked for again, until there are none.
    """
    for table, column, column_type in encrypted_columns(Base.metadata):
        work = _Column(database, table, column, column_type)
        while True:
            after, passed_over = 0, 0
            while True:
                with database.write() as session:
                    ids = work.outdated(session, after)
                    done, missed = work.rewrite(session, ids)
                if not ids:
                    break
                after, passed_over = ids[-1], passed_over + missed
                yield done
            if not passed_over:
                break
            time.sleep(ROUND_PAUSE_SECONDS)


class _Column:
    """One column, and how its rows are found, read as they are stored, and written."""

    def __init__(
        self, database: Database, table: Table, column: ColumnElement[Any], column_type: EncryptedType
    ) -> None:
        self._database, self._type = database, column_type
        self._dialect = database.engine.dialect
        (self._id,) = table.primary_key
        self._table = table
        message = self._id if table is InboxRow.__table__ else table.c.inbox_id
        self._rows = select(self._id, message, type_coerce(column, stored_type(column_type)))
        self._outdated = _outdated(column_type.sealed(column), database.keyring)
        self._update = (
            update(table)
            .where(self._id == bindparam("row"))
            .values({column.key: bindparam("value", type_=column_type)})
        )

    def outdated(self, session: Session, after: int) -> Sequence[int]:
        statement = select(self._id).where(self._id > after, self._outdated).order_by(self._id).limit(BATCH)
        return session.execute(statement).scalars().all()

    def rewrite(self, session: Session, ids: Sequence[int]) -> tuple[Rewritten, int]:
        """Rewrite ``ids``; returns what was done, and how many are held by others."""
        statement = self._database.skip_locked(self._rows.where(self._id.in_(ids)), self._table)
        found = session.execute(statement).all() if ids else []
        values, unreadable = [], []
        for number, message, stored in found:
            try:
                value = self._type.process_result_value(stored, self._dialect)
            except UnreadableError:
                unreadable.append(message)
                continue
            # An empty object has nothing to seal.
            if self._type.process_bind_param(value, self._dialect) != stored:
                values.append({"row": number, "value": value})
        if values:
            session.connection().execute(self._update, values)
        return Rewritten(self._type.place, len(values), tuple(unreadable)), len(ids) - len(found)


def _outdated(sealed: ColumnElement[str], keyring: Keyring) -> ColumnElement[bool]:
    def begins(prefix: str) -> ColumnElement[bool]:
        # Not LIKE: on SQLite that takes upper case for lower case.
        return func.substr(sealed, 1, len(prefix)) == prefix

    if keyring.first:
        return or_(sealed.is_(None), and_(sealed != "", ~begins(sealed_with(keyring.first))))
    return and_(begins(MARK), ~begins(sealed_with(PLAIN)))
