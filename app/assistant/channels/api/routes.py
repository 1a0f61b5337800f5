"""GET /v1/models and POST /v1/chat/completions."""

import hmac
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from flask import Blueprint, Response, jsonify, request

from assistant.channels.api import PLATFORM, shapes
from assistant.channels.api.known import Begun, Recall, wish
from assistant.channels.api.requests import InvalidRequestError, read_request
from assistant.channels.base import Intake
from assistant.closing import Closing
from assistant.messages import Incoming
from assistant.metrics.arrivals import acknowledged
from assistant.progress import Progress, Watch
from assistant.store.outbox import CACHED, Reply
from assistant.web.connection import is_closed
from assistant.web.errors import Refused
from assistant.web.limits import json_object
from assistant.web.operations import CACHE_HEADER

# How often a waiting call looks for a reply that another process has made, and for its caller.
LOOK_SECONDS = 0.5
# nginx passes an event stream on piece by piece only if it is told so (nginx.org, ngx_http_proxy_module).
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
TIMEOUT = ("the model did not answer in time", "server_error", None, "timeout")
CLOSING = ("the service is being stopped; try again", "server_error", None, "stopping")
FULL = ("too many requests are waiting; try again later", "rate_limit_error")
FAILED = ("the model could not answer this request", "server_error")


class _NoAnswer(Exception):
    """There is none: the HTTP ``status``, and the ``error`` for the caller."""

    def __init__(self, status: int, message: str, kind: str, *more: str | None) -> None:
        super().__init__(message)
        self.status, self.error = status, shapes.error(message, kind, *more)


def _error(
    status: int, message: str, kind: str, parameter: str | None = None, code: str | None = None
) -> Response:
    return _response(status, shapes.error(message, kind, parameter, code))


def _response(status: int, error: dict[str, Any]) -> Response:
    response = jsonify(error)
    response.status_code = status
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if status in {429, 503, 504}:
        response.headers["Retry-After"] = "5"
    return response


def blueprint(
    intake: Intake,
    fetch: Callable[[int], Reply | None],
    progress: Progress,
    *,
    token: str,
    model: str,
    deadline_seconds: float,
    limit: int,
    recall: Recall,
    answered: Callable[[Reply, float], None],
    closing: Closing,
) -> Blueprint:
    """Return the blueprint.

    Args:
        intake: where messages go.
        fetch: returns the reply to a message, once there is one.
        progress: shows an answer while it is made, and tells the worker when its caller is gone.
        token: the bearer token.
        model: the model's name.
        deadline_seconds: how long a call waits for its answer.
        limit: how many calls may wait at once; more get 429.
        recall: knows answers that need neither inbox nor model.
        answered: is told of each answer that was handed over, and after how many seconds.
        closing: when nobody may wait any longer.
    """
    routes = Blueprint("api", __name__, url_prefix="/v1")
    slots = threading.BoundedSemaphore(limit)
    started = int(time.time())

    @routes.before_request
    def authenticate() -> Response | None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode()):
            return None
        return _error(
            401, "the bearer token is missing or wrong", "invalid_request_error", code="invalid_api_key"
        )

    @routes.errorhandler(Refused)
    def refused(error: Refused) -> Response:
        return _error(error.status, error.message, "invalid_request_error", code=error.code)

    @routes.get("/models")
    def models() -> Response:
        entry = {"id": model, "object": "model", "created": started, "owned_by": "local"}
        return jsonify(object="list", data=[entry])

    @routes.post("/chat/completions")
    def completions() -> Response:
        came = time.monotonic()
        body, _ = json_object()
        try:
            wanted = read_request(body)
        except InvalidRequestError as error:
            return _error(400, error.message, "invalid_request_error", error.parameter, "invalid_value")
        if choice := wish(request):
            wanted.payload["cache"] = choice
        with ExitStack() as held:
            number = secrets.token_hex(16)
            form = shapes.Shapes(number, model, usage_in_chunks=wanted.include_usage)
            begun = held.enter_context(recall.begin(number, wanted.payload))
            if begun.state in {"hit", "pinned"}:
                reply = _known(begun)
                answered(reply, time.monotonic() - came)
                return _known_response(form, reply, begun, stream=wanted.stream)
            if closing.due:
                return _error(503, *CLOSING)
            if begun.state == "late":
                return _error(504, *TIMEOUT)
            if begun.state == "busy" or not slots.acquire(blocking=False):
                return _error(429, *FULL, code="rate_limit_exceeded")
            held.callback(slots.release)
            watch = held.enter_context(progress.watching(number))
            watch.reads_pieces = wanted.stream
            inbox_id = _send(number, wanted.payload)
            acknowledged()
            items = _follow(inbox_id, watch, request.environ, came)
            if not wanted.stream:
                response = _whole(form, items)
            else:
                response = Response(
                    _stream(form, items), mimetype="text/event-stream", headers=STREAM_HEADERS
                )
                # Also runs when the caller goes away before the first piece.
                response.call_on_close(held.pop_all().close)
            response.headers[CACHE_HEADER] = begun.state
            return response

    def _send(number: str, payload: dict[str, Any]) -> int | None:
        text = payload["messages"][-1]["content"]
        return intake.accept(Incoming(PLATFORM, number, number, text, payload=payload))

    def _follow(
        inbox_id: int | None, watch: Watch, environ: Mapping[str, Any], came: float
    ) -> Iterator[str | Reply]:
        """Yield the pieces of the answer and at last the reply.

        Raises:
            _NoAnswer: there is no reply, or none that answers.
        """
        deadline = time.monotonic() + deadline_seconds
        while inbox_id is not None and time.monotonic() < deadline:
            if closing.due:
                raise _NoAnswer(503, *CLOSING)
            if piece := watch.next(LOOK_SECONDS):
                yield piece
            elif (reply := fetch(inbox_id)) is not None:
                if reply.failed:
                    raise _NoAnswer(503, *FAILED)
                answered(reply, time.monotonic() - came)
                yield reply
                return
            elif is_closed(environ):
                break
        raise _NoAnswer(504, *TIMEOUT)

    return routes


def _known(begun: Begun) -> Reply:
    # No tokens were read or written for it.
    detail = {"prompt_tokens": 0, "completion_tokens": 0, "finish_reason": begun.finish_reason, CACHED: True}
    return Reply(begun.text, detail, failed=False)


def _known_response(form: shapes.Shapes, reply: Reply, begun: Begun, *, stream: bool) -> Response:
    if stream:
        text = form.beginning() + form.piece(reply.text) + form.end(reply)
        response = Response(text, mimetype="text/event-stream", headers=STREAM_HEADERS)
    else:
        response = jsonify(form.whole(reply))
    response.headers[CACHE_HEADER] = begun.state
    return response


def _whole(form: shapes.Shapes, items: Iterator[str | Reply]) -> Response:
    try:
        reply = next(item for item in items if isinstance(item, Reply))
    except _NoAnswer as reason:
        return _response(reason.status, reason.error)
    return jsonify(form.whole(reply))


def _stream(form: shapes.Shapes, items: Iterator[str | Reply]) -> Iterator[str]:
    yield form.beginning()
    shown = 0
    try:
        for item in items:
            if isinstance(item, str):
                shown += len(item)
                yield form.piece(item)
            else:
                # All of it, when another process made the answer.
                if rest := item.text[shown:]:
                    yield form.piece(rest)
                yield form.end(item)
    except _NoAnswer as reason:
        yield shapes.event(reason.error)
