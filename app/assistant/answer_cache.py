"""Answers to questions that were asked before: given again at once, without the model.

Only what needs no context is taken: the first question of a conversation, in the same words. In memory alone,
so that nothing people write lies on the disk, for a while, and only as long as the message that was answered
first is kept: what a person has had deleted is given to nobody.
"""

import hashlib
import threading
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

ENTRIES = 1000
# So many given answers are remembered by number, so that a bad rating finds what it is about.
GIVEN = 10_000


@dataclass(frozen=True)
class _Entry:
    text: str
    until: float
    number: int


class AnswerCache:
    """The newest answers; safe on all threads."""

    def __init__(
        self,
        seconds: float,
        is_kept: Callable[[int], bool] = lambda number: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep each answer for ``seconds``, 0 for none, and while ``is_kept`` says so of its message."""
        self._seconds, self._is_kept, self._clock = seconds, is_kept, clock
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._given: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def knows(self, question: str) -> bool:
        """Whether there is an answer to ``question`` at the moment."""
        with self._lock:
            return self._find(_key(question)) is not None

    def get(self, question: str, number: int) -> str | None:
        """Return the answer to ``question``, given to the message ``number``; None if there is none."""
        key = _key(question)
        with self._lock:
            entry = self._find(key)
        if entry is None:
            return None
        if not self._is_kept(entry.number):
            self.drop(entry.number)
            return None
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
            self._remember(number, key)
            return entry.text

    def put(self, question: str, answer: str, number: int) -> None:
        """Keep the finished ``answer`` that the model gave to the message ``number``."""
        if not self._seconds or not answer:
            return
        key = _key(question)
        with self._lock:
            self._entries[key] = _Entry(answer, self._clock() + self._seconds, number)
            self._entries.move_to_end(key)
            while len(self._entries) > ENTRIES:
                self._entries.popitem(last=False)
            self._remember(number, key)

    def drop(self, number: int) -> None:
        """Forget the answer that the message ``number`` got: somebody found it bad."""
        with self._lock:
            key = self._given.get(number)
            if key is not None:
                self._entries.pop(key, None)

    def _find(self, key: bytes) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is not None and entry.until < self._clock():
            del self._entries[key]
            return None
        return entry

    def _remember(self, number: int, key: bytes) -> None:
        self._given[number] = key
        while len(self._given) > GIVEN:
            self._given.popitem(last=False)


def _key(question: str) -> bytes:
    # Full-width signs as their usual forms (NFKC), and white space once: what a keyboard's mode changes.
    normalised = " ".join(unicodedata.normalize("NFKC", question).split())
    return hashlib.sha256(normalised.encode("utf-8", "replace")).digest()
