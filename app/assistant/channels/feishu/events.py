"""Reading Feishu's events (schema 2.0).

Source: open.feishu.cn, "Receive message v1" (im.message.receive_v1). There is no event for a message that was
edited; one that was recalled (im.message.recalled_v1) needs nothing done: the reply to it is refused.
"""

import re
from typing import Any

from assistant.channels.feishu import PLATFORM
from assistant.channels.feishu.content import SILENT_TYPES, items, mapping, read_content
from assistant.channels.feishu.conversations import Conversation, is_id
from assistant.messages import Incoming, Kind
from assistant.texts import kind_of

MESSAGE_EVENT = "im.message.receive_v1"
_LOCALE = re.compile(r"LarkLocale/([a-z]{2})", re.IGNORECASE)


def event_type(event: dict[str, Any]) -> str:
    """Return what kind of event it is."""
    return str(mapping(event.get("header")).get("event_type") or "")


def _is_for_bot(message: dict[str, Any], bot_open_id: str) -> bool:
    if message.get("chat_type") == "p2p":
        return True
    mentioned = [mapping(mapping(m).get("id")).get("open_id") for m in items(message.get("mentions"))]
    # While the bot's own id is not known, a mention of anybody has to do: the usual permission
    # (im:message.group_at_msg) only delivers messages that mention the bot.
    return bot_open_id in mentioned if bot_open_id else bool(mentioned)


def read_message(event: dict[str, Any], bot_open_id: str) -> Incoming | None:
    """Return the message in ``event``, or None when there is nothing in it for the assistant.

    Args:
        event: the decrypted event.
        bot_open_id: the bot's own id, or empty while it is unknown.
    """
    if event_type(event) != MESSAGE_EVENT:
        return None
    body = mapping(event.get("event"))
    message = mapping(body.get("message"))
    message_id, chat = message.get("message_id"), message.get("chat_id")
    if not (isinstance(message_id, str) and is_id(message_id) and isinstance(chat, str) and is_id(chat)):
        return None
    # Another bot, or this one itself: answering would never end.
    sender = mapping(body.get("sender"))
    if sender.get("sender_type", "user") != "user" or str(message.get("message_type")) in SILENT_TYPES:
        return None
    if not _is_for_bot(message, bot_open_id):
        return None
    text = read_content(message, bot_open_id)
    return Incoming(
        platform=PLATFORM,
        message_id=message_id,
        chat=Conversation(chat, _root(message, message_id)).name,
        text=text,
        reply_to=message_id,
        kind=kind_of(text) if text else Kind.UNSUPPORTED,
        sender=_open_id(sender),
        language=_language(message),
    )


def _root(message: dict[str, Any], message_id: str) -> str:
    """Return the message that began the topic, or an empty text outside of topics."""
    if not message.get("thread_id"):
        return ""
    root = message.get("root_id")
    return root if isinstance(root, str) and is_id(root) else message_id


def _open_id(sender: dict[str, Any]) -> str:
    value = mapping(sender.get("sender_id")).get("open_id")
    return value if isinstance(value, str) and is_id(value) else ""


def _language(message: dict[str, Any]) -> str:
    """Return the language of the person's client, where the app may see it (im:user_agent:read)."""
    found = _LOCALE.search(str(message.get("user_agent") or ""))
    language = found.group(1).lower() if found else ""
    return language if language in {"en", "zh"} else ""
