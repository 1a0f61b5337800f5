"""Cutting a text into messages that Telegram takes."""

# Source: core.telegram.org/bots/api#sendmessage: 1-4096 characters, counted as UTF-16 code units.
MAX_UNITS = 4096


def units(text: str) -> int:
    """Return the length of ``text`` in UTF-16 code units: 2 for a character beyond U+FFFF, else 1."""
    return len(text) + sum(1 for character in text if ord(character) > 0xFFFF)


def _fitting(text: str, limit: int) -> int:
    used = 0
    for index, character in enumerate(text):
        used += 2 if ord(character) > 0xFFFF else 1
        if used > limit:
            return index
    return len(text)


def split(text: str, limit: int = MAX_UNITS) -> list[str]:
    """Cut ``text`` into parts of at most ``limit`` code units, at a line's end or a space if one is near.

    No part is empty or only white space, for Telegram refuses those; the same text always gives the same
    parts.
    """
    parts = []
    rest = text.strip()
    while rest:
        end = _fitting(rest, limit)
        if end < len(rest):
            half = end // 2
            for mark in ("\n", " "):
                found = rest.rfind(mark, half, end + 1)
                if found > 0:
                    end = found
                    break
        parts.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return parts
