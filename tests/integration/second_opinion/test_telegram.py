"""The emulated Bot API beside telegram-test-api, and the assistant in a conversation through the latter."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import telegram

from assistant.texts import HELP
from tests.emulators.config import TelegramConfig
from tests.emulators.server import Server
from tests.emulators.telegram import make_telegram_app
from tests.emulators.telegram_client import TelegramUser, message_update
from tests.integration.app.conftest import Maker
from tests.integration.app.process import SECRETS, until
from tests.second_opinion.bot_api import fields, problems, types
from tests.second_opinion.node import NodeProgram
from tests.second_opinion.telegram_differences import FAULTS, FAULTS_TITLE, LEFT_OUT
from tests.second_opinion.telegram_scenario import CHAT, STEPS, Answer, differences, play
from tools.controller.second_opinion import FOLDER

TOKEN = SECRETS["telegram_bot_token"]
CLIENT = httpx.Client(trust_env=False, timeout=30, limits=httpx.Limits(max_keepalive_connections=0))
TEXTS = {"message": "你好,今天天气如何?", "command": "/help"}
User = Callable[[str], None]


def post(url: str, body: object) -> Any:
    response = CLIENT.post(url, json=body)
    assert response.status_code == 200, response.text
    return response.json()


def say(server: NodeProgram, text: str, chat: int = CHAT, **how: object) -> None:
    """Let the user write, through telegram-test-api's own client."""
    post(f"{server.said['url']}/_say", {"token": TOKEN, "chat": chat, "user": chat, "text": text, **how})


def read(server: NodeProgram, chat: int) -> list[dict[str, Any]]:
    """Return what the bot wrote in ``chat`` and the user has not read yet, by the package's client API."""
    found = post(f"{server.said['url']}/getUpdates", {"token": TOKEN, "chatId": chat})["result"]
    return [update["message"] for update in found]


def history(server: NodeProgram) -> list[dict[str, Any]]:
    return list(post(f"{server.said['url']}/getUpdatesHistory", {"token": TOKEN})["result"])


@pytest.fixture
def server(modules: Path) -> Iterator[NodeProgram]:
    with NodeProgram("telegram.js", modules) as program:
        yield program


@pytest.fixture
def theirs(server: NodeProgram) -> tuple[str, User]:
    def user(act: str) -> None:
        callback = "rate:1" if act == "callback" else ""
        say(server, TEXTS.get(act, ""), command=act == "command", callback=callback)

    return server.said["uncorrected"], user


def pressed_button() -> dict[str, object]:
    """A press as core.telegram.org/bots/api#callbackquery documents it."""
    person, bot = ({"id": n, "is_bot": n != CHAT, "first_name": "Li"} for n in (CHAT, 123456789))
    chat = {"id": CHAT, "type": "private"}
    message = {"message_id": 1001, "from": bot, "date": 1_700_000_000, "chat": chat, "text": "x"}
    query = {"id": "1", "from": person, "message": message, "chat_instance": "2", "data": "rate:1"}
    return {"callback_query": query}


@pytest.fixture
def ours() -> Iterator[tuple[str, User]]:
    config = TelegramConfig(TOKEN, SECRETS["telegram_secret_token"], chat_rate=1000, chat_burst=1000)
    with Server(make_telegram_app(config), "127.0.0.1", 0) as emulator:

        def user(act: str) -> None:
            update = pressed_button()
            if act in TEXTS:
                update = message_update(TEXTS[act], user=TelegramUser(CHAT))
            post(f"{emulator.url}/_update", update)

        yield emulator.url, user


def played(by: tuple[str, User]) -> dict[str, Answer]:
    return asyncio.run(play(by[0], TOKEN, by[1]))


def found(answers: dict[str, Answer]) -> set[tuple[str, str]]:
    return {(n, d) for n, step in STEPS.items() for d in differences(step.documented, answers[n])}


def test_the_emulator_answers_as_documented(ours: tuple[str, User]) -> None:
    answers = played(ours)
    assert found(answers) == set()
    refused = {name for name, step in STEPS.items() if type(step.documented) is int}
    assert {name for name, answer in answers.items() if answer.error} == refused


