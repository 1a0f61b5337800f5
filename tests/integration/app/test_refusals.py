"""Bad input: the right status, nothing in the inbox, nothing sent, nothing personal in the log."""

import json
from typing import Any

import httpx
import pytest

from tests.emulators.feishu_client import FeishuUser, sealed, url_verification
from tests.emulators.telegram_client import SECRET_HEADER, TelegramUser, message_update
from tests.integration.app.conftest import Platforms
from tests.integration.app.process import SECRETS, Assistant

PRIVATE = "private-words-of-a-person-7f3a"
KEY = SECRETS["feishu_encrypt_key"]
TELEGRAM = {SECRET_HEADER: SECRETS["telegram_secret_token"], "Content-Type": "application/json"}
BEARER = {"Authorization": f"Bearer {SECRETS['api_token']}", "Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def nothing_happened(assistant: Assistant, platforms: Platforms) -> Any:
    before = assistant.count("inbox"), assistant.count("outbox")
    answered = assistant.log().count('"answered"')
    yield
    assert (assistant.count("inbox"), assistant.count("outbox")) == before
    assert assistant.log().count('"answered"') == answered
    assert platforms.sent(platforms.feishu) == platforms.sent(platforms.telegram) == []
    log = assistant.log()
    assert PRIVATE not in log
    for name, value in SECRETS.items():
        assert value not in log, f"the log holds {name}"


def error_of(response: httpx.Response) -> str:
    assert response.headers["Content-Type"] == "application/json"
    return str(response.json()["error"]["code"])


def feishu(platforms: Platforms, **changes: str) -> tuple[bytes, dict[str, str]]:
    body, headers = sealed(platforms.feishu_event(PRIVATE), KEY)
    return body, {**headers, **changes}


@pytest.mark.parametrize("header", ["X-Lark-Signature", "X-Lark-Request-Timestamp", "X-Lark-Request-Nonce"])
@pytest.mark.parametrize("value", ["", "0" * 64, "ü"])
def test_forged_feishu_signature(assistant: Assistant, platforms: Platforms, header: str, value: str) -> None:
    body, headers = feishu(platforms)
    raw = {k: v.encode("latin-1") for k, v in {**headers, header: value}.items()}
    response = assistant.post("/feishu/webhook", content=body, headers=raw)
    assert (response.status_code, error_of(response)) == (401, "invalid_signature")


def test_feishu_body_changed_after_signing(assistant: Assistant, platforms: Platforms) -> None:
    body, headers = feishu(platforms)
    response = assistant.post("/feishu/webhook", content=body + b" ", headers=headers)
    assert (response.status_code, error_of(response)) == (401, "invalid_signature")


def test_feishu_event_encrypted_with_another_key(assistant: Assistant, platforms: Platforms) -> None:
    body, headers = sealed(platforms.feishu_event(PRIVATE), "another key")
    response = assistant.post("/feishu/webhook", content=body, headers=headers)
    assert response.status_code == 401


def test_feishu_event_with_another_verification_token(assistant: Assistant, platforms: Platforms) -> None:
    event = platforms.feishu_event(PRIVATE)
    event["header"]["token"] = "another"
    response = platforms.post_feishu(assistant, event)
    assert (response.status_code, error_of(response)) == (401, "invalid_token")


def test_feishu_event_that_is_neither_signed_nor_encrypted(
    assistant: Assistant, platforms: Platforms
) -> None:
    response = assistant.post("/feishu/webhook", json=platforms.feishu_event(PRIVATE))
    assert (response.status_code, error_of(response)) == (401, "invalid_signature")


@pytest.mark.parametrize("value", ["", "wrong", "ü"])
def test_forged_telegram_secret(assistant: Assistant, value: str) -> None:
    response = assistant.post(
        "/telegram/webhook",
        json=message_update(PRIVATE, user=_user()),
        headers={SECRET_HEADER: value.encode("latin-1")},
    )
    assert (response.status_code, error_of(response)) == (401, "invalid_secret_token")


def _user() -> TelegramUser:
    return TelegramUser(first_name=PRIVATE)


def test_api_without_its_token(assistant: Assistant) -> None:
    body = {"messages": [{"role": "user", "content": PRIVATE}]}
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic " + SECRETS["api_token"]},
    ):
        response = assistant.post("/v1/chat/completions", json=body, headers=headers)
        assert (response.status_code, error_of(response)) == (401, "invalid_api_key")
        assert assistant.get("/v1/models", headers=headers).status_code == 401


DOORS = (
    ("/feishu/webhook", {}),
    ("/telegram/webhook", TELEGRAM),
    ("/v1/chat/completions", BEARER),
    ("/chat/messages", {}),
)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"])
def test_wrong_content_type(assistant: Assistant, kind: str) -> None:
    content = json.dumps({"text": PRIVATE}).encode()
    for path, headers in DOORS:
        response = assistant.post(path, content=content, headers={**headers, "Content-Type": kind})
        assert response.status_code == 415, path
        error_of(response)


def test_body_of_2_megabytes(assistant: Assistant) -> None:
    content = json.dumps({"text": PRIVATE + "x" * 2_000_000}).encode()
    for path, headers in DOORS:
        response = assistant.post(
            path, content=content, headers={**headers, "Content-Type": "application/json"}
        )
        assert response.status_code == 413, path
        error_of(response)


