"""The words that channels, the store and the worker share."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

# The channel that carries its own history and wants the model's words or nothing.
API = "api"


class Kind(StrEnum):
    """What a message asks for."""

    CHAT = "chat"
    START = "start"
    HELP = "help"
    RESET = "reset"
    LANGUAGE = "language"
    FEEDBACK = "feedback"
    STATUS = "status"
    # Not answered: the person may not, or not so much.
    REFUSED = "refused"
    # A chat message whose answer may be known: tried without the model first.
    KNOWN = "known"
    UNSUPPORTED = "unsupported"
    # Not a message of a person: the service has something to say.
    ANNOUNCEMENT = "announcement"


@dataclass(frozen=True)
class Incoming:
    """A message that a channel has authenticated and parsed.

    ``message_id`` is unique within ``platform``. ``chat`` is the platform's id of the conversation.
    ``reply_to`` is what the channel needs in order to answer this very message. ``payload`` holds what
    only some channels have (an API call's own history and limits). ``sender`` is the platform's id of the
    person who wrote, where it has one: it serves quotas, allow-lists, and finding a person's data again.
    ``language`` is what the platform knows of the person's language: en, zh or nothing. ``edits`` is the
    ``message_id`` of an earlier message that this one puts another text in the place of, where people can
    edit what they sent. ``trace_id`` is the correlation id under which it came.
    """

    platform: str
    message_id: str
    chat: str
    text: str
    reply_to: str = ""
    kind: Kind = Kind.CHAT
    payload: dict[str, Any] = field(default_factory=dict)
    sender: str = ""
    language: str = ""
    edits: str = ""
    trace_id: str = ""


@dataclass(frozen=True)
class Turn:
    """One message of a conversation as the model sees it; ``role`` is system, user or assistant."""

    role: str
    content: str
