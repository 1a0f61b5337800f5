"""Cutting a long answer into cards.

Source of the limit: open.feishu.cn, "Reply message": 30 KB for a card, counted in bytes of its JSON, and more
than was sent where styles expand.
"""

import re
import unicodedata

# Leaves a third of the 30 KB to the card around the text, and to styles.
MAX_BYTES = 20_000
# Where to cut, the best first; behind the match.
_PLACES = (
    re.compile(r"\n\s*\n"),
    re.compile(r"\n"),
    re.compile(r"[。！？；…][”’」』）]?|[.!?;][\"')\]]?(?=\s)"),
    re.compile(r"[，、：]|[,:](?=\s)"),
    re.compile(r"\s"),
)
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$")
# Room for closing a block of code, and for opening it again.
_FENCE_BYTES = 120
_ESCAPED = {'"': 2, "\\": 2, "\n": 2, "\t": 2, "\r": 2, "<": 5, "!": 5, "(": 5, "[": 5}


def size(text: str) -> int:
    """Return how many bytes ``text`` takes at most in a card's JSON, once it is made harmless."""
    return sum(_size(character) for character in text)


def _size(character: str) -> int:
    if character in _ESCAPED:
        return _ESCAPED[character]
    number = ord(character)
    if number < 0x20:
        return 6
    return 1 if number < 0x80 else 2 if number < 0x800 else 3 if number < 0x10000 else 4


def split(text: str, limit: int = MAX_BYTES) -> list[str]:
    """Cut ``text`` into parts of at most ``limit`` bytes: between paragraphs, lines, sentences or words.

    A block of code that is cut is closed in the one part and opened again in the next. No sign that is made
    of several characters (an emoji with its skin, an accent) is cut. The same text always gives the same
    parts; there is always one.
    """
    parts: list[str] = []
    rest = text.strip("\n")
    while size(rest) > limit:
        cut = _cut(rest, limit - _FENCE_BYTES)
        head, rest = rest[:cut].rstrip(), rest[cut:]
        opening = _open_fence(head)
        if opening:
            # Spaces at the beginning of a line of code belong to it.
            parts.append(f"{head}\n{_marks(opening)}")
            rest = f"{opening}\n" + rest.lstrip("\n")
        else:
            parts.append(head)
            rest = rest.lstrip()
        if not parts[-1].strip():
            parts.pop()
    if rest.strip() or not parts:
        parts.append(rest)
    return parts


def _cut(text: str, limit: int) -> int:
    used = end = 0
    for character in text:
        used += _size(character)
        if used > limit:
            break
        end += 1
    end = max(end, 1)
    # A place in the first half would make many small parts.
    for place in _PLACES:
        found = [match.end() for match in place.finditer(text, end // 2, end) if match.end() <= end]
        if found:
            return found[-1]
    return _between_signs(text, end)


def _between_signs(text: str, end: int) -> int:
    cut = end
    while cut > max(1, end - 40) and _joined(text, cut):
        cut -= 1
    return cut if cut > max(1, end - 40) else end


def _joined(text: str, cut: int) -> bool:
    if cut >= len(text):
        return False
    before, after = text[cut - 1], text[cut]
    if unicodedata.combining(after) or unicodedata.category(after) in {"Mn", "Me"}:
        return True
    # The vowels and endings of Hangul that is written in its pieces.
    if "\u1160" <= after <= "\u11ff":
        return True
    if "\u200d" in (before, after) or "\ufe00" <= after <= "\ufe0f":
        return True
    if "\U0001f3fb" <= after <= "\U0001f3ff" or "\U000e0020" <= after <= "\U000e007f":
        return True
    # A flag is two letters of a kind of their own: they pair from the left.
    if _is_flag_letter(after) and _is_flag_letter(before):
        run = cut
        while run and _is_flag_letter(text[run - 1]):
            run -= 1
        return (cut - run) % 2 == 1
    return False


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _open_fence(text: str) -> str:
    """Return the line that opened the block of code in which ``text`` ends, or an empty text."""
    opening = ""
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if found is None:
            continue
        if not opening:
            if "`" not in found.group(2):
                opening = line.strip()[: _FENCE_BYTES // 3]
        elif found.group(1).startswith(_marks(opening)) and not found.group(2).strip():
            opening = ""
    return opening


def _marks(opening: str) -> str:
    return opening[: len(opening) - len(opening.lstrip(opening[0]))]
