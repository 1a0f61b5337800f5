"""Telegram's Bot API, called from ordinary threads."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from datetime import timedelta
from typing import Any, TypeVar

from telegram import Bot, LinkPreviewOptions, ReplyParameters, Update
from telegram.error import BadRequest, Forbidden, InvalidToken, RetryAfter, TelegramError
from telegram.request import HTTPXRequest

from assistant.channels.base import Part, PermanentError, TransientError
from assistant.channels.telegram.split import split

T = TypeVar("T")
ALLOWED_UPDATES = ["message"]
CALL_SECONDS = 30.0
POLL_SECONDS = 20


class TelegramClient:
    """Owns an event loop on a thread, because the library is asynchronous and the rest is not."""

    def __init__(self, base_url: str, token: str) -> None:
        """Use the Bot API at ``base_url`` with ``token``; nothing is sent yet."""
        self._base_url, self._token = base_url, token
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="telegram-api", daemon=True)
        self._bot: Bot | None = None
        self._calls: set[Future[Any]] = set()
        self._start_lock = threading.Lock()

    def start(self) -> None:
        """Start the thread; harmless when it runs already."""
        with self._start_lock:
            if not self._thread.is_alive():
                self._thread.start()

    def stop(self) -> None:
        """Stop the thread."""
        if self._thread.is_alive():
            # Waiting for updates may take long; nothing is lost, they come again.
            for future in list(self._calls):
                future.cancel()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)

    def _make_bot(self) -> Bot:
        # The system's certificates: the library would bring its own list, without the operator's authorities.
        context = ssl.create_default_context()

        def request(read_seconds: float) -> HTTPXRequest:
            return HTTPXRequest(
                connect_timeout=5.0,
                read_timeout=read_seconds,
                write_timeout=15.0,
                httpx_kwargs={"verify": context},
            )

        return Bot(
            self._token,
            base_url=f"{self._base_url}/bot",
            request=request(15.0),
            get_updates_request=request(POLL_SECONDS + 10.0),
        )

    def _call(self, act: Callable[[Bot], Coroutine[Any, Any, T]], seconds: float = CALL_SECONDS) -> T:
        self.start()

        async def run() -> T:
            if self._bot is None:
                self._bot = self._make_bot()
            return await act(self._bot)

        future: Future[T] = asyncio.run_coroutine_threadsafe(run(), self._loop)
        self._calls.add(future)
        try:
            return future.result(seconds)
        except TimeoutError:
            future.cancel()
            raise TransientError("timeout") from None
        except CancelledError:
            raise TransientError("stopping") from None
        except RetryAfter as error:
            after = error.retry_after
            raise TransientError(
                "rate limit", after.total_seconds() if isinstance(after, timedelta) else float(after)
            ) from None
        except (BadRequest, Forbidden) as error:
            # BadRequest is a kind of NetworkError, hence first. No text: it may quote the message.
            raise PermanentError(type(error).__name__) from None
        except InvalidToken:
            # Transient: replies must still go out once the operator has corrected the token.
            raise TransientError("InvalidToken") from None
        except TelegramError as error:
            raise TransientError(type(error).__name__) from None
        finally:
            self._calls.discard(future)

    def split(self, text: str) -> list[str]:
        """Cut ``text`` into messages; see ``split.split``."""
        return split(text)

    def send(self, part: Part) -> None:
        """Send ``part``; see ``Push.send``. The Bot API knows no idempotency key, so ``key`` is not used.

        The reply still goes out when the message it answers was deleted meanwhile.
        """
        chat_id, _, topic = part.chat.partition("/")
        parameters = (
            ReplyParameters(int(part.reply_to), allow_sending_without_reply=True) if part.reply_to else None
        )
        self._call(
            lambda bot: bot.send_message(
                int(chat_id),
                part.text,
                message_thread_id=int(topic) if topic else None,
                reply_parameters=parameters,
                link_preview_options=LinkPreviewOptions(is_disabled=True),
            )
        )

    def show_typing(self, chat: str) -> None:
        """Do nothing yet."""

    def draft_seconds(self, chat: str) -> float:
        """Return 0: there are no drafts yet."""
        del chat
        return 0.0

    def open_draft(self, part: Part) -> str:
        """Refuse: there are no drafts yet."""
        raise PermanentError("no drafts")

    def change_draft(self, chat: str, draft: str, text: str) -> None:
        """Refuse: there are no drafts yet."""
        raise PermanentError("no drafts")

    def name(self) -> str:
        """Return the bot's user name without @; raises what ``send`` raises."""
        return self._call(lambda bot: bot.get_me()).username or ""

    def set_webhook(self, url: str, secret_token: str) -> None:
        """Tell Telegram to send updates to ``url`` with ``secret_token``; raises what ``send`` raises."""
        self._call(
            lambda bot: bot.set_webhook(url, secret_token=secret_token, allowed_updates=ALLOWED_UPDATES)
        )

    def delete_webhook(self) -> None:
        """Tell Telegram that updates will be fetched; raises what ``send`` raises."""
        self._call(lambda bot: bot.delete_webhook())

    def updates(self, offset: int | None) -> list[Update]:
        """Wait up to ``POLL_SECONDS`` for updates from number ``offset`` on; raises what ``send`` raises."""
        found = self._call(
            lambda bot: bot.get_updates(offset=offset, timeout=POLL_SECONDS, allowed_updates=ALLOWED_UPDATES),
            POLL_SECONDS + 20.0,
        )
        return list(found)
