"""A thread that does one thing again and again, whatever happens to it."""

from __future__ import annotations

import logging
import threading

_log = logging.getLogger(__name__)


class Background:
    """Calls ``step`` until it is stopped, and waits in between for as many seconds as that returns."""

    def __init__(self, name: str, fault_pause_seconds: float) -> None:
        """Prepare the thread ``name``; it rests ``fault_pause_seconds`` after a step that failed."""
        self._name, self._fault_pause_seconds = name, fault_pause_seconds
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Take the next step now."""
        self._wake.set()

    def stop(self, seconds: float) -> None:
        """Stop after the step that is under way, at most after ``seconds``."""
        self._stopping = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(seconds)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def step(self) -> float:
        """Do what is to be done, and return the seconds to wait for the next step."""
        raise NotImplementedError

    def _run(self) -> None:
        while not self._stopping:
            try:
                wait = self.step()
            except Exception:
                # A full disk or a damaged database: the thread must be there when it is mended.
                _log.exception("%s: the outbox does not work; it is tried again", self._name)
                wait = self._fault_pause_seconds
            if self._wake.wait(wait):
                self._wake.clear()
