"""What people write: text, rich text, and what cannot be read.

Source: open.feishu.cn, "Structures of received messages' content" (im-v1/message-content-description/
message_content).
"""

import json
import re
from collections.abc import Mapping
from typing import Any

# Said by the chat, not by a person: somebody came or went, a title was changed.
SILENT_TYPES = frozenset({"system"})
_LOCALES = re.compile(r"[a-z]{2}_[a-z]{2}", re.IGNORECASE)
IMAGE, VIDEO = "[image]", "[video]"


def mapping(value: object) -> dict[str, Any]:
    """Return ``value`` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """Return ``value`` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


def read_content(message: Mapping[str, Any], bot_open_id: str) -> str:
    """Return the words of a message, or an empty text where there are none to be read.

    Args:
        message: the event's ``message``.
        bot_open_id: the bot's own id, whose mentions are left out, or empty while it is unknown.
    """
    try:
        content = mapping(json.loads(_word(message.get("content"))))
    except (ValueError, RecursionError):
        return ""
    names = _mentions(message, bot_open_id)
    kind = message.get("message_type")
    if kind == "text":
        return _named(_word(content.get("text")), names).strip()
    if kind == "post":
        return _post(content, names)
    return ""


def _mentions(message: Mapping[str, Any], bot_open_id: str) -> dict[str, str]:
    """Return what to write for each mention's key: the person's name, nothing for the bot."""
    found = {}
    for mention in map(mapping, items(message.get("mentions"))):
        key, name = _word(mention.get("key")), _word(mention.get("name"))
        is_bot = bool(bot_open_id) and mapping(mention.get("id")).get("open_id") == bot_open_id
        if key:
            found[key] = "" if is_bot or not name else f"@{name}"
    if not bot_open_id and message.get("chat_type") != "p2p":
        # The bot's own id is not known yet: the first mention is the likeliest to be its own.
        for key in list(found)[:1]:
            found[key] = ""
    return found


def _named(text: str, names: Mapping[str, str]) -> str:
    # Mentions stand in the text as @_user_1; longest first, for @_user_1 is the beginning of @_user_10.
    for key in sorted(names, key=len, reverse=True):
        text = text.replace(key, names[key])
    return text


def _post(content: dict[str, Any], names: Mapping[str, str]) -> str:
    if "content" not in content:
        # Some clients wrap it in the language: {"zh_cn": {"title": ..., "content": ...}}.
        inner = [mapping(v) for k, v in content.items() if _LOCALES.fullmatch(k)]
        content = inner[0] if inner else {}
    lines = [_named(_word(content.get("title")), names)]
    for row in items(content.get("content")):
        lines.append("".join(_element(mapping(element), names) for element in items(row)))
    text = "\n".join(lines).strip()
    # Pictures alone say nothing that could be read.
    return "" if not text.replace(IMAGE, "").replace(VIDEO, "").strip() else text


def _element(element: dict[str, Any], names: Mapping[str, str]) -> str:
    text = _word(element.get("text"))
    match element.get("tag"):
        case "a":
            href = _word(element.get("href"))
            return text if not href or href == text else f"[{text}]({href})" if text else href
        case "at":
            key, name = _word(element.get("user_id")), _word(element.get("user_name"))
            return names.get(key, f"@{name}" if name else "")
        case "code_block":
            language = _word(element.get("language")).lower()
            return f"\n```{language}\n{text.rstrip()}\n```\n"
        case "emotion":
            return f":{_word(element.get('emoji_type'))}:"
        case "hr":
            return "---"
        case "img":
            return IMAGE
        case "media":
            return VIDEO
        case _:
            # text, md, and what Feishu may add.
            return _named(text, names)
