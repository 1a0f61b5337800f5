"""Follows the operators' commands on known answers, and writes down what API calls were given."""

from assistant.answers.answers import Answers
from assistant.answers.pinned import Pin
from assistant.loops import Background, Loop, Loops
from assistant.store.known_answers import KnownAnswers

LOOK_SECONDS = 2.0


class AnswerKeeper(Background):
    """Looks every two seconds whether the cache was cleared or the pins were changed."""

    def __init__(self, answers: Answers, store: KnownAnswers) -> None:
        """Keep ``answers`` as ``store`` says."""
        self._answers, self._store = answers, store
        self._cleared: int | None = None
        self._changed = 0
        self._loops = Loops([Loop("answers", self.step, idle_seconds=LOOK_SECONDS)])

    def step(self) -> bool:
        """Look once; False: there is no more to do."""
        cleared, changed = self._store.counters()
        if cleared != self._cleared:
            # What came into a cache before it was first looked at is younger than any earlier command.
            if self._cleared is not None:
                self._answers.cache.clear()
            self._cleared = cleared
        if changed != self._changed:
            self._answers.pinned.replace(
                Pin(row.question, {row.language: row.answer}, row.number) for row in self._store.pins()
            )
            self._changed = changed
        self._store.add_hits(self._answers.cache.take_hits())
        return False
