"""Messages and replies as an operator sees them, and what becomes of those that were given up.

A message that was given up is an inbox row in the state ``dead``, a row of ``dead_letters`` with the reason,
and an outbox row with the apology. A reply that was given up is an outbox row in the state ``dead`` and a row
of ``dead_letters``.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, func, literal, select
from sqlalchemy.orm import Session

from assistant.store.database import Database
from assistant.store.models import (
    DEAD,
    DISCARDED,
    DONE,
    FORGOTTEN,
    PENDING,
    REPLY,
    Conversation,
    DeadLetter,
    Draft,
    InboxRow,
    OutboxRow,
)


class Kind(StrEnum):
    """Which of the two tables a row is in."""

    INBOX = "inbox"
    OUTBOX = "outbox"


class State(StrEnum):
    """What becomes of a row at present."""

    WAITING = "waiting"
    WORKING = "working"
    GIVEN_UP = "given-up"
    DISCARDED = "discarded"
    DONE = "done"


_STORED = {
    State.WAITING: PENDING,
    State.WORKING: PENDING,
    State.GIVEN_UP: DEAD,
    State.DISCARDED: DISCARDED,
    State.DONE: DONE,
}
_TABLES: dict[Kind, type[InboxRow] | type[OutboxRow]] = {Kind.INBOX: InboxRow, Kind.OUTBOX: OutboxRow}


@dataclass(frozen=True, order=True)
class Key:
    """One row: the table and its number there, which the log calls ``inbox_id`` or ``outbox_id``."""

    kind: Kind
    number: int

    def __str__(self) -> str:
        """Return the form in which people write it."""
        return f"{self.kind}-{self.number}"


@dataclass(frozen=True)
class Entry:
    """A row without anything personal. ``age`` is in seconds; ``reason`` is why it was given up, or empty."""

    key: Key
    channel: str
    state: State
    age: float
    attempts: int
    reason: str


@dataclass(frozen=True)
class PutBack:
    """A retry that was done: the reason it had been given up for, and the apology that it takes away."""

    reason: str
    apology: Key | None = None


class NotGivenUpError(Exception):
    """The row is not, or no longer, one that was given up; ``state`` is what it is, None if there is none."""

    def __init__(self, key: Key, state: State | None) -> None:
        """Remember the row and its state."""
        super().__init__(f"{key}: {state}")
        self.key, self.state = key, state


class DeadLetters:
    """Looks at all rows; puts back or discards those that were given up, each in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        """Use ``database``, whose tables must be there."""
        self._database = database

    def entries(self, states: Collection[State], limit: int | None = None) -> tuple[list[Entry], int]:
        """Return the rows in ``states``, oldest first, at most ``limit`` of them, and how many there are."""
        found: list[tuple[float, Entry]] = []
        total = 0
        with self._database.read() as session:
            now = self._database.now(session)
            for kind in Kind:
                row, came, state = _TABLES[kind], _came(kind), _state(kind, now)
                # The stored states first: the tables have an index on them.
                stored = sorted({_STORED[s] for s in states})
                where = (row.state.in_(stored), state.in_([s.value for s in states]))
                chosen = (
                    select(row.id, row.platform, state, came, row.attempts, DeadLetter.reason)
                    .join(Conversation, Conversation.id == row.conversation_id)
                    .outerjoin(DeadLetter, _letter_of(kind))
                    .where(*where)
                )
                total += session.execute(select(func.count()).select_from(chosen.subquery())).scalar_one()
                for values in session.execute(chosen.order_by(came, row.id).limit(limit)):
                    number, platform, name, since, attempts, reason = values
                    entry = Entry(
                        key=Key(kind, number),
                        channel=platform,
                        state=State(name),
                        age=max(0.0, now - since),
                        attempts=attempts,
                        reason=reason or "",
                    )
                    found.append((since, entry))
        found.sort(key=lambda f: (f[0], f[1].key))
        return [entry for _, entry in found[:limit]], total

    def entry(self, key: Key) -> Entry | None:
        """Return the row ``key``; None if there is none."""
        row, came = _TABLES[key.kind], _came(key.kind)
        with self._database.read() as session:
            now = self._database.now(session)
            values = session.execute(
                select(row.platform, _state(key.kind, now), came, row.attempts, DeadLetter.reason)
                .join(Conversation, Conversation.id == row.conversation_id)
                .outerjoin(DeadLetter, _letter_of(key.kind))
                .where(row.id == key.number)
            ).one_or_none()
        if values is None:
            return None
        platform, name, since, attempts, reason = values
        return Entry(key, platform, State(name), max(0.0, now - since), attempts, reason or "")

    def details(self, key: Key) -> dict[str, Any] | None:
        """Return all columns of the row ``key``, with text and ids of people; None if there is none.

        ``given_up_at`` and ``given_up_reason`` come from the dead letter and are None without one;
        ``reply`` is a message's outbox row.
        """
        with self._database.read() as session:
            row = session.get(_TABLES[key.kind], key.number)
            if row is None:
                return None
            values: dict[str, Any] = {
                column.name: getattr(row, column.name) for column in row.__table__.columns
            }
            letter = _letter(session, key)
            values["given_up_at"] = letter.created_at if letter else None
            values["given_up_reason"] = letter.reason if letter else None
            if key.kind is Kind.INBOX:
                reply = session.execute(
                    select(OutboxRow.id).where(OutboxRow.inbox_id == key.number, OutboxRow.purpose == REPLY)
                ).scalar_one_or_none()
                values["reply"] = None if reply is None else str(Key(Kind.OUTBOX, reply))
        return values

    def retry(self, key: Key) -> PutBack:
        """Put ``key`` back as if it had never been tried, for the worker or the sender.

        A message's apology is removed, sent or not: the answer takes its place (one reply a message). What is
        sent of a reply stays sent, and its idempotency key stays, so that nothing arrives twice.

        Raises:
            NotGivenUpError: nothing was changed.
        """
        with self._database.write() as session:
            row = self._given_up(session, key)
            row.state, row.attempts = PENDING, 0
            row.available_at = self._database.now(session)
            letter = _letter(session, key)
            # A second failure makes a new one: there is at most one for each row.
            _forget(session, key)
            reason = letter.reason if letter else ""
            if isinstance(row, OutboxRow):
                return PutBack(reason)
            row.finished_at = None
            # Its key was the apology's: a platform would drop the answer as a repetition.
            session.execute(delete(Draft).where(Draft.inbox_id == key.number))
            removed = session.execute(
                delete(OutboxRow)
                .where(OutboxRow.inbox_id == key.number, OutboxRow.purpose == REPLY)
                .returning(OutboxRow.id)
            ).scalar_one_or_none()
            apology = None if removed is None else Key(Kind.OUTBOX, removed)
            if apology is not None:
                _forget(session, apology)
            return PutBack(reason, apology)

    def discard(self, key: Key) -> str:
        """Mark ``key`` as discarded; the row and its dead letter stay. Returns why it had been given up.

        Raises:
            NotGivenUpError: nothing was changed.
        """
        with self._database.write() as session:
            self._given_up(session, key).state = DISCARDED
            letter = _letter(session, key)
            return letter.reason if letter else ""

    def _given_up(self, session: Session, key: Key) -> InboxRow | OutboxRow:
        """Return the row, locked (SQLite's BEGIN IMMEDIATE has already locked everything)."""
        lock = not self._database.is_sqlite
        row: InboxRow | OutboxRow | None
        if key.kind is Kind.INBOX:
            row = session.get(InboxRow, key.number, with_for_update=lock)
        else:
            row = session.get(OutboxRow, key.number, with_for_update=lock)
        if row is None:
            raise NotGivenUpError(key, None)
        if row.state != DEAD:
            raise NotGivenUpError(key, next(s for s, stored in _STORED.items() if stored == row.state))
        return row


