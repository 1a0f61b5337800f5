"""Who may write next: SQLite admits one writer, and does not say whose turn it is.

A connection that finds the file locked sleeps and tries again, longer each time (up to 0.1 s,
sqlite.org/c3ref/busy_timeout.html: "sleeps multiple times"). With many threads in one process nearly all the
time to an acknowledgement was such sleep: 540 ms of 99 in a hundred webhooks, beside a busy model. Here they
stand in line instead. Other processes still meet SQLite's own lock.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

# So many urgent ones may pass before one of the others has its turn.
MOST_URGENT = 8


class WriteLine:
    """A lock that is handed on: first come, first served, but urgent ones before all others."""

    def __init__(self) -> None:
        """Begin with nobody inside."""
        self._lock = threading.Lock()
        self._inside = False
        self._urgent: deque[threading.Lock] = deque()
        self._others: deque[threading.Lock] = deque()
        self._passed = 0

    @contextmanager
    def turn(self, *, urgent: bool) -> Iterator[None]:
        """Wait for one's turn, and end it with the block."""
        gate: threading.Lock | None = None
        with self._lock:
            if self._inside:
                gate = threading.Lock()
                gate.acquire()
                (self._urgent if urgent else self._others).append(gate)
            self._inside = True
        if gate is not None:
            # Opened by whoever is before us, who leaves the inside to us.
            gate.acquire()
        try:
            yield
        finally:
            self._hand_on()

    def _hand_on(self) -> None:
        with self._lock:
            fair = self._others and self._passed >= MOST_URGENT
            if self._urgent and not fair:
                self._passed += 1
                self._urgent.popleft().release()
            elif self._others:
                self._passed = 0
                self._others.popleft().release()
            else:
                self._inside = False
