"""The emulated Feishu platform refuses what the platform refuses."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.emulators.feishu import make_feishu_app
from tests.unit.emulators.support import FEISHU, Clock

TOKEN = "/open-apis/auth/v3/tenant_access_token/internal"
SEND = "/open-apis/im/v1/messages?receive_id_type=chat_id"
REPLY = "/open-apis/im/v1/messages/om_question/reply"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(clock: Clock) -> FlaskClient:
    return make_feishu_app(FEISHU, clock).test_client()


def token(client: FlaskClient) -> str:
    answer = client.post(TOKEN, json={"app_id": FEISHU.app_id, "app_secret": FEISHU.app_secret}).get_json()
    assert (answer["code"], answer["expire"] > 0) == (0, True)
    return str(answer["tenant_access_token"])


def send(client: FlaskClient, path: str, text: str = "hello", **fields: Any) -> TestResponse:
    body = {"msg_type": "text", "content": json.dumps({"text": text}), **fields}
    if path == SEND:
        body.setdefault("receive_id", "oc_chat")
    return client.post(path, json=body, headers={"Authorization": f"Bearer {token(client)}"})


def test_reply_is_recorded(client: FlaskClient) -> None:
    client.post("/_message", json={"message_id": "om_question", "chat_id": "oc_chat"})
    answer = send(client, REPLY, "你好").get_json()
    assert answer["data"]["parent_id"] == "om_question"
    (sent,) = client.get("/_sent").get_json()
    assert (sent["chat"], sent["text"], sent["reply_to"]) == ("oc_chat", "你好", "om_question")
    assert sent["at"] > 0


def test_sent_message_is_recorded_and_reset_forgets_it(client: FlaskClient) -> None:
    assert send(client, SEND).get_json()["code"] == 0
    (sent,) = client.get("/_sent").get_json()
    assert (sent["chat"], sent["text"], sent["reply_to"]) == ("oc_chat", "hello", None)
    client.post("/_reset")
    assert client.get("/_sent").get_json() == []


@pytest.mark.parametrize(
    ("app_id", "secret", "code"),
    [("cli_test", "wrong", 10014), ("cli_other", "app-secret", 10003)],
)
def test_wrong_credentials(client: FlaskClient, app_id: str, secret: str, code: int) -> None:
    answer = client.post(TOKEN, json={"app_id": app_id, "app_secret": secret})
    assert answer.get_json()["code"] == code
    assert "tenant_access_token" not in answer.get_json()


def test_token_call_needs_no_content_type(client: FlaskClient) -> None:
    body = json.dumps({"app_id": FEISHU.app_id, "app_secret": FEISHU.app_secret})
    assert client.post(TOKEN, data=body).get_json()["code"] == 0, "the platform's Python SDK sends none"


@pytest.mark.parametrize(("header", "code"), [("", 99991661), ("Bearer t-forged", 99991663)])
@pytest.mark.parametrize("path", [SEND, REPLY])
def test_calls_need_a_token(client: FlaskClient, path: str, header: str, code: int) -> None:
    answer = client.post(path, json={}, headers={"Authorization": header} if header else {})
    assert (answer.status_code, answer.get_json()["code"]) == (400, code)


def test_bot_information_needs_a_token(client: FlaskClient) -> None:
    assert client.get("/open-apis/bot/v3/info").get_json()["code"] == 99991661
    answer = client.get("/open-apis/bot/v3/info", headers={"Authorization": f"Bearer {token(client)}"})
    assert answer.get_json()["bot"]["activate_status"] == 2


def test_token_stays_the_same_until_it_is_nearly_over(client: FlaskClient, clock: Clock) -> None:
    first = token(client)
    clock.now += 7200 - 1801
    assert token(client) == first
    clock.now += 2
    second = token(client)
    assert second != first
    old = client.get("/open-apis/bot/v3/info", headers={"Authorization": f"Bearer {first}"})
    assert old.get_json()["code"] == 0, "both are valid for a while"
    clock.now += 1800
    old = client.get("/open-apis/bot/v3/info", headers={"Authorization": f"Bearer {first}"})
    assert old.get_json()["code"] == 99991663


def test_tokens_can_be_expired(client: FlaskClient) -> None:
    header = {"Authorization": f"Bearer {token(client)}"}
    client.post("/_expire_tokens")
    assert client.get("/open-apis/bot/v3/info", headers=header).get_json()["code"] == 99991663


def test_uuid_sends_one_message_in_an_hour(client: FlaskClient, clock: Clock) -> None:
    first = send(client, REPLY, uuid="once").get_json()["data"]["message_id"]
    assert send(client, REPLY, uuid="once").get_json()["data"]["message_id"] == first
    assert len(client.get("/_sent").get_json()) == 1
    clock.now += 3600
    assert send(client, REPLY, uuid="once").get_json()["data"]["message_id"] != first
    assert len(client.get("/_sent").get_json()) == 2


def test_messages_without_uuid_are_never_merged(client: FlaskClient) -> None:
    send(client, REPLY)
    send(client, REPLY)
    assert len(client.get("/_sent").get_json()) == 2


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"content": "no json"}, 230001),
        ({"content": '"a text"'}, 230001),
        ({"content": '{"text": ""}'}, 230001),
        ({"content": {"text": "an object"}}, 99992402),
        ({"msg_type": "song"}, 230001),
        ({"uuid": "u" * 51}, 99992402),
        ({"content": json.dumps({"text": "a" * 150 * 1024})}, 230025),
        ({"msg_type": "interactive", "content": json.dumps({"a": "b" * 30 * 1024})}, 230025),
    ],
)
def test_bad_messages(client: FlaskClient, fields: dict[str, Any], code: int) -> None:
    answer = send(client, REPLY, **fields)
    assert (answer.status_code, answer.get_json()["code"]) == (400, code)
    assert client.get("/_sent").get_json() == []


def test_largest_text_and_uuid_are_accepted(client: FlaskClient) -> None:
    room = 150 * 1024 - len(json.dumps({"text": ""}))
    assert send(client, REPLY, "a" * room, uuid="u" * 50).get_json()["code"] == 0


def test_message_ids(client: FlaskClient) -> None:
    assert send(client, "/open-apis/im/v1/messages/42/reply").get_json()["code"] == 230001
    client.post("/_recall", json={"message_id": "om_question"})
    assert send(client, REPLY).get_json()["code"] == 230011


@pytest.mark.parametrize("page", ["/_message", "/_recall"])
def test_unclear_announcements_are_refused(client: FlaskClient, page: str) -> None:
    assert client.post(page, json={"message_id": 5}).status_code == 400


def test_receiver_type_is_needed(client: FlaskClient) -> None:
    assert send(client, "/open-apis/im/v1/messages").get_json()["code"] == 99992402


def test_five_messages_a_second_in_a_chat(client: FlaskClient, clock: Clock) -> None:
    codes = [send(client, SEND).get_json()["code"] for _ in range(6)]
    assert codes == [0, 0, 0, 0, 0, 230020]
    assert send(client, SEND, receive_id="oc_other").get_json()["code"] == 0
    clock.now += 1
    assert send(client, SEND).get_json()["code"] == 0


def test_total_rate(clock: Clock) -> None:
    client = make_feishu_app(dataclasses.replace(FEISHU, total_rate=2), clock).test_client()
    answers = [send(client, SEND, receive_id=f"oc_{number}") for number in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].get_json()["code"] == 99991400
    assert int(answers[2].headers["x-ogw-ratelimit-reset"]) == 1


def test_ordered_failures(client: FlaskClient) -> None:
    order = {"times": 2, "match": "reply", "status": 503, "code": 2200, "message": "busy", "retry_after": 7}
    assert client.post("/_fail", json=order).get_json() == {"waiting": 2}
    assert send(client, SEND).get_json()["code"] == 0, "another path"
    for _ in range(2):
        answer = send(client, REPLY)
        document = answer.get_json()
        assert (answer.status_code, document["code"], document["msg"]) == (503, 2200, "busy")
        assert answer.headers["x-ogw-ratelimit-reset"] == "7"
    assert send(client, REPLY).get_json()["code"] == 0


@pytest.mark.parametrize("order", [None, [], {"times": 0}, {"what": 1}, {"status": "500"}, {"cut": "later"}])
def test_unclear_orders_are_refused(client: FlaskClient, order: object) -> None:
    assert client.post("/_fail", json=order).status_code == 400
