"""Sending through Telegram's Bot API, and the calls that set the bot up."""

import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from telegram import Bot, BotCommand, LinkPreviewOptions, ReplyParameters, WebhookInfo
from telegram.constants import ChatAction

from assistant.channels.base import Part, PermanentError, TransientError
from assistant.channels.telegram.api import (
    BAD_ENTITIES,
    CALL_SECONDS,
    NO_THREAD,
    NOT_MODIFIED,
    POLL_SECONDS,
    BotThread,
    Migrated,
    Refused,
)
from assistant.channels.telegram.markdown import Rendered, render
from assistant.channels.telegram.pace import Pace, is_group
from assistant.channels.telegram.ratings import Click, answer, buttons
from assistant.channels.telegram.split import first_part, split

T = TypeVar("T")
ALLOWED_UPDATES = ("message", "edited_message", "callback_query")
# Between two changes of a draft; a group's 20 messages a minute are shared by all who write there.
PRIVATE_DRAFT_SECONDS, GROUP_DRAFT_SECONDS = 1.5, 5.0
# A call about a draft; the finished answer waits for it.
DRAFT_CALL_SECONDS = 15.0
_DRAFTS = 200
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)


def place_of(chat: str) -> tuple[int, int | None]:
    """Return the chat's id and the topic's in ``chat`` ("id" or "id/topic")."""
    chat_id, _, topic = chat.partition("/")
    return int(chat_id), int(topic) if topic else None


