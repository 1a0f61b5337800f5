"""The pages of the emulated Feishu platform: its API, and those for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

from tests.emulators.feishu_messages import FeishuError, validate

if TYPE_CHECKING:
    from tests.emulators.feishu import Feishu

_RECEIVER_TYPES = ("chat_id", "open_id", "user_id", "union_id", "email")
_WRITE_CARDS, _READ_CARDS = "cardkit:card:write", "cardkit:card:read"
_CARDS = "/open-apis/cardkit/v1/cards"
_MESSAGES = "/open-apis/im/v1/messages"


def body() -> object:
    """Give the decoded body of the present request, None when it is no JSON."""
    # force: the platform's own Python SDK sends no Content-Type with its call for a token
    return request.get_json(force=True, silent=True)


def named(field: str) -> str:
    """Give a text of the present request's body; refuses when there is none."""
    document = body()
    value = document.get(field) if isinstance(document, dict) else None
    if not isinstance(value, str) or not value:
        raise FeishuError(400, f'the body must be an object with the text "{field}"')
    return value


def _done(**data: object) -> ResponseReturnValue:
    return jsonify(code=0, msg="success", data=data)


def add_platform_routes(app: Flask, feishu: Feishu) -> None:
    """Add the platform's API to ``app``."""

    def admit(api: str, scope: str = "") -> None:
        feishu.admit(api, request.headers.get("Authorization", ""), scope)

    @app.post("/open-apis/auth/v3/tenant_access_token/internal")
    def tenant_access_token() -> ResponseReturnValue:
        return jsonify(feishu.tokens.issue(body()))

    @app.get("/open-apis/bot/v3/info")
    @app.get("/open-apis/bot/v3/info/")
    def bot_info() -> ResponseReturnValue:
        admit("bot")
        bot = {
            "activate_status": 2,
            "app_name": "assistant",
            "avatar_url": "",
            "ip_white_list": [],
            "open_id": "ou_00000000000000000000000000000b07",
        }
        return jsonify(code=0, msg="ok", bot=bot)

    @app.post(_MESSAGES)
    def create() -> ResponseReturnValue:
        admit("create")
        kind = request.args.get("receive_id_type", "")
        if kind not in _RECEIVER_TYPES:
            raise FeishuError(99992402, "field validation failed: receive_id_type")
        return _done(**feishu.send(validate(body(), with_receiver=True)))

    @app.post(f"{_MESSAGES}/<message_id>/reply")
    def reply(message_id: str) -> ResponseReturnValue:
        admit("reply")
        if not message_id.startswith("om_"):
            raise FeishuError(
                230001, "Your request contains an invalid request parameter, ext=invalid message_id."
            )
        return _done(**feishu.send(validate(body(), with_receiver=False, reply_to=message_id)))

    @app.put(f"{_MESSAGES}/<message_id>")
    def edit(message_id: str) -> ResponseReturnValue:
        admit("edit")
        feishu.edit(message_id, validate(body(), with_receiver=False))
        return _done()

    @app.patch(f"{_MESSAGES}/<message_id>")
    def update_card(message_id: str) -> ResponseReturnValue:
        admit("patch")
        feishu.update_card(message_id, named("content"))
        return _done()

    @app.delete(f"{_MESSAGES}/<message_id>")
    def withdraw(message_id: str) -> ResponseReturnValue:
        admit("delete")
        feishu.withdraw(message_id)
        return _done()

    @app.post(_CARDS)
    def create_card() -> ResponseReturnValue:
        admit("cards.create", _WRITE_CARDS)
        return _done(card_id=feishu.cards.create(body()))

    @app.post(f"{_CARDS}/id_convert")
    def id_convert() -> ResponseReturnValue:
        admit("cards.id_convert", _READ_CARDS)
        return _done(card_id=feishu.convert(named("message_id")))

    @app.put(f"{_CARDS}/<card_id>")
    def update(card_id: str) -> ResponseReturnValue:
        admit("cards.update", _WRITE_CARDS)
        feishu.cards.update(card_id, body())
        return _done()

    @app.patch(f"{_CARDS}/<card_id>/settings")
    def settings(card_id: str) -> ResponseReturnValue:
        admit("cards.settings", _WRITE_CARDS)
        feishu.cards.settings(card_id, body())
        return _done()

    @app.put(f"{_CARDS}/<card_id>/elements/<element_id>/content")
    def content(card_id: str, element_id: str) -> ResponseReturnValue:
        admit("cards.content", _WRITE_CARDS)
        feishu.cards.stream(card_id, element_id, body())
        return _done()


def add_test_routes(app: Flask, feishu: Feishu) -> None:
    """Add the pages for tests to ``app``."""

    @app.post("/_message")
    def announce() -> ResponseReturnValue:
        feishu.chats[named("message_id")] = named("chat_id")
        return jsonify(status="ok")

    @app.post("/_recall")
    def recall() -> ResponseReturnValue:
        feishu.recalled.add(named("message_id"))
        return jsonify(status="ok")

    @app.post("/_expire_tokens")
    def expire() -> ResponseReturnValue:
        feishu.tokens.clear()
        return jsonify(status="ok")

    @app.post("/_withhold")
    def withhold() -> ResponseReturnValue:
        feishu.missing_scopes.add(named("scope"))
        return jsonify(status="ok")

    @app.post("/_forget_cards")
    def forget_cards() -> ResponseReturnValue:
        feishu.cards.clear()
        return jsonify(status="ok")
