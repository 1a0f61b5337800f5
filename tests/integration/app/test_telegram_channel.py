"""Telegram as a person meets it: typing, words that appear, buttons, edits, groups."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.emulators.model_server import ModelServer, Trouble, make_model_app
from tests.emulators.server import Server
from tests.emulators.telegram_client import (
    TelegramUser,
    edited_update,
    group,
    mention,
    message_update,
    post_update,
)
from tests.integration.app.conftest import Maker, Platforms
from tests.integration.app.process import SECRETS, Assistant, until

PIECES = ("**Once** upon", " a time there", " was an", " *assistant*", ".")


class Model:
    """A model server whose answers stop in the middle while ``gate`` is closed."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.server = ModelServer(answer=self._answer)

    def _answer(self, _: dict[str, Any]) -> Iterator[str]:
        yield from PIECES[:2]
        assert self.gate.wait(60)
        yield from PIECES[2:]

    def settings(self, url: str) -> dict[str, str]:
        return {"MODEL_PATH": "", "ASSISTANT_BACKEND_URL": f"{url}/v1"}


@pytest.fixture(scope="module")
def model() -> Model:
    return Model()


@pytest.fixture(scope="module")
def make(make_assistant: Maker, platforms: Platforms, model: Model) -> Iterator[Maker]:
    """Makes assistants whose model is ``model``."""
    with Server(make_model_app(model.server), "127.0.0.1", 0) as running:

        def maker(**settings: str) -> Assistant:
            made = make_assistant({**platforms.settings(), **model.settings(running.url), **settings})
            (made.directory / "secrets" / "backend_api_key").write_text(model.server.key + "\n")
            made.start()
            return made

        yield maker


@pytest.fixture(scope="module")
def talkative(make: Maker) -> Assistant:
    return make()


def post(assistant: Assistant, update: dict[str, Any]) -> None:
    response = post_update(f"{assistant.url}/telegram/webhook", update, SECRETS["telegram_secret_token"])
    assert response.status_code == 200


def page(platforms: Platforms, name: str, **document: Any) -> Any:
    address = f"{platforms.telegram}/_{name}"
    if not document:
        return httpx.get(address, trust_env=False).json()
    answer = httpx.post(address, json=document, trust_env=False)
    answer.raise_for_status()
    return answer.json()


def stored_reply(assistant: Assistant, message_id: str) -> str:
    rows = assistant.rows(
        "SELECT o.text FROM outbox o JOIN inbox i ON i.id = o.inbox_id "
        f"WHERE i.message_id = '{message_id}' AND o.state = 'done'"
    )
    return str(rows[0][0]) if rows else ""


def test_words_appear_and_become_the_answer_with_buttons(
    talkative: Assistant, platforms: Platforms, model: Model
) -> None:
    platforms.reset()
    user = TelegramUser(language_code="zh-hans")
    model.gate.clear()
    post(talkative, message_update("Tell me a story", user=user, message_id=5))
    draft = until("the first words appear", lambda: platforms.sent(platforms.telegram))[0]
    assert (draft["text"], draft["reply_to"], draft["keyboard"]) == ("Once upon a time there", 5, None)
    assert draft["entities"] == [{"type": "bold", "offset": 0, "length": 4}]
    assert stored_reply(talkative, f"{user.user_id}:5") == ""
    model.gate.set()
    until("the answer is sent", lambda: finished(platforms, 1))
    (sent,) = platforms.sent(platforms.telegram)
    assert sent["message_id"] == draft["message_id"], "the answer takes the draft's place"
    assert sent["text"] == "Once upon a time there was an assistant."

    good = sent["keyboard"][0][0]["callback_data"]
    click = {"chat": user.user_id, "message_id": sent["message_id"], "data": good}
    post(talkative, page(platforms, "click", **click, language="zh-hans"))
    until("the click is answered", lambda: page(platforms, "clicks")[0]["answer"])
    assert "谢谢" in page(platforms, "clicks")[0]["answer"]
    until("the button is marked", lambda: "✓" in str(platforms.sent(platforms.telegram)[0]["keyboard"]))
    bad = sent["keyboard"][0][1]["callback_data"]
    post(talkative, page(platforms, "click", **{**click, "data": bad}))
    rated = talkative.rows("SELECT score FROM ratings WHERE platform = 'telegram'")
    assert rated == [(-1,)], "the second click replaces the first"


def test_typing_is_shown_before_there_are_words(
    talkative: Assistant, platforms: Platforms, model: Model
) -> None:
    platforms.reset()
    model.server.fail(Trouble(wait=3))
    user = TelegramUser()
    post(talkative, message_update("hello", user=user))
    (action, *_) = until("typing is shown", lambda: page(platforms, "actions"))
    assert action == {"chat": user.user_id, "thread": None, "action": "typing"}
    until("the answer", lambda: finished(platforms, 1))


