"""The Feishu channel as a whole."""

from flask import Blueprint

from assistant.channels.base import Intake, SendError
from assistant.channels.feishu import PLATFORM
from assistant.channels.feishu.client import FeishuClient
from assistant.channels.feishu.gate import Gate
from assistant.channels.feishu.long_connection import LongConnection
from assistant.channels.feishu.reception import Reception
from assistant.channels.feishu.routes import blueprint
from assistant.logs import Log
from assistant.loops import Loop

log = Log(__name__)
IDENTITY_SECONDS = 60.0


class FeishuChannel:
    """Receives at /feishu/webhook and sends through ``client``."""

    def __init__(self, client: FeishuClient, gate: Gate) -> None:
        """Prepare the channel, whose webhook lets in what ``gate`` does; nothing is sent before ``start``."""
        self.client = client
        self._gate = gate
        self._bot_open_id = ""
        self._identity = Loop("feishu-identity", self._learn_identity, idle_seconds=IDENTITY_SECONDS)

    def blueprint(self, intake: Intake) -> Blueprint | None:
        """Return the webhook, which puts messages into ``intake``."""
        return blueprint(self._reception(intake), self._gate)

    def start(self) -> None:
        """Learn the bot's own id in the background: in groups only messages that mention it are for it."""
        self._identity.start()

    def stop(self) -> None:
        """Stop the background threads."""
        self._identity.ask_to_stop()
        self._identity.join(5)

    def _reception(self, intake: Intake) -> Reception:
        return Reception(intake, lambda: self._bot_open_id)

    def _learn_identity(self) -> bool:
        try:
            self._bot_open_id = self.client.bot_open_id()
        except SendError as error:
            log.warning("the bot's own id is not known yet", platform=PLATFORM, reason=error.reason)
            return False
        self._identity.ask_to_stop()
        return False


class FeishuLongConnection(FeishuChannel):
    """Receives over a connection that the assistant opens, for a host that Feishu cannot reach.

    Feishu hands each event to one of an app's connections, so that several hosts may have one each.
    """

    def __init__(self, client: FeishuClient) -> None:
        """Prepare the channel; it connects at ``start``."""
        super().__init__(client, Gate(""))
        self._connection: LongConnection | None = None

    def blueprint(self, intake: Intake) -> Blueprint | None:
        """Return no webhook, but remember where messages go."""
        self._connection = LongConnection(self.client.transport, self._reception(intake))
        return None

    def start(self) -> None:
        """Connect in the background, too."""
        super().start()
        if self._connection is not None:
            self._connection.start()

    def stop(self) -> None:
        """Close the connection; what was not committed comes again."""
        if self._connection is not None:
            self._connection.stop()
        super().stop()
