"""One person's talk with the assistant on a channel, as that person sees it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from assistant.messages import API
from assistant.rollout.share import name_of_call, name_of_chat
from tests.emulators.feishu_client import (
    FeishuUser,
    message_event,
    new_message_id,
    post_card_action,
    post_event,
)
from tests.emulators.telegram_client import TelegramUser, message_update, post_update
from tests.integration.app.process import APP_ID, SECRETS

TELEGRAM, FEISHU = "telegram", "feishu"
CALLS = "/v1/chat/completions"
# How long somebody waits for an answer before it is missing.
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.25
OK = 200


@dataclass(frozen=True)
class Place:
    """Where people write to, and where the emulated platforms show what arrives."""

    url: str
    telegram: str
    feishu: str


@dataclass(frozen=True)
class Heard:
    """What came back: ``failure`` says what a person met instead of an answer, empty for none.

    ``sent`` is the message as the emulator shows it, on a platform that has messages.
    """

    failure: str
    text: str = ""
    sent: dict[str, Any] | None = None


class Talk(Protocol):
    """A person on a channel."""

    channel: str

    @property
    def name(self) -> str:
        """The conversation's name, as the choice of an arm sees it."""

    def ask(self, text: str) -> Heard:
        """Write ``text`` and wait for the answer."""

    def rate(self, heard: Heard, *, good: bool) -> None:
        """Click on a thumb, where the channel has any."""


class Mailbox:
    """Knows what the platforms have received, by the message that it answers."""

    def __init__(self, place: Place) -> None:
        """Look into both platforms of ``place``."""
        self._urls = (place.telegram, place.feishu)
        self._found: dict[str, dict[str, Any]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin with empty platforms."""
        for url in self._urls:
            httpx.post(f"{url}/_reset", trust_env=False, timeout=60).raise_for_status()
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()

    def answer(self, message: str) -> Heard:
        """Wait for the answer to ``message``."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            sent = self._found.get(message)
            # A model's answer has thumbs once it is whole; what the assistant says itself has none.
            if sent is not None and _thumbs(sent) and not sent["streaming"]:
                return Heard("" if sent["text"].strip() else "an empty answer", sent["text"], sent)
            time.sleep(LOOK_SECONDS / 2)
        sent = self._found.get(message)
        return Heard(f"instead of an answer: {sent['text'][:80]}" if sent else "no answer")

    def _run(self) -> None:
        with httpx.Client(trust_env=False, timeout=60) as client:
            while not self._stop.wait(LOOK_SECONDS):
                for url in self._urls:
                    self._found |= {str(sent["reply_to"]): sent for sent in client.get(f"{url}/_sent").json()}


class OnTelegram:
    """Somebody in a private chat on Telegram."""

    channel = TELEGRAM

    def __init__(self, place: Place, mailbox: Mailbox, number: int) -> None:
        """Be the user ``number``."""
        self._place, self._mailbox, self._user = place, mailbox, TelegramUser(number)
        self.name = name_of_chat(TELEGRAM, str(number))

    def ask(self, text: str) -> Heard:
        """Write ``text`` and wait for the answer."""
        update = message_update(text, user=self._user)
        message: Any = update["message"]
        refused = self._post(update)
        return Heard(refused) if refused else self._mailbox.answer(str(message["message_id"]))

    def rate(self, heard: Heard, *, good: bool) -> None:
        """Click on a thumb."""
        sent = heard.sent or {}
        click = {"chat": sent["chat"], "message_id": sent["message_id"], "user": self._user.user_id}
        click["data"] = _thumbs(sent)[0 if good else 1]
        made = httpx.post(f"{self._place.telegram}/_click", json=click, trust_env=False, timeout=30)
        self._post(made.raise_for_status().json())

    def _post(self, update: dict[str, Any]) -> str:
        secret = SECRETS["telegram_secret_token"]
        return _refused(lambda: post_update(f"{self._place.url}/telegram/webhook", update, secret))


class OnFeishu:
    """Somebody in a chat of two on Feishu."""

    channel = FEISHU

    def __init__(self, place: Place, mailbox: Mailbox) -> None:
        """Be a new user."""
        self._place, self._mailbox = place, mailbox
        user = FeishuUser()
        self._app: dict[str, Any] = {
            "app_id": APP_ID,
            "verification_token": SECRETS["feishu_verification_token"],
            "user": user,
        }
        self._chat = user.chat_id
        self.name = name_of_chat(FEISHU, user.chat_id)

    def ask(self, text: str) -> Heard:
        """Write ``text`` and wait for the answer."""
        message = new_message_id()
        known = {"message_id": message, "chat_id": self._chat}
        page = f"{self._place.feishu}/_message"
        httpx.post(page, json=known, trust_env=False, timeout=30).raise_for_status()
        event = message_event(text, message_id=message, **self._app)
        refused = _refused(lambda: post_event(self._place.url, event, SECRETS["feishu_encrypt_key"]))
        return Heard(refused) if refused else self._mailbox.answer(message)

    def rate(self, heard: Heard, *, good: bool) -> None:
        """Click on a thumb."""
        button = _thumbs(heard.sent or {})[0 if good else 1]
        post_card_action(self._place.url, button, SECRETS["feishu_encrypt_key"], **self._app)


class OverTheApi:
    """Somebody behind a program that names its users."""

    channel = API

    def __init__(self, place: Place, number: int) -> None:
        """Be the user ``number``."""
        self._url, self._user = f"{place.url}{CALLS}", f"user-{number}"
        self._messages: list[dict[str, str]] = []
        self.name = name_of_call({"user": self._user})

    def ask(self, text: str) -> Heard:
        """Ask, with the whole dialogue so far."""
        self._messages.append({"role": "user", "content": text})
        call = {"messages": self._messages, "user": self._user, "temperature": 0}
        headers = {"Authorization": f"Bearer {SECRETS['api_token']}"}
        try:
            response = httpx.post(
                self._url, json=call, headers=headers, trust_env=False, timeout=PATIENCE_SECONDS
            )
        except httpx.HTTPError as error:
            return Heard(type(error).__name__)
        if response.status_code != OK:
            return Heard(f"{response.status_code}: {response.text[:200]}")
        answer = str(response.json()["choices"][0]["message"]["content"])
        self._messages.append({"role": "assistant", "content": answer})
        return Heard("" if answer.strip() else "an empty answer", answer)

    def rate(self, heard: Heard, *, good: bool) -> None:
        """Say nothing: the API has no thumbs."""


def _thumbs(sent: Mapping[str, Any]) -> list[Any]:
    """Return what the buttons of a message send back, the good one's first."""
    rows = sent.get("keyboard") or []
    return sent["buttons"] or [button["callback_data"] for row in rows for button in row]


def _refused(post: Callable[[], httpx.Response]) -> str:
    """Return why a platform's call was not taken; a platform would try again."""
    try:
        response = post()
    except httpx.HTTPError as error:
        return type(error).__name__
    return "" if response.status_code == OK else f"{response.status_code}: {response.text[:200]}"
