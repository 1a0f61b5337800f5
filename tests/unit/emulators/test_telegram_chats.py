"""Buttons, clicks, commands, topics and chats that refuse, at the emulated Bot API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.emulators.telegram import make_telegram_app
from tests.unit.emulators.support import TELEGRAM, Clock

BOT = f"/bot{TELEGRAM.bot_token}"
KEYBOARD = {
    "inline_keyboard": [[{"text": "+", "callback_data": "rate:1:1"}, {"text": "-", "callback_data": "b"}]]
}


@pytest.fixture
def client() -> FlaskClient:
    return make_telegram_app(TELEGRAM, Clock()).test_client()


def call(client: FlaskClient, method: str, **parameters: Any) -> dict[str, Any]:
    return dict(client.post(f"{BOT}/{method}", json=parameters).get_json())


def description(client: FlaskClient, method: str, **parameters: Any) -> str:
    answer = call(client, method, **parameters)
    assert not answer["ok"], answer
    return str(answer["description"])


def order(client: FlaskClient, page: str, **document: Any) -> dict[str, Any]:
    answer = client.post(f"/_{page}", json=document)
    assert answer.status_code == 200, answer.get_json()
    return dict(answer.get_json())


def sent(client: FlaskClient) -> list[dict[str, Any]]:
    return list(client.get("/_sent").get_json())


def test_keyboard_is_shown_and_an_edit_without_one_takes_it_away(client: FlaskClient) -> None:
    number = call(client, "sendMessage", chat_id=7, text="a", reply_markup=json.dumps(KEYBOARD))["result"][
        "message_id"
    ]
    assert sent(client)[0]["keyboard"] == KEYBOARD["inline_keyboard"]
    same = {"chat_id": 7, "message_id": number, "text": "a"}
    assert "not modified" in description(client, "editMessageText", **same, reply_markup=KEYBOARD)
    assert call(client, "editMessageText", **same)["ok"]
    assert (sent(client)[0]["keyboard"], sent(client)[0]["edits"]) == (None, 1)
    place = {"chat_id": 7, "message_id": number}
    assert call(client, "editMessageReplyMarkup", **place, reply_markup=KEYBOARD)["ok"]
    assert "not modified" in description(client, "editMessageReplyMarkup", **place, reply_markup=KEYBOARD)
    assert "not found" in description(client, "editMessageReplyMarkup", chat_id=7, message_id=1)


def test_other_formatting_is_a_modification(client: FlaskClient) -> None:
    number = call(client, "sendMessage", chat_id=7, text="a")["result"]["message_id"]
    bold = [{"type": "bold", "offset": 0, "length": 1}]
    assert call(client, "editMessageText", chat_id=7, message_id=number, text="a", entities=bold)["ok"]
    assert sent(client)[0]["entities"] == bold


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("no JSON", "object expected as reply markup"),
        ({"inline_keyboard": [[{"text": "a"}]]}, "Text buttons are unallowed"),
        ({"inline_keyboard": [[{"callback_data": "a"}]]}, 'Can\'t find field "text"'),
        ({"inline_keyboard": [[{"text": "a", "callback_data": "字" * 22}]]}, "BUTTON_DATA_INVALID"),
        ({"inline_keyboard": [[{"text": "a", "callback_data": ""}]]}, "BUTTON_DATA_INVALID"),
        ({"inline_keyboard": {"text": "a"}}, "must be an Array of Arrays"),
    ],
)
def test_bad_keyboards(client: FlaskClient, markup: object, expected: str) -> None:
    assert expected in description(client, "sendMessage", chat_id=7, text="a", reply_markup=markup)


def test_click_reaches_the_bot_and_is_answered_once(client: FlaskClient) -> None:
    message = call(client, "sendMessage", chat_id=7, text="a", reply_markup=KEYBOARD)["result"]
    update = order(client, "click", chat=7, message_id=message["message_id"], data="b", language="zh")
    (fetched,) = call(client, "getUpdates")["result"]
    assert fetched == update
    query = update["callback_query"]
    assert (query["data"], query["from"]["language_code"], query["message"]["text"]) == ("b", "zh", "a")
    assert call(client, "answerCallbackQuery", callback_query_id=query["id"], text="ok")["ok"]
    assert client.get("/_clicks").get_json()[0]["answer"] == "ok"
    assert "query is too old" in description(client, "answerCallbackQuery", callback_query_id=query["id"])
    assert "query is too old" in description(client, "answerCallbackQuery", callback_query_id="1")
    assert client.post("/_click", json={"chat": 7, "message_id": message["message_id"]}).status_code == 400


def test_clicks_go_to_the_test_while_there_is_a_webhook(client: FlaskClient) -> None:
    message = call(client, "sendMessage", chat_id=7, text="a", reply_markup=KEYBOARD)["result"]
    call(client, "setWebhook", url="https://a.example/hook")
    assert order(client, "click", chat=7, message_id=message["message_id"], data="b")["callback_query"]
    assert call(client, "getWebhookInfo")["result"]["pending_update_count"] == 0


def test_commands_by_language(client: FlaskClient) -> None:
    english, chinese = [
        [{"command": "help", "description": text}] for text in ("what I can do", "我能做什么")
    ]
    assert call(client, "setMyCommands", commands=json.dumps(english))["ok"]
    assert call(client, "setMyCommands", commands=chinese, language_code="zh")["ok"]
    assert call(client, "getMyCommands")["result"] == english
    assert call(client, "getMyCommands", language_code="zh")["result"] == chinese
    assert call(client, "deleteMyCommands", language_code="zh")["ok"]
    assert call(client, "getMyCommands", language_code="zh")["result"] == []


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"commands": [{"command": "Help", "description": "a"}]}, "BOT_COMMAND_INVALID"),
        ({"commands": [{"command": "help me", "description": "a"}]}, "BOT_COMMAND_INVALID"),
        ({"commands": [{"command": "help", "description": " "}]}, "BOT_COMMAND_DESCRIPTION_INVALID"),
        (
            {"commands": [{"command": f"a{n}", "description": "a"} for n in range(101)]},
            "BOT_COMMANDS_TOO_MUCH",
        ),
        ({"commands": "help"}, "can't parse commands"),
        ({"commands": [], "language_code": "zh-hans"}, "invalid language code"),
    ],
)
def test_bad_commands(client: FlaskClient, parameters: dict[str, Any], expected: str) -> None:
    assert expected in description(client, "setMyCommands", **parameters)


@pytest.mark.parametrize(
    ("state", "code", "expected"),
    [
        ("unknown", 400, "Bad Request: chat not found"),
        ("blocked", 403, "Forbidden: bot was blocked by the user"),
        ("kicked", 403, "Forbidden: bot was kicked from the group chat"),
    ],
)
def test_chats_that_refuse(client: FlaskClient, state: str, code: int, expected: str) -> None:
    number = call(client, "sendMessage", chat_id=7, text="a")["result"]["message_id"]
    order(client, "chat", chat=7, state=state)
    for method, more in (
        ("sendMessage", {"text": "b"}),
        ("editMessageText", {"text": "b", "message_id": number}),
        ("sendChatAction", {"action": "typing"}),
    ):
        answer = call(client, method, chat_id=7, **more)
        assert (answer["error_code"], answer["description"]) == (code, expected)
    order(client, "chat", chat=7, state="")
    assert call(client, "sendMessage", chat_id=7, text="b")["ok"]


def test_orders_for_chats_are_checked(client: FlaskClient) -> None:
    for document in ({}, {"chat": "7", "state": ""}, {"chat": 7, "state": "angry"}, {"chat": 7}):
        answer = client.post("/_chat", json=document)
        assert (answer.status_code, "example" in answer.get_json()["error"]) == (400, True)


def test_group_that_became_a_supergroup(client: FlaskClient) -> None:
    order(client, "chat", chat=-5, moved_to=-1005)
    answer = call(client, "sendMessage", chat_id=-5, text="a")
    assert (answer["error_code"], answer["parameters"]) == (400, {"migrate_to_chat_id": -1005})


def test_topics(client: FlaskClient) -> None:
    message = call(client, "sendMessage", chat_id=-5, text="a", message_thread_id=3)["result"]
    assert (message["message_thread_id"], message["is_topic_message"]) == (3, True)
    assert sent(client)[0]["thread"] == 3
    order(client, "chat", chat=-5, deleted_topic=3)
    for method, more in (("sendMessage", {"text": "b"}), ("sendChatAction", {"action": "typing"})):
        assert "message thread not found" in description(
            client, method, chat_id=-5, message_thread_id=3, **more
        )
    assert call(client, "sendMessage", chat_id=-5, text="b", message_thread_id=4)["ok"]


def test_deleted_message_cannot_be_edited(client: FlaskClient) -> None:
    number = call(client, "sendMessage", chat_id=7, text="a")["result"]["message_id"]
    order(client, "delete", chat=7, message_id=number)
    assert "message to edit not found" in description(
        client, "editMessageText", chat_id=7, message_id=number, text="b"
    )
    assert client.post("/_delete", json={"chat": 7, "message_id": number}).status_code == 400


def test_actions_are_listed(client: FlaskClient) -> None:
    call(client, "sendChatAction", chat_id=7, action="typing")
    assert client.get("/_actions").get_json() == [{"chat": 7, "thread": None, "action": "typing"}]


def test_only_the_kinds_of_updates_that_were_asked_for(client: FlaskClient) -> None:
    call(client, "getUpdates", allowed_updates=["message"])
    assert order(client, "update", message={"text": "a"})["update_id"]
    assert order(client, "update", edited_message={"text": "a"})["update_id"] == 0
    assert [list(u) for u in call(client, "getUpdates")["result"]] == [["message", "update_id"]]
    assert call(client, "getWebhookInfo")["result"]["allowed_updates"] == ["message"]
    call(client, "getUpdates", allowed_updates=[])
    assert order(client, "update", edited_message={"text": "a"})["update_id"]


def test_webhook_error_is_reported_until_the_next_registration(client: FlaskClient) -> None:
    call(client, "setWebhook", url="https://a.example/hook")
    order(client, "webhook_error", date=1_700_000_000, message="Connection refused")
    info = call(client, "getWebhookInfo")["result"]
    assert (info["last_error_date"], info["last_error_message"]) == (1_700_000_000, "Connection refused")
    call(client, "setWebhook", url="https://a.example/hook")
    assert "last_error_date" not in call(client, "getWebhookInfo")["result"]
