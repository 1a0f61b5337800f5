"""The three ways in which Feishu's events may come, through the whole assistant, to the answer."""

import json
from typing import Any

import pytest

from tests.emulators.feishu_client import PATH, hmac_sign, plain, sealed, url_verification
from tests.integration.app.conftest import Maker, Platforms
from tests.integration.app.process import SECRETS, Assistant, until

KEY, TOKEN = SECRETS["feishu_encrypt_key"], SECRETS["feishu_verification_token"]
Request = tuple[bytes, dict[str, str]]


def started(make_assistant: Maker, platforms: Platforms, **settings: str) -> Assistant:
    made = make_assistant({**platforms.settings(), **settings})
    if settings.get("ASSISTANT_FEISHU_PLAIN_EVENTS") == "true":
        (made.directory / "secrets" / "feishu_encrypt_key").unlink()
    made.start()
    return made


@pytest.fixture(scope="module")
def gateway(make_assistant: Maker, platforms: Platforms) -> Assistant:
    return started(make_assistant, platforms, ASSISTANT_FEISHU_SIGNATURE_SCHEME="hmac-sha256")


@pytest.fixture(scope="module")
def keyless(make_assistant: Maker, platforms: Platforms) -> Assistant:
    return started(make_assistant, platforms, ASSISTANT_FEISHU_PLAIN_EVENTS="true")


def post(assistant: Assistant, request: Request) -> tuple[int, Any]:
    response = assistant.post(PATH, content=request[0], headers=request[1])
    body = response.json()
    return response.status_code, body["error"]["code"] if "error" in body else body


def by_gateway(event: dict[str, Any], *, encrypted: bool, **headers: str) -> Request:
    body, signed = sealed(event, KEY, scheme="hmac-sha256", encrypted=encrypted)
    return body, {**signed, **headers}


def answers(assistant: Assistant, platforms: Platforms, request: Request, message_id: str) -> None:
    platforms.reset()
    assert post(assistant, request) == (200, {"code": 0})
    assert post(assistant, request) == (200, {"code": 0})
    (sent,) = platforms.wait_for(platforms.feishu, 1)
    assert sent["reply_to"] == message_id
    assert sent["text"].strip()
    until("nothing waits", lambda: not assistant.rows("SELECT 1 FROM outbox WHERE state = 'pending'"))
    assert len(platforms.sent(platforms.feishu)) == 1
    found = assistant.rows(f"SELECT count(*) FROM inbox WHERE message_id = '{message_id}'")
    assert found[0][0] == 1


@pytest.mark.parametrize("encrypted", [True, False])
def test_gateway_that_signs(gateway: Assistant, platforms: Platforms, encrypted: bool) -> None:
    message_id = f"om_gateway_{encrypted}"
    event = platforms.feishu_event("你好,今天天气如何?", message_id=message_id)
    answers(gateway, platforms, by_gateway(event, encrypted=encrypted), message_id)


@pytest.mark.parametrize("encrypted", [True, False])
def test_gateways_signature_that_is_wrong(gateway: Assistant, platforms: Platforms, encrypted: bool) -> None:
    before = gateway.count("inbox")
    event = platforms.feishu_event("forged")
    body, headers = by_gateway(event, encrypted=encrypted)
    timestamp = headers["X-Lark-Request-Timestamp"]
    for forged in (
        (body + b" ", headers),
        (body, {**headers, "X-Lark-Request-Timestamp": str(int(timestamp) + 1)}),
        (body, {**headers, "X-Lark-Signature": hmac_sign(timestamp, "another key", body)}),
        sealed(event, KEY),
        plain(event),
    ):
        assert post(gateway, forged) == (401, "invalid_signature")
    event["header"]["token"] = "another"
    assert post(gateway, by_gateway(event, encrypted=encrypted)) == (401, "invalid_token")
    assert gateway.count("inbox") == before


def test_app_without_an_encrypt_key(keyless: Assistant, platforms: Platforms) -> None:
    event = platforms.feishu_event("Hello, without a key", message_id="om_keyless")
    answers(keyless, platforms, plain(event), "om_keyless")


def test_plain_event_without_the_token(keyless: Assistant, platforms: Platforms) -> None:
    before = keyless.count("inbox")
    event = platforms.feishu_event("forged")
    for token in ("another", "", None, [], {"a": 1}):
        event["header"]["token"] = token
        assert post(keyless, plain(event)) == (401, "invalid_token")
    del event["header"]
    assert post(keyless, plain(event)) == (401, "invalid_token")
    # A key was set on the console afterwards: said, not passed over.
    assert post(keyless, sealed(platforms.feishu_event("x"), KEY)) == (400, "encrypted")
    logged = [json.loads(line) for line in keyless.log().splitlines() if '"request refused"' in line]
    last = logged[-1]
    assert (last["http"]["response"]["status_code"], last["error"]["code"]) == (400, "encrypted")
    assert keyless.count("inbox") == before


def test_address_check_without_a_key(keyless: Assistant) -> None:
    assert post(keyless, plain(url_verification(TOKEN, "c-1"))) == (200, {"challenge": "c-1"})
    assert post(keyless, plain(url_verification("another", "c-1"))) == (401, "invalid_token")


def test_address_check_through_a_gateway(gateway: Assistant) -> None:
    check = url_verification(TOKEN, "c-2")
    assert post(gateway, by_gateway(check, encrypted=False)) == (200, {"challenge": "c-2"})
    assert post(gateway, plain(check)) == (401, "invalid_signature")
