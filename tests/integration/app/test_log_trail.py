"""One id leads from nginx's line to the delivery; neither words nor secrets are on the way."""

import http.client
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from assistant import correlation
from tests.bench.ack.arrivals import Door
from tests.bench.ack.rig import DOMAIN, nginx_configuration, nginx_running
from tests.emulators.feishu_client import FeishuUser, sealed
from tests.emulators.telegram_client import TelegramUser, message_update
from tests.integration.app.conftest import Maker, Platforms
from tests.integration.app.process import SECRETS, Assistant, until

FORGED = "f" * 32
WORDS = "a sentence that no log may hold"
PHONE = "13812345678"


class Front:
    """nginx as the role configures it, before the app."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        trust = ssl.create_default_context(cafile=str(folder / "server.crt"))
        self._door = Door("127.0.0.1", port, DOMAIN, trust)

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        """Return the status and the id that nginx shows its client."""
        connection = self._door.connect()
        try:
            forged = {"Host": DOMAIN, "X-Request-ID": FORGED, "Content-Type": "application/json"}
            connection.request("POST", path, body, {**headers, **forged})
            answer: http.client.HTTPResponse = connection.getresponse()
            answer.read()
            return answer.status, answer.getheader("X-Request-ID") or ""
        finally:
            connection.close()

    def log(self) -> str:
        return (self._folder / "access.log").read_text()


@pytest.fixture(scope="module")
def front(assistant: Assistant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("nginx")
    with nginx_running(folder, nginx_configuration(folder), assistant.port) as port:
        yield Front(folder, port)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def trail(assistant: Assistant, trace_id: str) -> list[str]:
    return [
        str(line["event"].get("action", line["message"]))
        for line in lines(assistant.log())
        if line.get("trace", {}).get("id") == trace_id
    ]


def nginx_line(front: Front, trace_id: str) -> dict[str, Any]:
    def found() -> list[dict[str, Any]]:
        return [line for line in lines(front.log()) if line["trace"]["id"] == trace_id]

    return until("nginx logs the request", found)[0]


@pytest.mark.parametrize("platform", ["feishu", "telegram"])
def test_one_id_finds_webhook_answer_and_delivery(
    front: Front, assistant: Assistant, platforms: Platforms, platform: str
) -> None:
    platforms.reset()
    if platform == "feishu":
        body, headers = sealed(platforms.feishu_event(WORDS), SECRETS["feishu_encrypt_key"])
        path, base = "/feishu/webhook", platforms.feishu
    else:
        body = json.dumps(message_update(WORDS, user=TelegramUser())).encode()
        headers = {"X-Telegram-Bot-Api-Secret-Token": SECRETS["telegram_secret_token"]}
        path, base = "/telegram/webhook", platforms.telegram
    status, trace_id = front.post(path, body, headers)
    assert (status, correlation.is_id(trace_id)) == (200, True)
    assert trace_id != FORGED
    platforms.wait_for(base, 1)
    steps = {"message-received", "message-taken", "message-answered", "reply-sent"}
    until("the reply is logged", lambda: steps <= set(trail(assistant, trace_id)))
    assert FORGED not in assistant.log() + front.log()
    seen = nginx_line(front, trace_id)
    assert (seen["url"]["path"], seen["http"]["response"]["status_code"]) == (path, 200)
    assert isinstance(seen["event"]["duration"], int)
    for table in ("inbox", "outbox"):
        assert assistant.rows(f"SELECT count(*) FROM {table} WHERE trace_id = '{trace_id}'")[0][0] == 1


def test_refusals_and_retries_carry_the_id(front: Front, assistant: Assistant, platforms: Platforms) -> None:
    platforms.reset()
    status, trace_id = front.post("/telegram/webhook", b"{}", {"X-Telegram-Bot-Api-Secret-Token": "wrong"})
    assert status == 401
    assert trail(assistant, trace_id) == ["request-refused"]
    refused = next(x for x in lines(assistant.log()) if x.get("trace", {}).get("id") == trace_id)
    assert refused["url"]["path"] == "/telegram/webhook"
    platforms.fail(platforms.telegram, status=500, times=1)
    headers = {"X-Telegram-Bot-Api-Secret-Token": SECRETS["telegram_secret_token"]}
    _, trace_id = front.post(
        "/telegram/webhook", json.dumps(message_update("Hello there", user=TelegramUser())).encode(), headers
    )
    platforms.wait_for(platforms.telegram, 1)
    until("the reply is logged", lambda: "reply-sent" in trail(assistant, trace_id))


def test_api_callers_are_told_the_id(assistant: Assistant) -> None:
    answer = assistant.post(
        "/v1/chat/completions",
        headers={"Authorization": f"Bearer {SECRETS['api_token']}"},
        json={"model": "x", "messages": [{"role": "user", "content": WORDS}]},
    )
    trace_id = answer.headers["x-request-id"]
    assert {"message-received", "message-answered"} <= set(trail(assistant, trace_id))


def test_without_a_proxy_each_message_gets_an_id(make_assistant: Maker, platforms: Platforms) -> None:
    platforms.reset()
    polling = make_assistant({**platforms.settings(), "ASSISTANT_TELEGRAM_MODE": "polling"})
    polling.start()
    httpx.post(
        f"{platforms.telegram}/_update",
        json=message_update("One", user=TelegramUser(), update_id=1),
        trust_env=False,
    )
    httpx.post(
        f"{platforms.telegram}/_update",
        json=message_update("Two", user=TelegramUser(), update_id=2),
        trust_env=False,
    )
    until("both are delivered", lambda: polling.log().count('"reply-sent"') == 2)
    ids = [str(row[0]) for row in polling.rows("SELECT trace_id FROM inbox ORDER BY id")]
    assert len(set(ids)) == 2
    for trace_id in ids:
        assert {"message-received", "message-answered", "reply-sent"} <= set(trail(polling, trace_id))
    polling.stop()


def test_no_log_holds_a_secret_or_a_word(front: Front, assistant: Assistant, platforms: Platforms) -> None:
    platforms.reset()
    telegram, feishu = TelegramUser(first_name="Wilhelmina"), FeishuUser()
    platforms.fail(platforms.feishu, status=500, times=2)
    platforms.post_telegram(assistant, f"{WORDS} {PHONE}", user=telegram)
    platforms.post_feishu(assistant, platforms.feishu_event(f"{WORDS} {PHONE}", user=feishu))
    # A body that is none, with words in it; and all secrets where they do not belong.
    front.post("/feishu/webhook", f'{{"{WORDS}":'.encode(), {})
    for value in SECRETS.values():
        front.post(f"/nowhere?token={value}", b"{}", {"Authorization": f"Bearer {value}", "Cookie": value})
    cookies = {"id": "abcdefgh-1", "text": WORDS}
    assistant.post("/chat/messages", json=cookies)
    replies = [m["text"] for m in platforms.wait_for(platforms.telegram, 1)]
    replies += [m["text"] for m in platforms.wait_for(platforms.feishu, 1)]
    everything = assistant.log() + front.log()
    private = [WORDS, PHONE, "Wilhelmina", str(telegram.user_id), feishu.open_id, *SECRETS.values()]
    for value in [*private, *(reply[:20] for reply in replies)]:
        assert value not in everything


def test_text_is_logged_masked_when_an_operator_wants_it(make_assistant: Maker, platforms: Platforms) -> None:
    platforms.reset()
    curious = make_assistant({**platforms.settings(), "ASSISTANT_LOG_TEXT": "true"})
    curious.start()
    words = f"Call {PHONE} or {SECRETS['telegram_bot_token']}"
    platforms.post_telegram(curious, words, user=TelegramUser())
    until("it is answered", lambda: '"message-answered"' in curious.log())
    received = next(x for x in lines(curious.log()) if x["message"] == "received")
    assert received["assistant"]["text"] == "Call [phone] or [secret]"
    assert PHONE not in curious.log()
    curious.stop()
