"""Reads the bytes of a GGUF header, trusting nothing that they claim. See ``gguf`` for who runs this."""

from __future__ import annotations

import struct
from typing import BinaryIO

# Far above real files: 256,000 tokens make a header of about 15 MB.
MAX_HEADER_BYTES = 128 << 20
MAX_STRING_BYTES = 1 << 20
WINDOW = 1 << 20


class GgufError(ValueError):
    """The file cannot be served; the text is one line that says what is wrong and at which byte or key."""


class Reader:
    """Reads a file from its beginning; every read is held against the bytes that are left."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        """Begin at the start of ``file``, which has ``size`` bytes."""
        self._file, self.size, self.at = file, size, 0

    def take(self, length: int, what: str) -> bytes:
        """Return the next ``length`` bytes; ``what`` names them in a refusal, as in all methods here."""
        self.need(length, what)
        data = self._file.read(length)
        if len(data) != length:
            raise GgufError(f"the file became shorter while {what} was read at byte {self.at}")
        self.at += length
        return data

    def need(self, length: int, what: str) -> None:
        """Refuse where fewer than ``length`` bytes are left, or the header grows past all reason."""
        if length > self.size - self.at:
            raise GgufError(
                f"the file is cut off or damaged: {what} at byte {self.at} needs {length} bytes, "
                f"{self.size - self.at} are left"
            )
        if self.at + length > MAX_HEADER_BYTES:
            raise GgufError(f"the header is damaged: {what} at byte {self.at} makes it longer than 128 MiB")

    def skip(self, length: int, what: str) -> None:
        """Step over ``length`` bytes."""
        self.need(length, what)
        self.at += length
        self._file.seek(self.at)

    def scalar(self, form: str, what: str) -> int | float:
        """Return a number; ``form`` is its format in ``struct``."""
        number: int | float
        (number,) = struct.unpack("<" + form, self.take(struct.calcsize("<" + form), what))
        return number

    def whole(self, form: str, what: str) -> int:
        """Return a whole number."""
        return int(self.scalar(form, what))

    def text(self, what: str, longest: int = MAX_STRING_BYTES) -> str:
        """Return a text of at most ``longest`` bytes."""
        start, length = self.at, self.whole("Q", f"the length of {what}")
        if length > longest:
            raise GgufError(f"{what} at byte {start} claims a length of {length} bytes, more than {longest}")
        return self.take(length, what).decode("utf-8", "backslashreplace")

    def skip_texts(self, count: int, what: str, *, distinct: bool = False) -> None:
        """Step over ``count`` texts, a window of the file at a time; with ``distinct`` refuse equal ones."""
        seen: set[bytes] = set()
        while count:
            window = self._file.read(min(WINDOW, self.size - self.at))
            place = 0
            while count and place + 8 <= len(window):
                (length,) = struct.unpack_from("<Q", window, place)
                if length > MAX_STRING_BYTES:
                    raise GgufError(f"a member of {what} at byte {self.at + place} claims {length} bytes")
                if place and place + 8 + length > len(window):
                    break
                if distinct and length and not self._first(seen, window[place + 8 : place + 8 + length]):
                    raise GgufError(f"two members of {what} are the same, one at byte {self.at + place}")
                place, count = place + 8 + length, count - 1
            self._file.seek(self.at)
            self.skip(max(place, 8 if count else 0), what)

    @staticmethod
    def _first(seen: set[bytes], member: bytes) -> bool:
        before = len(seen)
        seen.add(member)
        return len(seen) > before
