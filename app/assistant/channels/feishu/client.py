"""Sending to Feishu: answers as cards that fill up, everything else as text."""

import hashlib
import json
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import httpx

from assistant.channels.base import Part, PermanentError, SendError
from assistant.channels.feishu.cardkit import CardKit, CardReference
from assistant.channels.feishu.cards import answer_card, draft_card, plain_card
from assistant.channels.feishu.conversations import conversation
from assistant.channels.feishu.errors import (
    CARD_GONE,
    CARD_REFUSED,
    NO_PERMISSION,
    NO_THREADS,
    Misconfigured,
    Refusal,
)
from assistant.channels.feishu.markdown import has_markup, safe_markdown
from assistant.channels.feishu.split import split
from assistant.channels.feishu.transport import Transport
from assistant.logs import Log

log = Log(__name__)
MESSAGES = "/open-apis/im/v1/messages"
# Without the permission for cards there are no drafts for so long; answers come whole.
NO_DRAFTS_SECONDS = 600.0
# Between two changes of one card; 10 a second are allowed. 1000 a minute are, for all cards together: with a
# sixth of them kept back, each open card gets a change in so many seconds.
DRAFT_SECONDS = 0.5
DRAFT_SECONDS_FOR_EACH = 0.072
# How exactly two of the platform's clocks agree; one of them tells whole seconds.
CLOCK_SECONDS = 2.0
REMEMBERED_KEYS = 5000
MORE = " …"


@dataclass(frozen=True)
class _Sent:
    """What became of a message; not ``fresh`` when the platform dropped it for an earlier one of its key."""

    message_id: str
    kind: str
    fresh: bool