class TelegramClient:
    """Sends replies and drafts (``base.Push``) at the pace that Telegram allows."""

    def __init__(self, base_url: str, token: str, pace: Pace | None = None) -> None:
        """Use the Bot API at ``base_url`` with ``token``; nothing is sent yet."""
        self._thread = BotThread(base_url, token)
        self._pace = pace or Pace()
        # What drafts show: an answer whose first message is full grows out of sight.
        self._shown: dict[tuple[str, str], Rendered] = {}

    def start(self) -> None:
        """Start the thread; harmless when it runs already."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread."""
        self._thread.stop()

    # --- replies ---------------------------------------------------------------

    def split(self, text: str) -> list[str]:
        """Cut ``text`` into messages; see ``split.split``."""
        return split(text)

    def send(self, part: Part) -> None:
        """Send ``part``; see ``Push.send``. The Bot API knows no idempotency key, so ``key`` is not used.

        A draft becomes the reply by an edit, which may be repeated without harm. Where the draft is gone, and
        where there is none, a new message goes out; also when the message it answers, or the topic, was
        deleted meanwhile.
        """
        self._wait_for_turn(part.chat)
        shown = render(part.text)
        if part.draft.isdecimal():
            try:
                self._edit(part.chat, int(part.draft), shown, part.rateable)
                return
            except (Refused, Migrated):
                # Deleted, too old, or whatever else: a new message, so that nobody meets silence. If it is
                # the chat that takes nothing, that is refused as well, and says why.
                pass
        self._send_new(part, shown)

    def show_typing(self, chat: str) -> None:
        """Show "typing" for five seconds, or until a message comes (#sendchataction)."""
        chat_id, topic = place_of(chat)
        if self._pace.held(str(chat_id)):
            return
        self._call(
            chat,
            lambda bot: bot.send_chat_action(chat_id, ChatAction.TYPING, message_thread_id=topic),
            DRAFT_CALL_SECONDS,
        )

    def draft_seconds(self, chat: str) -> float:
        """Return how long to wait between two changes of a draft."""
        return GROUP_DRAFT_SECONDS if is_group(chat) else PRIVATE_DRAFT_SECONDS

    def open_draft(self, part: Part) -> str:
        """Send the beginning of an answer; see ``Push.open_draft``.

        Where the answer of Telegram is lost, nobody knows whether there is a draft now; that is a
        ``PermanentError``, for another try might show the beginning twice.
        """
        beginning = first_part(part.text)
        if not beginning:
            raise PermanentError("nothing to show")
        self._draft_turn(part.chat)
        try:
            return str(self._send_new(part, render(beginning), DRAFT_CALL_SECONDS))
        except TransientError as error:
            if error.retry_after is not None:
                raise
            raise PermanentError(error.reason) from None

    def change_draft(self, chat: str, draft: str, text: str) -> None:
        """Show the first message of ``text`` in the draft; see ``Push.change_draft``."""
        shown = render(first_part(text))
        if not shown.text or self._shown.get((chat, draft)) == shown:
            return
        self._draft_turn(chat)
        self._edit(chat, int(draft), shown, 0, DRAFT_CALL_SECONDS)
        self._shown[chat, draft] = shown
        if len(self._shown) > _DRAFTS:
            self._shown.pop(next(iter(self._shown)), None)

    def _draft_turn(self, chat: str) -> None:
        wait = self._pace.take(str(place_of(chat)[0]), draft=True)
        if wait.seconds > 0:
            raise TransientError("finished answers go first", wait.seconds)

    def _wait_for_turn(self, chat: str) -> None:
        chat_id = str(place_of(chat)[0])
        while (wait := self._pace.take(chat_id)).seconds > 0:
            if not wait.all:
                # Others need not wait for this chat.
                raise TransientError("one chat's pace", wait.seconds)
            time.sleep(wait.seconds)

    def _send_new(self, part: Part, shown: Rendered, seconds: float = CALL_SECONDS) -> int:
        chat_id, topic = place_of(part.chat)
        reply = (
            ReplyParameters(int(part.reply_to), allow_sending_without_reply=True) if part.reply_to else None
        )
        keyboard = buttons(part.rateable)

        def send(to: int, thread: int | None) -> int:
            return self._formatted(
                part.chat,
                shown,
                lambda bot, text: bot.send_message(
                    to,
                    text.text,
                    entities=text.entities or None,
                    message_thread_id=thread,
                    reply_parameters=reply,
                    link_preview_options=_NO_PREVIEW,
                    reply_markup=keyboard,
                ),
                seconds,
            ).message_id

        try:
            return send(chat_id, topic)
        except Migrated as moved:
            return send(moved.chat_id, topic)
        except Refused as error:
            if error.reason != NO_THREAD or topic is None:
                raise
            return send(chat_id, None)

    def _edit(
        self, chat: str, message: int, shown: Rendered, rateable: int, seconds: float = CALL_SECONDS
    ) -> None:
        chat_id, _ = place_of(chat)
        try:
            self._formatted(
                chat,
                shown,
                lambda bot, text: bot.edit_message_text(
                    text.text,
                    chat_id,
                    message,
                    entities=text.entities or None,
                    link_preview_options=_NO_PREVIEW,
                    reply_markup=buttons(rateable),
                ),
                seconds,
            )
        except Refused as error:
            # An earlier try had worked, and its answer was lost.
            if error.reason != NOT_MODIFIED:
                raise

    def _formatted(
        self,
        chat: str,
        shown: Rendered,
        act: Callable[[Bot, Rendered], Coroutine[Any, Any, T]],
        seconds: float,
    ) -> T:
        """Send ``shown``, and the same text without formatting if Telegram refuses that."""
        try:
            return self._call(chat, lambda bot: act(bot, shown), seconds)
        except Refused as error:
            if error.reason not in BAD_ENTITIES or not shown.entities:
                raise
            return self._call(chat, lambda bot: act(bot, Rendered(shown.text)), seconds)

    def _call(
        self, chat: str, act: Callable[[Bot], Coroutine[Any, Any, T]], seconds: float = CALL_SECONDS
    ) -> T:
        try:
            return self._thread.call(act, seconds)
        except TransientError as error:
            if error.retry_after is not None:
                self._pace.hold(str(place_of(chat)[0]), error.retry_after)
            raise

    def answer_click(self, click: Click, *, stored: bool) -> None:
        """Tell the person what became of ``click``, in the background; best effort.

        Telegram shows a clock on the button until it is answered (#answercallbackquery).
        """
        text = answer(stored, click.language) if click.number else None
        self._thread.post("answering a click", lambda bot: bot.answer_callback_query(click.query, text))
        if stored:
            self._thread.post(
                "marking a button",
                lambda bot: bot.edit_message_reply_markup(
                    place_of(click.chat)[0], click.message, reply_markup=buttons(click.number, click.score)
                ),
            )

    # --- setting up ------------------------------------------------------------

    def name(self) -> str:
        """Return the bot's user name without @; raises what ``send`` raises."""
        return self._thread.call(lambda bot: bot.get_me()).username or ""

    def set_webhook(self, url: str, secret_token: str) -> None:
        """Tell Telegram to send updates to ``url`` with ``secret_token``; raises what ``send`` raises."""
        self._thread.call(
            lambda bot: bot.set_webhook(url, secret_token=secret_token, allowed_updates=ALLOWED_UPDATES)
        )

    def delete_webhook(self) -> None:
        """Tell Telegram that updates will be fetched; raises what ``send`` raises."""
        self._thread.call(lambda bot: bot.delete_webhook())

    def webhook(self) -> WebhookInfo:
        """Return where Telegram sends updates to; raises what ``send`` raises."""
        return self._thread.call(lambda bot: bot.get_webhook_info())

    def set_menu(self, commands: Sequence[tuple[str, str]], language: str = "") -> None:
        """Show ``commands`` (name without /, description) to people of ``language``, empty for all others."""
        menu = [BotCommand(name, description) for name, description in commands]
        self._thread.call(lambda bot: bot.set_my_commands(menu, language_code=language or None))

    def updates(self, offset: int | None) -> list[dict[str, object]]:
        """Wait up to ``POLL_SECONDS`` for updates from number ``offset`` on; raises what ``send`` raises.

        They come as they were sent: the library's own reader fails for all of them where it fails for one.
        """
        asked = {"timeout": POLL_SECONDS, "allowed_updates": ALLOWED_UPDATES}
        if offset is not None:
            asked["offset"] = offset
        found = self._thread.call(
            lambda bot: bot.do_api_request("getUpdates", asked, read_timeout=POLL_SECONDS + 10.0),
            POLL_SECONDS + 20.0,
        )
        return [update for update in found if isinstance(update, dict)] if isinstance(found, list) else []
