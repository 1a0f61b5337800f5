"""What the worker asks of a model, whatever serves it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from assistant.messages import Turn


@dataclass(frozen=True)
class Options:
    """Limits of one answer, and how its words are chosen.

    ``max_tokens`` new tokens at most, within ``deadline_seconds`` from the moment the request was made.
    ``temperature`` 0 takes the likeliest token each time; the other choices then have no effect, apart from
    ``repetition_penalty`` (1.0: none) and ``json_object``. ``seed`` None takes another one each time. The
    answer ends before the first of the texts in ``stop``.
    """

    max_tokens: int
    temperature: float
    deadline_seconds: float
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repetition_penalty: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    json_object: bool = False


@dataclass(frozen=True)
class Completion:
    """An answer.

    ``finish_reason`` is ``stop`` (the model ended it, or a stop text), ``length`` (a limit did) or
    ``cancelled`` (nobody waits for it any longer).
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: str


def _ignore(_text: str) -> None:
    pass


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Caller:
    """Who waits for an answer.

    ``conversation`` names the conversation, so that what the model has read of it need not be read again;
    empty where there is no name. ``on_text`` is given each piece of the answer as it is made; all pieces
    together are the completion's text. ``cancelled`` says whether nobody waits any longer. Both are called on
    the model's thread: they must return at once.
    """

    conversation: str = ""
    on_text: Callable[[str], None] = _ignore
    cancelled: Callable[[], bool] = _never


NOBODY = Caller()


class InferenceError(Exception):
    """An answer could not be made this time; another try may work. ``kind`` is its label in the metrics."""

    kind = "engine"


class RequestError(InferenceError):
    """This request can never be answered; another try is useless."""

    kind = "request"


class Outage(InferenceError):
    """Nothing is wrong with the request: the model cannot be reached, or takes nothing at the moment."""

    kind = "outage"


class QueueFull(InferenceError):
    """So many requests wait that this one is not begun; ``retry_after`` is in seconds."""

    kind = "queue_full"

    # About one short answer.
    def __init__(self, retry_after: float = 5.0) -> None:
        """Remember ``retry_after``."""
        super().__init__("too many requests are waiting")
        self.retry_after = retry_after


class Stopping(InferenceError):
    """The backend is stopping and has not finished the answer."""


@dataclass(frozen=True)
class Usage:
    """How busy a model is; the tokens are those in its key-value cache, 0 of 0 where that is elsewhere."""

    rows: int
    slots: int
    tokens_used: int = 0
    tokens: int = 0


class LoadRecord(Protocol):
    """Where it is kept what becomes of loading a model; no method raises anything."""

    def begin(self) -> None:
        """Say, before anything is loaded, that it begins: the process may die of it."""

    def succeed(self) -> None:
        """Say that the model is loaded and warm."""

    def fail(self, reason: str) -> None:
        """Say that it cannot be loaded; ``reason`` is a type's name."""


class Backend(Protocol):
    """Something that generates; many threads may call it at once."""

    @property
    def ready(self) -> bool:
        """Whether the model is loaded and warm."""

    @property
    def usage(self) -> Usage:
        """How busy the model is at about this moment; never waits for it."""

    def start(self) -> None:
        """Begin loading; returns at once."""

    def stop(self) -> None:
        """End what is being generated and free the model."""

    def heed(self, more_to_come: Callable[[], bool]) -> None:
        """Learn how to find out whether more requests are just about to come; call it before ``start``."""

    def generate(self, turns: Sequence[Turn], options: Options, caller: Caller = NOBODY) -> Completion:
        """Answer ``turns`` (a system turn first, the newest user turn last).

        Raises:
            RequestError: useless to repeat.
            QueueFull: too many wait already, or this one's turn did not come before its deadline.
            Stopping: the process is ending.
            InferenceError: any other failure.
        """