def test_body_of_2_megabytes_without_a_length(assistant: Assistant) -> None:
    for path, headers in DOORS:
        pieces = (b"x" * 65536 for _ in range(32))
        response = assistant.post(
            path, content=pieces, headers={**headers, "Content-Type": "application/json"}
        )
        assert response.status_code == 413, path


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"text": NaN}', b"\xff\xfe", b"[]", b'"text"', b"null", b"[" * 100_000]
)
def test_broken_json(assistant: Assistant, content: bytes) -> None:
    for path, headers in DOORS:
        response = assistant.post(
            path, content=content, headers={**headers, "Content-Type": "application/json"}
        )
        assert response.status_code == 400, path
        error_of(response)


@pytest.mark.parametrize(
    "body", [{}, {"update_id": "1"}, {"update_id": 1, "message": "x"}, {"update_id": True}]
)
def test_json_that_is_no_telegram_update(assistant: Assistant, body: dict[str, Any]) -> None:
    response = assistant.post("/telegram/webhook", json=body, headers=TELEGRAM)
    assert (response.status_code, error_of(response)) == (400, "malformed_update")


def test_unknown_feishu_event_is_ignored(assistant: Assistant, platforms: Platforms) -> None:
    event = platforms.feishu_event(PRIVATE)
    event["header"]["event_type"] = "im.message.message_read_v1"
    assert platforms.post_feishu(assistant, event).status_code == 200


@pytest.mark.parametrize("change", [{"message": None}, {"message": []}, {"message": {"message_id": 5}}, None])
def test_feishu_event_of_a_wrong_shape_is_ignored(
    assistant: Assistant, platforms: Platforms, change: Any
) -> None:
    event = platforms.feishu_event(PRIVATE)
    event["event"] = change
    assert platforms.post_feishu(assistant, event).status_code == 200


def test_own_and_other_bots_messages_are_ignored(assistant: Assistant, platforms: Platforms) -> None:
    event = platforms.feishu_event(PRIVATE)
    event["event"]["sender"]["sender_type"] = "app"
    assert platforms.post_feishu(assistant, event).status_code == 200
    update = message_update(PRIVATE, user=_user())
    update["message"]["from"]["is_bot"] = True  # type: ignore[index]  # a dict, as built above
    assert assistant.post("/telegram/webhook", json=update, headers=TELEGRAM).status_code == 200


def test_unknown_telegram_update_is_ignored(assistant: Assistant) -> None:
    body = {"update_id": 77, "poll_answer": {"poll_id": "1", "option_ids": [], "option_persistent_ids": []}}
    assert assistant.post("/telegram/webhook", json=body, headers=TELEGRAM).status_code == 200
    future = {"update_id": 78, "something_new": {"text": PRIVATE}}
    assert assistant.post("/telegram/webhook", json=future, headers=TELEGRAM).status_code == 200


def test_group_message_that_is_not_for_the_bot_is_ignored(assistant: Assistant, platforms: Platforms) -> None:
    event = platforms.feishu_event(PRIVATE, user=FeishuUser(chat_type="group"))
    assert platforms.post_feishu(assistant, event).status_code == 200


def test_feishu_address_check(assistant: Assistant) -> None:
    right = url_verification(SECRETS["feishu_verification_token"], "challenge-1")
    body, headers = sealed(right, KEY)
    unsigned = {"Content-Type": headers["Content-Type"]}
    for given in (headers, unsigned):
        response = assistant.post("/feishu/webhook", content=body, headers=given)
        assert (response.status_code, response.json()) == (200, {"challenge": "challenge-1"})
    body, _ = sealed(url_verification("another token", "challenge-1"), KEY)
    assert assistant.post("/feishu/webhook", content=body, headers=unsigned).status_code == 401


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "x"}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "assistant", "content": PRIVATE}]}, "messages"),
        ({"messages": [{"role": "user", "content": PRIVATE}], "stream": "yes"}, "stream"),
        ({"messages": [{"role": "user", "content": PRIVATE}], "max_tokens": 0}, "max_tokens"),
        ({"messages": [{"role": "user", "content": PRIVATE}], "temperature": "hot"}, "temperature"),
    ],
)
def test_api_request_of_a_wrong_shape(assistant: Assistant, body: dict[str, Any], parameter: str) -> None:
    response = assistant.post("/v1/chat/completions", json=body, headers=BEARER)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == parameter
    assert response.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "body",
    [
        {"id": "12345678"},
        {"id": "12345678", "text": " "},
        {"id": "x", "text": "x"},
        {"id": "12345678", "text": "x" * 4001},
    ],
)
def test_web_chat_request_of_a_wrong_shape(assistant: Assistant, body: dict[str, Any]) -> None:
    response = assistant.post("/chat/messages", json=body)
    assert response.status_code == 400
    assert "set-cookie" not in response.headers


def test_unknown_path_and_method(assistant: Assistant) -> None:
    assert error_of(assistant.get("/nothing")) == "not_found"
    response = assistant.get("/feishu/webhook")
    assert (response.status_code, error_of(response)) == (405, "method_not_allowed")
    assert assistant.get("/static/../routes.py").status_code == 404
    assert assistant.get("/static/%2e%2e/routes.py").status_code == 404
