"""Answers that the model gave before, by their question's key.

In memory alone, so that nothing people write lies on the disk, for a while, and only as long as the message
that was answered first is kept: what a person has had deleted is given to nobody.
"""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

# So many given answers are remembered by number, so that a bad rating finds what it is about.
GIVEN = 10_000
# What an entry takes besides its text: keys, numbers and the places in the two dictionaries.
ENTRY_BYTES = 500


@dataclass
class _Entry:
    text: str
    until: float
    number: int
    looked_at: float

    @property
    def size(self) -> int:
        return len(self.text.encode("utf-8", "replace")) + ENTRY_BYTES


class AnswerCache:
    """The answers that were asked for last; safe on all threads."""

    def __init__(
        self,
        seconds: float,
        is_kept: Callable[[int], bool] = lambda number: True,
        clock: Callable[[], float] = time.monotonic,
        *,
        entries: int = 1000,
        size: int = 16 * 1024 * 1024,
    ) -> None:
        """Keep each answer for ``seconds``, 0 for none, and while ``is_kept`` says so of its message.

        At most ``entries`` of them, and ``size`` bytes in all: what was not asked for the longest goes first.
        """
        self._seconds, self._is_kept, self._clock = seconds, is_kept, clock
        self._most, self._room, self._size = entries, size, 0
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._given: OrderedDict[int, bytes] = OrderedDict()
        self._hits: Counter[int] = Counter()
        self._lock = threading.Lock()

    @property
    def on(self) -> bool:
        """Whether answers are kept at all."""
        return bool(self._seconds)

    def __len__(self) -> int:
        """How many answers there are."""
        return len(self._entries)

    @property
    def size(self) -> int:
        """How many bytes they take."""
        return self._size

    def knows(self, key: bytes) -> bool:
        """Whether there is an answer for ``key`` at the moment."""
        with self._lock:
            return self._find(key) is not None

    def get(self, key: bytes, number: int = 0, *, trusted_seconds: float = 0.0) -> str | None:
        """Return the answer for ``key``; None if there is none.

        Args:
            key: the question's.
            number: the message that gets it; 0 for a call that leaves no message.
            trusted_seconds: how long it is believed that the answer's message is kept, after it was looked.
        """
        with self._lock:
            entry = self._find(key)
            if entry is None:
                return None
            now = self._clock()
            # Who looks does it for all: the others need not wait for the database.
            look = now - entry.looked_at >= trusted_seconds
            if look:
                entry.looked_at = now
        if look and not self._is_kept(entry.number):
            with self._lock:
                self._remove(key, entry)
            return None
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
            if number:
                self._remember(number, key)
            else:
                self._hits[entry.number] += 1
        return entry.text

    def put(self, key: bytes, answer: str, number: int) -> None:
        """Keep the finished ``answer`` that the model gave to the message ``number``."""
        if not self._seconds or not answer:
            return
        entry = _Entry(answer, self._clock() + self._seconds, number, self._clock())
        if entry.size > self._room:
            return
        with self._lock:
            self._remove(key)
            self._entries[key] = entry
            self._size += entry.size
            while len(self._entries) > self._most or self._size > self._room:
                self._remove(next(iter(self._entries)))
            self._remember(number, key)

    def drop(self, number: int) -> None:
        """Forget the answer that the message ``number`` got: somebody found it bad."""
        with self._lock:
            key = self._given.get(number)
            if key is not None:
                self._remove(key)

    def drop_older(self, key: bytes, seconds: float) -> None:
        """Forget the answer for ``key`` if it was kept longer than ``seconds`` ago."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and self._clock() - (entry.until - self._seconds) >= seconds:
                self._remove(key)

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._entries.clear()
            self._given.clear()
            self._size = 0

    def take_hits(self) -> dict[int, int]:
        """Return how often each message's answer was given to calls without a message, since last asked."""
        with self._lock:
            hits, self._hits = self._hits, Counter()
        return dict(hits)

    def _find(self, key: bytes) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is not None and entry.until < self._clock():
            self._remove(key)
            return None
        return entry

    def _remove(self, key: bytes, only: _Entry | None = None) -> None:
        entry = self._entries.get(key)
        if entry is not None and only in (None, entry):
            del self._entries[key]
            self._size -= entry.size

    def _remember(self, number: int, key: bytes) -> None:
        self._given[number] = key
        while len(self._given) > GIVEN:
            self._given.popitem(last=False)
