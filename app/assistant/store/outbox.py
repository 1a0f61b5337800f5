"""The outbox: replies on their way to a platform."""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BindParameter, Select, and_, bindparam, func, select, update
from sqlalchemy.orm import Session, aliased

from assistant.messages import Kind
from assistant.store.database import Database
from assistant.store.keyring import UnreadableError
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
from assistant.store.unreadable import UnreadableRow, put_off

# In a reply's detail: whether people may rate it, and its language.
RATEABLE, LANGUAGE = "rateable", "language"
# Of an answer: which model it is by, and whether it was known before.
ARM, CACHED = "arm", "cached"
GIVEN_UP = frozenset({DEAD, DISCARDED})


@dataclass(frozen=True)
class Delivery:
    """A reply that this process alone may send while its lease holds.

    ``draft`` refers to the message that shows its beginning, if one was opened. ``rateable`` is the number by
    which a person may rate it, 0 if there is nothing to rate. ``language`` is en, zh or empty. ``arm`` names
    the model that an answer is by, and is empty for all else; ``cached`` says that the answer was known
    before. ``age`` is how many seconds before the claim, at ``claimed_at``, the message was received.
    ``trace_id`` is the message's correlation id.
    """

    outbox_id: int
    platform: str
    chat: str
    reply_to: str
    text: str
    idempotency_key: str
    parts_sent: int
    attempts: int
    token: str
    draft: str = ""
    rateable: int = 0
    language: str = ""
    trace_id: str = ""
    arm: str = ""
    cached: bool = False
    age: float = 0.0
    claimed_at: float = field(default_factory=time.monotonic)

    @property
    def waited(self) -> float:
        """How many seconds ago the message was received."""
        return self.age + time.monotonic() - self.claimed_at


@dataclass(frozen=True)
class Reply:
    """A finished reply as a channel that is asked for it sees it."""

    text: str
    detail: dict[str, Any]
    failed: bool


@dataclass(frozen=True)
class Standing:
    """How far a message is.

    ``number`` is that of the message and of its answer. ``ahead`` is how many questions of all chats came
    earlier and have no answer yet, those that are being answered included. ``reply`` is None until there is
    one; ``failed`` says that it only tells of a failure.
    """

    number: int
    ahead: int
    reply: str | None
    failed: bool
    rateable: bool


