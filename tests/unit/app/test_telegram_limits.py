"""Replies and drafts of many chats at once, against the emulated Bot API with the platform's own limits."""

import random
from collections import deque

import pytest

from assistant.channels.base import Part, TransientError
from assistant.channels.telegram import client as client_module
from assistant.channels.telegram.client import TelegramClient
from assistant.channels.telegram.pace import Pace
from tests.emulators.config import TelegramConfig
from tests.emulators.server import Server
from tests.emulators.telegram import make_telegram_app
from tests.unit.app.test_telegram_client import Platform

CONFIG = TelegramConfig("12345:AAtest", "secret_1")
ANSWERS = 8
CHATS = ["7", "8", "9", "-100/5", "-100/6", "-200", "-300"]


class Clock:
    """The time of both sides."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_many_chats_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(client_module.time, "sleep", clock.sleep)
    with Server(make_telegram_app(CONFIG, clock), "127.0.0.1", 0) as server:
        platform = Platform(server.url)
        platform.client = TelegramClient(server.url, CONFIG.bot_token, Pace(clock))
        for chat in range(1, 71):
            platform.client.send(Part(str(chat), "answer", "", "k"))
        assert [sent["chat"] for sent in platform.sent()] == list(range(1, 71))
        platform.client.stop()
    assert clock.now > 1001, "nobody had to wait"


@pytest.mark.parametrize("seed", range(2))
def test_all_answers_arrive_and_no_limit_is_met(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance, clock = random.Random(seed), Clock()
    monkeypatch.setattr(client_module.time, "sleep", clock.sleep)
    waiting = deque((chat, number) for number in range(ANSWERS) for chat in CHATS)
    drafts: dict[str, str] = {}
    changes = refused = 0
    with Server(make_telegram_app(CONFIG, clock), "127.0.0.1", 0) as server:
        platform = Platform(server.url)
        platform.client = TelegramClient(server.url, CONFIG.bot_token, Pace(clock))
        while waiting:
            clock.now += chance.random() * 0.06
            chat, number = waiting[0]
            writing = chance.choice(CHATS)
            try:
                if chance.random() < 0.5:
                    if writing in drafts:
                        platform.client.change_draft(writing, drafts[writing], f"words {changes}")
                    else:
                        drafts[writing] = platform.client.open_draft(Part(writing, "words", "", "k"))
                    changes += 1
                    continue
                platform.client.send(Part(chat, f"answer {number}", "", "k", draft=drafts.pop(chat, "")))
                waiting.popleft()
            except TransientError as error:
                assert error.reason != "rate limit", "the platform had to say so"
                assert error.retry_after
                refused += 1
                # As the sender does: others come first, and this one again when its time has come.
                if waiting and waiting[0] == (chat, number):
                    waiting.rotate(-1)
        sent = platform.sent()
        platform.client.stop()
    assert changes and refused
    for chat in CHATS:
        number, _, topic = chat.partition("/")
        answers = [
            s["text"]
            for s in sent
            if str(s["chat"]) == number and str(s["thread"] or "") == topic and s["text"].startswith("answer")
        ]
        assert sorted(answers) == sorted(f"answer {n}" for n in range(ANSWERS)), chat
