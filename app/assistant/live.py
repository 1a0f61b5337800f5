"""What an unfinished answer says so far, for whoever shows it while it is made.

This is only a short cut, as ``progress`` is for the API's callers: the outbox stays the truth. An answer that
another process makes, or that was begun before a restart, is not here.
"""

import threading
from dataclasses import dataclass

from assistant import correlation


@dataclass(frozen=True)
class Snapshot:
    """An answer at one moment; ``ended`` when its reply is committed or this try has failed."""

    text: str
    ended: bool


class LiveAnswer:
    """One answer while it is made; said by the worker's thread, read by any."""

    def __init__(self, number: int, platform: str, chat: str, reply_to: str, language: str) -> None:
        """Begin with nothing said about the message ``number`` in ``chat``."""
        self.number, self.platform, self.chat = number, platform, chat
        self.reply_to, self.language = reply_to, language
        # Of the thread that makes it.
        self.trace_id = correlation.current()
        self._pieces: list[str] = []
        self._ended = False
        self._changed = threading.Condition()

    def say(self, piece: str) -> None:
        """Add a piece of the answer."""
        with self._changed:
            self._pieces.append(piece)
            self._changed.notify_all()

    def end(self) -> None:
        """Say that nothing will be added."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def snapshot(self) -> Snapshot:
        """Return what there is now."""
        with self._changed:
            return self._snapshot()

    def wait(self, known: int, seconds: float) -> Snapshot:
        """Return what there is: at once if over ``known`` characters or ended, else in ``seconds``."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or len(self._snapshot().text) > known, seconds)
            return self._snapshot()

    def _snapshot(self) -> Snapshot:
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return Snapshot("".join(self._pieces), self._ended)


class Live:
    """All answers that this process is making, by the number of their message."""

    def __init__(self) -> None:
        """Begin with none."""
        self._answers: dict[int, LiveAnswer] = {}

    def begin(self, answer: LiveAnswer) -> LiveAnswer:
        """Announce an answer; an earlier try's is replaced."""
        self._answers[answer.number] = answer
        return answer

    def end(self, number: int) -> None:
        """Drop an answer: its reply is committed, or this try has failed."""
        answer = self._answers.pop(number, None)
        if answer is not None:
            answer.end()

    def of(self, number: int) -> LiveAnswer | None:
        """Return the answer to the message ``number``, if it is being made here."""
        return self._answers.get(number)

    def all(self) -> list[LiveAnswer]:
        """Return all answers."""
        return list(self._answers.values())
