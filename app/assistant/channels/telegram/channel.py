"""The Telegram channel as a whole: webhook or polling."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint

from assistant.channels.base import Intake, Rating, SendError, TransientError
from assistant.channels.telegram import PLATFORM
from assistant.channels.telegram.client import TelegramClient
from assistant.channels.telegram.ratings import Click
from assistant.channels.telegram.routes import blueprint
from assistant.channels.telegram.setup import is_registered, register, set_menu
from assistant.channels.telegram.updates import MalformedUpdateError, parse, read
from assistant.logs import Log
from assistant.loops import Loop
from assistant.messages import Incoming
from assistant.metrics.arrivals import Arrival
from assistant.metrics.labels import REJECTED

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
        self._rate: Callable[[Rating], bool] = lambda rating: False
        # What is still to be done, in this order; each step is repeated until it has worked.
        self._steps = [self._learn_name, self._register, self._set_menu]
        self._setup = Loop("telegram-setup", self._set_up, idle_seconds=SETUP_SECONDS)

    def blueprint(self, intake: Intake) -> Blueprint | None:
        """Return the webhook, which puts messages and ratings into ``intake``."""
        self._rate = intake.rate
        return blueprint(intake, self._path, self._secret_token, lambda: self._name, self._clicked)

    def start(self) -> None:
        """Register the webhook and the menu and learn the bot's name, in the background until it works."""
        self.client.start()
        self._setup.start()

    def stop(self) -> None:
        """Stop the background threads."""
        self._setup.ask_to_stop()
        self._setup.join(2)
        self.client.stop()

    def _clicked(self, click: Click) -> None:
        stored = bool(click.number) and self._rate(
            Rating(PLATFORM, click.chat, click.number, click.score, click.sender)
        )
        self.client.answer_click(click, stored=stored)

    def _learn_name(self) -> None:
        self._name = self.client.name()

    def _register(self) -> None:
        register(self.client, self._url, self._secret_token)
        if not is_registered(self.client.webhook(), self._url):
            # Another program with the same token has registered its own in between.
            raise TransientError("another webhook is registered")
        log.info("registered with Telegram", platform=PLATFORM)

    def _set_menu(self) -> None:
        set_menu(self.client)

    def _set_up(self) -> bool:
        while self._steps:
            try:
                self._steps[0]()
            except SendError as error:
                log.warning(
                    "setting Telegram up failed; it will be tried again",
                    platform=PLATFORM,
                    step=self._steps[0].__name__.strip("_"),
                    reason=error.reason,
                )
                return False
            self._steps.pop(0)
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
        self._registered = False
        self._arrival: Callable[[str], Arrival] = Intake(lambda message: None).arrival
        self._poll = Loop("telegram-poll", self._fetch, idle_seconds=1.0)

    def blueprint(self, intake: Intake) -> Blueprint | None:
        """Return None: nothing comes in by itself."""
        self._rate, self._arrival = intake.rate, intake.arrival
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
        register(self.client, "", "")
        self._registered = True
        log.info("fetching from Telegram", platform=PLATFORM)

    def _fetch(self) -> bool:
        # The bot's name is known by then: the set-up's first step.
        if not self._registered:
            return False
        try:
            updates = self.client.updates(self._cursor(CURSOR))
        except TransientError as error:
            log.warning("fetching updates failed", platform=PLATFORM, reason=error.reason)
            return False
        for update in updates:
            with self._arrival(PLATFORM) as arrival:
                self._take(update, arrival)
        return bool(updates)

    def _take(self, update: dict[str, Any], arrival: Arrival) -> None:
        number = update.get("update_id")
        if not isinstance(number, int):
            log.warning("an update without a number is passed over", platform=PLATFORM)
            arrival.outcome = REJECTED
            return
        position = (CURSOR, number + 1)
        try:
            found = read(parse(update), self._name)
        except MalformedUpdateError:
            # It would come again for ever.
            log.warning("an update was malformed and is passed over", platform=PLATFORM)
            arrival.outcome = REJECTED
            found = None
        if isinstance(found, Incoming):
            self._accept(found, position)
            return
        if found is not None:
            # Rating twice is the same as once: should the cursor be lost, the click comes again.
            self._clicked(found)
        self._set_cursor(*position)
