"""The part that both emulators share: a Flask app with the pages for tests, and ordered failures."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from flask import Flask, Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from tests.emulators.faults import Fault, FaultError, Faults
from tests.emulators.record import Record

FailureAnswer = Callable[[Fault], Response]


def make_app(name: str, record: Record, reset: Callable[[], None], answer: FailureAnswer) -> Flask:
    """Make an app with ``/_health``, ``/_sent``, ``/_reset``, ``/_fail`` and ``/_calls``.

    Args:
        name: the platform's name.
        record: what the assistant sent.
        reset: forgets the platform's own state.
        answer: makes the platform's form of an error from an ordered failure.

    Returns:
        the app; the platform adds its own routes.
    """
    app = Flask(name)
    faults = Faults()

    @app.get("/_health")
    def health() -> ResponseReturnValue:
        return jsonify(status="ok", platform=name)

    @app.get("/_sent")
    def sent() -> ResponseReturnValue:
        return jsonify(record.as_json())

    @app.post("/_reset")
    def forget() -> ResponseReturnValue:
        record.clear()
        faults.clear()
        reset()
        return jsonify(status="ok")

    @app.post("/_fail")
    def fail() -> ResponseReturnValue:
        try:
            return jsonify(waiting=faults.order(request.get_json(force=True, silent=True)))
        except FaultError as error:
            return jsonify(error=str(error)), 400

    @app.get("/_calls")
    def calls() -> ResponseReturnValue:
        return jsonify(faults.met())

    @app.before_request
    def meet_fault() -> ResponseReturnValue | None:
        if request.path.startswith("/_"):
            return None
        fault = faults.take(request.path)
        if fault is None:
            return None
        if fault.cut == "after":
            g.cut = True
            return None
        if fault.cut == "before":
            return _cut()
        return answer(fault)

    @app.after_request
    def lose_answer(response: Response) -> Response:
        if not request.path.startswith("/_"):
            time.sleep(faults.delay(request.path))
        return _cut() if g.get("cut") else response

    return app


def _cut() -> Response:
    """Cut the connection, so that the caller never learns what became of its call."""
    connection = request.environ.get("werkzeug.socket")
    if isinstance(connection, socket.socket):
        connection.shutdown(socket.SHUT_RDWR)
    return Response(status=500)
