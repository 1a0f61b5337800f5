"""The emulated platforms, with the secrets that ``process.Assistant`` has."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.emulators.config import FeishuConfig, TelegramConfig
from tests.emulators.feishu import make_feishu_app
from tests.emulators.server import Server
from tests.emulators.telegram import make_telegram_app
from tests.integration.app.process import APP_ID, SECRETS


@contextmanager
def emulated() -> Iterator[tuple[Server, Server]]:
    """Run Feishu and Telegram."""
    feishu = FeishuConfig(
        APP_ID,
        SECRETS["feishu_app_secret"],
        SECRETS["feishu_encrypt_key"],
        SECRETS["feishu_verification_token"],
    )
    telegram = TelegramConfig(SECRETS["telegram_bot_token"], SECRETS["telegram_secret_token"])
    with (
        Server(make_feishu_app(feishu), "127.0.0.1", 0) as one,
        Server(make_telegram_app(telegram), "127.0.0.1", 0) as two,
    ):
        yield one, two
