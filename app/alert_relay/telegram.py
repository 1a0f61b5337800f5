"""A Telegram chat through the Bot API.

Source: https://core.telegram.org/bots/api (sendMessage: 4096 characters after the entities are parsed; HTML
style; ResponseParameters.retry_after and migrate_to_chat_id), https://core.telegram.org/bots/faq (one message
a second in a chat, 20 a minute in a group).
"""

from __future__ import annotations

import html
import json
import logging
from typing import Any

import httpx

from alert_relay.config import TelegramChat
from alert_relay.errors import DeliveryError, Limited, Misconfigured, Refused, Unreachable
from alert_relay.http import document_of, post, wait_of
from alert_relay.messages import Message, fit

TEXT_LENGTH = 4096
_PAUSE_SECONDS = 5.0
_log = logging.getLogger("alert_relay.telegram")
_TOKEN = "alert_relay_telegram_bot_token is not the token that @BotFather shows"  # noqa: S105 - a remedy
_CHAT = "add the bot to the chat, let it write there, and set alert_relay_telegram_chat_id to the chat's id"


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def text_of(message: Message, *, plain: bool = False) -> str:
    """Return the text of the call: HTML, or without any formatting when ``plain``."""
    title = message.title[:200]
    room = TEXT_LENGTH - _units(title) - 1
    text = fit(message.blocks, message.more, lambda words: _units(words) <= room)
    if plain:
        return f"{title}\n{text}"
    return f"<b>{html.escape(title, quote=False)}</b>\n{html.escape(text, quote=False)}"


class Telegram:
    """Posts into one chat."""

    pace_seconds = 1.0

    def __init__(self, chat: TelegramChat, client: httpx.Client) -> None:
        """Post to ``chat`` by ``client``."""
        self._url = f"{chat.base_url.rstrip('/')}/bot{chat.bot_token}/sendMessage"
        self._chat_id, _, self._topic = chat.chat_id.partition("/")
        self._name = chat.name
        self._client = client

    def send(self, message: Message, *, plain: bool = False) -> None:
        """Post a message, without formatting when ``plain``.

        Raises:
            DeliveryError: it was not taken.
        """
        values: dict[str, Any] = {
            "chat_id": self._chat_id,
            "text": text_of(message, plain=plain),
            "disable_web_page_preview": True,
        }
        if not plain:
            values["parse_mode"] = "HTML"
        if self._topic:
            values["message_thread_id"] = int(self._topic)
        response = post(self._client, self._url, json.dumps(values).encode())
        document = document_of(response)
        if response.status_code == 200 and document.get("ok") is True:
            return
        parameters = document.get("parameters")
        parameters = parameters if isinstance(parameters, dict) else {}
        moved = parameters.get("migrate_to_chat_id")
        if moved and str(moved) != self._chat_id:
            _log.error(
                "chat %s became a supergroup: set alert_relay_telegram_chat_id to %s; it is used until then",
                self._name,
                moved,
            )
            self._chat_id = str(moved)
            self.send(message, plain=plain)
            return
        raise _error(response, document, parameters)


def _error(response: httpx.Response, document: dict[str, Any], parameters: dict[str, Any]) -> DeliveryError:
    text = str(document.get("description", ""))
    reason = f"Telegram answered HTTP {response.status_code}: {text[:200]}"
    status = response.status_code
    if status == 429:
        wait = parameters.get("retry_after")
        seconds = float(wait) if isinstance(wait, (int, float)) and wait > 0 else wait_of(response)
        return Limited(reason, retry_after=seconds or _PAUSE_SECONDS)
    if status >= 500:
        return Unreachable(reason, retry_after=wait_of(response))
    if status in (401, 404):
        return Misconfigured(reason, _TOKEN)
    if status == 400 and not any(word in text.lower() for word in ("chat", "thread", "topic", "rights")):
        return Refused(
            reason, "the relay made a text that Telegram does not take; please report it with this line"
        )
    return Misconfigured(reason, _CHAT)
