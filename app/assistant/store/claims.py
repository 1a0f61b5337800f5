"""A claim: one message that one process answers while its lease holds, and which message is next."""

import time
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BindParameter, Select, bindparam, select
from sqlalchemy.orm import aliased

from assistant.messages import Kind
from assistant.store.models import PENDING, Conversation, InboxRow


@dataclass(frozen=True)
class Claim:
    """One message that this process alone may answer while its lease holds.

    ``language`` is what was chosen for the conversation, ``hint`` what the platform knows of the person's.
    ``age`` is how long it had waited when it was claimed, in seconds. ``trace_id`` is
    its correlation id.
    """

    inbox_id: int
    conversation_id: int
    platform: str
    chat: str
    kind: Kind
    text: str
    reply_to: str
    payload: dict[str, Any]
    attempts: int
    token: str
    sender: str = ""
    language: str = ""
    hint: str = ""
    forgotten_turn: int = 0
    received_at: float = 0.0
    age: float = 0.0
    trace_id: str = ""
    claimed_at: float = field(default_factory=time.monotonic)

    @property
    def waited(self) -> float:
        """How many seconds ago it was received; the database's time counts until the claim, then ours."""
        return self.age + time.monotonic() - self.claimed_at


class LeaseLost(Exception):
    """The lease ran out, somebody else may hold the conversation, and what was made is thrown away."""


def oldest_claimable() -> Select[InboxRow, Conversation]:
    """The oldest message whose time has come, in a conversation that nobody holds, with none before it."""
    earlier = aliased(InboxRow)
    before = select(earlier.id).where(
        earlier.conversation_id == InboxRow.conversation_id,
        earlier.state == PENDING,
        earlier.id < InboxRow.id,
    )
    now: BindParameter[float] = bindparam("now")
    return (
        select(InboxRow, Conversation)
        .join(Conversation, Conversation.id == InboxRow.conversation_id)
        .where(
            InboxRow.state == PENDING,
            InboxRow.available_at <= now,
            Conversation.lease_until < now,
            ~before.exists(),
        )
        .order_by(InboxRow.id)
        .limit(1)
    )
