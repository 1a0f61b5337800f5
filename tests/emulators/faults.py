"""Failures that a test orders for the next calls."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass


class FaultError(Exception):
    """An order for a failure is not understood; the text says what it must look like."""


@dataclass(frozen=True)
class Fault:
    """One kind of failure.

    ``match`` is a part of the path of the calls that fail. ``cut`` is ``before`` or ``after`` (the connection
    is cut before or after the call was processed) or empty; otherwise the call is answered with ``status``,
    ``code`` and ``message``. ``retry_after`` is in seconds.
    """

    match: str = ""
    cut: str = ""
    status: int = 500
    code: int = 500
    message: str = "injected failure"
    retry_after: int = 0


class Faults:
    """The failures that are still to come, in the order in which they were asked for."""

    def __init__(self) -> None:
        """Start with none."""
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def order(self, document: object) -> int:
        """Add failures.

        Args:
            document: an object with ``times`` (1 to 1000, 1 if left out) and the fields of :class:`Fault`.

        Returns:
            how many failures wait now.

        Raises:
            FaultError: when the order is not understood.
        """
        if not isinstance(document, Mapping):
            raise FaultError('the body must be a JSON object, for example {"times": 2, "status": 500}')
        values = dict(document)
        times = values.pop("times", 1)
        if not isinstance(times, int) or isinstance(times, bool) or not 1 <= times <= 1000:
            raise FaultError('"times" must be a whole number from 1 to 1000')
        defaults = Fault()
        for key, value in values.items():
            if key not in Fault.__dataclass_fields__:
                known = ", ".join(["times", *Fault.__dataclass_fields__])
                raise FaultError(f'"{key}" is unknown; known are {known}')
            wanted = type(getattr(defaults, key))
            if type(value) is not wanted:
                raise FaultError(f'"{key}" must be of type {wanted.__name__}')
        fault = Fault(**values)
        if fault.cut not in ("", "before", "after"):
            raise FaultError('"cut" must be "before" or "after" (the call is processed)')
        with self._lock:
            self._waiting.extend([fault] * times)
            return len(self._waiting)

    def take(self, path: str) -> Fault | None:
        """Take the failure that a call is to meet.

        Args:
            path: the path of the call.

        Returns:
            the failure, or None when the call shall work.
        """
        with self._lock:
            for number, fault in enumerate(self._waiting):
                if fault.match in path:
                    return self._waiting.pop(number)
        return None

    def clear(self) -> None:
        """Forget all failures."""
        with self._lock:
            self._waiting.clear()
