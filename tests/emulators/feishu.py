"""Emulated Feishu Open Platform: the calls that an assistant makes, with their documented limits and errors.

Pages of https://open.feishu.cn/document that the facts come from:

- token: ukTMukTMukTM/ukDNz4SO0MjL5QzM/auth-v3/auth/tenant_access_token_internal
- send, reply, edit, update of a card, recall: server-docs/im-v1/message/{create,reply,update,patch,delete}
- cards: see feishu_cards.py; long connections: see feishu_long_connection.py
- bot: ukTMukTMukTM/uAjMxEjLwITMx4CMyETM
- rates: server-docs/api-call-guide/frequency-control
- general errors (10014, 99991661, 99991663, 99991672): server-docs/api-call-guide/generic-error-code
- invalid parameters: uAjLw4CM/ugTN1YjL4UTN24CO1UjN/trouble-shooting/how-to-resolve-error-230001
"""

from __future__ import annotations

import json
import math
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, jsonify
from flask.typing import ResponseReturnValue

from tests.emulators.config import FeishuConfig
from tests.emulators.control import make_app
from tests.emulators.faults import Fault
from tests.emulators.feishu_cards import Cards, buttons_of, checked_card, words_of
from tests.emulators.feishu_long_connection import LongConnections, add_connection_routes
from tests.emulators.feishu_messages import FeishuError, Message, text_of
from tests.emulators.feishu_routes import add_platform_routes, add_test_routes
from tests.emulators.feishu_tokens import Tokens
from tests.emulators.feishu_webhook import Hooks, add_hook_routes
from tests.emulators.limits import Window
from tests.emulators.record import Record, Sent

DEDUPLICATION_SECONDS = 3600.0  # "uuid": at most one message in 1 hour, pages send and reply
MOST_EDITS = 20
CARD_UPDATES_A_SECOND = 5
_FREQUENCY_LIMIT = 99991400


