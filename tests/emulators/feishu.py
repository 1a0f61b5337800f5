"""Emulated Feishu Open Platform: the calls that an assistant makes, with their documented limits and errors.

Pages of https://open.feishu.cn/document that the facts come from:

- token: ukTMukTMukTM/ukDNz4SO0MjL5QzM/auth-v3/auth/tenant_access_token_internal
- send: server-docs/im-v1/message/create; reply: server-docs/im-v1/message/reply
- bot: ukTMukTMukTM/uAjMxEjLwITMx4CMyETM
- rates: server-docs/api-call-guide/frequency-control
- general errors (10014, 99991661, 99991663): server-docs/api-call-guide/generic-error-code
- invalid parameters: uAjLw4CM/ugTN1YjL4UTN24CO1UjN/trouble-shooting/how-to-resolve-error-230001
"""

from __future__ import annotations

import json
import math
import threading
import time
import uuid
from collections.abc import Callable

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

from tests.emulators.config import FeishuConfig
from tests.emulators.control import make_app
from tests.emulators.faults import Fault
from tests.emulators.feishu_messages import FeishuError, Message, text_of, validate
from tests.emulators.feishu_tokens import Tokens
from tests.emulators.limits import Window
from tests.emulators.record import Record, Sent

DEDUPLICATION_SECONDS = 3600.0  # "uuid": at most one message in 1 hour, pages send and reply
_FREQUENCY_LIMIT = 99991400
_RECEIVER_TYPES = ("chat_id", "open_id", "user_id", "union_id", "email")


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
        self._clock = clock
        self._lock = threading.Lock()
        self.tokens = Tokens(config, clock)
        self.reset()

    def reset(self) -> None:
        """Forget tokens, rates and message ids."""
        self.tokens.clear()
        self.recalled.clear()
        self.chats.clear()
        self._accepted: dict[tuple[str, str], tuple[float, dict[str, object]]] = {}
        self._chat_rate = Window(self.config.chat_rate, 1.0, self._clock)
        self._total_rate = Window(self.config.total_rate, 1.0, self._clock)

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
        wait = self._total_rate.wait("all")
        if wait:
            raise FeishuError(
                _FREQUENCY_LIMIT, "request trigger frequency limit", status=429, reset=math.ceil(wait)
            )
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
        self.chats[message_id] = chat
        self.record.add(Sent(chat, text_of(message), message.reply_to or None, message_id, message.kind))
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
        self._accepted[target, message.uuid] = (self._clock(), data)
        return data


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
    _add_platform_routes(app, feishu)
    _add_test_routes(app, feishu)

    @app.errorhandler(FeishuError)
    def refuse(error: FeishuError) -> ResponseReturnValue:
        headers = {"x-ogw-ratelimit-reset": str(error.reset)} if error.reset else {}
        body = {"code": error.code, "msg": str(error), "error": {"log_id": uuid.uuid4().hex}}
        return jsonify(body), error.status, headers

    return app


def _add_platform_routes(app: Flask, feishu: Feishu) -> None:
    @app.post("/open-apis/auth/v3/tenant_access_token/internal")
    def tenant_access_token() -> ResponseReturnValue:
        return jsonify(feishu.tokens.issue(_body()))

    @app.get("/open-apis/bot/v3/info")
    @app.get("/open-apis/bot/v3/info/")
    def bot_info() -> ResponseReturnValue:
        feishu.tokens.check(request.headers.get("Authorization", ""))
        bot = {
            "activate_status": 2,
            "app_name": "assistant",
            "avatar_url": "",
            "ip_white_list": [],
            "open_id": "ou_00000000000000000000000000000b07",
        }
        return jsonify(code=0, msg="ok", bot=bot)

    @app.post("/open-apis/im/v1/messages")
    def create() -> ResponseReturnValue:
        feishu.tokens.check(request.headers.get("Authorization", ""))
        kind = request.args.get("receive_id_type", "")
        if kind not in _RECEIVER_TYPES:
            raise FeishuError(99992402, "field validation failed: receive_id_type")
        message = validate(_body(), with_receiver=True)
        return jsonify(code=0, msg="success", data=feishu.send(message))

    @app.post("/open-apis/im/v1/messages/<message_id>/reply")
    def reply(message_id: str) -> ResponseReturnValue:
        feishu.tokens.check(request.headers.get("Authorization", ""))
        if not message_id.startswith("om_"):
            raise FeishuError(
                230001, "Your request contains an invalid request parameter, ext=invalid message_id."
            )
        message = validate(_body(), with_receiver=False, reply_to=message_id)
        return jsonify(code=0, msg="success", data=feishu.send(message))


def _add_test_routes(app: Flask, feishu: Feishu) -> None:
    @app.post("/_message")
    def announce() -> ResponseReturnValue:
        feishu.chats[_named("message_id")] = _named("chat_id")
        return jsonify(status="ok")

    @app.post("/_recall")
    def recall() -> ResponseReturnValue:
        feishu.recalled.add(_named("message_id"))
        return jsonify(status="ok")

    @app.post("/_expire_tokens")
    def expire() -> ResponseReturnValue:
        feishu.tokens.clear()
        return jsonify(status="ok")


def _body() -> object:
    # force: the platform's own Python SDK sends no Content-Type with its call for a token
    return request.get_json(force=True, silent=True)


def _named(field: str) -> str:
    document = _body()
    value = document.get(field) if isinstance(document, dict) else None
    if not isinstance(value, str) or not value:
        raise FeishuError(400, f'the body must be an object with the text "{field}"')
    return value


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
