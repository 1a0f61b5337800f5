"""Telegram's webhook: what it stores, and what it answers while the bot's name is not known yet."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from assistant.channels.base import Intake
from assistant.channels.telegram.ratings import Click
from assistant.channels.telegram.routes import blueprint
from assistant.messages import Incoming
from assistant.metrics import Metrics
from assistant.web.factory import make_app
from tests.emulators.telegram_client import SECRET_HEADER, TelegramUser, click_update, group, message_update


class Door:
    """A webhook, and what came through it."""

    def __init__(self) -> None:
        self.name = ""
        self.messages: list[Incoming] = []
        self.clicks: list[Click] = []
        routes = blueprint(Intake(self._accept), "/hook", "s", lambda: self.name, self.clicks.append)
        self.client: FlaskClient = make_app([routes], Metrics(), 100_000, ()).test_client()

    def _accept(self, message: Incoming) -> int:
        self.messages.append(message)
        return len(self.messages)

    def post(self, update: Any, secret: str = "s") -> int:
        return self.client.post("/hook", json=update, headers={SECRET_HEADER: secret}).status_code


@pytest.fixture
def door() -> Door:
    return Door()


def test_group_is_told_to_come_again_until_the_name_is_known(door: Door) -> None:
    update = message_update("/help", user=TelegramUser(), chat=group(-100))
    assert (door.post(update), door.messages) == (503, [])
    assert door.post(message_update("hello", user=TelegramUser())) == 200
    door.name = "my_bot"
    assert door.post(update) == 200
    assert [message.text for message in door.messages] == ["hello", "/help"]


def test_click_is_no_message(door: Door) -> None:
    sent = {"message_id": 6, "date": 1, "chat": {"id": 7, "type": "private"}}
    update = click_update("rate:12:1", sent, user=TelegramUser(7), query_id="q")
    assert door.post(update, "forged") == 401
    assert door.clicks == []
    assert door.post(update) == 200
    assert (door.messages, [click.number for click in door.clicks]) == ([], [12])


def test_wrong_types_are_refused(door: Door) -> None:
    update: Any = message_update("hi", user=TelegramUser())
    update["message"]["chat"]["id"] = "7"
    assert (door.post(update), door.messages) == (400, [])