class FeishuClient:
    """Sends replies as the app ``app_id``; see ``Push``."""

    def __init__(
        self, base_url: str, app_id: str, app_secret: str, client: httpx.Client | None = None
    ) -> None:
        """Use the open platform at ``base_url``; nothing is sent yet."""
        self.transport = Transport(base_url, app_id, app_secret, client)
        self._cards = CardKit(self.transport)
        self._no_drafts_until = 0.0
        self._attempts: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._lock = threading.Lock()

    def split(self, text: str) -> list[str]:
        """Cut ``text`` into parts that fit into a card each; see ``split.split``."""
        return split(text)

    def show_typing(self, chat: str) -> None:
        """Do nothing: Feishu shows no such thing."""

    def bot_open_id(self) -> str:
        """Return the bot's own open_id; raises what ``send`` raises, or returns an empty text."""
        bot = self.transport.call("GET", "/open-apis/bot/v3/info").document.get("bot")
        return str(bot.get("open_id") or "") if isinstance(bot, dict) else ""

    def draft_seconds(self, chat: str) -> float:
        """Return how long to wait between two changes of a draft; 0 while there are none."""
        del chat
        if time.monotonic() < self._no_drafts_until:
            return 0.0
        return max(DRAFT_SECONDS, self._cards.open_cards() * DRAFT_SECONDS_FOR_EACH)

    def open_draft(self, part: Part) -> str:
        """Send a card with the beginning of an answer and return its reference; see ``Push.open_draft``.

        A second call with the same key, after a kill between sending and remembering, finds the first one's
        card again.
        """
        try:
            card_id = self._cards.create(draft_card(part.text))
            created = int(time.time())
            sent = self._post(part, part.key, "interactive", _entity(card_id))
        except (Misconfigured, Refusal) as error:
            if error.code in NO_PERMISSION:
                self._no_drafts_until = time.monotonic() + NO_DRAFTS_SECONDS
                log.warning(
                    "answers are not shown while they are made: the app lacks a permission for cards "
                    "(cardkit:card:write); they come whole",
                    reason=error.reason,
                    for_seconds=NO_DRAFTS_SECONDS,
                )
                raise PermanentError(error.reason) from None
            raise
        if not sent.fresh:
            try:
                card_id = self._cards.card_of(sent.message_id)
            except Misconfigured as error:
                # It needs a permission more (cardkit:card:read) than everything else.
                raise PermanentError(error.reason) from None
        reference = CardReference(card_id, sent.message_id, created)
        self._cards.opened(reference)
        return str(reference)

    def change_draft(self, chat: str, draft: str, text: str) -> None:
        """Show ``text`` in the card, or what of it fits into one; see ``Push.change_draft``."""
        del chat
        first, *others = split(text)
        self._cards.stream(CardReference.parse(draft), safe_markdown(first + (MORE if others else "")))

    def send(self, part: Part) -> None:
        """Send ``part``; see ``Push.send``.

        Whatever happens in between, the finished text is shown, and once: the draft's card is changed as
        often as it takes, which is harmless. ``key`` goes along as ``uuid``: Feishu drops a second request
        with the same one within an hour and names the first one's message. If that may be a draft whose
        reference was lost, its card is changed, too.
        """
        if part.draft:
            self._finish(part, CardReference.parse(part.draft))
        elif part.rateable or has_markup(part.text):
            self._send_card(part)
        else:
            self._settle(part, self._post(part, part.key, "text", _text(part.text)))

    def _send_card(self, part: Part) -> None:
        try:
            sent = self._post(part, part.key, "interactive", answer_card(*_content(part)))
        except Refusal as refusal:
            if refusal.code not in CARD_REFUSED:
                raise
            log.warning("Feishu takes no card with this text; it goes as text", reason=refusal.reason)
            sent = self._post(part, part.key, "text", _text(part.text))
        self._settle(part, sent)

    def _settle(self, part: Part, sent: _Sent) -> None:
        """Make sure that the message which the platform names shows this part."""
        # Drafts are cards, so an earlier text can only be this part.
        if sent.fresh or sent.kind == "text":
            return
        try:
            card_id = self._cards.card_of(sent.message_id)
        except (Misconfigured, PermanentError) as error:
            log.warning("the card of an earlier try is not known; it is replaced", reason=error.reason)
            self._replace(part, sent.message_id)
            return
        self._finish(part, CardReference(card_id, sent.message_id, int(time.time())))

    def _finish(self, part: Part, reference: CardReference) -> None:
        for make in (answer_card, plain_card):
            try:
                self._cards.finish(reference, make(*_content(part)))
                return
            except (Misconfigured, Refusal) as error:
                if error.code not in CARD_REFUSED | CARD_GONE | NO_PERMISSION:
                    raise
                log.warning("a card could not be finished", reason=error.reason)
                if error.code not in CARD_REFUSED:
                    break
        self._replace(part, reference.message_id)

    def _replace(self, part: Part, message_id: str) -> None:
        """Send ``part`` as a new message, under a key of its own, in the place of ``message_id``."""
        self._post(part, f"{part.key}-f", "text", _text(part.text))
        try:
            self.transport.call("DELETE", f"{MESSAGES}/{message_id}")
        except SendError as error:
            log.warning("the beginning of an answer stays beside the whole one", reason=error.reason)

    def _post(self, part: Part, key: str, kind: str, content: dict[str, Any]) -> _Sent:
        place = conversation(part.chat)
        body: dict[str, Any] = {
            "msg_type": kind,
            "content": json.dumps(content, ensure_ascii=False, separators=(",", ":")),
            "uuid": key,
        }
        target = part.reply_to or place.root
        if target:
            path = f"{MESSAGES}/{target}/reply"
            if place.root:
                body["reply_in_thread"] = True
        else:
            path, body["receive_id"] = f"{MESSAGES}?receive_id_type={place.kind}", place.chat_id
        waited = self._attempted(key, body["content"])
        try:
            answer = self.transport.call("POST", path, body)
        except Refusal as refusal:
            if refusal.code not in NO_THREADS or "reply_in_thread" not in body:
                raise
            del body["reply_in_thread"]
            answer = self.transport.call("POST", path, body)
        message_id, shown = str(answer.data.get("message_id") or ""), str(answer.data.get("msg_type") or kind)
        made = _seconds(answer.data.get("create_time"))
        # Older than this process's first try of this content: another content's message.
        old = waited is None or 0 < made < answer.begun - waited - CLOCK_SECONDS
        return _Sent(message_id, shown, fresh=not (old and message_id))

    def _attempted(self, key: str, content: str) -> float | None:
        """Note that ``content`` is sent under ``key``.

        Returns:
            how many seconds ago this process did so first; None if it was another content's key before.
        """
        mark = hashlib.sha256(content.encode("utf-8", "replace")).digest()
        with self._lock:
            first = self._attempts.setdefault(key, (mark, time.monotonic()))
            while len(self._attempts) > REMEMBERED_KEYS:
                self._attempts.popitem(last=False)
        return time.monotonic() - first[1] if first[0] == mark else None


def _content(part: Part) -> tuple[str, int, str, str]:
    return part.text, part.rateable, part.chat, part.language


def _text(text: str) -> dict[str, Any]:
    return {"text": text}


def _entity(card_id: str) -> dict[str, Any]:
    return {"type": "card", "data": {"card_id": card_id}}


def _seconds(milliseconds: object) -> float:
    text = str(milliseconds)
    return int(text) / 1000 if text.isascii() and text.isdigit() and len(text) < 16 else 0.0
