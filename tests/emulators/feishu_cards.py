"""Card entities (CardKit) of the emulated Feishu platform.

Sources (under https://open.feishu.cn/document): cardkit-v1/card/{create,update,settings,id_convert},
cardkit-v1/card-element/content, cardkit-v1/streaming-updates-openapi-overview and
feishu-cards/card-json-v2-structure: an entity is sent once, lives 14 days, takes 10 changes a second, streams
for 10 minutes after streaming was turned on; sequences grow strictly; a card has 30 KB and 200 elements.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.emulators.feishu_messages import RICH_BYTES, FeishuError
from tests.emulators.limits import Window
from tests.emulators.record import Sent

STREAMING_SECONDS = 600.0
ENTITY_SECONDS = 14 * 86400.0
CHANGES_A_SECOND = 10
MOST_ELEMENTS = 200
_ELEMENT_ID = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,19}")
_TAGS = {"markdown", "div", "plain_text", "hr", "column_set", "column", "button"}
_AT = re.compile(r"<\s*(?:at|person)\b")
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def elements_of(value: object) -> Iterator[dict[str, Any]]:
    """Give all elements and components of a card, outer ones first."""
    if isinstance(value, list):
        for item in value:
            yield from elements_of(item)
    elif isinstance(value, dict):
        if "tag" in value:
            yield value
        for name, inner in value.items():
            if name not in {"behaviors", "value"}:
                yield from elements_of(inner)


def checked_card(text: object, refuse: Callable[[int, str], FeishuError]) -> dict[str, Any]:
    """Check a card's JSON.

    Args:
        text: the JSON.
        refuse: makes the refusal of a code and a message.

    Raises:
        FeishuError: what ``refuse`` makes of the documented code.
    """
    if not isinstance(text, str) or not text:
        raise refuse(10002, "data must be a string")
    if len(text.encode()) > RICH_BYTES:
        raise refuse(200860, "Card content exceeds limit.")
    try:
        card = json.loads(text)
    except ValueError as error:
        raise refuse(200220, "Failed to generate card content") from error
    if not isinstance(card, dict) or not card:
        raise refuse(300307, "The card DSL is empty")
    if card.get("schema") != "2.0":
        raise refuse(300303, "Only schema 2.0 is supported")
    if card.get("config", {}).get("update_multi") is False:
        raise refuse(300302, "update_multi property is false")
    _check_elements(list(elements_of(card.get("body"))), refuse)
    return card


def _check_elements(found: list[dict[str, Any]], refuse: Callable[[int, str], FeishuError]) -> None:
    if not found:
        raise refuse(200220, "Failed to generate card content: no elements")
    if len(found) > MOST_ELEMENTS:
        raise refuse(300305, "The number of card components exceeds 200")
    names = [element["element_id"] for element in found if "element_id" in element]
    if len(set(names)) != len(names):
        raise refuse(300301, "Duplicate element_id in card component.")
    for element in found:
        if element["tag"] not in _TAGS:
            raise refuse(200220, f"unsupported tag {element['tag']}")
        if not _ELEMENT_ID.fullmatch(element.get("element_id", "a")):
            raise refuse(10002, "element_id is invalid")
        content = element.get("content", "")
        if element["tag"] in {"markdown", "plain_text"} and not (isinstance(content, str) and content):
            raise refuse(200220, "content is empty")
        if element["tag"] == "markdown":
            check_markdown(content, refuse)
        if element["tag"] == "button" and not callbacks(element):
            raise refuse(200220, "behaviors is required")


def check_markdown(content: str, refuse: Callable[[int, str], FeishuError]) -> None:
    """Refuse a mention: nobody has the ids in the emulated tenant, and only some groups allow all."""
    if _AT.search(_FENCED.sub("", content)):
        raise refuse(100290, "There is an invalid user resource(at/person) in your card")


def callbacks(element: Mapping[str, Any]) -> list[Any]:
    """Give the values that a click on a button sends back."""
    behaviors = element.get("behaviors")
    return [b.get("value") for b in behaviors or [] if isinstance(b, dict) and b.get("type") == "callback"]


def words_of(card: Mapping[str, Any]) -> str:
    """Give what a person reads in a card, without the buttons' labels."""
    body = card.get("body")
    found = [e for e in elements_of(body) if e["tag"] in {"markdown", "plain_text"}]
    labels = [e.get("text") for e in elements_of(body) if e["tag"] == "button"]
    return "\n".join(e["content"] for e in found if e not in labels)


def buttons_of(card: Mapping[str, Any]) -> list[Any]:
    """Give the values of all buttons."""
    return [value for e in elements_of(card.get("body")) if e["tag"] == "button" for value in callbacks(e)]


@dataclass
class Entity:
    """A card entity; ``sent`` is the message that shows it."""

    card: dict[str, Any]
    created: float
    streaming_since: float
    sequence: int = 0
    sent: Sent | None = None

    @property
    def streams(self) -> bool:
        """Whether streaming is turned on."""
        return bool(self.card.get("config", {}).get("streaming_mode"))


def _plainly(code: int, message: str) -> FeishuError:
    return FeishuError(code, message)


