"""Webhook registration and long polling of the emulated Bot API.

Sources: https://core.telegram.org/bots/api#getupdates, #setwebhook, #deletewebhook, #getwebhookinfo;
https://core.telegram.org/bots/webhooks (ports 443, 80, 88, 8443).
"""

from __future__ import annotations

import re
import threading
import time
from urllib.parse import urlsplit

from tests.emulators.telegram_parameters import Parameters, TelegramError

PORTS = (80, 88, 443, 8443)
_SECRET = re.compile(r"[A-Za-z0-9_-]*")
_SECRET_CHARACTERS = 256
_FIRST_UPDATE = 100001


class Updates:
    """Updates that wait for the assistant, and its webhook."""

    def __init__(self) -> None:
        """Start without a webhook and without updates."""
        self._changed = threading.Condition()
        self.reset()

    def reset(self) -> None:
        """Forget the webhook and all updates."""
        with self._changed:
            self._waiting: list[dict[str, object]] = []
            self._next = _FIRST_UPDATE
            self._url = ""
            self._secret = ""
            self._max_connections = 40
            self._allowed: list[str] | None = None
            self._error: tuple[int, str] | None = None
            self._poll = 0
            self._changed.notify_all()

    def queue(self, update: dict[str, object]) -> int:
        """Add an update.

        Args:
            update: the update; ``update_id`` is set here when it has none.

        Returns:
            its id, 0 when the bot did not ask for such updates.
        """
        with self._changed:
            # Kinds that were not asked for are never queued.
            kinds = set(update) - {"update_id"}
            if self._allowed is not None and kinds and not kinds & set(self._allowed):
                return 0
            given = update.get("update_id")
            number = given if isinstance(given, int) else self._next
            self._next = max(self._next, number) + 1
            self._waiting.append({**update, "update_id": number})
            self._changed.notify_all()
            return number

    def get(self, parameters: Parameters) -> list[dict[str, object]]:
        """Take ``getUpdates``: confirm what is below ``offset``, wait up to ``timeout`` seconds for more.

        Raises:
            TelegramError: 409 while a webhook is set, or when another call began meanwhile.
        """
        self._allow(parameters)
        offset = parameters.number("offset", 0)
        limit = min(max(parameters.number("limit", 100), 1), 100)
        deadline = time.monotonic() + max(0, min(parameters.number("timeout", 0), 50))
        with self._changed:
            self._poll += 1
            poll = self._poll
            self._changed.notify_all()  # ends an older call
            if offset < 0:
                self._waiting = self._waiting[offset:]
            elif offset:
                self._waiting = [update for update in self._waiting if _number(update) >= offset]
            while True:
                if self._url:
                    raise TelegramError(
                        409,
                        "Conflict: can't use getUpdates method while webhook is active;"
                        " use deleteWebhook to delete the webhook first",
                    )
                if poll != self._poll:
                    raise TelegramError(
                        409,
                        "Conflict: terminated by other getUpdates request;"
                        " make sure that only one bot instance is running",
                    )
                left = deadline - time.monotonic()
                if self._waiting or left <= 0:
                    return self._waiting[:limit]
                self._changed.wait(left)

    def set_webhook(self, parameters: Parameters) -> bool:
        """Take ``setWebhook``; an empty ``url`` removes the webhook.

        Raises:
            TelegramError: 400 for a URL or secret that the API refuses.
        """
        url, secret = parameters.text("url"), parameters.text("secret_token")
        if not url:
            return self.delete_webhook(parameters)
        try:
            parts = urlsplit(url)
            port = parts.port or 443
        except ValueError as error:
            raise TelegramError(400, "Bad Request: invalid webhook URL specified") from error
        if parts.scheme != "https" or not parts.hostname:
            raise TelegramError(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        if port not in PORTS:
            raise TelegramError(
                400, "Bad Request: bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443"
            )
        if len(secret) > _SECRET_CHARACTERS:
            raise TelegramError(400, "Bad Request: secret token is too long")
        if not _SECRET.fullmatch(secret):
            raise TelegramError(400, "Bad Request: secret token contains unallowed characters")
        connections = parameters.number("max_connections", 40)
        self._allow(parameters)
        with self._changed:
            self._drop(parameters)
            self._url, self._secret, self._error = url, secret, None
            self._max_connections = min(max(connections, 1), 100)
            self._changed.notify_all()
        return True

    def delete_webhook(self, parameters: Parameters) -> bool:
        """Take ``deleteWebhook``."""
        with self._changed:
            self._drop(parameters)
            self._url = self._secret = ""
        return True

    def webhook_info(self) -> dict[str, object]:
        """Take ``getWebhookInfo``."""
        with self._changed:
            info: dict[str, object] = {
                "url": self._url,
                "has_custom_certificate": False,
                "pending_update_count": len(self._waiting),
            }
            if self._url:
                info["max_connections"] = self._max_connections
            if self._allowed:
                info["allowed_updates"] = self._allowed
            if self._error is not None:
                info["last_error_date"], info["last_error_message"] = self._error
            return info

    @property
    def has_webhook(self) -> bool:
        """Whether updates go to a webhook."""
        return bool(self._url)

    def fail(self, date: int, message: str) -> None:
        """Note that an update could not be delivered to the webhook at ``date`` (seconds since 1970)."""
        with self._changed:
            self._error = (date, message)

    def _allow(self, parameters: Parameters) -> None:
        """Take ``allowed_updates``: left out it keeps what there was, empty it means the usual kinds."""
        if parameters.value("allowed_updates") is None:
            return
        items = parameters.items(
            "allowed_updates", "Bad Request: can't parse allowed updates: expected an Array of String"
        )
        with self._changed:
            self._allowed = [str(item) for item in items] or None

    def _drop(self, parameters: Parameters) -> None:
        if parameters.flag("drop_pending_updates"):
            self._waiting.clear()


def _number(update: dict[str, object]) -> int:
    number = update["update_id"]
    return number if isinstance(number, int) else 0
