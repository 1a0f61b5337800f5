"""Access tokens of the emulated Feishu platform."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping

from tests.emulators.config import FeishuConfig
from tests.emulators.feishu_messages import FeishuError

RENEWAL_SECONDS = 1800  # with less than that left, a new token is issued and both are valid


class Tokens:
    """Issues and checks ``tenant_access_token``.

    A token is valid for at most 2 hours; the same one is given while 30 minutes or more are left. Source:
    https://open.feishu.cn/document/ukTMukTMukTM/ukDNz4SO0MjL5QzM/auth-v3/auth/tenant_access_token_internal
    """

    def __init__(self, config: FeishuConfig, clock: Callable[[], float]) -> None:
        """Start without a token."""
        self._config = config
        self._clock = clock
        self._expiry: dict[str, float] = {}
        self._lock = threading.Lock()

    def issue(self, document: object) -> dict[str, object]:
        """Answer a call for a token; refusals are HTTP 200 with a ``code``, as on the platform.

        Args:
            document: the decoded body with ``app_id`` and ``app_secret``.

        Returns:
            the answer: code 0 with a token, 10003 for a wrong app, 10014 for a wrong secret.
        """
        if not isinstance(document, Mapping) or document.get("app_id") != self._config.app_id:
            return {"code": 10003, "msg": "invalid param"}
        if document.get("app_secret") != self._config.app_secret:
            return {"code": 10014, "msg": "app secret invalid"}
        now = self._clock()
        renewal = min(RENEWAL_SECONDS, self._config.token_seconds / 4)
        with self._lock:
            fresh = [token for token, expiry in self._expiry.items() if expiry - now >= renewal]
            token = fresh[0] if fresh else f"t-{secrets.token_hex(20)}"
            expiry = self._expiry.setdefault(token, now + self._config.token_seconds)
        return {"code": 0, "msg": "ok", "tenant_access_token": token, "expire": int(expiry - now)}

    def check(self, authorization: str) -> None:
        """Check the header of a call.

        Args:
            authorization: the value of ``Authorization``.

        Raises:
            FeishuError: 99991661 when there is none, 99991663 when the token is unknown or expired.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme != "Bearer" or not token:
            raise FeishuError(99991661, "Missing access token for authorization.")
        if self._expiry.get(token, -1.0) <= self._clock():
            raise FeishuError(99991663, "Invalid access token for authorization.")

    def clear(self) -> None:
        """Make all tokens invalid."""
        with self._lock:
            self._expiry.clear()
