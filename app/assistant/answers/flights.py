"""One generation for all who ask the same at the same time.

The first to ask leads; the others wait without a place in the model's line and get what the leader gets. When
the leader gets nothing, each of them asks again, and the first of those leads.
"""

import threading
from collections import OrderedDict

from assistant.inference.backend import Completion

# Followers whose answer is ready and that have not come for it: their messages are in the inbox anyway.
HANDED = 10_000


class Flight:
    """A question that is being answered; ``completion`` is there, or None, once it has ``landed``."""

    def __init__(self, leader: object) -> None:
        """Begin with nobody but the ``leader``."""
        self.leader = leader
        self.landed = threading.Event()
        self.completion: Completion | None = None
        self.followers: list[int] = []


class Flights:
    """All questions that are being answered in this process; safe on all threads."""

    def __init__(self) -> None:
        """Begin with none."""
        self._flights: dict[bytes, Flight] = {}
        self._handed: OrderedDict[int, Completion] = OrderedDict()
        self._lock = threading.Lock()

    def in_the_air(self, key: bytes) -> bool:
        """Whether somebody has the question answered at the moment."""
        return key in self._flights

    def follow(self, key: bytes, number: int = 0) -> Flight | None:
        """Join a flight, for the message ``number`` if there is one; None where nobody leads."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None and number:
                flight.followers.append(number)
            return flight

    def board(self, key: bytes, owner: object, number: int = 0) -> Flight | None:
        """Join the flight that somebody else leads; None: there is none, and ``owner`` leads now."""
        with self._lock:
            flight = self._flights.setdefault(key, Flight(owner))
            if flight.leader == owner:
                return None
            if number:
                flight.followers.append(number)
            return flight

    def land(self, key: bytes, owner: object, completion: Completion | None) -> list[int]:
        """End what ``owner`` leads, with an answer or without; returns the messages that waited for it."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is None or flight.leader != owner:
                return []
            del self._flights[key]
            flight.completion = completion
            if completion is not None:
                self._handed.update(dict.fromkeys(flight.followers, completion))
                while len(self._handed) > HANDED:
                    self._handed.popitem(last=False)
        flight.landed.set()
        return flight.followers

    def handed(self, number: int) -> Completion | None:
        """Return, once, what the message ``number`` waited for."""
        with self._lock:
            return self._handed.pop(number, None)
