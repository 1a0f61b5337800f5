"""What people chose for their conversations, and how much they have asked."""

from sqlalchemy import func, select, update

from assistant.messages import Kind
from assistant.store.claims import Claim
from assistant.store.database import Database
from assistant.store.models import PENDING, Conversation, Feedback, HistoryRow, InboxRow


class People:
    """Each change is committed at once; repeating one after a kill changes nothing more."""

    def __init__(self, database: Database) -> None:
        """Use ``database``."""
        self._database = database

    def choose_language(self, claim: Claim, language: str) -> None:
        """Answer the claim's conversation in ``language``: en, zh, or empty for each message's own."""
        with self._database.write() as session:
            session.execute(
                update(Conversation).where(Conversation.id == claim.conversation_id).values(language=language)
            )

    def begin_anew(self, claim: Claim) -> None:
        """Tell the model nothing any more of what was said in the claim's conversation."""
        newest = (
            select(func.coalesce(func.max(HistoryRow.id), 0))
            .where(HistoryRow.conversation_id == claim.conversation_id)
            .scalar_subquery()
        )
        with self._database.write() as session:
            session.execute(
                update(Conversation)
                .where(Conversation.id == claim.conversation_id)
                .values(forgotten_turn=newest)
            )

    def add_feedback(self, claim: Claim, text: str) -> None:
        """Keep ``text`` for the operators."""
        with self._database.write() as session:
            now = self._database.now(session)
            session.merge(
                Feedback(inbox_id=claim.inbox_id, platform=claim.platform, text=text, created_at=now)
            )

    def asked(self, claim: Claim, seconds: float) -> int:
        """Return how many messages the claim's sender had answered in the ``seconds`` before it.

        Messages that wait are counted if they came before this one, those that were refused are not.
        """
        with self._database.read() as session:
            return session.execute(
                select(func.count()).where(
                    InboxRow.platform == claim.platform,
                    InboxRow.sender == claim.sender,
                    InboxRow.received_at > claim.received_at - seconds,
                    InboxRow.kind == Kind.CHAT.value,
                    InboxRow.id < claim.inbox_id,
                )
            ).scalar_one()

    def waiting(self) -> int:
        """Return how many messages wait for the model."""
        with self._database.read() as session:
            return session.execute(
                select(func.count()).where(InboxRow.state == PENDING, InboxRow.kind == Kind.CHAT.value)
            ).scalar_one()
