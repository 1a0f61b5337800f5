"""Markdown, as models write it, to a text with Telegram's entities.

The text goes out with its formatting beside it (core.telegram.org/bots/api#messageentity) and without a parse
mode: Telegram then looks for no marks in it, so nothing that a model writes can break a message.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token
from telegram import MessageEntity

from assistant.channels.telegram.emphasis import tokenize

# Telegram ignores what is beyond (core.telegram.org/api/entities).
MAX_ENTITIES = 100
RULE = "———"
_MARKS = {"strong": MessageEntity.BOLD, "em": MessageEntity.ITALIC, "s": MessageEntity.STRIKETHROUGH}


def units(text: str) -> int:
    """Return the length of ``text`` in UTF-16 code units: 2 for a character beyond U+FFFF, else 1."""
    return len(text) + sum(1 for character in text if ord(character) > 0xFFFF)


@dataclass(frozen=True)
class Rendered:
    """A text as Telegram shows it, and its formatting; offsets and lengths are in UTF-16 code units.

    ``dropped`` is how many entities are more than Telegram takes.
    """

    text: str
    entities: tuple[MessageEntity, ...] = ()
    dropped: int = 0


def is_web_link(url: str) -> bool:
    """Whether ``url`` may become a link: other schemes (tg:, javascript:) stay visible text."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


@lru_cache(maxsize=1)
def parser() -> MarkdownIt:
    """Return the Markdown parser: CommonMark without HTML, with tables and strikethrough.

    Indented code, underlined headings and link definitions are off: people and models indent and underline
    without meaning those, and a definition would vanish from the text.
    """
    made = MarkdownIt("commonmark", {"html": False})
    made.enable(["strikethrough", "table"]).disable(["code", "lheading", "reference"])
    made.inline.ruler.at("emphasis", tokenize)
    made.validateLink = is_web_link  # type: ignore[method-assign]  # as the library's guide says
    return made


def render(source: str) -> Rendered:
    """Return ``source`` as a text with entities; a text that would show nothing comes back as it was."""
    writer = _Writer(source)
    writer.blocks(parser().parse(source))
    return writer.finished()


