"""Messages that the assistant sends through the emulated Bot API.

Sources: https://core.telegram.org/bots/api#sendmessage (1-4096 characters after entities parsing),
#editmessagetext, #sendchataction, #formatting-options; https://core.telegram.org/bots/faq ("My bot is hitting
limits": 1 message a second in a chat with short bursts, 20 a minute in a group, about 30 a second in all).
"""

from __future__ import annotations

import html
import itertools
import math
import re
import time
from collections.abc import Callable, Mapping

from tests.emulators.config import TelegramConfig
from tests.emulators.limits import Bucket, Window
from tests.emulators.record import Record, Sent
from tests.emulators.telegram_parameters import Parameters, TelegramError

TEXT_CHARACTERS = 4096
ACTIONS = {
    *("typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice"),
    *("upload_document", "choose_sticker", "find_location", "record_video_note", "upload_video_note"),
}
_HTML_TAGS = {
    *("b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "span", "tg-spoiler", "a", "tg-emoji"),
    *("code", "pre", "blockquote"),
}
_UNPARSED = "Bad Request: can't parse entities:"
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)?([^<>]*)>|<")
_RESERVED = re.compile(r"(?<!\\)(?:\\\\)*[.!#+\-={}|]")  # MarkdownV2: must be escaped outside of entities


class Messages:
    """Takes messages, enforces the limits, records what was sent."""

    def __init__(
        self, config: TelegramConfig, record: Record, bot: Mapping[str, object], clock: Callable[[], float]
    ) -> None:
        """Start with nothing sent."""
        self._config = config
        self._record = record
        self._bot = dict(bot)
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Forget rates and message ids."""
        self._ids = itertools.count(1001)
        self._chat_rate = Bucket(self._config.chat_rate, self._config.chat_burst, self._clock)
        self._group_rate = Window(self._config.group_rate, 60.0, self._clock)
        self._total_rate = Window(self._config.total_rate, 1.0, self._clock)

    def send(self, parameters: Parameters) -> dict[str, object]:
        """Take ``sendMessage``.

        Raises:
            TelegramError: 400 for a bad request, 429 above a limit.
        """
        chat = parameters.chat()
        text = _visible_text(parameters)
        reply_to = parameters.reply_to()
        self._limit(chat)
        sent = Sent(chat, text, reply_to, next(self._ids))
        self._record.add(sent)
        return self._message(sent)

    def edit(self, parameters: Parameters) -> dict[str, object]:
        """Take ``editMessageText``.

        Raises:
            TelegramError: 400 for a bad request or an unchanged text, 429 above a limit.
        """
        chat = parameters.chat()
        text = _visible_text(parameters)
        sent = self._record.find(chat, parameters.number("message_id", 0))
        if sent is None:
            raise TelegramError(400, "Bad Request: message to edit not found")
        if sent.text == text:
            raise TelegramError(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are"
                " exactly the same as a current content and reply markup of the message",
            )
        self._limit(chat)
        sent.edit(text)
        return self._message(sent)

    def act(self, parameters: Parameters) -> bool:
        """Take ``sendChatAction``.

        Raises:
            TelegramError: 400 for an unknown chat or action.
        """
        parameters.chat()
        if parameters.text("action") not in ACTIONS:
            raise TelegramError(400, "Bad Request: wrong parameter action in request")
        return True

    def _limit(self, chat: int | str) -> None:
        wait = self._total_rate.wait("all") or self._chat_rate.wait(chat)
        if not wait and isinstance(chat, int) and chat < 0:  # groups have negative ids
            wait = self._group_rate.wait(chat)
        if wait:
            seconds = math.ceil(wait)
            raise TelegramError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)

    def _message(self, sent: Sent) -> dict[str, object]:
        group = isinstance(sent.chat, int) and sent.chat < 0
        chat = {"id": sent.chat, "type": "group" if group else "private"}
        now = int(time.time())
        message: dict[str, object] = {
            "message_id": sent.message_id,
            "from": self._bot,
            "chat": chat,
            "date": now,
            "text": sent.text,
        }
        if sent.edits:
            message["edit_date"] = now
        if sent.reply_to is not None:
            message["reply_to_message"] = {"message_id": sent.reply_to, "chat": chat, "date": now}
        return message


def _visible_text(parameters: Parameters) -> str:
    """Give the text without its formatting, and check its length as the API does."""
    text = parameters.text("text")
    mode = parameters.text("parse_mode").lower()
    if mode == "html":
        text = _without_html(text)
    elif mode == "markdownv2":
        text = _without_markdown(text)
    elif mode not in ("", "markdown"):
        raise TelegramError(400, "Bad Request: unsupported parse_mode")
    text = text.strip()
    if not text:
        raise TelegramError(400, "Bad Request: message text is empty")
    if len(text) > TEXT_CHARACTERS:
        raise TelegramError(400, "Bad Request: message is too long")
    return text


def _without_html(text: str) -> str:
    opened: list[str] = []
    for match in _TAG.finditer(text):
        closing, tag = match[1], (match[2] or "").lower()
        if tag not in _HTML_TAGS:
            raise TelegramError(
                400, f'{_UNPARSED} Unsupported start tag "{tag}" at byte offset {match.start()}'
            )
        if not closing:
            opened.append(tag)
        elif not opened or opened.pop() != tag:
            raise TelegramError(400, f"{_UNPARSED} Unexpected end tag at byte offset {match.start()}")
    if opened:
        raise TelegramError(400, f"{_UNPARSED} Can't find end tag corresponding to start tag {opened[-1]}")
    return html.unescape(_TAG.sub("", text))


def _without_markdown(text: str) -> str:
    outside = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", "", text, flags=re.DOTALL)
    bare = _RESERVED.search(outside)
    if bare:
        raise TelegramError(
            400,
            f"{_UNPARSED} Character '{bare[0][-1]}' is reserved and must be escaped with the preceding '\\'",
        )
    return re.sub(r"\\(.)", r"\1", re.sub(r"(?<!\\)[*_~`]", "", text))
