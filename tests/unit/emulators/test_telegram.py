"""The emulated Bot API refuses what the Bot API refuses."""

from __future__ import annotations

import dataclasses
import json
import threading

import pytest
from flask.testing import FlaskClient

from tests.emulators.telegram import make_telegram_app
from tests.unit.emulators.support import TELEGRAM, Clock

BOT = f"/bot{TELEGRAM.bot_token}"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(clock: Clock) -> FlaskClient:
    return make_telegram_app(TELEGRAM, clock).test_client()


def call(client: FlaskClient, method: str, **parameters: object) -> tuple[int, dict[str, object]]:
    answer = client.post(f"{BOT}/{method}", json=parameters)
    document: dict[str, object] = answer.get_json()
    assert document["ok"] is (answer.status_code == 200)
    return answer.status_code, document


def description(client: FlaskClient, method: str, **parameters: object) -> str:
    status, document = call(client, method, **parameters)
    assert (status, document["error_code"]) == (400, 400)
    return str(document["description"])


def test_identity(client: FlaskClient) -> None:
    answer = client.get(f"{BOT}/getMe").get_json()
    assert (answer["ok"], answer["result"]["is_bot"], answer["result"]["id"]) == (True, True, 12345)
    assert client.get(f"{BOT}/GETME").status_code == 200, "methods are case-insensitive"


def test_wrong_token_and_unknown_method(client: FlaskClient) -> None:
    answer = client.get("/bot12345:forged/getMe")
    assert (answer.status_code, answer.get_json()["description"]) == (401, "Unauthorized")
    assert client.get(f"{BOT}/sing").status_code == 404


def test_message_is_recorded(client: FlaskClient) -> None:
    status, document = call(client, "sendMessage", chat_id=7, text="你好", reply_parameters={"message_id": 3})
    assert (status, client.get("/_sent").get_json()[0]["reply_to"]) == (200, 3)
    (sent,) = client.get("/_sent").get_json()
    assert (sent["chat"], sent["text"]) == (7, "你好")
    result = document["result"]
    assert isinstance(result, dict) and result["message_id"] == sent["message_id"]


def test_parameters_may_come_as_a_form(client: FlaskClient) -> None:
    form = {"chat_id": "7", "text": "hello", "reply_parameters": json.dumps({"message_id": 3})}
    assert client.post(f"{BOT}/sendMessage", data=form).status_code == 200
    assert client.get("/_sent").get_json()[0]["reply_to"] == 3


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"text": "a"}, "chat_id is empty"),
        ({"chat_id": "nobody", "text": "a"}, "chat not found"),
        ({"chat_id": 0, "text": "a"}, "chat not found"),
        ({"chat_id": 7}, "message text is empty"),
        ({"chat_id": 7, "text": " \n"}, "message text is empty"),
        ({"chat_id": 7, "text": "a" * 4097}, "message is too long"),
        ({"chat_id": 7, "text": "a", "parse_mode": "BB"}, "unsupported parse_mode"),
        ({"chat_id": 7, "text": "a < b", "parse_mode": "HTML"}, "can't parse entities"),
        ({"chat_id": 7, "text": "<b>a", "parse_mode": "HTML"}, "can't parse entities"),
        ({"chat_id": 7, "text": "a.", "parse_mode": "MarkdownV2"}, "reserved"),
        ({"chat_id": 7, "text": "a", "reply_parameters": {"message_id": -1}}, "replied not found"),
    ],
)
def test_bad_messages(client: FlaskClient, parameters: dict[str, object], expected: str) -> None:
    assert expected in description(client, "sendMessage", **parameters)
    assert client.get("/_sent").get_json() == []


def test_length_is_counted_without_formatting(client: FlaskClient) -> None:
    text = f"<b>{'a' * 4095}</b>&lt;"
    assert call(client, "sendMessage", chat_id=7, text=text, parse_mode="HTML")[0] == 200
    assert len(client.get("/_sent").get_json()[0]["text"]) == 4096


def test_one_message_a_second_after_a_burst(client: FlaskClient, clock: Clock) -> None:
    answers = [call(client, "sendMessage", chat_id=7, text="a") for _ in range(4)]
    assert [status for status, _ in answers] == [200, 200, 200, 429]
    assert answers[3][1]["parameters"] == {"retry_after": 1}
    assert answers[3][1]["description"] == "Too Many Requests: retry after 1"
    assert call(client, "sendMessage", chat_id=8, text="a")[0] == 200, "another chat"
    clock.now += 1
    assert [call(client, "sendMessage", chat_id=7, text="a")[0] for _ in range(2)] == [200, 429]