class _Writer:
    """Collects a text and its entities, block by block."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._lines = source.split("\n")
        self._pieces: list[str] = []
        self._length = 0  # UTF-16 code units so far
        self._gap = ""  # what stands between the last block and the next
        self._lists: list[int | None] = []  # each open list's next number, None for bullets
        self._quotes: list[int] = []
        self._entities: list[tuple[str, int, int, str, str]] = []

    def _add(self, text: str) -> None:
        if text:
            self._pieces.append(text)
            self._length += units(text)

    def _begin(self) -> None:
        """Begin a block: separate it from the one before."""
        if self._pieces:
            self._add(self._gap)
        self._gap = ""

    def _end(self) -> None:
        self._gap = "\n" if self._lists else "\n\n"

    def _mark(self, kind: str, start: int, url: str = "", language: str = "") -> None:
        if self._length > start:
            self._entities.append((kind, start, self._length, url, language))

    def blocks(self, tokens: list[Token]) -> None:
        """Write all blocks."""
        handlers: dict[str, Callable[[Token], None]] = {
            "bullet_list_open": lambda token: self._open_list(None),
            "ordered_list_open": lambda token: self._open_list(int(token.attrs.get("start", 1))),
            "bullet_list_close": self._close_list,
            "ordered_list_close": self._close_list,
            "list_item_open": self._item,
            "blockquote_open": self._open_quote,
            "blockquote_close": self._close_quote,
            "fence": self._fence,
            "hr": self._rule,
            "paragraph_close": lambda token: self._end(),
            "heading_close": lambda token: self._heading_end(),
        }
        heading = in_table = False
        for token in tokens:
            if token.type in {"table_open", "table_close"}:
                in_table = token.type == "table_open"
                if in_table:
                    self._table(token)
            elif in_table:
                continue
            elif token.type == "heading_open":
                heading = True
            elif token.type == "inline":
                self._begin()
                self._inline(token.children or [], [MessageEntity.BOLD] if heading else [])
                heading = False
            elif token.type in handlers:
                handlers[token.type](token)

    def _heading_end(self) -> None:
        self._gap = "\n"

    def _open_list(self, first: int | None) -> None:
        # A list within an item begins on a line of its own.
        self._gap = "\n" if self._lists else self._gap
        self._lists.append(first)

    def _close_list(self, _: Token) -> None:
        self._lists.pop()
        self._end()

    def _item(self, _: Token) -> None:
        self._begin()
        number = self._lists[-1]
        self._add("  " * (len(self._lists) - 1) + ("• " if number is None else f"{number}. "))
        if number is not None:
            self._lists[-1] = number + 1

    def _open_quote(self, _: Token) -> None:
        self._begin()
        self._quotes.append(self._length)

    def _close_quote(self, _: Token) -> None:
        start = self._quotes.pop()
        if not self._quotes:  # Telegram knows no quote within a quote
            self._mark(MessageEntity.BLOCKQUOTE, start)
        self._end()

    def _pre(self, text: str, language: str) -> None:
        self._begin()
        start = self._length
        self._add(text)
        self._mark(MessageEntity.PRE, start, language=language)
        self._end()

    def _fence(self, token: Token) -> None:
        words = token.info.split()
        self._pre(token.content.rstrip("\n"), words[0] if words else "")

    def _table(self, token: Token) -> None:
        # As it was written: columns that are filled up with blanks do not fit on a telephone.
        start, end = token.map or (0, 0)
        self._pre("\n".join(line.strip() for line in self._lines[start:end]).rstrip(), "")

    def _rule(self, _: Token) -> None:
        self._begin()
        self._add(RULE)
        self._end()

    def _inline(self, tokens: list[Token], outer: list[str]) -> None:
        """Write the inside of a paragraph; ``outer`` formatting lies around all of it."""
        opened: list[tuple[str, int, str]] = [(kind, self._length, "") for kind in outer]
        for token in tokens:
            if token.type == "text":
                self._add(token.content)
            elif token.type in {"softbreak", "hardbreak"}:
                self._add("\n")
            elif token.type == "code_inline":
                self._code(token.content, opened)
            elif token.type == "image":
                self._image(token)
            elif token.type == "link_open":
                opened.append((MessageEntity.TEXT_LINK, self._length, str(token.attrs.get("href", ""))))
            elif token.nesting == 1 and token.tag in _MARKS:
                opened.append((_MARKS[token.tag], self._length, ""))
            elif token.nesting == -1 and opened:
                kind, start, url = opened.pop()
                self._mark(kind, start, url)
        for kind, start, url in reversed(opened):
            self._mark(kind, start, url)

    def _code(self, text: str, opened: list[tuple[str, int, str]]) -> None:
        if any(kind == MessageEntity.TEXT_LINK for kind, _, _ in opened):
            self._add(text)
            return
        # Code lies in no other formatting: what is open ends before it and goes on behind.
        for kind, start, url in reversed(opened):
            self._mark(kind, start, url)
        start = self._length
        self._add(text)
        self._mark(MessageEntity.CODE, start)
        opened[:] = [(kind, self._length, url) for kind, _, url in opened]

    def _image(self, token: Token) -> None:
        start, url = self._length, str(token.attrs.get("src", ""))
        self._add(token.content or url)
        self._mark(MessageEntity.TEXT_LINK, start, url)

    def finished(self) -> Rendered:
        """Return what was written, without white space at its ends."""
        text = "".join(self._pieces)
        cut = units(text) - units(text.lstrip())
        text = text.strip()
        if not text:
            return Rendered(self._source.strip())
        size, entities = units(text), []
        for kind, start, end, url, language in self._entities:
            start, end = max(0, start - cut), min(size, end - cut)
            if end > start:
                entities.append(
                    MessageEntity(kind, start, end - start, url=url or None, language=language or None)
                )
        entities.sort(key=lambda entity: (entity.offset, -entity.length))
        return Rendered(text, tuple(entities[:MAX_ENTITIES]), max(0, len(entities) - MAX_ENTITIES))
