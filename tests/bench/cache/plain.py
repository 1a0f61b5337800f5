"""The yardstick: what a plain Flask handler with one SQLite look-up does under the same gunicorn settings."""

from __future__ import annotations

import os
import sqlite3
import threading

from flask import Flask, Response, jsonify, request

application = Flask("plain")
_local = threading.local()


@application.post("/v1/chat/completions")
def completions() -> Response | tuple[Response, int]:
    """Answer a request in OpenAI's shape with the text that is stored for its question."""
    connection: sqlite3.Connection | None = getattr(_local, "connection", None)
    if connection is None:
        connection = _local.connection = sqlite3.connect(os.environ["PLAIN_DATABASE"])
    question = request.get_json()["messages"][-1]["content"]
    row = connection.execute("SELECT answer FROM answers WHERE question = ?", (question,)).fetchone()
    if row is None:
        return jsonify(error="unknown"), 404
    message = {"role": "assistant", "content": row[0]}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return jsonify(id="chatcmpl-0", created=0, model="plain", object="chat.completion", choices=[choice])


@application.get("/readyz")
def ready() -> Response:
    """Say that it is there."""
    return jsonify(ready=True)
