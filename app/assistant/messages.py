"""The words that channels, the store and the worker share."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a message asks for."""

    CHAT = "chat"
    START = "start"
    HELP = "help"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True)
class Incoming:
    """A message that a channel has authenticated and parsed.

    ``message_id`` is unique within ``platform``. ``chat`` is the platform's id of the conversation.
    ``reply_to`` is what the channel needs in order to answer this very message. ``payload`` holds what
    only some channels have (an API call's own history and limits). ``sender`` is the platform's id of the
    person who wrote, where it has one: it serves for nothing but finding a person's data again.
    """

    platform: str
    message_id: str
    chat: str
    text: str
    reply_to: str = ""
    kind: Kind = Kind.CHAT
    payload: dict[str, Any] = field(default_factory=dict)
    sender: str = ""


@dataclass(frozen=True)
class Turn:
    """One message of a conversation as the model sees it; ``role`` is system, user or assistant."""

    role: str
    content: str
