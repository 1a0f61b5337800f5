"""Takes messages from the outbox to one chat, in their order, until they are there."""

from __future__ import annotations

import logging
import time
from typing import Callable, Protocol

from alert_relay import metrics
from alert_relay.background import Background
from alert_relay.errors import DeliveryError, Limited, Misconfigured, Refused
from alert_relay.messages import Message
from alert_relay.metrics import Metrics
from alert_relay.outbox import Outbox, Row

_IDLE_SECONDS = 30.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 300.0
_REPAIR_PAUSE_SECONDS = 60.0
_FAULT_PAUSE_SECONDS = 5.0
# A next try further away than any pause is a clock that was set back.
_CLOCK_JUMP_SECONDS = 2 * 3600.0
_log = logging.getLogger("alert_relay.sender")


class Channel(Protocol):
    """A way to one chat; ``pace_seconds`` is the least time between two messages."""

    pace_seconds: float

    def send(self, message: Message, *, plain: bool = False) -> None:
        """Post a message, in its barest form when ``plain``; raises DeliveryError."""


def pause_seconds(error: DeliveryError, attempts: int) -> float:
    """Return how long to wait after the failed try number ``attempts`` (from 1)."""
    if error.retry_after is not None:
        return error.retry_after
    if isinstance(error, Misconfigured):
        return _REPAIR_PAUSE_SECONDS
    doubled: float = _FIRST_PAUSE_SECONDS * 2.0 ** min(attempts - 1, 16)
    return min(_LONGEST_PAUSE_SECONDS, doubled)


class Sender(Background):
    """The thread of one chat, so that a platform that hangs delays no other chat."""

    def __init__(
        self,
        chat: str,
        channel: Channel,
        outbox: Outbox,
        counted: Metrics,
        give_up_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make the thread; it starts with ``start``."""
        super().__init__(f"sender-{chat}", _FAULT_PAUSE_SECONDS)
        self._chat = chat
        self._channel = channel
        self._outbox = outbox
        self._metrics = counted
        self._give_up_seconds = give_up_seconds
        self._clock = clock

    def step(self) -> float:
        """Send one message if one is due, and return the seconds to wait for the next step."""
        row = self._outbox.next(self._chat)
        if row is None:
            return _IDLE_SECONDS
        ahead = row.next_try - self._clock()
        if 0 < ahead < _CLOCK_JUMP_SECONDS:
            return min(ahead, _IDLE_SECONDS)
        try:
            self._post(Message.from_json(row.body))
        except DeliveryError as error:
            return self._failed(row, error)
        self._outbox.finish(row, "posted")
        self._metrics.message(self._chat, metrics.POSTED)
        _log.info("chat %s: message %d posted, try %d", self._chat, row.id, row.attempts + 1)
        return self._pace()

    def _post(self, message: Message) -> None:
        try:
            self._channel.send(message)
        except Refused as error:
            # An alert in plain words is better than none.
            _log.error("chat %s: %s; %s. It is sent as plain text", self._chat, error, error.remedy)
            time.sleep(self._channel.pace_seconds)
            self._channel.send(message, plain=True)

    def _failed(self, row: Row, error: DeliveryError) -> float:
        age = self._clock() - row.created
        if isinstance(error, Refused) or age > self._give_up_seconds:
            why = "refused" if isinstance(error, Refused) else f"given up after {age:.0f} s"
            self._outbox.finish(row, "failed")
            self._metrics.message(self._chat, metrics.FAILED)
            title = Message.from_json(row.body).title
            _log.error("chat %s: ALERT LOST (%s): %s: %s; %s", self._chat, why, title, error, error.remedy)
            return self._pace()
        pause = pause_seconds(error, row.attempts + 1)
        self._outbox.postpone(row, pause)
        self._metrics.message(self._chat, metrics.RETRIED)
        if isinstance(error, Misconfigured):
            _log.error(
                "chat %s gets no alerts: %s. What to do: %s. Then run playbooks/monitoring.yml;"
                " what waits is kept for %.0f s",
                self._chat,
                error,
                error.remedy,
                self._give_up_seconds,
            )
        else:
            kind = "limited" if isinstance(error, Limited) else "not posted"
            hint = f" ({error.remedy})" if error.remedy else ""
            _log.warning("chat %s: %s: %s%s; next try in %.0f s", self._chat, kind, error, hint, pause)
        return min(pause, _IDLE_SECONDS)

    def _pace(self) -> float:
        # Not by the event: a message that comes in meanwhile must not hurry this one's successor.
        time.sleep(self._channel.pace_seconds)
        return 0.0
