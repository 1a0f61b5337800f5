"""A circuit breaker: an endpoint that keeps failing is left alone for a while.

pybreaker holds its lock during the call, which would make one request wait for the other, and its
asynchronous calls need Tornado.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from assistant.inference.backend import Outage, RequestError
from assistant.inference.remote.errors import EndpointError
from assistant.logs import Log

log = Log(__name__)


class State(StrEnum):
    """``half-open``: one call is let through, and decides."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CircuitOpen(Outage):
    """The endpoint failed again and again; it is asked again in ``retry_after`` seconds."""

    def __init__(self, retry_after: float) -> None:
        """Remember ``retry_after``."""
        super().__init__("the endpoint failed again and again and is left alone for a while")
        self.retry_after = retry_after


class CircuitBreaker:
    """Counts failures in a row. Used on one thread; ``state`` may be read on any.

    ``EndpointError`` is a failure. An answer, and a refusal of one request (``RequestError``), show that the
    endpoint is well. Everything else (429, a caller that left) says nothing.
    """

    def __init__(
        self, failures: int = 5, pause: float = 15.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Open after ``failures`` in a row, for ``pause`` seconds."""
        self._limit, self._pause, self._clock = failures, pause, clock
        self._failures = 0
        self._opened_at: float | None = None
        self._trying = False

    @property
    def state(self) -> State:
        """The state now."""
        if self._opened_at is None:
            return State.CLOSED
        return State.OPEN if self._left() > 0 else State.HALF_OPEN

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Do one call inside.

        Raises:
            CircuitOpen: it must not be done now.
        """
        trial = self.state is State.HALF_OPEN
        if self.state is State.OPEN or (trial and self._trying):
            raise CircuitOpen(max(1.0, self._left()))
        self._trying = trial
        try:
            yield
        except EndpointError:
            self._failed()
            raise
        except RequestError:
            self._well()
            raise
        else:
            self._well()
        finally:
            if trial:
                self._trying = False

    def _left(self) -> float:
        opened = self._clock() if self._opened_at is None else self._opened_at
        return opened + self._pause - self._clock()

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= self._limit:
            if self._opened_at is None:
                log.error("the circuit to the endpoint is open", failures=self._failures, seconds=self._pause)
            self._opened_at = self._clock()

    def _well(self) -> None:
        if self._opened_at is not None:
            log.info("the circuit to the endpoint is closed again")
        self._failures, self._opened_at = 0, None
