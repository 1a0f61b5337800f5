"""The clients encrypt, sign and build as the platforms document it."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess

import pytest

from tests.emulators import feishu_client, telegram_client


def test_decrypts_the_documented_example() -> None:
    """The page on event encryption gives this pair: key "test key", plain text "hello world"."""
    sealed = base64.b64decode("P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=")
    again = feishu_client.encrypt(b"hello world", "test key", iv=sealed[:16])
    assert base64.b64decode(again) == sealed


def test_encryption_agrees_with_openssl() -> None:
    program = shutil.which("openssl")
    assert program, "the openssl program is needed: apt-get install openssl"
    iv = bytes(range(16))
    plain = "你好, world".encode()
    sealed = base64.b64decode(feishu_client.encrypt(plain, "键 key", iv=iv))
    key = hashlib.sha256("键 key".encode()).hexdigest()
    done = subprocess.run(
        [program, "enc", "-d", "-aes-256-cbc", "-K", key, "-iv", iv.hex()],
        input=sealed[16:],
        capture_output=True,
        check=True,
    )
    assert (sealed[:16], done.stdout) == (iv, plain)


def test_initialisation_vector_is_random() -> None:
    assert feishu_client.encrypt(b"a", "key") != feishu_client.encrypt(b"a", "key")


def test_signature_covers_all_parts() -> None:
    # printf '1700000000noncekey{}' | sha256sum
    expected = "eeea17a251c07ba68b1862fc89789a3b57aab829e96b602697a8f3f58da564e4"
    assert feishu_client.sign("1700000000", "nonce", "key", b"{}") == expected
    others = [
        feishu_client.sign("1700000001", "nonce", "key", b"{}"),
        feishu_client.sign("1700000000", "other", "key", b"{}"),
        feishu_client.sign("1700000000", "nonce", "other", b"{}"),
        feishu_client.sign("1700000000", "nonce", "key", b"[]"),
    ]
    assert expected not in others and len(set(others)) == 4


def test_event_has_the_documented_form() -> None:
    user = feishu_client.FeishuUser()
    event = feishu_client.message_event("你好", app_id="cli_a", verification_token="v", user=user)
    document = json.loads(json.dumps(event))
    assert (document["schema"], document["header"]["event_type"]) == ("2.0", "im.message.receive_v1")
    assert (document["header"]["token"], document["header"]["app_id"]) == ("v", "cli_a")
    message = document["event"]["message"]
    assert json.loads(message["content"]) == {"text": "你好"}
    assert (message["chat_type"], message["message_type"]) == ("p2p", "text")
    assert message["message_id"].startswith("om_") and message["chat_id"] == user.chat_id


def test_sealed_body_matches_its_signature() -> None:
    body, headers = feishu_client.sealed({"schema": "2.0"}, "key")
    expected = feishu_client.sign(
        headers["X-Lark-Request-Timestamp"], headers["X-Lark-Request-Nonce"], "key", body
    )
    assert headers["X-Lark-Signature"] == expected
    assert list(json.loads(body)) == ["encrypt"]


@pytest.mark.parametrize("text", ["hello", "你好"])
def test_update_has_the_documented_form(text: str) -> None:
    user = telegram_client.TelegramUser()
    first = json.loads(json.dumps(telegram_client.message_update(text, user=user)))
    second = telegram_client.message_update(text, user=user)
    assert first["update_id"] != second["update_id"]
    assert first["message"]["chat"] == {"id": user.user_id, "first_name": "Li", "type": "private"}
    assert (first["message"]["text"], first["message"]["from"]["is_bot"]) == (text, False)
