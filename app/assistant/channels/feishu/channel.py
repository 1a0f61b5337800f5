"""The Feishu channel as a whole."""

from flask import Blueprint

from assistant.channels.base import Intake, SendError
from assistant.channels.feishu.client import FeishuClient
from assistant.channels.feishu.gate import Gate
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

    def blueprint(self, intake: Intake) -> Blueprint:
        """Return the webhook, which puts messages into ``intake``."""
        return blueprint(intake, self._gate, lambda: self._bot_open_id)

    def start(self) -> None:
        """Learn the bot's own id in the background: in groups only messages that mention it are for it."""
        self._identity.start()

    def stop(self) -> None:
        """Stop the background thread."""
        self._identity.ask_to_stop()
        self._identity.join(5)

    def _learn_identity(self) -> bool:
        try:
            self._bot_open_id = self.client.bot_open_id()
        except SendError as error:
            log.warning("the bot's own id is not known yet", platform="feishu", reason=error.reason)
            return False
        self._identity.ask_to_stop()
        return False
