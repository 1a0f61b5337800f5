"""The candidate as the service sees it: an endpoint, and how many threads may wait for it."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from assistant.inference.backend import NOBODY, Caller, Completion, Options, Stopping
from assistant.messages import Turn


class Model(Protocol):
    """The part of a backend that is needed here."""

    @property
    def ready(self) -> bool:
        """Whether it answers."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End what is being generated; who waits for it gets ``Stopping``."""

    def generate(self, turns: Sequence[Turn], options: Options, caller: Caller = NOBODY) -> Completion:
        """Answer; see ``Backend``."""


class Candidate:
    """Opened when a rollout begins and closed when it ends, which ends what it is generating.

    Its threads are bounded, so that one that hangs holds none that the stable model needs.
    """

    def __init__(self, make: Callable[[str], Model], most: int) -> None:
        """Open with ``make``, which is given the address; at most ``most`` threads wait for it at once."""
        self._make, self._most = make, most
        self._lock = threading.Lock()
        self._model: Model | None = None
        self._url = ""
        self._slots, self._busy = 1, 0

    @property
    def usable(self) -> bool:
        """Whether it answers at the moment."""
        model = self._model
        return model is not None and model.ready

    def open(self, number: int, url: str, share: float) -> None:
        """Be the candidate of rollout ``number`` at ``url``, for this ``share`` of the conversations.

        Raises:
            OSError: its token cannot be read.
        """
        # Twice its share, and never one alone: chance brings two at once.
        self._slots = min(self._most, max(2, round(2 * share * self._most)))
        name = f"{number} {url}"
        if name == self._url:
            return
        self.close()
        model = self._make(url)
        model.start()
        self._model, self._url = model, name

    def close(self) -> None:
        """Be nobody's candidate any more."""
        model, self._model, self._url = self._model, None, ""
        if model is not None:
            with suppress(RuntimeError):
                model.stop()

    def enter(self) -> bool:
        """Take a place of one who waits for it; False when all are taken."""
        with self._lock:
            if self._busy >= self._slots:
                return False
            self._busy += 1
            return True

    def leave(self) -> None:
        """Give the place back."""
        with self._lock:
            self._busy -= 1

    def generate(self, turns: Sequence[Turn], options: Options, caller: Caller = NOBODY) -> Completion:
        """Answer ``turns``.

        Raises:
            Stopping: the rollout has ended.
            InferenceError: see ``Backend.generate``.
        """
        model = self._model
        if model is None:
            raise Stopping
        return model.generate(turns, options, caller)
