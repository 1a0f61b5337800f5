"""Rate limits."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable


class Window:
    """At most so many calls in any window of so many seconds, counted for each key by itself."""

    def __init__(self, calls: int, seconds: float, clock: Callable[[], float]) -> None:
        """Make a limit.

        Args:
            calls: calls allowed in a window.
            seconds: length of the window.
            clock: gives the present time in seconds.
        """
        self._calls = calls
        self._seconds = seconds
        self._clock = clock
        self._times: dict[Hashable, deque[float]] = {}
        self._lock = threading.Lock()

    def wait(self, key: Hashable) -> float:
        """Count a call if it is allowed.

        Args:
            key: what the call is counted for.

        Returns:
            0 when allowed and counted, else the seconds until it would be (then not counted).
        """
        with self._lock:
            now = self._clock()
            times = self._times.setdefault(key, deque())
            while times and times[0] <= now - self._seconds:
                times.popleft()
            if len(times) >= self._calls:
                return times[0] + self._seconds - now
            times.append(now)
            return 0.0


class Bucket:
    """A steady rate with a burst, counted for each key by itself."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float]) -> None:
        """Make a limit.

        Args:
            rate: calls a second in the long run.
            burst: calls allowed at once after a pause.
            clock: gives the present time in seconds.
        """
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._states: dict[Hashable, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def wait(self, key: Hashable) -> float:
        """Count a call if it is allowed.

        Args:
            key: what the call is counted for.

        Returns:
            0 when allowed and counted, else the seconds until it would be (then not counted).
        """
        with self._lock:
            now = self._clock()
            left, since = self._states.get(key, (float(self._burst), now))
            left = min(float(self._burst), left + (now - since) * self._rate)
            if left < 1:
                self._states[key] = (left, now)
                return (1 - left) / self._rate
            self._states[key] = (left - 1, now)
            return 0.0
