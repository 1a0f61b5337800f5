"""Notices: word to a person that the answer takes longer than usual."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import exists, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased, defer

from assistant.messages import Kind
from assistant.store.database import Database
from assistant.store.keyring import UnreadableError
from assistant.store.models import NOTICE, PENDING, Conversation, Draft, InboxRow, OutboxRow

AT_ONCE = 20
# One word in a conversation is enough for so long, in seconds, however many messages wait there.
QUIET_SECONDS = 600.0


@dataclass(frozen=True)
class Waiting:
    """A message that has waited long: the conversation's oldest, with ``before`` messages of others first."""

    inbox_id: int
    text: str
    language: str
    hint: str
    before: int


class Notices:
    """Finds who has waited for long, and puts a notice for each into the outbox, once."""

    def __init__(self, database: Database) -> None:
        """Use ``database``."""
        self._database = database

    def due(self, platforms: Sequence[str], seconds: float) -> list[Waiting]:
        """Return messages that have waited for ``seconds`` and of which nothing is to be seen yet."""
        earlier, told = aliased(InboxRow), aliased(OutboxRow)
        with self._database.read() as session:
            now = self._database.now(session)
            rows = session.execute(
                select(InboxRow.id, Conversation.language, InboxRow.language)
                .join(Conversation, Conversation.id == InboxRow.conversation_id)
                .where(
                    InboxRow.state == PENDING,
                    InboxRow.kind == Kind.CHAT.value,
                    InboxRow.platform.in_(platforms),
                    InboxRow.received_at < now - seconds,
                    ~exists().where(Draft.inbox_id == InboxRow.id),
                    ~exists().where(
                        earlier.conversation_id == InboxRow.conversation_id,
                        earlier.state == PENDING,
                        earlier.id < InboxRow.id,
                    ),
                    ~exists().where(
                        told.conversation_id == InboxRow.conversation_id,
                        told.purpose == NOTICE,
                        or_(told.inbox_id == InboxRow.id, told.created_at > now - QUIET_SECONDS),
                    ),
                )
                .order_by(InboxRow.id)
                .limit(AT_ONCE)
            ).all()
            return [Waiting(n, _text(session, n), c, h, self._before(session, n)) for n, c, h in rows]

    @staticmethod
    def _before(session: Session, number: int) -> int:
        return int(
            session.execute(
                select(func.count()).where(
                    InboxRow.state == PENDING, InboxRow.kind == Kind.CHAT.value, InboxRow.id < number
                )
            ).scalar_one()
        )

    def put(self, inbox_id: int, text: str) -> bool:
        """Put ``text`` into the outbox unless the message is answered by now, or was told of already."""
        try:
            with self._database.write() as session:
                # What people wrote is not needed, and perhaps not to be read.
                sealed = (defer(InboxRow.text), defer(InboxRow.payload))
                row = session.get(
                    InboxRow, inbox_id, options=sealed, with_for_update=not self._database.is_sqlite
                )
                if row is None or row.state != PENDING:
                    return False
                conversation = session.get_one(Conversation, row.conversation_id)
                now = self._database.now(session)
                session.add(
                    OutboxRow(
                        inbox_id=inbox_id,
                        conversation_id=row.conversation_id,
                        platform=row.platform,
                        chat=conversation.chat,
                        reply_to=row.reply_to,
                        text=text,
                        detail={},
                        purpose=NOTICE,
                        idempotency_key=secrets.token_hex(16),
                        available_at=now,
                        created_at=now,
                        trace_id=row.trace_id,
                    )
                )
        except IntegrityError:
            return False
        return True


def _text(session: Session, number: int) -> str:
    """Return what a message says, from which its language is guessed; nothing where no key opens it."""
    try:
        return session.execute(select(InboxRow.text).where(InboxRow.id == number)).scalar_one()
    except UnreadableError:
        return ""
