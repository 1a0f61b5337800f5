"""From tokens' bytes to text that may be shown at once."""

import codecs
from collections.abc import Iterable

from assistant.inference.prompt import without_control_texts


class TextStream:
    """Turns an answer's bytes into text, piece by piece.

    Never shown are halves of characters, control texts that the model spelled out, a stop text or its
    beginning, and white space at both ends. What may still become one of them is held back.
    """

    def __init__(self, stops: Iterable[str] = (), controls: Iterable[str] = ()) -> None:
        """End before the first of ``stops``; leave ``controls`` out."""
        self._stops = [s for s in stops if s]
        self._controls = [c for c in controls if c]
        beginnings = {t[:n] for t in (*self._stops, *self._controls) for n in range(1, len(t))}
        self._beginnings = frozenset(beginnings)
        self._longest = max(map(len, beginnings), default=0)
        # A byte that belongs to no character becomes U+FFFD; the first bytes of one are kept for later.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self._shown: list[str] = []
        self.stopped = False

    @property
    def text(self) -> str:
        """All that has been shown."""
        return "".join(self._shown)

    def push(self, piece: bytes) -> str:
        """Take one token's bytes and return what may be shown now; ``stopped`` tells whether that is all."""
        if self.stopped:
            return ""
        self._held += self._decoder.decode(piece)
        places = [at for at in map(self._held.find, self._stops) if at >= 0]
        if places:
            self.stopped = True
            return self._show(without_control_texts(self._held[: min(places)], self._controls).rstrip())
        self._held = without_control_texts(self._held, self._controls)
        border = len(self._held) - self._unsure()
        # White space is shown with the word after it: an answer's last one is dropped.
        border = len(self._held[:border].rstrip())
        ready, self._held = self._held[:border], self._held[border:]
        return self._show(ready)

    def finish(self) -> str:
        """Return what was held back, now that nothing follows; half a character is dropped."""
        if self.stopped:
            return ""
        self.stopped = True
        return self._show(self._held.rstrip())

    def _unsure(self) -> int:
        """Return how many characters at the end may be the beginning of a text that must not be shown."""
        for length in range(min(self._longest, len(self._held)), 0, -1):
            if self._held[-length:] in self._beginnings:
                return length
        return 0

    def _show(self, text: str) -> str:
        if not self._shown:
            text = text.lstrip()
        if text:
            self._shown.append(text)
        return text
