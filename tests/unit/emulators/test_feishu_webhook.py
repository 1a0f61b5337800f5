from __future__ import annotations

import json
from typing import Any

import pytest

from tests.emulators.config import FeishuConfig
from tests.emulators.feishu import make_feishu_app
from tests.unit.emulators.support import Clock

HOOK = "/open-apis/bot/v2/hook/token-1"
TEXT = {"msg_type": "text", "content": {"text": "request example"}}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(clock: Clock) -> Any:
    app = make_feishu_app(FeishuConfig("cli_a1", "s", "e", "v"), clock)
    client = app.test_client()
    client.post("/_hook", json={"token": "token-1"})
    return client


def codes(client: Any, times: int) -> list[int]:
    return [client.post(HOOK, json=TEXT).get_json()["code"] for _ in range(times)]


def test_a_text_arrives(client: Any) -> None:
    answer = client.post(HOOK, json=TEXT)
    assert answer.get_json() == {
        "StatusCode": 0,
        "StatusMessage": "success",
        "code": 0,
        "data": {},
        "msg": "success",
    }
    (sent,) = client.get("/_sent").get_json()
    assert (sent["chat"], sent["text"]) == ("token-1", "request example")


def test_five_in_a_second_and_a_hundred_in_a_minute(client: Any, clock: Clock) -> None:
    assert codes(client, 6) == [0] * 5 + [11232]
    for _ in range(19):
        clock.now += 1
        assert codes(client, 5) == [0] * 5
    clock.now += 1
    assert codes(client, 1) == [11232]
    clock.now += 60
    assert codes(client, 1) == [0]


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"msg_type": "text", "content": {}},
        {"msg_type": "text", "content": {"text": "x" * 20480}},
        {"msg_type": "interactive", "card": {"elements": []}},
    ],
)
def test_a_body_that_is_wrong_or_too_large(client: Any, document: object) -> None:
    answer = client.post(HOOK, data=json.dumps(document))
    assert (answer.status_code, answer.get_json()["code"]) == (400, 9499)


def test_a_token_that_nobody_has(client: Any) -> None:
    assert client.post("/open-apis/bot/v2/hook/other", json=TEXT).get_json()["code"] == 19001
