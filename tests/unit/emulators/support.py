"""What the tests of both emulators share."""

from __future__ import annotations

from tests.emulators.config import FeishuConfig, TelegramConfig

FEISHU = FeishuConfig("cli_test", "app-secret", "encrypt-key", "verification-token")
TELEGRAM = TelegramConfig("12345:AAtest", "secret_1")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        """Start at some time."""
        self.now = 1000.0

    def __call__(self) -> float:
        """Give the present time in seconds."""
        return self.now
