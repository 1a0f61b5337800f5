"""The Telegram channel as a whole: webhook or polling."""

from collections.abc import Callable

from flask import Blueprint

from assistant.channels.base import Intake, SendError, TransientError
from assistant.channels.telegram import PLATFORM
from assistant.channels.telegram.client import TelegramClient
from assistant.channels.telegram.routes import blueprint
from assistant.channels.telegram.updates import read_message
from assistant.logs import Log
from assistant.loops import Loop
from assistant.messages import Incoming

log = Log(__name__)
CURSOR = "telegram-offset"
SETUP_SECONDS = 30.0


class TelegramChannel:
    """Receives at a webhook and sends through ``client``."""

    def __init__(self, client: TelegramClient, path: str, secret_token: str, public_url: str) -> None:
        """Prepare the channel; nothing is sent before ``start``."""
        self.client = client
        self._path, self._secret_token, self._url = path, secret_token, f"{public_url}{path}"
        self._name = ""
        self._registered = False
        self._setup = Loop("telegram-setup", self._set_up, idle_seconds=SETUP_SECONDS)

    def blueprint(self, intake: Intake) -> Blueprint | None:
        """Return the webhook, which puts messages into ``intake``."""
        return blueprint(intake, self._path, self._secret_token, lambda: self._name)

    def start(self) -> None:
        """Register the webhook and learn the bot's name, in the background and until it works."""
        self.client.start()
        self._setup.start()

    def stop(self) -> None:
        """Stop the background threads."""
        self._setup.ask_to_stop()
        self._setup.join(2)
        self.client.stop()

    def _register(self) -> None:
        self.client.set_webhook(self._url, self._secret_token)

    def _set_up(self) -> bool:
        try:
            if not self._registered:
                self._register()
                self._registered = True
                log.info("registered with Telegram", platform=PLATFORM)
            self._name = self.client.name()
        except SendError as error:
            log.warning(
                "Telegram was not reached; it will be tried again", platform=PLATFORM, reason=error.reason
            )
            return False
        self._setup.ask_to_stop()
        return False


class TelegramPolling(TelegramChannel):
    """Fetches updates; how far it got is committed together with each message."""

    def __init__(
        self,
        client: TelegramClient,
        accept: Callable[[Incoming, tuple[str, int]], int | None],
        cursor: Callable[[str], int | None],
        set_cursor: Callable[[str, int], None],
    ) -> None:
        """Prepare the channel.

        Args:
            client: fetches and sends.
            accept: commits a message together with the cursor.
            cursor: returns the committed cursor.
            set_cursor: commits a cursor alone.
        """
        super().__init__(client, "", "", "")
        self._accept, self._cursor, self._set_cursor = accept, cursor, set_cursor
        self._poll = Loop("telegram-poll", self._fetch, idle_seconds=1.0)

    def blueprint(self, intake: Intake) -> Blueprint | None:
        """Return None: nothing comes in by itself."""
        del intake
        return None

    def start(self) -> None:
        """Start fetching."""
        super().start()
        self._poll.start()

    def stop(self) -> None:
        """Stop fetching; what is being waited for is left behind and comes again."""
        self._poll.ask_to_stop()
        super().stop()
        self._poll.join(2)

    def _register(self) -> None:
        # Telegram refuses getUpdates while a webhook is set.
        self.client.delete_webhook()

    def _fetch(self) -> bool:
        if not self._registered:
            return False
        try:
            updates = self.client.updates(self._cursor(CURSOR))
        except TransientError as error:
            log.warning("fetching updates failed", platform=PLATFORM, reason=error.reason)
            return False
        for update in updates:
            position = (CURSOR, update.update_id + 1)
            message = read_message(update, self._name)
            if message is None:
                self._set_cursor(*position)
            else:
                self._accept(message, position)
        return bool(updates)
