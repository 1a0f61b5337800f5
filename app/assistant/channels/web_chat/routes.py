"""The page, and its requests for sending and reading."""

import hashlib
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify, request, send_from_directory

from assistant.channels.base import Intake
from assistant.channels.web_chat import PLATFORM
from assistant.messages import Incoming
from assistant.texts import kind_of
from assistant.web.errors import Refused
from assistant.web.limits import json_object

STATIC = Path(__file__).parent / "static"
COOKIE = "conversation"
COOKIE_SECONDS = 30 * 24 * 3600
MAX_CHARACTERS = 4000
MAX_UNANSWERED = 3
SHOWN = 100
MESSAGE_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
# The page uses nothing but its own files.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _chat() -> str | None:
    """Return the id of the conversation that the cookie proves.

    The cookie is 256 random bits that nobody can guess; the database keeps only their hash, so that
    somebody who reads the database cannot take over a conversation.
    """
    token = request.cookies.get(COOKIE, "")
    return hashlib.sha256(token.encode()).hexdigest() if TOKEN.fullmatch(token) else None


def blueprint(
    intake: Intake,
    transcript: Callable[[str, str, int, int], list[dict[str, Any]]],
    unanswered: Callable[[str, str], int],
) -> Blueprint:
    """Return the blueprint.

    Args:
        intake: where messages go.
        transcript: returns a chat's exchanges, see ``Outbox.transcript``.
        unanswered: returns how many of a chat's messages wait for their reply.
    """
    routes = Blueprint("web_chat", __name__)

    @routes.get("/")
    def page() -> Response:
        response = send_from_directory(STATIC, "index.html", max_age=0)
        response.headers["Content-Security-Policy"] = PAGE_POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @routes.get("/static/<path:name>")
    def static_file(name: str) -> Response:
        response = send_from_directory(STATIC, name, max_age=3600)
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @routes.post("/chat/messages")
    def send() -> Response:
        body, _ = json_object()
        text, number = body.get("text"), body.get("id")
        if not isinstance(text, str) or not text.strip():
            raise Refused(400, "empty", '"text" must be a text that is not empty')
        if len(text) > MAX_CHARACTERS:
            raise Refused(400, "too_long", f'"text" may have at most {MAX_CHARACTERS} characters')
        if not isinstance(number, str) or not MESSAGE_ID.fullmatch(number):
            raise Refused(400, "invalid_id", '"id" must be 8 to 64 letters, digits or hyphens')
        chat, token = _chat(), ""
        if chat is None:
            token = secrets.token_urlsafe(32)
            chat = hashlib.sha256(token.encode()).hexdigest()
        if unanswered(PLATFORM, chat) >= MAX_UNANSWERED:
            raise Refused(429, "busy", "wait for the answers to the earlier messages")
        clean = text.strip()
        intake.accept(Incoming(PLATFORM, f"{chat}:{number}", chat, clean, kind=kind_of(clean)))
        response = jsonify(accepted=True)
        response.status_code = 202
        if token:
            response.set_cookie(
                COOKIE,
                token,
                max_age=COOKIE_SECONDS,
                httponly=True,
                samesite="Strict",
                secure=request.is_secure,
            )
        return response

    @routes.get("/chat/messages")
    def read() -> Response:
        chat = _chat()
        try:
            after = max(0, int(request.args.get("after", "0")))
        except ValueError:
            raise Refused(400, "invalid_after", '"after" must be a whole number') from None
        if after > 2**53:
            raise Refused(400, "invalid_after", '"after" is too large')
        exchanges = transcript(PLATFORM, chat, after, SHOWN) if chat else []
        for exchange in exchanges:
            exchange["id"] = str(exchange["id"]).partition(":")[2]
        response = jsonify(messages=exchanges)
        response.headers["Cache-Control"] = "no-store"
        return response

    @routes.delete("/chat/conversation")
    def forget() -> Response:
        response = jsonify(forgotten=True)
        response.delete_cookie(COOKIE, httponly=True, samesite="Strict", secure=request.is_secure)
        return response

    return routes
