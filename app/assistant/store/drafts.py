"""Drafts: which message on a platform shows the beginning of which answer."""

import secrets

from sqlalchemy import update

from assistant.store.database import Database
from assistant.store.models import Draft


class Drafts:
    """Remembers drafts over a restart, so that a second try goes on in the same message."""

    def __init__(self, database: Database) -> None:
        """Use ``database``."""
        self._database = database

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
