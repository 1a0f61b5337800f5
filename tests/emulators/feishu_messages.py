"""Checks of the messages that the assistant sends to the emulated Feishu platform.

Sources (under https://open.feishu.cn/document): server-docs/im-v1/message/create and .../reply for the
fields, the 150 KB limit of a text message (error 230025), the 30 KB limit of cards and rich text, and the 50
characters of ``uuid``; server-docs/im-v1/message-content-description/create_json for the contents.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

TEXT_BYTES = 150 * 1024
RICH_BYTES = 30 * 1024
UUID_CHARACTERS = 50
_INVALID = "Your request contains an invalid request parameter, ext="
_REQUIRED_KEYS: Mapping[str, str] = {"text": "text", "post": "", "interactive": ""}


class FeishuError(Exception):
    """A refusal with its documented code.

    ``status`` is the HTTP status, ``reset`` the seconds to wait, 0 when there is nothing to wait for.
    """

    def __init__(self, code: int, message: str, status: int = 400, reset: int = 0) -> None:
        """Make a refusal."""
        super().__init__(message)
        self.code = code
        self.status = status
        self.reset = reset


@dataclass(frozen=True)
class Message:
    """A message as the assistant asked for it; either ``chat`` or ``reply_to`` is empty."""

    chat: str
    reply_to: str
    kind: str
    content: str
    uuid: str
    in_thread: bool = False


def validate(document: object, *, with_receiver: bool, reply_to: str = "") -> Message:
    """Check the body of a send or reply call.

    Args:
        document: the decoded body; None when it was no JSON.
        with_receiver: whether ``receive_id`` is needed.
        reply_to: id of the message that is answered.

    Returns:
        the message.

    Raises:
        FeishuError: 9499, 99992402, 230001 or 230025.
    """
    if not isinstance(document, Mapping):
        raise FeishuError(9499, "Invalid parameter type in json")
    fields = ("msg_type", "content", "receive_id") if with_receiver else ("msg_type", "content")
    for field in fields:
        if not isinstance(document.get(field), str) or not document[field]:
            raise FeishuError(99992402, f"field validation failed: {field} is required and must be a string")
    uuid = document.get("uuid", "")
    if not isinstance(uuid, str) or len(uuid) > UUID_CHARACTERS:
        raise FeishuError(99992402, f"field validation failed: uuid: the max length is {UUID_CHARACTERS}")
    kind, content = str(document["msg_type"]), str(document["content"])
    if kind not in _REQUIRED_KEYS:
        raise FeishuError(230001, f"{_INVALID}msg_type {kind}.")
    if len(content.encode()) > (TEXT_BYTES if kind == "text" else RICH_BYTES):
        raise FeishuError(230025, "The length of the message content reaches its limit.")
    _check_content(kind, content)
    in_thread = document.get("reply_in_thread", False)
    if not isinstance(in_thread, bool):
        raise FeishuError(99992402, "field validation failed: reply_in_thread must be a boolean")
    return Message(str(document.get("receive_id", "")), reply_to, kind, content, uuid, in_thread)


def _check_content(kind: str, content: str) -> None:
    try:
        decoded = json.loads(content)
    except ValueError as error:
        raise FeishuError(230001, f"{_INVALID}content is not a string in json format.") from error
    needed = _REQUIRED_KEYS[kind]
    if not isinstance(decoded, dict) or not decoded or (needed and not decoded.get(needed)):
        raise FeishuError(230001, f"{_INVALID}content of type {kind} is incomplete.")


def text_of(message: Message) -> str:
    """Give the words of a message; of rich text and cards, their JSON."""
    if message.kind == "text":
        return str(json.loads(message.content)["text"])
    return message.content
