"""Deleting what people wrote: all of it after a time (``Retention``), or one person's (``erase``).

A message's row is also what makes its repetition a duplicate. Feishu repeats an event after 15 seconds,
5 minutes, 1 hour and 6 hours (open.feishu.cn, "Receive events"), Telegram keeps an update for 24 hours
(core.telegram.org/bots/api#getting-updates). So no row younger than ``REPEATED_SECONDS`` is deleted: where
its text has to go, the row is emptied and its number stays until then.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import CursorResult, Delete, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from assistant.store.database import Database
from assistant.store.models import (
    DEAD,
    DISCARDED,
    DONE,
    FORGOTTEN,
    PENDING,
    REPLY,
    CachedHits,
    Conversation,
    DeadLetter,
    Draft,
    Feedback,
    HistoryRow,
    InboxRow,
    OutboxRow,
    PinnedHits,
    RatingRow,
    RolloutAnswer,
)

DAY = 86400.0
REPEATED_SECONDS = 2 * DAY
# A transaction keeps the only writer of SQLite for as long as this many rows take: some milliseconds.
BATCH = 100
# The foreign keys of a conversation cost a look through an index of the outbox each.
CONVERSATION_BATCH = 10


@dataclass(frozen=True)
class Batch:
    """What one transaction deleted, by table, and whether nothing is left to look at."""

    rows: dict[str, int]
    last: bool


class Retention:
    """Deletes finished messages with all that belongs to them, and conversations that are left empty."""

    def __init__(self, database: Database, days: int) -> None:
        """Delete in ``database`` what is older than ``days``; 0 keeps all that nobody asked to forget."""
        self._database = database
        self._keep = days * DAY if days else None
        self._looked_at = 0
        self._conversations_looked_at = 0

    def delete_batch(self) -> Batch:
        """Delete the next batch in a short transaction.

        The way leads along the primary keys, oldest first, so that it needs no index of its own; what waits,
        is being answered or is not delivered yet is passed over until the next time round.
        """
        with self._database.read() as session:
            now = self._database.now(session)
            emptied = self._emptied(session, now)
            old, end = self._old(session, now)
        if emptied or old:
            with self._database.write() as session:
                rows = _remove(session, [*emptied, *self._still_finished(session, old)], now)
            self._looked_at = end
            return Batch(rows, last=False)
        return self._empty_conversations(now)

    def _emptied(self, session: Session, now: float) -> list[int]:
        newest = select(func.max(InboxRow.id)).scalar_subquery()
        return list(
            session.execute(
                select(InboxRow.id)
                .where(
                    InboxRow.state == FORGOTTEN,
                    InboxRow.received_at < now - REPEATED_SECONDS,
                    InboxRow.id < newest,
                )
                .limit(BATCH)
            ).scalars()
        )

    def _old(self, session: Session, now: float) -> tuple[list[int], int]:
        """Return the next rows that are old enough, finished or not, and the last one that was looked at."""
        found: list[int] = []
        end = self._looked_at
        if self._keep is None:
            return found, end
        window = session.execute(
            select(InboxRow.id, InboxRow.received_at)
            .where(InboxRow.id > end)
            .order_by(InboxRow.id)
            .limit(BATCH)
        )
        for number, received_at in window:
            # Numbers rise with time: behind this row there are only younger ones.
            if received_at >= now - self._keep:
                break
            found.append(number)
        return found, found[-1] if found else end

    def _still_finished(self, session: Session, ids: Sequence[int]) -> list[int]:
        undelivered = select(OutboxRow.id).where(
            OutboxRow.inbox_id == InboxRow.id, OutboxRow.state == PENDING
        )
        statement = select(InboxRow.id).where(
            InboxRow.id.in_(ids), InboxRow.state.in_((DONE, DEAD, DISCARDED)), ~undelivered.exists()
        )
        return list(session.execute(self._database.skip_locked(statement, InboxRow)).scalars())

    def _empty_conversations(self, now: float) -> Batch:
        unused = (
            Conversation.lease_until < now,
            ~select(InboxRow.id).where(InboxRow.conversation_id == Conversation.id).exists(),
        )
        after = Conversation.id > self._conversations_looked_at
        statement = select(Conversation.id).where(after, *unused)
        with self._database.read() as session:
            ids = session.execute(
                statement.order_by(Conversation.id).limit(CONVERSATION_BATCH)
            ).scalars().all()  # fmt: skip
        if not ids:
            self._looked_at = self._conversations_looked_at = 0
            return Batch(self._old_counts(now), last=True)
        with self._database.write() as session:
            # On PostgreSQL a message that is being accepted holds its conversation, which is passed over;
            # with the lock no other can come, and the second statement sees those that came before.
            held = self._database.skip_locked(
                select(Conversation.id).where(Conversation.id.in_(ids)), Conversation
            )
            gone = delete(Conversation).where(
                Conversation.id.in_(list(session.execute(held).scalars())), *unused
            )
            rows = {"conversations": _count(session, gone)}
        self._conversations_looked_at = ids[-1]
        return Batch(rows, last=False)

    def _old_counts(self, now: float) -> dict[str, int]:
        """Delete the counts of whole days that are too old; there are few."""
        if self._keep is None:
            return {}
        with self._database.write() as session:
            old = delete(PinnedHits).where(PinnedHits.day < (now - self._keep) // DAY)
            return {"pinned_hits": _count(session, old)}


@dataclass(frozen=True)
class Found:
    """What is kept of one person; ``running`` of the messages are being answered or sent at the moment."""

    ids: Sequence[int]
    replies: int
    conversations: int
    running: int


def find(database: Database, platform: str, *, user: str = "", chat: str = "") -> Found:
    """Find the messages of a person, or of a whole chat, and the replies to them.

    Args:
        database: where to look.
        platform: the channel's name.
        user: the platform's id of the person: the messages that this person wrote, in any chat. On Telegram
            a private chat has the person's own id, so that messages without a sender are found too.
        chat: the platform's id of a chat: everything in it, whoever wrote.
    """
    with database.read() as session:
        now = database.now(session)
        whose = Conversation.chat == (chat or user)
        if user:
            # A topic of a private chat is "chat/topic".
            topics = Conversation.chat.startswith(f"{user}/", autoescape=True)
            whose = or_(whose, topics, InboxRow.sender == user)
        rows: Sequence[Any] = session.execute(
            select(InboxRow.id, InboxRow.conversation_id, InboxRow.state, OutboxRow.id, OutboxRow.lease_until)
            .join(Conversation, Conversation.id == InboxRow.conversation_id)
            .outerjoin(OutboxRow, and_(OutboxRow.inbox_id == InboxRow.id, OutboxRow.purpose == REPLY))
            .where(InboxRow.platform == platform, InboxRow.state != FORGOTTEN, whose)
            .order_by(InboxRow.id)
        ).all()
        ids = [row[0] for row in rows]
        running = sum(1 for row in rows if row[3] is not None and row[4] >= now)
        for start in range(0, len(ids), BATCH):
            running += len(_being_answered(session, ids[start : start + BATCH], now))
    return Found(ids, sum(1 for row in rows if row[3] is not None), len({row[1] for row in rows}), running)


def erase(database: Database, ids: Sequence[int]) -> Counter[str]:
    """Delete the messages ``ids`` in any state, in small transactions; returns the deleted rows by table.

    A message that is being answered loses its lease: what the model makes of it finds no row any more and is
    thrown away. A reply that is being sent at this very moment still arrives.
    """
    deleted: Counter[str] = Counter()
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        with database.write() as session:
            now = database.now(session)
            theirs = select(InboxRow.conversation_id).where(InboxRow.id.in_(batch))
            held = select(Conversation.id).where(Conversation.id.in_(theirs)).order_by(Conversation.id)
            # Nobody can claim or finish one of these messages until the transaction ends.
            if not database.is_sqlite:
                session.execute(held.with_for_update(key_share=True)).all()
                session.execute(select(InboxRow.id).where(InboxRow.id.in_(batch)).with_for_update()).all()
            session.execute(
                update(Conversation)
                # Also where the lease has run out: while nobody else takes it, its holder may finish.
                .where(Conversation.id.in_(_being_answered(session, batch, 0.0)))
                .values(lease_token=None, lease_until=0.0)
            )
            deleted.update(_remove(session, batch, now))
    database.empty_log()
    return deleted


def _being_answered(session: Session, ids: Sequence[int], now: float) -> list[int]:
    """Return the conversations leased until ``now`` or later whose oldest waiting message is in ``ids``."""
    oldest = (
        select(func.min(InboxRow.id).label("id"), InboxRow.conversation_id.label("conversation"))
        .where(
            InboxRow.state == PENDING,
            InboxRow.conversation_id.in_(select(InboxRow.conversation_id).where(InboxRow.id.in_(ids))),
        )
        .group_by(InboxRow.conversation_id)
        .subquery()
    )
    joined = and_(oldest.c.conversation == Conversation.id, oldest.c.id.in_(ids))
    statement = select(Conversation.id).join(oldest, joined).where(Conversation.lease_until >= now)
    return list(session.execute(statement).scalars())


def _remove(session: Session, ids: Sequence[int], now: float) -> dict[str, int]:
    """Delete the messages ``ids`` and all that belongs to them; empty those that have to stay.

    The newest row has to stay as well: SQLite would give its number to the next message, and a page that has
    shown the number would not show that message.
    """
    replies = select(OutboxRow.id).where(OutboxRow.inbox_id.in_(ids))
    letters = or_(
        and_(DeadLetter.source == "inbox", DeadLetter.source_id.in_(ids)),
        and_(DeadLetter.source == "outbox", DeadLetter.source_id.in_(replies)),
    )
    rows = {
        "dead_letters": _count(session, delete(DeadLetter).where(letters)),
        "messages": _count(session, delete(HistoryRow).where(HistoryRow.inbox_id.in_(ids))),
        "ratings": _count(session, delete(RatingRow).where(RatingRow.inbox_id.in_(ids))),
        "feedback": _count(session, delete(Feedback).where(Feedback.inbox_id.in_(ids))),
        "answer_cache_hits": _count(session, delete(CachedHits).where(CachedHits.inbox_id.in_(ids))),
        "rollout_answers": _count(session, delete(RolloutAnswer).where(RolloutAnswer.inbox_id.in_(ids))),
        "drafts": _count(session, delete(Draft).where(Draft.inbox_id.in_(ids))),
        "outbox": _count(session, delete(OutboxRow).where(OutboxRow.inbox_id.in_(ids))),
    }
    newest = session.execute(select(func.max(InboxRow.id))).scalar_one()
    session.execute(
        update(InboxRow)
        .where(
            InboxRow.id.in_(ids), or_(InboxRow.received_at >= now - REPEATED_SECONDS, InboxRow.id == newest)
        )
        .values(state=FORGOTTEN, text="", reply_to="", payload={}, sender="", finished_at=now)
    )
    old = and_(InboxRow.received_at < now - REPEATED_SECONDS, InboxRow.id != newest)
    rows["inbox"] = _count(session, delete(InboxRow).where(InboxRow.id.in_(ids), old))
    return rows


def _count(session: Session, statement: Delete) -> int:
    return cast("CursorResult[Any]", session.execute(statement)).rowcount
