"""A text with its formatting, as the Bot API understands it.

Sources: https://core.telegram.org/bots/api#messageentity and #formatting-options; the words of the refusals
and what is refused follow TDLib's ``MessageEntity.cpp``, on which the public server is built.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.emulators.telegram_parameters import TelegramError

UNPARSED = "Bad Request: can't parse entities:"
MAX_ENTITIES = 100  # more are ignored
TYPES = {
    *("mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "bold", "italic"),
    *("underline", "strikethrough", "spoiler", "blockquote", "expandable_blockquote", "code", "pre"),
    *("text_link", "text_mention", "custom_emoji"),
}
_ALONE = {"code", "pre"}  # "can't contain any other entities" nor be part of them, but for quotes
_QUOTES = {"blockquote", "expandable_blockquote"}


def units(text: str) -> int:
    """Give the length of a text in UTF-16 code units, in which entities are measured."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def unparsed(problem: str) -> TelegramError:
    """Make the refusal of a formatting that cannot be read."""
    return TelegramError(400, f"{UNPARSED} {problem}")


@dataclass
class Formatted:
    """A text as people see it, and its entities as the Bot API writes them."""

    text: str
    entities: list[dict[str, object]] = field(default_factory=list)

    def stripped(self) -> Formatted:
        """Give it without white space at its ends, where the server takes it away; entities move along."""
        cut = units(self.text) - units(self.text.lstrip())
        text = self.text.strip()
        size, kept = units(text), []
        for entity in self.entities:
            start, end = _span(entity)
            start, end = max(0, start - cut), min(size, end - cut)
            if end > start:
                kept.append({**entity, "offset": start, "length": end - start})
        return Formatted(text, _sorted(kept)[:MAX_ENTITIES])


def _span(entity: Mapping[str, object]) -> tuple[int, int]:
    start, length = entity["offset"], entity["length"]
    assert isinstance(start, int) and isinstance(length, int)
    return start, start + length


def _sorted(entities: list[dict[str, object]]) -> list[dict[str, object]]:
    return sorted(entities, key=lambda entity: (_span(entity)[0], -_span(entity)[1]))


def given_entities(text: str, value: object) -> Formatted:
    """Read the parameter ``entities``: a list, or its JSON.

    Raises:
        TelegramError: 400 for a list that is none, an entity without its fields, or one beyond the text.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise unparsed("can't parse entities JSON object") from error
    if not isinstance(value, list):
        raise unparsed("expected an Array of MessageEntity")
    size = units(text)
    entities = []
    for item in value:
        if not isinstance(item, dict):
            raise unparsed("expected an Object as MessageEntity")
        for name in ("offset", "length"):
            if not isinstance(item.get(name), int) or isinstance(item[name], bool):
                raise unparsed(f'Field "{name}" must be of type Number')
        if item.get("type") not in TYPES:
            raise unparsed("Unsupported type specified")
        start, end = _span(item)
        if start < 0 or end <= start or end > size:
            raise unparsed(f"Receive an entity with incorrect offset {start} and length {end - start}")
        if _cuts_a_pair(text, start) or _cuts_a_pair(text, end):
            raise unparsed("Entity begins or ends in a middle of a UTF-16 symbol")
        if item["type"] == "text_link" and not str(item.get("url") or "").startswith(("http", "tg:", "ton:")):
            continue  # an entity with a bad address is dropped, the text stays
        entities.append({key: value for key, value in item.items() if value is not None})
    return Formatted(text, _nested(_sorted(entities)))


def _cuts_a_pair(text: str, place: int) -> bool:
    half = text.encode("utf-16-le", "surrogatepass")[place * 2 : place * 2 + 2]
    return 0xDC00 <= int.from_bytes(half, "little") <= 0xDFFF


def _nested(entities: list[dict[str, object]]) -> list[dict[str, object]]:
    """Drop what the server would drop: formatting within or around code."""
    alone = [_span(entity) for entity in entities if entity["type"] in _ALONE]
    kept = []
    for entity in entities:
        start, end = _span(entity)
        crossed = any(start < right and left < end for left, right in alone)
        if entity["type"] in _ALONE | _QUOTES or not crossed:
            kept.append(entity)
    return kept
