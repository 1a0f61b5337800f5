"""What a conversation is in Feishu: a chat, or one topic (thread) in it.

Source: open.feishu.cn, "Introduction to topics" and "Receive message": a message in a topic has
``thread_id``, and ``root_id`` unless it began the topic itself. Topics are known here by their first message,
since that is what a reply can be sent to.
"""

import re
from dataclasses import dataclass

# The ids become parts of addresses.
ID = re.compile(r"[A-Za-z0-9_-]{1,120}")
# As for all channels: the rest of the assistant takes what stands before it for the chat.
SEPARATOR = "/"


def is_id(value: object) -> bool:
    """Whether ``value`` could be one of the platform's ids."""
    return isinstance(value, str) and ID.fullmatch(value) is not None


@dataclass(frozen=True)
class Conversation:
    """A chat; with ``root``, the topic in it that the message ``root`` began."""

    chat_id: str
    root: str = ""

    @property
    def kind(self) -> str:
        """What ``chat_id`` is where a message is sent: an app may also write to a person's ``open_id``.

        Source: open.feishu.cn, "Send a message", receive_id_type.
        """
        return "open_id" if self.chat_id.startswith("ou_") else "chat_id"

    @property
    def name(self) -> str:
        """How the rest of the assistant knows it."""
        return f"{self.chat_id}{SEPARATOR}{self.root}" if self.root else self.chat_id


def conversation(name: str) -> Conversation:
    """Return the conversation of that name."""
    chat_id, _, root = name.partition(SEPARATOR)
    return Conversation(chat_id, root)
