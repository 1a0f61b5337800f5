"""What can go wrong, by what is to be done about it."""

from __future__ import annotations


class AgentError(Exception):
    """The next look may find it well again; the text says what is wrong."""


class ConfigError(AgentError):
    """The configuration cannot be used; the text names the entry."""


class EngineAway(AgentError):
    """Docker does not answer."""


class EngineRefused(AgentError):
    """Docker answered, and did not do what it was asked for; ``status`` is how the command ended."""

    def __init__(self, text: str, status: int = 1) -> None:
        """Keep both."""
        super().__init__(text)
        self.status = status


class StateUnreadable(AgentError):
    """The app's state file is there and cannot be believed."""
