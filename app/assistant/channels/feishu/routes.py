"""Feishu's webhook."""

import hmac
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, request

from assistant.channels.base import Intake
from assistant.channels.feishu.crypto import UndecipherableError, decrypt, signature_is_valid
from assistant.channels.feishu.events import read_message
from assistant.web.errors import Refused
from assistant.web.limits import json_object


def blueprint(
    intake: Intake, encrypt_key: str, verification_token: str, bot_open_id: Callable[[], str]
) -> Blueprint:
    """Return the blueprint with POST /feishu/webhook.

    Args:
        intake: where messages go.
        encrypt_key: the app's Encrypt Key.
        verification_token: the app's Verification Token.
        bot_open_id: returns the bot's own id, or an empty text while it is unknown.
    """
    routes = Blueprint("feishu", __name__)

    def _check_token(token: object) -> None:
        if not hmac.compare_digest(str(token).encode(errors="replace"), verification_token.encode()):
            raise Refused(401, "invalid_token", "the event does not hold this app's verification token")

    @routes.post("/feishu/webhook")
    def webhook() -> Response:
        body, raw = json_object()
        headers = request.headers
        signed = signature_is_valid(
            headers.get("X-Lark-Signature", ""),
            headers.get("X-Lark-Request-Timestamp", ""),
            headers.get("X-Lark-Request-Nonce", ""),
            encrypt_key,
            raw,
        )
        event = _decrypted(body, encrypt_key, signed)
        # The check of the address is sent without a signature; the token proves where it comes from.
        if event.get("type") == "url_verification":
            _check_token(event.get("token"))
            return jsonify(challenge=str(event.get("challenge", "")))
        if not signed:
            raise Refused(401, "invalid_signature", "X-Lark-Signature does not belong to this body")
        header = event.get("header")
        _check_token(header.get("token") if isinstance(header, dict) else event.get("token"))
        message = read_message(event, bot_open_id())
        if message is not None:
            intake.accept(message)
        return jsonify(code=0)

    return routes


def _decrypted(body: dict[str, Any], encrypt_key: str, signed: bool) -> dict[str, Any]:
    encrypted = body.get("encrypt")
    if not isinstance(encrypted, str):
        if signed:
            raise Refused(400, "not_encrypted", 'the body has no "encrypt"; set an Encrypt Key for the app')
        raise Refused(401, "invalid_signature", "the body is neither signed nor encrypted")
    try:
        return decrypt(encrypted, encrypt_key)
    except UndecipherableError:
        status = 400 if signed else 401
        raise Refused(
            status, "undecipherable", "the body was not encrypted with this app's Encrypt Key"
        ) from None
