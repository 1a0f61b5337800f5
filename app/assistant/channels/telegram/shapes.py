"""Which types the parts of an update have that the assistant reads.

python-telegram-bot takes what it is given: a text that is a list shows up as a fault much later. Source:
core.telegram.org/bots/api#update, #message, #user, #chat, #messageentity and #callbackquery; numbers have
"at most 52 significant bits".
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Number = Annotated[int, Field(gt=-(2**53), lt=2**53)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class User(_Part):
    """Who wrote or clicked."""

    id: Number
    is_bot: bool
    username: str | None = None
    language_code: str | None = None


class Chat(_Part):
    """Where."""

    id: Number
    type: str


class Entity(_Part):
    """A part of a text with a meaning: a mention, a command."""

    type: str
    offset: Number
    length: Number
    user: User | None = None


class Message(_Part):
    """A message."""

    message_id: Number
    date: Number
    chat: Chat
    sender: Annotated[User | None, Field(alias="from")] = None
    sender_chat: Chat | None = None
    text: str | None = None
    caption: str | None = None
    entities: list[Entity] = []
    caption_entities: list[Entity] = []
    edit_date: Number | None = None
    message_thread_id: Number | None = None
    is_topic_message: bool | None = None
    reply_to_message: "Message | None" = None


class Query(_Part):
    """A click on a button."""

    id: str
    sender: Annotated[User, Field(alias="from")]
    message: Message | None = None
    data: str | None = None


class Update(_Part):
    """An update."""

    update_id: Number
    message: Message | None = None
    edited_message: Message | None = None
    callback_query: Query | None = None
