"""What is sent: signed and encrypted Feishu events and Telegram updates, each message another one."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence

from tests.bench.ack.arrivals import Post
from tests.emulators.feishu_client import PATH as FEISHU_PATH
from tests.emulators.feishu_client import FeishuUser, message_event, new_message_id, sealed
from tests.emulators.telegram_client import SECRET_HEADER, TelegramUser, message_update
from tests.integration.app.process import APP_ID, SECRETS
from tools.controller.cache import ROOT

TELEGRAM_PATH = "/telegram/webhook"
# Conversations on each platform: as many people as write to a busy assistant within minutes.
CONVERSATIONS = 200
QUESTIONS = ROOT / "files" / "questions" / "demo.jsonl"
# Asked again and again, each time at the beginning of a conversation.
KNOWN_QUESTION = "What can you do?"


def questions() -> list[str]:
    """Return the demonstration's questions, in both languages."""
    lines = QUESTIONS.read_text("utf-8").splitlines()
    return [str(json.loads(line)["messages"][-1]["content"]) for line in lines]


class People:
    """Those who write, each always in the same conversation."""

    def __init__(self, conversations: int = CONVERSATIONS) -> None:
        """Make ``conversations`` people on each platform."""
        self._feishu = itertools.cycle([FeishuUser() for _ in range(conversations)])
        self._telegram = itertools.cycle([TelegramUser(10**8 + n) for n in range(conversations)])
        self._numbers = itertools.count(10**6)

    def write(self, texts: Sequence[str], count: int) -> list[Post]:
        """Return ``count`` messages, on both platforms in turn, made and encrypted beforehand."""
        return list(itertools.islice(self._messages(itertools.cycle(texts)), count))

    def _messages(self, texts: Iterator[str]) -> Iterator[Post]:
        while True:
            yield self._on_feishu(next(texts))
            yield self._on_telegram(next(texts))

    def _on_feishu(self, text: str) -> Post:
        name = new_message_id()
        event = message_event(
            text,
            app_id=APP_ID,
            verification_token=SECRETS["feishu_verification_token"],
            user=next(self._feishu),
            message_id=name,
        )
        body, headers = sealed(event, SECRETS["feishu_encrypt_key"])
        return Post(name, FEISHU_PATH, body, headers)

    def _on_telegram(self, text: str) -> Post:
        user, number = next(self._telegram), next(self._numbers)
        body = json.dumps(message_update(text, user=user, message_id=number)).encode()
        headers = {"Content-Type": "application/json", SECRET_HEADER: SECRETS["telegram_secret_token"]}
        return Post(str(number), TELEGRAM_PATH, body, headers)
