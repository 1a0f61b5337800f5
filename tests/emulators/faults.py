"""Failures that a test orders: for the next calls, or for a random share of all calls."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

LONGEST_DELAY_SECONDS = 60.0


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


KINDS: Mapping[str, Fault] = {
    "500": Fault(),
    "429": Fault(status=429, message="Too Many Requests: retry after 1", retry_after=1),
    "before": Fault(cut="before"),
    "after": Fault(cut="after"),
}


@dataclass(frozen=True)
class Share:
    """A network that fails: each call with ``match`` in its path fails with the probability ``share``.

    ``kinds`` are those of ``KINDS``, each as probable as another. ``delay`` is how many seconds the answer of
    every such call is under way, also of those that work; the call has taken effect by then.
    """

    share: float
    seed: int
    match: str = ""
    kinds: tuple[str, ...] = tuple(KINDS)
    delay: float = 0.0
    source: random.Random = field(default_factory=random.Random, compare=False)


class Faults:
    """The failures that are still to come, in the order in which they were asked for."""

    def __init__(self) -> None:
        """Start with none."""
        self._waiting: list[Fault] = []
        self._shares: list[Share] = []
        self._met: Counter[str] = Counter()
        self._lock = threading.Lock()

    def order(self, document: object) -> int:
        """Add failures.

        Args:
            document: an object with ``times`` (1 to 1000, 1 if left out) and the fields of :class:`Fault`, or
                one with ``share`` and the fields of :class:`Share`.

        Returns:
            how many failures wait now; those of shares are not counted.

        Raises:
            FaultError: when the order is not understood.
        """
        if not isinstance(document, Mapping):
            raise FaultError('the body must be a JSON object, for example {"times": 2, "status": 500}')
        if "share" in document:
            share = _share(document)
            with self._lock:
                self._shares = [one for one in self._shares if one.match != share.match]
                self._shares.append(share)
                return len(self._waiting)
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
            self._met["calls"] += 1
            for number, fault in enumerate(self._waiting):
                if fault.match in path:
                    return self._waiting.pop(number)
            share = self._share_of(path)
            if share is None or share.source.random() >= share.share:
                return None
            kind = share.source.choice(share.kinds)
            self._met[kind] += 1
            return KINDS[kind]

    def delay(self, path: str) -> float:
        """Return how many seconds the answer of a call is under way."""
        with self._lock:
            share = self._share_of(path)
            return share.delay if share else 0.0

    def met(self) -> dict[str, int]:
        """Return how many ``calls`` there were, and how many of them each kind of a share met."""
        with self._lock:
            return dict(self._met)

    def clear(self) -> None:
        """Forget all failures."""
        with self._lock:
            self._waiting.clear()
            self._shares.clear()
            self._met.clear()

    def _share_of(self, path: str) -> Share | None:
        found = [share for share in self._shares if share.match in path]
        return max(found, key=lambda share: len(share.match), default=None)  # the most particular one


def _share(document: Mapping[str, object]) -> Share:
    unknown = sorted(set(document) - {"share", "seed", "match", "kinds", "delay"})
    if unknown:
        raise FaultError(f'"{unknown[0]}" is unknown beside "share"; known are seed, match, kinds, delay')
    share, seed = document["share"], document.get("seed", 0)
    match, kinds, delay = document.get("match", ""), document.get("kinds", [*KINDS]), document.get("delay", 0)
    if not isinstance(share, int | float) or isinstance(share, bool) or not 0 <= share <= 1:
        raise FaultError('"share" must be a number from 0 to 1, for example 0.1')
    if not isinstance(seed, int) or not isinstance(match, str):
        raise FaultError('"seed" must be a whole number and "match" a text')
    if not isinstance(kinds, list) or not kinds or not set(map(str, kinds)) <= set(KINDS):
        raise FaultError(f'"kinds" must be a list of some of {", ".join(KINDS)}')
    if not isinstance(delay, int | float) or not 0 <= delay <= LONGEST_DELAY_SECONDS:
        raise FaultError(f'"delay" must be a number of seconds from 0 to {LONGEST_DELAY_SECONDS:g}')
    return Share(float(share), seed, match, tuple(map(str, kinds)), float(delay), random.Random(seed))
