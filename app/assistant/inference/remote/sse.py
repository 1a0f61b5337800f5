"""Server-sent events, read as they come (html.spec.whatwg.org, section 9.2).

httpx's own ``iter_lines`` is not used: it also ends lines at U+2028 and other characters that JSON may
contain.
"""

import re

MAX_EVENT_BYTES = 1 << 20
LINE_END = re.compile(rb"\r\n|\n|\r")


class EventTooLong(ValueError):
    """An event has no end within ``MAX_EVENT_BYTES``."""


class EventReader:
    """Turns bytes, cut anywhere, into the data of whole events; other fields and comments are passed over."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0
        self._first = True

    def push(self, chunk: bytes) -> list[str]:
        """Take the next bytes and return the data of the events that are complete now.

        A line is decoded when all of it is there, so that no character is ever cut.

        Raises:
            EventTooLong: the endpoint sends no end of an event.
        """
        text = self._rest + chunk
        # A CR at the end may be the first half of a CR LF.
        held = text.endswith(b"\r")
        *lines, self._rest = LINE_END.split(text[:-1] if held else text)
        if held:
            self._rest += b"\r"
        events = [event for line in lines if (event := self._line(line)) is not None]
        if len(self._rest) + self._size > MAX_EVENT_BYTES:
            raise EventTooLong
        return events

    def _line(self, line: bytes) -> str | None:
        if self._first:
            line, self._first = line.removeprefix(b"\xef\xbb\xbf"), False
        if not line:
            data, self._data, self._size = self._data, [], 0
            # An event without data says nothing.
            return b"\n".join(data).decode("utf-8", "replace") or None
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
            self._size += len(value)
        return None
