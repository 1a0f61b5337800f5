"""The pages: /alerts for Alertmanager, /healthz and /metrics."""

from __future__ import annotations

import json
import logging
import sqlite3

from flask import Flask, Response, request

from alert_relay.alerts import BadPayload, parse
from alert_relay.metrics import REJECTED
from alert_relay.relay import Relay

_MOST_BYTES = 4 * 1024 * 1024
_log = logging.getLogger("alert_relay.web")


def make_app(relay: Relay) -> Flask:
    """Return the WSGI application."""
    app = Flask("alert_relay")
    app.config["MAX_CONTENT_LENGTH"] = _MOST_BYTES

    # Flask 1.1 has no app.post and app.get.
    @app.route("/alerts", methods=["POST"])
    def alerts() -> Response:
        try:
            news = parse(json.loads(request.get_data()))
        except (BadPayload, ValueError) as error:
            # 4xx: Alertmanager does not come again with the same.
            relay.metrics.notification(REJECTED)
            _log.error("a notification is not understood: %s", error)
            return _answer(400, {"error": str(error)})
        try:
            outcome = relay.take(news)
        except sqlite3.Error as error:
            _log.error("a notification is not kept, Alertmanager will come again: %s", error)
            return _answer(503, {"error": f"the outbox does not work: {error}"})
        relay.metrics.notification(outcome)
        return _answer(200, {"status": outcome})

    @app.route("/healthz")
    def healthz() -> Response:
        troubles = relay.troubles()
        return _answer(
            503 if troubles else 200, {"status": "failing" if troubles else "ok", "troubles": troubles}
        )

    @app.route("/metrics")
    def metrics() -> Response:
        return Response(relay.metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")

    return app


def _answer(status: int, document: dict[str, object]) -> Response:
    return Response(json.dumps(document), status=status, content_type="application/json")
