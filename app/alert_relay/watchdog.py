"""The heartbeat of monitoring: an alert that always fires. When it stays away, the relay says so itself."""

from __future__ import annotations

import logging
import threading
import time
from typing import Callable

from alert_relay.background import Background
from alert_relay.messages import Words
from alert_relay.outbox import Outbox

_LAST, _SILENT = "watchdog_last", "watchdog_silent"
_LONGEST_LOOK_SECONDS = 5.0
_log = logging.getLogger("alert_relay.watchdog")


class Watchdog(Background):
    """Watches the heartbeat. What it announced is in the database: a restart announces nothing twice."""

    def __init__(
        self,
        outbox: Outbox,
        words: Words,
        seconds: float,
        wake: Callable[[], None],
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start to wait for a heartbeat.

        Args:
            outbox: where announcements go.
            words: makes them.
            seconds: how long the heartbeat may stay away.
            wake: called when an announcement was put in.
            clock: gives seconds since 1970.
            monotonic: gives seconds that no clock change disturbs.
        """
        self._look_seconds = min(_LONGEST_LOOK_SECONDS, seconds / 4)
        super().__init__("watchdog", self._look_seconds)
        self._outbox = outbox
        self._words = words
        self._seconds = seconds
        self._wake_senders = wake
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        last = outbox.fact(_LAST)
        away = 0.0 if last is None else max(0.0, clock() - last)
        # After a reboot monitoring needs a while to come up as well: half of the time at least.
        self._seen = monotonic() - min(away, seconds / 2)

    def beat(self) -> None:
        """Note a heartbeat; announces that monitoring is back where its silence was announced."""
        with self._lock:
            now = self._clock()
            if self.silent:
                self._announce(f"back {now}", self._words.of_return().to_json(), {_LAST: now, _SILENT: 0.0})
                _log.warning("the heartbeat of monitoring is back")
            else:
                self._outbox.set_facts({_LAST: now})
            self._seen = self._monotonic()

    def ended(self) -> None:
        """Note that Alertmanager calls the heartbeat ended: Prometheus has been silent for minutes already.

        Prometheus tells Alertmanager of a firing alert again every minute, and Alertmanager takes it for
        resolved when it has heard nothing for four (--rules.alert.resend-delay, rules/manager.go).
        """
        with self._lock:
            self._silence()

    def step(self) -> float:
        """Look, and return the seconds until the next look."""
        self.look()
        return self._look_seconds

    def look(self) -> None:
        """Announce the silence when it has lasted long enough."""
        with self._lock:
            if self._monotonic() - self._seen >= self._seconds:
                self._silence()

    @property
    def silent(self) -> bool:
        """Whether the silence is announced."""
        return bool(self._outbox.fact(_SILENT))

    def state(self) -> tuple[float | None, bool]:
        """Return the age of the last heartbeat in seconds, None where there was none, and ``silent``."""
        last = self._outbox.fact(_LAST)
        return (None if last is None else max(0.0, self._clock() - last)), self.silent

    def _silence(self) -> None:
        if self.silent:
            return
        last, now = self._outbox.fact(_LAST), self._clock()
        self._announce(f"silent {now}", self._words.of_silence(last).to_json(), {_SILENT: 1.0})
        _log.error(
            "monitoring is silent: no heartbeat (alert Watchdog) from Prometheus by way of Alertmanager"
        )

    def _announce(self, key: str, body: str, facts: dict[str, float]) -> None:
        self._outbox.add(f"watchdog {key}", body, 0.0, facts)
        self._wake_senders()
