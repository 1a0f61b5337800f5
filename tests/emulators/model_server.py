"""A model server with OpenAI's API: it enforces what the real ones do, and fails on demand.

Source: platform.openai.com/docs/api-reference/chat and /docs/guides/error-codes.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, jsonify, request

PIECES = ("你好", ", this", " is 🎉", " an", " answer", ".")
KNOWN = {
    *("model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature"),
    *("top_p", "seed", "stop", "response_format"),
}
END = "data: [DONE]\n\n"


@dataclass(frozen=True)
class Trouble:
    """What one call meets.

    ``status`` other than 200 with the other fields of an error; ``wait`` seconds before the first byte;
    ``pause`` seconds between pieces; ``cut`` closes the connection after so many pieces, ``end`` ends the
    stream there as if nothing was missing; ``raw`` is sent in place of the stream, one byte in each packet.
    """

    status: int = 200
    error: dict[str, Any] = field(default_factory=dict)
    retry_after: str = ""
    wait: float = 0.0
    pause: float = 0.0
    cut: int | None = None
    end: int | None = None
    raw: bytes = b""


@dataclass
class ModelServer:
    """The server's state; a test changes it and looks into it.

    ``context`` is in characters, the answer's limit included. ``troubles`` are met by the next completions,
    one each. ``asked`` are the bodies of completions, ``left`` counts the streams whose reader went away.
    ``answer`` makes an answer's pieces from a request's body, with ``pause`` seconds after each.
    """

    key: str = "sk-model-server-0123456789"
    models: list[str] | None = field(default_factory=lambda: ["first-model", "second-model"])
    context: int = 100_000
    known: set[str] = field(default_factory=lambda: set(KNOWN))
    troubles: deque[Trouble] = field(default_factory=deque)
    asked: list[dict[str, Any]] = field(default_factory=list)
    answer: Callable[[dict[str, Any]], Iterable[str]] = lambda body: PIECES
    pause: float = 0.0
    left: int = 0
    running: int = 0
    most_running: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, *troubles: Trouble) -> None:
        """Let the next completions meet ``troubles``."""
        self.troubles.extend(troubles)

    def refusal(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        """Return what is wrong with a request, in OpenAI's words."""
        if body.get("model") not in (self.models or ["first-model"]):
            return 404, _error("The model does not exist", code="model_not_found")
        if unknown := sorted(set(body) - self.known):
            if unknown[0] == "max_tokens":
                text = "Unsupported parameter: 'max_tokens' is not supported with this model."
                return 400, _error(text, code="unsupported_parameter", param="max_tokens")
            return 400, _error(f"Unrecognized request argument supplied: {unknown[0]}")
        limit = body.get("max_tokens") or body.get("max_completion_tokens") or 0
        wanted = sum(len(m["content"]) for m in body["messages"]) + limit
        if wanted > self.context:
            text = f"This model's maximum context length is {self.context} tokens. You requested {wanted}."
            return 400, _error(text, code="context_length_exceeded", param="messages")
        return None


def _error(message: str, **more: Any) -> dict[str, Any]:
    return {
        "error": {"message": message, "type": "invalid_request_error", "param": None, "code": None, **more}
    }


def make_model_app(state: ModelServer) -> Flask:
    """Return the app; its pieces of a stream are sent as they are made."""
    app = Flask("model-server")

    @app.before_request
    def authenticate() -> tuple[Response, int] | None:
        if request.headers.get("Authorization") == f"Bearer {state.key}":
            return None
        return jsonify(_error("Incorrect API key provided", code="invalid_api_key")), 401

    @app.get("/v1/models")
    def models() -> tuple[Response, int]:
        if state.models is None:
            return jsonify(_error("not found")), 404
        return jsonify(object="list", data=[{"id": n, "object": "model"} for n in state.models]), 200

    @app.post("/v1/chat/completions")
    def completions() -> Response:
        body = request.get_json()
        with state.lock:
            state.asked.append(body)
            trouble = state.troubles.popleft() if state.troubles else Trouble()
        time.sleep(trouble.wait)
        refused = state.refusal(body) if trouble.status == 200 else (trouble.status, {"error": trouble.error})
        if refused is not None:
            response = jsonify(refused[1])
            response.status_code = refused[0]
            if trouble.retry_after:
                response.headers["Retry-After"] = trouble.retry_after
            return response
        assert body["stream"] is True
        events = (
            _bytes(trouble.raw)
            if trouble.raw
            else _stream(body, state.answer(body), state.pause, trouble, request.environ["werkzeug.socket"])
        )
        return Response(_counted(state, events), mimetype="text/event-stream")

    return app


def _counted(state: ModelServer, events: Iterator[bytes]) -> Iterator[bytes]:
    with state.lock:
        state.running += 1
        state.most_running = max(state.most_running, state.running)
    whole = False
    try:
        yield from events
        whole = True
    finally:
        with state.lock:
            state.running -= 1
            state.left += not whole


def _bytes(raw: bytes) -> Iterator[bytes]:
    for number in raw:
        yield bytes([number])


def _stream(
    body: dict[str, Any], pieces: Iterable[str], pause: float, trouble: Trouble, connection: socket.socket
) -> Iterator[bytes]:
    yield _event({"role": "assistant", "content": ""})
    for number, piece in enumerate(pieces):
        if number == trouble.cut:
            connection.shutdown(socket.SHUT_RDWR)
            return
        if number == trouble.end:
            return
        yield _event({"content": piece})
        time.sleep(trouble.pause or pause)
    yield _event({}, "stop")
    if (body.get("stream_options") or {}).get("include_usage"):
        usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        yield f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n".encode()
    yield END.encode()


def _event(delta: dict[str, str], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return f"data: {json.dumps({'choices': [choice]}, ensure_ascii=False)}\n\n".encode()
