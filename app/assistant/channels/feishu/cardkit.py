"""Card entities: creating, streaming into, and finishing them.

Source: open.feishu.cn, "Streaming card updates" and the pages cardkit-v1/card/create, .../update,
.../settings, .../id_convert and cardkit-v1/card-element/content: 10 changes a second for each card;
``sequence`` is an int32 above 0 that must grow from change to change; streaming ends by itself 10 minutes
after it was turned on; an entity lives for 14 days.
"""

import json
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from assistant.channels.base import PermanentError
from assistant.channels.feishu.cards import ANSWER_ELEMENT, streaming_config
from assistant.channels.feishu.errors import OLD_SEQUENCE, Refusal
from assistant.channels.feishu.transport import Transport

CARDS = "/open-apis/cardkit/v1/cards"
STREAMING_SECONDS = 600.0
# Turned on again before it ends; afterwards the card only waits for the finished text.
RENEW_AFTER_SECONDS = 480.0
REMEMBERED_CARDS = 2000
LONGEST_SEQUENCE = 2**31 - 1
SEQUENCES_A_SECOND = 100
# How far to jump when another process, whose clock is ahead, has changed the card: 28 hours each time.
SEQUENCE_JUMP = 28 * 3600 * SEQUENCES_A_SECOND
SEQUENCE_TRIES = 3


@dataclass(frozen=True)
class CardReference:
    """What a draft is remembered by: card, message, and when the card was made (seconds since 1970)."""

    card_id: str
    message_id: str
    created: int

    def __str__(self) -> str:
        """Return the text to remember."""
        return f"{self.card_id},{self.message_id},{self.created}"

    @classmethod
    def parse(cls, text: str) -> "CardReference":
        """Return the reference that ``text`` was made from.

        Raises:
            PermanentError: it was made from none.
        """
        card_id, _, rest = text.partition(",")
        message_id, _, created = rest.partition(",")
        if not card_id or not created.isascii() or not created.isdigit():
            raise PermanentError("not a card's reference")
        return cls(card_id, message_id, int(created))


@dataclass
class _State:
    """What this process knows of a card."""

    streaming_since: float
    sequence: int = 0
    finished: bool = False
    shown: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)


class CardKit:
    """Changes cards; one change of a card at a time, from any thread."""

    def __init__(self, transport: Transport) -> None:
        """Use ``transport``."""
        self._transport = transport
        self._states: OrderedDict[str, _State] = OrderedDict()
        self._lock = threading.Lock()

    def create(self, card: dict[str, Any]) -> str:
        """Create a card entity and return its id; raises what ``Transport.call`` raises."""
        body = {"type": "card_json", "data": _compact(card)}
        card_id = self._transport.call("POST", CARDS, body).data.get("card_id")
        if not isinstance(card_id, str) or not card_id:
            raise PermanentError("no card_id in the answer")
        return card_id

    def card_of(self, message_id: str) -> str:
        """Return the id of the card in a message that was sent; raises what ``Transport.call`` raises."""
        data = self._transport.call("POST", f"{CARDS}/id_convert", {"message_id": message_id}).data
        card_id = data.get("card_id")
        if not isinstance(card_id, str) or not card_id:
            raise PermanentError("no card_id in the answer")
        return card_id

    def opened(self, reference: CardReference) -> None:
        """Count a card that is being streamed into from now on."""
        self._state(reference)

    def stream(self, reference: CardReference, text: str) -> None:
        """Show ``text``; the client types what is new in it.

        Raises:
            PermanentError: the card is finished, gone, or its streaming is over.
            TransientError: it may work later.
        """
        state = self._state(reference)
        with state.lock:
            if state.finished:
                raise PermanentError("the card is finished")
            if not text or text == state.shown:
                return
            since = time.time() - state.streaming_since
            if since > RENEW_AFTER_SECONDS:
                settings = {"settings": _compact({"config": streaming_config(on=True)})}
                self._change(reference, state, "PATCH", "settings", settings)
                state.streaming_since = time.time()
            self._change(reference, state, "PUT", f"elements/{ANSWER_ELEMENT}/content", {"content": text})
            state.shown = text

    def finish(self, reference: CardReference, card: dict[str, Any]) -> None:
        """Put ``card`` in the place of everything; nothing is streamed into it afterwards.

        Raises:
            Refusal: the card is gone, or the platform does not take its content.
            TransientError: it may work later.
        """
        state = self._state(reference)
        with state.lock:
            # First: a late change must not put half of an answer over the whole one.
            state.finished = True
            self._change(reference, state, "PUT", "", {"card": {"type": "card_json", "data": _compact(card)}})

    def open_cards(self) -> int:
        """Return how many cards are being streamed into."""
        with self._lock:
            now = time.time()
            return sum(
                not state.finished and now - state.streaming_since < STREAMING_SECONDS
                for state in self._states.values()
            )

    def _change(
        self, reference: CardReference, state: _State, method: str, what: str, body: dict[str, Any]
    ) -> None:
        path = f"{CARDS}/{reference.card_id}" + (f"/{what}" if what else "")
        for last in [False] * (SEQUENCE_TRIES - 1) + [True]:
            # By the clock, and not counted from 1: after a restart nobody knows how far the count had come.
            clock = int((time.time() - reference.created) * SEQUENCES_A_SECOND) + 1
            state.sequence = min(LONGEST_SEQUENCE, max(state.sequence + 1, clock))
            try:
                self._transport.call(method, path, {**body, "sequence": state.sequence})
                return
            except Refusal as refusal:
                if refusal.code != OLD_SEQUENCE or last:
                    raise
            state.sequence = min(LONGEST_SEQUENCE - 1, state.sequence + SEQUENCE_JUMP)

    def _state(self, reference: CardReference) -> _State:
        with self._lock:
            state = self._states.get(reference.card_id)
            if state is None:
                state = self._states[reference.card_id] = _State(float(reference.created))
                while len(self._states) > REMEMBERED_CARDS:
                    self._states.popitem(last=False)
            return state


def _compact(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
