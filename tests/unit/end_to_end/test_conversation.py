"""The conversation notices answers, and says what went wrong when there is none."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import certifi
import httpx
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from flask import Flask, request

from tests.emulators.feishu import make_feishu_app
from tests.emulators.server import Server
from tests.emulators.telegram import make_telegram_app
from tests.end_to_end.conversation import QUESTIONS, main
from tests.unit.emulators.support import FEISHU, TELEGRAM


@dataclass
class Assistant:
    """A stand-in for the assistant: answers each message with its own text in capitals."""

    feishu: str
    telegram: str
    answers: bool = True
    status: int = 200
    heard: list[str] = field(default_factory=list)

    def on_feishu(self, body: bytes) -> None:
        """Take an event as a program that knows only the platform's documents would."""
        raw = base64.b64decode(json.loads(body)["encrypt"])
        key = hashlib.sha256(FEISHU.encrypt_key.encode()).digest()
        decryptor = Cipher(algorithms.AES(key), modes.CBC(raw[:16])).decryptor()
        unpadder = PKCS7(128).unpadder()
        plain = unpadder.update(decryptor.update(raw[16:]) + decryptor.finalize()) + unpadder.finalize()
        message = json.loads(plain)["event"]["message"]
        text = json.loads(message["content"])["text"]
        self.heard.append(text)
        if not self.answers:
            return
        credentials = {"app_id": FEISHU.app_id, "app_secret": FEISHU.app_secret}
        token = httpx.post(
            f"{self.feishu}/open-apis/auth/v3/tenant_access_token/internal", json=credentials
        ).json()["tenant_access_token"]
        httpx.post(
            f"{self.feishu}/open-apis/im/v1/messages/{message['message_id']}/reply",
            json={"msg_type": "text", "content": json.dumps({"text": text.upper()})},
            headers={"Authorization": f"Bearer {token}"},
        ).raise_for_status()

    def on_telegram(self, update: dict[str, dict[str, dict[str, int]]]) -> None:
        """Take an update."""
        text = str(update["message"]["text"])
        self.heard.append(text)
        if self.answers:
            chat = update["message"]["chat"]["id"]
            bot = f"{self.telegram}/bot{TELEGRAM.bot_token}"
            draft = httpx.post(f"{bot}/sendMessage", json={"chat_id": chat, "text": text[:3]})
            button = {"text": "+", "callback_data": "rate:1:1"}
            answer = {"chat_id": chat, "message_id": draft.json()["result"]["message_id"]}
            answer |= {"text": text.upper(), "reply_markup": {"inline_keyboard": [[button]]}}
            finish = threading.Timer(0.5, httpx.post, (f"{bot}/editMessageText",), {"json": answer})
            finish.daemon = True
            finish.start()


@pytest.fixture
def assistant() -> Iterator[Assistant]:
    with (
        Server(make_feishu_app(FEISHU), "127.0.0.1", 0) as feishu,
        Server(make_telegram_app(TELEGRAM), "127.0.0.1", 0) as telegram,
    ):
        yield Assistant(feishu.url, telegram.url)


@pytest.fixture
def info(assistant: Assistant, tmp_path: Path) -> Iterator[Path]:
    app = Flask("assistant")

    @app.post("/feishu/webhook")
    def feishu() -> tuple[str, int]:
        if assistant.status == 200:
            assistant.on_feishu(request.get_data())
        return "{}", assistant.status

    @app.post("/telegram/webhook")
    def telegram() -> tuple[str, int]:
        if request.headers.get("X-Telegram-Bot-Api-Secret-Token") != TELEGRAM.secret_token:
            return "{}", 401
        assistant.on_telegram(request.get_json())
        return "{}", 200

    with Server(app, "127.0.0.1", 0) as server:
        path = tmp_path / "info.json"
        path.write_text(
            json.dumps(
                {
                    "https_url": server.url,
                    "ca_file": certifi.where(),
                    "feishu": {
                        "app_id": FEISHU.app_id,
                        "encrypt_key": FEISHU.encrypt_key,
                        "verification_token": FEISHU.verification_token,
                        "emulator_url": assistant.feishu,
                    },
                    "telegram": {
                        "secret_token": TELEGRAM.secret_token,
                        "webhook_path": "/telegram/webhook",
                        "emulator_url": assistant.telegram,
                    },
                }
            ),
            encoding="utf-8",
        )
        yield path


def change(path: Path, section: str, **values: str) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    (document[section] if section else document).update(values)
    path.write_text(json.dumps(document), encoding="utf-8")


def test_holds_a_conversation(
    info: Path, assistant: Assistant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    transcript = tmp_path / "new" / "transcript.json"
    assert main([str(info), "--json", str(transcript)]) == 0
    assert assistant.heard == [question for _, question in QUESTIONS]
    document = json.loads(transcript.read_text(encoding="utf-8"))
    assert (document["ok"], document["failure"]) == (True, None)
    answers = [(turn["platform"], turn["answer"]) for turn in document["turns"]]
    assert answers == [(platform, question.upper()) for platform, question in QUESTIONS]
    assert "HELLO! WHAT CAN YOU DO?" in capsys.readouterr().out


def test_missing_answer_fails(
    info: Path, assistant: Assistant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assistant.answers = False
    transcript = tmp_path / "transcript.json"
    assert main([str(info), "--timeout", "0.1", "--json", str(transcript)]) == 1
    assert "no answer reached" in capsys.readouterr().err
    assert json.loads(transcript.read_text(encoding="utf-8"))["ok"] is False


def test_refused_event_names_the_secret(
    info: Path, assistant: Assistant, capsys: pytest.CaptureFixture[str]
) -> None:
    assistant.status = 401
    assert main([str(info)]) == 1
    captured = capsys.readouterr().err
    assert "answered 401" in captured and "vault_feishu_encrypt_key" in captured


def test_wrong_secret_token_names_the_variable(info: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(info, "telegram", secret_token="other")
    assert main([str(info)]) == 1
    assert "vault_telegram_secret_token" in capsys.readouterr().err


def test_unreachable_assistant_and_emulator(info: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(info, "", https_url="http://127.0.0.1:1")
    assert main([str(info)]) == 1
    assert "http://127.0.0.1:1 cannot be reached" in capsys.readouterr().err
    change(info, "feishu", emulator_url="http://127.0.0.1:1")
    assert main([str(info)]) == 1
    assert "the emulator at http://127.0.0.1:1" in capsys.readouterr().err


def test_bad_description(info: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(info, "", ca_file="/none.crt")
    assert main([str(info)]) == 1
    assert "ca_file /none.crt" in capsys.readouterr().err
    change(info, "telegram", webhook_path="")
    assert main([str(info)]) == 1
    assert "telegram.webhook_path" in capsys.readouterr().err
    info.write_text("{", encoding="utf-8")
    assert main([str(info)]) == 1
    assert "not valid JSON" in capsys.readouterr().err
