"""The inbox: what was received, claimed under a lease, finished together with its reply."""

import secrets
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from assistant.messages import Incoming, Kind, Turn
from assistant.store.claims import Claim, LeaseLost, oldest_claimable
from assistant.store.database import Database
from assistant.store.keyring import UnreadableError
from assistant.store.lookup import conversation_of, number_of
from assistant.store.models import (
    DEAD,
    DONE,
    FORGOTTEN,
    NOTICE,
    PENDING,
    Conversation,
    Cursor,
    DeadLetter,
    Draft,
    HistoryRow,
    InboxRow,
    OutboxRow,
)
from assistant.store.together import Together
from assistant.store.unreadable import UnreadableRow, put_off

RELEASED_TOGETHER = 100
# A message, and with it how far its stream was read.
Arrived = tuple[Incoming, tuple[str, int] | None]


class Inbox:
    """Messages on their way from a channel to the worker."""

    def __init__(self, database: Database, lease_seconds: float) -> None:
        """Use ``database``; a claim holds for ``lease_seconds`` after its last heartbeat."""
        self._database = database
        self._lease = lease_seconds
        self._together = Together(self._add_all)
        # Made once: SQLAlchemy needs longer for putting it together than SQLite for answering it.
        self._next = database.skip_locked(oldest_claimable(), Conversation)
        # Named one by one: for "not chat" SQLite would look at everything that waits.
        kinds = [kind.value for kind in Kind if kind is not Kind.CHAT]
        # "+ 0": in the order of the other index it would look at everything, too.
        fixed = oldest_claimable().where(InboxRow.kind.in_(kinds)).order_by(None).order_by(InboxRow.id + 0)
        self._next_fixed = database.skip_locked(fixed, Conversation)

    def accept(self, message: Incoming, cursor: tuple[str, int] | None = None) -> int | None:
        """Commit ``message`` and, in the same transaction, ``cursor`` (name, value).

        Returns:
            The row's id, or None when nothing is to be answered: (platform, message id) is already there,
            or the text took the place of another one that waits.
        """
        # On PostgreSQL two may race: one of two constraints stops one, whose next try finds the row.
        for last_try in (False, False, True):
            try:
                if self._database.is_sqlite:
                    return self._together.ask((message, cursor))
                return self._add_all(lambda: [(message, cursor)])[0]
            except IntegrityError:
                if last_try:
                    raise
        return None

    def _add_all(self, come: Callable[[], list[Arrived]]) -> list[int | None]:
        with self._database.write(urgent=True) as session:
            return [self._insert(session, *arrived) for arrived in come()]

    def _insert(self, session: Session, message: Incoming, cursor: tuple[str, int] | None) -> int | None:
        now = self._database.now(session)
        if cursor is not None:
            session.merge(Cursor(name=cursor[0], value=cursor[1]))
        if number_of(session, message.platform, message.message_id) is not None:
            return None
        state, text = PENDING, message.text
        if message.edits and self._corrected(session, message, now):
            state, text = DONE, ""
        conversation = conversation_of(session, message.platform, message.chat, now)
        row = InboxRow(
            platform=message.platform,
            message_id=message.message_id,
            conversation_id=conversation.id,
            kind=message.kind.value,
            text=text,
            reply_to=message.reply_to,
            payload=message.payload,
            state=state,
            available_at=now,
            received_at=now,
            finished_at=None if state == PENDING else now,
            sender=message.sender,
            language=message.language,
            trace_id=message.trace_id,
        )
        session.add(row)
        session.flush()
        return row.id if state == PENDING else None

    def _corrected(self, session: Session, message: Incoming, now: float) -> bool:
        """Put an edited text in the place of the one that nobody has begun to answer yet."""
        number = number_of(session, message.platform, message.edits)
        if number is None:
            return False
        whose = select(InboxRow.conversation_id).where(InboxRow.id == number).scalar_subquery()
        held = select(Conversation.lease_until).where(Conversation.id == whose)
        if not self._database.is_sqlite:
            # Nobody claims the message meanwhile, and who has just claimed it is seen.
            held = held.with_for_update()
        lease_until = session.execute(held).scalar_one()
        waits = InboxRow.attempts == 0 if lease_until >= now else InboxRow.attempts >= 0
        return self._database.met_a_row(
            session,
            update(InboxRow)
            .where(InboxRow.id == number, InboxRow.state == PENDING, waits)
            .values(text=message.text, kind=message.kind.value),
        )

    def cursor(self, name: str) -> int | None:
        """Return the committed value of the cursor ``name``."""
        with self._database.read() as session:
            return session.execute(select(Cursor.value).where(Cursor.name == name)).scalar_one_or_none()

    def set_cursor(self, name: str, value: int) -> None:
        """Commit ``value`` for the cursor ``name``: what lay before it needs no message."""
        with self._database.write() as session:
            session.merge(Cursor(name=name, value=value))

    def claim(self, *, without_model: bool = False) -> Claim | None:
        """Take the oldest message whose conversation nobody is working on.

        ``without_model`` passes over those that need the model.
        A conversation's later messages wait for its earlier ones, also while an earlier one waits for
        another try. The try is counted now: a message that kills the process must not be tried for ever.

        Raises:
            UnreadableRow: its key is not there; it waits for a while, and is not counted as tried.
        """
        with self._database.write() as session:
            claimed = self._claim(session, self._next_fixed if without_model else self._next)
        if isinstance(claimed, UnreadableRow):
            raise claimed
        return claimed

    def _claim(
        self, session: Session, oldest: Select[InboxRow, Conversation]
    ) -> "Claim | UnreadableRow | None":
        now = self._database.now(session)
        try:
            found = session.execute(oldest, {"now": now}).first()
        except UnreadableError as error:
            return put_off(session, InboxRow, oldest.with_only_columns(InboxRow.id), now, error)
        if found is None:
            return None
        row, conversation = found
        if not self._database.is_sqlite:
            # PostgreSQL may have locked the conversation just after somebody finished this row
            # or deleted it.
            again = select(InboxRow).where(InboxRow.id == row.id)
            fresh = session.execute(again, execution_options={"populate_existing": True}).scalar()
            if fresh is None or fresh.state != PENDING:
                return None
        token = secrets.token_hex(16)
        conversation.lease_token = token
        conversation.lease_until = now + self._lease
        row.attempts += 1
        return Claim(
            inbox_id=row.id,
            conversation_id=conversation.id,
            platform=row.platform,
            chat=conversation.chat,
            kind=Kind(row.kind),
            text=row.text,
            reply_to=row.reply_to,
            payload=row.payload,
            attempts=row.attempts,
            token=token,
            sender=row.sender,
            language=conversation.language,
            hint=row.language,
            forgotten_turn=conversation.forgotten_turn,
            received_at=row.received_at,
            age=now - row.received_at,
            trace_id=row.trace_id,
        )

    def heartbeat(self, claim: Claim) -> bool:
        """Hold ``claim`` for another lease; False when it is lost."""
        with self._database.write() as session:
            return self._database.met_a_row(
                session,
                update(Conversation)
                .where(Conversation.id == claim.conversation_id, Conversation.lease_token == claim.token)
                .values(lease_until=self._database.now(session) + self._lease),
            )

    def history(self, claim: Claim, limit: int, max_age: float = 0.0) -> list[Turn]:
        """Return the conversation's newest ``limit`` finished turns, oldest first.

        Turns from before the person began anew are left out, and with ``max_age`` (seconds, 0 for any) older
        ones.
        """
        with self._database.read() as session:
            oldest = self._database.now(session) - max_age if max_age else 0.0
            rows = session.execute(
                select(HistoryRow.role, HistoryRow.content)
                .where(
                    HistoryRow.conversation_id == claim.conversation_id,
                    HistoryRow.id > claim.forgotten_turn,
                    HistoryRow.created_at >= oldest,
                )
                .order_by(HistoryRow.id.desc())
                .limit(limit)
            ).all()
        return [Turn(role, content) for role, content in reversed(rows)]

    def finish(
        self,
        claim: Claim,
        reply: str,
        *,
        remember: bool,
        push: bool,
        dead_reason: str = "",
        kind: Kind | None = None,
        detail: dict[str, Any] | None = None,
        also: Callable[[Session], None] | None = None,
    ) -> None:
        """Commit, all at once: the reply in the outbox, the turns in the history, the message's end, the
        lease's end.

        Args:
            claim: what was answered.
            reply: the text for the outbox.
            push: whether somebody has to send the reply; otherwise it is fetched.
            remember: whether both turns belong into the history.
            dead_reason: not empty: the message is given up, and this is the kind of the failure.
            kind: what the message turned out to be; None leaves it at what it was taken for.
            detail: what the channel may want to know about the reply (token counts).
            also: what else belongs into the same transaction.

        Raises:
            LeaseLost: somebody else may have the conversation now; nothing was changed.
        """
        with self._database.write() as session:
            now = self._release(session, claim)
            session.execute(
                update(InboxRow)
                .where(InboxRow.id == claim.inbox_id)
                .values(state=DEAD if dead_reason else DONE, finished_at=now, kind=(kind or claim.kind).value)
            )
            # The answer makes word that it will come superfluous, if that was not sent yet.
            session.execute(
                delete(OutboxRow).where(
                    OutboxRow.inbox_id == claim.inbox_id,
                    OutboxRow.purpose == NOTICE,
                    OutboxRow.state == PENDING,
                    OutboxRow.attempts == 0,
                )
            )
            draft = session.get(Draft, claim.inbox_id)
            if remember:
                for role, content in (("user", claim.text), ("assistant", reply)):
                    session.add(
                        HistoryRow(
                            conversation_id=claim.conversation_id,
                            inbox_id=claim.inbox_id,
                            role=role,
                            content=content,
                            created_at=now,
                        )
                    )
                    session.flush()
            session.add(
                OutboxRow(
                    inbox_id=claim.inbox_id,
                    conversation_id=claim.conversation_id,
                    platform=claim.platform,
                    chat=claim.chat,
                    reply_to=claim.reply_to,
                    text=reply,
                    detail=detail or {},
                    state=PENDING if push else DONE,
                    # Feishu takes at most 50 characters. A draft is the reply's first try.
                    idempotency_key=draft.idempotency_key if draft else secrets.token_hex(16),
                    available_at=now,
                    created_at=now,
                    trace_id=claim.trace_id,
                )
            )
            if also is not None:
                also(session)
            if dead_reason:
                session.add(
                    DeadLetter(
                        source="inbox",
                        source_id=claim.inbox_id,
                        platform=claim.platform,
                        reason=dead_reason,
                        created_at=now,
                    )
                )

    def retry(self, claim: Claim, delay: float) -> None:
        """Give ``claim`` back for another try in ``delay`` seconds.

        Raises:
            LeaseLost: somebody else may have the conversation now.
        """
        with self._database.write() as session:
            now = self._release(session, claim)
            session.get_one(InboxRow, claim.inbox_id).available_at = now + delay

    def give_back(self, claim: Claim, delay: float = 0.0, kind: Kind | None = None) -> None:
        """Give ``claim`` back as if it had never been taken: the process is stopping, or has no room.

        It can be taken again in ``delay`` seconds, as a message of another ``kind`` if one is given.
        """
        with self._database.write() as session:
            now = self._release(session, claim)
            row = session.get_one(InboxRow, claim.inbox_id)
            row.attempts -= 1
            row.available_at = now + delay
            row.kind = (kind or claim.kind).value

    def release(self, numbers: Sequence[int]) -> None:
        """Let the messages ``numbers``, as far as they wait, be taken now: what they waited for is there."""
        for start in range(0, len(numbers), RELEASED_TOGETHER):
            some = numbers[start : start + RELEASED_TOGETHER]
            with self._database.write() as session:
                session.execute(
                    update(InboxRow)
                    .where(InboxRow.id.in_(some), InboxRow.state == PENDING)
                    .values(available_at=self._database.now(session))
                )

    def is_kept(self, number: int) -> bool:
        """Whether the message ``number`` is there with its text: nobody has had it deleted."""
        with self._database.read() as session:
            state = session.execute(select(InboxRow.state).where(InboxRow.id == number)).scalar_one_or_none()
        return state not in {None, FORGOTTEN}

    def waiting(self) -> int:
        """Return how many messages are not answered yet."""
        with self._database.read() as session:
            return session.execute(select(func.count()).where(InboxRow.state == PENDING)).scalar_one()

    def _release(self, session: Session, claim: Claim) -> float:
        now = self._database.now(session)
        met = self._database.met_a_row(
            session,
            update(Conversation)
            .where(Conversation.id == claim.conversation_id, Conversation.lease_token == claim.token)
            .values(lease_token=None, lease_until=0.0),
        )
        if not met:
            raise LeaseLost
        return now
