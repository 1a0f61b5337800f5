"""Fixtures: the emulated platforms and the assistant that talks to them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import postgresql
from tests.emulators.feishu_client import FeishuUser, message_event, post_event
from tests.emulators.server import Server
from tests.emulators.telegram_client import message_update, post_update
from tests.integration.app.emulated import emulated
from tests.integration.app.process import APP_ID, SECRETS, Assistant, until


class Platforms:
    """Both emulators, and what a test does with them."""

    def __init__(self, feishu: Server, telegram: Server) -> None:
        self.feishu, self.telegram = feishu.url, telegram.url

    def settings(self) -> dict[str, str]:
        return {
            "ASSISTANT_FEISHU_ENABLED": "true",
            "ASSISTANT_FEISHU_APP_ID": APP_ID,
            "ASSISTANT_FEISHU_BASE_URL": self.feishu,
            "ASSISTANT_TELEGRAM_ENABLED": "true",
            "ASSISTANT_TELEGRAM_BASE_URL": self.telegram,
            "ASSISTANT_PUBLIC_URL": "https://assistant.example.com",
        }

    def sent(self, base: str) -> list[dict[str, Any]]:
        return list(httpx.get(f"{base}/_sent", trust_env=False).json())

    def fail(self, base: str, **fault: Any) -> None:
        httpx.post(f"{base}/_fail", json=fault, trust_env=False).raise_for_status()

    def reset(self) -> None:
        for base in (self.feishu, self.telegram):
            httpx.post(f"{base}/_reset", trust_env=False).raise_for_status()

    def wait_for(self, base: str, count: int, seconds: float = 60) -> list[dict[str, Any]]:
        """Wait for so many messages that are whole: one that is still being streamed does not count."""

        def whole() -> list[dict[str, Any]]:
            found = [sent for sent in self.sent(base) if not sent["streaming"]]
            return found if len(found) >= count else []

        return until(f"{count} replies", whole, seconds)

    def feishu_event(self, text: str, **arguments: Any) -> dict[str, Any]:
        arguments.setdefault("user", FeishuUser())
        token = SECRETS["feishu_verification_token"]
        return message_event(text, app_id=APP_ID, verification_token=token, **arguments)

    def post_feishu(self, assistant: Assistant, event: dict[str, Any]) -> httpx.Response:
        return post_event(assistant.url, event, SECRETS["feishu_encrypt_key"])

    def post_telegram(self, assistant: Assistant, text: str, **arguments: Any) -> httpx.Response:
        update = message_update(text, **arguments)
        return post_update(f"{assistant.url}/telegram/webhook", update, SECRETS["telegram_secret_token"])


@pytest.fixture(scope="module")
def platforms() -> Iterator[Platforms]:
    with emulated() as (one, two):
        yield Platforms(one, two)


@pytest.fixture(scope="session")
def new_postgres_database(postgres: str) -> Callable[[], str]:
    return lambda: postgresql.new_database(postgres)


Maker = Callable[..., Assistant]


@pytest.fixture(scope="module")
def make_assistant(tmp_path_factory: pytest.TempPathFactory, model_path: Path) -> Iterator[Maker]:
    made: list[Assistant] = []

    def make(settings: dict[str, str], database_url: str = "") -> Assistant:
        directory = tmp_path_factory.mktemp("assistant")
        assistant = Assistant(
            directory, model_path, database_url or f"sqlite:///{directory}/assistant.db", settings
        )
        made.append(assistant)
        return assistant

    yield make
    for assistant in made:
        if assistant.process is not None and assistant.process.poll() is None:
            assistant.kill()


@pytest.fixture(scope="module")
def assistant(make_assistant: Maker, platforms: Platforms) -> Assistant:
    """An assistant on SQLite with all channels, for the tests of one file."""
    made = make_assistant(platforms.settings())
    made.start()
    return made


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/assistant.db"
    make: Callable[[], str] = request.getfixturevalue("new_postgres_database")
    return make()
