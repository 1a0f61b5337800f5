"""Announcements: what the service itself has to say to a chat, without having been asked there."""

import secrets
from collections.abc import Sequence

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from assistant.correlation import new_id
from assistant.messages import Kind
from assistant.store.database import Database
from assistant.store.lookup import conversation_of, number_of
from assistant.store.models import DONE, REPLY, InboxRow, OutboxRow

PREFIX = "announcement-"
LONGEST_KEY = 120


class Announcements:
    """Puts texts into the outbox; the sender of any process delivers them, as it does replies.

    All in the outbox belongs to a message in the inbox. An announcement's is empty and finished from the
    start: it keeps the announcement from being made twice, and goes with it when its time is over.
    """

    def __init__(self, database: Database) -> None:
        """Use ``database``."""
        self._database = database

    def put(self, chats: Sequence[tuple[str, str]], text: str, key: str = "") -> int:
        """Commit ``text`` for all ``chats`` at once.

        Args:
            chats: (platform, the platform's id of the chat).
            text: what is to be sent.
            key: at most ``LONGEST_KEY`` characters; what was announced under it in a chat is not announced
                there again. Empty: it is announced in any case.

        Returns:
            In how many chats it was not announced before.

        Raises:
            ValueError: ``key`` is too long.
        """
        if len(key) > LONGEST_KEY:
            raise ValueError(f"an announcement's key has {len(key)} characters, more than {LONGEST_KEY}")
        name = key or secrets.token_hex(16)
        # On PostgreSQL two may race for one key or one conversation; the loser then finds what is there.
        for last_try in (False, False, True):
            try:
                with self._database.write() as session:
                    return sum(self._add(session, chat, text, name) for chat in dict.fromkeys(chats))
            except IntegrityError:
                if last_try:
                    raise
        return 0

    def _add(self, session: Session, where: tuple[str, str], text: str, name: str) -> bool:
        platform, chat = where
        # A message's id is unique on its platform, and one platform may have several chats.
        message_id = f"{PREFIX}{name}-{chat}"[:255]
        if number_of(session, platform, message_id) is not None:
            return False
        now = self._database.now(session)
        conversation = conversation_of(session, platform, chat, now)
        message = InboxRow(
            platform=platform,
            message_id=message_id,
            conversation_id=conversation.id,
            kind=Kind.ANNOUNCEMENT.value,
            text="",
            reply_to="",
            payload={},
            state=DONE,
            available_at=now,
            received_at=now,
            finished_at=now,
            trace_id=new_id(),
        )
        session.add(message)
        session.flush()
        session.add(
            OutboxRow(
                inbox_id=message.id,
                conversation_id=conversation.id,
                platform=platform,
                chat=chat,
                reply_to="",
                text=text,
                detail={},
                purpose=REPLY,
                idempotency_key=secrets.token_hex(16),
                available_at=now,
                created_at=now,
                trace_id=message.trace_id,
            )
        )
        return True