def test_thirty_messages_a_second_in_all(client: FlaskClient, clock: Clock) -> None:
    answers = [call(client, "sendMessage", chat_id=100 + number, text="a")[0] for number in range(31)]
    assert answers == [200] * 30 + [429]
    clock.now += 1
    assert call(client, "sendMessage", chat_id=200, text="a")[0] == 200


def test_twenty_messages_a_minute_in_a_group(clock: Clock) -> None:
    client = make_telegram_app(dataclasses.replace(TELEGRAM, chat_rate=10.0), clock).test_client()
    statuses = []
    for _ in range(21):
        clock.now += 1
        statuses.append(call(client, "sendMessage", chat_id=-5, text="a")[0])
    assert statuses == [200] * 20 + [429]


def test_edit(client: FlaskClient) -> None:
    _, document = call(client, "sendMessage", chat_id=7, text="a")
    result = document["result"]
    assert isinstance(result, dict)
    number = result["message_id"]
    assert call(client, "editMessageText", chat_id=7, message_id=number, text="b")[0] == 200
    (sent,) = client.get("/_sent").get_json()
    assert (sent["text"], sent["edits"]) == ("b", 1)
    assert "not modified" in description(client, "editMessageText", chat_id=7, message_id=number, text="b")
    assert "not found" in description(client, "editMessageText", chat_id=7, message_id=1, text="b")


def test_chat_action(client: FlaskClient) -> None:
    assert call(client, "sendChatAction", chat_id=7, action="typing")[1]["result"] is True
    assert "action" in description(client, "sendChatAction", chat_id=7, action="sleeping")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"url": "http://a.example/hook"}, "HTTPS URL must be provided"),
        ({"url": "https://a.example:8000/hook"}, "only on ports 80, 88, 443 or 8443"),
        ({"url": "https://a.example/hook", "secret_token": "a b"}, "unallowed characters"),
        ({"url": "https://a.example/hook", "secret_token": "a\n"}, "unallowed characters"),
        ({"url": "https://a.example/hook", "secret_token": "a" * 257}, "too long"),
    ],
)
def test_bad_webhooks(client: FlaskClient, parameters: dict[str, object], expected: str) -> None:
    assert expected in description(client, "setWebhook", **parameters)


def test_webhook_and_polling_exclude_each_other(client: FlaskClient) -> None:
    assert call(client, "setWebhook", url="https://a.example/hook", secret_token="aA0_-" * 51)[0] == 200
    client.post("/_update", json={"message": {"text": "a"}})
    _, document = call(client, "getWebhookInfo")
    assert document["result"] == {
        "url": "https://a.example/hook",
        "has_custom_certificate": False,
        "pending_update_count": 1,
        "max_connections": 40,
    }
    assert call(client, "getUpdates")[0] == 409
    assert call(client, "deleteWebhook", drop_pending_updates=True)[0] == 200
    assert call(client, "getUpdates")[1]["result"] == []


def test_offset_confirms_updates(client: FlaskClient) -> None:
    numbers = [client.post("/_update", json={"message": {}}).get_json()["update_id"] for _ in range(3)]
    assert numbers == sorted(set(numbers))
    assert client.get(f"{BOT}/getUpdates?limit=2").get_json()["result"] == [
        {"message": {}, "update_id": numbers[0]},
        {"message": {}, "update_id": numbers[1]},
    ]
    left = call(client, "getUpdates", offset=numbers[2])[1]["result"]
    assert left == [{"message": {}, "update_id": numbers[2]}]
    assert call(client, "getUpdates")[1]["result"] == left, "confirmed ones are gone for good"
    assert call(client, "getUpdates", offset=numbers[2] + 1)[1]["result"] == []


def test_long_polling_ends_when_an_update_arrives(clock: Clock) -> None:
    app = make_telegram_app(TELEGRAM, clock)
    answers: list[dict[str, object]] = []

    def poll() -> None:
        answers.append(app.test_client().get(f"{BOT}/getUpdates?timeout=50").get_json())

    waiting = threading.Thread(target=poll)
    waiting.start()
    app.test_client().post("/_update", json={"update_id": 5})
    waiting.join(timeout=40)
    assert answers == [{"ok": True, "result": [{"update_id": 5}]}]


def test_ordered_failure(client: FlaskClient) -> None:
    order = {"status": 403, "message": "Forbidden: bot was blocked by the user"}
    client.post("/_fail", json=order)
    status, document = call(client, "sendMessage", chat_id=7, text="a")
    assert (status, document["error_code"], document["description"]) == (403, 403, order["message"])
    client.post("/_fail", json={"status": 429, "message": "Too Many Requests", "retry_after": 9})
    assert call(client, "sendMessage", chat_id=7, text="a")[1]["parameters"] == {"retry_after": 9}
    assert call(client, "sendMessage", chat_id=7, text="a")[0] == 200
