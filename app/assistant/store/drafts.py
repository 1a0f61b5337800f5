"""Drafts: which message on a platform shows the beginning of which answer."""

import secrets

from sqlalchemy import and_, select, update

from assistant.store.database import Database
from assistant.store.models import PENDING, REPLY, Draft, InboxRow, OutboxRow


class Drafts:
    """Remembers drafts over a restart, so that a second try goes on in the same message."""

    def __init__(self, database: Database) -> None:
        """Use ``database``."""
        self._database = database

    def must_wait(self, inbox_id: int) -> bool:
        """Tell whether an earlier reply of the conversation has no place in the chat yet.

        A draft that was opened now would stand above it: replies wait for each other, drafts do not.
        """
        conversation = select(InboxRow.conversation_id).where(InboxRow.id == inbox_id).scalar_subquery()
        opened = and_(Draft.inbox_id == OutboxRow.inbox_id, Draft.reference != "")
        earlier = select(OutboxRow.id).where(
            OutboxRow.conversation_id == conversation,
            OutboxRow.inbox_id < inbox_id,
            OutboxRow.state == PENDING,
            OutboxRow.purpose == REPLY,
            ~select(Draft.inbox_id).where(opened).exists(),
        )
        with self._database.read() as session:
            return session.execute(earlier.limit(1)).first() is not None

    def begin(self, inbox_id: int) -> tuple[str, str]:
        """Commit that a draft for the answer to ``inbox_id`` is about to be opened.

        Returns:
            The key to open it with, and the reference of one that is open already, or an empty text.

        Raises:
            IntegrityError: the message was deleted meanwhile.
        """
        with self._database.write() as session:
            draft = session.get(Draft, inbox_id)
            if draft is None:
                draft = Draft(
                    inbox_id=inbox_id,
                    idempotency_key=secrets.token_hex(16),
                    reference="",
                    created_at=self._database.now(session),
                )
                session.add(draft)
            return draft.idempotency_key, draft.reference

    def opened(self, inbox_id: int, reference: str) -> None:
        """Commit that the draft is open under ``reference``."""
        with self._database.write() as session:
            session.execute(update(Draft).where(Draft.inbox_id == inbox_id).values(reference=reference))
