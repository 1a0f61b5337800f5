"""The Bot API's MarkdownV2 style.

Source: https://core.telegram.org/bots/api#markdownv2-style, and TDLib's ``parse_markdown_v2`` for what is
refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.emulators.telegram_entities import Formatted, units, unparsed

_RESERVED = frozenset("_*[]()~`>#+-=|{}.!")
_KINDS = {"*": "bold", "_": "italic", "__": "underline", "~": "strikethrough", "||": "spoiler", "`": "code"}
_CODE = {"`", "```"}
_LANGUAGE = re.compile(r"([^\s`]+)?\n?")


@dataclass
class _Open:
    mark: str
    start: int
    at: int
    language: str = ""


class _Reader:
    """Reads one text from its beginning to its end."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._place = 0
        self._pieces: list[str] = []
        self._length = 0
        self._opened: list[_Open] = []
        self._entities: list[dict[str, object]] = []
        self._quote: int | None = None

    def read(self) -> Formatted:
        source = self._source
        while self._place < len(source):
            character = source[self._place]
            if (
                self._quote is not None
                and character == "\n"
                and source[self._place + 1 : self._place + 2] != ">"
            ):
                self._end_quote()
            following = source[self._place + 1 : self._place + 2]
            if character == "\\" and following and 0 < ord(following) <= 126:
                self._add(following)
                self._place += 2
            elif self._opened and self._opened[-1].mark in _CODE:
                self._in_code(character)
            elif character not in _RESERVED:
                self._add(character)
                self._place += 1
            elif character == ">" and self._at_line_start():
                self._quote = self._length if self._quote is None else self._quote
                self._place += 1
            else:
                self._mark(character)
        if self._quote is not None:
            self._end_quote()
        if self._opened:
            one = self._opened[-1]
            kind = {"[": "TextUrl", "```": "Pre"}.get(one.mark) or _KINDS[one.mark].capitalize()
            raise unparsed(f"Can't find end of {kind} entity at byte offset {one.at}")
        return Formatted("".join(self._pieces), self._entities)

    def _add(self, text: str) -> None:
        self._pieces.append(text)
        self._length += units(text)

    def _at_line_start(self) -> bool:
        return self._place == 0 or self._source[self._place - 1] == "\n"

    def _end_quote(self) -> None:
        self._entity("blockquote", self._quote or 0)
        self._quote = None

    def _entity(self, kind: str, start: int, **more: object) -> None:
        if self._length > start:
            self._entities.append({"type": kind, "offset": start, "length": self._length - start, **more})

    def _in_code(self, character: str) -> None:
        one = self._opened[-1]
        if self._source.startswith(one.mark, self._place):
            self._place += len(one.mark)
            self._opened.pop()
            if one.mark == "`":
                self._entity("code", one.start)
            else:
                self._entity("pre", one.start, **({"language": one.language} if one.language else {}))
            return
        self._add(character)
        self._place += 1

    def _mark(self, character: str) -> None:
        at = len(self._source[: self._place].encode())
        mark = self._longest(character)
        if mark == "]" and any(one.mark == "[" for one in self._opened):
            self._link(at)
        elif self._opened and self._opened[-1].mark == mark:
            one = self._opened.pop()
            self._place += len(mark)
            self._entity(_KINDS[mark], one.start)
        elif mark in _KINDS or mark in {"[", "```"}:
            self._place += len(mark)
            language = ""
            if mark == "```":
                found = _LANGUAGE.match(self._source, self._place)
                if found and found[0].endswith("\n"):
                    language = found[1] or ""
                    self._place = found.end()
            self._opened.append(_Open(mark, self._length, at, language))
        else:
            raise unparsed(f"Character '{character}' is reserved and must be escaped with the preceding '\\'")

    def _longest(self, character: str) -> str:
        for mark in ("```", "__", "||"):
            if self._source.startswith(mark, self._place):
                return mark
        return character

    def _link(self, at: int) -> None:
        one = self._opened.pop()
        if one.mark != "[":
            raise unparsed(
                f"Can't find end of {_KINDS[one.mark].capitalize()} entity at byte offset {one.at}"
            )
        self._place += 1
        if not self._source.startswith("(", self._place):
            return  # without an address the brackets vanish
        address, place = [], self._place + 1
        while place < len(self._source) and self._source[place] != ")":
            if self._source[place] == "\\" and place + 1 < len(self._source):
                place += 1
            address.append(self._source[place])
            place += 1
        if place >= len(self._source):
            raise unparsed(f"Can't find end of a URL at byte offset {at}")
        self._place = place + 1
        self._entity("text_link", one.start, url="".join(address))


def parse_markdown(source: str) -> Formatted:
    """Read a text in MarkdownV2 style.

    Raises:
        TelegramError: 400, as the API words it.
    """
    return _Reader(source).read()
