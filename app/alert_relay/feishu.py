"""A Feishu group through its custom bot.

Source: https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot (request body at most 20 KB, 100
messages a minute and 5 a second, error 11232 also when the whole platform is busy, on the hour and the half
hour; signature; errors 9499, 19021, 19022, 19024).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import httpx

from alert_relay.config import FeishuChat
from alert_relay.errors import DeliveryError, Limited, Misconfigured, Refused, Unreachable
from alert_relay.http import document_of, post, wait_of
from alert_relay.messages import CRITICAL, RESOLVED, WARNING, Message, fit

BODY_BYTES = 20 * 1024
# Room for timestamp and sign.
_TEXT_BYTES = BODY_BYTES - 512
_COLOURS = {CRITICAL: "red", WARNING: "orange", RESOLVED: "green"}
_FREQUENCY = {11232, 11233, 99991400}
_PAUSE_SECONDS = 10.0
_VARIABLE = "alert_relay_feishu_webhook"
_REMEDIES = {
    19001: f"the bot was removed from the group, or {_VARIABLE} is not the address in the group's settings",
    19021: "alert_relay_feishu_secret is not the bot's signing secret, or this host's clock is off by more"
    " than an hour (timedatectl)",
    19022: "the bot's settings allow other addresses only; add this host's public address to them",
    19024: "the bot's settings ask for a keyword that the message lacks; add the text of alert_relay_title to"
    " its keywords, or use a signing secret instead",
}


def sign(secret: str, timestamp: int) -> str:
    """Return the signature of a call at ``timestamp`` (seconds since 1970).

    The key is the timestamp, a line feed and the secret; what is signed is empty (page "add-custom-bot").
    """
    key = f"{timestamp}\n{secret}".encode()
    return base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()


def body_of(message: Message, secret: str, timestamp: int, *, plain: bool = False) -> bytes:
    """Return the body of the call that posts ``message``: a card, or a bare text when ``plain``."""
    make = _text if plain else _card

    def encoded(text: str) -> bytes:
        return json.dumps(make(message, text), ensure_ascii=False).encode()

    text = fit(message.blocks, message.more, lambda words: len(encoded(words)) <= _TEXT_BYTES)
    document = make(message, text)
    if secret:
        document = {"timestamp": str(timestamp), "sign": sign(secret, timestamp), **document}
    return json.dumps(document, ensure_ascii=False).encode()


def _card(message: Message, text: str) -> dict[str, Any]:
    # plain_text throughout: what an alert quotes must not become a mention or a link.
    elements: list[dict[str, Any]] = [{"tag": "div", "text": {"tag": "plain_text", "content": text}}]
    if message.link:
        words = {"tag": "plain_text", "content": message.link_text}
        button = {"tag": "button", "text": words, "url": message.link, "type": "default"}
        elements.append({"tag": "action", "actions": [button]})
    header = {
        "title": {"tag": "plain_text", "content": message.title[:200]},
        "template": _COLOURS.get(message.level, "blue"),
    }
    card = {"config": {"wide_screen_mode": True}, "header": header, "elements": elements}
    return {"msg_type": "interactive", "card": card}


def _text(message: Message, text: str) -> dict[str, Any]:
    # "<at user_id=...>" in a text message is a mention.
    words = f"{message.title[:200]}\n{text}".replace("<", "(").replace(">", ")")
    return {"msg_type": "text", "content": {"text": words}}


class Feishu:
    """Posts into one group."""

    # 100 messages a minute at most.
    pace_seconds = 0.7

    def __init__(self, chat: FeishuChat, client: httpx.Client) -> None:
        """Post to ``chat`` by ``client``."""
        self._chat = chat
        self._client = client

    def send(self, message: Message, *, plain: bool = False) -> None:
        """Post a message, as bare text when ``plain``.

        Raises:
            DeliveryError: it was not taken.
        """
        body = body_of(message, self._chat.secret, int(time.time()), plain=plain)
        response = post(self._client, self._chat.webhook, body)
        document = document_of(response)
        # Old answers have StatusCode alone.
        code = document.get("code", document.get("StatusCode"))
        if code == 0 and response.status_code == 200:
            return
        raise _error(response, code, str(document.get("msg", document.get("StatusMessage", ""))))


def _error(response: httpx.Response, code: object, text: str) -> DeliveryError:
    reason = f"Feishu answered HTTP {response.status_code}, code {code}: {text[:200]}"
    lower = text.lower()
    # 9499 is "Bad Request" (documented) and, seen in practice, "too many request".
    if response.status_code == 429 or code in _FREQUENCY or "too many" in lower or "frequency" in lower:
        return Limited(reason, retry_after=wait_of(response) or _PAUSE_SECONDS)
    if response.status_code >= 500:
        return Unreachable(reason, retry_after=wait_of(response))
    if code == 9499:
        return Refused(
            reason, "the relay made a body that Feishu does not take; please report it with this line"
        )
    if isinstance(code, int) and code in _REMEDIES:
        return Misconfigured(reason, _REMEDIES[code])
    return Misconfigured(reason, f"compare {_VARIABLE} with the address that the group's settings show")
