"""What a caller who is still connected may see of its answer, and how it says that it is gone.

This is only a short cut: the inbox and the outbox stay the truth. A message that another process answers, or
that is answered after a restart, has nobody watching, and its reply is found in the outbox alone.
"""

import queue
import time
from collections.abc import Iterator
from contextlib import contextmanager

# A caller that has left is remembered so long: its message may still be in the line.
REMEMBERED_SECONDS = 900.0


class Watch:
    """One caller: the pieces of its answer, and whether it still waits."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._pieces: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._left_at = 0.0
        self.spoken = False
        # Whether the caller reads the pieces, or is given the whole answer at its end.
        self.reads_pieces = True

    def say(self, text: str) -> None:
        """Add a piece of the answer."""
        self.spoken = self.reads_pieces
        self._pieces.put(text)

    def finish(self) -> None:
        """Wake the caller: the reply has been committed."""
        self._pieces.put("")

    def next(self, seconds: float) -> str:
        """Return the next piece; empty when there is none within ``seconds``, or when the reply is there."""
        try:
            return self._pieces.get(timeout=seconds)
        except queue.Empty:
            return ""

    def leave(self) -> None:
        """Say that nobody waits any longer."""
        self._left_at = time.monotonic()

    @property
    def gone(self) -> bool:
        """Whether nobody waits any longer."""
        return self._left_at > 0

    @property
    def stale(self) -> bool:
        """Whether it is so long gone that its message must have ended elsewhere."""
        return self.gone and time.monotonic() - self._left_at > REMEMBERED_SECONDS


class Progress:
    """All callers of this process, by the message they wait for."""

    def __init__(self) -> None:
        """Begin with none."""
        self._watches: dict[str, Watch] = {}

    @contextmanager
    def watching(self, message_id: str) -> Iterator[Watch]:
        """Give a watch on the message, until the block ends; then nobody waits for it."""
        for other in [n for n, w in list(self._watches.items()) if w.stale]:
            self._watches.pop(other, None)
        watch = self._watches[message_id] = Watch()
        try:
            yield watch
        finally:
            watch.leave()

    def of(self, message_id: str) -> Watch | None:
        """Return the watch on a message, if there is one."""
        return self._watches.get(message_id)

    def forget(self, message_id: str) -> None:
        """Drop the watch on a message: its reply is committed."""
        watch = self._watches.pop(message_id, None)
        if watch is not None:
            watch.finish()
