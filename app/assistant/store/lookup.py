"""Messages and conversations by the ids that their platform gave them."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from assistant.store.models import Conversation, InboxRow


def number_of(session: Session, platform: str, message_id: str) -> int | None:
    """Return the number of the message that the platform calls ``message_id``; None where it is not known."""
    return session.execute(
        select(InboxRow.id).where(InboxRow.platform == platform, InboxRow.message_id == message_id)
    ).scalar_one_or_none()


def conversation_of(session: Session, platform: str, chat: str, now: float) -> Conversation:
    """Return the conversation in ``chat``; one that is not there is made, as of ``now``."""
    where = (Conversation.platform == platform, Conversation.chat == chat)
    conversation = session.execute(select(Conversation).where(*where)).scalar_one_or_none()
    if conversation is None:
        conversation = Conversation(platform=platform, chat=chat, created_at=now)
        session.add(conversation)
        session.flush()
    return conversation
