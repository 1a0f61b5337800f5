"""What all channels have in common."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import httpx

from assistant.messages import Incoming
from assistant.metrics.arrivals import Arrival


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


@dataclass(frozen=True)
class Part:
    """One message on its way out: a reply, or a part of a long one.

    ``chat`` is the platform's id of the chat; ``reply_to`` that of the message that is answered, or empty.
    ``key`` is the same for every try of this part, so that a platform that can drops repetitions.
    ``draft`` is what ``Push.open_draft`` returned for this reply, if a draft was opened: the part takes its
    place. ``rateable`` is the number by which a click on a rating button names the answer
    (``Intake.rate``), 0 for a part without buttons. ``language`` is en or zh, or empty for both.
    """

    chat: str
    text: str
    reply_to: str
    key: str
    draft: str = ""
    rateable: int = 0
    language: str = ""


class Push(Protocol):
    """A channel to which replies are sent.

    While an answer is being made, the streamer shows it in a draft: one message that it opens with the first
    words and fills up at the channel's pace. That is best effort and may fail at any time; ``send`` with the
    draft's reference then puts the finished text in its place, or sends a new message if the draft is gone.
    """

    def split(self, text: str) -> list[str]:
        """Cut ``text`` into parts that the platform takes."""

    def send(self, part: Part) -> None:
        """Send one part.

        Raises:
            PermanentError, TransientError: it was not sent.
        """

    def show_typing(self, chat: str) -> None:
        """Show that an answer is being made, where the platform can; raises what ``send`` raises."""

    def draft_seconds(self, chat: str) -> float:
        """Return how long to wait between two changes of a draft in ``chat``; 0 for no drafts there."""

    def open_draft(self, part: Part) -> str:
        """Show the beginning of an answer; returns a reference of at most 255 characters for ``send``.

        ``part.key`` is the one with which the finished first part is sent, too.

        Raises:
            PermanentError, TransientError: there is no draft.
        """

    def change_draft(self, chat: str, draft: str, text: str) -> None:
        """Show ``text``, all there is so far, in the draft; raises what ``send`` raises."""


@dataclass(frozen=True)
class Rating:
    """What a person thinks of an answer.

    ``number`` is the answer's (``Part.rateable``), ``chat`` the conversation in which it was rated: the
    rating counts only if the answer was given there. ``score`` is 1 for good, -1 for bad. ``sender`` is the
    platform's id of the person.
    """

    platform: str
    chat: str
    number: int
    score: int
    sender: str = ""


def _uncounted(platform: str) -> Arrival:
    return Arrival(platform, lambda *counted: None)


@dataclass(frozen=True)
class Intake:
    """Where a channel puts what people send.

    ``accept`` returns a message's number, or None for a duplicate. ``rate`` returns whether the rating was
    stored; a second one by the same chat replaces the first. ``arrival`` gives a block for all that is done
    with one thing that came by the platform it is given; what comes by HTTP is in such a block already.
    """

    accept: Callable[[Incoming], int | None]
    rate: Callable[[Rating], bool] = lambda rating: False
    arrival: Callable[[str], Arrival] = _uncounted


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
