"""What the assistant sent."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from flask import g, has_request_context


@dataclass
class Sent:
    """One message that the assistant sent.

    ``at`` and ``edited_at`` are in seconds since 1970; the latter is of the last edit, 0 without any.
    ``reply_to`` is the id of the message that it answers, None if it answers none. ``answer_lost`` tells that
    an ordered failure cut the connection after the message was taken. ``buttons`` are what clicks on its
    buttons send back; ``in_thread`` and ``streaming`` are Feishu's: sent as a topic's reply, and still being
    written.
    """

    chat: str | int
    text: str
    reply_to: str | int | None
    message_id: str | int
    kind: str = "text"
    edits: int = 0
    at: float = field(default_factory=time.time)
    answer_lost: bool = field(default_factory=lambda: has_request_context() and bool(g.get("cut")))
    edited_at: float = 0.0
    buttons: list[Any] = field(default_factory=list)
    in_thread: bool = False
    streaming: bool = False

    def edit(self, text: str) -> None:
        """Change the text, as an edit of the message does."""
        self.text = text
        self.edits += 1
        self.edited_at = time.time()


class Record:
    """All that was sent since the start or the last reset, oldest first."""

    def __init__(self) -> None:
        """Start empty."""
        self._sent: list[Sent] = []
        self._lock = threading.Lock()

    def add(self, sent: Sent) -> None:
        """Append a message."""
        with self._lock:
            self._sent.append(sent)

    def find(self, chat: str | int, message_id: str | int) -> Sent | None:
        """Find a message that was sent; None if there is none."""
        with self._lock:
            for sent in self._sent:
                if (sent.chat, sent.message_id) == (chat, message_id):
                    return sent
        return None

    def remove(self, message_id: str | int) -> None:
        """Forget a message that was withdrawn: it stands in the chat no more."""
        with self._lock:
            self._sent = [sent for sent in self._sent if sent.message_id != message_id]

    def as_json(self) -> list[dict[str, object]]:
        """Give all messages as JSON objects."""
        with self._lock:
            return [asdict(sent) for sent in self._sent]

    def clear(self) -> None:
        """Forget all messages."""
        with self._lock:
            self._sent.clear()