def test_somebody_elses_answer_cannot_be_rated(talkative: Assistant, platforms: Platforms) -> None:
    platforms.reset()
    one, two = TelegramUser(), TelegramUser()
    post(talkative, message_update("hello", user=one))
    post(talkative, message_update("hello", user=two))
    sent = {s["chat"]: s for s in until("two answers", lambda: finished(platforms, 2))}
    before = talkative.count("ratings")
    update = page(
        platforms,
        "click",
        chat=one.user_id,
        message_id=sent[one.user_id]["message_id"],
        data=sent[one.user_id]["keyboard"][0][0]["callback_data"],
    )
    update["callback_query"]["data"] = sent[two.user_id]["keyboard"][0][0]["callback_data"]
    post(talkative, update)
    until("the click is answered", lambda: page(platforms, "clicks")[0]["answer"])
    assert "cannot be rated" in page(platforms, "clicks")[0]["answer"]
    assert talkative.count("ratings") == before


def finished(platforms: Platforms, count: int) -> list[dict[str, Any]]:
    sent = [s for s in platforms.sent(platforms.telegram) if s["keyboard"]]
    return sent if len(sent) >= count else []


def test_edit_of_an_answered_message_is_answered_once(talkative: Assistant, platforms: Platforms) -> None:
    platforms.reset()
    user = TelegramUser()
    first = message_update("helo", user=user, message_id=9)
    post(talkative, first)
    until("the first answer", lambda: finished(platforms, 1))
    for _ in range(2):  # Telegram repeats it
        post(talkative, edited_update(first, "hello", edit_date=1_800_000_000))
    post(talkative, message_update("and?", user=user, message_id=10))
    sent = until("the answers", lambda: finished(platforms, 3))
    assert [one["reply_to"] for one in sent] == [9, 9, 10]
    number = f"{user.user_id}:9"
    rows = talkative.rows(f"SELECT message_id, text FROM inbox WHERE message_id LIKE '{number}%' ORDER BY id")
    assert [tuple(row) for row in rows] == [(number, "helo"), (f"{number}:e1800000000", "hello")]


def test_group_and_topic(talkative: Assistant, platforms: Platforms) -> None:
    platforms.reset()
    chat, user = group(forum=True), TelegramUser()
    text = "@assistant_bot hello"
    topic = {"message_thread_id": 5, "is_topic_message": True}
    post(talkative, message_update("nobody asked", user=user, chat=chat, message_id=1, **topic))
    asked = message_update(
        text, user=user, chat=chat, message_id=2, entities=[mention(text, "@assistant_bot")], **topic
    )
    post(talkative, asked)
    (sent,) = until("the answer", lambda: finished(platforms, 1))
    assert (sent["chat"], sent["thread"], sent["reply_to"]) == (chat["id"], 5, 2)
    assert talkative.rows(f"SELECT count(*) FROM inbox WHERE message_id = '{chat['id']}:1'") == [(0,)]


def test_menu_and_webhook_are_registered(talkative: Assistant, platforms: Platforms) -> None:
    """Another assistant at the same emulated platform, which has forgotten what the first one registered."""
    platforms.reset()
    talkative.stop()
    talkative.start()
    bot = f"{platforms.telegram}/bot{SECRETS['telegram_bot_token']}"

    def ask(method: str, **parameters: str) -> Any:
        return httpx.post(f"{bot}/{method}", json=parameters, trust_env=False).json()["result"]

    chinese = until("the menu is set", lambda: ask("getMyCommands", language_code="zh"))
    assert [c["command"] for c in chinese] == [c["command"] for c in ask("getMyCommands")]
    webhook = ask("getWebhookInfo")
    assert webhook["url"] == "https://assistant.example.com/telegram/webhook"
    assert sorted(webhook["allowed_updates"]) == ["callback_query", "edited_message", "message"]


def test_click_while_polling(make: Maker, platforms: Platforms) -> None:
    platforms.reset()
    polling = make(ASSISTANT_TELEGRAM_MODE="polling")
    user = TelegramUser()
    page(platforms, "update", **message_update("hello", user=user, update_id=8001))
    (sent,) = until("the answer", lambda: finished(platforms, 1))
    data = sent["keyboard"][0][1]["callback_data"]
    update = page(platforms, "click", chat=user.user_id, message_id=sent["message_id"], data=data)
    until("the click is answered", lambda: page(platforms, "clicks")[0]["answer"])
    assert polling.rows("SELECT score FROM ratings") == [(-1,)]
    until(
        "the cursor is committed",
        lambda: polling.rows("SELECT value FROM cursors") == [(update["update_id"] + 1,)],
    )
    polling.stop()
