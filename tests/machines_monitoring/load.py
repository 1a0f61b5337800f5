"""People who ask: through the emulated platforms and the API, as real ones do."""

from __future__ import annotations

import itertools
import os
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.emulators import feishu_client, telegram_client
from tests.end_to_end.conversation import Conversation
from tests.end_to_end.demo_info import DemoInfo, read
from tests.machines_verify.served_model import says

# What people ask; some ask the same, so that answers come from the cache as well.
QUESTIONS = (
    "你好,请介绍一下你自己。",
    "How can you help our team?",
    "Hello! What can you do?",
    "明天天气怎么样?",
    "How do I unlock a locked account?",
    "怎么更换模型?",
    "Which ports are open?",
    "怎么备份?",
)
ANSWER_SECONDS = 180.0


def info() -> DemoInfo:
    """Read the machine's description."""
    return read(str(Path(os.environ["DEMO_INFO"])))


@dataclass
class Talk:
    """A normal day: one question after the other, each answered before the next is put.

    ``asked`` counts the questions by channel, ``seconds`` keeps how long each took.
    """

    pause: float = 5.0
    asked: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def hold(self, seconds: float) -> None:
        """Talk for so many seconds.

        Raises:
            ConversationError: a question got no answer.
        """
        ended = time.monotonic() + seconds
        for number, question in enumerate(itertools.cycle(QUESTIONS)):
            if time.monotonic() > ended:
                return
            channel = ("feishu", "telegram", "api")[number % 3]
            begun = time.monotonic()
            if channel == "api":
                assert says(question).strip()
            else:
                # Somebody new each time: a first question, which the cache may answer.
                Conversation(info(), ANSWER_SECONDS).ask(channel, question)
            self.asked[channel] += 1
            self.seconds.append(time.monotonic() - begun)
            time.sleep(self.pause)


def post(channel: str, question: str, machine: DemoInfo, tls: ssl.SSLContext) -> int:
    """Put a question, as somebody new, and return the HTTP status without waiting for the answer."""
    if channel == "feishu":
        event = feishu_client.message_event(
            question,
            app_id=machine.app_id,
            verification_token=machine.verification_token,
            user=feishu_client.FeishuUser(),
        )
        return feishu_client.post_event(machine.https_url, event, machine.encrypt_key, verify=tls).status_code
    update = telegram_client.message_update(question, user=telegram_client.TelegramUser())
    url = f"{machine.https_url}/{machine.webhook_path.lstrip('/')}"
    return telegram_client.post_update(url, update, machine.secret_token, verify=tls).status_code


def post_many(count: int) -> None:
    """Put so many different questions on both platforms."""
    machine = info()
    tls = machine.tls()
    for number in range(count):
        status = post(("feishu", "telegram")[number % 2], f"Question {number} at {time.time()}", machine, tls)
        assert status == 200, status


@contextmanager
def asking(pause: float = 2.0) -> Iterator[Callable[[], int]]:
    """Keep putting questions on both platforms inside this block, whatever becomes of them.

    Yields:
        a function that says how many were taken.
    """
    stop, taken = threading.Event(), Counter[int]()
    machine = info()
    tls = machine.tls()

    def ask() -> None:
        for number in itertools.count():
            try:
                channel = ("feishu", "telegram")[number % 2]
                taken[post(channel, f"Question {number} at {time.time()}", machine, tls)] += 1
            except httpx.HTTPError:
                taken[0] += 1
            if stop.wait(pause):
                return

    asker = threading.Thread(target=ask, daemon=True)
    asker.start()
    try:
        yield lambda: taken[200]
    finally:
        stop.set()
        asker.join(30)
