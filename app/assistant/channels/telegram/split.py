"""Cutting a Markdown text into messages that Telegram takes.

The parts are Markdown again, each to be rendered by itself. The same text always gives the same parts:
after a restart the sender goes on with the part that comes next.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from assistant.channels.telegram.markdown import MAX_ENTITIES, parser, render, units

# core.telegram.org/bots/api#sendmessage: "1-4096 characters after entities parsing". The public server
# counts code points (``utf8_length`` where TDLib refuses with "Message is too long"); entities count UTF-16
# code units, which are never fewer. What fits in these fits either way.
MAX_UNITS = 4096
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_LINE = re.compile(r"\n")
_SENTENCE = re.compile(r"[。！？；…]+[”’」』）]*|[.!?;]+[\"')\]]*(?=\s)")
_SPACE = re.compile(r"\s+")
_TRIES = 8  # of one kind of cut, before a worse kind is taken; and of room for one part
# What a part shows of what it may: below the first it is worth another try, which aims at the second.
_POOR, _FULL = 0.45, 0.8
_AHEAD = 1000  # characters behind a cut that are looked at


@dataclass(frozen=True)
class _Fence:
    """A code block from ``start`` to ``end``, its code from ``inside`` to ``last``; in characters."""

    start: int
    inside: int
    last: int
    end: int
    marks: str
    info: str


def split(text: str, limit: int = MAX_UNITS) -> list[str]:
    """Cut ``text`` into parts that show at most ``limit`` UTF-16 code units each.

    A cut falls between paragraphs, else lines, sentences or words, if one of those ends in the second half of
    what fits; never within emphasis or a link that could be spared, nor within a character of several code
    points. A code block that is cut is closed and opened again. No part is empty, for Telegram refuses those.
    """
    parts = []
    rest = _cleaned(text)
    while rest:
        head, rest = _cut(rest, limit)
        if head:
            parts.append(head)
    return parts


def first_part(text: str, limit: int = MAX_UNITS) -> str:
    """Return the first of the parts of ``text``, empty if there is none."""
    rest = _cleaned(text)
    return _cut(rest, limit)[0] if rest else ""


def _cleaned(text: str) -> str:
    # With line ends as the parser counts lines.
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _cut(text: str, limit: int) -> tuple[str, str]:
    """Return the first part of ``text``, and what is left.

    How much of the text shows ``limit`` units is only known once it is rendered: addresses of links do not
    show, a list's indentation may be new.
    """
    room, best = limit, None
    for _ in range(_TRIES):
        head, rest = _cut_source(text, _fitting(text, room), room)
        shown = render(head)
        # Above 1 it does not fit.
        used = max(units(shown.text) / limit, (len(shown.entities) + shown.dropped) / MAX_ENTITIES)
        if used <= 1:
            best = head, rest
            if not rest or used > _POOR:
                break
            room = int(room * _FULL / max(used, 1 / limit)) + 1
        elif best is not None:
            break
        else:
            room = max(1, min(room - 1, int(room * _FULL / used)))
    return best or _cut_source(text, _fitting(text, room), room)


def _fitting(text: str, limit: int) -> int:
    used = 0
    for index, character in enumerate(text):
        used += 2 if ord(character) > 0xFFFF else 1
        if used > limit:
            return index
    return len(text)


def _fences(text: str) -> Iterator[_Fence]:
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    for token in parser().parse(text):
        # One within a list or quote has marks on each line that a new block would lack.
        if token.type == "fence" and token.map and token.level == 0:
            first, behind = token.map
            last_line = text[starts[behind - 1] : starts[behind]]
            closed = behind - first > 1 and last_line.strip().startswith(token.markup)
            yield _Fence(
                starts[first],
                starts[first + 1],
                starts[behind - 1 if closed else behind],
                min(starts[behind], len(text)),
                token.markup,
                token.info.strip(),
            )


def _cut_source(text: str, end: int, room: int) -> tuple[str, str]:
    """Cut ``text`` at the best place up to ``end`` characters; ``room`` is what one part may hold of it."""
    if end >= len(text):
        return text, ""
    # A block that begins within this part and ends beyond three of them does not fit into the next either.
    fences = list(_fences(text[: 3 * room]))
    fence = next((f for f in fences if f.start < end < f.end), None)
    if fence is None or fence.start > end // 2:
        stop = end if fence is None else fence.start
        place = stop if fence is not None else _place(text, end, fences)
        return text[:place].rstrip(), text[place:].lstrip()
    if fence.start > end // 8 and fence.end - fence.start < end:
        # The code fits whole into the next part.
        return text[: fence.start].rstrip(), text[fence.start :]
    return _cut_code(text, end, fence)


def _cut_code(text: str, end: int, fence: _Fence) -> tuple[str, str]:
    marks = f"\n{fence.marks}"
    place = min(end, fence.last)
    newline = text.rfind("\n", max(fence.inside, place // 2), place)
    place = newline + 1 if newline >= 0 else _whole_character(text, place)
    if place <= fence.inside:
        # Not even the first character of the code fits.
        place = fence.start or end
        return text[:place].rstrip(), text[place:]
    head = text[:place].rstrip("\n") + marks
    rest = text[place:]
    if not text[place : fence.last].strip():
        return head, text[fence.end :].lstrip()
    return head, f"{fence.marks}{fence.info}\n{rest}"


def _place(text: str, end: int, fences: list[_Fence]) -> int:
    for mark in (_PARAGRAPH, _LINE, _SENTENCE, _SPACE):
        # White space at the cut is taken away, so it may lie beyond the end.
        last = end if mark is _SENTENCE else end + 1
        found = [m.end() for m in mark.finditer(text, end // 2, end + 1) if m.end() <= last]
        # What comes before may be a code block; nothing in there is the end of a paragraph.
        found = [place for place in found if not any(f.start < place < f.end for f in fences)]
        for place in reversed(found[-_TRIES:]):
            if mark is _PARAGRAPH or _is_harmless(text, place):
                return min(place, len(text))
    return _whole_character(text, end)


def _is_harmless(text: str, place: int) -> bool:
    """Whether both sides of a cut show what the whole would: no emphasis, link or code is torn apart."""
    start = max(text.rfind("\n\n", 0, place), 0)
    stop = text.find("\n\n", place, place + _AHEAD)
    stop = min(len(text), place + _AHEAD) if stop < 0 else stop
    whole = render(text[start:stop])
    sides = [render(text[start:place]), render(text[place:stop])]
    shown = "".join("".join(side.text.split()) for side in sides)
    return shown == "".join(whole.text.split())


def _whole_character(text: str, end: int) -> int:
    """Return ``end``, or the place before a character that is written with several code points."""
    place = end
    while place > max(1, end - 16) and _continues(text, place):
        place -= 1
    return place if not _continues(text, place) else end


def _is_flag_letter(character: str) -> bool:
    return 0x1F1E6 <= ord(character) <= 0x1F1FF


def _continues(text: str, place: int) -> bool:
    before, behind = text[place - 1], text[place]
    joined = "\u200d" in (before, behind) or 0x1F3FB <= ord(behind) <= 0x1F3FF
    run = place
    while run > 0 and _is_flag_letter(text[run - 1]):
        run -= 1
    flag = (place - run) % 2 == 1 and _is_flag_letter(behind)
    return joined or flag or unicodedata.category(behind) in {"Mn", "Me"}
