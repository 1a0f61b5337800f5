"""Who may post to Feishu's webhook: signature, encryption and verification token of one request.

Source: open.feishu.cn, "Configure the Encrypt Key" and "Receive events". An app with an Encrypt Key gets
encrypted and signed events; one without gets plain ones, in which the verification token alone shows where
they come from.
"""

import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from werkzeug.datastructures import Headers

from assistant.channels.feishu.crypto import (
    UndecipherableError,
    decrypt,
    hmac_signature_is_valid,
    signature_is_valid,
)
from assistant.web.errors import Refused

Scheme = Literal["feishu", "hmac-sha256"]
ADDRESS_CHECK = "url_verification"
# Above this a timestamp counts milliseconds: as seconds it would be in the year 5138.
MILLISECONDS_FROM = 100_000_000_000


@dataclass(frozen=True)
class Gate:
    """What a request must show, and how.

    Args:
        verification_token: the app's Verification Token.
        encrypt_key: the app's Encrypt Key; empty only together with ``plain_events``.
        scheme: who signs: Feishu itself, or a gateway with HMAC-SHA256 over timestamp and body.
        plain_events: take events that are neither encrypted nor signed, as of an app without an Encrypt Key.
        max_age_seconds: refuse signed events whose timestamp is further from ``now``; 0 looks at none, since
            repetitions come for hours and are dropped by the message's id in any case.
        now: gives the time in seconds since 1970; tests replace it.
    """

    verification_token: str
    encrypt_key: str = ""
    scheme: Scheme = "feishu"
    plain_events: bool = False
    max_age_seconds: int = 0
    now: Callable[[], float] = time.time

    def open(self, body: dict[str, Any], raw: bytes, headers: Headers | Mapping[str, str]) -> dict[str, Any]:
        """Return the event of a request, decrypted, once it is known to come from this app.

        Args:
            body: the request's body.
            raw: the same as it was received.
            headers: the request's headers; names in any case.

        Raises:
            Refused: 401 when it does not show what it must, 400 when it cannot be read although it does.
        """
        signed = self._is_signed(raw, headers)
        event = self._decrypted(body, signed)
        # The check of the address is sent without a signature; the token proves where it comes from.
        if event.get("type") == ADDRESS_CHECK:
            self._check_token(event.get("token"))
            return event
        if not (signed or self.plain_events):
            raise Refused(401, "invalid_signature", "X-Lark-Signature does not belong to this body")
        self._check_age(headers.get("X-Lark-Request-Timestamp", ""))
        header = event.get("header")
        self._check_token(header.get("token") if isinstance(header, dict) else event.get("token"))
        return event

    def _is_signed(self, raw: bytes, headers: Headers | Mapping[str, str]) -> bool:
        given = headers.get("X-Lark-Signature", "")
        timestamp = headers.get("X-Lark-Request-Timestamp", "")
        if self.scheme == "hmac-sha256":
            return hmac_signature_is_valid(given, timestamp, self.encrypt_key, raw)
        nonce = headers.get("X-Lark-Request-Nonce", "")
        return signature_is_valid(given, timestamp, nonce, self.encrypt_key, raw)

    def _decrypted(self, body: dict[str, Any], signed: bool) -> dict[str, Any]:
        encrypted = body.get("encrypt")
        if self.plain_events:
            if encrypted is None:
                return body
            raise Refused(
                400,
                "encrypted",
                "the event is encrypted: give the Encrypt Key and set ASSISTANT_FEISHU_PLAIN_EVENTS=false",
            )
        if isinstance(encrypted, str):
            try:
                return decrypt(encrypted, self.encrypt_key)
            except UndecipherableError:
                status = 400 if signed else 401
                raise Refused(
                    status, "undecipherable", "the body was not encrypted with this app's Encrypt Key"
                ) from None
        if not signed:
            raise Refused(401, "invalid_signature", "the body is neither signed nor encrypted")
        if self.scheme == "hmac-sha256":
            return body
        raise Refused(400, "not_encrypted", 'the body has no "encrypt"; set an Encrypt Key for the app')

    def _check_age(self, timestamp: str) -> None:
        if not self.max_age_seconds:
            return
        # More digits than a time has could not even be turned into a number (int() refuses 5,000 of them).
        number = int(timestamp) if timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 20 else 0
        seconds = number / 1000 if number >= MILLISECONDS_FROM else number
        if abs(self.now() - seconds) > self.max_age_seconds:
            raise Refused(
                401,
                "stale_timestamp",
                "X-Lark-Request-Timestamp differs from this host's time by more than "
                "ASSISTANT_FEISHU_MAX_AGE_SECONDS; is the host's clock right?",
            )

    def _check_token(self, token: object) -> None:
        # An empty token would let everybody in; the settings do not allow one either.
        wanted = self.verification_token.encode()
        if not wanted or not hmac.compare_digest(str(token).encode(errors="replace"), wanted):
            raise Refused(401, "invalid_token", "the event does not hold this app's verification token")
