"""What Prometheus is told. The label ``channel`` is feishu or telegram; its chats are added up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Callable

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily

POSTED, RETRIED, FAILED = "posted", "retried", "failed"
ACCEPTED, DUPLICATE, REJECTED, HEARTBEAT = "accepted", "duplicate", "rejected", "heartbeat"


class Metrics:
    """Counters of this process, and gauges that are read from the outbox when somebody asks."""

    def __init__(
        self,
        channels: dict[str, str],
        waiting: Callable[[], dict[str, tuple[int, float]]],
        watchdog: Callable[[], tuple[float | None, bool]],
    ) -> None:
        """Make the metrics.

        Args:
            channels: chat -> its channel.
            waiting: gives for each chat how many messages wait and the oldest one's age in seconds.
            watchdog: gives the last heartbeat's age in seconds, None where there was none, and whether the
                silence was announced.
        """
        self._channels = channels
        self._waiting = waiting
        self._watchdog = watchdog
        self._registry = CollectorRegistry()
        self._messages = Counter(
            "alert_relay_messages_total",
            "Messages by what became of them; retried counts tries that failed for the time being",
            ["channel", "outcome"],
            registry=self._registry,
        )
        self._notifications = Counter(
            "alert_relay_notifications_total",
            "Calls of Alertmanager by what the relay made of them",
            ["outcome"],
            registry=self._registry,
        )
        for channel in set(channels.values()):
            for outcome in (POSTED, RETRIED, FAILED):
                self._messages.labels(channel, outcome)
        for outcome in (ACCEPTED, DUPLICATE, REJECTED, HEARTBEAT):
            self._notifications.labels(outcome)
        self._registry.register(self)

    def message(self, chat: str, outcome: str) -> None:
        """Count a message of ``chat``."""
        self._messages.labels(self._channels[chat], outcome).inc()

    def notification(self, outcome: str) -> None:
        """Count a call of Alertmanager."""
        self._notifications.labels(outcome).inc()

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        data: bytes = generate_latest(self._registry)
        return data

    def collect(self) -> Iterable[Any]:
        """Yield the gauges; prometheus_client calls this."""
        count: dict[str, int] = defaultdict(int)
        age: dict[str, float] = defaultdict(float)
        for chat, (number, oldest) in self._waiting().items():
            channel = self._channels[chat]
            count[channel] += number
            age[channel] = max(age[channel], oldest)
        waiting = GaugeMetricFamily("alert_relay_waiting", "Messages that wait", labels=["channel"])
        oldest_age = GaugeMetricFamily(
            "alert_relay_oldest_waiting_seconds",
            "Age of the oldest message that waits, 0 without any",
            labels=["channel"],
        )
        for channel in count:
            waiting.add_metric([channel], count[channel])
            oldest_age.add_metric([channel], age[channel])
        yield waiting
        yield oldest_age
        seconds, silent = self._watchdog()
        if seconds is not None:
            yield GaugeMetricFamily(
                "alert_relay_watchdog_age_seconds",
                "Seconds since the last heartbeat of monitoring",
                value=seconds,
            )
        yield GaugeMetricFamily(
            "alert_relay_watchdog_silent",
            "1 while the silence of monitoring is announced",
            value=float(silent),
        )

    def describe(self) -> Iterable[Any]:
        """Say nothing beforehand: the gauges need the outbox."""
        return []
