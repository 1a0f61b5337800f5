"""Reading Feishu's events (schema 2.0).

Source: open.feishu.cn, "Receive message v1" (im.message.receive_v1).
"""

import json
import re
from typing import Any

from assistant.channels.feishu import PLATFORM
from assistant.messages import Incoming, Kind
from assistant.texts import kind_of

# The message's id becomes part of an address.
ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
MESSAGE_EVENT = "im.message.receive_v1"


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_for_bot(message: dict[str, Any], bot_open_id: str) -> bool:
    if message.get("chat_type") == "p2p":
        return True
    mentioned = [_mapping(_mapping(m).get("id")).get("open_id") for m in _list(message.get("mentions"))]
    # While the bot's own id is not known, a mention of anybody has to do: the usual permission
    # (im:message.group_at_msg) only delivers messages that mention the bot.
    return bot_open_id in mentioned if bot_open_id else bool(mentioned)


def read_message(event: dict[str, Any], bot_open_id: str) -> Incoming | None:
    """Return the message in ``event``, or None when there is nothing in it for the assistant.

    Args:
        event: the decrypted event.
        bot_open_id: the bot's own id, or empty while it is unknown.
    """
    if _mapping(event.get("header")).get("event_type") != MESSAGE_EVENT:
        return None
    body = _mapping(event.get("event"))
    message = _mapping(body.get("message"))
    message_id, chat = message.get("message_id"), message.get("chat_id")
    if not (
        isinstance(message_id, str)
        and ID.fullmatch(message_id)
        and isinstance(chat, str)
        and ID.fullmatch(chat)
    ):
        return None
    # Another bot, or this one itself: answering would never end.
    sender = _mapping(body.get("sender"))
    if sender.get("sender_type", "user") != "user":
        return None
    if not _is_for_bot(message, bot_open_id):
        return None
    text = _text(message)
    return Incoming(
        platform=PLATFORM,
        message_id=message_id,
        chat=chat,
        text=text,
        reply_to=message_id,
        kind=kind_of(text) if text else Kind.UNSUPPORTED,
        sender=_open_id(sender),
    )


def _open_id(sender: dict[str, Any]) -> str:
    value = _mapping(sender.get("sender_id")).get("open_id")
    return value if isinstance(value, str) and ID.fullmatch(value) else ""


def _text(message: dict[str, Any]) -> str:
    if message.get("message_type") != "text":
        return ""
    try:
        text = _mapping(json.loads(str(message.get("content")))).get("text")
    except ValueError:
        return ""
    if not isinstance(text, str):
        return ""
    # Mentions stand in the text as @_user_1; longest first, for @_user_1 is the beginning of @_user_10.
    keys = [str(_mapping(m).get("key") or "") for m in _list(message.get("mentions"))]
    for key in sorted(filter(None, keys), key=len, reverse=True):
        text = text.replace(key, "")
    return text.strip()