def test_every_difference_is_known_and_is_the_other_ones_fault(
    ours: tuple[str, User], theirs: tuple[str, User]
) -> None:
    mine, others = played(ours), played(theirs)
    table = {(f.step, f.difference) for f in FAULTS if f.step in STEPS}
    assert found(others) == table
    for name in STEPS:
        one, two = types(mine[name].body), types(others[name].body)
        wrong = [difference.partition(":")[0] for step, difference in table if step == name]
        if "accepted" in wrong or any(w.startswith("HTTP") for w in wrong):
            continue
        for path in one.keys() & two.keys():
            if path.removeprefix("result.") not in wrong:
                assert one[path] == two[path], f"{name}: {path}"
        # The outermost: where an object is missing, so is everything in it.
        for path in {p for p in two.keys() - one.keys() if p.rpartition(".")[0] in one and p[-1] != "]"}:
            known = any(path == key or path.endswith(f".{key}") for key in LEFT_OUT)
            assert known or any(path.endswith(w) for w in wrong), f"{name}: only telegram-test-api has {path}"


def test_webhooks_without_a_secret(server: NodeProgram) -> None:
    from flask import Flask, request  # a receiver of one test

    app, came = Flask("receiver"), []

    @app.post("/hook")
    def hook() -> str:
        came.append((dict(request.headers), request.get_json()))
        return "ok"

    with Server(app, "127.0.0.1", 0) as receiver:
        base = f"{server.said['uncorrected']}/bot{TOKEN}"
        post(f"{base}/setWebhook", {"url": f"{receiver.url}/hook", "secret_token": "secret-1"})
        say(server, TEXTS["message"])
        ((headers, update),) = until("the update", lambda: came)
        post(f"{base}/deleteWebhook", {})
    assert update["message"]["text"] == TEXTS["message"]
    assert problems(telegram.Update, update) == {"message.botToken: unknown"}
    # The assistant refuses such an update with 401 (tests/integration/app/test_refusals.py).
    assert "secret-1" not in headers.values()


def test_the_table_in_the_documents_is_this_one() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = readme.partition(f"{FAULTS_TITLE}\n| --- | --- | --- |\n")[2].partition("\n\n")[0]
    assert rows.splitlines() == [fault.row() for fault in FAULTS]
    assert all(f"| `{key}` | {why} |" in readme for key, why in LEFT_OUT.items())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"id": 1, "is_bot": True, "first_name": "a"}, set()),
        ({"id": 1, "first_name": "a", "x": 1}, {"is_bot: missing", "x: unknown"}),
        (None, {"result: null, not an object"}),
    ],
)
def test_the_arbiter_sees_what_is_wrong(value: object, expected: set[str]) -> None:
    assert problems(telegram.User, value) == expected
    assert fields(telegram.User)["is_bot"] and not fields(telegram.User)["username"]


def test_a_conversation_through_telegram_test_api(server: NodeProgram, make_assistant: Maker) -> None:
    assistant = make_assistant(
        {
            "ASSISTANT_TELEGRAM_ENABLED": "true",
            "ASSISTANT_TELEGRAM_MODE": "polling",
            "ASSISTANT_TELEGRAM_BASE_URL": server.said["url"],
        }
    )

    def delivered(count: int) -> None:
        until(
            f"{count} replies",
            lambda: assistant.rows("SELECT count(*) FROM outbox WHERE state = 'done'")[0][0] == count,
        )

    assistant.start()
    say(server, "你好,今天天气如何?", chat=11)
    delivered(1)
    say(server, "And tomorrow?", chat=11)
    say(server, "/help", chat=22, command=True)
    delivered(3)
    assert assistant.stop() == 0
    say(server, "Are you there?", chat=11)
    assistant.start()
    delivered(4)

    asked = {str(u["messageId"]): u["message"]["text"] for u in history(server) if "chat" in u["message"]}
    conversation, command = read(server, 11), read(server, 22)
    answered = [asked[reply_to(message)] for message in conversation]
    assert answered == ["你好,今天天气如何?", "And tomorrow?", "Are you there?"]
    assert all(message["text"].strip() for message in conversation)
    assert [asked[reply_to(message)] for message in command] == ["/help"]
    assert HELP.en.splitlines()[-1] in command[0]["text"]
    assert read(server, 11) == read(server, 22) == []
    assert assistant.count("outbox") == 4


def reply_to(message: dict[str, Any]) -> str:
    """Return the number of the message that is answered; telegram-test-api keeps parameters as they came."""
    given = message["reply_parameters"]
    parameters = (
        given if isinstance(given, dict) else telegram.ReplyParameters.de_json(json.loads(given), None)
    )
    return str(parameters["message_id"])
