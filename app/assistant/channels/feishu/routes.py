"""Feishu's webhook."""

from collections.abc import Callable

from flask import Blueprint, Response, jsonify, request

from assistant.channels.base import Intake
from assistant.channels.feishu.events import read_message
from assistant.channels.feishu.gate import ADDRESS_CHECK, Gate
from assistant.web.limits import json_object


def blueprint(intake: Intake, gate: Gate, bot_open_id: Callable[[], str]) -> Blueprint:
    """Return the blueprint with POST /feishu/webhook.

    Args:
        intake: where messages go.
        gate: lets this app's events in, and nothing else.
        bot_open_id: returns the bot's own id, or an empty text while it is unknown.
    """
    routes = Blueprint("feishu", __name__)

    @routes.post("/feishu/webhook")
    def webhook() -> Response:
        body, raw = json_object()
        event = gate.open(body, raw, request.headers)
        if event.get("type") == ADDRESS_CHECK:
            return jsonify(challenge=str(event.get("challenge", "")))
        message = read_message(event, bot_open_id())
        if message is not None:
            intake.accept(message)
        return jsonify(code=0)

    return routes
