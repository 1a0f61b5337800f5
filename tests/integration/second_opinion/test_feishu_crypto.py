"""Feishu's encryption and signature against Feishu's own SDK for Node.js, in both directions."""

import base64
import json
from typing import Any

import httpx
import pytest

from assistant.channels.feishu.crypto import UndecipherableError, decrypt, signature
from assistant.channels.feishu.events import read_message
from assistant.channels.feishu.gate import Gate
from assistant.web.errors import Refused
from tests.emulators.feishu_client import PATH, FeishuUser, encrypt, message_event, sealed, url_verification
from tests.integration.app.process import APP_ID, SECRETS

KEY, TOKEN = SECRETS["feishu_encrypt_key"], SECRETS["feishu_verification_token"]
GATE = Gate(TOKEN, KEY)
# Each request on a connection of its own: Node.js closes idle ones whenever it likes.
CLIENT = httpx.Client(trust_env=False, timeout=30, limits=httpx.Limits(max_keepalive_connections=0))
TEXTS = {
    "latin": "What is the weather like?",
    "chinese": "你好,请介绍一下你自己。「引号」、顿号与……省略号",
    "emoji": "👩‍👩‍👧‍👦 🇨🇳 👍🏽 ✈️",
    "other planes and directions": "𠮷野家 שלום עולם \u202egnihtyreve\u202c é é",
    "long": "长文 long text 🀄 " * 10_000,
    "one letter": "x",
    "spaces": "  \t ",
    "line ends": "\n\r\n\u2028\u2029\u0085",
    "empty": "",
    "quotes and escapes": '"\\" \\u4f60 {"encrypt": "x"} \x00\x1f\x7f',
    **{f"block {length}": "y" * length for length in range(15, 33)},
}
Request = tuple[bytes, dict[str, str]]


def event(text: str) -> dict[str, Any]:
    return message_event(text, app_id=APP_ID, verification_token=TOKEN, user=FeishuUser())


def ask(sdk: str, page: str, given: object) -> Any:
    response = CLIENT.post(sdk + page, json=given)
    assert response.status_code == 200, response.text
    return response.json()


def by_sdk(sdk: str, value: object) -> Request:
    made = ask(sdk, "/request", value)
    return made["body"].encode(), made["headers"]


def to_sdk(sdk: str, request: Request) -> tuple[httpx.Response, list[dict[str, Any]]]:
    """Post ``request`` and return the answer, and what the SDK's dispatcher took."""
    answer = CLIENT.post(sdk + PATH, content=request[0], headers=request[1])
    return answer, ask(sdk, "/taken", {})


def opened(request: Request) -> dict[str, Any]:
    return GATE.open(json.loads(request[0]), request[0], httpx.Headers(request[1]))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_sdk_takes_what_the_emulator_seals(sdk: str, text: str) -> None:
    sent = event(text)
    answer, (taken,) = to_sdk(sdk, sealed(sent, KEY))
    assert answer.json() == {"taken": sent["event"]["message"]["message_id"]}
    assert json.loads(taken["message"]["content"]) == {"text": text}
    assert taken["message"] == sent["event"]["message"]
    assert (taken["token"], taken["app_id"]) == (TOKEN, APP_ID)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_assistant_takes_what_the_sdk_agrees_to(sdk: str, text: str) -> None:
    sent = event(text)
    request = by_sdk(sdk, sent)
    assert opened(request) == sent
    found = read_message(sent, "")
    assert found is not None and found.text == text.strip()


def test_half_of_an_emoji(sdk: str) -> None:
    """JavaScript can send one, escaped; Python's JSON gives it back as it is."""
    made = CLIENT.post(
        sdk + "/request",
        content=b'{"header": {"token": "%b"}, "x": "\\ud83d"}' % TOKEN.encode(),
    ).json()
    assert opened((made["body"].encode(), made["headers"]))["x"] == "\ud83d"


@pytest.mark.parametrize("text", ["", "你好 👋", "z" * 100_000])
def test_signatures_are_equal(sdk: str, text: str) -> None:
    body, headers = by_sdk(sdk, event(text))
    timestamp, nonce = headers["x-lark-request-timestamp"], headers["x-lark-request-nonce"]
    assert signature(timestamp, nonce, KEY, body) == headers["x-lark-signature"]
    assert signature(timestamp, nonce, KEY, body + b" ") != headers["x-lark-signature"]


def tampered(request: Request) -> dict[str, Request]:
    """Requests that differ from ``request`` in one thing each, all of them still JSON."""
    body, headers = request
    sealed_text = json.loads(body)["encrypt"]
    data = bytearray(base64.b64decode(sealed_text))
    data[0] ^= 1  # the initialisation vector: the first block decrypts to something else

    def with_header(name: str, value: str) -> Request:
        (found,) = [each for each in headers if each.lower() == name]
        return body, {**headers, found: value}

    given = {name.lower(): value for name, value in headers.items()}
    later = str(int(given["x-lark-request-timestamp"]) + 1)
    return {
        "body": (b'{"encrypt":"%b"}' % base64.b64encode(data), headers),
        "further key": (body[:-1] + b',"x":1}', headers),
        "timestamp": with_header("x-lark-request-timestamp", later),
        "nonce": with_header("x-lark-request-nonce", given["x-lark-request-nonce"] + "0"),
        "signature": with_header("x-lark-signature", given["x-lark-signature"][::-1]),
        "no signature": with_header("x-lark-signature", ""),
    }


@pytest.mark.parametrize("change", tampered(sealed(event("x"), KEY)))
def test_both_refuse_what_was_tampered_with(sdk: str, change: str) -> None:
    for request in (sealed(event("tampered"), KEY), by_sdk(sdk, event("tampered"))):
        assert to_sdk(sdk, request)[1], "the untouched request is taken"
        forged = tampered(request)[change]
        answer, taken = to_sdk(sdk, forged)
        assert (taken, answer.json() if answer.content and answer.is_success else None) == ([], None)
        with pytest.raises(Refused) as caught:
            opened(forged)
        assert caught.value.status in {400, 401}
        assert opened(request)


def test_both_refuse_another_key(sdk: str) -> None:
    made = encrypt("你好".encode(), KEY)
    assert ask(sdk, "/decrypt", {"key": KEY, "encrypted": made}) == {"plain": "你好"}
    other = CLIENT.post(sdk + "/decrypt", json={"key": "another", "encrypted": made})
    assert other.status_code == 400
    with pytest.raises(UndecipherableError):
        decrypt(made, "another")
    answer, taken = to_sdk(sdk, sealed(event("x"), "another key"))
    assert (answer.is_success, taken) == (False, [])


def test_both_answer_the_address_check(sdk: str) -> None:
    check = url_verification(TOKEN, "c-0123")
    answer, taken = to_sdk(sdk, sealed(check, KEY))
    assert (answer.json(), taken) == ({"challenge": "c-0123"}, [])
    assert opened(by_sdk(sdk, check)) == check
