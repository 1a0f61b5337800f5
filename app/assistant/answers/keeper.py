"""Follows the operators' commands on known answers, and writes down what API calls were given."""

from assistant.answers.answers import Answers
from assistant.answers.pinned import Pin
from assistant.loops import Background, Loop, Loops
from assistant.store.known_answers import KnownAnswers

LOOK_SECONDS = 2.0
# A rating may be committed so long after the time that stands in it.
OVERLAP_SECONDS = 10.0


class AnswerKeeper(Background):
    """Looks every two seconds whether the cache was cleared, the pins changed, or an answer rated bad.

    A bad rating ends an answer here at once where this process took it, and by this look everywhere else.
    """

    def __init__(self, answers: Answers, store: KnownAnswers) -> None:
        """Keep ``answers`` as ``store`` says."""
        self._answers, self._store = answers, store
        self._cleared: int | None = None
        self._changed = 0
        self._rated: float | None = None
        self._seen: set[tuple[int, float]] = set()
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
        if self._answers.cache.on:
            self._drop_bad()
        self._store.add_hits(self._answers.cache.take_hits())
        self._store.add_pinned_hits(self._answers.pinned.take_hits())
        return False

    def _drop_bad(self) -> None:
        if self._rated is None:
            # What is kept from here on is younger than any earlier rating.
            self._rated = self._store.now()
            return
        since = self._rated - OVERLAP_SECONDS
        found = self._store.rated_bad(since)
        for bad in found:
            if (bad.number, bad.at) not in self._seen:
                self._answers.found_bad(bad.platform, bad.text, bad.hint, bad.age)
        self._rated = max([self._rated, *(bad.at for bad in found)])
        self._seen = {(bad.number, bad.at) for bad in found}
