"""The page, and its requests for sending, reading, rating and the access code."""

import hashlib
import re
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, request, send_from_directory

from assistant.channels.base import Intake, Rating
from assistant.channels.web_chat import PLATFORM
from assistant.channels.web_chat.access import ACCESS_COOKIE, ACCESS_SECONDS, Gate
from assistant.channels.web_chat.streams import Streams
from assistant.closing import Closing
from assistant.live import Live
from assistant.messages import Incoming
from assistant.store.outbox import Outbox
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
LANGUAGES = ("en", "zh")
# The page uses nothing but its own files.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PUBLIC = ("web_chat.page", "web_chat.static_file", "web_chat.enter")


def _chat() -> str | None:
    """Return the id of the conversation that the cookie proves.

    The cookie is 256 random bits that nobody can guess; the database keeps only their hash, so that
    somebody who reads the database cannot take over a conversation.
    """
    token = request.cookies.get(COOKIE, "")
    return _hash(token) if TOKEN.fullmatch(token) else None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _set_cookie(response: Response, name: str, value: str, seconds: int) -> None:
    response.set_cookie(
        name, value, max_age=seconds, httponly=True, samesite="Strict", secure=request.is_secure
    )


def _own_page_asks() -> bool:
    """Whether no other site's page makes this request.

    Browsers say so in Sec-Fetch-Site, older ones in Origin, and a program in neither
    (https://www.w3.org/TR/fetch-metadata/). nginx passes the host on without a port.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    try:
        return origin is None or urlsplit(origin).hostname == urlsplit(f"//{request.host}").hostname
    except ValueError:
        return False


def _message_id(value: object) -> str:
    if not isinstance(value, str) or not MESSAGE_ID.fullmatch(value):
        raise Refused(400, "invalid_id", '"id" must be 8 to 64 letters, digits or hyphens')
    return value


def blueprint(
    intake: Intake,
    outbox: Outbox,
    live: Live,
    *,
    access_code: str = "",
    streams: int = 0,
    closing: Closing | None = None,
) -> Blueprint:
    """Return the blueprint.

    Args:
        intake: where messages and ratings go.
        outbox: where the exchanges of a chat are read.
        live: what unfinished answers say so far.
        access_code: what people must know; empty lets everybody in.
        streams: how many pages at once are shown an answer while it is made.
        closing: when none may be shown one any longer.
    """
    routes = Blueprint("web_chat", __name__)
    gate = Gate(access_code)
    followed = Streams(live, streams, closing)

    @routes.before_request
    def guard() -> None:
        if request.method not in {"GET", "HEAD", "OPTIONS"} and not _own_page_asks():
            raise Refused(403, "foreign_page", "another site's page may not do this")
        if request.endpoint not in PUBLIC and not gate.admits(request.cookies.get(ACCESS_COOKIE, "")):
            raise Refused(401, "access_code_required", "give the access code first")

    @routes.get("/")
    def page() -> Response:
        response = send_from_directory(STATIC, "index.html", max_age=0)
        response.headers["Content-Security-Policy"] = PAGE_POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @routes.get("/static/<path:name>")
    def static_file(name: str) -> Response:
        # Asked for again each time: after an upgrade no old file may meet new ones.
        return send_from_directory(STATIC, name, max_age=0)

    @routes.post("/chat/access")
    def enter() -> Response:
        body, _ = json_object()
        cookie = gate.enter(body.get("code"), request.remote_addr or "")
        response = jsonify(welcome=True)
        if cookie:
            _set_cookie(response, ACCESS_COOKIE, cookie, ACCESS_SECONDS)
        return response

    @routes.post("/chat/messages")
    def send() -> Response:
        body, _ = json_object()
        text, number = body.get("text"), _message_id(body.get("id"))
        if not isinstance(text, str) or not text.strip():
            raise Refused(400, "empty", '"text" must be a text that is not empty')
        if len(text) > MAX_CHARACTERS:
            raise Refused(400, "too_long", f'"text" may have at most {MAX_CHARACTERS} characters')
        language = body.get("language", "")
        if language not in (*LANGUAGES, ""):
            raise Refused(400, "invalid_language", f'"language" must be one of {", ".join(LANGUAGES)}')
        chat, token = _chat(), ""
        if chat is None:
            token = secrets.token_urlsafe(32)
            chat = _hash(token)
        # The same message again is no further one: its first answer was lost on the way.
        known = outbox.standing(PLATFORM, f"{chat}:{number}") is not None
        if not known and outbox.unanswered(PLATFORM, chat) >= MAX_UNANSWERED:
            raise Refused(429, "busy", "wait for the answers to the earlier messages", 2)
        clean = text.strip()
        # The browser stands for the person: limits for each person count by it.
        intake.accept(
            Incoming(
                PLATFORM,
                f"{chat}:{number}",
                chat,
                clean,
                kind=kind_of(clean),
                sender=chat,
                language=language,
            )
        )
        response = jsonify(accepted=True)
        response.status_code = 202
        if token:
            _set_cookie(response, COOKIE, token, COOKIE_SECONDS)
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
        exchanges = outbox.transcript(PLATFORM, chat, after, SHOWN) if chat else []
        for exchange in exchanges:
            exchange["id"] = str(exchange["id"]).partition(":")[2]
        response = jsonify(messages=exchanges)
        response.headers["Cache-Control"] = "no-store"
        return response

    @routes.get("/chat/messages/<number>/stream")
    def follow(number: str) -> Response:
        message_id = f"{_chat()}:{_message_id(number)}"
        return followed.response(
            message_id.partition(":")[0], lambda: outbox.standing(PLATFORM, message_id), request.environ
        )

    @routes.post("/chat/ratings")
    def rate() -> Response:
        body, _ = json_object()
        number, score = _message_id(body.get("id")), body.get("score")
        if isinstance(score, bool) or score not in (1, -1):
            raise Refused(400, "invalid_score", '"score" must be 1 for good or -1 for bad')
        chat = _chat() or ""
        standing = outbox.standing(PLATFORM, f"{chat}:{number}")
        if standing is None or not intake.rate(Rating(PLATFORM, chat, standing.number, int(score), chat)):
            raise Refused(404, "unknown_answer", "there is no such answer to rate in this conversation")
        return jsonify(rated=True)

    @routes.delete("/chat/conversation")
    def forget() -> Response:
        response = jsonify(forgotten=True)
        response.delete_cookie(COOKIE, httponly=True, samesite="Strict", secure=request.is_secure)
        return response

    return routes
