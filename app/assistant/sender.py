"""The sender: takes replies out of the outbox and hands them to their channel."""

from collections.abc import Mapping

from assistant import correlation
from assistant.channels.base import Part, PermanentError, Push, TransientError
from assistant.logs import Log
from assistant.loops import Background, Loop, Loops
from assistant.metrics import Metrics
from assistant.metrics.labels import DEAD, RETRIED, SENT, channel_of
from assistant.store import Delivery, Outbox
from assistant.store.unreadable import UnreadableRow

log = Log(__name__)
MAX_ATTEMPTS = 12
FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 300.0


def delay_after(attempts: int) -> float:
    """Return how long to wait after the failed try number ``attempts`` (from 1), in seconds."""
    return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** (attempts - 1))


class Sender(Background):
    """Sends replies, each platform on its own thread: one that is down does not hold up another."""

    stop_seconds = 10.0

    def __init__(self, outbox: Outbox, channels: Mapping[str, Push], metrics: Metrics) -> None:
        """Send for ``channels`` (platform -> channel)."""
        self._outbox = outbox
        self._metrics = metrics
        self._of = {
            platform: Loop(f"send-{platform}", lambda p=platform, c=channel: self.step(p, c))  # type: ignore[misc]  # mypy cannot infer defaults
            for platform, channel in channels.items()
        }
        self._loops = Loops(self._of.values())

    def wake(self, platform: str = "") -> None:
        """Look into the outbox now, for ``platform`` or for all."""
        if platform in self._of:
            self._of[platform].wake()
        else:
            self._loops.wake()

    def step(self, platform: str, channel: Push) -> bool:
        """Send one reply; returns whether there was one."""
        try:
            delivery = self._outbox.claim([platform])
        except UnreadableRow as row:
            log.error("a reply cannot be read and waits", outbox_id=row.number, reason=str(row))
            return True
        if delivery is None:
            return False
        with correlation.following(delivery.trace_id):
            self._try(delivery, channel)
        return True

    def _try(self, delivery: Delivery, channel: Push) -> None:
        try:
            self._send(delivery, channel)
        except PermanentError as error:
            self._give_up(delivery, error.reason)
        except TransientError as error:
            self._later(delivery, error)
        except Exception as error:
            log.exception("fault while sending", outbox_id=delivery.outbox_id, platform=delivery.platform)
            self._later(delivery, TransientError(type(error).__name__))

    def _send(self, delivery: Delivery, channel: Push) -> None:
        parts = channel.split(delivery.text)
        for number, part in enumerate(parts):
            if number < delivery.parts_sent:
                continue
            key = delivery.idempotency_key if number == 0 else f"{delivery.idempotency_key}-{number}"
            channel.send(
                Part(
                    chat=delivery.chat,
                    text=part,
                    reply_to=delivery.reply_to if number == 0 else "",
                    key=key,
                    draft=delivery.draft if number == 0 else "",
                    rateable=delivery.rateable if number == len(parts) - 1 else 0,
                    language=delivery.language,
                )
            )
            # The last part and the end are one commit.
            if number + 1 < len(parts) and not self._outbox.part_sent(delivery, number + 1):
                log.warning("a lease was lost while sending", outbox_id=delivery.outbox_id)
                return
        if not self._outbox.sent(delivery, len(parts)):
            log.warning("a lease was lost while sending", outbox_id=delivery.outbox_id)
            return
        self._count(delivery, SENT)
        if delivery.arm:
            self._metrics.handed_over(
                delivery.platform, delivery.arm, delivery.waited, cached=delivery.cached
            )
        log.info("sent", outbox_id=delivery.outbox_id, platform=delivery.platform, parts=len(parts))

    def _later(self, delivery: Delivery, error: TransientError) -> None:
        if error.retry_after is not None:
            # The platform asked for patience: obeying is no failure of this reply.
            self._outbox.retry(delivery, error.retry_after, count=False)
            delay = error.retry_after
        elif delivery.attempts >= MAX_ATTEMPTS:
            self._give_up(delivery, error.reason)
            return
        else:
            delay = delay_after(delivery.attempts)
            self._outbox.retry(delivery, delay)
        self._count(delivery, RETRIED)
        log.warning(
            "sending failed and will be tried again",
            outbox_id=delivery.outbox_id,
            platform=delivery.platform,
            reason=error.reason,
            in_seconds=delay,
        )

    def _give_up(self, delivery: Delivery, reason: str) -> None:
        self._outbox.give_up(delivery, reason)
        self._count(delivery, DEAD)
        log.error(
            "a reply was given up", outbox_id=delivery.outbox_id, platform=delivery.platform, reason=reason
        )

    def _count(self, delivery: Delivery, outcome: str) -> None:
        self._metrics.replies.labels(channel_of(delivery.platform), outcome).inc()
