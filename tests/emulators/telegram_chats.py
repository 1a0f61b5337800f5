"""Chats that refuse messages, and topics and messages that were deleted.

The descriptions are those that the public server gives.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from tests.emulators.telegram_parameters import TelegramError

# What a test can order for a chat: HTTP status, description.
STATES: Mapping[str, tuple[int, str]] = {
    "unknown": (400, "Bad Request: chat not found"),
    "blocked": (403, "Forbidden: bot was blocked by the user"),
    "deactivated": (403, "Forbidden: user is deactivated"),
    "kicked": (403, "Forbidden: bot was kicked from the group chat"),
    "no_rights": (400, "Bad Request: not enough rights to send text messages to the chat"),
}


class Chats:
    """What became of chats and topics; all others take messages."""

    def __init__(self) -> None:
        """Start with nothing out of the ordinary."""
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self._states: dict[int | str, str] = {}
            self._moved: dict[int | str, int] = {}
            self._deleted_topics: set[tuple[int | str, int]] = set()

    def order(self, document: object) -> str:
        """Take a test's order; returns what is wrong with it, or nothing.

        ``{"chat": 7, "state": "blocked"}`` (one of ``STATES``, or "" for an ordinary chat),
        ``{"chat": -5, "moved_to": -1005}`` or ``{"chat": -5, "deleted_topic": 3}``.
        """
        example = 'for example {"chat": 7, "state": "blocked"}'
        if not isinstance(document, dict) or not isinstance(document.get("chat"), int):
            return f"the body must be an object with a chat, {example}"
        chat = document["chat"]
        with self._lock:
            if isinstance(document.get("moved_to"), int):
                self._moved[chat] = document["moved_to"]
            elif isinstance(document.get("deleted_topic"), int):
                self._deleted_topics.add((chat, document["deleted_topic"]))
            elif document.get("state") in {"", *STATES}:
                self._states[chat] = document["state"]
            else:
                return f"state must be one of {', '.join(STATES)} or empty, {example}"
        return ""

    def check(self, chat: int | str, thread: int | None = None) -> None:
        """Let a call to ``chat`` pass, or refuse it.

        Raises:
            TelegramError: 400 or 403.
        """
        with self._lock:
            if chat in self._moved:
                raise TelegramError(
                    400,
                    "Bad Request: group chat was upgraded to a supergroup chat",
                    migrate_to=self._moved[chat],
                )
            state = self._states.get(chat, "")
            if state:
                raise TelegramError(*STATES[state])
            if thread is not None and (thread <= 0 or (chat, thread) in self._deleted_topics):
                raise TelegramError(400, "Bad Request: message thread not found")
