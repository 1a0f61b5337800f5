"""All parts of the relay, put together."""

from __future__ import annotations

import fcntl
import logging
import sqlite3
import threading

from alert_relay.alerts import WATCHDOG, Notification
from alert_relay.config import Config, FeishuChat, TelegramChat
from alert_relay.feishu import Feishu
from alert_relay.http import make_client
from alert_relay.messages import Words
from alert_relay.metrics import ACCEPTED, DUPLICATE, HEARTBEAT, Metrics
from alert_relay.outbox import Outbox
from alert_relay.sender import Channel, Sender
from alert_relay.telegram import Telegram
from alert_relay.watchdog import Watchdog

_STOP_SECONDS = 12.0  # longer than a call may take
_log = logging.getLogger("alert_relay")


def channel_of(chat: FeishuChat | TelegramChat, config: Config) -> Channel:
    """Return the way to a chat."""
    client = make_client(config)
    return Feishu(chat, client) if isinstance(chat, FeishuChat) else Telegram(chat, client)


class Relay:
    """Takes notifications and has them posted."""

    def __init__(self, config: Config) -> None:
        """Open the outbox; nothing is sent before ``start``.

        Raises:
            ConfigError: an authority's file cannot be used.
            sqlite3.Error: the outbox cannot be opened.
        """
        self.config = config
        self._outbox = Outbox(config.database, [chat.name for chat in config.chats])
        self._words = Words(config)
        self._watchdog = Watchdog(self._outbox, self._words, config.watchdog_seconds, self._wake)
        channels = {chat.name: chat.channel for chat in config.chats}
        self.metrics = Metrics(channels, self._outbox.waiting, self._watchdog.state)
        self._senders = [
            Sender(chat.name, channel_of(chat, config), self._outbox, self.metrics, config.give_up_seconds)
            for chat in config.chats
        ]
        self._started = False

    def start(self) -> None:
        """Start the threads as soon as no other relay sends from this outbox."""
        threading.Thread(target=self._start_alone, name="starter", daemon=True).start()

    def _start_alone(self) -> None:
        # gunicorn may start a worker while the last one still ends: two senders would post everything twice.
        self._lock = self.config.database.with_suffix(".lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        given_up = self._outbox.start()
        if given_up:
            _log.error("%d messages are given up: their chats are configured no more", given_up)
        for sender in self._senders:
            sender.start()
        self._watchdog.start()
        self._started = True
        names = ", ".join(chat.name for chat in self.config.chats)
        _log.info("posting to %s", names)

    def stop(self) -> None:
        """Stop the threads; a message that is under way is finished."""
        for sender in self._senders:
            sender.stop(_STOP_SECONDS)
        self._watchdog.stop(_STOP_SECONDS)

    def take(self, news: Notification) -> str:
        """Put a notification in for every chat, and return what it counted as.

        Raises:
            sqlite3.Error: it is not kept, Alertmanager has to come again.
        """
        beats = [alert for alert in news.alerts if alert.name == WATCHDOG]
        others = tuple(alert for alert in news.alerts if alert.name != WATCHDOG)
        if any(alert.status == "firing" for alert in beats):
            self._watchdog.beat()
        elif beats:
            self._watchdog.ended()
        if not others:
            return HEARTBEAT
        news = Notification(news.group_key, others, news.truncated)
        body = self._words.of_alerts(news).to_json()
        added = self._outbox.add(news.key(), body, self.config.repeat_window_seconds)
        self._wake()
        return ACCEPTED if added else DUPLICATE

    def troubles(self) -> list[str]:
        """Return why the relay cannot do its work; empty when it can."""
        try:
            self._outbox.waiting()
        except sqlite3.Error as error:
            return [f"the outbox {self.config.database} does not work: {error}"]
        if not self._started:
            return ["another relay sends from this outbox, or this one only starts"]
        parts = [("the watchdog", self._watchdog.alive)]
        parts += [
            (f"the sender of chat {each.name}", one.alive)
            for each, one in zip(self.config.chats, self._senders)
        ]
        return [f"{name} has ended" for name, alive in parts if not alive]

    def _wake(self) -> None:
        for sender in self._senders:
            sender.wake()
