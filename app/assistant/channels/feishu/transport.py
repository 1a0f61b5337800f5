"""Calls of Feishu's API: the tenant token, and what an answer means.

Source of the token's rules: open.feishu.cn, "Get tenant_access_token": valid for at most 2 hours, the same
one is given while 30 minutes or more are left, two are valid at once while less is left.
"""

import threading
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from assistant.channels.base import SendError, TransientError, http_client
from assistant.channels.feishu.errors import Misconfigured, Unauthorised, failure
from assistant.logs import Log

log = Log(__name__)
TOKEN_PATH = "/open-apis/auth/v3/tenant_access_token/internal"  # noqa: S105 - an address
# Renewed early: a token that ends while a request is under way would be refused.
TOKEN_MARGIN_SECONDS = 300.0


@dataclass(frozen=True)
class Answer:
    """A successful answer: the whole ``document``, and when the call began by the platform's own clock.

    ``begun`` is in seconds since 1970, rounded down; 0 where the platform did not say.
    """

    document: dict[str, Any]
    begun: float

    @property
    def data(self) -> dict[str, Any]:
        """What most answers hold under ``data``."""
        value = self.document.get("data")
        return value if isinstance(value, dict) else {}


class Transport:
    """Calls the API at ``base_url`` as the app ``app_id``, from any thread."""

    def __init__(
        self, base_url: str, app_id: str, app_secret: str, client: httpx.Client | None = None
    ) -> None:
        """Prepare; nothing is sent yet."""
        self._http = client or http_client(base_url)
        self._app_id, self._app_secret = app_id, app_secret
        self._token, self._token_until = "", 0.0
        self._lock = threading.Lock()

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        """Call the API with the tenant's token; a token that was withdrawn is renewed once.

        Raises:
            Refusal: the platform refused it for good.
            TransientError: it may work later; ``Misconfigured`` where an operator must act.
        """
        token = self._tenant_token()
        try:
            return self.call_openly(method, path, body, {"Authorization": f"Bearer {token}"})
        except Unauthorised:
            self._forget(token)
        token = self._tenant_token()
        try:
            return self.call_openly(method, path, body, {"Authorization": f"Bearer {token}"})
        except Unauthorised:
            self._forget(token)
            raise

    def call_openly(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Call the API without a token; raises what ``call`` raises."""
        begun = time.monotonic()
        try:
            response = self._http.request(method, path, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise TransientError(type(error).__name__) from None
        document = _json(response)
        code = document.get("code")
        if isinstance(code, bool) or not isinstance(code, int) or (code == 0 and not response.is_success):
            if response.is_success:
                # Of something that stands in between: what became of the call is not known.
                raise TransientError("an answer that is not Feishu's")
            code = response.status_code
        problem = failure(response.status_code, code, response.headers)
        if problem is not None:
            _tell_operator(problem, path)
            raise problem
        return Answer(document, _begun(response, time.monotonic() - begun))

    def credentials(self) -> dict[str, str]:
        """Return app id and secret as the long connection's first call wants them."""
        return {"AppID": self._app_id, "AppSecret": self._app_secret}

    def _tenant_token(self) -> str:
        # Under the lock: of many threads that need a new token, one asks for it.
        with self._lock:
            if self._token and time.monotonic() < self._token_until:
                return self._token
            body = {"app_id": self._app_id, "app_secret": self._app_secret}
            try:
                value = self.call_openly("POST", TOKEN_PATH, body).document
            except SendError as error:
                # Transient: replies must still go out once the operator has corrected the app's secret.
                log.error("Feishu gave no tenant token: check app id and secret", reason=error.reason)
                wait = error.retry_after if isinstance(error, TransientError) else None
                raise TransientError(f"no tenant token, {error.reason}", wait) from None
            token = value.get("tenant_access_token")
            if not isinstance(token, str) or not token:
                raise TransientError("no tenant token in the answer")
            lifetime = float(value.get("expire") or 0)
            self._token = token
            self._token_until = time.monotonic() + max(lifetime - TOKEN_MARGIN_SECONDS, lifetime / 2)
            return token

    def _forget(self, token: str) -> None:
        with self._lock:
            # Another thread may have a new one already.
            if self._token == token:
                self._token = ""


def _tell_operator(error: SendError, path: str) -> None:
    if isinstance(error, Misconfigured):
        log.error(
            "Feishu refuses calls until an operator acts", reason=error.reason, path=path.split("/")[2:4]
        )


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        value = response.json()
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _begun(response: httpx.Response, elapsed: float) -> float:
    try:
        return parsedate_to_datetime(response.headers["date"]).timestamp() - elapsed
    except (KeyError, ValueError, TypeError):
        return 0.0
