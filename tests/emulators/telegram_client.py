"""Acts as Telegram towards the assistant: builds updates and posts them to its webhook.

Sources: https://core.telegram.org/bots/api#update, #message and #setwebhook (the secret header).
"""

from __future__ import annotations

import itertools
import random
import ssl
import time
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
    text: str, *, user: TelegramUser, update_id: int | None = None, message_id: int | None = None
) -> dict[str, object]:
    """Build an update for a text message in a private chat.

    Args:
        text: what the user writes.
        user: who writes.
        update_id: a new one if left out.
        message_id: a new one if left out.

    Returns:
        the update.
    """
    return {
        "update_id": update_id if update_id is not None else next(_numbers),
        "message": {
            "message_id": message_id if message_id is not None else next(_numbers),
            "from": {
                "id": user.user_id,
                "is_bot": False,
                "first_name": user.first_name,
                "language_code": user.language_code,
            },
            "chat": {"id": user.user_id, "first_name": user.first_name, "type": "private"},
            "date": int(time.time()),
            "text": text,
        },
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
