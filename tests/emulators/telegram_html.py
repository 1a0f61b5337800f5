"""The Bot API's HTML style.

Source: https://core.telegram.org/bots/api#html-style, and TDLib's ``parse_html`` for what is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.emulators.telegram_entities import Formatted, units, unparsed

_KINDS = {
    **{"b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline"},
    **{"s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "tg-spoiler": "spoiler"},
    **{"a": "text_link", "code": "code", "pre": "pre", "blockquote": "blockquote"},
    **{"span": "spoiler", "tg-emoji": "custom_emoji"},
}
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_TOKEN = re.compile(r"<(?P<tag>[^>]*)>?|&(?P<name>#x[0-9a-fA-F]+|#[0-9]+|[a-z]+);")
_ATTRIBUTE = re.compile(r"""\s+([a-zA-Z][a-zA-Z-]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?""")


@dataclass
class _Open:
    tag: str
    start: int
    attributes: dict[str, str]


def parse_html(source: str) -> Formatted:
    """Read a text in HTML style.

    Raises:
        TelegramError: 400, as the API words it.
    """
    pieces: list[str] = []
    opened: list[_Open] = []
    entities: list[dict[str, object]] = []
    place = length = 0

    def add(text: str) -> None:
        nonlocal length
        pieces.append(text)
        length += units(text)

    for match in _TOKEN.finditer(source):
        add(source[place : match.start()])
        place = match.end()
        at = f"at byte offset {len(source[: match.start()].encode())}"
        if match["tag"] is None:
            add(_character(match["name"]) or match[0])
        elif not match[0].endswith(">"):
            raise unparsed(f"Unclosed start tag {at}")
        elif match["tag"].startswith("/"):
            _close(match["tag"][1:].strip().lower(), opened, entities, length, at)
        else:
            opened.append(_opened(match["tag"], length, at))
    add(source[place:])
    if opened:
        raise unparsed(f'Can\'t find end tag corresponding to start tag "{opened[-1].tag}"')
    return Formatted("".join(pieces), entities)


def _character(name: str) -> str:
    if not name.startswith("#"):
        return _NAMED.get(name, "")  # only these four names are known; others stay as they are
    code = int(name[2:], 16) if name[1] == "x" else int(name[1:])
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else ""


def _opened(inside: str, length: int, at: str) -> _Open:
    name = re.match(r"[a-zA-Z0-9-]*", inside)
    tag = name[0].lower() if name else ""
    attributes = {m[1].lower(): m[2] or m[3] or m[4] or "" for m in _ATTRIBUTE.finditer(inside, len(tag))}
    if tag not in _KINDS or (tag == "span" and attributes.get("class") != "tg-spoiler"):
        raise unparsed(f'Unsupported start tag "{tag}" {at}')
    return _Open(tag, length, attributes)


def _close(tag: str, opened: list[_Open], entities: list[dict[str, object]], length: int, at: str) -> None:
    if not opened:
        raise unparsed(f"Unexpected end tag {at}")
    one = opened.pop()
    if tag and tag != one.tag:
        raise unparsed(f'Unmatched end tag {at}, expected "</{one.tag}>", found "</{tag}>"')
    if length == one.start:
        return
    entity: dict[str, object] = {"type": _KINDS[one.tag], "offset": one.start, "length": length - one.start}
    if one.tag == "a":
        if not one.attributes.get("href"):
            return
        entity["url"] = one.attributes["href"]
    language = one.attributes.get("class", "")
    if one.tag == "code" and language.startswith("language-") and opened and opened[-1].tag == "pre":
        opened[-1].attributes["language"] = language.removeprefix("language-")
        return
    if one.tag == "pre" and one.attributes.get("language"):
        entity["language"] = one.attributes["language"]
    if one.tag == "blockquote" and "expandable" in one.attributes:
        entity["type"] = "expandable_blockquote"
    if one.tag == "tg-emoji":
        entity["custom_emoji_id"] = one.attributes.get("emoji-id", "")
    entities.append(entity)
