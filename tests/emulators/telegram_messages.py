"""Messages that the assistant sends through the emulated Bot API.

Sources: https://core.telegram.org/bots/api#sendmessage (1-4096 characters after entities parsing),
#editmessagetext, #sendchataction, #formatting-options; https://core.telegram.org/bots/faq ("My bot is hitting
limits": 1 message a second in a chat with short bursts, 20 a minute in a group, about 30 a second in all).
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.emulators.config import TelegramConfig
from tests.emulators.limits import Bucket, Window
from tests.emulators.record import Record, Sent
from tests.emulators.telegram_chats import Chats
from tests.emulators.telegram_entities import Formatted, given_entities, units
from tests.emulators.telegram_html import parse_html
from tests.emulators.telegram_keyboards import Keyboard, keyboard_of
from tests.emulators.telegram_markdown import parse_markdown
from tests.emulators.telegram_parameters import Parameters, TelegramError

TEXT_UNITS = 4096
ACTIONS = {
    *("typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice"),
    *("upload_document", "choose_sticker", "find_location", "record_video_note", "upload_video_note"),
}


@dataclass
class TelegramSent(Sent):
    """A message with what only Telegram has: its topic, formatting and buttons."""

    thread: int | None = None
    parse_mode: str = ""
    entities: list[dict[str, object]] = field(default_factory=list)
    keyboard: Keyboard | None = None


class Messages:
    """Takes messages, enforces the limits, records what was sent."""

    def __init__(
        self,
        config: TelegramConfig,
        record: Record,
        bot: Mapping[str, object],
        chats: Chats,
        clock: Callable[[], float],
    ) -> None:
        """Start with nothing sent."""
        self._config = config
        self._record = record
        self._bot = dict(bot)
        self._chats = chats
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Forget rates, message ids, actions and deleted messages."""
        self._ids = itertools.count(1001)
        self._deleted: set[tuple[int | str, int]] = set()
        self.actions: list[dict[str, object]] = []
        self._chat_rate = Bucket(self._config.chat_rate, self._config.chat_burst, self._clock)
        self._group_rate = Window(self._config.group_rate, 60.0, self._clock)
        self._total_rate = Window(self._config.total_rate, 1.0, self._clock)

    def send(self, parameters: Parameters) -> dict[str, object]:
        """Take ``sendMessage``.

        Raises:
            TelegramError: 400 or 403 for a bad request, 429 above a limit.
        """
        chat, thread = parameters.chat(), parameters.thread()
        self._chats.check(chat, thread)
        shown = _formatted(parameters)
        reply_to, keyboard = parameters.reply_to(), keyboard_of(parameters)
        self._limit(chat)
        sent = TelegramSent(chat, shown.text, reply_to, next(self._ids), thread=thread)
        sent.entities, sent.keyboard = shown.entities, keyboard
        sent.parse_mode = parameters.text("parse_mode")
        self._record.add(sent)
        return self.message(sent)

    def edit(self, parameters: Parameters) -> dict[str, object]:
        """Take ``editMessageText``; a keyboard that is left out is taken away.

        Raises:
            TelegramError: 400 or 403 for a bad request or an unchanged message, 429 above a limit.
        """
        shown = _formatted(parameters)
        sent = self.editable(parameters)
        keyboard = keyboard_of(parameters)
        if (sent.text, sent.entities, sent.keyboard) == (shown.text, shown.entities, keyboard):
            raise _unchanged()
        self._limit(sent.chat)
        sent.edit(shown.text)
        sent.entities, sent.keyboard = shown.entities, keyboard
        sent.parse_mode = parameters.text("parse_mode")
        return self.message(sent)

    def edit_markup(self, parameters: Parameters) -> dict[str, object]:
        """Take ``editMessageReplyMarkup``.

        Raises:
            TelegramError: 400 or 403 for a bad request or an unchanged message.
        """
        sent = self.editable(parameters)
        keyboard = keyboard_of(parameters)
        if sent.keyboard == keyboard:
            raise _unchanged()
        sent.keyboard = keyboard
        return self.message(sent)

    def editable(self, parameters: Parameters) -> TelegramSent:
        """Find the bot's message that a call names.

        Raises:
            TelegramError: 400 or 403 when there is none, or its chat takes nothing.
        """
        chat, message_id = parameters.chat(), parameters.number("message_id", 0)
        self._chats.check(chat)
        if not message_id:
            raise TelegramError(400, "Bad Request: message identifier is not specified")
        sent = self._record.find(chat, message_id)
        if not isinstance(sent, TelegramSent) or (chat, message_id) in self._deleted:
            raise TelegramError(400, "Bad Request: message to edit not found")
        return sent

    def forget(self, chat: int | str, message_id: int) -> None:
        """Let a person delete one of the bot's messages; it stays in what was sent."""
        self._deleted.add((chat, message_id))

    def act(self, parameters: Parameters) -> bool:
        """Take ``sendChatAction``.

        Raises:
            TelegramError: 400 or 403 for a chat that takes nothing or an unknown action.
        """
        chat, thread = parameters.chat(), parameters.thread()
        self._chats.check(chat, thread)
        if parameters.text("action") not in ACTIONS:
            raise TelegramError(400, "Bad Request: wrong parameter action in request")
        self.actions.append({"chat": chat, "thread": thread, "action": parameters.text("action")})
        return True

    def _limit(self, chat: int | str) -> None:
        wait = self._total_rate.wait("all") or self._chat_rate.wait(chat)
        if not wait and isinstance(chat, int) and chat < 0:  # groups have negative ids
            wait = self._group_rate.wait(chat)
        if wait:
            seconds = math.ceil(wait)
            raise TelegramError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)

    def message(self, sent: TelegramSent) -> dict[str, object]:
        """Give a message as the API shows it."""
        group = isinstance(sent.chat, int) and sent.chat < 0
        chat: dict[str, object] = {"id": sent.chat, "type": "group" if group else "private"}
        now = int(time.time())
        message: dict[str, object] = {
            "message_id": sent.message_id,
            "from": self._bot,
            "chat": chat,
            "date": now,
            "text": sent.text,
        }
        if sent.entities:
            message["entities"] = sent.entities
        if sent.keyboard:
            message["reply_markup"] = {"inline_keyboard": sent.keyboard}
        if sent.thread is not None:
            message.update(message_thread_id=sent.thread, is_topic_message=True)
            chat["type"], chat["is_forum"] = "supergroup", True
        if sent.edits:
            message["edit_date"] = now
        if sent.reply_to is not None:
            message["reply_to_message"] = {"message_id": sent.reply_to, "chat": chat, "date": now}
        return message


def _unchanged() -> TelegramError:
    return TelegramError(
        400,
        "Bad Request: message is not modified: specified new message content and reply markup are"
        " exactly the same as a current content and reply markup of the message",
    )


def _formatted(parameters: Parameters) -> Formatted:
    """Read text and formatting, and check the length as the API does."""
    text, mode = parameters.text("text"), parameters.text("parse_mode").lower()
    if mode == "html":
        shown = parse_html(text)
    elif mode == "markdownv2":
        shown = parse_markdown(text)
    elif mode not in ("", "markdown"):
        raise TelegramError(400, "Bad Request: unsupported parse_mode")
    elif parameters.value("entities") and not mode:
        shown = given_entities(text, parameters.value("entities"))
    else:
        shown = Formatted(text)
    shown = shown.stripped()
    if not shown.text:
        raise TelegramError(400, "Bad Request: message text is empty")
    if units(shown.text) > TEXT_UNITS:
        raise TelegramError(400, "Bad Request: message is too long")
    return shown
