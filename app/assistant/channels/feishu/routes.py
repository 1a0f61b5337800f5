"""Feishu's webhook."""

from flask import Blueprint, Response, jsonify, request

from assistant.channels.feishu.gate import ADDRESS_CHECK, Gate
from assistant.channels.feishu.reception import Reception
from assistant.web.limits import json_object


def blueprint(reception: Reception, gate: Gate) -> Blueprint:
    """Return the blueprint with POST /feishu/webhook, for events and for clicks on cards.

    Args:
        reception: where events go.
        gate: lets this app's events in, and nothing else.
    """
    routes = Blueprint("feishu", __name__)

    @routes.post("/feishu/webhook")
    def webhook() -> Response:
        body, raw = json_object()
        event = gate.open(body, raw, request.headers)
        if event.get("type") == ADDRESS_CHECK:
            return jsonify(challenge=str(event.get("challenge", "")))
        answer = reception.receive(event)
        return jsonify(code=0) if answer is None else jsonify(answer)

    return routes
