"""Background threads that never die of an exception and stop when they are told to."""

import threading
from collections.abc import Callable, Iterable

from assistant.logs import Log

log = Log(__name__)
FAULT_PAUSE_SECONDS = 2.0


class Loop:
    """Calls ``step`` again and again on a thread of its own.

    ``step`` returns whether it did something. When it did not, the thread sleeps until ``wake`` or for
    ``idle_seconds``.
    """

    def __init__(self, name: str, step: Callable[[], bool], idle_seconds: float = 1.0) -> None:
        """Prepare the thread; it runs after ``start``."""
        self.name = name
        self._step = step
        self._idle = idle_seconds
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """End the present sleep: there is something to do."""
        self._wake.set()

    def ask_to_stop(self) -> None:
        """Make the present step the last one; returns at once."""
        self._stop.set()
        self._wake.set()

    def join(self, seconds: float) -> None:
        """Wait at most ``seconds`` for the thread's end."""
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                busy = self._step()
            except Exception:
                log.exception("fault in a background loop; it goes on", loop=self.name)
                self._stop.wait(FAULT_PAUSE_SECONDS)
                continue
            if not busy and not self._stop.is_set():
                self._wake.wait(self._idle)


class Loops:
    """Several loops that start, wake and stop together."""

    def __init__(self, loops: Iterable[Loop]) -> None:
        """Take the ``loops``; they run after ``start``."""
        self._loops = list(loops)

    @property
    def alive(self) -> bool:
        """Whether all threads run."""
        return all(loop.alive for loop in self._loops)

    def start(self) -> None:
        """Start all threads."""
        for loop in self._loops:
            loop.start()

    def wake(self) -> None:
        """End their present sleep: there is something to do."""
        for loop in self._loops:
            loop.wake()

    def stop(self, seconds: float) -> None:
        """Make the present step of each the last one, and wait at most ``seconds`` for each one's end."""
        for loop in self._loops:
            loop.ask_to_stop()
        for loop in self._loops:
            loop.join(seconds)


class Background:
    """A part of the process that works on ``_loops`` of its own, which its maker sets."""

    _loops: Loops
    # How long to wait for the present step's end.
    stop_seconds = 5.0

    def start(self) -> None:
        """Start the threads."""
        self._loops.start()

    def stop(self) -> None:
        """Make the present step the last one, and stop the threads."""
        self._loops.stop(self.stop_seconds)

    @property
    def alive(self) -> bool:
        """Whether all threads run."""
        return self._loops.alive
