"""People on Telegram: they ask, read the answer, and rate it; and those whom a rollout must not touch."""

from __future__ import annotations

import itertools
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from assistant.evaluation.questions import Question, read_questions
from assistant.evaluation.rules import failures
from tests.emulators import telegram_client
from tests.end_to_end.conversation import Conversation, ConversationError
from tests.machines_monitoring.load import info
from tests.machines_verify.machine_access import INFO
from tools.controller.cache import ROOT

ANSWER_SECONDS = 150.0
# Of one turn, so that a person can be new with each.
QUESTIONS = [
    question
    for question in read_questions(ROOT / "files/evaluation/demo.jsonl").questions
    if len(question.messages) == 1
]


def is_right(question: Question, answer: str) -> bool:
    """Tell whether the answer is one that a person is content with."""
    return not failures(question, answer, "stop")


class Person:
    """Somebody new on Telegram."""

    def __init__(self) -> None:
        """Come in."""
        self._machine = info()
        self._user = telegram_client.TelegramUser()
        self._tls = self._machine.tls()
        self._http = httpx.Client(timeout=20, trust_env=False)

    def ask(self, text: str) -> dict[str, Any]:
        """Write ``text`` and return the answer's message, once it is whole.

        Raises:
            ConversationError: there is none in time.
        """
        before = len(self._answers())
        self._post(telegram_client.message_update(text, user=self._user))
        deadline = time.monotonic() + ANSWER_SECONDS
        while len(answers := self._answers()) <= before:
            if time.monotonic() > deadline:
                raise ConversationError(f"telegram: no answer to {text!r} within {ANSWER_SECONDS:g} s")
            time.sleep(0.3)
        return answers[-1]

    def ask_and_rate(self, question: Question) -> bool:
        """Ask, and press the thumb that the answer deserves; return whether it was a good one."""
        answer = self.ask(question.messages[0].content)
        right = is_right(question, str(answer["text"]))
        button = answer["keyboard"][0][0 if right else 1]["callback_data"]
        click = {"chat": self._user.user_id, "message_id": answer["message_id"], "data": button}
        update = self._http.post(f"{self._machine.telegram_emulator}/_click", json=click).json()
        self._post(update)
        return right

    def _answers(self) -> list[dict[str, Any]]:
        sent = self._http.get(f"{self._machine.telegram_emulator}/_sent").json()
        # The rating buttons come with an answer's end.
        return [one for one in sent if one.get("chat") == self._user.user_id and one.get("keyboard")]

    def _post(self, update: dict[str, Any]) -> None:
        url = f"{self._machine.https_url}/{self._machine.webhook_path.lstrip('/')}"
        response = telegram_client.post_update(
            url, update, self._machine.secret_token, verify=self._tls, timeout=30
        )
        if response.status_code != 200:
            raise ConversationError(f"telegram: {url} answered {response.status_code}")


@contextmanager
def newcomers(threads: int = 3, rate: bool = True) -> Iterator[list[str]]:
    """Let new people come and ask (and rate) inside this block.

    Yields:
        what went wrong, as it comes.
    """
    stop, wrong = threading.Event(), list[str]()
    questions = itertools.cycle(QUESTIONS)

    def come() -> None:
        while not stop.is_set():
            question = next(questions)
            try:
                person = Person()
                if rate:
                    person.ask_and_rate(question)
                else:
                    person.ask(question.messages[0].content)
            except (ConversationError, httpx.HTTPError, KeyError, TypeError) as error:
                wrong.append(f"{type(error).__name__}: {error}")
            stop.wait(0.2)

    with _running(come, threads, stop):
        yield wrong


@dataclass
class Regulars:
    """What happened to people of the stable arm: how many answers they got, and what failed."""

    answers: int = 0
    failures: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


@contextmanager
def regulars(pause: float = 3.0) -> Iterator[Regulars]:
    """Let people of the stable arm ask steadily inside this block.

    One talks on Telegram and began before the block, so before the rollout: a dialogue that was going on
    stays with the stable model. One continues a dialogue over the API, for which the same holds.
    They pause long enough for nobody's limit (assistant_messages_per_minute).
    """
    found, stop, lock = Regulars(), threading.Event(), threading.Lock()
    chatting = Conversation(info(), ANSWER_SECONDS)
    chatting.ask("telegram", "Hello! What can you do?")

    def ask_api(text: str) -> None:
        answer = httpx.post(
            INFO["api"]["base_url"] + "/chat/completions",
            json={
                "model": "any",
                "messages": [
                    {"role": "user", "content": "Hello"},
                    {"role": "assistant", "content": "Hello! I am the assistant."},
                    {"role": "user", "content": text},
                ],
            },
            headers={"Authorization": f"Bearer {INFO['api']['token']}"},
            verify=tls,
            trust_env=False,
            timeout=ANSWER_SECONDS,
        )
        if answer.status_code != 200:
            raise ConversationError(f"api: {answer.status_code} {answer.text[:300]}")
        if not answer.json()["choices"][0]["message"]["content"].strip():
            raise ConversationError("api: the answer is empty")

    tls = ssl.create_default_context(cafile=INFO["ca_file"])
    ways = (lambda text: chatting.ask("telegram", text), ask_api)

    def talk(way: Any) -> None:
        for question in itertools.cycle(QUESTIONS):
            if stop.is_set():
                return
            began = time.monotonic()
            problem = ""
            try:
                way(question.messages[0].content)
            except (ConversationError, httpx.HTTPError) as error:
                problem = f"{type(error).__name__}: {error}"
            with lock:
                found.answers += not problem
                found.seconds.append(time.monotonic() - began)
                found.failures += [problem] if problem else []
            stop.wait(pause)

    with _running(lambda: talk(ways[0]), 1, stop), _running(lambda: talk(ways[1]), 1, stop):
        yield found


@contextmanager
def _running(action: Any, threads: int, stop: threading.Event) -> Iterator[None]:
    workers = [threading.Thread(target=action, daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        stop.set()
        for worker in workers:
            worker.join(ANSWER_SECONDS + 30)


def build_folder() -> Path:
    """Return a folder for candidates that are made for a test."""
    folder = ROOT / "build" / "rollout"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
