"""One thing that came in: what became of it at once, and how long its sender waited to be told."""

import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from types import TracebackType

from assistant.metrics.labels import ACCEPTED, DUPLICATE, ERROR, IGNORED

_present: ContextVar["Arrival | None"] = ContextVar("arrival", default=None)


class Arrival:
    """A block in which something that came in is dealt with; it is counted once, at the block's end.

    The inbox is told by another part than the one that knows when a message came and when its sender is
    answered: what is committed within the block (``committed``) is this arrival's.
    """

    def __init__(self, channel: str, count: Callable[[str, str, float], None]) -> None:
        """Begin now; ``count`` is told the channel, the outcome and the seconds."""
        self._channel, self._count = channel, count
        self._started = time.monotonic()
        self._token: Token[Arrival | None] | None = None
        self._seconds: float | None = None
        self.outcome = ""

    def __enter__(self) -> "Arrival":
        """Make it the present thread's."""
        self._token = _present.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Count it: as an error after a fault, and as ignored where nothing was committed."""
        self.end(ERROR if fault is not None else IGNORED)

    def end(self, otherwise: str) -> None:
        """Count it, with the outcome ``otherwise`` unless it has one."""
        if self._token is not None:
            _present.reset(self._token)
            self._token = None
        seconds = time.monotonic() - self._started if self._seconds is None else self._seconds
        self._count(self._channel, self.outcome or otherwise, seconds)

    def acknowledge(self) -> None:
        """Say that the sender is as good as told now: what follows is the answer itself."""
        self._seconds = time.monotonic() - self._started


def committed(*, new: bool) -> None:
    """Say that the present arrival is stored: a message, or a rating; not ``new``, if it was there before."""
    arrival = _present.get()
    if arrival is not None:
        arrival.outcome = ACCEPTED if new else DUPLICATE


def acknowledged() -> None:
    """Say that whoever sent the present arrival waits for the answer alone."""
    arrival = _present.get()
    if arrival is not None:
        arrival.acknowledge()