def _came(kind: Kind) -> ColumnElement[float]:
    return (InboxRow.received_at if kind is Kind.INBOX else OutboxRow.created_at).expression


def _state(kind: Kind, now: float) -> ColumnElement[str]:
    row = _TABLES[kind]
    # A message is held through its conversation; of the messages there, the one that was tried is held.
    held = OutboxRow.lease_until >= now if kind is Kind.OUTBOX else Conversation.lease_until >= now
    return case(
        (row.state == DEAD, literal(State.GIVEN_UP.value)),
        (row.state == DISCARDED, literal(State.DISCARDED.value)),
        # What is left of a deleted message is done, too.
        (row.state.in_((DONE, FORGOTTEN)), literal(State.DONE.value)),
        (and_(held, row.attempts > 0), literal(State.WORKING.value)),
        else_=literal(State.WAITING.value),
    )


def _letter_of(kind: Kind) -> ColumnElement[bool]:
    return and_(DeadLetter.source == kind.value, DeadLetter.source_id == _TABLES[kind].id)


def _letter(session: Session, key: Key) -> DeadLetter | None:
    return session.execute(
        select(DeadLetter).where(DeadLetter.source == key.kind.value, DeadLetter.source_id == key.number)
    ).scalar_one_or_none()


def _forget(session: Session, key: Key) -> None:
    session.execute(
        delete(DeadLetter).where(DeadLetter.source == key.kind.value, DeadLetter.source_id == key.number)
    )
