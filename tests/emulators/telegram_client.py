"""Acts as Telegram towards the assistant: builds updates and posts them to its webhook.

Sources: https://core.telegram.org/bots/api#update, #message, #callbackquery and #setwebhook (the secret
header).
"""

from __future__ import annotations

import itertools
import random
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
_numbers = itertools.count(random.randrange(10**6, 10**8))  # a new start for each process, as on the platform


@dataclass(frozen=True)
class TelegramUser:
    """Somebody who writes to the assistant in a private chat; its id is that of the user."""

    user_id: int = field(default_factory=lambda: random.randrange(10**8, 10**9))
    first_name: str = "Li"
    language_code: str = "en"


def message_update(
    text: str,
    *,
    user: TelegramUser,
    update_id: int | None = None,
    message_id: int | None = None,
    chat: Mapping[str, object] | None = None,
    **more: object,
) -> dict[str, object]:
    """Build an update for a text message.

    Args:
        text: what the user writes.
        user: who writes.
        update_id: a new one if left out.
        message_id: a new one if left out.
        chat: the user's private chat if left out; ``group`` makes others.
        more: further fields of the message, for example ``message_thread_id`` and ``is_topic_message``.

    Returns:
        the update.
    """
    return {
        "update_id": update_id if update_id is not None else next(_numbers),
        "message": {
            "message_id": message_id if message_id is not None else next(_numbers),
            "from": _person(user),
            "chat": dict(chat or {"id": user.user_id, "first_name": user.first_name, "type": "private"}),
            "date": int(time.time()),
            "text": text,
            **more,
        },
    }


def group(chat_id: int | None = None, *, forum: bool = False) -> dict[str, object]:
    """Build a supergroup's chat object; with topics if ``forum``."""
    number = chat_id if chat_id is not None else -(10**12) - random.randrange(10**8, 10**9)
    chat: dict[str, object] = {"id": number, "title": "Team", "type": "supergroup"}
    return {**chat, "is_forum": True} if forum else chat


def mention(text: str, name: str) -> dict[str, object]:
    """Build the entity of ``name`` (with its @) within ``text``, for a message's ``entities``."""
    start = len(text[: text.index(name)].encode("utf-16-le")) // 2
    return {"type": "mention", "offset": start, "length": len(name)}


def edited_update(
    update: Mapping[str, object], text: str, *, edit_date: int | None = None
) -> dict[str, object]:
    """Build the update that follows when a person edits the message of ``update``.

    Args:
        update: what ``message_update`` built.
        text: the new text.
        edit_date: seconds since 1970; now if left out.

    Returns:
        the update.
    """
    message = update["message"]
    assert isinstance(message, dict)
    when = edit_date if edit_date is not None else int(time.time())
    return {"update_id": next(_numbers), "edited_message": {**message, "edit_date": when, "text": text}}


def click_update(
    data: str, message: Mapping[str, object], *, user: TelegramUser, query_id: str
) -> dict[str, object]:
    """Build the update for a click on a button of ``message``.

    Args:
        data: the button's ``callback_data``.
        message: the bot's message with the button.
        user: who clicks.
        query_id: the click's id; the emulated server knows those of ``/_click`` only.

    Returns:
        the update.
    """
    chat = message["chat"]
    assert isinstance(chat, Mapping)
    return {
        "update_id": next(_numbers),
        "callback_query": {
            "id": query_id,
            "from": _person(user),
            "message": dict(message),
            "chat_instance": str(chat["id"]),
            "data": data,
        },
    }


def _person(user: TelegramUser) -> dict[str, object]:
    return {
        "id": user.user_id,
        "is_bot": False,
        "first_name": user.first_name,
        "language_code": user.language_code,
    }


def post_update(
    webhook_url: str,
    update: dict[str, object],
    secret_token: str,
    *,
    verify: ssl.SSLContext | bool = True,
    timeout: float = 10.0,
) -> httpx.Response:
    """Post an update to the assistant.

    Args:
        webhook_url: the full address of the webhook.
        update: the update.
        secret_token: the value of ``X-Telegram-Bot-Api-Secret-Token``.
        verify: the trusted certificates.
        timeout: seconds.

    Returns:
        the assistant's answer.

    Raises:
        httpx.HTTPError: when there is none.
    """
    # trust_env: the machine is reached directly, whatever proxy the environment names.
    with httpx.Client(verify=verify, timeout=timeout, trust_env=False) as client:
        return client.post(webhook_url, json=update, headers={SECRET_HEADER: secret_token})
