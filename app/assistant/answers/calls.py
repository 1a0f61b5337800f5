"""API calls that are answered without the inbox: with what is known, or with what another call gets."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from assistant.answers.answers import Answers
from assistant.answers.flights import Flight
from assistant.channels.api import PLATFORM
from assistant.channels.api.known import Begun
from assistant.closing import Closing
from assistant.metrics import Metrics, labels
from assistant.metrics.arrivals import acknowledged, committed
from assistant.metrics.labels import STABLE

# How often a call that waits for another's answer looks whether it may wait any longer.
LOOK_SECONDS = 0.5


class Calls:
    """Decides of each call whether it needs the model."""

    def __init__(
        self,
        answers: Answers,
        metrics: Metrics,
        *,
        followers: int,
        deadline_seconds: float,
        closing: Closing,
        arm: Callable[[Mapping[str, Any]], str] = lambda payload: STABLE,
    ) -> None:
        """Use ``answers``; at most ``followers`` calls wait for what others have answered.

        None of them waits longer than ``deadline_seconds``, or once ``closing`` is due.
        ``arm`` says which model a call with this payload is for: what a candidate says is not in ``answers``.
        """
        self._arm, self._closing = arm, closing
        self._answers, self._metrics, self._seconds = answers, metrics, deadline_seconds
        self._room = threading.BoundedSemaphore(followers)

    @contextmanager
    def begin(self, number: str, payload: Mapping[str, Any]) -> Iterator[Begun]:
        """Begin the call ``number``; the block is its time, and ends what others wait for."""
        asked = self._answers.of_call(payload, self._arm(payload))
        if asked is None:
            yield Begun("bypass")
            return
        while True:
            known = self._answers.known(asked)
            if known is not None:
                self._count()
                yield Begun(known.source, known.text)
                return
            flight = self._answers.board(asked, number)
            if flight is None:
                break
            if not self._room.acquire(blocking=False):
                yield Begun("busy")
                return
            # What follows is the wait for an answer, as it would be at the model.
            acknowledged()
            try:
                in_time = self._wait_for(flight)
            finally:
                self._room.release()
            if not in_time:
                yield Begun("late")
                return
            if flight.completion is not None:
                self._count()
                yield Begun("hit", flight.completion.text, flight.completion.finish_reason)
                return
        # The worker counts the miss, which also knows of calls that were tried again.
        try:
            yield Begun("miss" if asked.read else "bypass")
        finally:
            # Harmless after the worker has done it.
            self._answers.land(asked, number)

    def _wait_for(self, flight: Flight) -> bool:
        deadline = time.monotonic() + self._seconds
        while not self._closing.due and (left := deadline - time.monotonic()) > 0:
            if flight.landed.wait(min(LOOK_SECONDS, left)):
                return True
        return False

    def _count(self) -> None:
        committed(new=True)
        self._metrics.answer_cache.labels(labels.HIT).inc()
        self._metrics.ended(PLATFORM, labels.CACHED)
