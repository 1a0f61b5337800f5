"""Feishu: encryption against vectors made with OpenSSL's program, signature, events, the client."""

import base64
import hashlib
import json
import subprocess
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from assistant.channels.base import Part, PermanentError, TransientError
from assistant.channels.feishu.client import FeishuClient
from assistant.channels.feishu.crypto import UndecipherableError, decrypt, signature, signature_is_valid
from assistant.channels.feishu.events import read_message
from assistant.messages import Kind

# printf '{"hello": "世界"}' | openssl enc -aes-256-cbc -K $(printf 'test key' | sha256sum | cut -c1-64)
#   -iv 000102030405060708090a0b0c0d0e0f, with the 16 bytes of the vector put before it, in base64.
KEY = "test key"
VECTOR = "AAECAwQFBgcICQoLDA0OD2SDa1TwN/fZ1Fo5Y8vklLG3OwdpoY8CxckNnJeTSmTr"


def openssl(plain: bytes, key: str, iv: bytes) -> str:
    command = [
        "openssl",
        "enc",
        "-aes-256-cbc",
        "-K",
        hashlib.sha256(key.encode()).hexdigest(),
        "-iv",
        iv.hex(),
    ]
    made = subprocess.run(command, input=plain, capture_output=True, check=True).stdout
    return base64.b64encode(iv + made).decode()


def test_decrypts_what_openssl_encrypted() -> None:
    assert decrypt(VECTOR, KEY) == {"hello": "世界"}


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 1000])
def test_decrypts_all_lengths(length: int) -> None:
    value = {"x": "y" * length}
    assert decrypt(openssl(json.dumps(value).encode(), KEY, bytes(range(16, 32))), KEY) == value


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "not base64!",
        "AAAA",
        VECTOR[:-24],
        base64.b64encode(b"x" * 33).decode(),
        base64.b64encode(b"x" * 16).decode(),
    ],
)
def test_damaged_text_is_undecipherable(damaged: str) -> None:
    with pytest.raises(UndecipherableError):
        decrypt(damaged, KEY)


def test_another_key_is_undecipherable() -> None:
    with pytest.raises(UndecipherableError):
        decrypt(VECTOR, "another key")


def test_json_that_is_no_object_is_undecipherable() -> None:
    with pytest.raises(UndecipherableError):
        decrypt(openssl(b"[1]", KEY, bytes(16)), KEY)


def test_signature() -> None:
    # printf '1700000000nonce1test key{"a":1}' | sha256sum
    expected = "bf1cec7f9e8666d9754617a15f1af8a3d6dd012e702f07455d1a407ee5be15de"
    assert signature("1700000000", "nonce1", KEY, b'{"a":1}') == expected
    assert signature_is_valid(expected, "1700000000", "nonce1", KEY, b'{"a":1}')
    assert not signature_is_valid(expected, "1700000001", "nonce1", KEY, b'{"a":1}')
    assert not signature_is_valid("", "", "", KEY, b"")
    assert not signature_is_valid("é", "1", "1", KEY, b"")


def event(text: str = "hi", **changes: Any) -> dict[str, Any]:
    message = {
        "message_id": "om_1",
        "chat_id": "oc_1",
        "chat_type": "p2p",
        "message_type": "text",
        "content": json.dumps({"text": text}),
        **changes,
    }
    return {
        "header": {"event_type": "im.message.receive_v1"},
        "event": {
            "sender": {"sender_type": "user", "sender_id": {"open_id": "ou_1"}},
            "message": message,
        },
    }


def test_direct_message() -> None:
    found = read_message(event(" hello "), "")
    assert found is not None
    assert (found.message_id, found.chat, found.text, found.reply_to) == ("om_1", "oc_1", "hello", "om_1")
    assert (found.kind, found.sender) == (Kind.CHAT, "ou_1")


@pytest.mark.parametrize("sender", [{}, {"sender_id": "x"}, {"sender_id": {"open_id": 5}}])
def test_a_sender_without_an_id_is_answered_all_the_same(sender: dict[str, Any]) -> None:
    value = event("hello")
    value["event"]["sender"] = {"sender_type": "user", **sender}
    found = read_message(value, "")
    assert found is not None
    assert found.sender == ""