class Feishu:
    """State of the emulated platform."""

    def __init__(self, config: FeishuConfig, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing sent.

        Args:
            config: the app and the limits.
            clock: gives the present time in seconds; tests replace it.
        """
        self.config = config
        self.record = Record()
        self.recalled: set[str] = set()
        self.chats: dict[str, str] = {}
        self.missing_scopes: set[str] = set()
        self._clock = clock
        self._lock = threading.Lock()
        self.tokens = Tokens(config, clock)
        self.cards = Cards(clock, config.streaming_seconds)
        self.connections = LongConnections(config)
        self.hooks = Hooks(self.record, clock)
        self.reset()

    def reset(self) -> None:
        """Forget tokens, rates, message ids and cards; connections stay."""
        self.tokens.clear()
        self.recalled.clear()
        self.chats.clear()
        self.cards.clear()
        self.hooks.clear()
        self.missing_scopes.clear()
        self._sent: dict[str, tuple[Sent, str]] = {}
        self._accepted: dict[tuple[str, str], tuple[float, dict[str, object]]] = {}
        self._chat_rate = Window(self.config.chat_rate, 1.0, self._clock)
        self._card_rate = Window(CARD_UPDATES_A_SECOND, 1.0, self._clock)
        self._rates: dict[str, tuple[Window, Window]] = defaultdict(
            lambda: (
                Window(self.config.total_rate, 1.0, self._clock),
                Window(self.config.minute_rate, 60.0, self._clock),
            )
        )

    def admit(self, api: str, authorization: str, scope: str = "") -> None:
        """Check the token, the permission and the rates of a call of ``api``.

        Raises:
            FeishuError: with the documented code.
        """
        self.tokens.check(authorization)
        if scope in self.missing_scopes:
            raise FeishuError(99991672, f"Access denied. One of the following scopes is required: [{scope}].")
        for window in self._rates[api]:
            wait = window.wait(api)
            if wait:
                raise FeishuError(
                    _FREQUENCY_LIMIT, "request trigger frequency limit", status=429, reset=math.ceil(wait)
                )

    def send(self, message: Message) -> dict[str, object]:
        """Take a message that the assistant sends.

        Args:
            message: the validated message.

        Returns:
            the ``data`` object of the answer.

        Raises:
            FeishuError: with a documented code when the platform would refuse it.
        """
        with self._lock:  # two calls at once with one uuid must not both be accepted
            return self._send(message)

    def _send(self, message: Message) -> dict[str, object]:
        target = message.reply_to or message.chat
        known = self._accepted.get((target, message.uuid))
        if message.uuid and known and self._clock() - known[0] < DEDUPLICATION_SECONDS:
            return known[1]
        if message.reply_to in self.recalled:
            raise FeishuError(230011, "The message is recalled.")
        chat = message.chat or self.chats.get(message.reply_to or "", "")
        # The platform counts by chat; a reply to a message of an unknown chat is counted by that message.
        if self._chat_rate.wait(chat or target):
            raise FeishuError(230020, "This operation triggers the frequency limit.")
        message_id = f"om_{uuid.uuid4().hex}"
        sent = Sent(chat, text_of(message), message.reply_to or None, message_id, message.kind)
        sent.in_thread = message.in_thread
        if message.kind == "interactive":
            self._show_card(message, sent)
        self.chats[message_id] = chat
        self._sent[message_id] = (sent, message.content)
        self.record.add(sent)
        now = str(int(time.time() * 1000))
        data: dict[str, object] = {
            "message_id": message_id,
            "root_id": message.reply_to,
            "parent_id": message.reply_to,
            "msg_type": message.kind,
            "create_time": now,
            "update_time": now,
            "deleted": False,
            "updated": False,
            "chat_id": chat,
            "sender": {
                "id": self.config.app_id,
                "id_type": "app_id",
                "sender_type": "app",
                "tenant_key": "736588c9260f175e",
            },
            "body": {"content": message.content},
        }
        if message.in_thread:
            data["thread_id"] = f"omt_{(message.reply_to or message_id)[3:15]}"
        self._accepted[target, message.uuid] = (self._clock(), data)
        return data

    def _show_card(self, message: Message, sent: Sent) -> None:
        content = json.loads(message.content)
        if content.get("type") == "card":
            self.cards.show(content.get("data", {}).get("card_id"), sent)
        elif content.get("schema") == "2.0":
            self._put_card(checked_card(message.content, _in_message), sent)

    @staticmethod
    def _put_card(card: dict[str, Any], sent: Sent) -> None:
        sent.text, sent.buttons = words_of(card), buttons_of(card)

    def edit(self, message_id: str, message: Message) -> None:
        """Put another text in the place of a text message's."""
        sent, _ = self._message(message_id)
        if sent.kind == "interactive":
            raise FeishuError(230054, "This operation is not supported for this message type.")
        if sent.edits >= MOST_EDITS:
            raise FeishuError(230072, "The message has reached the number of times it can be edited.")
        sent.edit(text_of(message))

    def update_card(self, message_id: str, content: object) -> None:
        """Put another card in the place of the one that was sent as JSON."""
        sent, _ = self._message(message_id)
        if sent.kind != "interactive":
            raise FeishuError(230001, "Your request contains an invalid request parameter, ext=not a card.")
        if self._card_rate.wait(message_id):
            raise FeishuError(230020, "This operation triggers the frequency limit.")
        card = checked_card(content, _in_message)
        sent.edit("")
        self._put_card(card, sent)

    def withdraw(self, message_id: str) -> None:
        """Recall a message of the assistant's own."""
        self._message(message_id)
        del self._sent[message_id]
        self.recalled.add(message_id)
        self.record.remove(message_id)

    def convert(self, message_id: str) -> str:
        """Give the id of the card entity that a message shows."""
        sent, content = self._message(message_id)
        if sent.kind != "interactive":
            raise FeishuError(10002, "the message is no card")
        found = self.cards.card_in(message_id)
        return found or self.cards.adopt(checked_card(content, _in_message), sent)

    def _message(self, message_id: str) -> tuple[Sent, str]:
        if message_id in self.recalled:
            raise FeishuError(230011, "The message is recalled.")
        if message_id not in self._sent:
            raise FeishuError(230001, "Your request contains an invalid request parameter, ext=message_id.")
        return self._sent[message_id]


def _in_message(code: int, message: str) -> FeishuError:
    if code == 200860:
        return FeishuError(230025, "The length of the message content reaches its limit.")
    return FeishuError(230099, f"Failed to create card content, ext=ErrCode: {code}; ErrMsg: {message}")


def make_feishu_app(config: FeishuConfig, clock: Callable[[], float] = time.monotonic) -> Flask:
    """Make the emulated platform.

    Args:
        config: the app and the limits.
        clock: gives the present time in seconds; tests replace it.

    Returns:
        a Flask app.
    """
    feishu = Feishu(config, clock)
    app = make_app("feishu", feishu.record, feishu.reset, _ordered)
    add_platform_routes(app, feishu)
    add_test_routes(app, feishu)
    add_connection_routes(app, feishu.connections)
    add_hook_routes(app, feishu.hooks)

    @app.errorhandler(FeishuError)
    def refuse(error: FeishuError) -> ResponseReturnValue:
        headers = {"x-ogw-ratelimit-reset": str(error.reset)} if error.reset else {}
        body = {"code": error.code, "msg": str(error), "error": {"log_id": uuid.uuid4().hex}}
        return jsonify(body), error.status, headers

    return app


def _ordered(fault: Fault) -> Response:
    unnamed = fault.code == Fault().code
    code = _FREQUENCY_LIMIT if fault.status == 429 and unnamed else fault.code
    response = Response(
        json.dumps({"code": code, "msg": fault.message, "error": {"log_id": uuid.uuid4().hex}}),
        status=fault.status,
        content_type="application/json; charset=utf-8",
    )
    if fault.retry_after:
        response.headers["x-ogw-ratelimit-reset"] = str(fault.retry_after)
    return response
