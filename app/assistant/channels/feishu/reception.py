"""What to do with an event, however it came."""

from collections.abc import Callable
from typing import Any

from assistant.channels.base import Intake
from assistant.channels.feishu import PLATFORM
from assistant.channels.feishu.actions import ACTION_EVENT, rate
from assistant.channels.feishu.events import event_type, read_message
from assistant.metrics.arrivals import Arrival


class Reception:
    """Takes events that are known to come from Feishu."""

    def __init__(self, intake: Intake, bot_open_id: Callable[[], str]) -> None:
        """Put messages into ``intake``.

        Args:
            intake: where messages and ratings go.
            bot_open_id: returns the bot's own id, or an empty text while it is unknown.
        """
        self._intake, self._bot_open_id = intake, bot_open_id

    def arrival(self) -> Arrival:
        """Return a block for one event that did not come by HTTP: it is counted at the block's end."""
        return self._intake.arrival(PLATFORM)

    def receive(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """Commit what is in ``event``; returns what the platform wants as an answer, None for nothing.

        Raises:
            Exception: it is not committed; the platform must send it again.
        """
        if event_type(event) == ACTION_EVENT:
            return rate(event, self._intake)
        message = read_message(event, self._bot_open_id())
        if message is not None:
            self._intake.accept(message)
        return None