class Outbox:
    """Replies: some are sent (Feishu, Telegram), others are fetched (web chat, API)."""

    def __init__(self, database: Database, lease_seconds: float) -> None:
        """Use ``database``; a claim holds for ``lease_seconds`` after its last heartbeat."""
        self._database = database
        self._lease = lease_seconds
        # Made once: SQLAlchemy needs longer for putting it together than SQLite for answering it.
        self._next = database.skip_locked(_oldest_sendable(), OutboxRow)

    def claim(self, platforms: Sequence[str]) -> Delivery | None:
        """Take the oldest reply for ``platforms``; a chat's later replies wait for its earlier ones.

        Raises:
            UnreadableRow: its key is not there; it waits for a while, and is not counted as tried.
        """
        with self._database.write() as session:
            claimed = self._claim(session, platforms)
        if isinstance(claimed, UnreadableRow):
            raise claimed
        return claimed

    def _claim(self, session: Session, platforms: Sequence[str]) -> "Delivery | UnreadableRow | None":
        now = self._database.now(session)
        values = {"now": now, "platforms": list(platforms)}
        try:
            row = session.execute(self._next, values).scalar_one_or_none()
        except UnreadableError as error:
            number = self._next.with_only_columns(OutboxRow.id).params(values)
            return put_off(session, OutboxRow, number, now, error)
        if row is None:
            return None
        token = secrets.token_hex(16)
        row.lease_token, row.lease_until = token, now + self._lease
        row.attempts += 1
        draft = session.get(Draft, row.inbox_id) if row.purpose == REPLY else None
        arm = str(row.detail.get(ARM, ""))
        came = select(InboxRow.received_at).where(InboxRow.id == row.inbox_id)
        return Delivery(
            outbox_id=row.id,
            platform=row.platform,
            chat=row.chat,
            reply_to=row.reply_to,
            text=row.text,
            idempotency_key=row.idempotency_key,
            parts_sent=row.parts_sent,
            attempts=row.attempts,
            token=token,
            draft=draft.reference if draft else "",
            rateable=row.inbox_id if row.detail.get(RATEABLE) else 0,
            language=str(row.detail.get(LANGUAGE, "")),
            trace_id=row.trace_id,
            arm=arm,
            cached=bool(row.detail.get(CACHED)),
            age=now - session.execute(came).scalar_one() if arm else 0.0,
        )

    def _change(self, delivery: Delivery, since_now: Mapping[str, float], **values: Any) -> bool:
        """Change the reply while its lease holds; ``since_now`` are times, in seconds from now."""
        with self._database.write() as session:
            now = self._database.now(session) if since_now else 0.0
            times = {name: now + seconds for name, seconds in since_now.items()}
            return self._database.met_a_row(
                session,
                update(OutboxRow)
                .where(OutboxRow.id == delivery.outbox_id, OutboxRow.lease_token == delivery.token)
                .values(**values, **times),
            )

    def part_sent(self, delivery: Delivery, parts: int) -> bool:
        """Commit that the first ``parts`` parts have been sent, so that another try begins after them.

        Holds ``delivery`` for another lease; False when it is lost.
        """
        return self._change(delivery, {"lease_until": self._lease}, parts_sent=parts)

    def sent(self, delivery: Delivery, parts: int = 1) -> bool:
        """Commit that the whole reply, all ``parts`` of it, has been sent; False when the lease is lost."""
        return self._change(
            delivery, {"sent_at": 0.0}, parts_sent=parts, state=DONE, lease_token=None, lease_until=0.0
        )

    def retry(self, delivery: Delivery, delay: float, *, count: bool = True) -> bool:
        """Try again in ``delay`` seconds; with ``count`` False this try does not count."""
        attempts = delivery.attempts if count else delivery.attempts - 1
        return self._change(
            delivery, {"available_at": delay}, attempts=attempts, lease_token=None, lease_until=0.0
        )

    def give_up(self, delivery: Delivery, reason: str) -> None:
        """Move the reply to the dead letters; ``reason`` is a kind of failure, never a text."""
        with self._database.write() as session:
            now = self._database.now(session)
            met = self._database.met_a_row(
                session,
                update(OutboxRow)
                .where(OutboxRow.id == delivery.outbox_id, OutboxRow.lease_token == delivery.token)
                .values(state=DEAD, lease_token=None, lease_until=0.0),
            )
            if met:
                session.add(
                    DeadLetter(
                        source="outbox",
                        source_id=delivery.outbox_id,
                        platform=delivery.platform,
                        reason=reason,
                        created_at=now,
                    )
                )

    def reply_to(self, inbox_id: int) -> Reply | None:
        """Return the reply to the message ``inbox_id``; None while there is none."""
        with self._database.read() as session:
            row = session.execute(
                select(OutboxRow.text, OutboxRow.detail, InboxRow.state)
                .join(InboxRow, InboxRow.id == OutboxRow.inbox_id)
                .where(OutboxRow.inbox_id == inbox_id, OutboxRow.purpose == REPLY)
            ).one_or_none()
        if row is None:
            return None
        return Reply(text=row[0], detail=row[1], failed=row[2] in GIVEN_UP)

    def transcript(self, platform: str, chat: str, after: int, limit: int) -> list[dict[str, Any]]:
        """Return a chat's exchanges for a page to show, oldest first.

        Args:
            platform: the channel's name.
            chat: the channel's id of the chat.
            after: only exchanges whose number is above this.
            limit: at most so many, the newest ones.
        """
        with self._database.read() as session:
            rows = session.execute(
                select(
                    InboxRow.id,
                    InboxRow.message_id,
                    InboxRow.text,
                    InboxRow.state,
                    OutboxRow.text,
                    OutboxRow.detail,
                )
                .join(Conversation, Conversation.id == InboxRow.conversation_id)
                .outerjoin(OutboxRow, and_(OutboxRow.inbox_id == InboxRow.id, OutboxRow.purpose == REPLY))
                .where(
                    Conversation.platform == platform,
                    Conversation.chat == chat,
                    InboxRow.id > after,
                    InboxRow.state != FORGOTTEN,
                )
                .order_by(InboxRow.id.desc())
                .limit(limit)
            ).all()
        return [
            {
                "number": number,
                "id": message_id,
                "text": text,
                "reply": reply,
                "failed": state in GIVEN_UP,
                "rateable": bool(detail and detail.get(RATEABLE)),
            }
            for number, message_id, text, state, reply, detail in reversed(rows)
        ]

    def standing(self, platform: str, message_id: str) -> Standing | None:
        """Return how far the message ``message_id`` of ``platform`` is; None when there is none."""
        mine, earlier = InboxRow, aliased(InboxRow)
        with self._database.read() as session:
            row = session.execute(
                select(mine.id, mine.state, OutboxRow.text, OutboxRow.detail)
                .outerjoin(OutboxRow, and_(OutboxRow.inbox_id == mine.id, OutboxRow.purpose == REPLY))
                .where(mine.platform == platform, mine.message_id == message_id, mine.state != FORGOTTEN)
            ).one_or_none()
            if row is None:
                return None
            number, state, reply, detail = row
            ahead = 0
            if reply is None:
                ahead = session.execute(
                    select(func.count()).where(
                        earlier.state == PENDING, earlier.id < number, earlier.kind == Kind.CHAT.value
                    )
                ).scalar_one()
        return Standing(number, ahead, reply, state in GIVEN_UP, bool(detail and detail.get(RATEABLE)))

    def unanswered(self, platform: str, chat: str) -> int:
        """Return how many messages of a chat have no reply yet."""
        with self._database.read() as session:
            return session.execute(
                select(func.count())
                .select_from(InboxRow)
                .join(Conversation, Conversation.id == InboxRow.conversation_id)
                .where(
                    Conversation.platform == platform, Conversation.chat == chat, InboxRow.state == PENDING
                )
            ).scalar_one()

    def waiting(self, platforms: Sequence[str]) -> int:
        """Return how many replies for ``platforms`` are not sent yet."""
        with self._database.read() as session:
            return session.execute(
                select(func.count()).where(OutboxRow.state == PENDING, OutboxRow.platform.in_(platforms))
            ).scalar_one()

    def dead_letters(self) -> int:
        """Return how many messages and replies were given up, and neither put back nor discarded."""
        with self._database.read() as session:
            return sum(
                session.execute(select(func.count()).where(row.state == DEAD)).scalar_one()
                for row in (InboxRow, OutboxRow)
            )


def _oldest_sendable() -> Select[OutboxRow]:
    """The oldest reply whose time has come, that nobody is sending, with none before it in its chat."""
    earlier = aliased(OutboxRow)
    before = select(earlier.id).where(
        earlier.conversation_id == OutboxRow.conversation_id,
        earlier.state == PENDING,
        earlier.id < OutboxRow.id,
    )
    now: BindParameter[float] = bindparam("now")
    return (
        select(OutboxRow)
        .where(
            OutboxRow.state == PENDING,
            OutboxRow.platform.in_(bindparam("platforms", expanding=True)),
            OutboxRow.available_at <= now,
            OutboxRow.lease_until < now,
            ~before.exists(),
        )
        .order_by(OutboxRow.id)
        .limit(1)
    )
