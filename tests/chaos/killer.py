"""Starts the assistant again and again, and kills it each time."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from tests.integration.app.process import Assistant

# Docker's restart policy waits this long after the first end of a container.
RESTART_SECONDS = 0.1


class Killer(threading.Thread):
    """Ends the assistant's whole process group with SIGKILL after each of its lives, as ``docker kill`` does.

    The assistant must be running when the thread starts; it is running, and ready, when the thread ends.
    ``kills`` are the times in seconds since 1970, ``error`` is what went wrong.
    """

    def __init__(self, assistant: Assistant, lives: Sequence[float]) -> None:
        """Kill ``assistant`` after each of ``lives``, which are in seconds."""
        super().__init__(name="killer", daemon=True)
        self._assistant, self._lives = assistant, lives
        self.kills: list[float] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        """Kill; see the class."""
        try:
            for life in self._lives:
                time.sleep(life)
                self._kill()
                time.sleep(RESTART_SECONDS)
                self._assistant.start(wait=False)
            self._assistant.await_ready()
        except BaseException as error:  # of any kind: the main thread raises it again
            self.error = error

    def _kill(self) -> None:
        process = self._assistant.process
        if process is None or process.poll() is not None:
            raise RuntimeError(f"the assistant ended by itself:\n{self._assistant.log()[-3000:]}")
        self.kills.append(time.time())
        self._assistant.kill()
