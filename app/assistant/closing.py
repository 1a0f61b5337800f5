"""When a process that is to end sends away who still waits for an answer."""

import math
import time


class Closing:
    """Begun once the process was told to stop; ``due`` shortly before it must have ended."""

    def __init__(self) -> None:
        """Begin with a process that goes on."""
        self._at = math.inf

    def begin(self, seconds: float) -> None:
        """Be due in ``seconds``; harmless in a signal's handler, and a second time."""
        self._at = min(self._at, time.monotonic() + seconds)

    @property
    def due(self) -> bool:
        """Whether nobody may wait any longer."""
        return time.monotonic() >= self._at
