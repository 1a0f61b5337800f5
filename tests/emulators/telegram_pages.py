"""The emulated Bot API's pages for tests."""

from __future__ import annotations

import time

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

from tests.emulators.telegram_chats import Chats
from tests.emulators.telegram_client import TelegramUser, click_update
from tests.emulators.telegram_keyboards import Clicks
from tests.emulators.telegram_messages import Messages
from tests.emulators.telegram_parameters import Parameters, TelegramError
from tests.emulators.telegram_updates import Updates


def add_pages(app: Flask, messages: Messages, chats: Chats, clicks: Clicks, updates: Updates) -> None:
    """Add the pages by which a test does what people and the platform do."""

    @app.post("/_update")
    def queue() -> ResponseReturnValue:
        document = _body()
        if not document:
            return jsonify(error='the body must be an update, for example {"message": {...}}'), 400
        return jsonify(update_id=updates.queue(document))

    @app.post("/_chat")
    def change_chat() -> ResponseReturnValue:
        problem = chats.order(_body())
        return (jsonify(error=problem), 400) if problem else jsonify(status="ok")

    @app.post("/_delete")
    def delete() -> ResponseReturnValue:
        document = _body()
        try:
            sent = messages.editable(Parameters({**document, "chat_id": document.get("chat")}))
        except TelegramError as error:
            return jsonify(error=str(error)), 400
        messages.forget(sent.chat, int(sent.message_id))
        return jsonify(status="ok")

    @app.post("/_click")
    def click() -> ResponseReturnValue:
        """Click on a button; the update goes to getUpdates, or to the test where there is a webhook."""
        document = _body()
        try:
            sent = messages.editable(Parameters({**document, "chat_id": document.get("chat")}))
        except TelegramError as error:
            return jsonify(error=str(error)), 400
        data = str(document.get("data", ""))
        buttons = [button for row in sent.keyboard or [] for button in row]
        if not any(button.get("callback_data") == data for button in buttons):
            return jsonify(error="the message has no such button", buttons=buttons), 400
        user = TelegramUser(
            user_id=int(str(document.get("user", sent.chat)).lstrip("-")),
            language_code=str(document.get("language", "en")),
        )
        query = clicks.add(sent.chat, sent.message_id, data)
        update = click_update(data, messages.message(sent), user=user, query_id=query)
        if not updates.has_webhook:
            updates.queue(update)
        return jsonify(update)

    @app.get("/_actions")
    def actions() -> ResponseReturnValue:
        return jsonify(messages.actions)

    @app.get("/_clicks")
    def clicked() -> ResponseReturnValue:
        return jsonify(clicks.as_json())

    @app.post("/_webhook_error")
    def webhook_error() -> ResponseReturnValue:
        document = _body()
        message = str(document.get("message", "Wrong response from the webhook: 502 Bad Gateway"))
        updates.fail(int(str(document.get("date", int(time.time())))), message)
        return jsonify(status="ok")


def _body() -> dict[str, object]:
    document = request.get_json(silent=True)
    return document if isinstance(document, dict) else {}
