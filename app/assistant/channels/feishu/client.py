"""Feishu's API: the tenant token and the reply."""

import json
import threading
import time
from typing import Any

import httpx

from assistant.channels.base import Part, PermanentError, TransientError, http_client
from assistant.logs import Log

log = Log(__name__)
# Source: open.feishu.cn, "Generic error codes", and the errors of "Reply message".
INVALID_TOKEN = frozenset({99991663, 99991664, 99991661, 99991668})
RATE_LIMITED = frozenset({99991400, 230020, 11232})
# Renewed early: a token that ends while a request is under way would be refused.
TOKEN_MARGIN_SECONDS = 300.0
RATE_LIMIT_SECONDS = 5.0
MAX_PART_CHARACTERS = 30_000


class FeishuClient:
    """Sends replies as the app ``app_id``."""

    def __init__(
        self, base_url: str, app_id: str, app_secret: str, client: httpx.Client | None = None
    ) -> None:
        """Use the open platform at ``base_url``; nothing is sent yet."""
        self._http = client or http_client(base_url)
        self._app_id, self._app_secret = app_id, app_secret
        self._token, self._token_until = "", 0.0
        self._lock = threading.Lock()

    def split(self, text: str) -> list[str]:
        """Cut ``text`` into messages; a text message may have 150 KB."""
        cuts = range(0, max(len(text), 1), MAX_PART_CHARACTERS)
        return [text[start : start + MAX_PART_CHARACTERS] for start in cuts]

    def send(self, part: Part) -> None:
        """Send ``part`` as a reply, or into the chat when there is nothing to reply to; see ``Push.send``.

        ``key`` goes along as ``uuid``: Feishu drops a second request with the same one within an hour.
        """
        body: dict[str, Any] = {
            "msg_type": "text",
            "content": json.dumps({"text": part.text}, ensure_ascii=False),
            "uuid": part.key,
        }
        if part.reply_to:
            path = f"/open-apis/im/v1/messages/{part.reply_to}/reply"
        else:
            path, body["receive_id"] = "/open-apis/im/v1/messages?receive_id_type=chat_id", part.chat
        code = self._post(path, body)
        if code in INVALID_TOKEN:
            # The token was withdrawn before its time: once more with a new one.
            self._forget_token()
            code = self._post(path, body)
        if code in INVALID_TOKEN:
            self._forget_token()
            raise TransientError(f"feishu code {code}")
        if code:
            raise PermanentError(f"feishu code {code}")

    def show_typing(self, chat: str) -> None:
        """Do nothing: Feishu shows no such thing."""

    def draft_seconds(self, chat: str) -> float:
        """Return 0: there are no drafts yet."""
        del chat
        return 0.0

    def open_draft(self, part: Part) -> str:
        """Refuse: there are no drafts yet."""
        raise PermanentError("no drafts")

    def change_draft(self, chat: str, draft: str, text: str) -> None:
        """Refuse: there are no drafts yet."""
        raise PermanentError("no drafts")

    def bot_open_id(self) -> str:
        """Return the bot's own open_id; raises what ``send`` raises, or returns an empty text."""
        response = self._request("GET", "/open-apis/bot/v3/info", None)
        bot = _json(response).get("bot")
        return str(bot.get("open_id") or "") if isinstance(bot, dict) else ""

    def _post(self, path: str, body: dict[str, Any]) -> int:
        return _code(self._request("POST", path, body))

    def _request(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._tenant_token()}"}
        return self._checked(method, path, body, headers)

    def _checked(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        try:
            response = self._http.request(method, path, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise TransientError(type(error).__name__) from None
        if response.status_code == 429 or _code(response) in RATE_LIMITED:
            raise TransientError("rate limit", _reset_seconds(response))
        if response.status_code >= 500:
            raise TransientError(f"HTTP {response.status_code}")
        return response

    def _tenant_token(self) -> str:
        with self._lock:
            if self._token and time.monotonic() < self._token_until:
                return self._token
            path = "/open-apis/auth/v3/tenant_access_token/internal"
            response = self._checked("POST", path, {"app_id": self._app_id, "app_secret": self._app_secret})
            value = _json(response)
            token = value.get("tenant_access_token")
            if _code(response) or not isinstance(token, str) or not token:
                # Transient: replies must still go out once the operator has corrected the app's secret.
                log.error("Feishu gave no tenant token: check app id and secret", code=_code(response))
                raise TransientError(f"no tenant token, feishu code {_code(response)}")
            lifetime = float(value.get("expire") or 0)
            self._token = token
            self._token_until = time.monotonic() + max(lifetime - TOKEN_MARGIN_SECONDS, lifetime / 2)
            return token

    def _forget_token(self) -> None:
        with self._lock:
            self._token = ""


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        value = response.json()
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _code(response: httpx.Response) -> int:
    code = _json(response).get("code")
    if isinstance(code, int):
        return code
    return 0 if response.is_success and _json(response) else response.status_code


def _reset_seconds(response: httpx.Response) -> float:
    try:
        return min(300.0, max(1.0, float(response.headers["x-ogw-ratelimit-reset"])))
    except (KeyError, ValueError):
        return RATE_LIMIT_SECONDS
