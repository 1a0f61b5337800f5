"""What all channels have in common."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import httpx

from assistant.messages import Incoming


class SendError(Exception):
    """A reply was not sent; ``reason`` is a kind of failure or a platform's code, never a person's text."""

    def __init__(self, reason: str) -> None:
        """Remember ``reason``."""
        super().__init__(reason)
        self.reason = reason


class PermanentError(SendError):
    """Another try would fail in the same way: the chat is gone, the bot was blocked."""


class TransientError(SendError):
    """Another try may work; ``retry_after`` is how many seconds the platform asked to wait, if it did."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        """Remember ``reason`` and ``retry_after``."""
        super().__init__(reason)
        self.retry_after = retry_after


class Push(Protocol):
    """A channel to which replies are sent."""

    def split(self, text: str) -> list[str]:
        """Cut ``text`` into parts that the platform takes."""

    def send(self, chat: str, text: str, reply_to: str, key: str) -> None:
        """Send one part.

        Args:
            chat: the platform's id of the chat.
            text: the part.
            reply_to: the platform's id of the message that is answered, or empty.
            key: the same for every try of this part, so that a platform that can drops repetitions.

        Raises:
            PermanentError, TransientError: it was not sent.
        """


@dataclass(frozen=True)
class Intake:
    """Where a channel puts messages; ``accept`` returns a message's number, or None for a duplicate."""

    accept: Callable[[Incoming], int | None]


def http_client(base_url: str) -> httpx.Client:
    """Return a client for ``base_url`` that trusts the system's certificates.

    httpx would bring its own list, which lacks the operator's additional authorities.
    """
    return httpx.Client(
        base_url=base_url,
        verify=ssl.create_default_context(),
        timeout=httpx.Timeout(15.0, connect=5.0),
        follow_redirects=False,
    )
