"""Calls of Telegram's Bot API from ordinary threads, and what its refusals mean."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from datetime import timedelta
from typing import Any, TypeVar

from telegram import Bot
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, RetryAfter, TelegramError
from telegram.request import HTTPXRequest

from assistant.channels.base import PermanentError, SendError, TransientError
from assistant.channels.telegram import PLATFORM
from assistant.logs import Log

log = Log(__name__)
T = TypeVar("T")
Act = Callable[[Bot], Coroutine[Any, Any, T]]
CALL_SECONDS = 30.0
POLL_SECONDS = 20
# Parts of the server's descriptions. The whole text is never passed on: it may quote the message.
NOT_MODIFIED = "message is not modified"
NO_THREAD = "message thread not found"
BAD_ENTITIES = ("can't parse entities", "entities_too_long", "entity_bounds_invalid")
KNOWN = (
    *(NOT_MODIFIED, NO_THREAD, *BAD_ENTITIES, "message to edit not found", "message can't be edited"),
    *("chat not found", "bot was blocked by the user", "user is deactivated", "bot was kicked"),
    *("bot is not a member", "not enough rights", "have no rights to send", "chat_write_forbidden"),
    *("topic_closed", "topic_deleted", "message is too long", "message text is empty"),
    *("text must be non-empty", "bot can't initiate conversation", "peer_id_invalid"),
)


class Refused(PermanentError):
    """Telegram refused the call; ``reason`` is one of ``KNOWN``, or the kind of error."""


class Migrated(PermanentError):
    """The group became a supergroup with the id ``chat_id``."""

    def __init__(self, chat_id: int) -> None:
        """Remember the new id."""
        super().__init__("group chat was upgraded to a supergroup chat")
        self.chat_id = chat_id


def as_send_error(error: TelegramError) -> SendError:
    """Return what an error of the library means to a sender."""
    if isinstance(error, RetryAfter):
        after = error.retry_after
        seconds = after.total_seconds() if isinstance(after, timedelta) else float(after)
        return TransientError("rate limit", seconds)
    if isinstance(error, ChatMigrated):
        return Migrated(error.new_chat_id)
    if isinstance(error, BadRequest | Forbidden):  # BadRequest is a kind of NetworkError, hence before those
        text = error.message.lower()
        return Refused(next((known for known in KNOWN if known in text), type(error).__name__))
    # An invalid token is transient, too: replies must still go out once the operator has corrected it.
    return TransientError("InvalidToken" if isinstance(error, InvalidToken) else type(error).__name__)


class BotThread:
    """Owns the bot on an event loop of its own, because the library is asynchronous and the rest is not."""

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

    def call(self, act: Act[T], seconds: float = CALL_SECONDS) -> T:
        """Return what ``act`` returns.

        Raises:
            PermanentError, TransientError: it failed, or took longer than ``seconds``.
        """
        future = self._begin(act)
        try:
            return future.result(seconds)
        except TimeoutError:
            future.cancel()
            raise TransientError("timeout") from None
        except CancelledError:
            raise TransientError("stopping") from None
        except TelegramError as error:
            raise as_send_error(error) from None
        finally:
            self._calls.discard(future)

    def post(self, what: str, act: Act[object]) -> None:
        """Begin ``act`` without waiting for its end; if it fails, ``what`` failed in the log."""

        def ended(future: Future[object]) -> None:
            self._calls.discard(future)
            if future.cancelled():
                return
            error = future.exception()
            if isinstance(error, TelegramError):
                error = as_send_error(error)
            if error is not None:
                reason = error.reason if isinstance(error, SendError) else type(error).__name__
                log.warning(f"{what} failed", platform=PLATFORM, reason=reason)

        self._begin(act).add_done_callback(ended)

    def _begin(self, act: Act[T]) -> Future[T]:
        self.start()

        async def run() -> T:
            if self._bot is None:
                self._bot = self._make_bot()
            return await act(self._bot)

        future: Future[T] = asyncio.run_coroutine_threadsafe(run(), self._loop)
        self._calls.add(future)
        return future

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
