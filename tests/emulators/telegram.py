"""Emulated Telegram Bot API: the calls that an assistant makes, with their documented limits and errors.

Facts come from https://core.telegram.org/bots/api (methods, fields, ``ResponseParameters.retry_after``),
https://core.telegram.org/bots/faq (message rates) and https://core.telegram.org/bots/webhooks (ports).
Error texts are those that the public server gives.
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable, Mapping

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

from tests.emulators.config import TelegramConfig
from tests.emulators.control import make_app
from tests.emulators.faults import Fault
from tests.emulators.record import Record
from tests.emulators.telegram_chats import Chats
from tests.emulators.telegram_keyboards import Clicks, Menu
from tests.emulators.telegram_messages import Messages
from tests.emulators.telegram_pages import add_pages
from tests.emulators.telegram_parameters import Parameters, TelegramError
from tests.emulators.telegram_updates import Updates

Method = Callable[[Parameters], object]


def make_telegram_app(config: TelegramConfig, clock: Callable[[], float] = time.monotonic) -> Flask:
    """Make the emulated Bot API.

    Args:
        config: the bot and the limits.
        clock: gives the present time in seconds; tests replace it.

    Returns:
        a Flask app.
    """
    record = Record()
    identity = {
        "id": int(config.bot_token.partition(":")[0]) if config.bot_token.partition(":")[0].isdigit() else 1,
        "is_bot": True,
        "first_name": "assistant",
        "username": "assistant_bot",
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
    }
    chats, clicks, menu, updates = Chats(), Clicks(), Menu(), Updates()
    messages = Messages(config, record, identity, chats, clock)

    def reset() -> None:
        for part in (messages, chats, clicks, menu, updates):
            part.reset()

    app = make_app("telegram", record, reset, _ordered)
    methods: Mapping[str, Method] = {
        "getme": lambda _: identity,
        "sendmessage": messages.send,
        "editmessagetext": messages.edit,
        "editmessagereplymarkup": messages.edit_markup,
        "sendchataction": messages.act,
        "answercallbackquery": clicks.answer,
        "setmycommands": menu.set,
        "getmycommands": menu.get,
        "deletemycommands": menu.delete,
        "setwebhook": updates.set_webhook,
        "deletewebhook": updates.delete_webhook,
        "getwebhookinfo": lambda _: updates.webhook_info(),
        "getupdates": updates.get,
    }

    @app.route("/bot<token>/<method>", methods=["GET", "POST"])
    def call(token: str, method: str) -> ResponseReturnValue:
        if not hmac.compare_digest(token.encode(), config.bot_token.encode()):
            raise TelegramError(401, "Unauthorized")
        handler = methods.get(method.lower())  # "All methods in the Bot API are case-insensitive"
        if handler is None:
            raise TelegramError(404, "Not Found: method not found")
        return jsonify(ok=True, result=handler(_parameters()))

    @app.errorhandler(TelegramError)
    def refuse(error: TelegramError) -> ResponseReturnValue:
        return _error(error.code, str(error), error.retry_after, error.migrate_to), error.code

    @app.errorhandler(404)
    def missing(_: Exception) -> ResponseReturnValue:
        return _error(404, "Not Found"), 404

    add_pages(app, messages, chats, clicks, updates)
    return app


def _parameters() -> Parameters:
    """Collect the parameters: query string, form (both kinds) or JSON, as the API accepts them."""
    values: dict[str, object] = {**request.args, **request.form}
    if request.is_json:
        document = request.get_json(silent=True)
        if not isinstance(document, dict):
            raise TelegramError(400, "Bad Request: can't parse JSON object")
        values.update(document)
    return Parameters(values)


def _error(code: int, description: str, retry_after: int = 0, migrate_to: int = 0) -> Response:
    body: dict[str, object] = {"ok": False, "error_code": code, "description": description}
    if retry_after:
        body["parameters"] = {"retry_after": retry_after}
    if migrate_to:
        body["parameters"] = {"migrate_to_chat_id": migrate_to}
    return Response(json.dumps(body), status=code, content_type="application/json")


def _ordered(fault: Fault) -> Response:
    # The Bot API repeats the HTTP status as error_code; "code" of an order is taken when it names one.
    code = fault.code if fault.code != Fault().code else fault.status
    response = _error(code, fault.message, fault.retry_after)
    response.status_code = fault.status if fault.status != Fault().status else code
    return response
