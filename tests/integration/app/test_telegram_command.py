"""The command ``telegram`` beside a running assistant: does Telegram get through?"""

import json
import time
from typing import Any

import httpx
import pytest

from tests.integration.app.conftest import Maker, Platforms
from tests.integration.app.process import SECRETS, Assistant

URL = "https://assistant.example.com/telegram/webhook"


@pytest.fixture(scope="module")
def installed(make_assistant: Maker, platforms: Platforms) -> Assistant:
    """Settings and secrets; no process runs, so that nothing is registered by itself."""
    return make_assistant(platforms.settings())


@pytest.fixture(autouse=True)
def clean(platforms: Platforms) -> None:
    platforms.reset()


def command(assistant: Assistant, *arguments: str, status: int = 0, **environment: str) -> str:
    done = assistant.command("telegram", *arguments, **environment)
    assert done.returncode == status, done.stdout + done.stderr
    assert SECRETS["telegram_bot_token"] not in done.stdout + done.stderr
    return done.stdout + done.stderr


def report(assistant: Assistant, *arguments: str, status: int = 0, **environment: str) -> dict[str, Any]:
    return dict(json.loads(command(assistant, "--json", *arguments, status=status, **environment)))


def ask(platforms: Platforms, method: str, **parameters: Any) -> Any:
    address = f"{platforms.telegram}/bot{SECRETS['telegram_bot_token']}/{method}"
    return httpx.post(address, json=parameters, trust_env=False).json()["result"]


def order(platforms: Platforms, page: str, **document: Any) -> None:
    httpx.post(f"{platforms.telegram}/_{page}", json=document, trust_env=False).raise_for_status()


def test_registers_what_is_missing_and_then_leaves_it_alone(
    installed: Assistant, platforms: Platforms
) -> None:
    assert report(installed) == {"url": URL, "waiting": 0, "registered": True, "problem": ""}
    webhook = ask(platforms, "getWebhookInfo")
    assert (webhook["url"], len(webhook["allowed_updates"])) == (URL, 3)
    assert (
        len(ask(platforms, "getMyCommands", language_code="zh")) == len(ask(platforms, "getMyCommands")) > 2
    )
    assert report(installed)["registered"] is False
    assert "All is well" in command(installed)


def test_webhook_with_other_kinds_of_updates_is_put_right(installed: Assistant, platforms: Platforms) -> None:
    ask(platforms, "setWebhook", url=URL, allowed_updates=["message"])
    assert report(installed)["registered"] is True
    assert "callback_query" in ask(platforms, "getWebhookInfo")["allowed_updates"]


def test_failed_delivery_is_reported_with_what_to_do(installed: Assistant, platforms: Platforms) -> None:
    ask(platforms, "setWebhook", url=URL, allowed_updates=["message", "edited_message", "callback_query"])
    order(platforms, "update", message={"text": "a"})
    message = "SSL error {certificate verify failed}"
    order(platforms, "webhook_error", message=message, date=int(time.time()) - 60)
    found = report(installed, "--seconds", "1", status=1)
    assert found["waiting"] == 1
    for words in (message, "1 updates wait, none is lost", "proxy_tls_mode"):
        assert words in found["problem"]
    # An old failure that nothing waits for is history.
    platforms.reset()
    ask(platforms, "setWebhook", url=URL, allowed_updates=["message", "edited_message", "callback_query"])
    order(platforms, "webhook_error", message=message, date=int(time.time()) - 60)
    assert report(installed)["problem"] == ""


def test_failure_that_comes_while_one_looks(installed: Assistant, platforms: Platforms) -> None:
    ask(platforms, "setWebhook", url=URL, allowed_updates=["message", "edited_message", "callback_query"])
    order(platforms, "webhook_error", message="Connection refused", date=int(time.time()) + 600)
    assert "Connection refused" in command(installed, status=1)


def test_polling_has_no_webhook(installed: Assistant, platforms: Platforms) -> None:
    ask(platforms, "setWebhook", url=URL)
    found = report(installed, ASSISTANT_TELEGRAM_MODE="polling")
    assert (found["url"], found["registered"]) == ("", True)
    assert ask(platforms, "getWebhookInfo")["url"] == ""


def test_token_that_is_refused(installed: Assistant, platforms: Platforms) -> None:
    order(platforms, "fail", match="getWebhookInfo", status=401, message="Unauthorized")
    assert "vault_telegram_bot_token" in command(installed, status=1)


def test_nobody_there(installed: Assistant) -> None:
    said = command(installed, status=1, ASSISTANT_TELEGRAM_BASE_URL="http://127.0.0.1:9")
    assert "http://127.0.0.1:9" in said
    assert "assistant_telegram_base_url" in said


def test_switched_off(installed: Assistant) -> None:
    assert "assistant_telegram_enabled" in command(installed, status=1, ASSISTANT_TELEGRAM_ENABLED="false")
    assert "ASSISTANT_TELEGRAM_ENABLED" in command(installed, status=1, ASSISTANT_TELEGRAM_ENABLED="perhaps")