class Cards:
    """All card entities."""

    def __init__(self, clock: Callable[[], float], streaming_seconds: float) -> None:
        """Start with none; streaming ends after ``streaming_seconds``."""
        self._clock, self._streaming_seconds = clock, streaming_seconds
        self._entities: dict[str, Entity] = {}
        self._rate = Window(CHANGES_A_SECOND, 1.0, clock)

    def clear(self) -> None:
        """Forget all entities."""
        self._entities.clear()

    def create(self, document: object) -> str:
        """Create an entity from a call's body and give its id."""
        if not isinstance(document, Mapping) or document.get("type") != "card_json":
            raise FeishuError(10002, "Your request contains an invalid request parameter.")
        card = checked_card(document.get("data"), _plainly)
        card_id = str(7_000_000_000_000_000_000 + secrets.randbelow(10**18))
        self._entities[card_id] = Entity(card, self._clock(), self._clock())
        return card_id

    def show(self, card_id: object, sent: Sent) -> None:
        """Show an entity in a message; an entity is sent once."""
        entity = self._entities.get(str(card_id))
        if entity is None:
            raise FeishuError(230099, "Failed to create card content, ext=ErrCode: 200740; card not found")
        if entity.sent is not None:
            raise FeishuError(230099, "Failed to create card content, ext=the card entity was sent already")
        entity.sent = sent
        self._show(entity)

    def adopt(self, card: dict[str, Any], sent: Sent) -> str:
        """Make an entity of a card that was sent as JSON, as ``id_convert`` does."""
        card_id = str(7_000_000_000_000_000_000 + secrets.randbelow(10**18))
        self._entities[card_id] = Entity(card, self._clock(), self._clock(), sent=sent)
        return card_id

    def card_in(self, message_id: str) -> str | None:
        """Give the id of the entity that a message shows."""
        for card_id, entity in self._entities.items():
            if entity.sent is not None and entity.sent.message_id == message_id:
                return card_id
        return None

    def stream(self, card_id: str, element_id: str, document: object) -> None:
        """Put a text into an element."""
        entity, body = self._changed(card_id, document)
        text = body.get("content")
        if not isinstance(text, str) or not 1 <= len(text) <= 100_000:
            raise FeishuError(10002, "content is invalid")
        if not entity.streams:
            raise FeishuError(300309, "Card streaming closed")
        if self._clock() - entity.streaming_since >= self._streaming_seconds:
            raise FeishuError(200850, "Card streaming timeout")
        found = [e for e in elements_of(entity.card["body"]) if e.get("element_id") == element_id]
        if not found or found[0]["tag"] not in {"markdown", "plain_text"}:
            raise FeishuError(300310, "Only update text")
        check_markdown(text, _plainly)
        before = found[0]["content"]
        found[0]["content"] = text
        if len(json.dumps(entity.card, ensure_ascii=False).encode()) > RICH_BYTES:
            found[0]["content"] = before
            raise FeishuError(200860, "Card content exceeds limit.")
        self._show(entity, edited=True)

    def update(self, card_id: str, document: object) -> None:
        """Put another card in the place of the whole one."""
        entity, body = self._changed(card_id, document)
        inner = body.get("card")
        if not isinstance(inner, Mapping) or inner.get("type") != "card_json":
            raise FeishuError(10002, "card is invalid")
        card = checked_card(inner.get("data"), _plainly)
        if card.get("config", {}).get("streaming_mode") and not entity.streams:
            entity.streaming_since = self._clock()
        entity.card = card
        self._show(entity, edited=True)

    def settings(self, card_id: str, document: object) -> None:
        """Change a card's config."""
        entity, body = self._changed(card_id, document)
        try:
            config = json.loads(body["settings"])["config"]
        except (KeyError, TypeError, ValueError) as error:
            raise FeishuError(300122, "Failed to update card configuration") from error
        entity.card.setdefault("config", {}).update(config)
        if config.get("streaming_mode"):
            entity.streaming_since = self._clock()
        self._show(entity)

    def _changed(self, card_id: str, document: object) -> tuple[Entity, Mapping[str, Any]]:
        entity = self._entities.get(card_id)
        if entity is None:
            raise FeishuError(200740, "The card entity does not exist")
        if self._clock() - entity.created > ENTITY_SECONDS:
            raise FeishuError(200750, "The card entity has expired")
        if self._rate.wait(card_id):
            raise FeishuError(99991400, "request trigger frequency limit", status=429, reset=1)
        if not isinstance(document, Mapping):
            raise FeishuError(10002, "Your request contains an invalid request parameter.")
        sequence = document.get("sequence")
        if type(sequence) is not int or not 1 <= sequence <= 2**31 - 1:
            raise FeishuError(10002, "sequence is invalid")
        if sequence <= entity.sequence:
            raise FeishuError(300317, "The sequence number for operating on the card did not increment")
        entity.sequence = sequence
        return entity, document

    def _show(self, entity: Entity, *, edited: bool = False) -> None:
        sent = entity.sent
        if sent is None:
            return
        words = words_of(entity.card)
        if edited:
            sent.edit(words)
        else:
            sent.text = words
        sent.buttons = buttons_of(entity.card)
        sent.streaming = entity.streams
