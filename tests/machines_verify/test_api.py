"""The API and Telegram's door, from outside: open with the right secret, closed with another."""

from __future__ import annotations

import shlex
import ssl
import uuid

import httpx

from tests.emulators.telegram_client import SECRET_HEADER, TelegramUser, message_update
from tests.machines_verify.machine_access import INFO, on_machine

API, TELEGRAM = INFO["api"], INFO["telegram"]
QUESTION = {"model": "any", "messages": [{"role": "user", "content": "你好"}], "max_tokens": 8}


def _post(url: str, document: object, headers: dict[str, str]) -> httpx.Response:
    context = ssl.create_default_context(cafile=INFO["ca_file"])
    with httpx.Client(verify=context, trust_env=False, timeout=60) as client:
        return client.post(url, json=document, headers=headers)


def test_the_api_answers_who_has_the_token() -> None:
    url = API["base_url"] + "/chat/completions"
    answer = _post(url, QUESTION, {"Authorization": f"Bearer {API['token']}"})
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert document["choices"][0]["message"]["role"] == "assistant"
    assert document["usage"]["completion_tokens"] > 0


def test_what_people_write_is_encrypted_on_the_disk() -> None:
    words = f"canary {uuid.uuid4().hex}"
    question = {**QUESTION, "messages": [{"role": "user", "content": words}]}
    url = API["base_url"] + "/chat/completions"
    assert _post(url, question, {"Authorization": f"Bearer {API['token']}"}).status_code == 200
    count = "grep -rlF -e {} /var/lib/ai-assistant | wc -l"
    assert on_machine(count.format(shlex.quote(words))).strip() == "0"
    assert on_machine(count.format("enc1:")).strip() != "0"
    done = on_machine("docker exec ai-core python3 -m assistant encrypt")
    assert "rewritten with the key " in done


def test_the_api_refuses_another_token() -> None:
    answer = _post(API["base_url"] + "/chat/completions", QUESTION, {"Authorization": "Bearer wrong"})
    assert answer.status_code == 401
    assert "message" in answer.json()["error"]


def test_telegrams_door_refuses_another_secret() -> None:
    update = message_update("x", user=TelegramUser())
    answer = _post(INFO["https_url"] + TELEGRAM["webhook_path"], update, {SECRET_HEADER: "wrong"})
    assert answer.status_code == 401
