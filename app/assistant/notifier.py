"""The notifier: tells people who wait that they do, and why."""

from collections.abc import Callable, Sequence

from assistant.logs import Log
from assistant.loops import Background, Loop, Loops
from assistant.store.notices import Notices, Waiting
from assistant.texts import ENGINE_DOWN, QUEUED, SLOW, language_of

log = Log(__name__)
LOOK_SECONDS = 2.0


class Notifier(Background):
    """Looks for messages that have waited for long, and puts one notice for each into the outbox."""

    def __init__(
        self,
        notices: Notices,
        platforms: Sequence[str],
        ready: Callable[[], bool],
        on_notice: Callable[[], None],
        seconds: float,
    ) -> None:
        """Tell after ``seconds`` (0: never) on ``platforms``; ``ready`` says whether the model answers."""
        self._notices, self._platforms, self._ready = notices, list(platforms), ready
        self._on_notice, self._seconds = on_notice, seconds
        self._loops = Loops([Loop("notifier", self.step, idle_seconds=LOOK_SECONDS)])

    def step(self) -> bool:
        """Tell those whose time has come; returns whether there was anybody."""
        if not (self._seconds and self._platforms):
            return False
        due = self._notices.due(self._platforms, self._seconds)
        told = [w.inbox_id for w in due if self._notices.put(w.inbox_id, self._words(w))]
        if told:
            log.info("people who wait were told", messages=len(told))
            self._on_notice()
        return bool(told)

    def _words(self, waiting: Waiting) -> str:
        language = language_of(waiting.text, waiting.language, waiting.hint)
        if not self._ready():
            return ENGINE_DOWN(language)
        return QUEUED(language, before=waiting.before) if waiting.before else SLOW(language)