def test_group_message_needs_a_mention_of_the_bot() -> None:
    def mention(open_id: str) -> list[dict[str, Any]]:
        return [
            {"key": "@_user_1", "id": {"open_id": open_id}},
            {"key": "@_user_10", "id": {"open_id": "ou_x"}},
        ]

    text = "@_user_1 ask @_user_10 this"
    found = read_message(event(text, chat_type="group", mentions=mention("ou_bot")), "ou_bot")
    assert found is not None
    assert found.text == "ask  this"
    assert read_message(event(text, chat_type="group", mentions=mention("ou_other")), "ou_bot") is None
    assert read_message(event(text, chat_type="group", mentions=mention("ou_other")), "") is not None
    assert read_message(event(text, chat_type="group"), "") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"message_id": "../../x"},
        {"message_id": ""},
        {"message_id": 5},
        {"chat_id": None},
        {"message_id": "x" * 201},
    ],
)
def test_ids_that_could_not_be_ids(changes: dict[str, Any]) -> None:
    assert read_message(event(**changes), "") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"message_type": "image"},
        {"content": "{"},
        {"content": None},
        {"content": '{"text": 5}'},
        {"mentions": "x"},
    ],
)
def test_content_of_another_kind(changes: dict[str, Any]) -> None:
    found = read_message(event("", **changes), "")
    assert found is not None
    assert found.kind is Kind.UNSUPPORTED


Handler = Callable[[httpx.Request], httpx.Response]


class Platform:
    """Feishu's API as a function; ``answers`` are what POST .../reply gives, one after the other."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.tokens = 0
        self.bodies: list[dict[str, Any]] = []
        transport = httpx.MockTransport(self.handle)
        self.client = FeishuClient(
            "", "id", "secret", httpx.Client(transport=transport, base_url="http://feishu")
        )

    def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/internal"):
            self.tokens += 1
            return httpx.Response(
                200, json={"code": 0, "tenant_access_token": f"t{self.tokens}", "expire": 7200}
            )
        self.bodies.append({**json.loads(request.content), "token": request.headers["Authorization"]})
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


OK = httpx.Response(200, json={"code": 0})


def test_token_is_kept_and_the_key_goes_along() -> None:
    platform = Platform(OK, OK)
    platform.client.send(Part("oc_1", "你好", "om_1", "key-1"))
    platform.client.send(Part("oc_1", "b", "om_2", "key-2"))
    assert platform.tokens == 1
    assert platform.bodies[0] == {
        "msg_type": "text",
        "content": '{"text":"你好"}',
        "uuid": "key-1",
        "token": "Bearer t1",
    }


def test_invalid_token_is_renewed_once() -> None:
    invalid = httpx.Response(400, json={"code": 99991663})
    platform = Platform(invalid, OK)
    platform.client.send(Part("oc_1", "a", "om_1", "key-1"))
    assert [b["token"] for b in platform.bodies] == ["Bearer t1", "Bearer t2"]
    assert [b["uuid"] for b in platform.bodies] == ["key-1", "key-1"]
    with pytest.raises(TransientError):
        Platform(invalid, invalid).client.send(Part("oc_1", "a", "om_1", "key-1"))


@pytest.mark.parametrize(
    ("answer", "kind", "after"),
    [
        (
            httpx.Response(429, json={"code": 99991400}, headers={"x-ogw-ratelimit-reset": "7"}),
            TransientError,
            7.0,
        ),
        (httpx.Response(400, json={"code": 230020}), TransientError, 1.0),
        (httpx.Response(502, text="<html>"), TransientError, None),
        (httpx.ConnectError("x"), TransientError, None),
        (httpx.ReadTimeout("x"), TransientError, None),
        (httpx.Response(400, json={"code": 230011}), PermanentError, None),
        (httpx.Response(403, text="<html>"), PermanentError, None),
    ],
)
def test_failures(answer: httpx.Response | Exception, kind: type[Exception], after: float | None) -> None:
    with pytest.raises(kind) as caught:
        Platform(answer).client.send(Part("oc_1", "a private text", "om_1", "key-1"))
    assert getattr(caught.value, "retry_after", None) == after
    assert "private" not in str(caught.value)
